/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a service: read the configuration, load every plugin, open trust and matchers, build the verifier. One error
 * refuses all of it. Stores and sinks that cannot be opened now are tried again at each use, so that an outage at start
 * heals by itself; until then they answer nothing, which denies.
 */
#include "audit.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../common/keyfile.h"
#include "chain_run.h"
#include "crypto.h"
#include "err.h"
#include "replay.h"
#include <tenuo/receipt.h>

static char *copy_text(const char *s)
{
    return s == NULL ? NULL : strdup(s);
}

static char *copy_bytes(const char *p, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy != NULL)
        memcpy(copy, p, n);
    return copy;
}

static const char *plugin_dir_of(const struct tenuo_ctx *c)
{
    return c->conf->set.plugin_dir != NULL ? c->conf->set.plugin_dir : c->plugin_dir;
}

static bool add_line(struct tenuo_ctx *c, const struct tn_rule *rule, struct tn_instance *instance)
{
    struct tn_lines *lines = &c->lines[rule->facility];
    struct tn_line *grown = realloc(lines->v, (lines->n + 1) * sizeof *grown);
    if (grown == NULL)
        return false;
    lines->v = grown;
    lines->v[lines->n++] = (struct tn_line){ instance, rule->control };
    return true;
}

/* Opened at once: an error of theirs is the configuration's. */
static int add_matcher(struct tenuo_ctx *c, struct tn_instance *instance, struct tenuo_error *err)
{
    int r = c->matchers == NULL ? tn_matchers_new(&c->matchers, err) : TENUO_OK;
    if (r == TENUO_OK)
        return tn_matchers_add(c->matchers, instance, err);
    tn_instance_free(instance);
    return r;
}

/* One rule to one instance that is not open yet; findings go to d. */
static int load_rule(struct tenuo_ctx *c, const struct tn_rule *rule, struct tn_diag *d, struct tenuo_error *err)
{
    const struct tn_plugin *plugin = NULL;
    struct tn_instance *instance = NULL;
    struct tenuo_arg *args = NULL;
    size_t nargs = 0;
    int r;
    if (tn_rule_load(rule, plugin_dir_of(c), d, &plugin, &args, &nargs) != TN_LOAD_OK)
        return TENUO_OK;
    if (!tn_rule_has_receipt_key(rule, plugin, &c->conf->set, d)) {
        free(args);
        return TENUO_OK;
    }
    r = tn_instance_new(rule, plugin, args, nargs, c->conf->set.deadline_ms, &c->log, &instance, err);
    if (r == TENUO_OK && rule->facility == TN_F_AUDIT)
        instance->ctx = c;
    if (r == TENUO_OK && rule->facility == TN_F_MATCHER)
        return add_matcher(c, instance, err);
    if (r == TENUO_OK && !add_line(c, rule, instance)) {
        tn_instance_free(instance);
        r = tn_fail_code(err, TENUO_E_NOMEM);
    }
    return r;
}

/* A chain that has lines and stays silent denies, also when its optional plugins are all missing. */
static bool all_left_out(const struct tenuo_ctx *c, enum tn_facility facility)
{
    for (size_t i = 0; i < c->conf->nrules; i++)
        if (c->conf->rules[i].facility == facility)
            return c->lines[facility].n == 0;
    return false;
}

static bool is_for_keys(const struct tenuo_ctx *c, enum tn_facility facility)
{
    return facility == TN_F_RESOLVER || (facility == TN_F_AUDIT && c->keys_only == TENUO_OPEN_KEYS_AUDITED);
}

static int load_rules(struct tenuo_ctx *c, struct tn_diag *d, struct tenuo_error *err)
{
    for (size_t i = 0; i < c->conf->nrules; i++) {
        if (c->keys_only && !is_for_keys(c, c->conf->rules[i].facility))
            continue;
        int r = load_rule(c, &c->conf->rules[i], d, err);
        if (r != TENUO_OK)
            return r;
    }
    c->replay_silent = all_left_out(c, TN_F_REPLAY);
    return d->errors == 0 ? TENUO_OK : tn_fail(err, TENUO_E_CONF, "%s", d->first.msg);
}

/* Wrong arguments are the administrator's to mend now; a store or sink that is away may come back. */
static int open_others(struct tenuo_ctx *c, enum tn_facility facility, struct tenuo_error *err)
{
    for (size_t i = 0; i < c->lines[facility].n; i++) {
        struct tenuo_error why = { 0 };
        int r = tn_instance_open(c->lines[facility].v[i].instance, &why);
        if (r == TENUO_E_CONF || r == TENUO_E_INVALID_ARGUMENT || r == TENUO_E_PLUGIN_PROTOCOL || r == TENUO_E_NOMEM)
            return tn_fail(err, r, "%s", why.msg);
        if (r != TENUO_OK)
            tn_log(&c->log, TENUO_LOG_ERR, "%s; tried again at each use", why.msg);
    }
    return TENUO_OK;
}

struct rooting {
    struct tenuo_verifier_builder *builder;
    struct tenuo_error *err;
    int code;
    size_t count;
};

static int add_root(void *arg, const struct tenuo_root *root)
{
    struct rooting *r = arg;
    r->count++;
    r->code = tenuo_verifier_builder_add_root_valid(r->builder, root->key, root->not_before, root->not_after, r->err);
    return r->code != TENUO_OK;
}

/* The roots of one line; one that has none counts as not found. */
static int read_line(struct tn_instance *i, struct tenuo_verifier_builder *b, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    struct rooting rooting = { .builder = b, .err = &why };
    int r = tn_instance_open(i, err);
    if (r == TENUO_OK)
        r = tn_trust_roots(i, add_root, &rooting, err);
    if (rooting.code != TENUO_OK) /* the plugin could only say that it was told to stop */
        return tn_fail(err, rooting.code == TENUO_E_NOMEM ? TENUO_E_NOMEM : TENUO_E_CONF, "%s: %.200s", i->origin,
                       why.msg);
    if (r == TENUO_OK && rooting.count == 0)
        return tn_fail(err, TENUO_E_KEY_NOT_FOUND, "%s: holds no root key", i->origin);
    return r;
}

/* All lines are united; one that cannot be read refuses the context, whatever its control word. */
static int read_roots(struct tenuo_ctx *c, struct tenuo_verifier_builder *b, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    struct tn_chain chain;
    int r;
    tn_chain_init(&chain, TN_CHAIN_TRUST);
    for (size_t i = 0; i < c->lines[TN_F_TRUST].n; i++) {
        struct tn_line *line = &c->lines[TN_F_TRUST].v[i];
        r = read_line(line->instance, b, &why);
        if (tn_chain_feed(&chain, line->control, r, &why))
            break;
    }
    if (c->lines[TN_F_TRUST].n == 0)
        return tn_fail(
            err, TENUO_E_CONF,
            "%s: no trust line for service '%s': add one, as in: trust required file path=/etc/tenuo/roots.pub",
            c->path, c->service);
    r = tn_chain_end(&chain, "trusted roots", &why);
    return r == TENUO_OK ? r : tn_fail(err, r == TENUO_E_KEY_NOT_FOUND ? TENUO_E_CONF : r, "%s", why.msg);
}

static int apply_settings(struct tenuo_ctx *c, struct tenuo_verifier_builder *b, struct tenuo_error *err)
{
    const struct tn_settings *set = &c->conf->set;
    tenuo_verifier_builder_set_clock_tolerance(b, set->clock_tolerance);
    tenuo_verifier_builder_set_pop_windows(b, set->pop_windows);
    tenuo_verifier_builder_set_max_chain(b, set->max_chain);
    tenuo_verifier_builder_set_max_lifetime(b, set->max_lifetime == 0 ? UINT64_MAX : set->max_lifetime);
    tenuo_verifier_builder_set_link_cache(b, set->link_cache);
    tenuo_verifier_builder_set_matchers(b, c->matchers);
    tenuo_verifier_builder_set_self_approval(b, set->self_approval);
    tenuo_verifier_builder_set_strict_session(b, set->strict_session);
    tenuo_verifier_builder_set_max_approval_lifetime(b, set->max_approval_lifetime);
    tenuo_verifier_builder_set_strict_gates(b, set->strict_gates);
    for (size_t i = 0; i < set->nclearance; i++) {
        const struct tn_clearance_rule *rule = &set->clearance[i];
        int r = tenuo_verifier_builder_require_clearance(b, rule->pattern, strlen(rule->pattern), rule->level, err);
        if (r != TENUO_OK)
            return r;
    }
    return TENUO_OK;
}

static int build_verifier(struct tenuo_ctx *c, struct tenuo_error *err)
{
    struct tenuo_verifier_builder *b = NULL;
    int r = tenuo_verifier_builder_new(&b, err);
    if (r == TENUO_OK)
        r = apply_settings(c, b, err);
    if (r == TENUO_OK)
        r = read_roots(c, b, err);
    if (r == TENUO_OK)
        r = tenuo_verifier_builder_build(b, &c->verifier, err);
    if (r == TENUO_OK)
        r = tenuo_verifier_roots_hash(c->verifier, c->roots_hash, err);
    tenuo_verifier_builder_free(b);
    return r;
}

/* Lines of which every one was left out are no "no lines": they refuse. */
static int open_revocation(struct tenuo_ctx *c, const struct tenuo_ctx *old, struct tenuo_error *err)
{
    const struct tn_lines *lines = &c->lines[TN_F_REVOCATION];
    const struct tn_revoke_env env = { &c->verifier->policy, &c->conf->set, &c->log };
    if (lines->n == 0 && !all_left_out(c, TN_F_REVOCATION))
        return TENUO_OK;
    return tn_revoke_new(lines->v, lines->n, c->verifier, &env, old != NULL ? old->revoke : NULL, &c->revoke, err);
}

/* Everything in the file, of any length, into one key. A file of a line of text has it with its newline. */
int tn_hash_key_read(const char *path, uint8_t ret_key[32], struct tenuo_error *err)
{
    uint8_t *buf;
    char why[160] = "";
    size_t n = 0;
    buf = malloc(TN_KEYFILE_MAX);
    if (buf == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    enum tn_keyfile_result r = tn_keyfile_read(AT_FDCWD, path, 0, buf, &n, why);
    if (r == TN_KEYFILE_OK && n >= 32)
        tn_sha256(ret_key, (struct tn_str){ buf, n });
    sodium_memzero(buf, TN_KEYFILE_MAX);
    free(buf);
    if (r == TN_KEYFILE_OK && n >= 32)
        return TENUO_OK;
    return tn_fail(err, TENUO_E_CONF, "audit_hash_key: %.120s: %.120s", path,
                   r == TN_KEYFILE_OK ? "has fewer than 32 bytes: fill it with random ones"
                   : why[0] != '\0'  ? why
                                     : "cannot be read");
}

static int fill(struct tenuo_ctx *c, const struct tenuo_ctx *old, struct tn_diag *d, struct tenuo_error *err)
{
    static const enum tn_facility others[] = { TN_F_RESOLVER, TN_F_REPLAY, TN_F_AUDIT };
    const struct tn_conf_source from = { c->path, { (const uint8_t *)c->conf_text, c->conf_text_len } };
    int r = tn_conf_load(&from, c->service, d, &c->conf, err);
    if (r == TENUO_OK)
        r = tn_conf_policy_hash(c->conf, c->policy_hash, err);
    if (r == TENUO_OK && !c->keys_only && c->conf->set.audit_hash_key != NULL)
        r = tn_hash_key_read(c->conf->set.audit_hash_key, c->args_hash_key, err);
    if (r == TENUO_OK)
        r = load_rules(c, d, err);
    if (r == TENUO_OK && !c->keys_only)
        r = build_verifier(c, err);
    if (r == TENUO_OK && !c->keys_only)
        r = open_revocation(c, old, err);
    if (r == TENUO_OK && old != NULL)
        tn_replay_take_over(c, old);
    for (size_t i = 0; i < TN_ARRAY_LEN(others) && r == TENUO_OK; i++)
        r = open_others(c, others[i], err);
    if (r == TENUO_OK && c->conf->set.observe && !c->keys_only)
        tn_log(&c->log, TENUO_LOG_WARNING, "service '%s' only observes: denials are recorded and let through",
               c->service);
    return r;
}

/* `old` is what a reload follows, or NULL. */
static int new_ctx(const char *service, const struct tenuo_open_options *o, const struct tenuo_ctx *old,
                   struct tenuo_ctx **ret, struct tenuo_error *err)
{
    struct tn_diag d = { .fn = o->diag, .arg = o->diag_arg };
    struct tenuo_ctx *c = tn_forkgen_init() ? calloc(1, sizeof *c) : NULL;
    int r;
    if (c == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (!tn_crypto_init()) {
        free(c);
        return tn_fail(err, TENUO_E_SYSTEM, "libsodium cannot start: no randomness from the system");
    }
    atomic_init(&c->refs, 1);
    c->log = (struct tn_log){ o->log, o->log_arg };
    c->path = copy_text(o->conf_text != NULL ? TN_CONF_MEMORY : o->conf);
    c->conf_text = o->conf_text != NULL ? copy_bytes(o->conf_text, o->conf_text_len) : NULL;
    c->conf_text_len = o->conf_text_len;
    c->service = copy_text(service);
    c->plugin_dir = copy_text(o->plugin_dir);
    c->keys_only = o->keys_only == TENUO_OPEN_KEYS_AUDITED ? TENUO_OPEN_KEYS_AUDITED : o->keys_only != 0;
    c->generation = old != NULL ? old->generation + 1 : 1;
    c->has_keys = tn_keycache_init(&c->keys, &c->log);
    if (c->path == NULL || c->service == NULL || (o->plugin_dir != NULL && c->plugin_dir == NULL) ||
        (o->conf_text != NULL && c->conf_text == NULL) || !c->has_keys)
        r = tn_fail_code(err, TENUO_E_NOMEM);
    else
        r = fill(c, old, &d, err);
    if (r != TENUO_OK) {
        tenuo_ctx_unref(c);
        return r;
    }
    *ret = c;
    return TENUO_OK;
}

int tenuo_open(const char *service, const struct tenuo_open_options *options, struct tenuo_ctx **ret_ctx,
               struct tenuo_error *reterr)
{
    struct tenuo_open_options o = { 0 };
    struct tn_conf_source from;
    int r;
    if (options != NULL) /* the caller's structure may be of another age */
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    r = tn_conf_source(&o, &from, reterr);
    if (r != TENUO_OK)
        return r;
    o.conf = from.path;
    return new_ctx(service != NULL ? service : "", &o, NULL, ret_ctx, reterr);
}

int tenuo_ctx_reload(const struct tenuo_ctx *ctx, struct tenuo_ctx **ret_ctx, struct tenuo_error *reterr)
{
    const struct tenuo_open_options o = {
        .conf = ctx->path, .conf_text = ctx->conf_text, .conf_text_len = ctx->conf_text_len,
        .plugin_dir = ctx->plugin_dir, .log = ctx->log.fn, .log_arg = ctx->log.arg,
        .keys_only = ctx->keys_only
    };
    struct tenuo_ctx *made = NULL;
    int r = new_ctx(ctx->service, &o, ctx, &made, reterr);
    if (r != TENUO_OK)
        return r;
    tn_audit_reloaded(made);
    *ret_ctx = made;
    return TENUO_OK;
}

struct tenuo_ctx *tenuo_ctx_ref(struct tenuo_ctx *ctx)
{
    atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

static void free_lines(struct tn_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        tn_instance_free(lines->v[i].instance);
    free(lines->v);
}

void tenuo_ctx_unref(struct tenuo_ctx *ctx)
{
    if (ctx == NULL || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* A sink may sign a checkpoint or read counters when it closes: all of the context is there until the last has, and
     * a signer counts references on it. */
    atomic_store_explicit(&ctx->refs, 1, memory_order_relaxed);
    for (size_t i = 0; i < ctx->lines[TN_F_AUDIT].n; i++) {
        tn_audit_last_words(ctx, ctx->lines[TN_F_AUDIT].v[i].instance);
        tn_instance_close(ctx->lines[TN_F_AUDIT].v[i].instance);
    }
    if (ctx->has_keys)
        tn_keycache_free(&ctx->keys);
    tn_revoke_free(ctx->revoke);
    tenuo_verifier_unref(ctx->verifier);
    tenuo_matchers_unref(ctx->matchers);
    for (size_t f = 0; f < TN_F_COUNT; f++)
        free_lines(&ctx->lines[f]);
    sodium_memzero(ctx->args_hash_key, sizeof ctx->args_hash_key);
    tn_conf_free(ctx->conf);
    free(ctx->path);
    free(ctx->conf_text);
    free(ctx->service);
    free(ctx->plugin_dir);
    free(ctx);
}

struct tenuo_verifier *tenuo_ctx_verifier(struct tenuo_ctx *ctx)
{
    struct tenuo_verifier *v;
    struct tn_revoke_news news;
    if (ctx->keys_only)
        return NULL;
    if (ctx->revoke == NULL)
        return tenuo_verifier_ref(ctx->verifier);
    v = tn_revoke_verifier(ctx->revoke);
    while (tn_revoke_take_news(ctx->revoke, &news))
        tn_audit_list_changed(ctx, &news);
    return v;
}

struct tenuo_matchers *tenuo_ctx_matchers(const struct tenuo_ctx *ctx)
{
    return ctx->matchers;
}

size_t tenuo_ctx_root_count(const struct tenuo_ctx *ctx)
{
    return ctx->keys_only ? 0 : ctx->verifier->policy.nroots;
}

const uint8_t *tenuo_ctx_root(const struct tenuo_ctx *ctx, size_t index)
{
    return index < tenuo_ctx_root_count(ctx) ? ctx->verifier->policy.roots[index].key : NULL;
}
