/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo-hostile FILE...: the bytes of every vector case truncated at every length, bit-flipped and mutated, with a
 * fixed seed.
 *
 * What must hold: nothing crashes (run it under ASan and UBSan); no strict prefix of what is accepted is accepted; a
 * spoilt warrant or stack is accepted only if every warrant in it stands unspoilt in the files; a spoilt constraint,
 * value or argument map gives the same answer twice, and what is accepted encodes to bytes that read back as
 * themselves.
 */
#include "../vectors_runner/runner.h"
#include "mutate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 20240101u
#define MAX_KNOWN 16384
#define MAX_SHOWN 20
#define WHOLE_LENGTHS 2048 /* inputs up to this size are cut at every length, longer ones at 512 lengths */

static struct {
    uint8_t known[MAX_KNOWN][32]; /* payload hashes of the warrants in the files */
    size_t nknown;
    unsigned long tried, accepted, failed;
    unsigned scale;
    struct rng rng;
    const char *id;
} t;

static void fail(const char *what, const uint8_t *p, size_t len)
{
    if (t.failed++ >= MAX_SHOWN)
        return;
    (void)printf("FAIL %s: %s: ", t.id, what);
    for (size_t i = 0; i < len && i < 128; i++)
        (void)printf("%02x", p[i]);
    (void)printf("%s\n", len > 128 ? "..." : "");
}

static bool known(const struct tenuo_warrant *w)
{
    uint8_t hash[32];
    tenuo_warrant_payload_hash(w, hash);
    for (size_t i = 0; i < t.nknown; i++)
        if (memcmp(t.known[i], hash, sizeof hash) == 0)
            return true;
    return false;
}

static void learn(const struct tenuo_stack *stack)
{
    for (size_t i = 0; i < tenuo_stack_length(stack); i++) {
        const struct tenuo_warrant *w = tenuo_stack_warrant(stack, i);
        if (!known(w) && t.nknown < MAX_KNOWN)
            tenuo_warrant_payload_hash(w, t.known[t.nknown++]);
    }
}

typedef int stack_fn(const uint8_t *, size_t, struct tenuo_stack **, struct tenuo_error *);
/* Reads one input; true when it is accepted. */
typedef bool probe_fn(const uint8_t *p, size_t len);

static bool probe_stack_with(stack_fn *parse, const uint8_t *p, size_t len)
{
    struct tenuo_stack *stack = NULL;
    t.tried++;
    if (parse(p, len, &stack, NULL) != 0)
        return false;
    t.accepted++;
    for (size_t i = 0; i < tenuo_stack_length(stack); i++)
        if (!known(tenuo_stack_warrant(stack, i)))
            fail("a warrant that stands nowhere in the files is accepted", p, len);
    tenuo_stack_free(stack);
    return true;
}

static bool probe_stack(const uint8_t *p, size_t len)
{
    return probe_stack_with(tenuo_stack_parse, p, len);
}

static bool probe_text(const uint8_t *p, size_t len)
{
    struct tenuo_signer *signer = NULL;
    uint8_t key[TENUO_PUBLIC_KEY_BYTES], id[TENUO_WARRANT_ID_BYTES], level;
    const char *text = (const char *)p;
    bool accepted = probe_stack_with(tenuo_stack_parse_any, p, len);
    if (tenuo_signer_from_text(text, len, &signer, NULL) == 0)
        tenuo_signer_free(signer);
    (void)!tenuo_public_key_parse(text, len, key, NULL);
    (void)!tenuo_public_key_parse_pem(text, len, key, NULL);
    (void)!tenuo_warrant_id_parse(text, len, id, NULL);
    (void)!tenuo_clearance_parse(text, len, &level, NULL);
    return accepted;
}

/* Answer of one constraint on a few values and on itself, as one number. */
static int constraint_answer(const struct tenuo_constraint *c)
{
    static const uint8_t values[][12] = { "\x61"
                                          "a",
                                          "\x05",
                                          "\xf9\x3c\x00",
                                          "\x82\x61"
                                          "a\x61"
                                          "b",
                                          "\x6a/data/x/10",
                                          "\xa1\x61k\xf6" };
    static const size_t lens[] = { 2, 1, 3, 5, 11, 4 };
    int sum = tenuo_constraint_attenuates(c, c, NULL, 0, NULL);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct tenuo_value *value = NULL;
        int match = 0, rc = tenuo_value_parse(values[i], lens[i], &value, NULL);
        if (rc == 0)
            rc = tenuo_constraint_match(c, value, NULL, 0, &match, NULL);
        tenuo_value_free(value);
        sum = (sum * 31 + rc * 2 + match) & 0xffffff;
    }
    return sum;
}

static void check_constraint(struct tenuo_constraint *c, const uint8_t *p, size_t len)
{
    struct tenuo_constraint *again = NULL;
    size_t n = 0, m = 0;
    const uint8_t *bytes = tenuo_constraint_cbor(c, &n);
    int first = constraint_answer(c);
    if (first != constraint_answer(c))
        fail("two answers of one constraint differ", p, len);
    if (tenuo_constraint_parse(bytes, n, &again, NULL) != 0) {
        fail("an accepted constraint does not read back", p, len);
        return;
    }
    const uint8_t *second = tenuo_constraint_cbor(again, &m);
    if (n != m || memcmp(bytes, second, n) != 0 || first != constraint_answer(again))
        fail("a constraint that was read back differs", p, len);
    tenuo_constraint_free(again);
}

static bool probe_constraint(const uint8_t *p, size_t len)
{
    struct tenuo_constraint *c = NULL;
    t.tried++;
    if (tenuo_constraint_parse(p, len, &c, NULL) != 0)
        return false;
    t.accepted++;
    check_constraint(c, p, len);
    tenuo_constraint_free(c);
    return true;
}

static bool probe_set(const uint8_t *p, size_t len)
{
    struct tenuo_constraint_set *set = NULL;
    t.tried++;
    if (tenuo_constraint_set_parse(p, len, &set, NULL) != 0)
        return false;
    t.accepted++;
    if (tenuo_constraint_set_attenuates(set, set, NULL, 0, NULL) !=
        tenuo_constraint_set_attenuates(set, set, NULL, 0, NULL))
        fail("two answers of one set differ", p, len);
    tenuo_constraint_set_free(set);
    return true;
}

static bool probe_value(const uint8_t *p, size_t len)
{
    struct tenuo_value *value = NULL, *again = NULL;
    size_t n = 0, m = 0;
    t.tried++;
    if (tenuo_value_parse(p, len, &value, NULL) != 0)
        return false;
    t.accepted++;
    const uint8_t *bytes = tenuo_value_cbor(value, &n), *second = NULL;
    if (tenuo_value_parse(bytes, n, &again, NULL) == 0)
        second = tenuo_value_cbor(again, &m);
    if (second == NULL || n != m || memcmp(bytes, second, n) != 0)
        fail("a value does not read back as itself", p, len);
    tenuo_value_free(again);
    tenuo_value_free(value);
    return true;
}

static bool probe_args(const uint8_t *p, size_t len)
{
    struct tenuo_args *args = NULL;
    uint8_t one[32], two[32];
    t.tried++;
    if (tenuo_args_parse(p, len, &args, NULL) != 0)
        return false;
    t.accepted++;
    int a = tenuo_request_hash("tnu_wrt_00000000000000000000000000000000", "t", 1, args, NULL, one, NULL);
    int b = tenuo_request_hash("tnu_wrt_00000000000000000000000000000000", "t", 1, args, NULL, two, NULL);
    if (a != b || (a == 0 && memcmp(one, two, sizeof one) != 0))
        fail("two hashes of one argument map differ", p, len);
    tenuo_args_free(args);
    return true;
}

/* The heap copy has exactly the size of the input, so that a read past the end is seen by ASan. */
static bool probe_copy(probe_fn *probe, const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    if (copy == NULL)
        return false;
    memcpy(copy, p, len);
    bool accepted = probe(copy, len);
    free(copy);
    return accepted;
}

static void cut(probe_fn *probe, const uint8_t *p, size_t len)
{
    size_t step = len <= WHOLE_LENGTHS ? 1 : len / 512;
    bool whole = probe_copy(probe, p, len) && probe != probe_text; /* a text may be cut in parts that are ignored */
    for (size_t n = 0; n < len; n += step)
        if (probe_copy(probe, p, n) && whole)
            fail("a strict prefix of what is accepted is accepted", p, n);
}

static void spoil(probe_fn *probe, const uint8_t *p, size_t len, unsigned rounds)
{
    uint8_t *room = malloc(len + MUTATE_GROWTH + 1);
    for (unsigned i = 0; room != NULL && i < rounds; i++) {
        size_t n = len;
        memcpy(room, p, len);
        if (i % 2 == 0)
            flip_bit(&t.rng, room, n);
        else
            n = mutate(&t.rng, room, n);
        if (n != len || memcmp(room, p, len) != 0)
            (void)probe_copy(probe, room, n);
    }
    free(room);
}

static void attack(probe_fn *probe, const struct bytes *b, unsigned rounds)
{
    cut(probe, b->p, b->len);
    spoil(probe, b->p, b->len, rounds * t.scale / (b->len > 16384 ? 8 : 1));
}

static const struct target {
    const char *kind, *member;
    probe_fn *probe;
    unsigned rounds;
} targets[] = {
    { "warrant", "input", probe_stack, 120 },
    { "stack", "input", probe_stack, 120 },
    { "authorize", "stack", probe_stack, 48 },
    { "authorize", "args", probe_args, 48 },
    { "pop", "warrant", probe_stack, 24 },
    { "pop", "args", probe_args, 72 },
    { "bytes", "payload", probe_stack, 24 },
    { "match", "constraint", probe_constraint, 36 },
    { "match", "value", probe_value, 36 },
    { "attenuate", "parent", probe_constraint, 24 },
    { "attenuate", "child", probe_constraint, 24 },
    { "attenuate_set", "parent", probe_set, 72 },
    { "attenuate_set", "child", probe_set, 72 },
    { "mint_child", "parent", probe_stack, 48 },
    { "mint_issue", "issuer_warrant", probe_stack, 48 },
};

static const char *const text_kinds[] = { "warrant_text",    "chain_text", "secret_pem", "public_pem",
                                          "public_key_json", "warrant_id", "clearance" };

static bool is_text_kind(const char *kind)
{
    for (size_t i = 0; i < sizeof text_kinds / sizeof text_kinds[0]; i++)
        if (strcmp(text_kinds[i], kind) == 0)
            return true;
    return false;
}

static void learn_member(const json_t *json, const char *member)
{
    struct tenuo_stack *stack = NULL;
    struct bytes b;
    if (!get_bytes(json, member, &b))
        return;
    if (tenuo_stack_parse(b.p, b.len, &stack, NULL) == 0)
        learn(stack);
    tenuo_stack_free(stack);
    free(b.p);
}

/* A text that we refuse may hold a good warrant: the bytes that the reference found in it count as known. */
static void learn_line(const json_t *json, const char *kind)
{
    const json_t *expect = json_object_get(json, "expect");
    if (is_text_kind(kind)) {
        learn_member(expect, "warrant");
        learn_member(expect, "stack");
    }
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (targets[i].probe == probe_stack && strcmp(targets[i].kind, kind) == 0)
            learn_member(json, targets[i].member);
}

static void attack_line(const json_t *json, const char *kind)
{
    size_t len = 0;
    const char *text = is_text_kind(kind) ? get_text(json, "text", &len) : NULL;
    t.id = get_text(json, "id", NULL);
    if (text != NULL) {
        struct bytes b = { (uint8_t *)(uintptr_t)text, len };
        attack(probe_text, &b, 120);
    }
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct bytes b;
        if (strcmp(targets[i].kind, kind) != 0 || !get_bytes(json, targets[i].member, &b))
            continue;
        attack(targets[i].probe, &b, targets[i].rounds);
        free(b.p);
    }
}

static bool each_line(const char *path, void (*use)(const json_t *, const char *))
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    if (f == NULL)
        return false;
    while ((n = getline(&line, &room, f)) > 0) {
        json_t *json = json_loadb(line, (size_t)n, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
        const char *kind = get_text(json, "kind", NULL);
        if (kind != NULL)
            use(json, kind);
        json_decref(json);
    }
    free(line);
    (void)fclose(f);
    return true;
}

/* TENUO_HOSTILE_SCALE multiplies the number of mutations, for long runs. */
static unsigned scale_of_environment(void)
{
    const char *text = getenv("TENUO_HOSTILE_SCALE");
    unsigned long n = text == NULL ? 1 : strtoul(text, NULL, 10);
    return n < 1 || n > 10000 ? 1 : (unsigned)n;
}

int main(int argc, char **argv)
{
    unsigned long unreadable = 0;
    t.scale = scale_of_environment();
    t.rng.state = SEED;
    for (int i = 1; i < argc; i++)
        unreadable += !each_line(argv[i], learn_line);
    for (int i = 1; i < argc; i++) {
        unsigned long before = t.failed, tried = t.tried;
        (void)each_line(argv[i], attack_line);
        (void)printf("%s %d - %s: %lu inputs\n", t.failed == before ? "ok" : "not ok", i, argv[i], t.tried - tried);
    }
    bool empty = t.tried == 0 || t.nknown == 0;
    (void)printf("%s %d - the files hold inputs, and could be read\n", empty || unreadable != 0 ? "not ok" : "ok",
                 argc);
    (void)printf("1..%d\n# %lu inputs, %lu accepted, %lu failed, seed %u\n", argc, t.tried, t.accepted, t.failed, SEED);
    return t.failed != 0 || unreadable != 0 || empty;
}
