/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store operations of a resolver, with --write: on keys that the suite makes and removes, never on one that was
 * there. What is left after a fault is removed by the last check.
 */
#include "conform.h"

#include <sodium.h>
#include <string.h>

static bool can_make(const struct conform *c)
{
    return c->ops.resolver.generate || c->ops.resolver.import;
}

/* Opens for a check that needs the key of check "generate". */
static bool begin(struct conform *c, struct conform_verdict *v)
{
    if (!c->shared->made) {
        conform_skip(v, "there is no key of the suite's own, see check 'generate'");
        return false;
    }
    return conform_open(c, v);
}

/* The key under an id is this one. */
static void judge_lookup(struct conform *c, const char *id, uint32_t version, const uint8_t want[TENUO_PUBKEY_BYTES],
                         uint32_t want_version, struct conform_verdict *v)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t answered = 0;
    int code = conform_lookup(c, id, version, key, &answered);
    if (code != TENUO_OK)
        conform_fail(v, "version %u of a key that was just made: %s", (unsigned)version, conform_code(code));
    else if (memcmp(key, want, sizeof key) != 0)
        conform_fail(v, "version %u is another key than the one that was stored", (unsigned)version);
    else if (c->ops.resolver.public_key && answered != want_version)
        conform_fail(v, "version %u was stored, and %u is answered", (unsigned)want_version, (unsigned)answered);
}

static void judge_gone(struct conform *c, const char *id, uint32_t version, struct conform_verdict *v)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t answered;
    int code = conform_lookup(c, id, version, key, &answered);
    if (code != TENUO_E_KEY_NOT_FOUND)
        conform_fail(v, "version %u of a key that was removed: %s, instead of 9300", (unsigned)version,
                     conform_code(code));
}

void conform_check_generate(struct conform *c, struct conform_verdict *v)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t version = 0;
    if (!conform_open(c, v))
        return;
    if (!can_make(c)) {
        conform_skip(v, "it has neither generate nor import here: keys come into the store by other means");
    } else {
        int code = conform_make(c, c->own_id, 0, key, &version);
        if (code != TENUO_OK)
            conform_fail(v, "making '%s' answered %s", c->own_id, conform_code(code));
        else
            c->shared->made = true;
        if (code == TENUO_OK)
            judge_lookup(c, c->own_id, 0, key, version, v);
    }
    conform_close(c);
    conform_good(v, "'%s' was made and can be looked up", c->own_id);
}

void conform_check_taken(struct conform *c, struct conform_verdict *v)
{
    uint8_t key[TENUO_PUBKEY_BYTES], other[TENUO_PUBKEY_BYTES], seed[TENUO_SEED_BYTES];
    uint32_t version = 0, n;
    if (!begin(c, v))
        return;
    int code = conform_lookup(c, c->own_id, 0, key, &version);
    if (code != TENUO_OK)
        conform_fail(v, "the key that was just made: %s", conform_code(code));
    code = conform_make(c, c->own_id, 0, other, &n);
    if (code != TENUO_E_KEY_CONFLICT)
        conform_fail(v, "making an id that is taken answered %s, instead of 9303", conform_code(code));
    if (c->ops.resolver.import) {
        randombytes_buf(seed, sizeof seed);
        code = conform_import(c, c->own_id, 0, seed, &n);
        if (code != TENUO_E_KEY_CONFLICT && (code != TENUO_E_INVALID_ARGUMENT || !c->ops.resolver.generate))
            conform_fail(v, "importing to an id that is taken answered %s, instead of 9303", conform_code(code));
    }
    judge_lookup(c, c->own_id, 0, key, version, v);
    conform_close(c);
    conform_good(v, "an id that is taken is refused (9303), and its key stays");
}

static void rotate(struct conform *c, struct conform_verdict *v)
{
    uint8_t old[TENUO_PUBKEY_BYTES], fresh[TENUO_PUBKEY_BYTES];
    uint32_t before = 0, after = 0;
    struct tenuo_key_entry entry;
    int code = conform_lookup(c, c->own_id, 0, old, &before);
    if (code == TENUO_OK)
        code = conform_make(c, c->own_id, TENUO_STORE_NEW_VERSION, fresh, &after);
    if (code == TENUO_E_INVALID_ARGUMENT && before == 0) {
        conform_skip(v, "the store keeps no versions");
        return;
    }
    if (code != TENUO_OK) {
        conform_fail(v, "a newer version answered %s", conform_code(code));
        return;
    }
    if (c->ops.resolver.public_key && (before == 0 || after <= before))
        conform_fail(v, "version %u came after %u: numbers start at 1 and grow", (unsigned)after, (unsigned)before);
    if (memcmp(old, fresh, sizeof old) == 0)
        conform_fail(v, "the newer version has the same key");
    judge_lookup(c, c->own_id, 0, fresh, after, v);
    judge_lookup(c, c->own_id, before, old, before, v);
    if (!c->ops.resolver.describe)
        return;
    code = conform_describe(c, c->own_id, 0, &entry);
    if (code != TENUO_OK || entry.newest != after || entry.oldest != before)
        conform_fail(v, "describe after that: %s, versions %u to %u", conform_code(code), (unsigned)entry.oldest,
                     (unsigned)entry.newest);
}

void conform_check_rotate(struct conform *c, struct conform_verdict *v)
{
    char id[64];
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t version;
    if (!begin(c, v))
        return;
    conform_random_id(id, sizeof id, "conform-nobody-");
    rotate(c, v);
    int code = conform_make(c, id, TENUO_STORE_NEW_VERSION, key, &version);
    if (code == TENUO_OK && c->ops.resolver.remove)
        (void)conform_remove(c, id, 0);
    if (code != TENUO_E_KEY_NOT_FOUND && v->result != CONFORM_SKIP)
        conform_fail(v, "a newer version of an id that is not there answered %s, instead of 9300", conform_code(code));
    conform_close(c);
    conform_good(v, "a newer key takes over, the old one stays under its number");
}

static void judge_imported(struct conform *c, const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t version,
                           struct conform_verdict *v)
{
    static const uint8_t message[100] = { 7 };
    uint8_t signature[TENUO_SIG_BYTES];
    judge_lookup(c, c->second_id, 0, key, version, v);
    if ((conform_can(c) & TENUO_RESOLVER_SIGNS) == 0)
        return;
    int code = conform_sign(c, c->second_id, version, message, sizeof message, signature);
    if (code != TENUO_OK || !conform_verifies(key, message, sizeof message, signature))
        conform_fail(v, "signing with an imported key: %s",
                     code == TENUO_OK ? "the signature is wrong" : conform_code(code));
}

void conform_check_import(struct conform *c, struct conform_verdict *v)
{
    uint8_t seed[TENUO_SEED_BYTES], key[TENUO_PUBKEY_BYTES];
    uint32_t version = 0;
    if (!conform_open(c, v))
        return;
    if (!c->ops.resolver.import) {
        conform_skip(v, "it has none here: keys that exist cannot be brought into this store");
        conform_close(c);
        return;
    }
    randombytes_buf(seed, sizeof seed);
    int code = conform_import(c, c->second_id, 0, seed, &version);
    if (code == TENUO_E_INVALID_ARGUMENT && c->ops.resolver.generate)
        conform_warn(v,
                     "this line takes no seed (%s): when its arguments decide that, `can` says "
                     "TENUO_RESOLVER_NO_IMPORT",
                     conform_last());
    else if (code != TENUO_OK)
        conform_fail(v, "import answered %s", conform_code(code));
    else if (conform_public_of(seed, key))
        judge_imported(c, key, version, v);
    tenuo_wipe(seed, sizeof seed);
    if (code == TENUO_OK && c->ops.resolver.remove && conform_remove(c, c->second_id, 0) != TENUO_OK)
        conform_fail(v, "removing '%s' again: %s", c->second_id, conform_last());
    conform_close(c);
    conform_good(v, "a seed was brought in, and is the one that is answered and signed with");
}

/* One version, then all. */
static void remove_versions(struct conform *c, struct conform_verdict *v)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t newest = 0;
    struct tenuo_key_entry entry = { 0 };
    int code = conform_lookup(c, c->own_id, 0, key, &newest);
    if (code != TENUO_OK || !c->ops.resolver.describe || conform_describe(c, c->own_id, 0, &entry) != TENUO_OK ||
        entry.oldest == 0 || entry.oldest >= newest)
        return;
    code = conform_remove(c, c->own_id, newest);
    if (code != TENUO_E_INVALID_ARGUMENT)
        conform_fail(v, "removing the newest version while an older one stays answered %s, instead of 9001",
                     conform_code(code));
    judge_lookup(c, c->own_id, 0, key, newest, v);
    code = conform_remove(c, c->own_id, entry.oldest);
    if (code == TENUO_E_INVALID_ARGUMENT) {
        conform_warn(v, "no older version can go alone: %s", conform_last());
        return;
    }
    if (code != TENUO_OK)
        conform_fail(v, "removing version %u answered %s", (unsigned)entry.oldest, conform_code(code));
    judge_gone(c, c->own_id, entry.oldest, v);
    judge_lookup(c, c->own_id, 0, key, newest, v);
}

void conform_check_remove(struct conform *c, struct conform_verdict *v)
{
    if (!begin(c, v))
        return;
    if (!c->ops.resolver.remove) {
        conform_warn(v, "it has none here, so '%s' stays in the store: remove it by hand", c->own_id);
        conform_close(c);
        return;
    }
    remove_versions(c, v);
    int code = conform_remove(c, c->own_id, 0);
    if (code != TENUO_OK)
        conform_fail(v, "removing '%s' answered %s: remove it by hand", c->own_id, conform_code(code));
    judge_gone(c, c->own_id, 0, v);
    code = conform_remove(c, c->own_id, 0);
    if (code != TENUO_E_KEY_NOT_FOUND)
        conform_fail(v, "removing it once more answered %s, instead of 9300", conform_code(code));
    (void)conform_remove(c, c->second_id, 0); /* in case that check 'import' died */
    conform_close(c);
    conform_good(v, "the suite's key is gone, with all its versions");
}
