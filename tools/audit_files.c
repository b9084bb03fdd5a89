/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of one log and what its writers keep beside it, all opened at one moment: programs go on to write and
 * rotate while a log is verified. For that moment the lock of PATH.head is held, so short that no writer comes too
 * late; where it cannot be had, the files are taken as they are.
 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 255
#define LOCK_WAIT_MS 2000

/* What a shell's star brings along. */
bool audit_is_head(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".head") == 0;
}

static void lock_to_read(int fd)
{
    struct flock log = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = TN_HEAD_LOCK_BYTES };
    for (int i = 0; i < LOCK_WAIT_MS; i++) {
        if (fcntl(fd, F_OFD_SETLK, &log) == 0 || (errno != EAGAIN && errno != EACCES && errno != EINTR))
            return;
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
}

static void read_head(struct audit_head *head)
{
    char text[HEAD_MAX + 1] = "", hash[65] = "";
    ssize_t n = pread(head->fd, text, HEAD_MAX, 0);
    head->known = n > 0 && sscanf(text, "tenuo-log-1 %" SCNu64 " %64s", &head->seq, hash) == 2 &&
                  tn_link_unhex(hash, head->hash);
}

/* Takes the path. False with errno: there is none that can be read. */
static bool add_head(struct audit_files *all, char *path)
{
    for (size_t i = 0; i < all->nheads; i++)
        if (strcmp(all->heads[i].path, path) == 0) {
            free(path);
            return true;
        }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0)
        all->heads[all->nheads++] = (struct audit_head){ .path = path, .fd = fd };
    else
        free(path);
    return fd >= 0;
}

static int find_heads(struct audit_files *all, const struct cli_words *paths, struct tenuo_error *err)
{
    for (size_t i = 0; i < paths->n; i++) {
        bool named = audit_is_head(paths->v[i]);
        char *name = NULL;
        if (asprintf(&name, "%s%s", paths->v[i], named ? "" : ".head") < 0)
            cli_no_memory();
        if (!add_head(all, name) && named)
            return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", paths->v[i], strerror(errno));
    }
    return TENUO_OK;
}

/* Also what is not there: a rotation may be under way. */
static bool is_regular(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && (stat(path, &st) != 0 || S_ISREG(st.st_mode));
}

static int open_file(struct audit_file *file, struct tenuo_error *err)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (file->regular ? O_NONBLOCK : 0);
    struct stat st;
    file->fd = strcmp(file->path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(file->path, flags);
    if (file->fd < 0)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", file->path, strerror(errno));
    if (fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(file->fd, 0, SEEK_CUR) == 0)
        file->size = st.st_size;
    return TENUO_OK;
}

static int open_those(struct audit_files *all, bool regular, struct tenuo_error *err)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].regular == regular && open_file(&all->v[i], err))
            return err->code;
    return TENUO_OK;
}

/* Under the writers' lock. */
static int open_logs(struct audit_files *all, struct tenuo_error *err)
{
    for (size_t i = 0; i < all->nheads; i++) {
        lock_to_read(all->heads[i].fd);
        read_head(&all->heads[i]);
    }
    int code = open_those(all, true, err);
    for (size_t i = 0; i < all->nheads; i++)
        close(all->heads[i].fd); /* and with it the lock */
    return code;
}

static bool find_first(void *arg, const struct audit_line *line)
{
    struct audit_file *file = arg;
    file->has_link = line->len <= AUDIT_MAX_LINE && tn_link_read(line->text, line->len, &file->first);
    return !file->has_link;
}

/* What can be read once only comes first, in the order of the command line. */
static int by_seq(const void *a, const void *b)
{
    const struct audit_file *x = a, *y = b;
    if (x->has_link != y->has_link)
        return x->has_link ? 1 : -1;
    if (x->has_link && x->first.seq != y->first.seq)
        return x->first.seq < y->first.seq ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

int audit_files_open(const struct cli_words *paths, struct audit_files *all, struct tenuo_error *err)
{
    struct rlimit files;
    int code;
    *all = (struct audit_files){ .v = cli_alloc(paths->n + 1, sizeof *all->v),
                                 .heads = cli_alloc(paths->n + 1, sizeof *all->heads) };
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a log may have thousands */
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t i = 0; i < paths->n; i++)
        if (!audit_is_head(paths->v[i]))
            all->v[all->n++] = (struct audit_file){
                .path = paths->v[i], .fd = -1, .size = -1, .place = i, .regular = is_regular(paths->v[i])
            };
    code = open_those(all, false, err); /* a pipe may let us wait: not with the lock in the hand */
    if (!code)
        code = find_heads(all, paths, err);
    if (!code)
        code = open_logs(all, err);
    for (size_t i = 0; i < all->n && !code; i++)
        if (all->v[i].size >= 0)
            code = audit_file_lines(&all->v[i], find_first, &all->v[i], err);
    if (!code)
        qsort(all->v, all->n, sizeof *all->v, by_seq);
    return code;
}

void audit_files_close(struct audit_files *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].fd >= 0)
            close(all->v[i].fd);
    for (size_t i = 0; i < all->nheads; i++)
        free(all->heads[i].path);
    free(all->heads);
    free(all->v);
}
