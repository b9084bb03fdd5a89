/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a gate map (spec governance.md 6.1; stance 11 of section 14: no repeated name, no trailing byte), and what
 * the public view of it answers. Judges nothing. */
#include "gate.h"

#include <stdlib.h>

#include "err.h"
#include "limits.h"

static bool malformed(struct tn_reader *r, const char *what)
{
    return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "approval gates: %s", what);
}

static int arg_cmp(const void *a, const void *b)
{
    const struct tn_arg_gate *x = a, *y = b;
    return tn_str_cmp(x->name, y->name);
}

static int gate_cmp(const void *a, const void *b)
{
    const struct tn_gate *x = a, *y = b;
    return tn_str_cmp(x->tool, y->tool);
}

/* An exemption must say "no" for what it does not know: these types cannot, or would exempt everything. */
bool tn_gate_may_exempt(const struct tenuo_constraint *c)
{
    return c->known && c->type != TENUO_C_WILDCARD && c->type != TENUO_C_ANY && c->type != TENUO_C_NOT &&
           c->type != TENUO_C_CEL;
}

/* Bytes of the character at the front. */
static size_t char_len(struct tn_str s)
{
    size_t n = 1;
    while (n < s.n && (s.p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static struct tn_str trim(struct tn_str s)
{
    size_t at = 0, start = s.n, end = s.n;
    while (at < s.n) {
        const struct tn_str rest = { s.p + at, s.n - at };
        size_t blank = tn_blank_len(rest), n = blank != 0 ? blank : char_len(rest);
        if (blank == 0 && start == s.n)
            start = at;
        at += n;
        if (blank == 0)
            end = at;
    }
    return (struct tn_str){ s.p + start, end - start };
}

struct tn_str tn_gate_message(struct tn_str text)
{
    const struct tn_str all = trim(text);
    struct tn_str rest = all;
    for (size_t i = 0; i < TN_GATES_MESSAGE_CHARS && rest.n > 0; i++) {
        size_t n = char_len(rest);
        rest.p += n;
        rest.n -= n;
    }
    return all.n == 0 ? (struct tn_str){ 0 } : (struct tn_str){ all.p, all.n - rest.n };
}

static bool read_exempt(struct tn_reader *r, struct tn_arena *arena, struct tn_arg_gate *g)
{
    struct tn_str key = { 0 };
    size_t n = 0;
    if (!tn_read_map(r, "an exemption", &n) || !tn_read_text(r, "an exemption's key", &key))
        return false;
    if (n != 1 || !tn_str_eq(key, tn_lit("exempt")))
        return malformed(r, "an argument's map is not {\"exempt\": constraint}");
    g->kind = TENUO_GATE_EXEMPT;
    if (!tn_constraint_read(r, arena, &g->constraint))
        return false;
    return tn_gate_may_exempt(g->constraint) || malformed(r, "this constraint type cannot be an exemption");
}

static bool read_arg_gate(struct tn_reader *r, struct tn_arena *arena, struct tn_arg_gate *g)
{
    struct tn_str text = { 0 };
    unsigned major;
    if (!tn_read_text(r, "an argument name", &g->name))
        return false;
    major = r->p < r->end ? *r->p >> 5 : 7;
    if (major == 5)
        return read_exempt(r, arena, g);
    if (major == 4) {
        g->kind = TENUO_GATE_CONSTRAINT;
        return tn_constraint_read(r, arena, &g->constraint);
    }
    g->kind = TENUO_GATE_ALL;
    if (!tn_read_text(r, "an argument's gate", &text))
        return false;
    return tn_str_eq(text, tn_lit("all")) || malformed(r, "an argument's gate is a text other than \"all\"");
}

static bool read_args(struct tn_reader *r, struct tn_arena *arena, struct tn_gate *g)
{
    if (tn_read_null(r)) {
        g->whole = true;
        return true;
    }
    if (!tn_read_map(r, "a gate's arguments", &g->nargs))
        return false;
    g->args = tn_arena_array(arena, g->nargs, sizeof *g->args);
    if (g->args == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < g->nargs; i++)
        if (!read_arg_gate(r, arena, &g->args[i]))
            return false;
    qsort(g->args, g->nargs, sizeof *g->args, arg_cmp);
    for (size_t i = 1; i < g->nargs; i++)
        if (arg_cmp(&g->args[i - 1], &g->args[i]) == 0)
            return malformed(r, "an argument is repeated");
    return true;
}

static bool read_message(struct tn_reader *r, struct tn_gate *g)
{
    struct tn_str text = { 0 };
    if (tn_read_null(r))
        return true;
    if (!tn_read_text(r, "a message", &text))
        return false;
    g->message = tn_gate_message(text);
    return true;
}

/* Members: args (required), message (optional text); others are ignored, as the reference does. */
static bool read_gate(struct tn_reader *r, struct tn_arena *arena, struct tn_gate *g)
{
    bool has_args = false, has_message = false;
    size_t n = 0;
    if (!tn_read_text(r, "a gated tool", &g->tool) || !tn_read_map(r, "a gate", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct tn_str key = { 0 }, ignored;
        bool args, message;
        if (!tn_read_text(r, "a gate's member", &key))
            return false;
        args = tn_str_eq(key, tn_lit("args"));
        message = tn_str_eq(key, tn_lit("message"));
        if ((args && has_args) || (message && has_message))
            return malformed(r, "a member is repeated");
        has_args = has_args || args;
        has_message = has_message || message;
        if (!(args ? read_args(r, arena, g) : message ? read_message(r, g) : tn_read_opaque(r, &ignored)))
            return false;
    }
    return has_args || malformed(r, "a gate has no args");
}

static bool read_map(struct tn_reader *r, struct tn_arena *arena, struct tn_gate_map *map)
{
    if (!tn_read_map(r, "the gate map", &map->n))
        return false;
    map->gates = tn_arena_array(arena, map->n, sizeof *map->gates);
    if (map->gates == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < map->n; i++)
        if (!read_gate(r, arena, &map->gates[i]))
            return false;
    qsort(map->gates, map->n, sizeof *map->gates, gate_cmp);
    for (size_t i = 1; i < map->n; i++)
        if (gate_cmp(&map->gates[i - 1], &map->gates[i]) == 0)
            return malformed(r, "a tool is repeated");
    return tn_read_end(r, "the gate map");
}

int tn_gate_map_read(struct tn_str bytes, struct tn_arena *arena, struct tn_gate_map *ret, struct tenuo_error *err)
{
    struct tn_gate_map map = { 0 };
    struct tn_reader r;
    if (bytes.n != 0) {
        tn_reader_init(&r, bytes, err);
        if (!read_map(&r, arena, &map))
            return r.code;
    }
    *ret = map;
    return TENUO_OK;
}

struct tn_gate *tn_gate_find(const struct tn_gate_map *map, struct tn_str tool)
{
    const struct tn_gate key = { .tool = tool };
    return map->n == 0 ? NULL : bsearch(&key, map->gates, map->n, sizeof key, gate_cmp);
}

struct tn_arg_gate *tn_gate_find_arg(const struct tn_gate *gate, struct tn_str name)
{
    const struct tn_arg_gate key = { .name = name };
    return gate->nargs == 0 ? NULL : bsearch(&key, gate->args, gate->nargs, sizeof key, arg_cmp);
}

struct tenuo_gates {
    struct tn_arena arena;
    struct tn_gate_map map;
};

int tenuo_gates_of(const struct tenuo_warrant *warrant, struct tenuo_gates **ret_gates, struct tenuo_error *reterr)
{
    struct tenuo_gates *g;
    uint8_t *copy;
    int r;
    if (warrant->gates.n == 0) {
        *ret_gates = NULL;
        return TENUO_OK;
    }
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    tn_arena_init(&g->arena, 1024);
    copy = tn_arena_alloc(&g->arena, warrant->gates.n);
    if (copy != NULL)
        memcpy(copy, warrant->gates.p, warrant->gates.n);
    r = copy == NULL ? tn_fail_code(reterr, TENUO_E_NOMEM)
                     : tn_gate_map_read((struct tn_str){ copy, warrant->gates.n }, &g->arena, &g->map, reterr);
    if (r != TENUO_OK) {
        tenuo_gates_free(g);
        return r;
    }
    *ret_gates = g;
    return TENUO_OK;
}

void tenuo_gates_free(struct tenuo_gates *gates)
{
    if (gates == NULL)
        return;
    tn_arena_free(&gates->arena);
    free(gates);
}

static const char *lend(struct tn_str s, size_t *ret_len)
{
    *ret_len = s.n;
    return (const char *)s.p;
}

size_t tenuo_gates_count(const struct tenuo_gates *gates)
{
    return gates == NULL ? 0 : gates->map.n;
}

const char *tenuo_gates_tool(const struct tenuo_gates *gates, size_t index, size_t *ret_len)
{
    return index < gates->map.n ? lend(gates->map.gates[index].tool, ret_len) : NULL;
}

int tenuo_gates_is_whole(const struct tenuo_gates *gates, size_t index)
{
    return index < gates->map.n && gates->map.gates[index].whole;
}

const char *tenuo_gates_message(const struct tenuo_gates *gates, size_t index, size_t *ret_len)
{
    return index < gates->map.n ? lend(gates->map.gates[index].message, ret_len) : NULL;
}

size_t tenuo_gates_arg_count(const struct tenuo_gates *gates, size_t index)
{
    return index < gates->map.n ? gates->map.gates[index].nargs : 0;
}

static const struct tn_arg_gate *arg_of(const struct tenuo_gates *gates, size_t index, size_t arg)
{
    return arg < tenuo_gates_arg_count(gates, index) ? &gates->map.gates[index].args[arg] : NULL;
}

const char *tenuo_gates_arg_name(const struct tenuo_gates *gates, size_t index, size_t arg, size_t *ret_len)
{
    const struct tn_arg_gate *g = arg_of(gates, index, arg);
    return g == NULL ? NULL : lend(g->name, ret_len);
}

enum tenuo_gate_kind tenuo_gates_arg_kind(const struct tenuo_gates *gates, size_t index, size_t arg)
{
    const struct tn_arg_gate *g = arg_of(gates, index, arg);
    return g == NULL ? TENUO_GATE_ALL : g->kind;
}

const struct tenuo_constraint *tenuo_gates_arg_constraint(const struct tenuo_gates *gates, size_t index, size_t arg)
{
    const struct tn_arg_gate *g = arg_of(gates, index, arg);
    return g == NULL ? NULL : g->constraint;
}
