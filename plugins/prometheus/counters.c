/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mapped file a service (design.md 9 row 9): processes add to it without a lock, and take the lock only to make a
 * new series. What a dead process left behind is at most a slot that is not in use. Nothing in the file is believed:
 * it is a table of fixed size, and labels are cut where they end. A file that was removed, cut or replaced is let go
 * before the next event is counted.
 */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x314d4f4e45545f5fu
#define VERSION 1
#define COUNTERS_MODE 0660

static int fail(const struct metrics *m, const char *what)
{
    m->host->error(m->host, "%s %s: %s", m->counters_path, what, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

static void let_go(struct metrics *m)
{
    if (m->map != NULL)
        (void)munmap(m->map, sizeof *m->map);
    if (m->fd >= 0)
        close(m->fd);
    m->map = NULL;
    m->fd = -1;
}

static int open_fd(struct metrics *m)
{
    struct stat st;
    m->fd = open(m->counters_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, COUNTERS_MODE);
    if (m->fd < 0 || fstat(m->fd, &st) != 0)
        return fail(m, "cannot be opened");
    if (m->pid != 0 && m->pid != getpid())
        memset(m->last, 0, sizeof m->last); /* a child: its host counts from 0 */
    m->pid = getpid();
    if (S_ISREG(st.st_mode) && st.st_size == 0 && st.st_uid == geteuid())
        (void)fchmod(m->fd, COUNTERS_MODE); /* ours, and new */
    if (S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH) == 0)
        return TENUO_OK;
    m->host->error(m->host, "%s is no regular file that only its owner and group may write: remove it",
                   m->counters_path);
    return TENUO_E_AUDIT_REFUSED;
}

bool metrics_lock(const struct metrics *m, bool wait)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    const struct timespec pause = { .tv_nsec = 200000 };
    while (fcntl(m->fd, F_OFD_SETLK, &whole) != 0) {
        if (!wait || (errno != EAGAIN && errno != EACCES && errno != EINTR) || m->host->deadline(m->host) == 0)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

void metrics_unlock(const struct metrics *m)
{
    struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
    (void)fcntl(m->fd, F_OFD_SETLK, &whole);
}

/* Does the path still name the file that is open? */
static bool is_named(const struct metrics *m, struct stat *ret_held)
{
    struct stat named;
    return fstat(m->fd, ret_held) == 0 && lstat(m->counters_path, &named) == 0 && named.st_dev == ret_held->st_dev &&
           named.st_ino == ret_held->st_ino;
}

static bool has_our_layout(const struct metrics *m, const struct stat *st)
{
    struct counters_head head;
    return st->st_size == (off_t)sizeof(struct counters) &&
           pread(m->fd, &head, sizeof head, 0) == (ssize_t)sizeof head && head.magic == MAGIC &&
           head.version == VERSION && head.slots == SLOTS;
}

/* All of the file is on the disk, or it is not used: a write to a mapping that has no room kills the program. */
static bool fill(int fd)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct counters_head begin = { MAGIC, VERSION, SLOTS,
                                         (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec };
    errno = posix_fallocate(fd, 0, (off_t)sizeof(struct counters));
    return errno == 0 && pwrite(fd, &begin, sizeof begin, 0) == (ssize_t)sizeof begin;
}

/* A new file takes the place of one that is empty, damaged or of another layout. That one is never cut: another program
 * may have mapped it. With the lock of the old one. */
static int replace(struct metrics *m)
{
    char *beside = NULL;
    int fd, r = TENUO_OK;
    if (asprintf(&beside, "%s.new", m->counters_path) < 0)
        return TENUO_E_NOMEM;
    (void)unlink(beside); /* of one who died here */
    fd = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, COUNTERS_MODE);
    if (fd >= 0)
        (void)fchmod(fd, COUNTERS_MODE); /* the umask has no say: others of the group count in it too */
    if (fd < 0 || !fill(fd) || rename(beside, m->counters_path) != 0) {
        r = fail(m, "cannot be made");
        (void)unlink(beside);
    }
    if (fd >= 0)
        close(fd);
    free(beside);
    return r;
}

static int map_file(struct metrics *m)
{
    void *map = mmap(NULL, sizeof *m->map, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
    if (map == MAP_FAILED)
        return fail(m, "cannot be mapped");
    m->map = map;
    if (m->map->head.made_ns != m->made_ns)
        memset(m->last, 0, sizeof m->last); /* another file has other slots */
    m->made_ns = m->map->head.made_ns;
    return TENUO_OK;
}

/* Once. *ret_again: the path has another file by now. */
static int try_open(struct metrics *m, bool *ret_again)
{
    struct stat st;
    int r = open_fd(m);
    if (r != TENUO_OK)
        return r;
    if (!metrics_lock(m, true)) {
        m->host->error(m->host, "another process holds the lock on %s", m->counters_path);
        return TENUO_E_AUDIT_REFUSED;
    }
    *ret_again = !is_named(m, &st);
    if (!*ret_again && !has_our_layout(m, &st)) {
        r = replace(m);
        *ret_again = r == TENUO_OK;
    }
    if (r == TENUO_OK && !*ret_again)
        r = map_file(m);
    metrics_unlock(m);
    return r;
}

static int open_counters(struct metrics *m)
{
    bool again = true;
    int r = TENUO_OK;
    for (int attempt = 0; again && attempt < 8; attempt++) {
        let_go(m);
        again = false;
        r = try_open(m, &again);
        if (r != TENUO_OK)
            return r;
    }
    if (!again)
        return TENUO_OK;
    m->host->error(m->host, "%s does not stay the same file", m->counters_path);
    return TENUO_E_AUDIT_REFUSED;
}

/* A file's name: [A-Za-z0-9._-]; "" becomes "default". */
static int name_files(struct metrics *m, const char *service)
{
    size_t n = 0;
    for (; service[n] != '\0' && n + 1 < sizeof m->service; n++) {
        char c = service[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        m->service[n] = plain ? c : '_';
    }
    m->service[n] = '\0';
    if (n == 0)
        strcpy(m->service, "default");
    if (asprintf(&m->text_path, "%s/tenuo_%s.prom", m->directory, m->service) < 0)
        m->text_path = NULL;
    if (asprintf(&m->counters_path, "%s/tenuo_%s.counters", m->state, m->service) < 0)
        m->counters_path = NULL;
    return m->text_path != NULL && m->counters_path != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

/* Whole, and still the one that the path names? A child opens it for itself: a lock belongs to the open file. */
static bool is_usable(const struct metrics *m)
{
    struct stat st;
    return m->map != NULL && m->pid == getpid() && is_named(m, &st) && st.st_size == (off_t)sizeof *m->map;
}

int metrics_open(struct metrics *m, const char *service)
{
    int r = TENUO_OK;
    if (m->counters_path == NULL || m->text_path == NULL) {
        metrics_close(m);
        r = name_files(m, service);
    }
    if (r == TENUO_OK && !is_usable(m))
        r = open_counters(m);
    if (r != TENUO_OK)
        let_go(m);
    return r;
}

void metrics_close(struct metrics *m)
{
    let_go(m);
    free(m->text_path);
    free(m->counters_path);
    m->text_path = m->counters_path = NULL;
}

static bool is_series(const struct slot *s, uint32_t kind, const char *label, uint32_t number, uint32_t word)
{
    return s->kind == kind && s->number == number && s->word == word && strncmp(s->label, label, LABEL_MAX - 1) == 0;
}

/* Slots are taken in order: the first free one ends the search. The last is for the events that find no other, so that
 * they are never lost in silence. */
static struct slot *find(struct metrics *m, uint32_t kind, const char *label, uint32_t number, uint32_t word,
                         struct slot **ret_free)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &m->map->slot[i];
        if (atomic_load_explicit(&s->used, memory_order_acquire) == 0) {
            *ret_free = s;
            return NULL;
        }
        if (is_series(s, kind, label, number, word))
            return s;
    }
    *ret_free = NULL;
    return NULL;
}

/* Keys are as many as a store has; they leave room for decisions. */
static bool may_take(struct metrics *m, const struct slot *unused, uint32_t kind)
{
    size_t keys = 0;
    if (kind == S_KEY)
        for (const struct slot *s = m->map->slot; s < unused; s++)
            keys += s->kind == S_KEY;
    return keys < MAX_KEYS && (kind == S_UNCOUNTED || unused != &m->map->slot[SLOTS - 1]);
}

struct slot *metrics_slot(struct metrics *m, uint32_t kind, const char *label, uint32_t number, uint32_t word)
{
    struct slot *unused = NULL, *s = find(m, kind, label, number, word, &unused);
    if (s != NULL || unused == NULL || !may_take(m, unused, kind) || !metrics_lock(m, true))
        return s;
    s = find(m, kind, label, number, word, &unused); /* another process may have been faster */
    if (s == NULL && unused != NULL && may_take(m, unused, kind)) {
        memset(unused, 0, sizeof *unused); /* of one who died here */
        unused->kind = kind;
        unused->number = number;
        unused->word = word;
        strncpy(unused->label, label, LABEL_MAX - 1);
        atomic_store_explicit(&unused->used, 1, memory_order_release);
        s = unused;
    }
    metrics_unlock(m);
    return s;
}
