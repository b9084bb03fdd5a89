/* SPDX-License-Identifier: Apache-2.0 */
/* A constraint as one line for people. Everything that came from outside is escaped; what does not fit is cut with
 * "...". */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <tenuo/version.h>

#include "constraint.h"
#include "err.h"
#include "limits.h"

struct out {
    char *buf;
    size_t size, n;
    bool cut;
};

static void add(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct out *o, const char *fmt, ...)
{
    va_list ap;
    int n;
    if (o->cut)
        return;
    va_start(ap, fmt);
    n = vsnprintf(o->buf + o->n, o->size - o->n, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= o->size - o->n) {
        o->cut = true;
        o->n = o->size - 1;
        for (size_t i = 1; i <= 3 && i <= o->n; i++)
            o->buf[o->n - i] = '.';
        o->buf[o->n] = '\0';
    } else {
        o->n += (size_t)n;
    }
}

static void add_text(struct out *o, struct tn_str s)
{
    char quoted[512];
    tn_quote(quoted, sizeof quoted, s.p, s.n);
    add(o, "\"%s\"", quoted);
}

static void add_scalar(struct out *o, const struct tn_peek *v)
{
    switch (v->type) {
    case TN_T_STRING: add_text(o, v->text); break;
    case TN_T_INT: add(o, "%lld", (long long)v->integer); break;
    case TN_T_FLOAT:
        add(o, "%.17g%s", v->real, fabs(v->real) < 1e15 && v->real == (double)(long long)v->real ? ".0" : "");
        break;
    case TN_T_BOOL: add(o, "%s", v->boolean ? "true" : "false"); break;
    case TN_T_NULL: add(o, "null"); break;
    case TN_T_LIST: add(o, "[%zu items]", v->count); break;
    case TN_T_OBJECT: add(o, "{%zu members}", v->count); break;
    }
}

/* Lists one level deep; what is inside them is counted. */
static void add_value(struct out *o, struct tn_str cbor)
{
    struct tn_peek v = tn_value_peek(cbor);
    struct tn_str items = v.items;
    if (v.type != TN_T_LIST) {
        add_scalar(o, &v);
        return;
    }
    add(o, "[");
    for (size_t i = 0; i < v.count && !o->cut; i++) {
        struct tn_peek one = tn_value_peek(tn_value_next(&items));
        add(o, "%s", i == 0 ? "" : ", ");
        add_scalar(o, &one);
    }
    add(o, "]");
}

static void add_values(struct out *o, const struct tn_values *list)
{
    add(o, "[");
    for (size_t i = 0; i < list->n && !o->cut; i++) {
        add(o, "%s", i == 0 ? "" : ", ");
        add_value(o, list->v[i].cbor);
    }
    add(o, "]");
}

static void add_texts(struct out *o, const struct tn_str *v, size_t n)
{
    add(o, "[");
    for (size_t i = 0; i < n && !o->cut; i++) {
        add(o, "%s", i == 0 ? "" : ", ");
        add_text(o, v[i]);
    }
    add(o, "]");
}

static void add_range(struct out *o, const struct tn_range *r)
{
    if (r->has_min)
        add(o, "%s %.17g", r->min_inclusive ? ">=" : ">", r->min);
    if (r->has_max)
        add(o, "%s%s %.17g", r->has_min ? ", " : "", r->max_inclusive ? "<=" : "<", r->max);
    if (!r->has_min && !r->has_max)
        add(o, "any number");
}

static void add_url_safe(struct out *o, const struct tn_url_safe *u)
{
    add(o, "schemes=");
    add_texts(o, u->schemes, u->nschemes);
    if (u->has_allow_domains) {
        add(o, ", allow_domains=");
        add_texts(o, u->allow_domains, u->nallow_domains);
    }
    if (u->has_deny_domains) {
        add(o, ", deny_domains=");
        add_texts(o, u->deny_domains, u->ndeny_domains);
    }
    if (u->has_allow_ports) {
        add(o, ", allow_ports=[");
        for (size_t i = 0; i < u->nallow_ports && !o->cut; i++)
            add(o, "%s%u", i == 0 ? "" : ", ", u->allow_ports[i]);
        add(o, "]");
    }
    add(o, ", blocks=%s%s%s%s%s", u->block_private ? "private " : "", u->block_loopback ? "loopback " : "",
        u->block_metadata ? "metadata " : "", u->block_reserved ? "reserved " : "",
        u->block_internal_tlds ? "internal-tlds" : "");
}

static void add_leaf(struct out *o, const struct tenuo_constraint *c)
{
    if (!c->known) {
        add(o, "type %u, %zu bytes", c->type, c->payload.n);
        return;
    }
    switch (c->type) {
    case TENUO_C_EXACT: add_value(o, c->u.value.cbor); break;
    case TENUO_C_ONE_OF:
    case TENUO_C_NOT_ONE_OF:
    case TENUO_C_CONTAINS:
    case TENUO_C_SUBSET:
        add_values(o, &c->u.values);
        break;
    case TENUO_C_PATTERN: case TENUO_C_REGEX: case TENUO_C_CEL: add_text(o, c->u.text); break;
    case TENUO_C_RANGE: add_range(o, &c->u.range); break;
    case TENUO_C_CIDR: case TENUO_C_URL_PATTERN: add_text(o, tn_value_peek(c->payload).text); break;
    case TENUO_C_SUBPATH:
        add_text(o, c->u.subpath.root);
        add(o, "%s%s", c->u.subpath.case_sensitive ? "" : ", case-insensitive",
            c->u.subpath.allow_equal ? "" : ", not the root itself");
        break;
    case TENUO_C_URL_SAFE: add_url_safe(o, c->u.url_safe); break;
    case TENUO_C_SHLEX: add_texts(o, c->u.shlex.v, c->u.shlex.n); break;
    default: break; /* Wildcard has nothing to add */
    }
}

/* Depth first over child and next, with the open parents on a stack. */
size_t tenuo_constraint_describe(const struct tenuo_constraint *constraint, char *buf, size_t size)
{
    struct out o = { buf, size, 0, size < 8 };
    const struct tenuo_constraint *open[TN_MAX_CONSTRAINT_DEPTH + 1], *c = constraint;
    size_t depth = 0;
    if (size != 0)
        buf[0] = '\0';
    while (c != NULL && !o.cut) {
        bool combinator = c->known && (c->type == TENUO_C_ALL || c->type == TENUO_C_ANY || c->type == TENUO_C_NOT);
        add(&o, "%s(", tn_constraint_type_name(c->type));
        if (combinator && c->child != NULL) {
            open[depth++] = c;
            c = c->child;
            continue;
        }
        if (!combinator)
            add_leaf(&o, c);
        add(&o, ")");
        while (depth > 0 && c->next == NULL) {
            c = open[--depth];
            add(&o, ")");
        }
        if (depth == 0)
            break;
        add(&o, ", ");
        c = c->next;
    }
    return o.n;
}

const char *tenuo_version(void)
{
    return TENUO_VERSION;
}
