/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions of the cel matcher: any text, or one made from pieces of the language, and a child made from it.
 * Properties: a program answers twice alike and within its budget, and a child that may replace its parent is true only
 * where the parent is.
 */
#include "../plugins/cel/cel.h"
#include "fuzz.h"

#define MAX_TEXT 8192
#define MAX_NESTING 5

struct text {
    uint8_t p[MAX_TEXT];
    size_t n;
};

static void add(struct text *t, const char *s, size_t n)
{
    if (n <= sizeof t->p - t->n) {
        memcpy(t->p + t->n, s, n);
        t->n += n;
    }
}

static void put(struct text *t, const char *s)
{
    add(t, s, strlen(s));
}

static void put_all(struct text *t, const struct text *other)
{
    add(t, (const char *)other->p, other->n);
}

static void pick(struct text *t, struct source *s, const char *const *table, size_t count)
{
    put(t, table[source_byte(s) % count]);
}
#define PICK(t, s, table) pick(t, s, table, TN_ARRAY_LEN(table))

static const char *const atoms[] = {
    "value",
    "a",
    "x",
    "1",
    "0",
    "-1",
    "2u",
    "1.5",
    "0x10",
    "9223372036854775807",
    "'a'",
    "''",
    "'('",
    "')'",
    "' && ('",
    "'//'",
    "\"b\\\"\"",
    "r'\\'",
    "'''q'''",
    "b'\\x41'",
    "true",
    "false",
    "null",
    "[]",
    "[1, 2, 3]",
    "{'a': 1}",
    "{}",
    "tenuo_object()",
    "duration('1h')",
    "timestamp('2020-01-01T00:00:00Z')",
    "optional.none()",
    "time_now(null)",
    "'10.0.0.1'",
    "value.a",
    "value[0]",
};
static const char *const operators[] = { " && ", " || ", " == ", " != ", " < ", " <= ", " > ", " >= ",  " in ",
                                         " + ",  " - ",  " * ",  " / ",  " % ", "&&",   "||",  "\n==\t" };
static const char *const methods[] = { "size", "contains", "startsWith", "endsWith",    "string",          "int",
                                       "uint", "double",   "max",        "min",         "value",           "hasValue",
                                       "or",   "orValue",  "getHours",   "getFullYear", "getMilliseconds", "nothing" };
static const char *const calls[] = { "size",
                                     "string",
                                     "int",
                                     "double",
                                     "uint",
                                     "bytes",
                                     "max",
                                     "min",
                                     "duration",
                                     "timestamp",
                                     "has",
                                     "optional.of",
                                     "optional.ofNonZeroValue",
                                     "net_in_cidr",
                                     "net_is_private",
                                     "time_since",
                                     "time_is_expired",
                                     "nothing" };
static const char *const macros[] = { ".all(x, ", ".exists(x, ", ".exists_one(x, ",
                                      ".map(x, ", ".filter(a, ", ".map(value, true, " };

static void expression(struct text *t, struct source *s, unsigned depth);

static void arguments(struct text *t, struct source *s, unsigned depth, unsigned count)
{
    put(t, "(");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            put(t, ", ");
        expression(t, s, depth);
    }
    put(t, ")");
}

static void compound(struct text *t, struct source *s, unsigned depth, unsigned kind)
{
    switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3:
        expression(t, s, depth);
        PICK(t, s, operators);
        expression(t, s, depth);
        return;
    case 4:
        put(t, source_byte(s) % 2 ? "!" : "-");
        arguments(t, s, depth, 1);
        return;
    case 5:
        arguments(t, s, depth, 1);
        put(t, " ? ");
        arguments(t, s, depth, 1);
        put(t, " : ");
        expression(t, s, depth);
        return;
    case 6:
        PICK(t, s, calls);
        arguments(t, s, depth, source_byte(s) % 3);
        return;
    case 7:
        PICK(t, s, atoms);
        put(t, ".");
        PICK(t, s, methods);
        arguments(t, s, depth, source_byte(s) % 3);
        return;
    case 8:
        PICK(t, s, atoms);
        PICK(t, s, macros);
        expression(t, s, depth);
        put(t, ")");
        return;
    default:
        arguments(t, s, depth, 1);
        return;
    }
}

static void expression(struct text *t, struct source *s, unsigned depth)
{
    unsigned kind = source_byte(s) % 14;
    if (depth >= MAX_NESTING || kind >= 10)
        PICK(t, s, atoms);
    else
        compound(t, s, depth + 1, kind);
}

/* What an issuer of a child would write, and what an attacker would. */
static void derive(struct text *child, const struct text *parent, struct source *s)
{
    static const char *const joints[] = { ") && (", ")&&(", ") && ", ") || (", " && (", ") && (true) || (" };
    unsigned way = source_byte(s) % 4;
    child->n = 0;
    if (way == 0) {
        put(child, " ");
        put_all(child, parent);
    } else {
        put(child, "(");
        put_all(child, parent);
        PICK(child, s, joints);
        expression(child, s, 2);
        put(child, ")");
    }
    for (unsigned edits = way == 3 ? source_byte(s) % 4 : 0; edits > 0 && child->n > 0; edits--) {
        static const char bytes[] = "()'\"/\n |&tru\\";
        size_t at = (size_t)(source_byte(s) << 8 | source_byte(s)) % child->n;
        child->p[at] = (uint8_t)bytes[source_byte(s) % (sizeof bytes - 1)];
    }
}

static enum cel_kind run(const struct cel_program *program, struct tn_str value, bool *ret)
{
    struct cel_run r = { .bytes = TN_CEL_MEMORY, .steps = TN_CEL_STEPS, .as_of = 1893456000 };
    struct cel_value v;
    tn_arena_init(&r.arena, 256);
    REQUIRE(tn_cel_from_cbor(value, &r, &r.value));
    v = tn_cel_run(program, &r);
    REQUIRE(!r.nomem && r.steps <= TN_CEL_STEPS && r.bytes <= TN_CEL_MEMORY);
    REQUIRE(r.fatal == NULL || strstr(r.fatal, "stack") == NULL);
    *ret = cel_is(&v, CEL_BOOL) && v.b;
    tn_arena_free(&r.arena);
    return v.kind;
}

static const struct tn_str values[] = {
#define VALUE(bytes) \
    { \
        (const uint8_t *)bytes, sizeof bytes - 1 \
    }
    VALUE("\x01"),
    VALUE("\x00"),
    VALUE("\x61"
          "a"),
    VALUE("\x60"),
    VALUE("\xf5"),
    VALUE("\xf6"),
    VALUE("\xf9\x3e\x00"),
    VALUE("\x83\x01\x02\x03"),
    VALUE("\x80"),
    VALUE("\xa1\x61"
          "a\x01"),
    VALUE("\xa2\x61"
          "a\xf5\x65"
          "value\x81\x01"),
    VALUE("\xa0"),
};

/* Both may be no expressions. */
static void check(const struct text *parent, const struct text *child)
{
    struct cel_fault fault = { 0 };
    struct tn_str p = { parent->p, parent->n }, c = { child->p, child->n };
    struct cel_program *of_parent = tn_cel_compile(p, NULL, &fault), *of_child = tn_cel_compile(c, NULL, &fault);
    bool narrower = tn_cel_narrower(p, c, &fault);
    REQUIRE(!narrower || of_child != NULL || of_parent == NULL);
    for (size_t i = 0; i < TN_ARRAY_LEN(values); i++) {
        bool parents = false, again = false, childs = false;
        if (of_parent != NULL) {
            enum cel_kind kind = run(of_parent, values[i], &parents);
            REQUIRE(run(of_parent, values[i], &again) == kind && again == parents);
        }
        if (of_child != NULL)
            run(of_child, values[i], &childs);
        REQUIRE(!narrower || !childs || parents);
    }
    tn_cel_free(of_parent);
    tn_cel_free(of_child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = { data, size };
    static struct text parent, child;
    parent.n = child.n = 0;
    if (source_byte(&s) % 4 == 3) {
        struct source first = source_part(&s);
        add(&parent, (const char *)first.p, first.len);
        add(&child, (const char *)s.p, s.len);
    } else {
        expression(&parent, &s, 0);
        derive(&child, &parent, &s);
    }
    check(&parent, &child);
    return 0;
}
