/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "unixgram", a complete plugin to start from: one line a decision, tab-separated, as one datagram to a Unix
 * socket, for a program that counts, alarms or forwards. Time, decision, code, service, tool, holder, request, reason.
 *   cc -std=c17 -D_GNU_SOURCE -fPIC -shared -fvisibility=hidden -Wl,-z,defs,-z,nodelete,-z,relro,-z,now \
 *      $(pkg-config --cflags tenuo-plugin) -o tenuo_unixgram.so audit_unixgram.c
 *   install -o root -g root -m 0755 tenuo_unixgram.so "$(pkg-config --variable=plugindir tenuo-plugin)/"
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <tenuo/plugin.h>

struct gram { const struct tenuo_host *host; int fd; struct sockaddr_un to; };
/* Nobody is asked here: the receiver may start later. */
static int gram_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)nargs; /* the host has checked args against gram_args */
    struct gram *g = calloc(1, sizeof *g);
    if (g == NULL)
        return TENUO_E_NOMEM;
    *g = (struct gram){ host, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), { AF_UNIX, "" } };
    size_t n = strlen(args[0].value);
    int r = g->fd < 0 ? TENUO_E_SYSTEM : n >= sizeof g->to.sun_path ? TENUO_E_CONF : TENUO_OK;
    if (r != TENUO_OK) {
        host->error(host, "socket: %s", r == TENUO_E_CONF ? "want a path of at most 107 bytes" : strerror(errno));
        (void)(g->fd >= 0 && close(g->fd));
        free(g);
        return r;
    }
    memcpy(g->to.sun_path, args[0].value, n + 1);
    *ret_self = g;
    return TENUO_OK;
}

static void gram_close(void *self)
{
    close(((struct gram *)self)->fd);
    free(self);
}

/* TENUO_OK only when the receiver has it: with `required` on the line, a call that it did not see is not allowed. */
static int gram_decision(void *self, const struct tenuo_audit_event *e)
{
    const struct gram *g = self;
    const char *f[] = { e->decision, e->code_name, e->service, e->tool, e->holder, e->request_id, e->reason };
    char line[4096]; /* a longer reason is cut: the datagram stays one line */
    int n = snprintf(line, sizeof line, "%lld", (long long)(e->time_ns / 1000000000));
    for (size_t i = 0; i < sizeof f / sizeof *f && n < (int)sizeof line; i++) {
        int at = n;
        n += snprintf(line + n, sizeof line - (size_t)n, "\t%s", f[i]);
        for (at++; at < n && at < (int)sizeof line; at++) /* a tab or newline would forge a field or a record */
            line[at] = (unsigned char)line[at] < ' ' && line[at] != '\0' ? '?' : line[at];
    }
    n = n < (int)sizeof line ? n : (int)sizeof line - 1;
    while (sendto(g->fd, line, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)&g->to, sizeof g->to) < 0) {
        if (errno != EINTR && (errno != EAGAIN || g->host->deadline(g->host) < 2)) {
            g->host->error(g->host, "%s: %s; is the receiver running?", g->to.sun_path, strerror(errno));
            return TENUO_E_AUDIT_REFUSED;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL); /* its queue is full: wait, within the deadline */
    }
    return TENUO_OK;
}

static const struct tenuo_arg_spec gram_args[] = {
    { "socket", TENUO_ARG_PATH, 1, "Unix datagram socket of the receiver" }, { NULL, 0, 0, NULL } };
static const struct tenuo_audit_ops gram_ops = { .size = sizeof gram_ops,
    .open = gram_open, .close = gram_close, .decision = gram_decision };
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC, .abi_major = TENUO_PLUGIN_ABI_MAJOR, .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1, .name = "unixgram", .version = "1.0", .summary = "decisions to a Unix socket",
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .args = gram_args, .audit = &gram_ops };
