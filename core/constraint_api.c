/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public constraints and sets. A constructor writes the wire bytes and has our own decoder read them, so that nothing
 * can be made here that a warrant could not carry.
 */
#include <stdlib.h>
#include <tenuo/constraint.h>

#include "constraint.h"
#include "err.h"
#include "limits.h"
#include "matchers.h"
#include "warrant.h"

int tenuo_constraint_parse(const uint8_t *cbor, size_t len, struct tenuo_constraint **ret_constraint,
                           struct tenuo_error *reterr)
{
    struct tn_arena *arena;
    struct tenuo_constraint *c = NULL;
    struct tn_reader r;
    uint8_t *copy;
    if (len > TN_MAX_WARRANT_BYTES)
        return tn_fail(reterr, TENUO_E_TOO_LARGE, "a constraint is larger than %d bytes", TN_MAX_WARRANT_BYTES);
    arena = calloc(1, sizeof *arena);
    if (arena == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    tn_arena_init(arena, 256 + 2 * len);
    copy = tn_arena_alloc(arena, len);
    if (copy != NULL && len != 0)
        memcpy(copy, cbor, len);
    tn_reader_init(&r, (struct tn_str){ copy, len }, reterr);
    if (copy == NULL)
        tn_reader_fail(&r, TENUO_E_NOMEM, "memory ran out");
    if (!tn_constraint_read(&r, arena, &c) || !tn_read_end(&r, "the constraint")) {
        tn_arena_free(arena);
        free(arena);
        return r.code;
    }
    c->own = arena;
    *ret_constraint = c;
    return TENUO_OK;
}

void tenuo_constraint_free(struct tenuo_constraint *constraint)
{
    struct tn_arena *arena;
    if (constraint == NULL)
        return;
    arena = constraint->own;
    tn_arena_free(arena);
    free(arena);
}

unsigned tenuo_constraint_get_type(const struct tenuo_constraint *constraint)
{
    return constraint->type;
}

const uint8_t *tenuo_constraint_cbor(const struct tenuo_constraint *constraint, size_t *ret_len)
{
    *ret_len = constraint->raw.n;
    return constraint->raw.p;
}

/* Reads back what was written. A decoder refusal here is the caller's content: 1501. */
static int make(struct tn_buf *b, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    int r = b->failed ? tn_fail_code(err, TENUO_E_NOMEM) : tenuo_constraint_parse(b->p, b->n, ret, err);
    tn_buf_free(b);
    if (r == TENUO_E_MALFORMED_CBOR) {
        r = TENUO_E_CONSTRAINT_VIOLATION;
        if (err != NULL)
            err->code = r;
    }
    return r;
}

static void head(struct tn_buf *b, unsigned type)
{
    tn_put_array(b, 2);
    tn_put_uint(b, type);
}

static void member(struct tn_buf *b, const char *name)
{
    tn_put_text(b, tn_lit(name));
}

static int bad(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_CONSTRAINT_VIOLATION, "%s", what);
}

static int check_utf8(struct tn_str s, struct tenuo_error *err)
{
    return tn_utf8_valid(s) ? TENUO_OK : tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a constraint's text is not UTF-8");
}

int tenuo_constraint_wildcard(struct tenuo_constraint **ret, struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    head(&b, TENUO_C_WILDCARD);
    tn_put_null(&b);
    return make(&b, ret, reterr);
}

int tenuo_constraint_exact(const struct tenuo_value *value, struct tenuo_constraint **ret, struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    head(&b, TENUO_C_EXACT);
    tn_put_map(&b, 1);
    member(&b, "value");
    tn_buf_str(&b, value->cbor);
    return make(&b, ret, reterr);
}

int tenuo_constraint_text(enum tenuo_constraint_type type, const char *text, size_t len, struct tenuo_constraint **ret,
                          struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)text, len };
    struct tn_buf b = { 0 };
    struct tenuo_constraint *c = NULL;
    int r = check_utf8(s, reterr);
    bool bare = type == TENUO_C_CIDR || type == TENUO_C_URL_PATTERN;
    if (r != TENUO_OK)
        return r;
    if (!bare && type != TENUO_C_PATTERN && type != TENUO_C_REGEX && type != TENUO_C_CEL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "constraint type %u is not made from one text",
                       (unsigned)type);
    if (type == TENUO_C_PATTERN && !tn_glob_valid(s))
        return bad(reterr, "the pattern does not compile: check its brackets and stars");
    head(&b, type);
    if (!bare) {
        tn_put_map(&b, 1);
        member(&b, type == TENUO_C_CEL ? "expression" : "pattern");
    }
    tn_put_text(&b, s);
    r = make(&b, &c, reterr);
    if (r == TENUO_OK && type == TENUO_C_URL_PATTERN && !tn_url_pattern_constructible(&c->u.url)) {
        tenuo_constraint_free(c);
        return bad(reterr, "a URL pattern may have '*' in its host only as the first label");
    }
    if (r == TENUO_OK)
        *ret = c;
    return r;
}

int tenuo_constraint_values(enum tenuo_constraint_type type, const struct tenuo_value *const *values, size_t count,
                            struct tenuo_constraint **ret, struct tenuo_error *reterr)
{
    const char *name = type == TENUO_C_ONE_OF ? "values" : type == TENUO_C_NOT_ONE_OF ? "excluded"
                     : type == TENUO_C_CONTAINS ? "required" : type == TENUO_C_SUBSET ? "allowed" : NULL;
    struct tn_buf b = { 0 };
    if (name == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "constraint type %u is not made from values", (unsigned)type);
    head(&b, type);
    tn_put_map(&b, 1);
    member(&b, name);
    tn_put_array(&b, count);
    for (size_t i = 0; i < count; i++)
        tn_buf_str(&b, values[i]->cbor);
    return make(&b, ret, reterr);
}

static void put_bound(struct tn_buf *b, const char *name, const double *bound)
{
    member(b, name);
    if (bound == NULL)
        tn_put_null(b);
    else
        tn_put_float(b, *bound);
}

int tenuo_constraint_range(const double *min, const double *max, int min_inclusive, int max_inclusive,
                           struct tenuo_constraint **ret, struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    head(&b, TENUO_C_RANGE);
    tn_put_map(&b, 4);
    put_bound(&b, "min", min);
    put_bound(&b, "max", max);
    member(&b, "min_inclusive");
    tn_put_bool(&b, min_inclusive != 0);
    member(&b, "max_inclusive");
    tn_put_bool(&b, max_inclusive != 0);
    return make(&b, ret, reterr);
}

int tenuo_constraint_combine(enum tenuo_constraint_type type, const struct tenuo_constraint *const *inner, size_t count,
                             struct tenuo_constraint **ret, struct tenuo_error *reterr)
{
    bool not = type == TENUO_C_NOT;
    struct tn_buf b = { 0 };
    if ((!not && type != TENUO_C_ALL && type != TENUO_C_ANY) || (not && count != 1))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "All and Any take a list, Not takes exactly one constraint");
    head(&b, type);
    tn_put_map(&b, 1);
    member(&b, not ? "constraint" : "constraints");
    if (!not)
        tn_put_array(&b, count);
    for (size_t i = 0; i < count; i++)
        tn_buf_str(&b, inner[i]->raw);
    return make(&b, ret, reterr);
}

int tenuo_constraint_subpath(const char *root, size_t len, int case_sensitive, int allow_equal,
                             struct tenuo_constraint **ret, struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)root, len };
    struct tn_buf b = { 0 };
    size_t n = 0;
    uint8_t *normal;
    int r = check_utf8(s, reterr);
    if (r != TENUO_OK)
        return r;
    normal = malloc(len + 1);
    if (normal == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    if (!tn_subpath_normalise(s, case_sensitive == 0, normal, &n)) {
        free(normal);
        return bad(reterr, "a subpath root must be an absolute path");
    }
    head(&b, TENUO_C_SUBPATH);
    tn_put_map(&b, 3);
    member(&b, "root");
    tn_put_text(&b, (struct tn_str){ normal, n });
    member(&b, "case_sensitive");
    tn_put_bool(&b, case_sensitive != 0);
    member(&b, "allow_equal");
    tn_put_bool(&b, allow_equal != 0);
    free(normal);
    return make(&b, ret, reterr);
}

/* An array of C strings; false when one is not UTF-8. */
static bool put_texts(struct tn_buf *b, const char *const *v, size_t n)
{
    bool good = true;
    tn_put_array(b, n);
    for (size_t i = 0; i < n; i++) {
        good = good && tn_utf8_valid(tn_lit(v[i]));
        tn_put_text(b, tn_lit(v[i]));
    }
    return good;
}

int tenuo_constraint_shlex(const char *const *allow, size_t count, struct tenuo_constraint **ret,
                           struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    head(&b, TENUO_C_SHLEX);
    tn_put_map(&b, 1);
    member(&b, "allow");
    if (!put_texts(&b, allow, count)) {
        tn_buf_free(&b);
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a command is not UTF-8");
    }
    return make(&b, ret, reterr);
}

static bool put_list(struct tn_buf *b, const char *name, const char *const *v, size_t n)
{
    member(b, name);
    if (v != NULL)
        return put_texts(b, v, n);
    tn_put_null(b);
    return true;
}

static void put_flag(struct tn_buf *b, const char *name, int on)
{
    member(b, name);
    tn_put_bool(b, on != 0);
}

int tenuo_constraint_url_safe(const struct tenuo_url_safe *o, struct tenuo_constraint **ret, struct tenuo_error *reterr)
{
    static const char *const schemes[] = { "http", "https" };
    struct tenuo_constraint *c = NULL;
    struct tn_buf b = { 0 };
    bool good;
    int r;
    if (o->size != sizeof *o)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT,
                       "struct tenuo_url_safe was built for another version of the library");
    head(&b, TENUO_C_URL_SAFE);
    tn_put_map(&b, 9);
    good = o->schemes != NULL ? put_list(&b, "schemes", o->schemes, o->nschemes) : put_list(&b, "schemes", schemes, 2);
    good = put_list(&b, "allow_domains", o->allow_domains, o->nallow_domains) && good;
    good = put_list(&b, "deny_domains", o->deny_domains, o->ndeny_domains) && good;
    member(&b, "allow_ports");
    if (o->allow_ports == NULL)
        tn_put_null(&b);
    else
        tn_put_array(&b, o->nallow_ports);
    for (size_t i = 0; o->allow_ports != NULL && i < o->nallow_ports; i++)
        tn_put_uint(&b, o->allow_ports[i]);
    put_flag(&b, "block_private", o->block_private);
    put_flag(&b, "block_loopback", o->block_loopback);
    put_flag(&b, "block_metadata", o->block_metadata);
    put_flag(&b, "block_reserved", o->block_reserved);
    put_flag(&b, "block_internal_tlds", o->block_internal_tlds);
    if (!good) {
        tn_buf_free(&b);
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a scheme or domain is not UTF-8");
    }
    r = make(&b, &c, reterr);
    enum tn_match valid = r == TENUO_OK ? tn_url_safe_valid(c->u.url_safe) : TN_TRUE;
    if (valid != TN_TRUE) {
        tenuo_constraint_free(c);
        return valid == TN_NOMEM ? tn_fail_code(reterr, TENUO_E_NOMEM)
                                 : bad(reterr, "a domain is neither a host name nor '*.' and a host name");
    }
    if (r == TENUO_OK)
        *ret = c;
    return r;
}

int tenuo_constraint_match(const struct tenuo_constraint *constraint, const struct tenuo_value *value,
                           const struct tenuo_matchers *matchers, int64_t as_of, int *ret_match,
                           struct tenuo_error *reterr)
{
    struct tn_arg arg = { .value = value->cbor };
    struct tn_val eq = { 0 };
    struct tn_arena arena;
    struct tn_match_env env = TN_MATCH_ENV(matchers, as_of);
    int code = TENUO_OK;
    enum tn_match m = TN_ERROR;
    tn_arena_init(&arena, 256);
    if (tn_value_eq_form(value->cbor, TN_FORM_ARGUMENT, &arena, &eq)) {
        arg.eq = eq.cbor;
        m = tn_constraint_match(constraint, &arg, &env, &code, reterr);
    } else {
        code = tn_fail_code(reterr, TENUO_E_NOMEM);
    }
    tn_arena_free(&arena);
    if (m == TN_ERROR)
        return code;
    *ret_match = m == TN_TRUE ? TENUO_MATCH : TENUO_NO_MATCH;
    return TENUO_OK;
}

int tenuo_constraint_attenuates(const struct tenuo_constraint *parent, const struct tenuo_constraint *child,
                                const struct tenuo_matchers *matchers, int64_t as_of, struct tenuo_error *reterr)
{
    struct tn_match_env env = TN_MATCH_ENV(matchers, as_of);
    return tn_constraint_narrower(parent, child, &env, reterr);
}

/* Leaves in order, without recursion. */
struct walk {
    const struct tenuo_constraint *next[TN_MAX_CONSTRAINT_DEPTH + 1]; /* what is left on each level */
    size_t depth;
};

static bool is_open(const struct tenuo_constraint *c)
{
    return !c->known || c->type == TENUO_C_REGEX || c->type == TENUO_C_CEL;
}

/* The next leaf that core does not judge itself, or NULL. */
static const struct tenuo_constraint *next_open(struct walk *w)
{
    while (w->depth > 0) {
        const struct tenuo_constraint *c = w->next[w->depth - 1];
        if (c == NULL) {
            w->depth--;
            continue;
        }
        w->next[w->depth - 1] = c->next;
        if (is_open(c))
            return c;
        if (c->known && c->child != NULL && w->depth < TN_ARRAY_LEN(w->next))
            w->next[w->depth++] = c->child;
    }
    return NULL;
}

unsigned tenuo_constraint_needs_matcher(const struct tenuo_constraint *constraint)
{
    struct walk w = { .next = { constraint->child }, .depth = 1 };
    const struct tenuo_constraint *c = is_open(constraint) ? constraint : next_open(&w);
    return c == NULL ? 0 : c->type;
}

int tenuo_constraint_check(const struct tenuo_constraint *constraint, const struct tenuo_matchers *matchers,
                           struct tenuo_error *reterr)
{
    struct walk w = { .next = { constraint->child }, .depth = 1 };
    const struct tenuo_constraint *c = is_open(constraint) ? constraint : next_open(&w);
    int r = TENUO_OK;
    for (; c != NULL && r == TENUO_OK; c = next_open(&w))
        r = tn_matchers_have(matchers, c->type)
                ? tn_matchers_check(matchers, (uint8_t)c->type, c->payload, reterr)
                : tn_matchers_missing(c->type, reterr);
    return r;
}
