/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signers of a context over stores that rotate, lie, are late or away: which key a reference and a holder get, how
 * often a store is asked, what the cache serves, and that a store signs nothing but what the library built.
 */
#include "store_env.h"

#include <sys/wait.h>
#include <unistd.h>

#define NOW 1893456000

static struct tenuo_signer *open_key(struct tenuo_ctx *ctx, const char *key, unsigned flags, const uint8_t *holder,
                                     int want, const char *what)
{
    struct tenuo_signer *s = NULL;
    is_int(tenuo_ctx_signer(ctx, key, flags, holder, &s, &err), want, "%s", what);
    if (want != TENUO_OK)
        ok(s == NULL && err.code == want, "and nothing else: %s", err.msg);
    return s;
}

/* Opens, looks and lets go. */
static void gives(struct tenuo_ctx *ctx, const char *key, const uint8_t *holder, uint8_t byte, const char *what)
{
    struct tenuo_signer *s = open_key(ctx, key, 0, holder, TENUO_OK, what);
    ok(s != NULL && memcmp(tenuo_signer_public_key(s), public_of(byte), 32) == 0, "the key of %d", byte);
    ok(s != NULL && tenuo_signer_self_test(s, &err) == TENUO_OK, "which works");
    tenuo_signer_free(s);
}

static void fails(struct tenuo_ctx *ctx, const char *key, unsigned flags, const uint8_t *holder, int want,
                  const char *what)
{
    tenuo_signer_free(open_key(ctx, key, flags, holder, want, what));
}

/* Both kinds of signers: the store signs, or hands out the seed. */
static void check_holder(unsigned can)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    char old[TENUO_FINGERPRINT_TEXT_BYTES], newest[TENUO_FINGERPRINT_TEXT_BYTES];
    w->can = can;
    for (uint8_t v = 1; v <= 4; v++)
        world_put(w, "k", v);
    gives(ctx, "k", NULL, 4, "the newest");
    gives(ctx, "k", public_of(4), 4, "for its holder");
    gives(ctx, "k", public_of(2), 2, "for the holder of an older version, that one");
    is_int(calls(w, MOCK_DESCRIBE), 3, "found from the newest downward");
    gives(ctx, "k@3", NULL, 3, "by number");
    gives(ctx, "k@3", public_of(3), 3, "by number, for its holder");
    fails(ctx, "k@3", 0, public_of(2), TENUO_E_HOLDER_MISMATCH, "by number, not the holder's");
    ok(err_says("key 'k@3'") && err_says("without a version"), "says the remedy");
    fails(ctx, "k@9", 0, NULL, TENUO_E_KEY_NOT_FOUND, "a version that is not there");
    ok(err_says("k@9"), "is named");
    int before = calls(w, MOCK_DESCRIBE) + calls(w, MOCK_PUBLIC) + calls(w, MOCK_EXPORT);
    gives(ctx, "k", public_of(2), 2, "again");
    is_int(calls(w, MOCK_DESCRIBE) + calls(w, MOCK_PUBLIC) + calls(w, MOCK_EXPORT), before, "from the cache");
    fails(ctx, "k", 0, public_of(9), TENUO_E_HOLDER_MISMATCH, "a holder that no version has");
    tenuo_fingerprint(public_of(9), old);
    tenuo_fingerprint(public_of(4), newest);
    ok(err_says(old) && err_says(newest) && err_says("none of 3 others") && err_says("re-issue the warrant") &&
           err_says("bring the old key back"),
       "both fingerprints and the remedy");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* A store that does not tell public keys in describe, one with a hole, and one without versions. */
static void check_search(void)
{
    struct mock_store *w = world_new(true), *plain = world_new(false);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    for (uint8_t v = 1; v <= 5; v++)
        world_put(w, "k", v);
    atomic_store(&w->fault, MOCK_NO_PUBLIC);
    gives(ctx, "k", public_of(2), 2, "where describe tells no public key");
    atomic_store(&w->fault, MOCK_RIGHT);
    tenuo_ctx_unref(ctx);
    ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    must(tenuo_store_remove(ctx, "store", "k@3", &err), "remove");
    gives(ctx, "k", public_of(1), 1, "behind a version that was removed");
    fails(ctx, "k", 0, public_of(3), TENUO_E_HOLDER_MISMATCH, "which itself is gone");
    tenuo_ctx_unref(ctx);
    ctx = open_with("resolver required store %1\n", plain, NULL, NULL);
    world_put(plain, "k", 7);
    gives(ctx, "k", public_of(7), 7, "a store without versions");
    fails(ctx, "k", 0, public_of(8), TENUO_E_HOLDER_MISMATCH, "has one key");
    ok(err_says("there is no older one"), "says so");
    fails(ctx, "k@1", 0, NULL, TENUO_E_KEY_NOT_FOUND, "and no numbers");
    tenuo_ctx_unref(ctx);
    ctx = open_with("resolver sufficient bare %2\nresolver optional store %1\n", w, plain, NULL);
    gives(ctx, "k", public_of(2), 2, "in another line's store");
    tenuo_ctx_unref(ctx);
    world_clear(w);
    for (uint8_t v = 1; v <= 70; v++)
        world_put(w, "k", v);
    ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    atomic_store(&w->calls[MOCK_DESCRIBE], 0);
    gives(ctx, "k", public_of(7), 7, "the last of 64 versions");
    is_int(calls(w, MOCK_DESCRIBE), TENUO_KEY_VERSIONS_MAX, "that are looked at");
    fails(ctx, "k", 0, public_of(6), TENUO_E_UNAVAILABLE, "the one before is not looked at");
    ok(err_says("more versions than are looked through"), "and nobody says that it is not there");
    tenuo_ctx_unref(ctx);
    world_free(w);
    world_free(plain);
}

/* Searching has one deadline for all its calls, and an unanswered search is no "not the holder". */
static void check_search_fails(void)
{
    struct mock_store *w = world_new(true), *other = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1 timeout=300ms\n", w, NULL, NULL);
    for (uint8_t v = 1; v <= 40; v++)
        world_put(w, "k", v);
    gives(ctx, "k", NULL, 40, "quick");
    atomic_store(&w->delay_ms, 40);
    fails(ctx, "k", 0, public_of(99), TENUO_E_UNAVAILABLE, "slow");
    ok(calls(w, MOCK_DESCRIBE) <= 9, "not every call had the whole deadline: %d calls", calls(w, MOCK_DESCRIBE));
    ok(err_says("tenuo.conf:2: store"), "names the line");
    gives(ctx, "k", public_of(40), 40, "the newest goes on serving");
    tenuo_ctx_unref(ctx);
    atomic_store(&w->delay_ms, 0);
    world_put(other, "k", 40);
    ctx = open_with("resolver sufficient store %1 name=a\nresolver optional store %2 name=b\n", w, other, NULL);
    atomic_store(&other->code, TENUO_E_UNAVAILABLE);
    fails(ctx, "k", 0, public_of(99), TENUO_E_UNAVAILABLE, "one store could not be searched");
    ok(err_says("tenuo.conf:3: b (store)"), "names it");
    gives(ctx, "k", public_of(12), 12, "what the other has is found all the same");
    tenuo_ctx_unref(ctx);
    world_free(other);
    world_free(w);
}

/* What is cached is not the last word: the key may have been rotated elsewhere. */
static void check_rotated_elsewhere(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    int wrong = 0;
    world_put(w, "k", 1);
    gives(ctx, "k", NULL, 1, "cached");
    world_put(w, "k", 2);
    fails(ctx, "k", TENUO_SIGNER_NO_IO, public_of(2), TENUO_E_WOULD_BLOCK, "without I/O nobody knows");
    ok(err_says("may not be asked"), "says so");
    gives(ctx, "k", NULL, 1, "the cached one for whoever does not care");
    sleep_ms(2100);
    gives(ctx, "k", public_of(2), 2, "the new holder gets the new key");
    gives(ctx, "k", NULL, 2, "and so does everybody now");
    gives(ctx, "k", public_of(1), 1, "the old holder keeps the old one");
    atomic_store(&w->calls[MOCK_PUBLIC], 0);
    atomic_store(&w->calls[MOCK_DESCRIBE], 0);
    for (int i = 0; i < 2000; i++) {
        struct tenuo_signer *s = NULL;
        uint8_t holder[32];
        memcpy(holder, public_of(1), 32);
        holder[5] = (uint8_t)i;
        holder[6] ^= 0x80;
        wrong += tenuo_ctx_signer(ctx, "k", 0, holder, &s, NULL) == TENUO_E_HOLDER_MISMATCH;
    }
    is_int(wrong, 2000, "a flood of wrong holders");
    int asked = calls(w, MOCK_PUBLIC) + calls(w, MOCK_DESCRIBE);
    ok(asked <= 6, "is no flood of requests: %d", asked);
    fails(ctx, "k", TENUO_SIGNER_NO_IO, public_of(9), TENUO_E_HOLDER_MISMATCH, "what was just looked at is known");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* An outage while somebody asks with a wrong holder takes nothing from the others. */
static void check_wrong_holder_in_outage(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    world_put(w, "k", 1);
    world_put(w, "k", 2);
    gives(ctx, "k", public_of(1), 1, "an old holder");
    struct tenuo_signer *s = open_key(ctx, "k", 0, NULL, TENUO_OK, "the newest");
    sleep_ms(2100);
    atomic_store(&w->code, TENUO_E_UNAVAILABLE);
    fails(ctx, "k", 0, public_of(9), TENUO_E_UNAVAILABLE, "the stores are away");
    tenuo_signer_free(open_key(ctx, "k", 0, public_of(1), TENUO_OK, "the old holder's key is still held"));
    tenuo_signer_free(open_key(ctx, "k", TENUO_SIGNER_NO_IO, public_of(2), TENUO_OK, "and the newest"));
    atomic_store(&w->code, TENUO_OK);
    sleep_ms(600);
    fails(ctx, "k", 0, public_of(9), TENUO_E_HOLDER_MISMATCH, "back: heard and refused");
    ok(tenuo_signer_self_test(s, NULL) == TENUO_OK, "a signer opened before works on");
    tenuo_signer_free(s);
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* A remote signer is bound to the version whose public key it has. */
static void check_remote(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1 cache_ttl=100ms\n", w, NULL, NULL);
    uint8_t signature[64];
    world_put(w, "k", 1);
    struct tenuo_signer *s = open_key(ctx, "k", 0, NULL, TENUO_OK, "remote");
    ok(!tenuo_signer_is_local(s), "the store signs");
    world_put(w, "k", 2);
    is_int(tenuo_signer_self_test(s, &err), TENUO_OK, "after a rotation it signs with the key that it named");
    sleep_ms(150);
    tenuo_ctx_sweep(ctx);
    is_int(tenuo_signer_self_test(s, &err), TENUO_OK, "also when the cache has dropped it");
    is_int(tenuo_signer_sign(s, (const uint8_t *)"\x01payload", 8, signature, &err), TENUO_E_KEY_DENIED,
           "and signs no bytes of the caller's choice");
    atomic_store(&w->fault, MOCK_WRONG_SIGNATURE);
    tenuo_signer_free(open_key(ctx, "k", 0, NULL, TENUO_OK, "cached anew"));
    is_int(tenuo_signer_self_test(s, &err), TENUO_E_PLUGIN_PROTOCOL, "a signature that does not verify");
    ok(err_says("tenuo.conf:2: store") && err_says("key 'k'") && err_says("open it again"), "store, key and remedy");
    fails(ctx, "k", TENUO_SIGNER_NO_IO, NULL, TENUO_E_WOULD_BLOCK, "the cache trusts it no longer");
    atomic_store(&w->fault, MOCK_RIGHT);
    tenuo_signer_free(open_key(ctx, "k", 0, NULL, TENUO_OK, "cached anew"));
    world_clear(w);
    is_int(tenuo_signer_self_test(s, &err), TENUO_E_KEY_NOT_FOUND, "the key was removed");
    fails(ctx, "k", TENUO_SIGNER_NO_IO, NULL, TENUO_E_WOULD_BLOCK, "the cache has heard of it");
    tenuo_signer_free(s);
    world_put(w, "weak", 3);
    atomic_store(&w->fault, MOCK_WEAK_KEY);
    fails(ctx, "weak", 0, NULL, TENUO_E_KEY_INVALID, "a public key of small order");
    atomic_store(&w->fault, MOCK_WRONG_VERSION);
    fails(ctx, "weak@1", 0, NULL, TENUO_E_PLUGIN_PROTOCOL, "another version than was asked for");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* The four signatures that a warrant ties to one key, local and remote. */
static void check_entry_points(unsigned can)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    struct tenuo_mint *mint = NULL;
    struct tenuo_stack *root = NULL, *child = NULL;
    struct tenuo_args *args = NULL;
    uint8_t pop[64];
    w->can = can;
    world_put(w, "issuer", 1);
    world_put(w, "holder", 2);
    world_put(w, "other", 3);
    struct tenuo_signer *issuer = open_key(ctx, "issuer", 0, NULL, TENUO_OK, "issuer"),
                        *holder = open_key(ctx, "holder", 0, NULL, TENUO_OK, "holder"),
                        *other = open_key(ctx, "other", 0, NULL, TENUO_OK, "other");
    must(tenuo_mint_root(&mint, NULL), "mint");
    must(tenuo_mint_add_tool(mint, "t", 1, NULL, NULL), "tool");
    must(tenuo_mint_set_holder(mint, public_of(2), NULL), "holder");
    is_int(tenuo_mint_sign(mint, issuer, NOW, &root, &err), TENUO_OK, "a root");
    tenuo_mint_free(mint);
    must(tenuo_args_new(&args, NULL), "args");
    is_int(tenuo_pop_sign(holder, tenuo_stack_leaf(root), "t", 1, args, NOW, pop, &err), TENUO_OK,
           "its holder's proof");
    is_int(tenuo_pop_verify(tenuo_stack_leaf(root), "t", 1, args, pop, NOW, 5, &err), TENUO_OK, "verifies");
    is_int(tenuo_pop_sign(other, tenuo_stack_leaf(root), "t", 1, args, NOW, pop, &err), TENUO_E_HOLDER_MISMATCH,
           "another's does not come about");
    int signs = calls(w, MOCK_SIGN);
    must(tenuo_mint_attenuate(root, &mint, NULL), "attenuate");
    must(tenuo_mint_keep_all(mint, NULL), "keep");
    must(tenuo_mint_set_holder(mint, public_of(3), NULL), "holder");
    ok(tenuo_mint_sign(mint, other, NOW, &child, &err) != TENUO_OK && child == NULL, "nor a child: %s", err.msg);
    is_int(calls(w, MOCK_SIGN), signs, "the store was not asked to sign either");
    tenuo_mint_free(mint);
    must(tenuo_mint_attenuate(root, &mint, NULL), "attenuate");
    must(tenuo_mint_keep_all(mint, NULL), "keep");
    must(tenuo_mint_set_holder(mint, public_of(3), NULL), "holder");
    is_int(tenuo_mint_sign(mint, holder, NOW, &child, &err), TENUO_OK, "the holder's child");
    tenuo_mint_free(mint);
    tenuo_stack_free(child);
    tenuo_stack_free(root);
    tenuo_args_free(args);
    tenuo_signer_free(issuer);
    tenuo_signer_free(holder);
    tenuo_signer_free(other);
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* Every pair of control words over two stores with different keys: both asked means 9303. */
static void check_conflict(void)
{
    static const char *words[] = { "required", "requisite", "sufficient", "optional" };
    struct mock_store *a = world_new(true), *b = world_new(true), *c = world_new(true);
    char conf[256];
    world_put(a, "k", 1);
    world_put(b, "k", 2);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            snprintf(conf, sizeof conf, "resolver %s store %%1\nresolver %s bare %%2\n", words[i], words[k]);
            struct tenuo_ctx *ctx = open_with(conf, a, b, NULL);
            struct tenuo_signer *s = NULL;
            int r = tenuo_ctx_signer(ctx, "k", 0, NULL, &s, &err);
            ok(i == 2 ? r == TENUO_OK : r == TENUO_E_KEY_CONFLICT, "%s then %s: %d", words[i], words[k], r);
            ok(i == 2 || (err_says("tenuo.conf:2") && err_says("tenuo.conf:3")), "says where");
            tenuo_signer_free(s);
            tenuo_ctx_unref(ctx);
            snprintf(conf, sizeof conf, "resolver %s store %%1\nresolver %s store %%2\nresolver required bare %%3\n",
                     words[i], words[k]);
            world_put(c, "k", 2);
            atomic_store(&a->code, TENUO_E_KEY_CONFLICT);
            ctx = open_with(conf, a, b, c);
            fails(ctx, "k", 0, NULL, TENUO_E_KEY_CONFLICT, "one store with two keys is final");
            atomic_store(&a->code, TENUO_OK);
            world_clear(c);
            tenuo_ctx_unref(ctx);
        }
    world_free(a);
    world_free(b);
    world_free(c);
}

static int open_code(struct tenuo_ctx *ctx)
{
    struct tenuo_signer *s = NULL;
    int r = tenuo_ctx_signer(ctx, "k", 0, NULL, &s, &err);
    tenuo_signer_free(s);
    return r;
}

/* A stale key serves only while the lines that it needs are away and say that it may. */
static void check_stale(void)
{
    static const struct {
        const char *lines;
        int a, b; /* what the two stores say after the key has expired */
        int want;
    } rows[] = {
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\n", 9301, 0, 0 },
        { "resolver required store %1 cache_ttl=20ms\n", 9301, 0, 9301 },
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\n", 9300, 0, 9300 },
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\n", 9304, 0, 9304 },
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\n", 9305, 0, 9305 },
        /* The key's own line says no: another that is away changes nothing. */
        { "resolver sufficient store %1 cache_ttl=20ms stale_if_error=1h\nresolver optional bare %2 "
          "stale_if_error=1h\n",
          9300, 9301, 9301 },
        /* Its line is away, a fallback has never had it. */
        { "resolver sufficient store %1 cache_ttl=20ms stale_if_error=1h\nresolver optional bare %2\n", 9301, 9300, 0 },
        /* A second line that must agree is away and does not allow it, or allows it, or says no. */
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\nresolver required bare %2\n", 0, 9301, 9301 },
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\nresolver required bare %2 stale_if_error=1h\n",
          9301, 9301, 0 },
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\nresolver required bare %2 stale_if_error=1h\n",
          9301, 9304, 9301 },
        { "resolver required store %1 cache_ttl=20ms stale_if_error=1h\nresolver required bare %2 stale_if_error=1h\n",
          0, 9301, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mock_store *a = world_new(false), *b = world_new(false);
        struct tenuo_ctx *ctx = open_with(rows[i].lines, a, b, NULL);
        world_put(a, "k", 1);
        if (rows[i].b != 9300)
            world_put(b, "k", 1);
        is_int(open_code(ctx), TENUO_OK, "row %zu: at first", i);
        sleep_ms(40);
        atomic_store(&a->code, rows[i].a);
        atomic_store(&b->code, rows[i].b);
        is_int(open_code(ctx), rows[i].want, "row %zu: expired, and the stores say %d and %d", i, rows[i].a, rows[i].b);
        tenuo_ctx_unref(ctx);
        world_free(a);
        world_free(b);
    }
}

/* One line has another key by now: what is stale is known to be wrong, whoever is away. */
static void check_stale_replaced(void)
{
    struct mock_store *a = world_new(false), *b = world_new(false);
    struct tenuo_ctx *ctx = open_with("resolver required store %1 cache_ttl=20ms stale_if_error=1h\n"
                                      "resolver required bare %2 stale_if_error=1h\n",
                                      a, b, NULL);
    world_put(a, "k", 1);
    world_put(b, "k", 1);
    is_int(open_code(ctx), TENUO_OK, "both have it");
    sleep_ms(40);
    world_clear(a);
    world_put(a, "k", 2);
    atomic_store(&b->code, TENUO_E_UNAVAILABLE);
    is_int(open_code(ctx), TENUO_E_UNAVAILABLE, "one has another, one is away");
    tenuo_ctx_unref(ctx);
    world_free(a);
    world_free(b);
}

/* Numbers that mean other keys than when they were looked at. */
static void check_renumbered(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1 cache_ttl=3s\n", w, NULL, NULL);
    for (uint8_t v = 1; v <= 3; v++)
        world_put(w, "k", v);
    fails(ctx, "k", 0, public_of(9), TENUO_E_HOLDER_MISMATCH, "all versions looked at");
    fails(ctx, "k", TENUO_SIGNER_NO_IO, public_of(1), TENUO_E_WOULD_BLOCK, "known to be there, not at hand");
    world_clear(w);
    for (uint8_t v = 3; v >= 1; v--)
        world_put(w, "k", v);
    fails(ctx, "k", 0, public_of(1), TENUO_E_HOLDER_MISMATCH, "version 1 is another key now: never handed out");
    gives(ctx, "k", public_of(1), 1, "and forgotten: the next call finds the newest");
    gives(ctx, "k", public_of(3), 3, "version 1, held for 3 seconds");
    sleep_ms(3050);
    world_clear(w);
    for (uint8_t v = 1; v <= 3; v++)
        world_put(w, "k", v);
    gives(ctx, "k", public_of(3), 3, "expired and renumbered again: the newest");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* The same for a version of before a rotation, which is not searched for again either. */
static void check_stale_older(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1 cache_ttl=20ms stale_if_error=1h\n", w, NULL, NULL);
    for (uint8_t v = 1; v <= 5; v++)
        world_put(w, "k", v);
    w->can = TENUO_RESOLVER_EXPORTS;
    gives(ctx, "k", public_of(2), 2, "an older version");
    int searched = calls(w, MOCK_DESCRIBE), exported = calls(w, MOCK_EXPORT);
    sleep_ms(40);
    fails(ctx, "k", TENUO_SIGNER_NO_IO, public_of(2), TENUO_E_WOULD_BLOCK, "expired");
    gives(ctx, "k", public_of(2), 2, "and asked for again");
    is_int(calls(w, MOCK_DESCRIBE), searched, "without a search");
    is_int(calls(w, MOCK_EXPORT), exported + 1, "in one request");
    sleep_ms(40);
    atomic_store(&w->code, TENUO_E_UNAVAILABLE);
    gives(ctx, "k", public_of(2), 2, "serves on while the store is away");
    fails(ctx, "k", 0, public_of(9), TENUO_E_UNAVAILABLE, "which says nothing about another holder");
    atomic_store(&w->code, TENUO_OK);
    must(tenuo_store_remove(ctx, "store", "k@2", &err), "remove");
    fails(ctx, "k", 0, public_of(2), TENUO_E_HOLDER_MISMATCH, "removed: gone");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

/* A store that tells no versions and is away: not the holder's, as far as the cache goes, is no answer. */
static void check_stale_holder(void)
{
    struct mock_store *w = world_new(false);
    struct tenuo_ctx *ctx = open_with("resolver required bare %1 cache_ttl=20ms stale_if_error=1h\n", w, NULL, NULL);
    world_put(w, "k", 1);
    gives(ctx, "k", NULL, 1, "cached");
    fails(ctx, "k", 0, public_of(2), TENUO_E_HOLDER_MISMATCH, "just asked: not the holder's");
    sleep_ms(2100);
    atomic_store(&w->code, TENUO_E_UNAVAILABLE);
    gives(ctx, "k", public_of(1), 1, "away: serves on for its holder");
    fails(ctx, "k", 0, public_of(2), TENUO_E_UNAVAILABLE, "and may have been replaced for another");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

static void check_cache_words(void)
{
    struct mock_store *w = world_new(false);
    struct tenuo_ctx *ctx = open_with("set key_cache off\nresolver required store %1\n", w, NULL, NULL);
    is_int(open_code(ctx), TENUO_E_KEY_NOT_FOUND, "off: not there");
    world_put(w, "k", 1);
    is_int(open_code(ctx), TENUO_OK, "off: there at once");
    is_int(open_code(ctx), TENUO_OK, "off: again");
    is_int(calls(w, MOCK_PUBLIC), 3, "off: each asked");
    tenuo_ctx_unref(ctx);
    ctx = open_with("set key_cache off\nresolver required store %1 cache_ttl=1h trace=yes\n", w, NULL, NULL);
    world_clear(w);
    is_int(open_code(ctx), TENUO_E_KEY_NOT_FOUND, "a line's own time goes before");
    ok(strstr(said, "trace: public_key(k) = 9300 (key-not-found)") != NULL, "traced");
    world_put(w, "k", 1);
    is_int(open_code(ctx), TENUO_E_KEY_NOT_FOUND, "remembered");
    sleep_ms(2100);
    is_int(open_code(ctx), TENUO_OK, "for two seconds");
    atomic_store(&w->code, TENUO_E_KEY_DENIED);
    is_int(open_code(ctx), TENUO_OK, "then the key for an hour");
    tenuo_ctx_unref(ctx);
    atomic_store(&w->code, TENUO_OK);
    ctx = open_with("set key_cache 1h\nresolver required store %1 cache_ttl=off\n", w, NULL, NULL);
    world_clear(w);
    world_put(w, "k", 1);
    int before = calls(w, MOCK_PUBLIC);
    is_int(open_code(ctx), TENUO_OK, "off on the line");
    is_int(open_code(ctx), TENUO_OK, "off on the line: again");
    is_int(calls(w, MOCK_PUBLIC), before + 2, "off on the line: each asked");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

static void check_preload(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    const char *good[] = { "a", "b@1" }, *mixed[] = { "a", "none", "../x", "b" };
    world_put(w, "a", 1);
    world_put(w, "b", 2);
    is_int(tenuo_keys_preload(ctx, good, 2, &err), TENUO_OK, "loaded");
    is_int(calls(w, MOCK_SIGN), 2, "and each has signed");
    tenuo_signer_free(open_key(ctx, "a", TENUO_SIGNER_NO_IO, NULL, TENUO_OK, "there without I/O"));
    is_int(tenuo_keys_preload(ctx, mixed, 4, &err), TENUO_E_KEY_NOT_FOUND, "the code of the first that failed");
    ok(err_says("2 of 4 keys") && err_says("'none' (9300), '../x' (9001)"), "all are named: %s", err.msg);
    tenuo_signer_free(open_key(ctx, "b", TENUO_SIGNER_NO_IO, NULL, TENUO_OK, "those after it were loaded"));
    const char *many[40];
    for (size_t i = 0; i < 40; i++)
        many[i] = "a-rather-long-name-of-a-key-that-no-store-has";
    is_int(tenuo_keys_preload(ctx, many, 40, &err), TENUO_E_KEY_NOT_FOUND, "many");
    ok(err_says("40 of 40 keys") && err_says("(9300), ...; /") && err_says("tenuo.conf:2: store"), "are cut: %s",
       err.msg);
    atomic_store(&w->fault, MOCK_WRONG_SIGNATURE);
    is_int(tenuo_keys_preload(ctx, good, 2, &err), TENUO_E_PLUGIN_PROTOCOL, "a store that signs wrongly is found out");
    fails(ctx, "a", TENUO_SIGNER_NO_IO, NULL, TENUO_E_WOULD_BLOCK, "and its keys are not kept");
    is_int(tenuo_keys_preload(ctx, NULL, 0, &err), TENUO_OK, "none");
    tenuo_ctx_unref(ctx);
    world_free(w);
}

static int child(struct tenuo_ctx *ctx, struct tenuo_signer *local)
{
    struct tenuo_signer *s = NULL;
    alarm(20);
    if (tenuo_signer_self_test(local, NULL) != TENUO_E_UNAVAILABLE)
        return 1;
    if (tenuo_ctx_signer(ctx, "k", TENUO_SIGNER_NO_IO, NULL, &s, NULL) != TENUO_E_WOULD_BLOCK)
        return 2;
    if (tenuo_ctx_signer(ctx, "k", 0, NULL, &s, NULL) != TENUO_OK || tenuo_signer_self_test(s, NULL) != TENUO_OK)
        return 3;
    tenuo_signer_free(s);
    tenuo_signer_free(local);
    tenuo_ctx_unref(ctx);
    return 0;
}

static void check_fork(void)
{
    struct mock_store *w = world_new(true);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    int status = -1;
    w->can = TENUO_RESOLVER_EXPORTS;
    world_put(w, "k", 1);
    struct tenuo_signer *s = open_key(ctx, "k", 0, NULL, TENUO_OK, "before a fork");
    ok(tenuo_signer_is_local(s), "local");
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(ctx, s));
    waitpid(pid, &status, 0);
    is_int(WIFEXITED(status) ? WEXITSTATUS(status) : 100 + status, 0, "a child has no key of its parent's");
    is_int(tenuo_signer_self_test(s, &err), TENUO_OK, "who keeps it");
    tenuo_ctx_unref(ctx);
    is_int(tenuo_signer_self_test(s, &err), TENUO_OK, "also without the context");
    tenuo_signer_free(s);
    world_free(w);
}

struct crowd {
    struct tenuo_ctx *ctx;
    atomic_int good;
    atomic_uint tickets;
    unsigned salt;
};

static void *one_of_many(void *arg)
{
    struct crowd *c = arg;
    struct tenuo_signer *s = NULL;
    uint8_t holder[32];
    unsigned n = atomic_fetch_add(&c->tickets, 1);
    memset(holder, 5, sizeof holder);
    memcpy(holder, &n, sizeof n);
    int r = tenuo_ctx_signer(c->ctx, "k", 0, c->salt != 0 ? holder : NULL, &s, NULL);
    if (r == (c->salt != 0 ? TENUO_E_HOLDER_MISMATCH : TENUO_OK) &&
        (s == NULL || tenuo_signer_self_test(s, NULL) == TENUO_OK))
        atomic_fetch_add(&c->good, 1);
    tenuo_signer_free(s);
    return NULL;
}

/* A hundred threads, one request; with wrong holders one search. */
static void check_single_flight(unsigned wrong)
{
    struct mock_store *w = world_new(true);
    struct crowd c = { .ctx = open_with("resolver required store %1\n", w, NULL, NULL), .salt = wrong };
    pthread_t threads[100];
    w->can = TENUO_RESOLVER_EXPORTS;
    world_put(w, "k", 1);
    world_put(w, "k", 2);
    atomic_store(&w->delay_ms, 200);
    for (size_t i = 0; i < 100; i++)
        pthread_create(&threads[i], NULL, one_of_many, &c);
    for (size_t i = 0; i < 100; i++)
        pthread_join(threads[i], NULL);
    is_int(atomic_load(&c.good), 100, "a hundred threads%s", wrong ? " with wrong holders" : "");
    is_int(calls(w, MOCK_EXPORT), 1, "make one request");
    is_int(calls(w, MOCK_DESCRIBE), wrong ? 2 : 0, "and one search when it is needed");
    tenuo_ctx_unref(c.ctx);
    world_free(w);
}

/* Rotation while others sign and open: no signature is wrong, and nobody gets a key that was never there. */
static void *rotate_often(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 40; i++) {
        uint8_t key[32];
        uint32_t version;
        if (tenuo_store_rotate(c->ctx, "store", "k", NULL, key, &version, NULL) == TENUO_OK)
            atomic_fetch_add(&c->tickets, 1);
    }
    return NULL;
}

static void *open_often(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 300; i++) {
        struct tenuo_signer *s = NULL;
        int r = tenuo_ctx_signer(c->ctx, "k", 0, i % 3 == 0 ? public_of(1) : NULL, &s, NULL);
        if (r == TENUO_OK && tenuo_signer_self_test(s, NULL) == TENUO_OK)
            atomic_fetch_add(&c->good, 1);
        tenuo_signer_free(s);
    }
    return NULL;
}

static void check_race(void)
{
    struct mock_store *w = world_new(true);
    struct crowd c = { .ctx = open_with("resolver required store %1\n", w, NULL, NULL) };
    pthread_t threads[5];
    world_put(w, "k", 1);
    (void)public_of(1);
    pthread_create(&threads[4], NULL, rotate_often, &c);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, open_often, &c);
    for (size_t i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    is_int((long long)atomic_load(&c.tickets), 40, "rotated");
    is_int(atomic_load(&c.good), 1200, "every signer that was opened while keys were rotated works");
    tenuo_ctx_unref(c.ctx);
    world_free(w);
}

/* Keys are there before roots are: a context for its keys alone signs, and decides nothing. */
static void check_keys_only(void)
{
    struct mock_store *w = world_new(true);
    char conf[512], plugins[128];
    struct tenuo_ctx *ctx = NULL, *again = NULL;
    struct tenuo_request *call = NULL;
    struct tenuo_decision *decision = NULL;
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    snprintf(conf, sizeof conf,
             "trust required file path=/nonexistent\nresolver required store world=%llx\n"
             "audit required jsonl path=/nonexistent/a.jsonl\n",
             (unsigned long long)(uintptr_t)w);
    struct tenuo_open_options o = { .size = sizeof o, .conf = stage_text("keys.conf", conf), .plugin_dir = plugins };
    ok(tenuo_open("", &o, &ctx, &err) != TENUO_OK, "no root: %s", err.msg);
    o.keys_only = 1;
    must(tenuo_open("", &o, &ctx, &err), "tenuo_open for keys");
    world_put(w, "k", 1);
    tenuo_signer_free(open_key(ctx, "k", 0, NULL, TENUO_OK, "a key without a root"));
    must(tenuo_request_new("t", 1, &call, &err), "request");
    is_int(tenuo_ctx_authorize(ctx, (const uint8_t *)"x", 1, call, &decision, &err), TENUO_E_INVALID_ARGUMENT,
           "decides nothing");
    ok(decision == NULL && tenuo_ctx_verifier(ctx) == NULL && tenuo_ctx_root_count(ctx) == 0 &&
           tenuo_ctx_root(ctx, 0) == NULL && tenuo_ctx_matchers(ctx) == NULL,
       "and has nothing to decide by");
    is_int(tenuo_ctx_reload(ctx, &again, &err), TENUO_OK, "a reload stays with the keys");
    ok(again != NULL && tenuo_ctx_verifier(again) == NULL, "alone");
    tenuo_ctx_unref(again);
    tenuo_ctx_unref(ctx);
    tenuo_request_free(call);
    world_free(w);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    env_begin(argv[1]);
    check_holder(TENUO_RESOLVER_SIGNS);
    check_holder(TENUO_RESOLVER_EXPORTS);
    check_search();
    check_search_fails();
    check_rotated_elsewhere();
    check_wrong_holder_in_outage();
    check_remote();
    check_entry_points(TENUO_RESOLVER_SIGNS);
    check_entry_points(TENUO_RESOLVER_EXPORTS);
    check_conflict();
    check_stale();
    check_stale_replaced();
    check_renumbered();
    check_stale_older();
    check_stale_holder();
    check_cache_words();
    check_preload();
    check_fork();
    check_single_flight(0);
    check_single_flight(1);
    check_race();
    check_keys_only();
    stage_end();
    return done_testing();
}
