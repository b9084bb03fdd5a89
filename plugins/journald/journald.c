/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "journald": records in the journal's native protocol, one datagram each, with fields that journalctl
 * filters by and fixed message ids. Large ones travel in a sealed memory file. The socket is spoken to directly: the
 * client library drops records without a word where no journal runs. Never blocks past the call's deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tenuo/plugin.h>
#include <time.h>
#include <unistd.h>

#include "../../common/audit_fields.h"

#define SOCKET_PATH "/run/systemd/journal/socket"
#define RECORD_MAX 262144 /* of one record; arguments may be longer */
#define TRUNCATED "TENUO_TRUNCATED=yes\n"

struct journald {
    const struct tenuo_host *host;
    struct sockaddr_un to;
    int fd;
    char record[RECORD_MAX];
};

/* ---- the record ---- */

struct out {
    char *p;
    size_t n;
    bool cut;
};

static void put(struct out *o, const void *p, size_t n)
{
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

/* NAME=value, or with the length in front where a newline stands in it. What has no room is left out, and the record
 * says so. */
static void put_field(struct out *o, const char *name, const char *value)
{
    size_t n = strlen(value);
    if (strlen(name) + n + 10 + sizeof TRUNCATED > RECORD_MAX - o->n) {
        o->cut = true;
        return;
    }
    put(o, name, strlen(name));
    if (memchr(value, '\n', n) == NULL) {
        put(o, "=", 1);
    } else {
        uint8_t size[8];
        for (unsigned i = 0; i < 8; i++)
            size[i] = (uint8_t)((uint64_t)n >> (8 * i));
        put(o, "\n", 1);
        put(o, size, sizeof size);
    }
    put(o, value, n);
    put(o, "\n", 1);
}

/* TENUO_ and the name in capitals: [A-Z0-9_], as the journal wants it. */
static void put_ours(void *arg, const char *name, const char *value)
{
    char upper[96] = "TENUO_";
    size_t n = strlen(upper);
    for (size_t i = 0; name[i] != '\0' && n + 1 < sizeof upper; i++)
        upper[n++] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    upper[n] = '\0';
    put_field(arg, upper, value);
}

static void put_common(struct out *o, const char *message, const char *id, int priority)
{
    char level[4];
    snprintf(level, sizeof level, "%d", priority & 7);
    put_field(o, "MESSAGE", message);
    put_field(o, "MESSAGE_ID", id);
    put_field(o, "PRIORITY", level);
    put_field(o, "SYSLOG_IDENTIFIER", "tenuo");
}

/* ---- sending ---- */

/* Until there is room, or no time left. */
static bool wait_for_room(const struct journald *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLOUT };
    const struct timespec pause = { .tv_nsec = 1000000 };
    uint32_t left = s->host->deadline(s->host);
    if (left == 0)
        return false;
    (void)poll(&p, 1, left > 50 ? 50 : (int)left);
    (void)nanosleep(&pause, NULL); /* an unconnected socket is always writable: the queue that is full is the other's */
    return true;
}

static int send_message(const struct journald *s, const struct msghdr *m)
{
    for (;;) {
        if (sendmsg(s->fd, m, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        if ((errno != EAGAIN && errno != EWOULDBLOCK) || !wait_for_room(s))
            return errno;
    }
}

static int send_plain(struct journald *s, const struct out *o)
{
    struct iovec iov = { .iov_base = o->p, .iov_len = o->n };
    const struct msghdr m = { .msg_name = &s->to, .msg_namelen = sizeof s->to, .msg_iov = &iov, .msg_iovlen = 1 };
    return send_message(s, &m);
}

static int fill_file(int fd, const struct out *o)
{
    size_t done = 0;
    while (done < o->n) {
        ssize_t n = write(fd, o->p + done, o->n - done);
        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0 ? 0 : errno;
}

/* What no datagram holds: a memory file that nobody can change any more. */
static int send_file(struct journald *s, const struct out *o)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr m = { .msg_name = &s->to,
                        .msg_namelen = sizeof s->to,
                        .msg_control = control.buf,
                        .msg_controllen = sizeof control.buf };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int fd = memfd_create("tenuo-audit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return errno;
    int failed = fill_file(fd, o);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (failed == 0)
        failed = send_message(s, &m);
    close(fd);
    return failed;
}

static int deliver(struct journald *s, struct out *o)
{
    int failed;
    if (o->cut)
        put(o, TRUNCATED, strlen(TRUNCATED));
    failed = send_plain(s, o);
    if (failed == EMSGSIZE || failed == ENOBUFS)
        failed = send_file(s, o);
    if (failed == 0)
        return TENUO_OK;
    if (failed == ENOENT || failed == ECONNREFUSED)
        s->host->error(s->host, "no journal listens at %s: is systemd-journald running?", s->to.sun_path);
    else if (failed == EAGAIN)
        s->host->error(s->host, "the journal at %s takes no records: it is stopped or overloaded", s->to.sun_path);
    else
        s->host->error(s->host, "cannot send to the journal at %s: %s", s->to.sun_path, strerror(failed));
    return TENUO_E_AUDIT_REFUSED;
}

static int journald_decision(void *self, const struct tenuo_audit_event *event)
{
    struct journald *s = self;
    struct out o = { .p = s->record };
    put_common(&o, tn_event_message(event), tn_event_message_id(event), tn_event_priority(event));
    tn_event_fields(event, put_ours, &o);
    return deliver(s, &o);
}

static int journald_notice(void *self, const struct tenuo_audit_notice *notice)
{
    struct journald *s = self;
    struct out o = { .p = s->record };
    const char *id = NULL;
    if (tn_notice_name(notice->kind, &id) == NULL)
        return TENUO_OK;
    put_common(&o, notice->message, id, notice->priority);
    tn_notice_fields(notice, put_ours, &o);
    return deliver(s, &o);
}

/* ---- life ---- */

static void journald_close(void *self)
{
    struct journald *s = self;
    if (s == NULL)
        return;
    close(s->fd);
    free(s);
}

static int read_args(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, struct sockaddr_un *ret)
{
    const char *path = nargs > 0 && args[0].value != NULL ? args[0].value : SOCKET_PATH;
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof to.sun_path) {
        host->error(host, "socket: a path of at most %zu bytes", sizeof to.sun_path - 1);
        return TENUO_E_CONF;
    }
    strcpy(to.sun_path, path);
    *ret = to;
    return TENUO_OK;
}

static int journald_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct sockaddr_un to;
    int r = read_args(host, args, nargs, &to);
    if (r == TENUO_OK && access(to.sun_path, W_OK) != 0) {
        host->error(host, "%s: %s: is systemd-journald running?", to.sun_path, strerror(errno));
        r = TENUO_E_UNAVAILABLE;
    }
    return r;
}

/* The address is looked up again for each record: a journal that was restarted is found without our doing. */
static int journald_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct sockaddr_un to;
    const int wanted = 1 << 20;
    int r = read_args(host, args, nargs, &to);
    if (r != TENUO_OK)
        return r;
    struct journald *s = malloc(sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    *s = (struct journald){ .host = host, .to = to };
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0) {
        host->error(host, "no socket: %s", strerror(errno));
        free(s);
        return TENUO_E_SYSTEM;
    }
    (void)setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &wanted,
                     sizeof wanted); /* larger datagrams before a file is needed */
    *ret_self = s;
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "socket", TENUO_ARG_PATH, 0, "socket of the journal (" SOCKET_PATH ")" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_audit_ops ops = {
    .size = sizeof ops,
    .open = journald_open,
    .close = journald_close,
    .check = journald_check,
    .decision = journald_decision,
    .notice = journald_notice,
};

/* Not thread-safe: one buffer. Fork-safe: a datagram is whole or not there. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "journald",
    .version = "1.0",
    .summary = "audit records in systemd's journal",
    .args = args,
    .audit = &ops,
};
