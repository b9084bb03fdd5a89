/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trying what a service depends on, for an administrator: every audit sink is asked to record that it was tried, which
 * takes the same way as a decision's record. No decision is made, no key is used.
 */
#include <stdio.h>

#include "audit.h"

static void try_sink(const struct tn_line *line, const struct tenuo_audit_notice *notice,
                     void (*each)(void *arg, const struct tenuo_probe *probe), void *arg)
{
    struct tenuo_error why = { 0 };
    struct tenuo_probe p = { .size = sizeof p,
                             .name = tn_instance_name(line->instance),
                             .module = line->instance->plugin->desc.name,
                             .origin = line->instance->place,
                             .required = tn_line_is_required(line),
                             .message = why.msg };
    uint64_t began = tn_clock_ns();
    p.code = tn_instance_open(line->instance, &why);
    if (p.code == TENUO_OK)
        p.code = tn_audit_give_notice(line->instance, notice, &why);
    p.duration_ns = tn_clock_ns() - began;
    each(arg, &p);
}

void tenuo_ctx_probe_audit(struct tenuo_ctx *ctx, void (*each)(void *arg, const struct tenuo_probe *probe), void *arg)
{
    char message[TN_AUDIT_MESSAGE_BYTES];
    const struct tenuo_audit_notice notice = tn_audit_notice(ctx, TENUO_NOTICE_PROBE, message);
    snprintf(message, sizeof message, "an administrator tried whether this is recorded, for service %.200s",
             ctx->service[0] != '\0' ? ctx->service : "(top)");
    for (size_t i = 0; i < ctx->lines[TN_F_AUDIT].n; i++)
        try_sink(&ctx->lines[TN_F_AUDIT].v[i], &notice, each, arg);
}

void tenuo_ctx_stats(struct tenuo_ctx *ctx, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    tn_stats_tell(ctx, each, arg);
}
