/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "linux": records of type TRUSTED_APP in the kernel's audit trail, for hosts whose auditd keeps what a
 * regulation asks for. Values are encoded as the trail wants it, so that none can forge a field. Where auditing is off
 * the kernel takes records and drops them: that is a refusal here.
 */
#include <errno.h>
#include <libaudit.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenuo/plugin.h>
#include <unistd.h>

#include "../../common/audit_fields.h"

#define MESSAGE_MAX 7600 /* the kernel cuts at 8970, and adds exe, addresses and result itself */
#define VALUE_MAX 1024
#define TRUNCATED " truncated=\"yes\""

struct linux_audit {
    const struct tenuo_host *host;
    bool accept_disabled;
    int fd;
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

static int enabled(const struct tenuo_host *host, int fd, bool accept_disabled)
{
    int on = audit_is_enabled(fd);
    if (on > 0 || (on == 0 && accept_disabled))
        return TENUO_OK;
    if (on == 0)
        host->error(host, "auditing is off, and the kernel drops records: start auditd, or say when_disabled=accept");
    else
        host->error(host, "the kernel does not say whether auditing is on: %s", strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

static int deliver(struct linux_audit *s, bool good)
{
    if (s->no_memory)
        return TENUO_E_NOMEM;
    int r = enabled(s->host, s->fd, s->accept_disabled);
    if (r != TENUO_OK)
        return r;
    if (s->cut)
        memcpy(s->message + s->n, TRUNCATED, sizeof TRUNCATED);
    if (audit_log_user_message(s->fd, AUDIT_TRUSTED_APP, s->message, NULL, NULL, NULL, good) > 0)
        return TENUO_OK;
    s->host->error(s->host, "the kernel did not take the record: %s", strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
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

static int read_args(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, bool *ret_accept)
{
    const char *word = nargs > 0 && args[0].value != NULL ? args[0].value : "refuse";
    *ret_accept = strcmp(word, "accept") == 0;
    if (*ret_accept || strcmp(word, "refuse") == 0)
        return TENUO_OK;
    host->error(host, "when_disabled: want refuse or accept");
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

static int linux_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    bool accept_disabled = false;
    int fd = -1, r = read_args(host, args, nargs, &accept_disabled);
    if (r == TENUO_OK)
        r = open_trail(host, &fd);
    if (r != TENUO_OK)
        return r;
    r = enabled(host, fd, accept_disabled);
    audit_close(fd);
    return r;
}

static int linux_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct linux_audit *s = calloc(1, sizeof *s);
    int r;
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    r = read_args(host, args, nargs, &s->accept_disabled);
    if (r == TENUO_OK)
        r = open_trail(host, &s->fd);
    if (r != TENUO_OK) {
        free(s);
        return r;
    }
    *ret_self = s;
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "when_disabled", TENUO_ARG_STRING, 0, "while auditing is off: refuse, or accept and lose (refuse)" },
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
