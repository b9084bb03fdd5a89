/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trying what a service depends on, for an administrator: every audit sink is asked to record that it was tried, which
 * takes the same way as a decision's record; every replay line about a proof that nobody made. No decision is made, no
 * key is used.
 */
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "audit.h"
#include "err.h"

#define PROBE_SECONDS 60

static struct tenuo_probe probe_of(const struct tn_line *line, const struct tenuo_error *why)
{
    return (struct tenuo_probe){ .size = sizeof(struct tenuo_probe),
                                 .name = tn_instance_name(line->instance),
                                 .module = line->instance->plugin->desc.name,
                                 .origin = line->instance->place,
                                 .required = tn_line_is_required(line),
                                 .message = why->msg };
}

/* Whether there is such a key: the sink may want it long after its first record. */
static int look_for_key(struct tenuo_ctx *c, const char *what, const char *id, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    uint8_t key[32];
    int r = tenuo_ctx_public_key(c, id, key, &why);
    return r == TENUO_OK ? r : tn_fail(err, r, "%s: %.240s", what, why.msg);
}

static int look_for_keys(struct tenuo_ctx *c, const struct tn_instance *i, struct tenuo_error *err)
{
    const struct tn_conf_arg *signs = tn_rule_arg(i->rule, "checkpoint_key");
    int r = TENUO_OK;
    if (tn_audit_keeps_receipts(i) && c->conf->set.receipt_key != NULL)
        r = look_for_key(c, "receipt_key", c->conf->set.receipt_key, err);
    if (r == TENUO_OK && signs != NULL && signs->value != NULL)
        r = look_for_key(c, "checkpoint_key", signs->value, err);
    return r;
}

static void try_sink(struct tenuo_ctx *c, const struct tn_line *line, const struct tenuo_audit_notice *notice,
                     void (*each)(void *arg, const struct tenuo_probe *probe), void *arg)
{
    struct tenuo_error why = { 0 };
    struct tenuo_probe p = probe_of(line, &why);
    uint64_t began = tn_clock_ns();
    p.code = tn_instance_open(line->instance, &why);
    if (p.code == TENUO_OK)
        p.code = tn_audit_give_notice(line->instance, notice, &why);
    p.duration_ns = tn_clock_ns() - began;
    if (p.code == TENUO_OK)
        p.code = look_for_keys(c, line->instance, &why);
    each(arg, &p);
}

void tenuo_ctx_probe_audit(struct tenuo_ctx *ctx, void (*each)(void *arg, const struct tenuo_probe *probe), void *arg)
{
    char message[TN_AUDIT_MESSAGE_BYTES];
    const struct tenuo_audit_notice notice = tn_audit_notice(ctx, TENUO_NOTICE_PROBE, message);
    snprintf(message, sizeof message, "an administrator tried whether this is recorded, for service %.200s",
             ctx->service[0] != '\0' ? ctx->service : "(top)");
    for (size_t i = 0; i < ctx->lines[TN_F_AUDIT].n; i++)
        try_sink(ctx, &ctx->lines[TN_F_AUDIT].v[i], &notice, each, arg);
}

/* Signed for a window to come: older than no start of a store. */
static void try_replay(const struct tn_line *line, void (*each)(void *arg, const struct tenuo_probe *probe), void *arg)
{
    struct tenuo_error why = { 0 };
    struct tenuo_probe p = probe_of(line, &why);
    int64_t until = (int64_t)time(NULL) + PROBE_SECONDS;
    uint8_t key[32];
    randombytes_buf(key, sizeof key);
    p.required = 1; /* whatever its control word: a line that cannot tell denies */
    uint64_t began = tn_clock_ns();
    p.code = tn_replay_check(line->instance, key, until, until, &why);
    p.duration_ns = tn_clock_ns() - began;
    each(arg, &p);
}

void tenuo_ctx_probe_replay(struct tenuo_ctx *ctx, void (*each)(void *arg, const struct tenuo_probe *probe), void *arg)
{
    for (size_t i = 0; i < ctx->lines[TN_F_REPLAY].n; i++)
        try_replay(&ctx->lines[TN_F_REPLAY].v[i], each, arg);
}

struct lists {
    void (*each)(void *arg, const struct tenuo_probe *probe);
    void *arg;
};

static void tell_list(void *arg, const struct tn_revoke_told *told)
{
    const struct lists *l = arg;
    struct tenuo_probe p = probe_of(&(struct tn_line){ told->instance, told->control }, told->why);
    p.code = told->why->code;
    l->each(l->arg, &p);
}

void tenuo_ctx_probe_revocation(struct tenuo_ctx *ctx, void (*each)(void *arg, const struct tenuo_probe *probe),
                                void *arg)
{
    if (ctx->revoke == NULL)
        return;
    tenuo_verifier_unref(tn_revoke_verifier(ctx->revoke)); /* looks at what is due */
    tn_revoke_tell(ctx->revoke, tell_list, &(struct lists){ each, arg });
}

void tenuo_ctx_stats(struct tenuo_ctx *ctx, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    tn_stats_tell(ctx, each, arg);
}
