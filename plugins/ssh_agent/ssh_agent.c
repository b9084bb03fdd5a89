/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "ssh_agent": Ed25519 identities of an ssh-agent, by their comment or by the SHA-256 of their public key. The
 * agent signs; no secret comes here but on its way in (import). Comments cannot be changed in an agent, so versions are
 * counted another way than in other stores: ID is version 1, ID@N the others, and the highest is the newest.
 */
#include "agent.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../common/versions.h"

enum { FAILURE = 5, SUCCESS = 6, SIGN = 13, SIGNED = 14, ADD = 17, REMOVE = 18 };

static int agent_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    const char *socket = nargs > 0 ? args[0].value : NULL;
    if (sodium_init() < 0)
        return TENUO_E_SYSTEM;
    struct agent *a = calloc(1, sizeof *a);
    if (a == NULL)
        return TENUO_E_NOMEM;
    a->host = host;
    if (socket != NULL) {
        a->socket = strdup(socket);
        if (a->socket == NULL) {
            free(a);
            return TENUO_E_NOMEM;
        }
    }
    *ret_self = a;
    return TENUO_OK;
}

/* The environment is the service's own: nothing can be said of its agent here. */
static int agent_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    const char *socket = nargs > 0 ? args[0].value : NULL;
    struct stat st;
    if (socket == NULL || (stat(socket, &st) == 0 && S_ISSOCK(st.st_mode)))
        return TENUO_OK;
    host->error(host, "%s: no socket is there: start the agent with ssh-agent -a %s", socket, socket);
    return TENUO_E_UNAVAILABLE;
}

static void agent_close(void *self)
{
    struct agent *a = self;
    free(a->socket);
    free(a);
}

/* What the agent has under one id. */
struct found {
    struct {
        uint32_t version;
        uint8_t key[TENUO_PUBKEY_BYTES];
    } v[TENUO_KEY_VERSIONS_MAX];
    size_t count, total;
    uint32_t oldest, newest;
    bool conflict, other_type, too_many, by_fingerprint;
};

static void note(struct found *f, const struct agent_identity *i, uint32_t version)
{
    if (i->key == NULL) {
        f->other_type = true;
        return;
    }
    for (size_t k = 0; k < f->count; k++)
        if (f->v[k].version == version) {
            f->conflict = f->conflict || memcmp(f->v[k].key, i->key, TENUO_PUBKEY_BYTES) != 0;
            return;
        }
    if (f->count == TENUO_KEY_VERSIONS_MAX) {
        f->too_many = true;
        return;
    }
    f->v[f->count].version = version;
    memcpy(f->v[f->count++].key, i->key, TENUO_PUBKEY_BYTES);
    f->oldest = f->oldest == 0 || version < f->oldest ? version : f->oldest;
    f->newest = version > f->newest ? version : f->newest;
}

/* The certificate that ssh-add puts beside a key has the key's comment, and is no second key. False: a broken list. */
static bool look_in(struct listing l, const char *key_id, struct found *f)
{
    struct agent_identity i;
    int more;
    while ((more = agent_list_next(&l, &i)) > 0) {
        uint32_t version = agent_version_of(&i, key_id, &f->by_fingerprint);
        f->total++;
        if (version != 0 && !agent_is_certificate(&i))
            note(f, &i, version);
    }
    return more == 0;
}

static int look(const struct agent *a, const char *key_id, struct found *f)
{
    struct listing l;
    int r = agent_list_begin(a, &l);
    if (r != TENUO_OK)
        return r;
    const bool whole = look_in(l, key_id, f);
    free(l.reply);
    return whole ? TENUO_OK : agent_broken(a);
}

static int judge(const struct agent *a, const char *key_id, const struct found *f)
{
    const char *where = agent_socket(a);
    if (f->conflict) {
        a->host->error(a->host,
                       "%s: two identities have the comment '%s': remove one (ssh-add -d), or use its fingerprint",
                       where, key_id);
        return TENUO_E_KEY_CONFLICT;
    }
    if (f->too_many) {
        a->host->error(a->host, "%s: more than %d versions of '%s': remove old ones", where, TENUO_KEY_VERSIONS_MAX,
                       key_id);
        return TENUO_E_KEY_INVALID;
    }
    if (f->count != 0)
        return TENUO_OK;
    if (f->other_type) {
        a->host->error(a->host, "%s: the identity '%s' is no Ed25519 key: add one made by ssh-keygen -t ed25519", where,
                       key_id);
        return TENUO_E_KEY_INVALID;
    }
    if (f->total == 0)
        a->host->error(a->host, "%s: the agent shows no identity at all: it is empty, or locked (ssh-add -X)", where);
    else
        a->host->error(a->host, "%s: no identity has the comment '%s' (ssh-add -l shows them)", where, key_id);
    return TENUO_E_KEY_NOT_FOUND;
}

/* version 0: the newest. */
static int pick(const struct agent *a, const char *key_id, uint32_t version, const struct found *f,
                uint8_t ret_key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    const uint32_t wanted = version == 0 ? f->newest : version;
    for (size_t k = 0; k < f->count; k++)
        if (f->v[k].version == wanted) {
            memcpy(ret_key, f->v[k].key, TENUO_PUBKEY_BYTES);
            *ret_version = wanted;
            return TENUO_OK;
        }
    a->host->error(a->host, "%s: '%s' has no version %u", agent_socket(a), key_id, (unsigned)version);
    return TENUO_E_KEY_NOT_FOUND;
}

static int find(const struct agent *a, const char *key_id, uint32_t version, struct found *f,
                uint8_t ret_key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    *f = (struct found){ 0 };
    int r = look(a, key_id, f);
    if (r == TENUO_OK)
        r = judge(a, key_id, f);
    return r == TENUO_OK ? pick(a, key_id, version, f, ret_key, ret_version) : r;
}

static int agent_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                            uint32_t *ret_version)
{
    struct found f;
    return find(self, key_id, version, &f, ret_key, ret_version);
}

static int ask_signature(const struct agent *a, const uint8_t key[TENUO_PUBKEY_BYTES], const uint8_t *message,
                         size_t len, uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct agent_out out;
    uint8_t *reply = NULL;
    size_t n = 0;
    agent_begin(&out, SIGN, len);
    agent_put_blob(&out, key);
    agent_put_string(&out, message, len);
    agent_put_u32(&out, 0);
    int r = agent_ask(a, &out, &reply, &n);
    agent_end(&out);
    if (r != TENUO_OK)
        return r;
    if (reply[0] == FAILURE) {
        a->host->error(
            a->host, "%s: the agent refuses to sign: it is locked (ssh-add -X), or the question it asked was declined",
            agent_socket(a));
        r = TENUO_E_KEY_DENIED;
    } else if (reply[0] != SIGNED || !agent_get_signature((struct agent_in){ reply + 1, n - 1 }, ret_signature)) {
        r = agent_broken(a);
    }
    free(reply);
    return r;
}

static int agent_sign(void *self, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                      uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct found f;
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t found_version;
    int r = find(self, key_id, version, &f, key, &found_version);
    return r == TENUO_OK ? ask_signature(self, key, message, len, ret_signature) : r;
}

static void fill(struct tenuo_key_entry *entry, const char *key_id, uint32_t version, const struct found *f)
{
    snprintf(entry->id, sizeof entry->id, "%s", key_id);
    entry->version = version;
    entry->oldest = f->oldest;
    entry->newest = f->newest;
    entry->has_public_key = 1;
    snprintf(entry->note, sizeof entry->note, "%s",
             f->by_fingerprint ? "identity by fingerprint" : "identity of an ssh-agent");
}

static int agent_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct tenuo_key_entry entry = { .size = sizeof entry };
    struct found f;
    uint32_t found_version = 0;
    int r = find(self, key_id, version, &f, entry.public_key, &found_version);
    if (r != TENUO_OK)
        return r;
    fill(&entry, key_id, found_version, &f);
    *ret_entry = entry;
    return TENUO_OK;
}

/* The first of its id and version among all: of two with one comment only one is shown. */
static bool is_first(struct listing whole, const struct agent_identity *i, const char *key_id, uint32_t version)
{
    char id[TENUO_KEY_ID_MAX + 1];
    struct agent_identity other;
    uint32_t v = 0;
    while (agent_list_next(&whole, &other) > 0)
        if (other.key != NULL && tn_version_parse((const char *)other.comment.p, other.comment.n, id, &v) &&
            strcmp(id, key_id) == 0 && (v == 0 ? 1 : v) == version)
            return other.blob == i->blob;
    return false;
}

/* Each id once, at its newest identity; what is no key of ours is left out. */
static bool list_one(const struct agent *a, struct listing whole, const struct agent_identity *i,
                     struct tenuo_key_entry *entry)
{
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version = 0, newest = 0;
    struct found f = { 0 };
    uint8_t key[TENUO_PUBKEY_BYTES];
    if (i->key == NULL || !tn_version_parse((const char *)i->comment.p, i->comment.n, id, &version) ||
        !look_in(whole, id, &f) || f.count == 0 || f.newest != (version == 0 ? 1 : version) ||
        !is_first(whole, i, id, f.newest))
        return false;
    *entry = (struct tenuo_key_entry){ .size = sizeof *entry };
    if (pick(a, id, 0, &f, key, &newest) != TENUO_OK)
        return false;
    fill(entry, id, newest, &f);
    memcpy(entry->public_key, key, sizeof key);
    if (f.conflict) {
        entry->has_public_key = 0;
        snprintf(entry->note, sizeof entry->note, "two identities have this comment");
    }
    return true;
}

static int agent_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct listing l;
    struct agent_identity i;
    struct tenuo_key_entry entry;
    int r = agent_list_begin(self, &l), more;
    if (r != TENUO_OK)
        return r;
    const struct listing whole = l;
    while ((more = agent_list_next(&l, &i)) > 0)
        if (list_one(self, whole, &i, &entry) && each(arg, &entry) != 0)
            break;
    free(l.reply);
    return more < 0 ? agent_broken(self) : TENUO_OK;
}

/* The agent's own yes or no. */
static int ask_done(const struct agent *a, struct agent_out *out, const char *what)
{
    uint8_t *reply = NULL;
    size_t n = 0;
    int r = agent_ask(a, out, &reply, &n);
    if (r != TENUO_OK)
        return r;
    if (reply[0] != SUCCESS) {
        a->host->error(a->host, "%s: the agent refuses to %s it: it may be locked (ssh-add -X)", agent_socket(a), what);
        r = TENUO_E_KEY_DENIED;
    }
    free(reply);
    return r;
}

static int add(const struct agent *a, const char *comment, const uint8_t seed[TENUO_SEED_BYTES])
{
    uint8_t key[crypto_sign_PUBLICKEYBYTES], *secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    struct agent_out out;
    if (secret == NULL)
        return TENUO_E_NOMEM;
    crypto_sign_seed_keypair(key, secret, seed);
    agent_begin(&out, ADD, crypto_sign_SECRETKEYBYTES + TN_VERSION_NAME_BYTES);
    agent_put_string(&out, "ssh-ed25519", 11);
    agent_put_string(&out, key, sizeof key);
    agent_put_string(&out, secret, crypto_sign_SECRETKEYBYTES);
    agent_put_string(&out, comment, strlen(comment));
    sodium_free(secret); /* wipes it */
    int r = ask_done(a, &out, "take");
    agent_end(&out);
    return r;
}

/* An agent holds a key once: adding it again gives it another comment, and the id it had is gone. */
static int refuse_known(const struct agent *a, const uint8_t seed[TENUO_SEED_BYTES])
{
    uint8_t key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    struct listing l;
    struct agent_identity i;
    bool known = false;
    int r = agent_list_begin(a, &l), more;
    if (r != TENUO_OK)
        return r;
    crypto_sign_seed_keypair(key, secret, seed);
    sodium_memzero(secret, sizeof secret);
    while ((more = agent_list_next(&l, &i)) > 0)
        known = known || (i.key != NULL && !agent_is_certificate(&i) && memcmp(i.key, key, sizeof key) == 0);
    free(l.reply);
    if (more < 0)
        return agent_broken(a);
    if (!known)
        return TENUO_OK;
    a->host->error(a->host, "%s: the agent has this key already, under another comment: remove that one first",
                   agent_socket(a));
    return TENUO_E_KEY_CONFLICT;
}

static int remove_one(const struct agent *a, const uint8_t key[TENUO_PUBKEY_BYTES])
{
    struct agent_out out;
    agent_begin(&out, REMOVE, 0);
    agent_put_blob(&out, key);
    int r = ask_done(a, &out, "remove");
    agent_end(&out);
    return r;
}

/* Another key under this very comment. A list that cannot be had says nothing. */
static bool has_other(const struct agent *a, const char *comment, const uint8_t key[TENUO_PUBKEY_BYTES])
{
    struct listing l;
    struct agent_identity i;
    bool other = false;
    if (agent_list_begin(a, &l) != TENUO_OK)
        return false;
    while (agent_list_next(&l, &i) > 0)
        other = other || (i.key != NULL && agent_is(i.comment, comment) && memcmp(i.key, key, TENUO_PUBKEY_BYTES) != 0);
    free(l.reply);
    return other;
}

/* Adds it, and takes it back when somebody else added another under the same comment meanwhile: with two of them the
 * id could not be used at all. */
static int add_alone(const struct agent *a, const char *comment, const uint8_t seed[TENUO_SEED_BYTES])
{
    uint8_t key[TENUO_PUBKEY_BYTES], secret[crypto_sign_SECRETKEYBYTES];
    int r = add(a, comment, seed);
    if (r != TENUO_OK)
        return r;
    crypto_sign_seed_keypair(key, secret, seed);
    sodium_memzero(secret, sizeof secret);
    if (!has_other(a, comment, key))
        return TENUO_OK;
    (void)remove_one(a, key);
    a->host->error(a->host, "%s: somebody else added '%s' at the same time: look, then try again", agent_socket(a),
                   comment);
    return TENUO_E_KEY_CONFLICT;
}

static int agent_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                        uint32_t *ret_version)
{
    struct agent *a = self;
    const bool more = (flags & TENUO_STORE_NEW_VERSION) != 0;
    char comment[TN_VERSION_NAME_BYTES];
    struct found f = { 0 };
    if (agent_is_fingerprint(key_id)) {
        a->host->error(a->host, "an id of 64 hex digits is a fingerprint here: give the key another id");
        return TENUO_E_INVALID_ARGUMENT;
    }
    int r = look(a, key_id, &f);
    if (r != TENUO_OK)
        return r;
    if (!more && (f.count != 0 || f.other_type)) {
        a->host->error(a->host, "%s: there is an identity '%s' already: rotate it, or remove it first", agent_socket(a),
                       key_id);
        return TENUO_E_KEY_CONFLICT;
    }
    r = more ? judge(a, key_id, &f) : TENUO_OK;
    if (r != TENUO_OK)
        return r;
    if (f.count == TENUO_KEY_VERSIONS_MAX || f.newest >= UINT32_MAX - 1) {
        a->host->error(a->host, "%s: '%s' has %zu versions: remove old ones first", agent_socket(a), key_id, f.count);
        return TENUO_E_KEY_DENIED;
    }
    r = refuse_known(a, seed);
    if (r != TENUO_OK)
        return r;
    tn_version_name(key_id, more ? f.newest + 1 : 0, comment);
    r = add_alone(a, comment, seed);
    if (r == TENUO_OK)
        *ret_version = f.newest + 1;
    return r;
}

/* The newest last: cut off in between, no older one takes its place. */
static int remove_all(const struct agent *a, const struct found *f)
{
    const uint8_t *newest = NULL;
    int r = TENUO_OK;
    for (size_t k = 0; k < f->count && r == TENUO_OK; k++) {
        if (f->v[k].version == f->newest)
            newest = f->v[k].key;
        else
            r = remove_one(a, f->v[k].key);
    }
    return r == TENUO_OK && newest != NULL ? remove_one(a, newest) : r;
}

static int agent_remove(void *self, const char *key_id, uint32_t version)
{
    struct agent *a = self;
    struct found f;
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t found_version = 0;
    int r = find(a, key_id, version, &f, key, &found_version);
    if (r != TENUO_OK)
        return r;
    if (version == 0)
        return remove_all(a, &f);
    if (version != f.newest || f.count == 1)
        return remove_one(a, key);
    a->host->error(a->host, "'%s@%u' is the newest version: rotate first, or remove '%s' with all its versions", key_id,
                   (unsigned)version, key_id);
    return TENUO_E_INVALID_ARGUMENT;
}

static const struct tenuo_arg_spec args[] = {
    { "socket", TENUO_ARG_PATH, 0, "the agent's socket (SSH_AUTH_SOCK)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = agent_open,
    .close = agent_close,
    .check = agent_check,
    .public_key = agent_public_key,
    .sign = agent_sign,
    .list = agent_list,
    .describe = agent_describe,
    .import = agent_import,
    .remove = agent_remove,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "ssh_agent",
    .version = "1.0",
    .summary = "Ed25519 identities of an ssh-agent, which signs",
    .args = args,
    .resolver = &ops,
};
