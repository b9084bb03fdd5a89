/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two gate maps and a call: a map that is read is written in one form that reads back; a link accepts a map unchanged,
 * and the merge of a parent's with any other; and where it accepts, a call gated by the parent is gated by the child.
 */
#include "../core/gate.h"
#include "fuzz.h"

/* A map for the tools "t" and "*", each with up to two arguments, or bytes as they come. */
static void put_args(struct tn_buf *b, struct gen constraints[2], struct source *source, const struct gen *like)
{
    unsigned n = source_byte(source) % 4;
    if (n == 3) {
        tn_put_null(b);
        return;
    }
    tn_put_map(b, n);
    for (unsigned i = 0; i < n; i++) {
        unsigned kind = source_byte(source) % 4;
        tn_put_text(b, tn_lit(i == 0 ? "a" : "b"));
        if (like != NULL)
            gen_narrowed(&constraints[i], &like[i], source);
        else
            gen_constraint(&constraints[i], source, 0);
        if (kind == 0) {
            tn_put_text(b, tn_lit("all"));
            continue;
        }
        if (kind >= 2) {
            tn_put_map(b, 1);
            tn_put_text(b, tn_lit("exempt"));
        }
        tn_buf_put(b, constraints[i].bytes, constraints[i].len);
    }
}

static void put_map(struct tn_buf *b, struct gen constraints[2], struct source *source, const struct gen *like)
{
    unsigned which = source_byte(source) % 8;
    if (which == 7) {
        struct source part = source_part(source);
        tn_buf_put(b, part.p, part.len);
        return;
    }
    bool star = which % 2 == 1, tool = which != 0 && which != 3;
    tn_put_map(b, (size_t)star + tool);
    for (int i = 0; i < 2; i++) {
        if (!(i == 0 ? star : tool))
            continue;
        tn_put_text(b, tn_lit(i == 0 ? "*" : "t"));
        tn_put_map(b, 1);
        tn_put_text(b, tn_lit("args"));
        put_args(b, constraints, source, like);
    }
}

static void require_written(struct tn_str bytes, struct tn_arena *arena)
{
    struct tn_gate_map map = { 0 }, again = { 0 };
    struct tn_buf first = { 0 }, second = { 0 };
    REQUIRE(tn_gate_map_read(bytes, arena, &map, NULL) == 0);
    tn_gate_map_write(&first, &map);
    REQUIRE(!first.failed && tn_gate_map_read(tn_buf_view(&first), arena, &again, NULL) == 0);
    tn_gate_map_write(&second, &again);
    REQUIRE(tn_str_eq(tn_buf_view(&first), tn_buf_view(&second)));
    tn_buf_free(&first);
    tn_buf_free(&second);
}

static struct tenuo_warrant carrying(struct tn_str gates)
{
    static const uint8_t key[32] = { 9 };
    static const uint8_t *keys[] = { key };
    static struct tn_tool tool;
    tool.name = tn_lit("*");
    return (struct tenuo_warrant){ .gates = gates,
                                   .approvers = keys,
                                   .napprovers = 1,
                                   .ndistinct = 1,
                                   .min_approvals = -1,
                                   .tools = &tool,
                                   .ntools = 1 };
}

static int link_of(struct tn_str parent, struct tn_str child)
{
    const struct tenuo_warrant p = carrying(parent), c = carrying(child);
    struct tn_match_env env = TN_MATCH_ENV(NULL, 0);
    return tn_gate_link(&p, &c, &env, NULL);
}

static int ask(const struct tn_gate_map *map, const struct tenuo_args *args, bool *ret_fires)
{
    struct tn_match_env env = TN_MATCH_ENV(NULL, 0);
    const struct tn_gate *gate = NULL;
    int r = tn_gate_fires(map, tn_lit("t"), args, false, &env, &gate, NULL);
    *ret_fires = gate != NULL;
    return r;
}

static void add_value(struct tenuo_args *args, const char *name, struct source *source)
{
    struct tenuo_value *value = NULL;
    static struct gen g;
    g.len = 0;
    gen_value(&g, source);
    if (source_byte(source) % 8 != 0 && tenuo_value_parse(g.bytes, g.len, &value, NULL) == 0)
        REQUIRE(tenuo_args_put(args, name, 1, value, NULL) == 0);
    tenuo_value_free(value);
}

/* What the parent asks an approval for, the child does not let through without one. */
static void require_kept(const struct tn_gate_map *p, const struct tn_gate_map *c, struct source *source)
{
    struct tenuo_args *args = NULL;
    bool before = false, after = false;
    REQUIRE(tenuo_args_new(&args, NULL) == 0);
    add_value(args, "a", source);
    add_value(args, "b", source);
    if (ask(p, args, &before) == 0 && before && ask(c, args, &after) == 0)
        REQUIRE(after);
    tenuo_args_free(args);
}

/* It equals nothing, so a gate with it cannot be passed on. */
static bool has_nan(struct tn_str gates)
{
    static const uint8_t nan[] = { 0xf9, 0x7e, 0x00 };
    return memmem(gates.p, gates.n, nan, sizeof nan) != NULL;
}

static void require_merged(struct tn_str parent, const struct tn_gate_map *p, const struct tn_gate_map *c,
                           struct tn_arena *arena)
{
    struct tn_gate_map merged = { 0 };
    struct tn_buf b = { 0 };
    REQUIRE(tn_gate_map_merge(p, c, arena, &merged));
    tn_gate_map_write(&b, &merged);
    REQUIRE(!b.failed && (link_of(parent, tn_buf_view(&b)) == 0 || has_nan(parent)));
    tn_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source source = { data, size };
    struct tn_gate_map pm = { 0 }, cm = { 0 };
    struct tn_buf p = { 0 }, c = { 0 };
    static struct gen first[2], second[2];
    struct tn_arena arena;
    tn_arena_init(&arena, 4096);
    first[0].len = first[1].len = 0;
    put_map(&p, first, &source, NULL);
    put_map(&c, second, &source, first[0].len != 0 && first[1].len != 0 ? first : NULL);
    if (tn_gate_map_read(tn_buf_view(&p), &arena, &pm, NULL) == 0 && p.n != 0) {
        require_written(tn_buf_view(&p), &arena);
        REQUIRE(link_of(tn_buf_view(&p), tn_buf_view(&p)) == 0 || has_nan(tn_buf_view(&p)));
        if (tn_gate_map_read(tn_buf_view(&c), &arena, &cm, NULL) == 0 && c.n != 0) {
            require_merged(tn_buf_view(&p), &pm, &cm, &arena);
            if (link_of(tn_buf_view(&p), tn_buf_view(&c)) == 0)
                require_kept(&pm, &cm, &source);
        }
    }
    tn_arena_free(&arena);
    tn_buf_free(&p);
    tn_buf_free(&c);
    return 0;
}
