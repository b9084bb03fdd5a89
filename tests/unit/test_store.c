/* SPDX-License-Identifier: Apache-2.0 */
/* The store operations: names of stores, references, what may be asked for, and the judge of what a store answers. */
#include "store_env.h"

static void check_names(void)
{
    struct mock_store *w = world_new(true);
    const char *module = NULL, *origin = NULL;
    unsigned can = 0;
    struct tenuo_ctx *ctx =
        open_with("resolver optional store %1\nresolver optional bare %1\nresolver optional store %1 name=hsm\n"
                  "resolver optional bare %1\n",
                  w, NULL, NULL);
    is_int((long long)tenuo_ctx_store_count(ctx), 4, "four stores");
    is_str(tenuo_ctx_store_name(ctx, 0, &module, &origin), "store", "named by its module");
    is_str(tenuo_ctx_store_name(ctx, 2, &module, &origin), "hsm", "named by name=");
    is_str(module, "store", "its module");
    ok(origin != NULL && strstr(origin, "/tenuo.conf:4") != NULL && strchr(strrchr(origin, ':') + 1, ' ') == NULL,
       "its place: %s", origin);
    ok(tenuo_ctx_store_name(ctx, 4, NULL, NULL) == NULL, "and no more");
    is_int(tenuo_ctx_store_required(ctx, 0), 0, "an optional line is not required");
    is_int(tenuo_ctx_store_required(ctx, 4), 0, "nor is one that is not there");
    is_int(tenuo_store_abilities(ctx, "hsm", &can, &err), TENUO_OK, "what it can");
    is_int(can, 127, "everything");
    is_int(tenuo_store_abilities(ctx, "bare", &can, &err), TENUO_E_INVALID_ARGUMENT, "a name of two lines");
    ok(err_says("'bare' names several stores") && err_says("tenuo.conf:3)") && err_says("tenuo.conf:5)") &&
           err_says("name="),
       "says which, and the remedy");
    is_int(tenuo_store_abilities(ctx, "vault", &can, &err), TENUO_E_INVALID_ARGUMENT, "a name of none");
    ok(err_says("no store 'vault'; there are: store ("), "says which there are");
    tenuo_ctx_unref(ctx);
    ctx = open_with("", w, NULL, NULL);
    is_int(tenuo_store_abilities(ctx, "v\x1bz", &can, &err), TENUO_E_INVALID_ARGUMENT, "no line at all");
    ok(err_says("v\\x1bz") && err_says("no resolver line"), "says so, escaped");
    tenuo_ctx_unref(ctx);
    ctx = open_with("resolver requisite bare %1\n", w, NULL, NULL);
    is_int(tenuo_ctx_store_required(ctx, 0), 1, "a requisite line is");
    is_int(tenuo_store_abilities(ctx, "bare", &can, &err), TENUO_OK, "once is no ambiguity");
    is_int(can, TENUO_STORE_EXPORTS | TENUO_STORE_IMPORTS, "a store that can little");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

struct listing {
    char ids[512];
    size_t n, stop_at;
    struct tenuo_stored_key last;
};

static int each(void *arg, const struct tenuo_stored_key *key)
{
    struct listing *l = arg;
    size_t n = strlen(l->ids);
    snprintf(l->ids + n, sizeof l->ids - n, "%s@%u ", key->id, (unsigned)key->version);
    l->last = *key;
    return ++l->n == l->stop_at;
}

static struct listing list(struct tenuo_ctx *ctx, int want, const char *what)
{
    struct listing l = { .stop_at = 1000 };
    is_int(tenuo_store_list(ctx, "store", each, &l, &err), want, "%s", what);
    return l;
}

static int describe(struct tenuo_ctx *ctx, const char *reference, struct tenuo_stored_key *key)
{
    *key = (struct tenuo_stored_key){ .size = sizeof *key };
    return tenuo_store_describe(ctx, "store", reference, key, &err);
}

static void check_life(bool versions)
{
    struct mock_store *w = world_new(versions);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1\n", w, NULL, NULL);
    struct tenuo_stored_key key;
    struct tenuo_signer *s = NULL;
    uint8_t first[32], second[32];
    uint32_t version = 99;
    is_int((long long)list(ctx, TENUO_OK, "empty").n, 0, "no key");
    is_int(tenuo_store_generate(ctx, "store", "b", first, &version, &err), TENUO_OK, "made: %s", err.msg);
    is_int(version, versions ? 1 : 0, "its version");
    is_int(tenuo_store_generate(ctx, "store", "b", second, &version, &err), TENUO_E_KEY_CONFLICT, "taken");
    ok(err_says("there is a key 'b' already") && err_says("rotate"), "says what to do");
    is_int(tenuo_store_generate(ctx, "store", "a", second, &version, &err), TENUO_OK, "another id");
    is_int(describe(ctx, "b", &key), TENUO_OK, "described");
    ok(strcmp(key.id, "b") == 0 && key.has_public_key == 1 && memcmp(key.public_key, first, 32) == 0 &&
           key.created_at == 1700000000 && key.expires_at == 0,
       "what it is");
    is_str(key.note, "kept in a struct", "note");
    is_str(list(ctx, TENUO_OK, "listed").ids, versions ? "a@1 b@1 " : "a@0 b@0 ", "both, by id");
    is_int(tenuo_store_rotate(ctx, "store", "b", NULL, second, &version, &err),
           versions ? TENUO_OK : TENUO_E_INVALID_ARGUMENT, "rotated");
    if (!versions) {
        ok(err_says("keeps no versions") && err_says("another id"), "says why not");
    } else {
        ok(memcmp(first, second, 32) != 0 && version == 2, "a new key, version 2");
        is_int(describe(ctx, "b@1", &key), TENUO_OK, "the old one");
        ok(memcmp(key.public_key, first, 32) == 0 && key.oldest == 1 && key.newest == 2, "is still there");
        is_int(tenuo_store_signer(ctx, "store", "b@1", &s, &err), TENUO_OK, "and signs");
        ok(memcmp(tenuo_signer_public_key(s), first, 32) == 0 && !tenuo_signer_is_local(s), "in the store");
        tenuo_signer_free(s);
        is_int(tenuo_store_remove(ctx, "store", "b@2", &err), TENUO_E_INVALID_ARGUMENT, "the newest cannot go alone");
        is_int(tenuo_store_remove(ctx, "store", "b@1", &err), TENUO_OK, "the older can");
        is_int(describe(ctx, "b@1", &key), TENUO_E_KEY_NOT_FOUND, "gone");
    }
    is_int(tenuo_store_remove(ctx, "store", "b", &err), TENUO_OK, "removed");
    is_int(describe(ctx, "b", &key), TENUO_E_KEY_NOT_FOUND, "gone");
    is_int(tenuo_store_remove(ctx, "store", "b", &err), TENUO_E_KEY_NOT_FOUND, "once");
    is_int(tenuo_store_rotate(ctx, "store", "b", NULL, second, &version, &err), TENUO_E_KEY_NOT_FOUND,
           "nothing to rotate");
    is_int(tenuo_store_signer(ctx, "store", "b", &s, &err), TENUO_E_KEY_NOT_FOUND, "nothing to sign with");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* Without generate, describe, list and remove. */
static void check_bare(void)
{
    struct mock_store *w = world_new(false);
    struct tenuo_ctx *ctx = open_with("resolver optional bare %1\n", w, NULL, NULL);
    struct tenuo_stored_key key = { .size = sizeof key };
    struct tenuo_signer *mine = NULL, *s = NULL;
    struct listing l = { 0 };
    uint8_t made[32], zero[32] = { 0 };
    uint32_t version = 99;
    is_int(tenuo_store_generate(ctx, "bare", "k", made, &version, &err), TENUO_OK, "a key made here");
    ok(version == 0 && memcmp(w->keys[0].seed, zero, 32) != 0, "and taken by the store");
    is_int(tenuo_store_describe(ctx, "bare", "k", &key, &err), TENUO_OK, "described by itself");
    ok(key.has_public_key && memcmp(key.public_key, made, 32) == 0, "its public key");
    is_int(tenuo_store_rotate(ctx, "bare", "k", NULL, made, &version, &err), TENUO_E_INVALID_ARGUMENT, "no versions");
    ok(err_says("keeps no versions"), "says so");
    is_int(tenuo_store_list(ctx, "bare", each, &l, &err), TENUO_E_INVALID_ARGUMENT, "no list");
    ok(err_says("cannot list keys"), "says so");
    is_int(tenuo_store_remove(ctx, "bare", "k", &err), TENUO_E_INVALID_ARGUMENT, "no removal");
    must(tenuo_signer_generate(&mine, NULL), "key");
    is_int(tenuo_store_import(ctx, "bare", "k", mine, &version, &err), TENUO_E_KEY_CONFLICT, "the id is taken");
    is_int(tenuo_store_import(ctx, "bare", "mine", mine, &version, &err), TENUO_OK, "imported");
    is_int(tenuo_store_signer(ctx, "bare", "mine", &s, &err), TENUO_OK, "and back");
    ok(memcmp(tenuo_signer_public_key(s), tenuo_signer_public_key(mine), 32) == 0 && tenuo_signer_is_local(s),
       "the same key");
    tenuo_signer_free(s);
    is_int(tenuo_store_import(ctx, "bare", "x", NULL, &version, &err), TENUO_E_INVALID_ARGUMENT, "no signer");
    tenuo_signer_free(mine);
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* What is too long loses its middle: place and remedy stay. */
static void check_long_sentences(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1\n", w, NULL, NULL);
    const char *origin = "";
    uint8_t key[32];
    uint32_t version = 0;
    (void)tenuo_ctx_store_name(ctx, 0, NULL, &origin);
    w->fault = MOCK_LONG_SENTENCE;
    w->code = TENUO_E_UNAVAILABLE;
    is_int(tenuo_store_generate(ctx, "store", "a", key, &version, &err), TENUO_E_UNAVAILABLE, "a store that explains");
    ok(strncmp(err.msg, origin, strlen(origin)) == 0 && err_says(" ... "), "the place: %s", err.msg);
    ok(err_says(": restart it; look whether it was done before trying again"), "and the remedy");
    ok(strlen(err.msg) == sizeof err.msg - 1, "within what there is room for");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* What the arguments of a line rule out, `can` says: here a store that takes no seeds, then one that makes none. */
static void check_cannot(void)
{
    struct mock_store *w = world_new(false);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1\n", w, NULL, NULL);
    uint8_t made[32];
    uint32_t version = 0;
    unsigned can = 0;
    w->cannot = TENUO_RESOLVER_NO_IMPORT | TENUO_RESOLVER_NO_LIST | TENUO_RESOLVER_NO_REMOVE;
    is_int(tenuo_store_abilities(ctx, "store", &can, &err), TENUO_OK, "what it can");
    is_int(can, TENUO_STORE_SIGNS | TENUO_STORE_EXPORTS | TENUO_STORE_DESCRIBES | TENUO_STORE_GENERATES,
           "not what it says not to");
    is_int(tenuo_store_generate(ctx, "store", "own", made, &version, &err), TENUO_OK, "it makes keys");
    is_int(atomic_load(&w->calls[MOCK_GENERATE]), 1, "itself");
    w->cannot = TENUO_RESOLVER_NO_GENERATE;
    is_int(tenuo_store_generate(ctx, "store", "given", made, &version, &err), TENUO_OK, "it is given a key");
    ok(atomic_load(&w->calls[MOCK_GENERATE]) == 1 && atomic_load(&w->calls[MOCK_IMPORT]) == 1, "made here");
    w->cannot = TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_IMPORT;
    is_int(tenuo_store_generate(ctx, "store", "own", made, &version, &err), TENUO_E_KEY_CONFLICT, "neither works");
    is_int(atomic_load(&w->calls[MOCK_GENERATE]), 2, "and the store says why");
    w->cannot = 1u << 31;
    is_int(tenuo_store_abilities(ctx, "store", &can, &err), TENUO_E_PLUGIN_PROTOCOL, "a bit that nobody knows");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

static void check_import(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1\n", w, NULL, NULL);
    struct tenuo_signer *mine = NULL, *next = NULL, *remote = NULL;
    uint8_t key[32];
    uint32_t version = 0;
    must(tenuo_signer_generate(&mine, NULL), "key");
    must(tenuo_signer_generate(&next, NULL), "key");
    is_int(tenuo_store_import(ctx, "store", "k", mine, &version, &err), TENUO_OK, "imported");
    is_int(tenuo_store_rotate(ctx, "store", "k", mine, key, &version, &err), TENUO_E_INVALID_ARGUMENT,
           "rotated to itself");
    ok(err_says("very key already"), "says so");
    is_int(tenuo_store_rotate(ctx, "store", "k", next, key, &version, &err), TENUO_OK, "rotated to a given key");
    ok(version == 2 && memcmp(key, tenuo_signer_public_key(next), 32) == 0, "which it is");
    must(tenuo_store_signer(ctx, "store", "k", &remote, &err), "remote");
    is_int(tenuo_store_import(ctx, "store", "copy", remote, &version, &err), TENUO_E_INVALID_ARGUMENT,
           "a remote key has no seed to import");
    tenuo_signer_free(remote);
    tenuo_signer_free(next);
    tenuo_signer_free(mine);
    tenuo_ctx_unref(ctx);
    world_free(w);
}

static void check_references(void)
{
    static const char *bad[] = { "", "a@", "a@0", "../x", "a@1@1", "a b", "@1" };
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1\n", w, NULL, NULL);
    struct tenuo_signer *s = NULL;
    struct tenuo_stored_key key;
    uint8_t made[32];
    uint32_t version;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        is_int(describe(ctx, bad[i], &key), TENUO_E_INVALID_ARGUMENT, "describe, row %zu", i);
        is_int(tenuo_store_remove(ctx, "store", bad[i], &err), TENUO_E_INVALID_ARGUMENT, "remove, row %zu", i);
        is_int(tenuo_store_signer(ctx, "store", bad[i], &s, &err), TENUO_E_INVALID_ARGUMENT, "signer, row %zu", i);
        is_int(tenuo_store_generate(ctx, "store", bad[i], made, &version, &err), TENUO_E_INVALID_ARGUMENT,
               "generate, row %zu", i);
    }
    is_int(tenuo_store_generate(ctx, "store", "a@2", made, &version, &err), TENUO_E_INVALID_ARGUMENT,
           "a new key has no version in its name");
    is_int(tenuo_store_rotate(ctx, "store", "a@2", NULL, made, &version, &err), TENUO_E_INVALID_ARGUMENT,
           "nor has one that is rotated");
    int seen = 0;
    for (int op = MOCK_PUBLIC; op < MOCK_OPS; op++)
        seen += calls(w, (enum mock_op)op);
    is_int(seen, 0, "the store saw none of them");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* Every answer that is against the contract ends in 9203, and nothing of it gets out. */
static void check_hostile(void)
{
    static const struct {
        enum mock_fault fault;
        int list, describe;
        const char *says;
    } rows[] = {
        { MOCK_NULL_ENTRY, 9203, 0, "without its size" },
        { MOCK_NO_SIZE, 9203, 0, "without its size" },
        { MOCK_BAD_ID, 9203, 9203, "an id that is none" },
        { MOCK_OTHER_ID, 0, 9203, "another id" },
        { MOCK_OPEN_NOTE, 9203, 9203, "note without an end" },
        { MOCK_BAD_VERSIONS, 9203, 9203, "contradict each other" },
        { MOCK_ENDLESS, 9203, 0, "after 65536 keys" },
        { MOCK_ILLEGAL, 9203, 9203, "answered 4711" },
    };
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1\n", w, NULL, NULL);
    struct tenuo_stored_key key;
    world_put(w, "k", 7);
    world_put(w, "k", 8);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        atomic_store(&w->fault, (int)rows[i].fault);
        struct listing l = list(ctx, rows[i].list, "list of a store that is wrong");
        ok(rows[i].list == 0 || (l.n == 0 && err_says(rows[i].says) && err_says("tenuo.conf:2: store")), "row %zu: %s",
           i, rows[i].says);
        is_int(describe(ctx, "k", &key), rows[i].describe, "describe, row %zu", i);
        ok(rows[i].describe == 0 || key.id[0] == '\0', "nothing of it got out");
    }
    atomic_store(&w->fault, MOCK_WRONG_VERSION);
    is_int(describe(ctx, "k@1", &key), TENUO_E_PLUGIN_PROTOCOL, "another version than was asked for");
    atomic_store(&w->fault, MOCK_CONTROL_NOTE);
    is_str(list(ctx, TENUO_OK, "a note with an escape sequence").last.note, "a?[2Jb?", "is made harmless");
    atomic_store(&w->fault, MOCK_WEAK_KEY);
    ok(!list(ctx, TENUO_OK, "one weak key hides no other").last.has_public_key, "but is not shown as one");
    is_int(describe(ctx, "k", &key), TENUO_E_KEY_INVALID, "a weak key by itself");
    world_clear(w);
    tenuo_ctx_unref(ctx);
    world_free(w);
}

static void check_liars(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1 timeout=200ms\n", w, NULL, NULL);
    uint8_t key[32] = { 0 };
    uint32_t version = 99;
    atomic_store(&w->fault, MOCK_WEAK_KEY);
    is_int(tenuo_store_generate(ctx, "store", "weak", key, &version, &err), TENUO_E_PLUGIN_PROTOCOL, "a weak new key");
    ok(version == 99 && key[0] == 0 && err_says("unusable"), "is none");
    world_put(w, "k", 9);
    atomic_store(&w->fault, MOCK_SAME_KEY);
    is_int(tenuo_store_rotate(ctx, "store", "k", NULL, key, &version, &err), TENUO_E_PLUGIN_PROTOCOL,
           "a rotation that keeps the key");
    ok(err_says("kept the key"), "says so");
    atomic_store(&w->fault, MOCK_OLD_VERSION);
    is_int(tenuo_store_rotate(ctx, "store", "k", NULL, key, &version, &err), TENUO_E_PLUGIN_PROTOCOL,
           "a rotation that keeps the version");
    atomic_store(&w->fault, MOCK_RIGHT);
    atomic_store(&w->delay_ms, 300);
    is_int(tenuo_store_generate(ctx, "store", "slow", key, &version, &err), TENUO_E_UNAVAILABLE, "too late");
    ok(err_says("look whether it was done"), "but maybe done");
    is_int(tenuo_store_remove(ctx, "store", "slow", &err), TENUO_E_UNAVAILABLE, "too late again");
    ok(err_says("look whether it was done"), "likewise");
    atomic_store(&w->delay_ms, 0);
    atomic_store(&w->code, TENUO_E_KEY_DENIED);
    is_int(tenuo_store_generate(ctx, "store", "no", key, &version, &err), TENUO_E_KEY_DENIED, "refused");
    ok(err_says("tenuo.conf:2: store: the store says 9304"), "with the store's own sentence");
    ok(version == 99, "outputs untouched throughout");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

static int signs_with(struct tenuo_ctx *ctx, const char *id, uint8_t byte)
{
    struct tenuo_signer *s = NULL;
    int r = tenuo_ctx_signer(ctx, id, 0, NULL, &s, &err), same;
    same = r == TENUO_OK && memcmp(tenuo_signer_public_key(s), public_of(byte), 32) == 0;
    tenuo_signer_free(s);
    return same;
}

/* What a context changes itself it does not remember otherwise. */
static void check_forgets(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver optional store %1\n", w, NULL, NULL);
    struct tenuo_signer *s = NULL;
    uint8_t key[32];
    uint32_t version;
    world_put(w, "k", 3);
    ok(signs_with(ctx, "k", 3), "cached");
    world_put(w, "k", 4);
    ok(signs_with(ctx, "k", 3), "still the cached one");
    must(tenuo_store_rotate(ctx, "store", "k", NULL, key, &version, &err), "rotate");
    must(tenuo_ctx_signer(ctx, "k", 0, NULL, &s, &err), "signer");
    ok(memcmp(tenuo_signer_public_key(s), key, 32) == 0, "after a rotation here: the new key at once");
    tenuo_signer_free(s);
    must(tenuo_store_remove(ctx, "store", "k", &err), "remove");
    is_int(tenuo_ctx_signer(ctx, "k", 0, NULL, &s, &err), TENUO_E_KEY_NOT_FOUND, "after removal: gone at once");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    env_begin(argv[1]);
    check_names();
    check_life(true);
    check_life(false);
    check_bare();
    check_long_sentences();
    check_cannot();
    check_import();
    check_references();
    check_hostile();
    check_liars();
    check_forgets();
    stage_end();
    return done_testing();
}
