/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the steps of a decision. Writes text from what the checks have found and checks nothing itself. */
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "crypto.h"
#include "err.h"

#define VALUE_TEXT TN_FAULT_TEXT
#define LAST_SECOND 253402300799u /* 9999-12-31T23:59:59Z */

void tn_fault_argument(struct tn_match_env *env, struct tn_str arg, const struct tenuo_constraint *parent,
                       const struct tenuo_constraint *child)
{
    if (env->fault == NULL)
        return;
    env->fault->arg = arg;
    env->fault->parent = parent;
    env->fault->child = child;
}

void tn_fault_texts(struct tn_match_env *env, const char *parent, const char *child)
{
    if (env->fault == NULL)
        return;
    (void)snprintf(env->fault->parent_text, sizeof env->fault->parent_text, "%s", parent != NULL ? parent : "");
    (void)snprintf(env->fault->child_text, sizeof env->fault->child_text, "%s", child != NULL ? child : "");
}

static void tell(const struct tn_explain *x, const struct tenuo_explanation *said)
{
    struct tenuo_explanation step = *said;
    const char **texts[] = { &step.text, &step.tool, &step.field, &step.parent, &step.child };
    step.size = sizeof step;
    for (size_t i = 0; i < TN_ARRAY_LEN(texts); i++)
        if (*texts[i] == NULL)
            *texts[i] = "";
    x->fn(x->arg, &step);
}

void tn_explain_step(const struct tn_explain *x, enum tenuo_step step, int link, int code,
                     const struct tenuo_error *err, const char *fmt, ...)
{
    char text[TENUO_ERROR_MSG_BYTES];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tell(x, &(struct tenuo_explanation){ .step = step, .link = link, .code = code,
                                         .text = code != TENUO_OK ? err->msg : text });
}

void tn_explain_argument(const struct tn_explain *x, int link, int code, const struct tenuo_error *err,
                         struct tn_str name, const struct tenuo_constraint *c)
{
    char field[256], constraint[VALUE_TEXT] = "";
    tn_quote(field, sizeof field, name.p, name.n);
    if (c != NULL)
        (void)tenuo_constraint_describe(c, constraint, sizeof constraint);
    tell(x, &(struct tenuo_explanation){ .step = TENUO_STEP_CONSTRAINT, .link = link, .code = code,
                                         .text = code != TENUO_OK ? err->msg : "the argument matches",
                                         .field = field, .child = constraint });
}

void tn_explain_tool(const struct tn_explain *x, int link, struct tn_str tool, struct tn_str entry)
{
    char name[256], text[300];
    tn_quote(name, sizeof name, entry.p, entry.n);
    (void)snprintf(text, sizeof text, "the warrant's entry '%s' decides", name);
    tn_quote(name, sizeof name, tool.p, tool.n);
    tell(x, &(struct tenuo_explanation){ .step = TENUO_STEP_TOOL, .link = link, .text = text, .tool = name });
}

static void put_time(char *buf, size_t size, uint64_t when)
{
    time_t t = (time_t)when;
    struct tm tm = { 0 };
    if (when > LAST_SECOND || gmtime_r(&t, &tm) == NULL)
        (void)snprintf(buf, size, "%llu", (unsigned long long)when);
    else
        (void)snprintf(buf, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                       tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void tn_explain_time(const struct tn_explain *x, const struct tenuo_stack *s, size_t i, int code,
                     const struct tenuo_error *err)
{
    char from[32], until[32], text[TENUO_ERROR_MSG_BYTES];
    put_time(from, sizeof from, s->w[i].issued_at);
    put_time(until, sizeof until, s->w[i].expires_at);
    (void)snprintf(text, sizeof text, "%.160s%sissued %s, expires %s", code != TENUO_OK ? err->msg : "",
                   code != TENUO_OK ? ": " : "", from, until);
    tell(x, &(struct tenuo_explanation){ .step = TENUO_STEP_TIME, .link = (int)i, .code = code, .text = text });
}

static void put_number(char *buf, size_t size, int64_t n)
{
    if (n < 0)
        (void)snprintf(buf, size, "absent");
    else
        (void)snprintf(buf, size, "%lld", (long long)n);
}

/* How each member looks on one side. The parent's side shows what the child's should have been. */
typedef void put_fn(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent);

static void put_issuer(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)size;
    tn_hex(buf, is_parent ? w->holder : w->issuer, 32);
}

static void put_holder(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)size, (void)is_parent;
    tn_hex(buf, w->holder, 32);
}

static void put_parent_hash(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    uint8_t hash[32];
    tenuo_warrant_payload_hash(w, hash);
    if (is_parent || w->parent_hash != NULL)
        tn_hex(buf, is_parent ? hash : w->parent_hash, 32);
    else
        (void)snprintf(buf, size, "absent");
}

static void put_type(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    (void)snprintf(buf, size, "%s", w->type == TENUO_ISSUER ? "issuer" : "execution");
}

static void put_depth(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    put_number(buf, size, (int64_t)w->depth);
}

static void put_max_depth(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    put_number(buf, size, (int64_t)w->max_depth);
}

static void put_max_issue_depth(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    put_number(buf, size, w->max_issue_depth);
}

static void put_clearance(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    put_number(buf, size, w->clearance);
}

static void put_issued_at(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    put_time(buf, size, w->issued_at);
}

static void put_expires_at(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    put_time(buf, size, w->expires_at);
}

/* A list of names, as many as fit. */
static void put_names(char *buf, size_t size, const struct tn_str *names, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        char name[48];
        tn_quote(name, sizeof name, names[i].p, names[i].n);
        if (at + sizeof name + 8 > size) {
            (void)snprintf(buf + at, size - at, ", ...");
            return;
        }
        int k = snprintf(buf + at, size - at, "%s%s", i == 0 ? "" : ", ", name);
        at += k > 0 ? (size_t)k : 0;
    }
}

static void put_issuable(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    put_names(buf, size, w->issuable, w->nissuable);
}

static void put_tools(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    struct tn_str names[16];
    size_t n = 0;
    (void)is_parent;
    for (; n < w->ntools && n < TN_ARRAY_LEN(names); n++)
        names[n] = w->tools[n].name;
    put_names(buf, size, names, n);
}

static void put_bounds(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    if (w->bounds == NULL)
        (void)snprintf(buf, size, "absent");
    else
        (void)snprintf(buf, size, "%zu arguments", w->bounds->n);
}

static void put_session(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    if (w->session.p == NULL)
        (void)snprintf(buf, size, "absent");
    else
        tn_quote(buf, size, w->session.p, w->session.n);
}

static void put_gates(char *buf, size_t size, const struct tenuo_warrant *w, bool is_parent)
{
    (void)is_parent;
    (void)snprintf(buf, size, "%zu bytes of gates, %zu approvers, minimum %lld", w->gates.n, w->napprovers,
                   (long long)w->min_approvals);
}

static const struct {
    const char *name;
    put_fn *put;
} members[] = { { "issuer", put_issuer },
                { "parent_hash", put_parent_hash },
                { "type", put_type },
                { "depth", put_depth },
                { "max_depth", put_max_depth },
                { "issued_at", put_issued_at },
                { "expires_at", put_expires_at },
                { "tools", put_tools },
                { "issuable_tools", put_issuable },
                { "constraint_bounds", put_bounds },
                { "max_issue_depth", put_max_issue_depth },
                { "clearance", put_clearance },
                { "holder", put_holder },
                { "session_id", put_session },
                { "approval_gates", put_gates } };

static void put_member(char *buf, size_t size, const char *member, const struct tenuo_warrant *w, bool is_parent)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(members); i++)
        if (strcmp(members[i].name, member) == 0)
            members[i].put(buf, size, w, is_parent);
}

static void put_constraint(char *buf, size_t size, const struct tenuo_constraint *c)
{
    if (c == NULL)
        (void)snprintf(buf, size, "absent");
    else
        (void)tenuo_constraint_describe(c, buf, size);
}

static void tell_fault(const struct tn_explain *x, const struct tenuo_stack *s, size_t i, int code,
                       const struct tenuo_error *err)
{
    const struct tn_fault *f = &x->fault;
    char tool[256] = "", field[256] = "", parent[VALUE_TEXT] = "", child[VALUE_TEXT] = "";
    tn_quote(tool, sizeof tool, f->tool.p, f->tool.n);
    if (f->arg.p != NULL)
        tn_quote(field, sizeof field, f->arg.p, f->arg.n);
    else if (f->member != NULL)
        (void)snprintf(field, sizeof field, "%s", f->member);
    if (f->parent_text[0] != '\0' || f->child_text[0] != '\0') {
        memcpy(parent, f->parent_text, sizeof parent);
        memcpy(child, f->child_text, sizeof child);
    } else if (f->arg.p != NULL) {
        put_constraint(parent, sizeof parent, f->parent);
        put_constraint(child, sizeof child, f->child);
    } else if (f->member != NULL) {
        put_member(parent, sizeof parent, f->member, &s->w[i - 1], true);
        put_member(child, sizeof child, f->member, &s->w[i], false);
    }
    tell(x, &(struct tenuo_explanation){ .step = TENUO_STEP_LINK, .link = (int)i, .code = code, .text = err->msg,
                                         .tool = tool, .field = field, .parent = parent, .child = child });
}

void tn_explain_link(const struct tn_explain *x, const struct tenuo_stack *s, size_t i, int code,
                     const struct tenuo_error *err)
{
    if (code != TENUO_OK)
        tell_fault(x, s, i, code, err);
    else
        tn_explain_step(x, TENUO_STEP_LINK, (int)i, code, err, "depth %llu, within its parent",
                        (unsigned long long)s->w[i].depth);
}
