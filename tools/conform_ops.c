/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of a resolver, each between guards: an output that a failing call touched, or one that is longer than it
 * may be, is seen here. Public keys and signatures are judged by libsodium, never by the plugin's word.
 */
#include "conform.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 32
#define OUTPUT_MAX 64
#define NO_VERSION 0xa5c3965au /* what stands in *ret_version until the plugin writes it */

struct guarded {
    uint8_t bytes[GUARD + OUTPUT_MAX + GUARD];
};

static const int key_codes[] = { TENUO_E_KEY_NOT_FOUND, TENUO_E_WOULD_BLOCK, TENUO_E_KEY_CONFLICT,
                                 TENUO_E_KEY_DENIED,    TENUO_E_KEY_INVALID, 0 };

static uint8_t pattern(size_t i)
{
    return (uint8_t)(0x5a + 7 * i);
}

static uint8_t *guard(struct guarded *g)
{
    for (size_t i = 0; i < sizeof g->bytes; i++)
        g->bytes[i] = pattern(i);
    return g->bytes + GUARD;
}

/* Takes `len` bytes out on success, and wipes. */
static void judge_output(struct conform *c, const char *what, struct guarded *g, size_t len, int code, uint8_t *ret)
{
    for (size_t i = 0; i < sizeof g->bytes; i++) {
        bool within = i >= GUARD && i < GUARD + len;
        if (g->bytes[i] == pattern(i) || (within && code == TENUO_OK))
            continue;
        if (within)
            conform_breach(c, CONFORM_OUTPUTS, "%s failed and wrote its output: write it last, on success alone", what);
        else
            conform_breach(c, CONFORM_OUTPUTS, "%s wrote beyond its output of %zu bytes", what, len);
    }
    if (code == TENUO_OK)
        memcpy(ret, g->bytes + GUARD, len);
    tenuo_wipe(g, sizeof *g);
}

static void judge_version(struct conform *c, const char *what, int code, uint32_t version)
{
    if (code != TENUO_OK && version != NO_VERSION)
        conform_breach(c, CONFORM_OUTPUTS, "%s failed and wrote *ret_version: write it last, on success alone", what);
    if (code == TENUO_OK && version == NO_VERSION)
        conform_breach(
            c, CONFORM_OUTPUTS,
            "%s succeeded and did not say which version it answered with: write *ret_version, 0 without versions",
            what);
}

int conform_public_key(struct conform *c, const char *id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                       uint32_t *ret_version)
{
    struct conform_call call;
    struct guarded g;
    uint32_t answered = NO_VERSION;
    uint8_t *key = guard(&g);
    conform_begin(c, &call, "public_key");
    int code = c->ops.resolver.public_key(c->self, id, version, key, &answered);
    code = conform_end(c, &call, key_codes, code);
    judge_output(c, "public_key", &g, TENUO_PUBKEY_BYTES, code, ret_key);
    judge_version(c, "public_key", code, answered);
    if (code == TENUO_OK)
        *ret_version = answered == NO_VERSION ? 0 : answered;
    return code;
}

int conform_sign(struct conform *c, const char *id, uint32_t version, const uint8_t *message, size_t len,
                 uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct conform_call call;
    struct guarded g;
    uint8_t *signature = guard(&g);
    conform_begin(c, &call, "sign");
    int code = c->ops.resolver.sign(c->self, id, version, message, len, signature);
    code = conform_end(c, &call, key_codes, code);
    judge_output(c, "sign", &g, TENUO_SIG_BYTES, code, ret_signature);
    return code;
}

int conform_export(struct conform *c, const char *id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    struct conform_call call;
    struct guarded g;
    uint8_t *seed = guard(&g);
    conform_begin(c, &call, "export_seed");
    int code = c->ops.resolver.export_seed(c->self, id, version, seed);
    code = conform_end(c, &call, key_codes, code);
    judge_output(c, "export_seed", &g, TENUO_SEED_BYTES, code, ret_seed);
    return code;
}

/* ---- entries ---- */

bool conform_id_valid(const char *id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strnlen(id, TENUO_KEY_ID_MAX + 1);
    return n > 0 && n <= TENUO_KEY_ID_MAX && strspn(id, allowed) == n && strcmp(id, ".") != 0 && !strstr(id, "..");
}

static void judge_entry(struct conform *c, const char *what, const struct tenuo_key_entry *entry)
{
    if (entry->size > sizeof *entry)
        conform_breach(c, CONFORM_OUTPUTS, "%s changed the entry's size", what);
    else if (!memchr(entry->id, '\0', sizeof entry->id) || !conform_id_valid(entry->id))
        conform_breach(c, CONFORM_OUTPUTS,
                       "%s answered with an id that no host would ask for: leave out what is not [A-Za-z0-9._-]{1,128}",
                       what);
    else if (!memchr(entry->note, '\0', sizeof entry->note))
        conform_breach(c, CONFORM_OUTPUTS, "%s answered with a note without an end", what);
    else if (entry->oldest > entry->newest || (entry->newest != 0 && entry->version > entry->newest))
        conform_breach(c, CONFORM_OUTPUTS, "%s says version %u of %u to %u", what, (unsigned)entry->version,
                       (unsigned)entry->oldest, (unsigned)entry->newest);
    else
        conform_scan(c, what, entry->note);
}

int conform_describe(struct conform *c, const char *id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct conform_call call;
    struct {
        struct tenuo_key_entry entry;
        uint8_t guard[GUARD];
    } g = { .entry = { .size = sizeof g.entry } }, untouched = g;
    conform_begin(c, &call, "describe");
    int code = conform_end(c, &call, key_codes, c->ops.resolver.describe(c->self, id, version, &g.entry));
    if (code != TENUO_OK && memcmp(&g.entry, &untouched.entry, sizeof g.entry) != 0)
        conform_breach(c, CONFORM_OUTPUTS, "describe failed and wrote its entry: write it last, on success alone");
    if (memcmp(g.guard, untouched.guard, sizeof g.guard) != 0)
        conform_breach(c, CONFORM_OUTPUTS, "describe wrote beyond its entry");
    if (code != TENUO_OK)
        return code;
    judge_entry(c, "describe", &g.entry);
    *ret_entry = g.entry;
    return code;
}

struct listing {
    struct conform *c;
    int (*each)(void *arg, const struct tenuo_key_entry *entry);
    void *arg;
    bool stopped;
};

static int list_one(void *arg, const struct tenuo_key_entry *entry)
{
    struct listing *l = arg;
    if (l->stopped)
        conform_breach(l->c, CONFORM_OUTPUTS,
                       "list went on after it was told to stop: end when `each` returns non-zero");
    judge_entry(l->c, "list", entry);
    l->stopped = l->each(l->arg, entry) != 0 || l->stopped;
    return l->stopped;
}

int conform_list(struct conform *c, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct conform_call call;
    struct listing l = { c, each, arg, false };
    conform_begin(c, &call, "list");
    return conform_end(c, &call, key_codes, c->ops.resolver.list(c->self, list_one, &l));
}

/* ---- changes ---- */

static int generate(struct conform *c, const char *id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                    uint32_t *ret_version)
{
    struct conform_call call;
    struct guarded g;
    uint32_t version = NO_VERSION;
    uint8_t *key = guard(&g);
    conform_begin(c, &call, "generate");
    int code = conform_end(c, &call, key_codes, c->ops.resolver.generate(c->self, id, flags, key, &version));
    judge_output(c, "generate", &g, TENUO_PUBKEY_BYTES, code, ret_key);
    judge_version(c, "generate", code, version);
    if (code == TENUO_OK)
        *ret_version = version == NO_VERSION ? 0 : version;
    return code;
}

int conform_import(struct conform *c, const char *id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                   uint32_t *ret_version)
{
    struct conform_call call;
    uint32_t version = NO_VERSION;
    conform_learn(c, seed);
    conform_begin(c, &call, "import");
    int code = conform_end(c, &call, key_codes, c->ops.resolver.import(c->self, id, flags, seed, &version));
    judge_version(c, "import", code, version);
    if (code == TENUO_OK)
        *ret_version = version == NO_VERSION ? 0 : version;
    return code;
}

int conform_make(struct conform *c, const char *id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                 uint32_t *ret_version)
{
    uint8_t seed[TENUO_SEED_BYTES];
    if (c->ops.resolver.generate)
        return generate(c, id, flags, ret_key, ret_version);
    randombytes_buf(seed, sizeof seed);
    int code = conform_import(c, id, flags, seed, ret_version);
    if (code == TENUO_OK && !conform_public_of(seed, ret_key))
        code = TENUO_E_SYSTEM;
    tenuo_wipe(seed, sizeof seed);
    return code;
}

int conform_remove(struct conform *c, const char *id, uint32_t version)
{
    struct conform_call call;
    conform_begin(c, &call, "remove");
    return conform_end(c, &call, key_codes, c->ops.resolver.remove(c->self, id, version));
}

/* ---- what follows from them ---- */

#define CANNOT                                                                                                         \
    (TENUO_RESOLVER_NO_LIST | TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_IMPORT | TENUO_RESOLVER_NO_REMOVE)

unsigned conform_can(struct conform *c)
{
    static const int none[] = { 0 };
    const struct tenuo_resolver_ops *ops = &c->ops.resolver;
    struct conform_call call;
    unsigned ways =
        (ops->sign && ops->public_key ? TENUO_RESOLVER_SIGNS : 0u) | (ops->export_seed ? TENUO_RESOLVER_EXPORTS : 0u);
    if (!ops->can)
        return ways;
    conform_begin(c, &call, "can");
    unsigned can = ops->can(c->self);
    conform_end(c, &call, none, TENUO_OK);
    return (can & ways) != 0 && (can & ~(ways | CANNOT)) == 0 ? can : 0;
}

void conform_drop_ops(struct conform *c)
{
    struct tenuo_resolver_ops *ops = &c->ops.resolver;
    unsigned can = conform_can(c);
    if ((can & TENUO_RESOLVER_NO_LIST) != 0)
        ops->list = NULL;
    if ((can & TENUO_RESOLVER_NO_GENERATE) != 0)
        ops->generate = NULL;
    if ((can & TENUO_RESOLVER_NO_IMPORT) != 0)
        ops->import = NULL;
    if ((can & TENUO_RESOLVER_NO_REMOVE) != 0)
        ops->remove = NULL;
}

int conform_lookup(struct conform *c, const char *id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                   uint32_t *ret_version)
{
    uint8_t seed[TENUO_SEED_BYTES];
    if (c->ops.resolver.public_key)
        return conform_public_key(c, id, version, ret_key, ret_version);
    int code = conform_export(c, id, version, seed);
    if (code == TENUO_OK && !conform_public_of(seed, ret_key))
        code = TENUO_E_SYSTEM;
    if (code == TENUO_OK)
        *ret_version = version;
    tenuo_wipe(seed, sizeof seed);
    return code;
}

bool conform_public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    struct tenuo_signer *signer = NULL;
    if (tenuo_signer_from_seed(seed, &signer, NULL))
        return false;
    memcpy(ret_key, tenuo_signer_public_key(signer), TENUO_PUBKEY_BYTES);
    tenuo_signer_free(signer);
    return true;
}

bool conform_verifies(const uint8_t key[TENUO_PUBKEY_BYTES], const uint8_t *message, size_t len,
                      const uint8_t signature[TENUO_SIG_BYTES])
{
    return crypto_sign_verify_detached(signature, message, len, key) == 0;
}

void conform_random_id(char *ret_id, size_t size, const char *prefix)
{
    uint32_t n = randombytes_random();
    snprintf(ret_id, size, "%s%08x", prefix, (unsigned)n);
}
