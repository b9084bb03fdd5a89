/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "syslog": to the host's own daemon through /dev/log, or to a server by UDP or TCP. This file is its life:
 * arguments, open, events, close. Facilities have their names of syslog.conf.
 */
#include "syslog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOCKET, SERVER, FACILITY, FORMAT, NARGS };

static const struct {
    const char *name;
    int number;
} facilities[] = { { "user", 1 },    { "daemon", 3 },  { "auth", 4 },    { "authpriv", 10 }, { "audit", 13 },
                   { "local0", 16 }, { "local1", 17 }, { "local2", 18 }, { "local3", 19 },   { "local4", 20 },
                   { "local5", 21 }, { "local6", 22 }, { "local7", 23 } };

static int refuse(const struct tenuo_host *host, const char *sentence)
{
    host->error(host, "%s", sentence);
    return TENUO_E_CONF;
}

static int read_facility(const struct tenuo_host *host, const char *name, int *ret)
{
    for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++)
        if (strcmp(facilities[i].name, name) == 0) {
            *ret = facilities[i].number;
            return TENUO_OK;
        }
    return refuse(host, "facility: want user, daemon, auth, authpriv, audit or local0 to local7");
}

/* Printable ASCII without blanks, as RFC 5424 wants it; "-" when there is none. */
static void read_hostname(struct syslog *s)
{
    if (gethostname(s->hostname, sizeof s->hostname - 1) != 0)
        s->hostname[0] = '\0';
    for (char *p = s->hostname; *p != '\0'; p++)
        if (*p <= 0x20 || *p >= 0x7f)
            *p = '_';
    if (s->hostname[0] == '\0')
        strcpy(s->hostname, "-");
}

static int read_args(struct syslog *s, const struct tenuo_arg *args, size_t nargs)
{
    if (nargs < NARGS)
        return TENUO_E_INVALID_ARGUMENT;
    const char *format = args[FORMAT].value, *server = args[SERVER].value;
    if (server != NULL && args[SOCKET].value != NULL)
        return refuse(s->host, "give socket or server, not both");
    s->structured = format != NULL ? strcmp(format, "rfc5424") == 0 : server != NULL;
    if (format != NULL && !s->structured && strcmp(format, "local") != 0)
        return refuse(s->host, "format: want local or rfc5424");
    if (server != NULL && !s->structured)
        return refuse(s->host, "format=local is for the host's own socket: a server gets rfc5424");
    int r = read_facility(s->host, args[FACILITY].value != NULL ? args[FACILITY].value : "authpriv", &s->facility);
    if (r == TENUO_OK)
        r = syslog_address(s, server, args[SOCKET].value != NULL ? args[SOCKET].value : "/dev/log");
    return r;
}

static int deliver(struct syslog *s, bool fits, size_t n)
{
    if (fits)
        return n == 0 ? TENUO_OK : syslog_send(s, n);
    s->host->error(s->host, "the record does not fit into a message");
    return TENUO_E_AUDIT_REFUSED;
}

static int syslog_decision(void *self, const struct tenuo_audit_event *event)
{
    size_t n = 0;
    bool fits = syslog_event(self, event, &n);
    return deliver(self, fits, n);
}

static int syslog_tell(void *self, const struct tenuo_audit_notice *notice)
{
    size_t n = 0;
    bool fits = syslog_notice(self, notice, &n);
    int r = deliver(self, fits, n);
    return r == TENUO_OK && notice->kind == TENUO_NOTICE_PROBE ? syslog_await_no(self) : r;
}

static void syslog_close(void *self)
{
    struct syslog *s = self;
    if (s == NULL)
        return;
    syslog_disconnect(s);
    free(s);
}

static int make(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, struct syslog **ret)
{
    struct syslog *s = calloc(1, sizeof *s);
    int r;
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    s->fd = -1;
    read_hostname(s);
    r = read_args(s, args, nargs);
    if (r == TENUO_OK)
        *ret = s;
    else
        syslog_close(s);
    return r;
}

static int syslog_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct syslog *s = NULL;
    int r = make(host, args, nargs, &s);
    if (r != TENUO_OK)
        return r;
    if (s->to.ss_family == AF_UNIX && access(s->place, W_OK) != 0) {
        host->error(host, "%s: %s: is a syslog daemon running?", s->place, strerror(errno));
        r = TENUO_E_UNAVAILABLE;
    }
    syslog_close(s);
    return r;
}

/* Connects with the first record: a daemon that is not there yet refuses no start. */
static int syslog_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct syslog *s = NULL;
    int r = make(host, args, nargs, &s);
    if (r == TENUO_OK)
        *ret_self = s;
    return r;
}

static const struct tenuo_arg_spec args[] = {
    { "socket", TENUO_ARG_PATH, 0, "datagram socket of the host's own daemon (/dev/log)" },
    { "server", TENUO_ARG_URL, 0, "udp:// or tcp:// with an address in numbers and a port, instead of a socket" },
    { "facility", TENUO_ARG_STRING, 0, "user, daemon, auth, authpriv, audit, local0 to local7 (authpriv)" },
    { "format", TENUO_ARG_STRING, 0, "local or rfc5424 (local on a socket, rfc5424 to a server)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_audit_ops ops = {
    .size = sizeof ops,
    .open = syslog_open,
    .close = syslog_close,
    .check = syslog_check,
    .decision = syslog_decision,
    .notice = syslog_tell,
};

/* Not thread-safe: one buffer. Fork-safe: a child connects for itself. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_FORK_SAFE,
    .name = "syslog",
    .version = "1.0",
    .summary = "audit records to a syslog daemon or server",
    .args = args,
    .audit = &ops,
};
