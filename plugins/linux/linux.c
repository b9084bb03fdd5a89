/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "linux": records of type TRUSTED_APP in the kernel's audit trail, for hosts whose auditd keeps what a
 * regulation asks for. Values are encoded as the trail wants it, so that none can forge a field.
 *
 * The kernel acknowledges what it then drops: while auditing is off, while no auditd is there, beyond its limits, and
 * when auditd's socket stays full. So each record is followed by a question about the state of the trail, and counts as
 * stored when nothing was lost meanwhile and it must have reached the socket of an auditd that lives.
 */
#include <errno.h>
#include <libaudit.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenuo/plugin.h>
#include <time.h>
#include <unistd.h>

#include "../../common/audit_fields.h"

#define MESSAGE_MAX 7600 /* the kernel cuts at 8970, and adds exe, addresses and result itself */
#define VALUE_MAX 1024
#define TRUNCATED " truncated=\"yes\""
/* What may wait in the kernel's queue and in auditd's socket when a record counts as stored: together less than the
 * socket holds (212992 bytes by default, a record of ours is charged with 2 to 10 KiB), so that none is turned away. */
#define QUEUE_MAX 16
#define SOCKET_MAX 65536

struct linux_audit {
    const struct tenuo_host *host;
    bool accept_disabled, accept_unread;
    int fd;
    bool settled; /* `status` is from the end of the last record, and good */
    struct audit_status status;
    struct audit_reply reply;
    bool no_memory, cut;
    size_t n;
    char message[MESSAGE_MAX + 1];
};

/* name="value", or in hex when it holds a quote, a blank or what is not printable. Numbers and our own words stay
 * plain. What has no room is left out, and the record says so. */
static void put_field(void *arg, const char *name, const char *value)
{
    struct linux_audit *s = arg;
    char bounded[VALUE_MAX + 1];
    size_t n = strnlen(value, VALUE_MAX);
    memcpy(bounded, value, n);
    bounded[n] = '\0';
    s->cut = s->cut || value[n] != '\0';
    char *pair = audit_encode_nv_string(name, bounded, (unsigned)n);
    if (pair == NULL) {
        s->no_memory = true;
        return;
    }
    size_t len = strlen(pair);
    if (s->n + 1 + len + sizeof TRUNCATED <= sizeof s->message) {
        s->message[s->n++] = ' ';
        memcpy(s->message + s->n, pair, len + 1);
        s->n += len;
    } else {
        s->cut = true;
    }
    free(pair);
}

/* ---- the state of the trail ---- */

static int refuse(const struct tenuo_host *host, const char *sentence)
{
    host->error(host, "%s", sentence);
    return TENUO_E_AUDIT_REFUSED;
}

/* The kernel answers from a thread of its own; what answers an older question is passed over. */
static int ask(struct linux_audit *s)
{
    int seq = audit_request_status(s->fd);
    if (seq <= 0) {
        s->host->error(s->host,
                       "the state of the trail cannot be asked for: %s: it wants CAP_AUDIT_CONTROL, outside of "
                       "containers; or say when_disabled=accept",
                       strerror(-seq));
        return TENUO_E_AUDIT_REFUSED;
    }
    for (;;) {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        uint32_t left = s->host->deadline(s->host);
        if (left == 0)
            return refuse(s->host, "the kernel does not say in what state the trail is");
        (void)poll(&p, 1, left > 100 ? 100 : (int)left);
        if (audit_get_reply(s->fd, &s->reply, GET_REPLY_NONBLOCKING, 0) <= 0 || s->reply.type != AUDIT_GET ||
            s->reply.nlh->nlmsg_seq != (uint32_t)seq)
            continue;
        s->status = *s->reply.status;
        return TENUO_OK;
    }
}

/* Bytes that wait in auditd's socket; -1 when there is none that we can see. */
static long waiting(uint32_t auditd)
{
    char line[256];
    long ret = -1;
    FILE *f = fopen("/proc/net/netlink", "re");
    if (f == NULL)
        return ret;
    while (ret < 0 && fgets(line, sizeof line, f) != NULL) {
        unsigned protocol, port;
        long bytes;
        if (sscanf(line, "%*x %u %u %*x %ld", &protocol, &port, &bytes) == 3 && protocol == NETLINK_AUDIT &&
            port == auditd)
            ret = bytes;
    }
    fclose(f);
    return ret;
}

/* *ret_room: nothing that the kernel has taken is turned away. An auditd in another network namespace is believed. */
static int judge(const struct linux_audit *s, bool *ret_room)
{
    long bytes;
    *ret_room = true;
    if (s->status.enabled == 0)
        return refuse(s->host,
                      "auditing is off, and the kernel drops records: start auditd, or say when_disabled=accept");
    if (s->accept_unread)
        return TENUO_OK;
    bytes = s->status.pid == 0 ? -1 : waiting(s->status.pid);
    if (s->status.pid == 0 || (bytes < 0 && kill((pid_t)s->status.pid, 0) != 0 && errno == ESRCH))
        return refuse(s->host, "no auditd reads the trail, and the kernel drops records: start auditd, or say "
                               "when_unread=accept");
    *ret_room = s->status.backlog <= QUEUE_MAX && bytes <= SOCKET_MAX;
    return TENUO_OK;
}

/* Until the trail is in a good state, which s->status then is. */
static int settle(struct linux_audit *s)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    bool room = false;
    s->settled = false;
    for (;;) {
        int r = ask(s);
        if (r == TENUO_OK)
            r = judge(s, &room);
        if (r != TENUO_OK)
            return r;
        if (room)
            break;
        if (s->host->deadline(s->host) == 0)
            return refuse(s->host, "auditd does not read the trail: it is stopped or overloaded");
        (void)nanosleep(&pause, NULL);
    }
    s->settled = true;
    return TENUO_OK;
}

/* ---- sending ---- */

static int send_message(struct linux_audit *s, bool good)
{
    if (audit_log_user_message(s->fd, AUDIT_TRUSTED_APP, s->message, NULL, NULL, NULL, good) > 0)
        return TENUO_OK;
    s->host->error(s->host, "the kernel did not take the record: %s: it wants CAP_AUDIT_WRITE", strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

/* Nothing is given to a trail that is known to be in a bad state: each such record may be dropped, and a full queue of
 * the kernel's holds who writes. */
static int send_and_ask(struct linux_audit *s, bool good, bool *ret_lost)
{
    int r = s->settled ? TENUO_OK : settle(s);
    uint32_t lost = s->status.lost;
    if (r == TENUO_OK)
        r = send_message(s, good);
    if (r == TENUO_OK)
        r = settle(s);
    *ret_lost = s->status.lost != lost;
    return r;
}

/* The kernel counts what it loses, of anybody's: such a record is sent once more. */
static int deliver(struct linux_audit *s, bool good)
{
    bool lost = false;
    int r;
    if (s->no_memory)
        return TENUO_E_NOMEM;
    if (s->cut)
        memcpy(s->message + s->n, TRUNCATED, sizeof TRUNCATED);
    if (s->accept_disabled)
        return send_message(s, good);
    r = send_and_ask(s, good, &lost);
    if (r == TENUO_OK && lost)
        r = send_and_ask(s, good, &lost);
    if (r == TENUO_OK && lost)
        return refuse(s->host, "the kernel loses records: raise backlog_limit or rate_limit (auditctl -s shows them)");
    return r;
}

static void begin(struct linux_audit *s, const char *op)
{
    s->no_memory = s->cut = false;
    s->n = (size_t)snprintf(s->message, sizeof s->message, "op=tenuo-%s", op);
}

static int linux_decision(void *self, const struct tenuo_audit_event *event)
{
    struct linux_audit *s = self;
    begin(s, "decision");
    tn_event_fields(event, put_field, s);
    return deliver(s, strcmp(event->decision, "deny") != 0);
}

static int linux_notice(void *self, const struct tenuo_audit_notice *notice)
{
    struct linux_audit *s = self;
    const char *id = NULL, *name = tn_notice_name(notice->kind, &id);
    if (name == NULL)
        return TENUO_OK;
    begin(s, name);
    tn_notice_fields(notice, put_field, s);
    return deliver(s, true);
}

static void linux_close(void *self)
{
    struct linux_audit *s = self;
    if (s == NULL)
        return;
    audit_close(s->fd);
    free(s);
}

static int read_word(const struct tenuo_host *host, const struct tenuo_arg *arg, const char *name, bool *ret_accept)
{
    const char *word = arg->value != NULL ? arg->value : "refuse";
    *ret_accept = strcmp(word, "accept") == 0;
    if (*ret_accept || strcmp(word, "refuse") == 0)
        return TENUO_OK;
    host->error(host, "%s: want refuse or accept", name);
    return TENUO_E_CONF;
}

static int open_trail(const struct tenuo_host *host, int *ret_fd)
{
    *ret_fd = audit_open();
    if (*ret_fd >= 0)
        return TENUO_OK;
    host->error(host, "the audit netlink cannot be opened: %s: it wants CAP_AUDIT_WRITE and a kernel with auditing",
                strerror(errno));
    return TENUO_E_SYSTEM;
}

enum { WHEN_DISABLED, WHEN_UNREAD, NARGS };

static int linux_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct linux_audit *s = nargs < NARGS ? NULL : calloc(1, sizeof *s);
    int r;
    if (s == NULL)
        return nargs < NARGS ? TENUO_E_INVALID_ARGUMENT : TENUO_E_NOMEM;
    s->host = host;
    r = read_word(host, &args[WHEN_DISABLED], "when_disabled", &s->accept_disabled);
    if (r == TENUO_OK)
        r = read_word(host, &args[WHEN_UNREAD], "when_unread", &s->accept_unread);
    if (r == TENUO_OK)
        r = open_trail(host, &s->fd);
    if (r != TENUO_OK) {
        free(s);
        return r;
    }
    *ret_self = s;
    return TENUO_OK;
}

static int linux_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    void *self = NULL;
    int r = linux_open(host, args, nargs, &self);
    struct linux_audit *s = self;
    if (r == TENUO_OK && !s->accept_disabled)
        r = settle(s);
    linux_close(s);
    return r;
}

static const struct tenuo_arg_spec args[] = {
    { "when_disabled", TENUO_ARG_STRING, 0, "while auditing is off: refuse, or accept and lose (refuse)" },
    { "when_unread", TENUO_ARG_STRING, 0, "while no auditd reads: refuse, or accept and lose (refuse)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_audit_ops ops = {
    .size = sizeof ops,
    .open = linux_open,
    .close = linux_close,
    .check = linux_check,
    .decision = linux_decision,
    .notice = linux_notice,
};

/* A netlink socket is a process's own: a child opens another. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_NO_NETWORK,
    .name = "linux",
    .version = "1.0",
    .summary = "audit records in the kernel's audit trail",
    .args = args,
    .audit = &ops,
};
