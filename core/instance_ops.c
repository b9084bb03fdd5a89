/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of each plugin kind, typed: which codes each may answer, and outputs that reach the caller on success
 * alone. Secrets go straight into the memory that the caller chose.
 */
#include "instance.h"

#include <sodium.h>
#include <string.h>

#include "../common/versions.h"
#include "err.h"

static const int key_codes[] = { TENUO_E_KEY_NOT_FOUND, TENUO_E_WOULD_BLOCK, TENUO_E_KEY_CONFLICT,
                                 TENUO_E_KEY_DENIED, TENUO_E_KEY_INVALID, 0 };
static const int trust_codes[] = { TENUO_E_CONF, TENUO_E_KEY_INVALID, 0 };
static const int audit_codes[] = { TENUO_E_AUDIT_REFUSED, 0 };
static const int revocation_codes[] = { TENUO_E_SRL_INVALID, TENUO_E_CONF, TENUO_E_KEY_DENIED, 0 };
static const int no_codes[] = { 0 };
static const int replay_codes[] = { TENUO_E_REPLAYED, 0 };

struct key_call {
    const char *key_id;
    uint32_t version;
    const uint8_t *message;
    size_t len;
    uint8_t *out;
    unsigned can;
};

static unsigned ways_of(const struct tenuo_resolver_ops *ops)
{
    return (ops->sign != NULL && ops->public_key != NULL ? TENUO_RESOLVER_SIGNS : 0u) |
           (ops->export_seed != NULL ? TENUO_RESOLVER_EXPORTS : 0u);
}

static int call_can(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    struct key_call *c = arg;
    c->can = resolver->can(self);
    return TENUO_OK;
}

/* The bits of `can` that only take away. */
#define NOT_BITS                                                                                                       \
    (TENUO_RESOLVER_NO_LIST | TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_IMPORT | TENUO_RESOLVER_NO_REMOVE)

int tn_resolver_can(struct tn_instance *i, unsigned *ret_can, struct tenuo_error *err)
{
    const struct tenuo_resolver_ops *ops = i->ops;
    struct key_call c = { .can = ways_of(ops) };
    int r = TENUO_OK;
    if (ops->can != NULL)
        r = tn_instance_call(i, "can", "", no_codes, call_can, &c, err);
    if (r != TENUO_OK)
        return r;
    if ((c.can & ways_of(ops)) == 0 || (c.can & ~(ways_of(ops) | NOT_BITS)) != 0)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: can answered %u, which it has no calls for", i->origin,
                       c.can);
    *ret_can = c.can;
    return TENUO_OK;
}

/* A call about a key; traced under its name. */
static int call_key(struct tn_instance *i, const char *what, tn_call_fn *fn, struct key_call *c,
                    struct tenuo_error *err)
{
    char name[TN_VERSION_NAME_BYTES];
    tn_version_name(c->key_id, c->version, name);
    return tn_instance_call(i, what, name, key_codes, fn, c, err);
}

static int call_public_key(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    struct key_call *c = arg;
    uint32_t version = 0;
    int r = resolver->public_key(self, c->key_id, c->version, c->out, &version);
    if (r == TENUO_OK)
        c->version = version;
    return r;
}

int tn_resolver_public_key(struct tn_instance *i, const char *key_id, uint32_t version, uint8_t ret_key[32],
                           uint32_t *ret_version, struct tenuo_error *err)
{
    uint8_t key[TENUO_PUBKEY_BYTES] = { 0 };
    struct key_call c = { .key_id = key_id, .version = version, .out = key };
    int r = call_key(i, "public_key", call_public_key, &c, err);
    if (r == TENUO_OK && version != 0 && c.version != version)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: public_key answered with version %u when asked for %u",
                       i->origin, (unsigned)c.version, (unsigned)version);
    if (r == TENUO_OK) {
        memcpy(ret_key, key, sizeof key);
        *ret_version = c.version;
    }
    return r;
}

static int call_sign(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    const struct key_call *c = arg;
    return resolver->sign(self, c->key_id, c->version, c->message, c->len, c->out);
}

int tn_resolver_sign(struct tn_instance *i, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                     uint8_t ret_signature[64], struct tenuo_error *err)
{
    uint8_t signature[TENUO_SIG_BYTES] = { 0 };
    struct key_call c = { .key_id = key_id, .version = version, .message = message, .len = len, .out = signature };
    int r = call_key(i, "sign", call_sign, &c, err);
    if (r == TENUO_OK)
        memcpy(ret_signature, signature, sizeof signature);
    return r;
}

static int call_export_seed(const void *ops, void *self, void *arg)
{
    const struct tenuo_resolver_ops *resolver = ops;
    const struct key_call *c = arg;
    return resolver->export_seed(self, c->key_id, c->version, c->out);
}

int tn_resolver_export_seed(struct tn_instance *i, const char *key_id, uint32_t version, uint8_t ret_seed[32],
                            struct tenuo_error *err)
{
    struct key_call c = { .key_id = key_id, .version = version, .out = ret_seed };
    int r = call_key(i, "export_seed", call_export_seed, &c, err);
    if (r != TENUO_OK)
        sodium_memzero(ret_seed, TENUO_SEED_BYTES);
    return r;
}

struct roots_call {
    int (*each)(void *arg, const struct tenuo_root *root);
    void *arg;
};

static int call_roots(const void *ops, void *self, void *arg)
{
    const struct tenuo_trust_ops *trust = ops;
    const struct roots_call *c = arg;
    return trust->roots(self, c->each, c->arg);
}

int tn_trust_roots(struct tn_instance *i, int (*each)(void *arg, const struct tenuo_root *root), void *arg,
                   struct tenuo_error *err)
{
    struct roots_call c = { each, arg };
    return tn_instance_call(i, "roots", "", trust_codes, call_roots, &c, err);
}

struct decision_call {
    struct tenuo_audit_event event; /* one for each sink: none can change what the next one gets */
    bool stored;
};

static int call_decision(const void *ops, void *self, void *arg)
{
    const struct tenuo_audit_ops *audit = ops;
    struct decision_call *c = arg;
    int r = audit->decision(self, &c->event);
    c->stored = r == TENUO_OK;
    return r;
}

int tn_audit_decision(struct tn_instance *i, const struct tenuo_audit_event *event, bool *ret_stored,
                      struct tenuo_error *err)
{
    struct decision_call c = { .event = *event };
    int r = tn_instance_call(i, "decision", event->decision_id, audit_codes, call_decision, &c, err);
    *ret_stored = c.stored;
    return r;
}

static int call_notice(const void *ops, void *self, void *arg)
{
    const struct tenuo_audit_ops *audit = ops;
    return audit->notice(self, arg);
}

int tn_audit_give_notice(struct tn_instance *i, const struct tenuo_audit_notice *notice, struct tenuo_error *err)
{
    const struct tenuo_audit_ops *audit = i->ops;
    struct tenuo_audit_notice copy = *notice;
    if (audit->notice == NULL)
        return TENUO_OK;
    return tn_instance_call(i, "notice", "", audit_codes, call_notice, &copy, err);
}

bool tn_audit_keeps_receipts(const struct tn_instance *i)
{
    const struct tenuo_audit_ops *audit = i->ops;
    return audit->receipt != NULL;
}

/* What the sink may answer is also what signing may: it hands that on. */
static const int receipt_codes[] = { TENUO_E_AUDIT_REFUSED, TENUO_E_KEY_NOT_FOUND, TENUO_E_WOULD_BLOCK,
                                     TENUO_E_KEY_DENIED,    TENUO_E_KEY_INVALID,   0 };

static int call_receipt(const void *ops, void *self, void *arg)
{
    const struct tenuo_audit_ops *audit = ops;
    return audit->receipt(self, arg);
}

int tn_audit_receipt(struct tn_instance *i, const char *decision_id, const struct tenuo_receipt_job *job,
                     struct tenuo_error *err)
{
    struct tenuo_receipt_job copy = *job;
    return tn_instance_call(i, "receipt", decision_id, receipt_codes, call_receipt, &copy, err);
}

static int call_flush(const void *ops, void *self, void *arg)
{
    const struct tenuo_audit_ops *audit = ops;
    (void)arg;
    return audit->flush(self);
}

int tn_audit_flush(struct tn_instance *i, struct tenuo_error *err)
{
    const struct tenuo_audit_ops *audit = i->ops;
    if (audit->flush == NULL)
        return TENUO_OK;
    return tn_instance_call(i, "flush", "", audit_codes, call_flush, NULL, err);
}

struct fetch_call {
    bool unchanged_ok;
    const uint8_t *list;
    size_t len;
    int64_t fetched_at;
};

static int call_fetch(const void *ops, void *self, void *arg)
{
    const struct tenuo_revocation_ops *revocation = ops;
    struct fetch_call *c = arg;
    return revocation->fetch(self, c->unchanged_ok, &c->list, &c->len, &c->fetched_at);
}

static int call_release(const void *ops, void *self, void *arg)
{
    const struct tenuo_revocation_ops *revocation = ops;
    const struct fetch_call *c = arg;
    revocation->release(self, c->list, c->len);
    return TENUO_OK;
}

void tn_revocation_release(struct tn_instance *i, const uint8_t *list, size_t len)
{
    struct fetch_call c = { .list = list, .len = len };
    if (list != NULL)
        (void)tn_instance_call(i, "release", "", no_codes, call_release, &c, NULL);
}

static int judge_fetch(const struct tn_instance *i, const struct fetch_call *c, struct tenuo_error *err)
{
    if (c->list == NULL && !c->unchanged_ok)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: fetch handed over no list", i->origin);
    if (c->list != NULL && c->len > TENUO_REVOCATION_LIST_MAX)
        return tn_fail(err, TENUO_E_SRL_INVALID, "%s: the list is longer than %d bytes", i->origin,
                       TENUO_REVOCATION_LIST_MAX);
    return TENUO_OK;
}

/* An answer that came too late has a list to be given back all the same. */
int tn_revocation_fetch(struct tn_instance *i, bool *unchanged_ok, const uint8_t **ret_list, size_t *ret_len,
                        int64_t *ret_fetched_at, struct tenuo_error *err)
{
    struct fetch_call c = { .unchanged_ok = *unchanged_ok };
    int r = tn_instance_call(i, "fetch", "", revocation_codes, call_fetch, &c, err);
    if (r == TENUO_OK)
        r = judge_fetch(i, &c, err);
    if (c.list != NULL)
        *unchanged_ok = false;
    if (r != TENUO_OK) {
        tn_revocation_release(i, c.list, c.len);
        return r;
    }
    *ret_list = c.list;
    *ret_len = c.len;
    *ret_fetched_at = c.fetched_at;
    return TENUO_OK;
}

struct replay_call {
    const uint8_t *key;
    int64_t signed_at, expires_at;
};

static int call_check_and_set(const void *ops, void *self, void *arg)
{
    const struct tenuo_replay_ops *replay = ops;
    const struct replay_call *c = arg;
    return replay->check_and_set(self, c->key, c->signed_at, c->expires_at);
}

int tn_replay_check(struct tn_instance *i, const uint8_t key[32], int64_t signed_at, int64_t expires_at,
                    struct tenuo_error *err)
{
    struct replay_call c = { key, signed_at, expires_at };
    return tn_instance_call(i, "check_and_set", "", replay_codes, call_check_and_set, &c, err);
}
