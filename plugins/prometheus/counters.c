/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mapped file a service (design.md 9 row 9): processes add to it without a lock, and take the lock only to make a
 * new series. What a dead process left behind is at most a slot that is not in use. Nothing in the file is believed:
 * it is a table of fixed size, and labels are cut where they end.
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

static int fail(const struct metrics *m, const char *what)
{
    m->host->error(m->host, "%s %s: %s", m->counters_path, what, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

static int open_fd(struct metrics *m)
{
    struct stat st;
    m->fd = open(m->counters_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, m->mode);
    if (m->fd < 0 || fstat(m->fd, &st) != 0)
        return fail(m, "cannot be opened");
    m->pid = getpid();
    if (S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH) == 0)
        return TENUO_OK;
    m->host->error(m->host, "%s is no regular file that only its owner and group may write: remove it",
                   m->counters_path);
    return TENUO_E_AUDIT_REFUSED;
}

bool metrics_lock(struct metrics *m, bool wait)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    const struct timespec pause = { .tv_nsec = 200000 };
    if (m->pid != getpid()) {
        close(m->fd);
        if (open_fd(m) != TENUO_OK)
            return false;
    }
    while (fcntl(m->fd, F_OFD_SETLK, &whole) != 0) {
        if (!wait || (errno != EAGAIN && errno != EACCES && errno != EINTR) || m->host->deadline(m->host) == 0)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

void metrics_unlock(struct metrics *m)
{
    struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
    (void)fcntl(m->fd, F_OFD_SETLK, &whole);
}

/* A new file, or one of another layout, begins at nothing. All of it is there on the disk, or it is not used: a write
 * to a mapping that has no room kills the program. */
static int prepare(struct metrics *m)
{
    struct stat st;
    const struct {
        uint64_t magic;
        uint32_t version, slots;
    } begin = { MAGIC, VERSION, SLOTS };
    struct counters *head;
    if (fstat(m->fd, &st) != 0)
        return fail(m, "cannot be examined");
    if (st.st_size == (off_t)sizeof(struct counters)) {
        head = mmap(NULL, sizeof *head, PROT_READ, MAP_SHARED, m->fd, 0);
        bool same = head != MAP_FAILED && head->magic == MAGIC && head->version == VERSION && head->slots == SLOTS;
        if (head != MAP_FAILED)
            (void)munmap(head, sizeof *head);
        if (same)
            return TENUO_OK;
    }
    if (ftruncate(m->fd, 0) != 0)
        return fail(m, "cannot be made anew");
    errno = posix_fallocate(m->fd, 0, (off_t)sizeof(struct counters));
    if (errno != 0 || pwrite(m->fd, &begin, sizeof begin, 0) != (ssize_t)sizeof begin)
        return fail(m, "cannot be made");
    return TENUO_OK;
}

/* [A-Za-z0-9_-], so that it is a file's name; "" becomes "default". */
static void name_service(struct metrics *m, const char *service)
{
    size_t n = 0;
    for (; service[n] != '\0' && n + 1 < sizeof m->service; n++) {
        char c = service[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        m->service[n] = plain ? c : '_';
    }
    m->service[n] = '\0';
    if (n == 0)
        strcpy(m->service, "default");
}

int metrics_open(struct metrics *m, const char *service)
{
    void *map;
    name_service(m, service);
    if (asprintf(&m->text_path, "%s/tenuo_%s.prom", m->directory, m->service) < 0 ||
        asprintf(&m->counters_path, "%s/tenuo_%s.counters", m->state, m->service) < 0)
        return TENUO_E_NOMEM;
    int r = open_fd(m);
    if (r != TENUO_OK)
        return r;
    if (!metrics_lock(m, true)) {
        m->host->error(m->host, "another process holds the lock on %s", m->counters_path);
        return TENUO_E_AUDIT_REFUSED;
    }
    r = prepare(m);
    metrics_unlock(m);
    if (r != TENUO_OK)
        return r;
    map = mmap(NULL, sizeof *m->map, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
    if (map == MAP_FAILED)
        return fail(m, "cannot be mapped");
    m->map = map;
    return TENUO_OK;
}

void metrics_close(struct metrics *m)
{
    if (m->map != NULL)
        (void)munmap(m->map, sizeof *m->map);
    if (m->fd >= 0)
        close(m->fd);
    free(m->text_path);
    free(m->counters_path);
    m->map = NULL;
    m->fd = -1;
    m->text_path = m->counters_path = NULL;
    m->service[0] = '\0';
}

static bool is_series(const struct slot *s, uint32_t kind, const char *label, uint32_t number, uint32_t word)
{
    return s->kind == kind && s->number == number && s->word == word && strncmp(s->label, label, LABEL_MAX - 1) == 0;
}

/* Slots are taken in order: the first free one ends the search. */
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

struct slot *metrics_slot(struct metrics *m, uint32_t kind, const char *label, uint32_t number, uint32_t word)
{
    struct slot *unused = NULL, *s = find(m, kind, label, number, word, &unused);
    if (s != NULL || unused == NULL || !metrics_lock(m, true))
        return s;
    s = find(m, kind, label, number, word, &unused); /* another process may have been faster */
    if (s == NULL && unused != NULL) {
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
