/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constraints in the one form that builders emit (spec constraints.md 1.3): members in declared order, every member of
 * Range, Subpath and UrlSafe present, values canonical. What was read in another permitted form is written in this one.
 */
#include "constraint.h"
#include "limits.h"

static void member(struct tn_buf *b, const char *name)
{
    tn_put_text(b, tn_lit(name));
}

/* A value as signed; the node's own copy is in comparison form. */
static void put_value(struct tn_buf *b, struct tn_reader *r)
{
    struct tn_arena arena;
    struct tn_val v = { 0 };
    tn_arena_init(&arena, 256);
    if (tn_value_read(r, TN_FORM_SIGNED, &arena, &v))
        tn_buf_str(b, v.cbor);
    else
        b->failed = true;
    tn_arena_free(&arena);
}

/* {"value": V} or {"...": [V ...]}: one member, whose name is kept. */
static void put_values(struct tn_buf *b, const struct tenuo_constraint *c)
{
    struct tn_reader r;
    struct tn_str name = { 0 };
    size_t n = 0;
    tn_reader_init(&r, c->payload, NULL);
    tn_read_map(&r, "", &n);
    tn_read_text(&r, "", &name);
    tn_put_map(b, 1);
    tn_put_text(b, name);
    if (c->type == TENUO_C_EXACT) {
        put_value(b, &r);
        return;
    }
    tn_read_array(&r, "", &n);
    tn_put_array(b, n);
    for (size_t i = 0; i < n && r.code == 0; i++)
        put_value(b, &r);
}

static void put_bound(struct tn_buf *b, const char *name, bool has, double v)
{
    member(b, name);
    if (has)
        tn_put_float(b, v);
    else
        tn_put_null(b);
}

static void put_range(struct tn_buf *b, const struct tn_range *r)
{
    tn_put_map(b, 4);
    put_bound(b, "min", r->has_min, r->min);
    put_bound(b, "max", r->has_max, r->max);
    member(b, "min_inclusive");
    tn_put_bool(b, r->min_inclusive);
    member(b, "max_inclusive");
    tn_put_bool(b, r->max_inclusive);
}

static void put_subpath(struct tn_buf *b, const struct tn_subpath *s)
{
    tn_put_map(b, 3);
    member(b, "root");
    tn_put_text(b, s->root);
    member(b, "case_sensitive");
    tn_put_bool(b, s->case_sensitive);
    member(b, "allow_equal");
    tn_put_bool(b, s->allow_equal);
}

static void put_texts(struct tn_buf *b, const char *name, bool has, const struct tn_str *v, size_t n)
{
    member(b, name);
    if (!has) {
        tn_put_null(b);
        return;
    }
    tn_put_array(b, n);
    for (size_t i = 0; i < n; i++)
        tn_put_text(b, v[i]);
}

static void put_url_safe(struct tn_buf *b, const struct tn_url_safe *u)
{
    const struct { const char *name; bool on;
    } flags[] = {
        { "block_private", u->block_private },
        { "block_loopback", u->block_loopback },
        { "block_metadata", u->block_metadata },
        { "block_reserved", u->block_reserved },
        { "block_internal_tlds", u->block_internal_tlds },
    };
    tn_put_map(b, 9);
    put_texts(b, "schemes", true, u->schemes, u->nschemes);
    put_texts(b, "allow_domains", u->has_allow_domains, u->allow_domains, u->nallow_domains);
    put_texts(b, "deny_domains", u->has_deny_domains, u->deny_domains, u->ndeny_domains);
    member(b, "allow_ports");
    if (u->has_allow_ports)
        tn_put_array(b, u->nallow_ports);
    else
        tn_put_null(b);
    for (size_t i = 0; u->has_allow_ports && i < u->nallow_ports; i++)
        tn_put_uint(b, u->allow_ports[i]);
    for (size_t i = 0; i < TN_ARRAY_LEN(flags); i++) {
        member(b, flags[i].name);
        tn_put_bool(b, flags[i].on);
    }
}

static void put_cel(struct tn_buf *b, const struct tenuo_constraint *c)
{
    struct tn_str name = { 0 }, text = { 0 }, parent = { 0 };
    struct tn_reader r;
    size_t n = 0;
    tn_reader_init(&r, c->payload, NULL);
    tn_read_map(&r, "", &n);
    for (size_t i = 0; i < n && tn_read_text(&r, "", &name); i++)
        if (!tn_read_null(&r) && tn_read_text(&r, "", &text) && tn_str_eq(name, tn_lit("parent_expression")))
            parent = text;
    tn_put_map(b, parent.p == NULL ? 1 : 2);
    member(b, "expression");
    tn_put_text(b, c->u.text);
    if (parent.p != NULL) {
        member(b, "parent_expression");
        tn_put_text(b, parent);
    }
}

/* The opening of a combinator; its inner ones follow in order. */
static void put_combinator(struct tn_buf *b, const struct tenuo_constraint *c)
{
    size_t n = 0;
    tn_put_map(b, 1);
    if (c->type == TENUO_C_NOT) {
        member(b, "constraint");
        return;
    }
    for (const struct tenuo_constraint *i = c->child; i != NULL; i = i->next)
        n++;
    member(b, "constraints");
    tn_put_array(b, n);
}

static void put_payload(struct tn_buf *b, const struct tenuo_constraint *c)
{
    switch (c->known ? c->type : 0) {
    case TENUO_C_EXACT: case TENUO_C_ONE_OF: case TENUO_C_NOT_ONE_OF: case TENUO_C_CONTAINS:
    case TENUO_C_SUBSET: put_values(b, c); break;
    case TENUO_C_RANGE: put_range(b, &c->u.range); break;
    case TENUO_C_SUBPATH: put_subpath(b, &c->u.subpath); break;
    case TENUO_C_URL_SAFE: put_url_safe(b, c->u.url_safe); break;
    case TENUO_C_CEL: put_cel(b, c); break;
    case TENUO_C_ALL: case TENUO_C_ANY: case TENUO_C_NOT: put_combinator(b, c); break;
    default: tn_buf_str(b, c->payload); break; /* texts, null, opaque: one form only */
    }
}

void tn_constraint_write(struct tn_buf *b, const struct tenuo_constraint *c)
{
    const struct tenuo_constraint *later[TN_MAX_CONSTRAINT_DEPTH + 1]; /* siblings still to come, by level */
    size_t depth = 0;
    while (c != NULL) {
        tn_put_array(b, 2);
        tn_put_uint(b, c->type);
        put_payload(b, c);
        if (c->child != NULL) {
            later[depth++] = c->child->next;
            c = c->child;
            continue;
        }
        c = NULL;
        while (depth > 0 && c == NULL) {
            c = later[depth - 1];
            if (c == NULL)
                depth--;
            else
                later[depth - 1] = c->next;
        }
    }
}

void tn_constraint_set_write(struct tn_buf *b, const struct tenuo_constraint_set *set)
{
    tn_put_map(b, set->allow_unknown ? 2 : 1);
    member(b, "constraints");
    tn_put_map(b, set->n);
    for (size_t i = 0; i < set->n; i++) {
        tn_put_text(b, set->items[i].name);
        tn_constraint_write(b, set->items[i].constraint);
    }
    if (set->allow_unknown) {
        member(b, "allow_unknown");
        tn_put_bool(b, true);
    }
}
