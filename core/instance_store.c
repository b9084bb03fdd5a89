/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store operations of a resolver line, typed, and the judge of what they answer: an entry of a store is text and
 * numbers from outside, and reaches no caller before it was looked through. Never calls the caller's code from within a
 * plugin.
 */
#include "instance.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "keycache.h"
#include <tenuo/store.h>

static const int store_codes[] = { TENUO_E_KEY_NOT_FOUND, TENUO_E_WOULD_BLOCK, TENUO_E_KEY_CONFLICT,
                                   TENUO_E_KEY_DENIED,    TENUO_E_KEY_INVALID, 0 };

int tn_store_abilities(struct tn_instance *i, unsigned *ret_abilities, struct tenuo_error *err)
{
    const struct tenuo_resolver_ops *ops = i->ops;
    unsigned can = 0, all = 0;
    int r = tn_resolver_can(i, &can, err);
    if (r != TENUO_OK)
        return r;
    all |= (can & TENUO_RESOLVER_SIGNS) != 0 ? TENUO_STORE_SIGNS : 0u;
    all |= (can & TENUO_RESOLVER_EXPORTS) != 0 ? TENUO_STORE_EXPORTS : 0u;
    all |= ops->list != NULL && (can & TENUO_RESOLVER_NO_LIST) == 0 ? TENUO_STORE_LISTS : 0u;
    all |= ops->describe != NULL ? TENUO_STORE_DESCRIBES : 0u;
    all |= ops->generate != NULL && (can & TENUO_RESOLVER_NO_GENERATE) == 0 ? TENUO_STORE_GENERATES : 0u;
    all |= ops->import != NULL && (can & TENUO_RESOLVER_NO_IMPORT) == 0 ? TENUO_STORE_IMPORTS : 0u;
    all |= ops->remove != NULL && (can & TENUO_RESOLVER_NO_REMOVE) == 0 ? TENUO_STORE_REMOVES : 0u;
    *ret_abilities = all;
    return TENUO_OK;
}

/* 0: the store keeps no versions; UINT32_MAX has no name (common/versions.h). */
static bool versions_are_sane(const struct tenuo_key_entry *e)
{
    if (e->version == 0)
        return e->oldest == 0 && e->newest == 0;
    return e->version != UINT32_MAX && (e->oldest == 0 || e->oldest <= e->version) &&
           (e->newest == 0 || (e->newest >= e->version && e->newest != UINT32_MAX));
}

/* What is wrong with an entry, or NULL; then its note is printable and its numbers are plain. */
static const char *judge(struct tenuo_key_entry *e)
{
    if (memchr(e->id, '\0', sizeof e->id) == NULL || !tn_key_id_valid(e->id))
        return "an id that is none";
    if (memchr(e->note, '\0', sizeof e->note) == NULL)
        return "a note without an end";
    if (!versions_are_sane(e))
        return "versions that contradict each other";
    for (char *p = e->note; *p != '\0'; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    memset(e->note + strlen(e->note), 0, sizeof e->note - strlen(e->note));
    memset(e->id + strlen(e->id), 0, sizeof e->id - strlen(e->id));
    e->has_public_key = e->has_public_key != 0;
    e->created_at = e->created_at > 0 ? e->created_at : 0;
    e->expires_at = e->expires_at > 0 ? e->expires_at : 0;
    return NULL;
}

struct list_call {
    struct tenuo_key_entry *v;
    size_t n, room;
    const char *wrong;
    bool nomem, full;
};

static bool has_room(struct list_call *c)
{
    size_t room = c->room == 0 ? 16 : c->room * 2;
    struct tenuo_key_entry *bigger;
    if (c->n < c->room)
        return true;
    bigger = realloc(c->v, room * sizeof *bigger);
    if (bigger == NULL)
        return false;
    c->v = bigger;
    c->room = room;
    return true;
}

/* Only keeps: the plugin may hold locks, and a slow reader must not use up its deadline. */
static int keep(void *arg, const struct tenuo_key_entry *entry)
{
    struct list_call *c = arg;
    if (c->wrong != NULL || c->nomem || c->full)
        return 1;
    if (entry == NULL || entry->size < sizeof *entry)
        c->wrong = "an entry without its size";
    else if (c->n == TN_MAX_STORE_KEYS)
        c->full = true;
    else if (!has_room(c))
        c->nomem = true;
    if (c->wrong != NULL || c->nomem || c->full)
        return 1;
    memcpy(&c->v[c->n], entry, sizeof *entry);
    c->v[c->n].size = sizeof *entry;
    c->wrong = judge(&c->v[c->n]);
    if (c->wrong != NULL)
        return 1;
    if (c->v[c->n].has_public_key && tenuo_public_key_check(c->v[c->n].public_key) != TENUO_OK)
        c->v[c->n].has_public_key = 0; /* one bad key must not hide the others */
    c->n++;
    return 0;
}

static int call_list(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    return resolver->list(self, keep, arg);
}

static int by_id(const void *a, const void *b)
{
    const struct tenuo_key_entry *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static int judge_list(const struct tn_instance *i, const struct list_call *c, int code, struct tenuo_error *err)
{
    if (c->nomem)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (c->wrong != NULL)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: list answered %s", i->origin, c->wrong);
    if (c->full)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: list goes on after %d keys: ask for one by its id", i->origin,
                       TN_MAX_STORE_KEYS);
    return code;
}

int tn_store_list(struct tn_instance *i, struct tenuo_key_entry **ret_entries, size_t *ret_n, struct tenuo_error *err)
{
    struct list_call c = { 0 };
    int r = tn_instance_call(i, "list", "", store_codes, call_list, &c, err);
    r = judge_list(i, &c, r, err);
    if (r != TENUO_OK) {
        free(c.v);
        return r;
    }
    if (c.n != 0)
        qsort(c.v, c.n, sizeof *c.v, by_id);
    *ret_entries = c.v;
    *ret_n = c.n;
    return TENUO_OK;
}

struct store_call {
    const char *key_id;
    uint32_t version;
    unsigned flags;
    const uint8_t *seed;
    uint8_t *key;
    struct tenuo_key_entry *entry;
};

static int call_describe(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    const struct store_call *c = arg;
    return resolver->describe(self, c->key_id, c->version, c->entry);
}

static int judge_described(const struct tn_instance *i, const struct store_call *c, struct tenuo_error *err)
{
    const char *wrong = judge(c->entry);
    if (wrong == NULL && strcmp(c->entry->id, c->key_id) != 0)
        wrong = "another id than it was asked for";
    if (wrong == NULL && c->version != 0 && c->entry->version != c->version)
        wrong = "another version than it was asked for";
    if (wrong == NULL && c->version == 0 && c->entry->newest != 0 && c->entry->version != c->entry->newest)
        wrong = "an older version when asked for the newest";
    if (wrong != NULL)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: describe answered %s", i->origin, wrong);
    if (c->entry->has_public_key && tenuo_public_key_check(c->entry->public_key) != TENUO_OK)
        return tn_fail(err, TENUO_E_KEY_INVALID, "%s: key '%.128s' has a public key that is unusable", i->origin,
                       c->key_id);
    return TENUO_OK;
}

int tn_store_describe(struct tn_instance *i, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry,
                      struct tenuo_error *err)
{
    struct tenuo_key_entry entry = { .size = sizeof entry };
    struct store_call c = { .key_id = key_id, .version = version, .entry = &entry };
    int r = tn_instance_call(i, "describe", key_id, store_codes, call_describe, &c, err);
    if (r == TENUO_OK)
        r = judge_described(i, &c, err);
    if (r == TENUO_OK) {
        *ret_entry = entry;
        ret_entry->size = sizeof entry;
    }
    return r;
}

static int call_generate(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    struct store_call *c = arg;
    return resolver->generate(self, c->key_id, c->flags, c->key, &c->version);
}

static int call_import(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    struct store_call *c = arg;
    return resolver->import(self, c->key_id, c->flags, c->seed, &c->version);
}

static int judge_version(const struct tn_instance *i, const char *what, const struct store_call *c,
                         struct tenuo_error *err)
{
    if (c->version == UINT32_MAX || ((c->flags & TENUO_STORE_NEW_VERSION) != 0 && c->version < 2))
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: %s answered version %u", i->origin, what,
                       (unsigned)c->version);
    return TENUO_OK;
}

int tn_store_generate(struct tn_instance *i, const char *key_id, unsigned flags, uint8_t ret_key[32],
                      uint32_t *ret_version, struct tenuo_error *err)
{
    uint8_t key[TENUO_PUBKEY_BYTES] = { 0 };
    struct store_call c = { .key_id = key_id, .flags = flags, .key = key };
    int r = tn_instance_call(i, "generate", key_id, store_codes, call_generate, &c, err);
    if (r == TENUO_OK)
        r = judge_version(i, "generate", &c, err);
    if (r == TENUO_OK && tenuo_public_key_check(key) != TENUO_OK)
        r = tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: generate answered a public key that is unusable", i->origin);
    if (r == TENUO_OK) {
        memcpy(ret_key, key, sizeof key);
        *ret_version = c.version;
    }
    return r;
}

int tn_store_import(struct tn_instance *i, const char *key_id, unsigned flags, const uint8_t seed[32],
                    uint32_t *ret_version, struct tenuo_error *err)
{
    struct store_call c = { .key_id = key_id, .flags = flags, .seed = seed };
    int r = tn_instance_call(i, "import", key_id, store_codes, call_import, &c, err);
    if (r == TENUO_OK)
        r = judge_version(i, "import", &c, err);
    if (r == TENUO_OK)
        *ret_version = c.version;
    return r;
}

static int call_remove(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    const struct store_call *c = arg;
    return resolver->remove(self, c->key_id, c->version);
}

int tn_store_remove(struct tn_instance *i, const char *key_id, uint32_t version, struct tenuo_error *err)
{
    struct store_call c = { .key_id = key_id, .version = version };
    return tn_instance_call(i, "remove", key_id, store_codes, call_remove, &c, err);
}
