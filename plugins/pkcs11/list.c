/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the administrator's commands show: the keys of the token whose names are key ids, with the newest version of
 * each. Other objects of the token are not shown and not touched. Entries are gathered first, so that no session is
 * held while the caller reads them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

struct item {
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version; /* 0: ID itself */
    bool public;
    CK_OBJECT_HANDLE object;
};

struct gather {
    struct item *items;
    size_t n, cap;
    bool public;
    struct tenuo_key_entry *entries;
    size_t count;
};

static int take(void *arg, CK_OBJECT_HANDLE object, const char *text, size_t len)
{
    struct gather *g = arg;
    struct item item = { .public = g->public, .object = object };
    if (!tn_version_parse(text, len, item.id, &item.version))
        return TENUO_OK;
    if (g->n == g->cap) {
        size_t cap = g->cap == 0 ? 64 : 2 * g->cap;
        struct item *items = reallocarray(g->items, cap, sizeof *items);
        if (items == NULL)
            return TENUO_E_NOMEM;
        g->items = items;
        g->cap = cap;
    }
    g->items[g->n++] = item;
    return TENUO_OK;
}

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return strcmp(x->id, y->id);
}

/* One id: items[0..n) of it. */
static int enter(struct p11_session *s, const struct item *items, size_t n, struct tenuo_key_entry *entry)
{
    struct tn_versions v = { 0 };
    const struct item *newest = NULL;
    struct p11_key key = { .wrong = "no public key object" };
    uint32_t number = 0;
    char name[TN_VERSION_NAME_BYTES];
    for (size_t i = 0; i < n; i++) {
        tn_version_name(items[i].id, items[i].version, name);
        if (items[i].public)
            tn_versions_note(&v, items[i].id, name, strlen(name));
    }
    for (size_t i = 0; i < n; i++)
        if (items[i].public && items[i].version == (v.plain ? 0 : v.count > 0 ? v.n[v.count - 1] : 0))
            newest = &items[i];
    int r = newest == NULL ? TENUO_OK : p11_key_read(s, newest->object, &key);
    if (r == TENUO_OK && newest != NULL && v.plain)
        r = p11_number(s, newest->object, &number);
    entry->size = sizeof *entry;
    memcpy(entry->id, items[0].id, sizeof entry->id);
    p11_newest(&v, number, &entry->oldest, &entry->newest);
    entry->version = entry->newest;
    entry->has_public_key = key.wrong == NULL && key.has_point;
    memcpy(entry->public_key, key.point, sizeof entry->public_key);
    if (key.wrong != NULL)
        snprintf(entry->note, sizeof entry->note, "no usable key: %s", key.wrong);
    else
        snprintf(entry->note, sizeof entry->note, "token '%s'", s->token.label);
    return r;
}

static int make_entries(struct p11_session *s, struct gather *g)
{
    int r = TENUO_OK;
    g->entries = calloc(g->n == 0 ? 1 : g->n, sizeof *g->entries);
    if (g->entries == NULL)
        return TENUO_E_NOMEM;
    if (g->n > 0)
        qsort(g->items, g->n, sizeof *g->items, compare);
    for (size_t i = 0, n; i < g->n && r == TENUO_OK; i += n) {
        for (n = 1; i + n < g->n && strcmp(g->items[i].id, g->items[i + n].id) == 0; n++)
            ;
        r = enter(s, g->items + i, n, &g->entries[g->count++]);
    }
    return r;
}

static void drop(struct gather *g)
{
    free(g->items);
    free(g->entries);
    *g = (struct gather){ 0 };
}

static int gather(struct p11_session *s, void *arg)
{
    struct gather *g = arg;
    drop(g); /* of a try that failed */
    int r = p11_each(s, CKO_PRIVATE_KEY, take, g);
    g->public = true;
    if (r == TENUO_OK)
        r = p11_each(s, CKO_PUBLIC_KEY, take, g);
    if (r == TENUO_OK && g->n == 0 && !p11_still_in(s) && p11_has_pin(s->p))
        r = s->lost ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
    s->lost = s->lost && p11_has_pin(s->p);
    return r == TENUO_OK ? make_entries(s, g) : r;
}

int p11_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct gather g = { 0 };
    int r = p11_with(self, false, gather, &g);
    for (size_t i = 0; r == TENUO_OK && i < g.count; i++)
        if (each(arg, &g.entries[i]) != 0)
            break;
    drop(&g);
    return r;
}

/* ---- describe ---- */

struct describe {
    const char *key_id;
    uint32_t version;
    struct tenuo_key_entry entry;
};

static int describe(struct p11_session *s, void *arg)
{
    struct describe *d = arg;
    struct p11_place place;
    struct p11_key public, private;
    char text[TN_VERSION_NAME_BYTES];
    int r = p11_locate(s, d->key_id, d->version, &place);
    if (r == TENUO_OK)
        r = p11_public_of(s, &place, &public);
    if (r != TENUO_OK)
        return r;
    d->entry = (struct tenuo_key_entry){ .size = sizeof d->entry,
                                         .version = place.number,
                                         .oldest = place.oldest,
                                         .newest = place.newest,
                                         .has_public_key = 1 };
    snprintf(d->entry.id, sizeof d->entry.id, "%s", d->key_id);
    memcpy(d->entry.public_key, public.point, sizeof public.point);
    if (p11_private_of(s, d->key_id, place.number, &private, text) == TENUO_OK)
        snprintf(d->entry.note, sizeof d->entry.note, "token '%s', %s%s%s%s", s->token.label,
                 private.sensitive && !private.extractable ? "cannot leave it" : "can be read out of it",
                 private.sign ? "" : ", may not sign", private.always_authenticate ? ", PIN at each signature" : "",
                 strcmp(text, place.text) != 0 ? ", rotation not finished" : "");
    else
        snprintf(d->entry.note, sizeof d->entry.note, "token '%s', no usable private key", s->token.label);
    return TENUO_OK;
}

int p11_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct describe d = { .key_id = key_id, .version = version };
    int r = p11_with(self, false, describe, &d);
    if (r == TENUO_OK)
        *ret_entry = d.entry;
    return r;
}
