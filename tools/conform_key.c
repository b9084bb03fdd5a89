/* SPDX-License-Identifier: Apache-2.0 */
/* What a resolver answers: which keys are there and which are not, and whether seed, public key, signatures and
 * versions belong together. Changes nothing in the store. */
#include "conform.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 65536u
#define MESSAGE_SURE 4096u /* what every store must sign: the largest preimage of a call is far below */
#define LIST_MAX 100000u

/* ---- the key that the other checks use ---- */

static int take_usable(void *arg, const struct tenuo_key_entry *entry)
{
    char *id = arg;
    if (!conform_id_valid(entry->id) || !entry->has_public_key)
        return 0;
    memcpy(id, entry->id, sizeof entry->id);
    return 1;
}

void conform_check_key(struct conform *c, struct conform_verdict *v)
{
    char id[TENUO_KEY_ID_MAX + 1] = "";
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t version;
    if (!conform_open(c, v))
        return;
    if (c->key_id)
        snprintf(id, sizeof id, "%s", c->key_id);
    else if (c->shared->made)
        snprintf(id, sizeof id, "%s", c->own_id);
    else if (c->ops.resolver.list)
        (void)conform_list(c, take_usable, id);
    if (id[0] == '\0') {
        conform_skip(v, "no key is known: name one with --key-id ID, or let the suite make one with --write");
    } else {
        int code = conform_lookup(c, id, 0, key, &version);
        if (code != TENUO_OK)
            conform_fail(v, "'%s' cannot be looked up: %s", id, conform_code(code));
        else
            memcpy(c->shared->key_id, id, sizeof id);
        conform_good(v, "'%s' is there, the checks below use it", id);
    }
    conform_close(c);
}

/* ---- ids ---- */

struct answer {
    const char *what;
    int code;
};

static size_t ask_all(struct conform *c, const char *id, struct answer answers[4])
{
    static const uint8_t message[64] = { 1 };
    uint8_t out[TENUO_SIG_BYTES];
    uint32_t version;
    struct tenuo_key_entry entry;
    size_t n = 0;
    if (c->ops.resolver.public_key)
        answers[n++] = (struct answer){ "public_key", conform_public_key(c, id, 0, out, &version) };
    if (c->ops.resolver.export_seed && (conform_can(c) & TENUO_RESOLVER_EXPORTS) != 0)
        answers[n++] = (struct answer){ "export_seed", conform_export(c, id, 0, out) };
    if (c->ops.resolver.sign && (conform_can(c) & TENUO_RESOLVER_SIGNS) != 0)
        answers[n++] = (struct answer){ "sign", conform_sign(c, id, 0, message, sizeof message, out) };
    if (c->ops.resolver.describe)
        answers[n++] = (struct answer){ "describe", conform_describe(c, id, 0, &entry) };
    tenuo_wipe(out, sizeof out);
    return n;
}

void conform_check_not_found(struct conform *c, struct conform_verdict *v)
{
    char id[64];
    struct answer answers[4];
    if (!conform_open(c, v))
        return;
    conform_random_id(id, sizeof id, "conform-nobody-");
    size_t n = ask_all(c, id, answers);
    for (size_t i = 0; i < n; i++)
        if (answers[i].code != TENUO_E_KEY_NOT_FOUND)
            conform_fail(v, "%s of an id that nobody made answered %s: 9300 is for what the store says is not there",
                         answers[i].what, conform_code(answers[i].code));
    conform_close(c);
    conform_good(v, "an id that nobody made is not found (9300)");
}

void conform_check_ids(struct conform *c, struct conform_verdict *v)
{
    static const char *const ids[] = { "x",       "-",     "--help",          "_", "a.b.c",
                                       ".hidden", "ends.", "UPPER.lower-1_2", "0", "-1" };
    char longest[TENUO_KEY_ID_MAX + 1];
    struct answer answers[4];
    if (!conform_open(c, v))
        return;
    memset(longest, 'x', TENUO_KEY_ID_MAX);
    longest[TENUO_KEY_ID_MAX] = '\0';
    for (size_t k = 0; k <= sizeof ids / sizeof *ids; k++) {
        const char *id = k < sizeof ids / sizeof *ids ? ids[k] : longest;
        size_t n = ask_all(c, id, answers);
        for (size_t i = 0; i < n; i++)
            if (answers[i].code != TENUO_E_KEY_NOT_FOUND && answers[i].code != TENUO_OK)
                conform_fail(v,
                             "%s of the id '%.20s%s' answered %s: every id of [A-Za-z0-9._-]{1,128} must be looked for",
                             answers[i].what, id, strlen(id) > 20 ? "..." : "", conform_code(answers[i].code));
    }
    conform_close(c);
    conform_good(v, "ids of 1 and of 128 characters, with dots and dashes, are looked for");
}

/* Never handed to a plugin by the host: a second line of defence. */
void conform_check_bad_ids(struct conform *c, struct conform_verdict *v)
{
    static const char *const ids[] = { "",       ".",    "..",       "../conform", "/etc/passwd", "a/b",  "a\nb",
                                       "%2e%2e", "ID@1", "{key_id}", "a b",        "*",           "%s%n", "\xff\xfe" };
    char longest[4097];
    struct answer answers[4];
    if (!conform_open(c, v))
        return;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t k = 0; k <= sizeof ids / sizeof *ids; k++) {
        size_t n = ask_all(c, k < sizeof ids / sizeof *ids ? ids[k] : longest, answers);
        for (size_t i = 0; i < n; i++)
            if (answers[i].code == TENUO_OK)
                conform_warn(
                    v, "%s found something under an id that the host would refuse: check ids in the plugin as well",
                    answers[i].what);
    }
    conform_close(c);
    conform_good(v, "ids that the host would refuse find nothing");
}

/* ---- seed, public key, signatures ---- */

void conform_check_can(struct conform *c, struct conform_verdict *v)
{
    if (!conform_open(c, v))
        return;
    unsigned can = conform_can(c);
    if (can == 0)
        conform_fail(
            v, "it can neither sign nor export: a line needs sign with public_key, or export_seed, and `can` may name "
               "only what is there");
    for (int i = 0; i < 3; i++)
        if (conform_can(c) != can)
            conform_fail(v, "`can` answers differently each time: it is the arguments of the line that decide");
    conform_close(c);
    unsigned ways = can & (TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_EXPORTS);
    conform_good(v, "%s%s",
                 ways == TENUO_RESOLVER_SIGNS     ? "the store signs, the secret stays there"
                 : ways == TENUO_RESOLVER_EXPORTS ? "the seed is handed over, the host signs"
                                                  : "signs, and hands over seeds",
                 can != ways ? "; not every store operation works on this line" : "");
}

static void judge_seed(struct conform *c, const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t version,
                       struct conform_verdict *v)
{
    uint8_t seed[TENUO_SEED_BYTES], again[TENUO_SEED_BYTES], public[TENUO_PUBKEY_BYTES];
    int code = conform_export(c, c->shared->key_id, version, seed);
    int second = code == TENUO_OK ? conform_export(c, c->shared->key_id, version, again) : code;
    if (code != TENUO_OK || second != TENUO_OK)
        conform_fail(v, "export_seed of a key that is there answered %s",
                     conform_code(code != TENUO_OK ? code : second));
    else if (sodium_memcmp(seed, again, sizeof seed) != 0)
        conform_fail(v, "export_seed handed over two seeds for one version");
    else if (!conform_public_of(seed, public) || memcmp(public, key, sizeof public) != 0)
        conform_fail(v, "the seed is not that of the public key: the two must name one version");
    tenuo_wipe(seed, sizeof seed);
    tenuo_wipe(again, sizeof again);
}

void conform_check_agree(struct conform *c, struct conform_verdict *v)
{
    uint8_t key[TENUO_PUBKEY_BYTES], again[TENUO_PUBKEY_BYTES];
    uint32_t version = 0, second = 0;
    if (!conform_open(c, v))
        return;
    int code = conform_lookup(c, c->shared->key_id, 0, key, &version);
    int code2 = code == TENUO_OK ? conform_lookup(c, c->shared->key_id, version, again, &second) : code;
    if (code != TENUO_OK || code2 != TENUO_OK)
        conform_fail(v, "the version %u that it answered with cannot be asked for: %s", (unsigned)version,
                     conform_code(code != TENUO_OK ? code : code2));
    else if (memcmp(key, again, sizeof key) != 0 || version != second)
        conform_fail(v, "asked for the version that it answered with, public_key answers with another");
    else if (tenuo_public_key_check(key))
        conform_fail(v, "the public key is no usable Ed25519 key");
    else if ((conform_can(c) & TENUO_RESOLVER_EXPORTS) != 0)
        judge_seed(c, key, version, v);
    conform_close(c);
    conform_good(v, "the same key each time, and its seed where there is one (version %u)", (unsigned)version);
}

/* False: the store takes no message of this length. */
static bool judge_signature(struct conform *c, const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t version, size_t len,
                            struct conform_verdict *v)
{
    uint8_t *message = cli_alloc(len + 1, 1), *copy = cli_alloc(len + 1, 1), signature[TENUO_SIG_BYTES];
    randombytes_buf(message, len);
    memcpy(copy, message, len);
    int code = conform_sign(c, c->shared->key_id, version, message, len, signature);
    if (code != TENUO_OK && len <= MESSAGE_SURE)
        conform_fail(v, "sign of %zu bytes answered %s", len, conform_code(code));
    else if (code != TENUO_OK)
        conform_warn(v, "sign of %zu bytes answered %s: large warrants cannot be signed with it", len,
                     conform_code(code));
    else if (!conform_verifies(key, copy, len, signature))
        conform_fail(
            v,
            "the signature of %zu bytes does not verify with the public key: plain Ed25519 over the message as it is",
            len);
    if (memcmp(message, copy, len) != 0)
        conform_fail(v, "sign changed its message, which is only lent");
    free(message);
    free(copy);
    return code == TENUO_OK;
}

void conform_check_signatures(struct conform *c, struct conform_verdict *v)
{
    static const size_t sizes[] = { 0,   1,   31,  32,   33,   63,   64,   65,   111,   127,   128,   129,        191,
                                    255, 256, 257, 1000, 1023, 1024, 1025, 4096, 16384, 32768, 65535, MESSAGE_MAX };
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t version = 0;
    if (!conform_open(c, v))
        return;
    if ((conform_can(c) & TENUO_RESOLVER_SIGNS) == 0) {
        conform_skip(v, "the line does not sign");
    } else {
        int code = conform_public_key(c, c->shared->key_id, 0, key, &version);
        if (code != TENUO_OK)
            conform_fail(v, "public_key answered %s", conform_code(code));
        for (size_t i = 0; code == TENUO_OK && i < sizeof sizes / sizeof *sizes; i++)
            if (!judge_signature(c, key, version, sizes[i], v))
                break;
    }
    conform_close(c);
    conform_good(v, "messages of 0 to %u bytes are signed, each signature verifies", MESSAGE_MAX);
}

/* ---- versions ---- */

static void judge_range(struct conform *c, const struct tenuo_key_entry *entry, uint32_t newest,
                        const uint8_t key[TENUO_PUBKEY_BYTES], struct conform_verdict *v)
{
    uint8_t old[TENUO_PUBKEY_BYTES];
    struct tenuo_key_entry at;
    uint32_t n = 0;
    if (strcmp(entry->id, c->shared->key_id) != 0)
        conform_fail(v, "describe answered with another id");
    if (entry->version != newest || (newest != 0 && entry->newest != newest))
        conform_fail(v, "describe says version %u (newest %u), public_key %u", (unsigned)entry->version,
                     (unsigned)entry->newest, (unsigned)newest);
    if (entry->has_public_key && memcmp(entry->public_key, key, sizeof old) != 0)
        conform_fail(v, "describe and public_key answer with different keys");
    if (newest == 0 || entry->oldest == 0)
        return;
    if (entry->newest - entry->oldest >= TENUO_KEY_VERSIONS_MAX)
        conform_warn(v, "there are more than %d versions: the host looks through %d", TENUO_KEY_VERSIONS_MAX,
                     TENUO_KEY_VERSIONS_MAX);
    int code = conform_lookup(c, c->shared->key_id, entry->oldest, old, &n);
    if (code != TENUO_OK || n != entry->oldest)
        conform_fail(v, "the oldest version %u that describe names: %s", (unsigned)entry->oldest,
                     code == TENUO_OK ? "another one was answered" : conform_code(code));
    else if (conform_describe(c, c->shared->key_id, entry->oldest, &at) != TENUO_OK || at.version != entry->oldest)
        conform_fail(v, "describe does not know the oldest version, %u, that it names", (unsigned)entry->oldest);
}

static void judge_missing(struct conform *c, uint32_t version, struct conform_verdict *v)
{
    static const uint8_t message[64] = { 1 };
    uint8_t out[TENUO_SIG_BYTES];
    uint32_t n;
    struct tenuo_key_entry entry;
    const char *id = c->shared->key_id;
    unsigned can = conform_can(c);
    struct answer answers[4];
    size_t count = 0;
    if (c->ops.resolver.public_key)
        answers[count++] = (struct answer){ "public_key", conform_public_key(c, id, version, out, &n) };
    if ((can & TENUO_RESOLVER_EXPORTS) != 0)
        answers[count++] = (struct answer){ "export_seed", conform_export(c, id, version, out) };
    if ((can & TENUO_RESOLVER_SIGNS) != 0)
        answers[count++] = (struct answer){ "sign", conform_sign(c, id, version, message, sizeof message, out) };
    if (c->ops.resolver.describe)
        answers[count++] = (struct answer){ "describe", conform_describe(c, id, version, &entry) };
    for (size_t i = 0; i < count; i++)
        if (answers[i].code != TENUO_E_KEY_NOT_FOUND)
            conform_fail(v, "%s of version %u, which is not there, answered %s instead of 9300", answers[i].what,
                         (unsigned)version, conform_code(answers[i].code));
    tenuo_wipe(out, sizeof out);
}

void conform_check_versions(struct conform *c, struct conform_verdict *v)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t newest = 0;
    struct tenuo_key_entry entry;
    if (!conform_open(c, v))
        return;
    int code = conform_lookup(c, c->shared->key_id, 0, key, &newest);
    if (code != TENUO_OK)
        conform_fail(v, "the newest version: %s", conform_code(code));
    if (code == TENUO_OK && c->ops.resolver.describe) {
        code = conform_describe(c, c->shared->key_id, 0, &entry);
        if (code != TENUO_OK)
            conform_fail(v, "describe of a key that is there answered %s", conform_code(code));
        else
            judge_range(c, &entry, newest, key, v);
    }
    judge_missing(c, newest + 1000, v);
    judge_missing(c, UINT32_MAX, v);
    conform_close(c);
    if (newest == 0)
        conform_good(v, "it keeps none, and says so of every number");
    conform_good(v, "newest is %u; what is not there is not found", (unsigned)newest);
}

/* ---- list ---- */

struct ids {
    size_t count;
    bool found;
    const char *wanted;
    char last[TENUO_KEY_ID_MAX + 1];
    bool twice;
};

static int count_one(void *arg, const struct tenuo_key_entry *entry)
{
    struct ids *ids = arg;
    char id[sizeof ids->last];
    snprintf(id, sizeof id, "%.*s", (int)sizeof id - 1, entry->id);
    ids->twice = ids->twice || strcmp(id, ids->last) == 0;
    memcpy(ids->last, id, sizeof id);
    ids->found = ids->found || strcmp(id, ids->wanted) == 0;
    return ++ids->count >= LIST_MAX;
}

static int stop_at_once(void *arg, const struct tenuo_key_entry *entry)
{
    size_t *count = arg;
    (void)entry;
    return ++*count > 0;
}

void conform_check_list(struct conform *c, struct conform_verdict *v)
{
    struct ids ids = { .wanted = c->shared->key_id };
    size_t stopped = 0;
    if (!conform_open(c, v))
        return;
    if (!c->ops.resolver.list) {
        conform_skip(v, "it has none here: `tenuo key list` cannot show what is there");
        conform_close(c);
        return;
    }
    int code = conform_list(c, count_one, &ids);
    if (code == TENUO_OK)
        code = conform_list(c, stop_at_once, &stopped);
    if (code != TENUO_OK)
        conform_fail(v, "list answered %s", conform_code(code));
    else if (stopped > 1)
        conform_fail(v, "it went on after it was told to stop: end when `each` returns non-zero");
    else if (ids.twice)
        conform_fail(v, "it names an id more than once: each id comes with its newest version alone");
    else if (ids.wanted[0] != '\0' && !ids.found)
        conform_warn(v, "'%s' can be looked up and is not listed", ids.wanted);
    conform_close(c);
    conform_good(v, "%zu id%s, and it stops when it is told to", ids.count, ids.count == 1 ? "" : "s");
}
