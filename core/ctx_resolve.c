/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the resolver lines hold: the chain in order under its control words, one line, or all that the lines keep of an
 * id. Called by the key cache, which keeps the answers; a store that can sign keeps the key to itself, otherwise the
 * seed goes from the plugin straight into guarded memory.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../common/versions.h"
#include "chain_run.h"
#include "ctx.h"
#include "err.h"

static int export_key(struct tenuo_ctx *c, struct tn_instance *i, const char *key_id, uint32_t version,
                      struct tn_key_found *f, struct tenuo_error *err)
{
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    int r;
    f->secret = tn_keycache_slot(&c->keys);
    if (f->secret == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    r = tn_resolver_export_seed(i, key_id, version, f->secret, err);
    if (r != TENUO_OK)
        return r;
    (void)crypto_sign_seed_keypair(f->public_key, expanded, f->secret);
    sodium_memzero(expanded, sizeof expanded);
    memcpy(f->secret + TENUO_SEED_BYTES, f->public_key, sizeof f->public_key);
    f->version = version;
    return TENUO_OK;
}

int tn_ctx_ask(struct tenuo_ctx *c, struct tn_instance *i, const char *key_id, uint32_t version, struct tn_key_found *f,
               struct tenuo_error *err)
{
    unsigned can = 0;
    int r = tn_resolver_can(i, &can, err);
    f->line = i;
    if (r != TENUO_OK)
        return r;
    if ((can & TENUO_RESOLVER_SIGNS) == 0)
        return export_key(c, i, key_id, version, f, err);
    r = tn_resolver_public_key(i, key_id, version, f->public_key, &f->version, err);
    if (r == TENUO_OK && tenuo_public_key_check(f->public_key) != TENUO_OK)
        r = tn_fail(err, TENUO_E_KEY_INVALID, "%s: key '%.64s' has a public key that is unusable: make another one",
                    i->origin, key_id);
    return r;
}

void tn_ctx_drop(struct tenuo_ctx *c, struct tn_key_found *f)
{
    if (f->secret != NULL)
        tn_keycache_give(&c->keys, f->secret);
    *f = (struct tn_key_found){ 0 };
}

static void times_of(const struct tenuo_ctx *c, const struct tn_instance *i, uint64_t *ret_ttl, uint64_t *ret_stale)
{
    *ret_ttl = tn_instance_duration(i, "cache_ttl", c->conf->set.key_cache_ms);
    *ret_stale = tn_instance_duration(i, "stale_if_error", 0);
}

static bool is_needed(const struct tn_line *line)
{
    return line->control == TN_REQUIRED || line->control == TN_REQUISITE;
}

/* One run of the chain. */
struct run {
    struct tenuo_ctx *ctx;
    struct tn_key_ask *ask;
    struct tn_key_found kept;
    bool has;
    bool denied; /* something said that the stale key must not serve on */
};

/* The first answer is kept; a later one must be the same key, and where it is needed its times count too. */
static int merge(struct run *run, const struct tn_line *line, struct tn_key_found *found, struct tenuo_error *err)
{
    struct tn_key_found *kept = &run->kept;
    bool same;
    if (!run->has) {
        *kept = *found;
        run->has = true;
        return TENUO_OK;
    }
    same = memcmp(kept->public_key, found->public_key, 32) == 0;
    if (is_needed(line)) {
        kept->ttl_ms = found->ttl_ms < kept->ttl_ms ? found->ttl_ms : kept->ttl_ms;
        kept->stale_ms = found->stale_ms < kept->stale_ms ? found->stale_ms : kept->stale_ms;
    }
    if (same) {
        tn_ctx_drop(run->ctx, found);
        return TENUO_OK;
    }
    tn_fail(err, TENUO_E_KEY_CONFLICT, "key '%.64s': %.70s and %.70s hold different keys under this id: remove one",
            run->ask->id, kept->line->place, found->line->place);
    tn_ctx_drop(run->ctx, found);
    return TENUO_E_KEY_CONFLICT;
}

/*
 * May a key serve on that was answered before? Not when its own line, or one that the chain cannot do without, has said
 * anything but "away", nor when such a line does not allow it.
 */
static void weigh(struct run *run, const struct tn_line *line, int code, const struct tn_key_found *found)
{
    const struct tn_key_found *stale = run->ask->stale;
    if (stale == NULL)
        return;
    if (code == TENUO_OK)
        run->denied |= memcmp(found->public_key, stale->public_key, 32) != 0;
    else if (line->instance == stale->line || is_needed(line))
        run->denied |= code != TENUO_E_UNAVAILABLE || found->stale_ms == 0;
}

/* One line's answer into the run: the code to feed the chain with. */
static int ask_line(struct run *run, const struct tn_line *line, struct tenuo_error *err)
{
    struct tn_key_found found = { 0 };
    int r = tn_ctx_ask(run->ctx, line->instance, run->ask->id, run->ask->version, &found, err);
    times_of(run->ctx, line->instance, &found.ttl_ms, &found.stale_ms);
    run->ask->keeps |= found.ttl_ms != 0;
    weigh(run, line, r, &found);
    if (r == TENUO_OK)
        return merge(run, line, &found, err);
    tn_ctx_drop(run->ctx, &found);
    return r;
}

/* For a sink that shows the age of keys; costs the store one more question a look-up, and is no reason to fail. */
static void ask_age(struct tenuo_ctx *c, const struct tn_key_ask *ask, struct tn_key_found *found)
{
    const struct tenuo_resolver_ops *ops = found->line->ops;
    struct tenuo_key_entry entry = { 0 };
    struct tenuo_error ignored = { 0 };
    if (!atomic_load_explicit(&c->wants_key_age, memory_order_relaxed) || ops->describe == NULL)
        return;
    if (tn_store_describe(found->line, ask->id, found->version, &entry, &ignored) == TENUO_OK)
        found->created_at = entry.created_at;
}

static int through_chain(struct tenuo_ctx *c, struct tn_key_ask *ask, struct tn_key_found *ret_found,
                         struct tenuo_error *err)
{
    struct run run = { .ctx = c, .ask = ask };
    struct tn_chain chain;
    char name[TN_VERSION_NAME_BYTES], what[TN_VERSION_NAME_BYTES + 8];
    int r;
    tn_chain_init(&chain, TN_CHAIN_RESOLVER);
    for (size_t i = 0; i < c->lines[TN_F_RESOLVER].n; i++) {
        const struct tn_line *line = &c->lines[TN_F_RESOLVER].v[i];
        struct tenuo_error why = { 0 };
        r = ask_line(&run, line, &why);
        if (tn_chain_feed(&chain, line->control, r, &why))
            break;
    }
    tn_version_name(ask->id, ask->version, name);
    snprintf(what, sizeof what, "key '%s'", name);
    r = tn_chain_end(&chain, what, err);
    ask->may_serve = r == TENUO_E_UNAVAILABLE && !run.denied;
    if (r != TENUO_OK) {
        tn_ctx_drop(c, &run.kept);
        return r;
    }
    ask_age(c, ask, &run.kept);
    *ret_found = run.kept;
    return r;
}

static int of_line(struct tenuo_ctx *c, struct tn_key_ask *ask, struct tn_key_found *ret_found, struct tenuo_error *err)
{
    struct tn_instance *i = c->lines[TN_F_RESOLVER].v[ask->line].instance;
    struct tn_key_found found = { 0 };
    int r = tn_ctx_ask(c, i, ask->id, ask->version, &found, err);
    times_of(c, i, &found.ttl_ms, &found.stale_ms);
    ask->keeps = found.ttl_ms != 0;
    ask->may_serve = r == TENUO_E_UNAVAILABLE && found.stale_ms != 0;
    if (r != TENUO_OK)
        tn_ctx_drop(c, &found);
    else
        *ret_found = found;
    return r;
}

/* A search for a holder's key among the versions of all lines. */
struct search {
    struct tenuo_ctx *ctx;
    const struct tn_key_ask *ask;
    struct tn_key_history *history;
    size_t line;
    bool found;
};

static int note(struct search *s, const uint8_t public_key[32], uint32_t version, struct tenuo_error *err)
{
    struct tn_key_history *h = s->history;
    if (h->n == h->room) {
        size_t room = h->room == 0 ? 8 : h->room * 2;
        struct tn_key_version *bigger = realloc(h->v, room * sizeof *bigger);
        if (bigger == NULL)
            return tn_fail_code(err, TENUO_E_NOMEM);
        h->v = bigger;
        h->room = room;
    }
    h->v[h->n] = (struct tn_key_version){ .version = version, .line = s->line };
    memcpy(h->v[h->n++].public_key, public_key, 32);
    s->found = memcmp(public_key, s->ask->holder, 32) == 0;
    return TENUO_OK;
}

/* One version of one line, noted. A store that describes without the public key has the key itself to tell it. */
static int look_at(struct search *s, struct tn_instance *i, uint32_t version, struct tenuo_key_entry *ret_entry,
                   struct tenuo_error *err)
{
    struct tn_key_found found = { 0 };
    int r = tn_store_describe(i, s->ask->id, version, ret_entry, err);
    if (r != TENUO_OK || ret_entry->version == 0)
        return r;
    if (ret_entry->has_public_key)
        return note(s, ret_entry->public_key, ret_entry->version, err);
    r = tn_ctx_ask(s->ctx, i, s->ask->id, ret_entry->version, &found, err);
    if (r == TENUO_OK)
        r = note(s, found.public_key, ret_entry->version, err);
    tn_ctx_drop(s->ctx, &found);
    return r;
}

/* Not there, or no key: cannot be the holder's, and says nothing of the others. */
static bool is_gap(int code)
{
    return code == TENUO_E_KEY_NOT_FOUND || code == TENUO_E_KEY_INVALID;
}

/* From the newest downward, all within one deadline of the line. */
static int search_line(struct search *s, struct tn_instance *i, struct tenuo_error *err)
{
    struct tenuo_key_entry entry = { 0 };
    struct tn_call budget;
    uint32_t oldest, v;
    int r, there = 1, looks = 1; /* numbers of removed versions are looked at, and are none */
    tn_call_begin(&budget, i);
    r = look_at(s, i, 0, &entry, err);
    oldest = entry.oldest != 0 ? entry.oldest : 1;
    for (v = entry.version;
         r == TENUO_OK && !s->found && v > oldest && there < TENUO_KEY_VERSIONS_MAX && looks < TN_MAX_VERSION_LOOKS;
         looks++) {
        struct tenuo_key_entry older;
        r = look_at(s, i, --v, &older, err);
        there += r == TENUO_OK;
        if (is_gap(r))
            r = TENUO_OK;
    }
    tn_call_end(&budget);
    if (r == TENUO_OK && !s->found && v > oldest)
        return tn_fail(err, TENUO_E_UNAVAILABLE,
                       "%s: key '%.60s' has more versions than are looked through: name the one that is meant, as in "
                       "%.60s@%u, or remove old ones",
                       i->origin, s->ask->id, s->ask->id, (unsigned)oldest);
    return is_gap(r) ? TENUO_OK : r;
}

/* A line that cannot be searched hides nothing of the others; without an answer it is what is to be said. */
static int search_lines(struct search *s, struct tenuo_error *err)
{
    struct tn_key_history *h = s->history;
    for (s->line = 0; s->line < s->ctx->lines[TN_F_RESOLVER].n && !s->found; s->line++) {
        struct tn_instance *i = s->ctx->lines[TN_F_RESOLVER].v[s->line].instance;
        const struct tenuo_resolver_ops *ops = i->ops;
        struct tenuo_error why = { 0 };
        int r = ops->describe != NULL ? search_line(s, i, &why) : TENUO_OK;
        if (r == TENUO_E_NOMEM)
            return tn_fail_code(err, r);
        if (r != TENUO_OK && h->failed.code == TENUO_OK)
            tn_fail(&h->failed, r, "%s", why.msg);
    }
    h->complete = !s->found;
    return TENUO_OK;
}

static int older(struct tenuo_ctx *c, struct tn_key_ask *ask, struct tn_key_found *ret_found, struct tenuo_error *err)
{
    struct search s = { .ctx = c, .ask = ask, .history = calloc(1, sizeof *s.history) };
    int r;
    if (s.history == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    r = search_lines(&s, err);
    if (r != TENUO_OK) {
        tn_key_history_free(s.history);
        return r;
    }
    *ret_found = (struct tn_key_found){ .history = s.history };
    ret_found->ttl_ms = s.history->failed.code != TENUO_OK ? TN_KEY_AWAY_MS : TN_KEY_HOLDER_MS;
    return TENUO_OK;
}

int tn_ctx_resolve(void *arg, struct tn_key_ask *ask, struct tn_key_found *ret_found, struct tenuo_error *err)
{
    switch (ask->kind) {
    case TN_KEY_CHAIN:
    case TN_KEY_AGAIN:
        return through_chain(arg, ask, ret_found, err);
    case TN_KEY_LINE:
        return of_line(arg, ask, ret_found, err);
    case TN_KEY_OLDER:
        return older(arg, ask, ret_found, err);
    }
    return tn_fail_code(err, TENUO_E_SYSTEM);
}
