/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An audit sink that writes down what the host gives it: events, notices, numbers, and a checkpoint when it closes.
 * What the test reads is the file that `path` names.
 */
#include <stdio.h>

#include "mock.h"

struct probe {
    const struct tenuo_host *host;
    FILE *out;
    char key[TENUO_KEY_ID_MAX + 1];
};

static const struct tenuo_arg_spec schema[] = { { "path", TENUO_ARG_PATH, 1, "where to write" },
                                                { "key", TENUO_ARG_STRING, 0, "signs when it closes" },
                                                { NULL, 0, 0, NULL } };

static int probe_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct probe *p = calloc(1, sizeof *p);
    uint8_t key[32], signature[64];
    (void)nargs;
    if (p == NULL)
        return TENUO_E_NOMEM;
    p->host = host;
    p->out = fopen(args[0].value, "a");
    if (p->out == NULL) {
        free(p);
        return TENUO_E_SYSTEM;
    }
    if (args[1].value != NULL)
        snprintf(p->key, sizeof p->key, "%s", args[1].value);
    fprintf(p->out, "open %d\n", host->sign_checkpoint(host, "nosuch", key, 1, key, signature));
    *ret_self = p;
    return TENUO_OK;
}

static void put_hex(FILE *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%02x", p[i]);
}

static int pass_stat(void *arg, const struct tenuo_stat *stat)
{
    return arg == NULL || stat->label[0] == '\1';
}

static void probe_close(void *self)
{
    struct probe *p = self;
    uint8_t head[32], key[32] = { 0 }, signature[64] = { 0 };
    memset(head, 0x5a, sizeof head);
    if (p->key[0] != '\0') {
        fprintf(p->out, "checkpoint %d ", p->host->sign_checkpoint(p->host, p->key, head, 258, key, signature));
        put_hex(p->out, key, sizeof key);
        fputc(' ', p->out);
        put_hex(p->out, signature, sizeof signature);
        fputc('\n', p->out);
    }
    fprintf(p->out, "closed %d\n", p->host->stats(p->host, pass_stat, p));
    fclose(p->out);
    free(p);
}

static int put_stat(void *arg, const struct tenuo_stat *stat)
{
    struct probe *p = arg;
    fprintf(p->out, "stat %d %s %llu %llu\n", stat->what, stat->label[0] != '\0' ? stat->label : "-",
            (unsigned long long)stat->value, (unsigned long long)stat->bound_ns);
    return 0;
}

static int probe_decision(void *self, const struct tenuo_audit_event *e)
{
    struct probe *p = self;
    fprintf(p->out, "event %d %lld:%lld %d:%llu %d %s|%s|%s\n", e->priority, (long long)e->peer_uid,
            (long long)e->peer_pid, e->has_srl_version, (unsigned long long)e->srl_version, e->duration_ns > 0,
            e->message, e->args_json, e->args_sha256);
    for (size_t i = 0; i < e->nattrs; i++)
        fprintf(p->out, "attr %s=%s\n", e->attrs[i].name, e->attrs[i].value);
    fprintf(p->out, "stats %d\n", p->host->stats(p->host, put_stat, p));
    fflush(p->out);
    return TENUO_OK;
}

static int probe_notice(void *self, const struct tenuo_audit_notice *n)
{
    struct probe *p = self;
    fprintf(p->out, "notice %d %s %s generation=%llu srl=%d:%llu key=%s|%s\n", n->kind, n->service, n->message,
            (unsigned long long)n->conf_generation, n->has_srl_version, (unsigned long long)n->srl_version, n->key_id,
            n->origin);
    fflush(p->out);
    return TENUO_OK;
}

static const struct tenuo_audit_ops audit = { .size = sizeof audit,
                                              .args = schema,
                                              .open = probe_open,
                                              .close = probe_close,
                                              .decision = probe_decision,
                                              .notice = probe_notice };

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = { MOCK_DESCRIPTOR("probe"), .audit = &audit };
