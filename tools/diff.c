/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between two warrants, field by field, and whether the second allows anything that the first does not.
 * Constraints are judged by the library's own attenuation rules and by nothing else; numbers, times and lists are
 * compared as a link demands. Nothing here says that either warrant may be trusted.
 */
#include "diff.h"

#include <string.h>

typedef const struct tenuo_warrant *warrant;

static const char gates_key[] = "tenuo.approval_gates";
static const char *const words[VERDICTS] = { "same", "narrower", "changed", "undecided", "wider", "incomparable" };

json_t *diff_row(struct diff *d, const char *field, enum verdict v, json_t *parent, json_t *child)
{
    json_t *r = json_object();
    if (!r)
        cli_no_memory();
    cli_set(r, "field", json_string(field));
    cli_set(r, "verdict", json_string(words[v]));
    cli_set(r, "parent", parent ? parent : json_null());
    cli_set(r, "child", child ? child : json_null());
    cli_append(d->rows, r);
    d->seen[v] = true;
    return r;
}

void diff_because(json_t *r, enum verdict v, const char *reason)
{
    if (v >= UNDECIDED)
        cli_set(r, "reason", cli_text(reason, strlen(reason)));
}

static json_t *number(int64_t n)
{
    return n < 0 ? json_null() : json_integer(n);
}

static void number_row(struct diff *d, const char *field, enum verdict v, int64_t p, int64_t c, const char *reason)
{
    if (p != c)
        diff_because(diff_row(d, field, v, number(p), number(c)), v, reason);
}

static json_t *time_text(uint64_t when)
{
    char text[CLI_TIME_TEXT];
    cli_time_text(when, text);
    return json_string(text);
}

static void times(struct diff *d)
{
    uint64_t p = tenuo_warrant_issued_at(d->p), c = tenuo_warrant_issued_at(d->c);
    if (p != c)
        diff_row(d, "issued_at", CHANGED, time_text(p), time_text(c));
    p = tenuo_warrant_expires_at(d->p);
    c = tenuo_warrant_expires_at(d->c);
    enum verdict v = p == c ? SAME : c < p ? NARROWER : WIDER;
    diff_because(diff_row(d, "expires_at", v, time_text(p), time_text(c)), v, "it expires after the parent");
}

static void numbers(struct diff *d)
{
    int64_t p = tenuo_warrant_max_depth(d->p), c = tenuo_warrant_max_depth(d->c);
    number_row(d, "depth", CHANGED, tenuo_warrant_depth(d->p), tenuo_warrant_depth(d->c), NULL);
    number_row(d, "max_depth", c < p ? NARROWER : WIDER, p, c, "it is above the parent's");
    p = tenuo_warrant_max_issue_depth(d->p);
    c = tenuo_warrant_max_issue_depth(d->c);
    if (tenuo_warrant_get_type(d->c) == TENUO_ISSUER)
        number_row(d, "max_issue_depth", p < 0 || (c >= 0 && c < p) ? NARROWER : WIDER, p, c,
                   "it is raised or dropped");
    p = tenuo_warrant_clearance(d->p);
    c = tenuo_warrant_clearance(d->c);
    number_row(d, "clearance", c < p ? NARROWER : WIDER, p, c,
               p < 0 ? "the parent states none" : "it is above the parent's");
}

static void key_row(struct diff *d, const char *field, const uint8_t *p, const uint8_t *c)
{
    if (memcmp(p, c, TENUO_PUBLIC_KEY_BYTES) != 0)
        diff_row(d, field, CHANGED, cli_key_json(p), cli_key_json(c));
}

static void text_row(struct diff *d, const char *field, const char *(*get)(const struct tenuo_warrant *, size_t *))
{
    size_t n = 0, m = 0;
    const char *p = get(d->p, &n), *c = get(d->c, &m);
    if (!p != !c || (p && (n != m || memcmp(p, c, n) != 0)))
        diff_row(d, field, CHANGED, p ? cli_text(p, n) : NULL, c ? cli_text(c, m) : NULL);
}

static json_t *type_json(warrant w)
{
    return json_string(tenuo_warrant_get_type(w) == TENUO_ISSUER ? "issuer" : "execution");
}

static void identity(struct diff *d)
{
    enum tenuo_warrant_type p = tenuo_warrant_get_type(d->p), c = tenuo_warrant_get_type(d->c);
    enum verdict v = p == TENUO_ISSUER ? CHANGED : WIDER;
    if (p != c)
        diff_because(diff_row(d, "type", v, type_json(d->p), type_json(d->c)), v,
                     "an execution warrant cannot delegate an issuer warrant");
    key_row(d, "issuer", tenuo_warrant_issuer(d->p), tenuo_warrant_issuer(d->c));
    key_row(d, "holder", tenuo_warrant_holder(d->p), tenuo_warrant_holder(d->c));
    text_row(d, "session_id", tenuo_warrant_session_id);
    text_row(d, "agent_id", tenuo_warrant_agent_id);
}

static const uint8_t *extension(warrant w, const char *key, size_t len, size_t *ret_len)
{
    for (size_t i = 0; i < tenuo_warrant_extension_count(w); i++) {
        size_t n;
        const char *at = tenuo_warrant_extension_key(w, i, &n);
        if (n == len && memcmp(at, key, n) == 0)
            return tenuo_warrant_extension_value(w, i, ret_len);
    }
    return NULL;
}

/* An extension as the other warrant has it; each is shown once, so the second walk skips what both have. */
static void extension_rows(struct diff *d, bool from_child)
{
    warrant from = from_child ? d->c : d->p, other = from_child ? d->p : d->c;
    for (size_t i = 0; i < tenuo_warrant_extension_count(from); i++) {
        size_t len, n, m = 0;
        const char *key = tenuo_warrant_extension_key(from, i, &len);
        if (len == sizeof gates_key - 1 && memcmp(key, gates_key, len) == 0)
            continue; /* compared as gates */
        const uint8_t *x = tenuo_warrant_extension_value(from, i, &n), *y = extension(other, key, len, &m);
        if ((y && from_child) || (y && n == m && memcmp(x, y, n) == 0))
            continue;
        json_t *mine = cli_hex_json(x, n), *its = y ? cli_hex_json(y, m) : NULL;
        json_t *r = diff_row(d, "extension", CHANGED, from_child ? its : mine, from_child ? mine : its);
        cli_set(r, "key", cli_text(key, len));
    }
}

static bool linked(warrant p, warrant c)
{
    uint8_t hash[32];
    const uint8_t *named = tenuo_warrant_parent_hash(c);
    tenuo_warrant_payload_hash(p, hash);
    return named && memcmp(named, hash, sizeof hash) == 0 &&
           memcmp(tenuo_warrant_issuer(c), tenuo_warrant_holder(p), TENUO_PUBLIC_KEY_BYTES) == 0;
}

static json_t *side(warrant w)
{
    json_t *object = json_object();
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    if (!object)
        cli_no_memory();
    tenuo_warrant_id_text(tenuo_warrant_id(w), id);
    cli_set(object, "id", json_string(id));
    cli_set(object, "type", type_json(w));
    return object;
}

json_t *cli_diff(const struct tenuo_warrant *parent, const struct tenuo_warrant *child,
                 const struct tenuo_matchers *matchers, int64_t as_of)
{
    struct diff d = { .p = parent, .c = child, .matchers = matchers, .as_of = as_of, .rows = json_array() };
    json_t *object = json_object();
    if (!object || !d.rows)
        cli_no_memory();
    identity(&d);
    times(&d);
    numbers(&d);
    diff_tools(&d);
    diff_issuable(&d);
    diff_bounds(&d);
    diff_gates(&d);
    extension_rows(&d, false);
    extension_rows(&d, true);
    cli_set(object, "parent", side(parent));
    cli_set(object, "child", side(child));
    cli_set(object, "linked", json_boolean(linked(parent, child)));
    cli_set(object, "verdict",
            json_string(words[d.seen[WIDER] || d.seen[INCOMPARABLE] ? WIDER
                              : d.seen[UNDECIDED]                   ? UNDECIDED
                              : d.seen[NARROWER]                    ? NARROWER
                                                                    : SAME]));
    cli_set(object, "fields", d.rows);
    return object;
}
