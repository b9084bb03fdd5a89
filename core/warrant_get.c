/* SPDX-License-Identifier: Apache-2.0 */
/* What a warrant says: the public getters. Nothing is computed here but the payload hash where it is not known yet. */
#include "crypto.h"
#include "warrant.h"

static const char *text(struct tn_str s, size_t *ret_len)
{
    *ret_len = s.n;
    return (const char *)s.p;
}

size_t tenuo_stack_length(const struct tenuo_stack *s) { return s->n; }
const struct tenuo_warrant *tenuo_stack_warrant(const struct tenuo_stack *s, size_t i)
{
    return i < s->n ? &s->w[i] : NULL;
}
const struct tenuo_warrant *tenuo_stack_leaf(const struct tenuo_stack *s) { return &s->w[s->n - 1]; }

const uint8_t *tenuo_warrant_id(const struct tenuo_warrant *w) { return w->id; }
enum tenuo_warrant_type tenuo_warrant_get_type(const struct tenuo_warrant *w)
{
    return w->type == 0 ? TENUO_EXECUTION : TENUO_ISSUER;
}
const uint8_t *tenuo_warrant_holder(const struct tenuo_warrant *w) { return w->holder; }
const uint8_t *tenuo_warrant_issuer(const struct tenuo_warrant *w) { return w->issuer; }
uint64_t tenuo_warrant_issued_at(const struct tenuo_warrant *w) { return w->issued_at; }
uint64_t tenuo_warrant_expires_at(const struct tenuo_warrant *w) { return w->expires_at; }
uint32_t tenuo_warrant_depth(const struct tenuo_warrant *w) { return (uint32_t)w->depth; }
uint32_t tenuo_warrant_max_depth(const struct tenuo_warrant *w) { return (uint32_t)w->max_depth; }
const uint8_t *tenuo_warrant_parent_hash(const struct tenuo_warrant *w) { return w->parent_hash; }
const uint8_t *tenuo_warrant_signature(const struct tenuo_warrant *w) { return w->signature; }
int tenuo_warrant_clearance(const struct tenuo_warrant *w) { return w->clearance; }
int64_t tenuo_warrant_max_issue_depth(const struct tenuo_warrant *w) { return w->max_issue_depth; }
int64_t tenuo_warrant_min_approvals(const struct tenuo_warrant *w) { return w->min_approvals; }

void tenuo_warrant_payload_hash(const struct tenuo_warrant *w, uint8_t ret_hash[32])
{
    if (w->has_hash)
        memcpy(ret_hash, w->hash, 32);
    else
        tn_sha256(ret_hash, w->payload);
}

const uint8_t *tenuo_warrant_payload(const struct tenuo_warrant *w, size_t *ret_len)
{
    *ret_len = w->payload.n;
    return w->payload.p;
}

const char *tenuo_warrant_session_id(const struct tenuo_warrant *w, size_t *ret_len)
{
    return text(w->session, ret_len);
}
const char *tenuo_warrant_agent_id(const struct tenuo_warrant *w, size_t *ret_len) { return text(w->agent, ret_len); }

size_t tenuo_warrant_tool_count(const struct tenuo_warrant *w) { return w->ntools; }

const char *tenuo_warrant_tool_name(const struct tenuo_warrant *w, size_t i, size_t *ret_len)
{
    return i < w->ntools ? text(w->tools[i].name, ret_len) : NULL;
}

const struct tenuo_constraint_set *tenuo_warrant_tool_set(const struct tenuo_warrant *w, size_t i)
{
    return i < w->ntools ? &w->tools[i].set : NULL;
}

size_t tenuo_warrant_issuable_count(const struct tenuo_warrant *w) { return w->nissuable; }

const char *tenuo_warrant_issuable_name(const struct tenuo_warrant *w, size_t i, size_t *ret_len)
{
    return i < w->nissuable ? text(w->issuable[i], ret_len) : NULL;
}

const struct tenuo_constraint_set *tenuo_warrant_bounds(const struct tenuo_warrant *w) { return w->bounds; }
size_t tenuo_warrant_approver_count(const struct tenuo_warrant *w) { return w->napprovers; }

const uint8_t *tenuo_warrant_approver(const struct tenuo_warrant *w, size_t i)
{
    return i < w->napprovers ? w->approvers[i] : NULL;
}

size_t tenuo_warrant_extension_count(const struct tenuo_warrant *w) { return w->nextensions; }

const char *tenuo_warrant_extension_key(const struct tenuo_warrant *w, size_t i, size_t *ret_len)
{
    return i < w->nextensions ? text(w->extensions[i].key, ret_len) : NULL;
}

const uint8_t *tenuo_warrant_extension_value(const struct tenuo_warrant *w, size_t i, size_t *ret_len)
{
    if (i >= w->nextensions)
        return NULL;
    *ret_len = w->extensions[i].value.n;
    return w->extensions[i].value.p;
}

const uint8_t *tenuo_warrant_extension(const struct tenuo_warrant *w, const char *key, size_t key_len, size_t *ret_len)
{
    const struct tn_str name = { (const uint8_t *)key, key_len };
    for (size_t i = 0; i < w->nextensions; i++)
        if (tn_str_eq(w->extensions[i].key, name))
            return tenuo_warrant_extension_value(w, i, ret_len);
    return NULL;
}
