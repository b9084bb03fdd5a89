/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constraint bytes to nodes, one reader function a type (spec constraints.md 1 and 5). Content is checked only where
 * the protocol does so at decode; the rest fails when it is used.
 */
#include "constraint.h"

#include <math.h>
#include <stdlib.h>
#include <tenuo/request.h>

#include "limits.h"

struct ctx {
    struct tn_reader *r;
    struct tn_arena *arena;
};

static bool nomem(struct ctx *c)
{
    return tn_reader_fail(c->r, TENUO_E_NOMEM, "memory ran out");
}

static bool malformed(struct ctx *c, const char *what)
{
    return tn_reader_fail(c->r, TENUO_E_MALFORMED_CBOR, "%s", what);
}

/* Index of the next member's name in `names`, each at most once; `seen` is the bit set so far. */
static bool read_member(struct ctx *c, const char *const *names, size_t n, uint32_t *seen, size_t *ret)
{
    struct tn_str name = { 0 };
    if (!tn_read_text(c->r, "a member name", &name))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!tn_str_eq(name, tn_lit(names[i])))
            continue;
        if (*seen & 1u << i)
            return malformed(c, "a member is repeated");
        *seen |= 1u << i;
        *ret = i;
        return true;
    }
    return malformed(c, "unknown member of a constraint");
}

/* A map with exactly one member of this name; the value is still to be read. */
static bool read_single(struct ctx *c, const char *name)
{
    size_t n = 0, i;
    uint32_t seen = 0;
    if (!tn_read_map(c->r, "a constraint's value", &n))
        return false;
    return n == 1 ? read_member(c, &name, 1, &seen, &i)
                  : malformed(c, "a constraint's value does not have exactly its one member");
}

static bool read_exact(struct ctx *c, struct tenuo_constraint *node)
{
    return read_single(c, "value") && tn_value_read(c->r, TN_FORM_CONSTANT, c->arena, &node->u.value);
}

static bool read_text_member(struct ctx *c, struct tenuo_constraint *node)
{
    return read_single(c, "pattern") && tn_read_text(c->r, "the pattern", &node->u.text);
}

static int val_cmp(const void *a, const void *b)
{
    const struct tn_val *x = a, *y = b;
    return tn_str_cmp(x->cbor, y->cbor);
}

static bool read_values(struct ctx *c, struct tn_values *list)
{
    size_t n = 0, out = 0;
    bool sorted = true;
    if (!tn_read_array(c->r, "a list of values", &n))
        return false;
    list->v = tn_arena_array(c->arena, n, sizeof *list->v);
    if (list->v == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++) {
        if (!tn_value_read(c->r, TN_FORM_CONSTANT, c->arena, &list->v[i]))
            return false;
        sorted = sorted && (i == 0 || val_cmp(&list->v[i - 1], &list->v[i]) < 0);
    }
    if (!sorted)
        qsort(list->v, n, sizeof *list->v, val_cmp);
    for (size_t i = 0; i < n; i++)
        if (out == 0 || !tn_str_eq(list->v[out - 1].cbor, list->v[i].cbor))
            list->v[out++] = list->v[i];
    list->n = out;
    return true;
}

static bool read_one_of(struct ctx *c, struct tenuo_constraint *node)
{
    return read_single(c, "values") && read_values(c, &node->u.values);
}

static bool read_not_one_of(struct ctx *c, struct tenuo_constraint *node)
{
    return read_single(c, "excluded") && read_values(c, &node->u.values);
}

static bool read_contains(struct ctx *c, struct tenuo_constraint *node)
{
    return read_single(c, "required") && read_values(c, &node->u.values);
}

static bool read_subset(struct ctx *c, struct tenuo_constraint *node)
{
    return read_single(c, "allowed") && read_values(c, &node->u.values);
}

static bool read_bound(struct ctx *c, bool *ret_has, double *ret)
{
    struct tn_item item = { 0 };
    if (tn_read_null(c->r)) {
        *ret_has = false;
        return true;
    }
    if (!tn_read_kind(c->r, TN_FLOAT, "a range bound", &item))
        return false;
    *ret_has = true;
    *ret = item.real;
    return isfinite(item.real) || malformed(c, "a range bound is not finite");
}

static bool read_range(struct ctx *c, struct tenuo_constraint *node)
{
    static const char *const names[] = { "min", "max", "min_inclusive", "max_inclusive" };
    struct tn_range *range = &node->u.range;
    uint32_t seen = 0;
    size_t n = 0, m = 0;
    if (!tn_read_map(c->r, "a range", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool good = read_member(c, names, 4, &seen, &m);
        if (good)
            good = m == 0 ? read_bound(c, &range->has_min, &range->min)
                 : m == 1 ? read_bound(c, &range->has_max, &range->max)
                          : tn_read_bool(c->r, names[m], m == 2 ? &range->min_inclusive : &range->max_inclusive);
        if (!good)
            return false;
    }
    return (seen & 12u) == 12u || malformed(c, "a range lacks min_inclusive or max_inclusive");
}

static bool read_cidr(struct ctx *c, struct tenuo_constraint *node)
{
    struct tn_str text = { 0 };
    if (!tn_read_text(c->r, "a network", &text))
        return false;
    return tn_cidr_parse(text, &node->u.cidr) || malformed(c, "a network is not an address with a prefix length");
}

static void free_url_pattern(void *p)
{
    tn_url_pattern_free(p);
}

static bool read_url_pattern(struct ctx *c, struct tenuo_constraint *node)
{
    struct tn_str text = { 0 };
    if (!tn_read_text(c->r, "a URL pattern", &text))
        return false;
    enum tn_url_status st = tn_url_pattern_parse(text, &node->u.url);
    if (st != TN_URL_OK)
        return st == TN_URL_NOMEM ? nomem(c) : malformed(c, "a URL pattern does not parse");
    if (!tn_arena_defer(c->arena, free_url_pattern, &node->u.url)) {
        tn_url_pattern_free(&node->u.url);
        return nomem(c);
    }
    return true;
}

static bool read_cel(struct ctx *c, struct tenuo_constraint *node)
{
    static const char *const names[] = { "expression", "parent_expression" };
    struct tn_str ignored;
    uint32_t seen = 0;
    size_t n = 0, m = 0;
    if (!tn_read_map(c->r, "a CEL constraint", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!read_member(c, names, 2, &seen, &m))
            return false;
        if (m == 1 && tn_read_null(c->r))
            continue;
        if (!tn_read_text(c->r, names[m], m == 0 ? &node->u.text : &ignored))
            return false;
    }
    return (seen & 1u) != 0 || malformed(c, "a CEL constraint lacks its expression");
}

static bool read_wildcard(struct ctx *c, struct tenuo_constraint *node)
{
    (void)node;
    return tn_read_null(c->r) || malformed(c, "a wildcard's value is not null");
}

static bool read_subpath(struct ctx *c, struct tenuo_constraint *node)
{
    static const char *const names[] = { "root", "case_sensitive", "allow_equal" };
    struct tn_subpath *s = &node->u.subpath;
    uint32_t seen = 0;
    size_t n = 0, m = 0;
    s->case_sensitive = s->allow_equal = true;
    if (!tn_read_map(c->r, "a subpath", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool good = read_member(c, names, 3, &seen, &m);
        if (good)
            good = m == 0 ? tn_read_text(c->r, "the root", &s->root)
                          : tn_read_bool(c->r, names[m], m == 1 ? &s->case_sensitive : &s->allow_equal);
        if (!good)
            return false;
    }
    return (seen & 1u) != 0 || malformed(c, "a subpath lacks its root");
}

static bool read_texts(struct ctx *c, struct tn_str **ret, size_t *ret_n)
{
    size_t n = 0;
    struct tn_str *v;
    if (!tn_read_array(c->r, "a list of texts", &n))
        return false;
    v = tn_arena_array(c->arena, n, sizeof *v);
    if (v == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++)
        if (!tn_read_text(c->r, "a list entry", &v[i]))
            return false;
    *ret = v;
    *ret_n = n;
    return true;
}

static bool read_shlex(struct ctx *c, struct tenuo_constraint *node)
{
    return read_single(c, "allow") && read_texts(c, &node->u.shlex.v, &node->u.shlex.n);
}

static bool read_ports(struct ctx *c, struct tn_url_safe *u)
{
    size_t n = 0;
    uint16_t *v;
    if (!tn_read_array(c->r, "allow_ports", &n))
        return false;
    v = tn_arena_array(c->arena, n, sizeof *v);
    if (v == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++) {
        uint64_t port = 0;
        if (!tn_read_uint(c->r, "a port", 65535, &port))
            return false;
        v[i] = (uint16_t)port;
    }
    u->allow_ports = v;
    u->nallow_ports = n;
    u->has_allow_ports = true;
    return true;
}

static bool read_domains(struct ctx *c, const struct tn_str **ret, size_t *ret_n, bool *ret_has)
{
    struct tn_str *v = NULL;
    if (tn_read_null(c->r))
        return true;
    if (!read_texts(c, &v, ret_n))
        return false;
    *ret = v;
    *ret_has = true;
    return true;
}

static bool read_url_safe_member(struct ctx *c, struct tn_url_safe *u, size_t m)
{
    struct tn_str *v = NULL;
    switch (m) {
    case 0:
        if (!read_texts(c, &v, &u->nschemes))
            return false;
        u->schemes = v;
        return true;
    case 1: return read_domains(c, &u->allow_domains, &u->nallow_domains, &u->has_allow_domains);
    case 2: return read_domains(c, &u->deny_domains, &u->ndeny_domains, &u->has_deny_domains);
    case 3: return tn_read_null(c->r) || read_ports(c, u);
    case 4: return tn_read_bool(c->r, "block_private", &u->block_private);
    case 5: return tn_read_bool(c->r, "block_loopback", &u->block_loopback);
    case 6: return tn_read_bool(c->r, "block_metadata", &u->block_metadata);
    case 7: return tn_read_bool(c->r, "block_reserved", &u->block_reserved);
    default: return tn_read_bool(c->r, "block_internal_tlds", &u->block_internal_tlds);
    }
}

static bool read_url_safe(struct ctx *c, struct tenuo_constraint *node)
{
    static const char *const names[] = { "schemes", "allow_domains", "deny_domains", "allow_ports", "block_private",
                                         "block_loopback", "block_metadata", "block_reserved", "block_internal_tlds" };
    static const struct tn_str schemes[] = { { (const uint8_t *)"http", 4 }, { (const uint8_t *)"https", 5 } };
    struct tn_url_safe *u = tn_arena_alloc(c->arena, sizeof *u);
    uint32_t seen = 0;
    size_t n = 0, m = 0;
    if (u == NULL)
        return nomem(c);
    *u = (struct tn_url_safe){ .schemes = schemes, .nschemes = 2, .block_private = true, .block_loopback = true,
                               .block_metadata = true, .block_reserved = true };
    node->u.url_safe = u;
    if (!tn_read_map(c->r, "a UrlSafe", &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_member(c, names, TN_ARRAY_LEN(names), &seen, &m) || !read_url_safe_member(c, u, m))
            return false;
    return true;
}

/* Types with a payload of their own; All, Any and Not are read by the loop below. */
static bool (*const readers[])(struct ctx *c, struct tenuo_constraint *node) = {
    [TENUO_C_EXACT] = read_exact,         [TENUO_C_PATTERN] = read_text_member, [TENUO_C_RANGE] = read_range,
    [TENUO_C_ONE_OF] = read_one_of,       [TENUO_C_REGEX] = read_text_member,   [TENUO_C_NOT_ONE_OF] = read_not_one_of,
    [TENUO_C_CIDR] = read_cidr,           [TENUO_C_URL_PATTERN] = read_url_pattern, [TENUO_C_CONTAINS] = read_contains,
    [TENUO_C_SUBSET] = read_subset,       [TENUO_C_CEL] = read_cel,             [TENUO_C_WILDCARD] = read_wildcard,
    [TENUO_C_SUBPATH] = read_subpath,     [TENUO_C_URL_SAFE] = read_url_safe,   [TENUO_C_SHLEX] = read_shlex,
};

struct frame {
    struct tenuo_constraint *node, **link;
    const uint8_t *payload;
    size_t left;
};

/* All and Any hold a list under "constraints", Not one under "constraint": opens it and tells how many inner ones
 * follow. */
static bool open_inner(struct ctx *c, unsigned type, size_t *ret_n)
{
    if (type == TENUO_C_NOT) {
        *ret_n = 1;
        return read_single(c, "constraint");
    }
    return read_single(c, "constraints") && tn_read_array(c->r, "a list of constraints", ret_n);
}

static bool is_combinator(unsigned type)
{
    return type == TENUO_C_ALL || type == TENUO_C_ANY || type == TENUO_C_NOT;
}

/* Head `[type, ` and, unless it is a combinator, the payload too. */
static bool read_node(struct ctx *c, struct tenuo_constraint **ret)
{
    const uint8_t *start = c->r->p;
    struct tenuo_constraint *node;
    struct tn_str opaque;
    uint64_t type = 0;
    size_t n = 0;
    bool good;
    if (!tn_read_array(c->r, "a constraint", &n))
        return false;
    if (n != 2)
        return malformed(c, "a constraint is not an array of type and value");
    if (!tn_read_uint(c->r, "a constraint type", 255, &type))
        return false;
    node = tn_arena_alloc(c->arena, sizeof *node);
    if (node == NULL)
        return nomem(c);
    node->type = (unsigned)type;
    node->payload.p = c->r->p;
    node->raw.p = start;
    *ret = node;
    if (is_combinator(node->type)) {
        node->known = true;
        return true;
    }
    node->known = type < TN_ARRAY_LEN(readers) && readers[type] != NULL;
    good = node->known ? readers[type](c, node) : tn_read_opaque(c->r, &opaque);
    node->payload.n = (size_t)(c->r->p - node->payload.p);
    node->raw.n = (size_t)(c->r->p - start);
    return good;
}

static void close_node(struct ctx *c, struct tenuo_constraint *node)
{
    node->payload.n = (size_t)(c->r->p - node->payload.p);
    node->raw.n = (size_t)(c->r->p - node->raw.p);
}

bool tn_constraint_read(struct tn_reader *r, struct tn_arena *arena, struct tenuo_constraint **ret)
{
    struct ctx c = { r, arena };
    TN_UNINIT struct frame stack[TN_MAX_CONSTRAINT_DEPTH];
    struct tenuo_constraint *root = NULL, **link = &root;
    size_t depth = 0;
    do {
        while (depth > 0 && stack[depth - 1].left == 0) {
            close_node(&c, stack[depth - 1].node);
            depth--;
        }
        if (depth > 0) {
            struct frame *f = &stack[depth - 1];
            link = f->link;
            f->left--;
        } else if (root != NULL) {
            break;
        }
        if (!read_node(&c, link))
            return false;
        if (depth > 0)
            stack[depth - 1].link = &(*link)->next;
        if (is_combinator((*link)->type)) {
            if (depth == TN_MAX_CONSTRAINT_DEPTH)
                return malformed(&c, "constraints nest more than 32 deep");
            stack[depth] = (struct frame){ .node = *link, .link = &(*link)->child };
            if (!open_inner(&c, (*link)->type, &stack[depth].left))
                return false;
            depth++;
        }
    } while (depth > 0);
    *ret = root;
    return true;
}

static int named_cmp(const void *a, const void *b)
{
    const struct tn_named *x = a, *y = b;
    return tn_str_cmp(x->name, y->name);
}

static bool read_named(struct ctx *c, struct tenuo_constraint_set *set)
{
    bool sorted = true;
    size_t n = 0;
    if (!tn_read_map(c->r, "the constraints of a tool", &n))
        return false;
    set->items = tn_arena_array(c->arena, n, sizeof *set->items);
    if (set->items == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++) {
        if (!tn_read_text(c->r, "an argument name", &set->items[i].name) ||
            !tn_constraint_read(c->r, c->arena, &set->items[i].constraint))
            return false;
        sorted = sorted && (i == 0 || named_cmp(&set->items[i - 1], &set->items[i]) < 0);
    }
    set->n = n;
    if (sorted)
        return true;
    qsort(set->items, n, sizeof *set->items, named_cmp);
    for (size_t i = 1; i < n; i++)
        if (tn_str_eq(set->items[i - 1].name, set->items[i].name))
            return malformed(c, "an argument name is repeated");
    return true;
}

bool tn_constraint_set_read(struct tn_reader *r, struct tn_arena *arena, struct tenuo_constraint_set *ret)
{
    static const char *const names[] = { "constraints", "allow_unknown" };
    struct ctx c = { r, arena };
    uint32_t seen = 0;
    size_t n = 0, m = 0;
    *ret = (struct tenuo_constraint_set){ 0 };
    if (!tn_read_map(r, "a constraint set", &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_member(&c, names, 2, &seen, &m) ||
            !(m == 0 ? read_named(&c, ret) : tn_read_bool(r, "allow_unknown", &ret->allow_unknown)))
            return false;
    return (seen & 1u) != 0 || malformed(&c, "a constraint set lacks \"constraints\"");
}

const struct tenuo_constraint *tn_set_find(const struct tenuo_constraint_set *set, struct tn_str name)
{
    const struct tn_named key = { .name = name };
    const struct tn_named *hit = set->n == 0 ? NULL : bsearch(&key, set->items, set->n, sizeof key, named_cmp);
    return hit == NULL ? NULL : hit->constraint;
}
