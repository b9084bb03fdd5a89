/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to a service besides decisions, to every sink that takes it. Nothing hangs on a notice: what it tells
 * has been done already, so a sink that does not take it is logged and the others still get theirs.
 */
#include <stdio.h>

#include "audit.h"

static void send(struct tenuo_ctx *c, const struct tenuo_audit_notice *notice)
{
    for (size_t i = 0; i < c->lines[TN_F_AUDIT].n; i++) {
        struct tenuo_error why = { 0 };
        if (tn_audit_give_notice(c->lines[TN_F_AUDIT].v[i].instance, notice, &why) != TENUO_OK)
            tn_log(&c->log, TENUO_LOG_WARNING, "%s; not recorded there: %s", why.msg, notice->message);
    }
}

struct tenuo_audit_notice tn_audit_notice(const struct tenuo_ctx *c, int kind, char message[TN_AUDIT_MESSAGE_BYTES])
{
    message[0] = '\0';
    return (struct tenuo_audit_notice){ .size = sizeof(struct tenuo_audit_notice),
                                        .kind = kind,
                                        .time_ns = tn_audit_clock_ns(),
                                        .service = c->service,
                                        .message = message,
                                        .priority = TN_NOTICE_PRIORITY,
                                        .origin = "",
                                        .key_id = "",
                                        .conf_generation = c->generation };
}

void tn_audit_reloaded(struct tenuo_ctx *c)
{
    char message[TN_AUDIT_MESSAGE_BYTES];
    struct tenuo_audit_notice notice = tn_audit_notice(c, TENUO_NOTICE_CONFIG_RELOAD, message);
    snprintf(message, sizeof message, "configuration %.200s was read again (generation %llu) for service %.200s",
             c->path, (unsigned long long)c->generation, c->service[0] != '\0' ? c->service : "(top)");
    send(c, &notice);
}

void tn_audit_list_changed(struct tenuo_ctx *c, const struct tn_revoke_news *news)
{
    char message[TN_AUDIT_MESSAGE_BYTES];
    struct tenuo_audit_notice notice = tn_audit_notice(c, TENUO_NOTICE_REVOCATION_UPDATE, message);
    notice.origin = news->origin;
    notice.has_srl_version = 1;
    notice.srl_version = news->version;
    snprintf(message, sizeof message, "revocation list version %llu with %zu ids is in force: %.240s",
             (unsigned long long)news->version, news->count, news->origin);
    send(c, &notice);
}

void tn_audit_key_retired(struct tenuo_ctx *c, const struct tn_instance *store, const char *key_id, uint32_t version,
                          const char *what)
{
    char message[TN_AUDIT_MESSAGE_BYTES], which[16] = "";
    struct tenuo_audit_notice notice = tn_audit_notice(c, TENUO_NOTICE_KEY_RETIRED, message);
    notice.origin = store->origin;
    notice.key_id = key_id;
    if (version != 0)
        snprintf(which, sizeof which, "@%u", (unsigned)version);
    snprintf(message, sizeof message, "key %.128s%s was %s in %.240s", key_id, which, what, store->origin);
    send(c, &notice);
}
