/* SPDX-License-Identifier: Apache-2.0 */
/* Order and names of the fields; never a value that the host did not hand over for the record. */
#include "audit_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit_ids.h"

#define LIST_BYTES 3072 /* 65 warrant ids and their commas */

const char *tn_event_message(const struct tenuo_audit_event *e)
{
    if (TN_EVENT_HAS(e, message) && e->message != NULL)
        return e->message;
    return e->reason[0] != '\0' ? e->reason : e->decision;
}

int tn_event_priority(const struct tenuo_audit_event *e)
{
    return strcmp(e->decision, "allow") == 0 ? 6 : strcmp(e->decision, "would_deny") == 0 ? 5 : 4;
}

const char *tn_event_message_id(const struct tenuo_audit_event *e)
{
    return strcmp(e->decision, "allow") == 0  ? TN_MESSAGE_ID_ALLOW
           : strcmp(e->decision, "deny") == 0 ? TN_MESSAGE_ID_DENY
                                              : TN_MESSAGE_ID_WOULD_DENY;
}

const char *tn_notice_name(int kind, const char **ret_id)
{
    switch (kind) {
    case TENUO_NOTICE_CONFIG_RELOAD:
        *ret_id = TN_MESSAGE_ID_CONFIG_RELOAD;
        return "config-reload";
    case TENUO_NOTICE_REVOCATION_UPDATE:
        *ret_id = TN_MESSAGE_ID_REVOCATION_UPDATE;
        return "revocation-update";
    case TENUO_NOTICE_KEY_RETIRED:
        *ret_id = TN_MESSAGE_ID_KEY_RETIRED;
        return "key-retired";
    case TENUO_NOTICE_PROBE:
        *ret_id = TN_MESSAGE_ID_PROBE;
        return "probe";
    default:
        return NULL;
    }
}

/* Where fields go. */
struct to {
    tn_field_fn *each;
    void *arg;
};

static void text(const struct to *to, const char *name, const char *value)
{
    if (value[0] != '\0')
        to->each(to->arg, name, value);
}

static void number(const struct to *to, const char *name, int64_t value)
{
    char buf[24];
    snprintf(buf, sizeof buf, "%" PRId64, value);
    to->each(to->arg, name, buf);
}

static void natural(const struct to *to, const char *name, uint64_t value)
{
    char buf[24];
    snprintf(buf, sizeof buf, "%" PRIu64, value);
    to->each(to->arg, name, buf);
}

/* With commas between them; what does not fit is left out as a whole. */
static void list(const struct to *to, const char *name, const char *const *texts, size_t count)
{
    char buf[LIST_BYTES] = "";
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(texts[i]) + (i > 0);
        if (n + len >= sizeof buf)
            break;
        n += (size_t)snprintf(buf + n, sizeof buf - n, "%s%s", i > 0 ? "," : "", texts[i]);
    }
    text(to, name, buf);
}

static void circumstances(const struct to *to, const struct tenuo_audit_event *e)
{
    if (TN_EVENT_HAS(e, srl_version) && e->has_srl_version)
        natural(to, "srl_version", e->srl_version);
    if (TN_EVENT_HAS(e, duration_ns) && e->duration_ns != 0)
        natural(to, "duration_us", e->duration_ns / 1000);
    if (TN_EVENT_HAS(e, peer_uid) && e->peer_uid >= 0)
        number(to, "peer_uid", e->peer_uid);
    if (TN_EVENT_HAS(e, peer_pid) && e->peer_pid >= 0)
        number(to, "peer_pid", e->peer_pid);
}

static void attributes(const struct to *to, const struct tenuo_audit_event *e)
{
    char name[80];
    for (size_t i = 0; i < e->nattrs; i++) {
        snprintf(name, sizeof name, "attr_%.64s", e->attrs[i].name);
        text(to, name, e->attrs[i].value);
    }
}

void tn_event_fields(const struct tenuo_audit_event *e, tn_field_fn *each, void *arg)
{
    const struct to to = { each, arg };
    text(&to, "service", e->service);
    text(&to, "decision", e->decision);
    number(&to, "code", e->code);
    text(&to, "code_name", e->code_name);
    text(&to, "step", e->step);
    text(&to, "reason", e->reason);
    text(&to, "decision_id", e->decision_id);
    text(&to, "warrant_id", e->warrant_id);
    list(&to, "chain_ids", e->chain_ids, e->chain_len);
    text(&to, "root", e->root);
    text(&to, "holder", e->holder);
    text(&to, "tool", e->tool);
    text(&to, "arg", e->field);
    text(&to, "args_sha256", e->args_sha256);
    text(&to, "args", e->args_json);
    if (TN_EVENT_HAS(e, napprovers))
        list(&to, "approvers", e->approvers, e->napprovers);
    text(&to, "request_id", e->request_id);
    natural(&to, "conf_generation", e->conf_generation);
    circumstances(&to, e);
    attributes(&to, e);
}

void tn_notice_fields(const struct tenuo_audit_notice *n, tn_field_fn *each, void *arg)
{
    const struct to to = { each, arg };
    const char *id = NULL, *name = tn_notice_name(n->kind, &id);
    text(&to, "event", name != NULL ? name : "");
    text(&to, "service", n->service);
    text(&to, "origin", n->origin);
    text(&to, "key_id", n->key_id);
    if (n->has_srl_version)
        natural(&to, "srl_version", n->srl_version);
    natural(&to, "conf_generation", n->conf_generation);
}
