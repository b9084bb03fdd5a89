/* SPDX-License-Identifier: Apache-2.0 */
/* The signed payload: an integer-keyed map to the fields of a warrant, one reader function a key (spec
 * warrant.md 1.3-1.5). */
#include <stdlib.h>

#include "limits.h"
#include "warrant.h"

struct ctx {
    struct tn_reader *r;
    struct tn_arena *arena;
    struct tenuo_warrant *w;
};

static bool malformed(struct ctx *c, const char *what)
{
    return tn_reader_fail(c->r, TENUO_E_MALFORMED_CBOR, "%s", what);
}

static bool structure(struct ctx *c, const char *what)
{
    return tn_reader_fail(c->r, TENUO_E_PAYLOAD_STRUCTURE, "%s", what);
}

static bool nomem(struct ctx *c)
{
    return tn_reader_fail(c->r, TENUO_E_NOMEM, "memory ran out");
}

static bool read_fixed(struct ctx *c, const char *what, size_t len, const uint8_t **ret)
{
    struct tn_item item = { 0 };
    if (!tn_read_kind(c->r, TN_BYTES, what, &item))
        return false;
    if (item.str.n != len)
        return tn_reader_fail(c->r, TENUO_E_MALFORMED_CBOR, "%s is not %zu bytes long", what, len);
    *ret = item.str.p;
    return true;
}

/* [1, bstr(32)]: algorithm Ed25519 and the raw key. */
static bool read_key(struct ctx *c, const char *what, const uint8_t **ret)
{
    uint64_t algorithm = 0;
    size_t n = 0;
    if (!tn_read_array(c->r, what, &n))
        return false;
    if (n != 2)
        return malformed(c, "a key is not an array of algorithm and bytes");
    if (!tn_read_uint(c->r, "a key algorithm", UINT64_MAX, &algorithm))
        return false;
    if (algorithm != 1)
        return malformed(c, "a key algorithm is not 1 (Ed25519)");
    return read_fixed(c, what, 32, ret);
}

static bool read_version(struct ctx *c) { return tn_read_uint(c->r, "version", 255, &c->w->version); }
static bool read_id(struct ctx *c) { return read_fixed(c, "id", 16, &c->w->id); }
static bool read_type(struct ctx *c) { return tn_read_uint(c->r, "warrant_type", 1, &c->w->type); }
static bool read_holder(struct ctx *c) { return read_key(c, "holder", &c->w->holder); }
static bool read_issuer(struct ctx *c) { return read_key(c, "issuer", &c->w->issuer); }
static bool read_issued_at(struct ctx *c) { return tn_read_uint(c->r, "issued_at", UINT64_MAX, &c->w->issued_at); }
static bool read_expires_at(struct ctx *c) { return tn_read_uint(c->r, "expires_at", UINT64_MAX, &c->w->expires_at); }
static bool read_max_depth(struct ctx *c) { return tn_read_uint(c->r, "max_depth", 255, &c->w->max_depth); }
static bool read_depth(struct ctx *c) { return tn_read_uint(c->r, "depth", UINT32_MAX, &c->w->depth); }

static int tool_cmp(const void *a, const void *b)
{
    const struct tn_tool *x = a, *y = b;
    return tn_str_cmp(x->name, y->name);
}

static bool check_name(struct ctx *c, struct tn_str name)
{
    if (name.n == 0 || name.n > TN_MAX_TOOL_NAME)
        return structure(c, "a tool name is empty or longer than 256 bytes");
    return true;
}

static bool read_tools(struct ctx *c)
{
    bool sorted = true;
    size_t n = 0;
    struct tn_tool *t;
    if (!tn_read_map(c->r, "tools", &n))
        return false;
    if (n > TN_MAX_TOOLS)
        return structure(c, "more than 256 tools");
    t = tn_arena_array(c->arena, n, sizeof *t);
    if (t == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++) {
        if (!tn_read_text(c->r, "a tool name", &t[i].name) || !check_name(c, t[i].name) ||
            !tn_constraint_set_read(c->r, c->arena, &t[i].set))
            return false;
        if (t[i].set.n > TN_MAX_CONSTRAINTS)
            return structure(c, "a tool has more than 64 constraints");
        sorted = sorted && (i == 0 || tool_cmp(&t[i - 1], &t[i]) < 0);
    }
    if (!sorted)
        qsort(t, n, sizeof *t, tool_cmp);
    for (size_t i = 1; !sorted && i < n; i++)
        if (tool_cmp(&t[i - 1], &t[i]) == 0)
            return malformed(c, "a tool name is repeated");
    c->w->tools = t;
    c->w->ntools = n;
    return true;
}

static bool read_parent_hash(struct ctx *c)
{
    struct tn_str s = { 0 };
    if (!tn_read_bytes_or_ints(c->r, "parent_hash", c->arena, &s))
        return false;
    if (s.n != 32)
        return malformed(c, "parent_hash is not 32 bytes long");
    c->w->parent_hash = s.p;
    return true;
}

/* Session and agent id and the gates are told apart here; the rest stays in wire order. */
static bool take_extension(struct ctx *c, struct tn_str key, struct tn_str value)
{
    struct tenuo_warrant *w = c->w;
    bool session = tn_str_eq(key, tn_lit("tenuo.session_id")), agent = tn_str_eq(key, tn_lit("tenuo.agent_id"));
    if (session || agent) {
        if (!tn_utf8_valid(value))
            return malformed(c, "a session or agent id is not UTF-8");
        *(session ? &w->session : &w->agent) = value.p != NULL ? value : tn_lit("");
        return true;
    }
    if (key.n > TN_MAX_EXTENSION_KEY)
        return structure(c, "an extension key is longer than 255 bytes");
    if (value.n > TN_MAX_EXTENSION_VALUE)
        return structure(c, "an extension value is longer than 8192 bytes");
    if (tn_str_eq(key, tn_lit("tenuo.approval_gates")))
        w->gates = value;
    w->extensions[w->nextensions++] = (struct tn_extension){ key, value };
    return true;
}

static int extension_cmp(const void *a, const void *b)
{
    const struct tn_str *x = a, *y = b;
    return tn_str_cmp(*x, *y);
}

static bool check_extension_keys(struct ctx *c, struct tn_str *keys, size_t n)
{
    qsort(keys, n, sizeof *keys, extension_cmp);
    for (size_t i = 1; i < n; i++)
        if (tn_str_eq(keys[i - 1], keys[i]))
            return malformed(c, "an extension key is repeated");
    return true;
}

static bool read_extensions(struct ctx *c)
{
    size_t n = 0;
    struct tn_str *keys;
    if (!tn_read_map(c->r, "extensions", &n))
        return false;
    if (n > TN_MAX_EXTENSIONS + 2)
        return structure(c, "more than 64 extensions");
    keys = tn_arena_array(c->arena, n, sizeof *keys);
    c->w->extensions = tn_arena_array(c->arena, n, sizeof *c->w->extensions);
    if (keys == NULL || c->w->extensions == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++) {
        struct tn_str value = { 0 };
        if (!tn_read_text(c->r, "an extension key", &keys[i]) ||
            !tn_read_bytes_or_ints(c->r, "an extension value", c->arena, &value) || !take_extension(c, keys[i], value))
            return false;
    }
    if (c->w->nextensions > TN_MAX_EXTENSIONS)
        return structure(c, "more than 64 extensions");
    return check_extension_keys(c, keys, n);
}

static bool read_issuable(struct ctx *c)
{
    size_t n = 0;
    if (!tn_read_array(c->r, "issuable_tools", &n))
        return false;
    c->w->issuable = tn_arena_array(c->arena, n, sizeof *c->w->issuable);
    if (c->w->issuable == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++)
        if (!tn_read_text(c->r, "an issuable tool", &c->w->issuable[i]) || !check_name(c, c->w->issuable[i]))
            return false;
    c->w->nissuable = n;
    c->w->has_issuable = true;
    return true;
}

static bool read_removed(struct ctx *c)
{
    return malformed(c, "payload key 12 was removed from the format");
}

static bool read_u32(struct ctx *c, const char *what, int64_t *ret)
{
    uint64_t v = 0;
    if (!tn_read_uint(c->r, what, UINT32_MAX, &v))
        return false;
    *ret = (int64_t)v;
    return true;
}

static bool read_max_issue_depth(struct ctx *c) { return read_u32(c, "max_issue_depth", &c->w->max_issue_depth); }
static bool read_min_approvals(struct ctx *c) { return read_u32(c, "min_approvals", &c->w->min_approvals); }

static bool read_bounds(struct ctx *c)
{
    c->w->bounds = tn_arena_alloc(c->arena, sizeof *c->w->bounds);
    return c->w->bounds != NULL ? tn_constraint_set_read(c->r, c->arena, c->w->bounds) : nomem(c);
}

static int approver_cmp(const void *a, const void *b)
{
    return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b, 32);
}

/* How many different keys there are: builders send them sorted, so there is mostly nothing to sort. */
static bool count_approvers(struct ctx *c)
{
    struct tenuo_warrant *w = c->w;
    const uint8_t **keys = w->approvers;
    bool sorted = true;
    for (size_t i = 1; i < w->napprovers; i++)
        sorted = sorted && approver_cmp(&keys[i - 1], &keys[i]) < 0;
    if (!sorted) {
        keys = tn_arena_array(c->arena, w->napprovers, sizeof *keys);
        if (keys == NULL)
            return nomem(c);
        memcpy(keys, w->approvers, w->napprovers * sizeof *keys);
        qsort(keys, w->napprovers, sizeof *keys, approver_cmp);
    }
    for (size_t i = 0; i < w->napprovers; i++)
        w->ndistinct += i == 0 || memcmp(keys[i - 1], keys[i], 32) != 0;
    return true;
}

static bool read_approvers(struct ctx *c)
{
    size_t n = 0;
    if (!tn_read_array(c->r, "required_approvers", &n))
        return false;
    c->w->approvers = tn_arena_array(c->arena, n, sizeof *c->w->approvers);
    if (c->w->approvers == NULL)
        return nomem(c);
    for (size_t i = 0; i < n; i++)
        if (!read_key(c, "an approver", &c->w->approvers[i]))
            return false;
    c->w->napprovers = n;
    c->w->has_approvers = true;
    return count_approvers(c);
}

static bool read_clearance(struct ctx *c)
{
    uint64_t v = 0;
    if (!tn_read_uint(c->r, "clearance", 255, &v))
        return false;
    c->w->clearance = (int)v;
    return true;
}

static const struct {
    bool (*read)(struct ctx *c);
    bool required, nullable;
} fields[] = {
    [0] = { read_version, true, false },       [1] = { read_id, true, false },
    [2] = { read_type, true, false },          [3] = { read_tools, true, false },
    [4] = { read_holder, true, false },        [5] = { read_issuer, true, false },
    [6] = { read_issued_at, true, false },     [7] = { read_expires_at, true, false },
    [8] = { read_max_depth, true, false },     [9] = { read_parent_hash, false, true },
    [10] = { read_extensions, false, false },  [11] = { read_issuable, false, true },
    [12] = { read_removed, false, false },     [13] = { read_max_issue_depth, false, true },
    [14] = { read_bounds, false, true },       [15] = { read_approvers, false, true },
    [16] = { read_min_approvals, false, true }, [17] = { read_clearance, false, true },
    [18] = { read_depth, false, false },
};

bool tn_payload_read(struct tn_reader *r, struct tn_arena *arena, struct tenuo_warrant *w)
{
    struct ctx c = { r, arena, w };
    uint64_t key = 0, next = 0; /* next: lowest key that may follow */
    size_t n = 0;
    w->max_issue_depth = w->min_approvals = -1;
    w->clearance = -1;
    if (!tn_read_map(r, "the payload", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!tn_read_uint(r, "a payload key", TN_ARRAY_LEN(fields) - 1, &key))
            return false;
        if (key < next)
            return malformed(&c, "payload keys do not ascend");
        for (; next < key; next++)
            if (fields[next].required)
                return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "payload key %llu is missing",
                                      (unsigned long long)next);
        next = key + 1;
        if (!(fields[key].nullable && tn_read_null(r)) && !fields[key].read(&c))
            return false;
    }
    if (next < 9)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "payload key %llu is missing", (unsigned long long)next);
    return tn_read_end(r, "the payload map");
}
