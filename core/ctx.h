/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a context: one service's configuration with its plugins opened. Immutable but for the key cache and the
 * fork state of instances. */
#ifndef TN_CTX_H
#define TN_CTX_H

#include <stdatomic.h>

#include "conf.h"
#include "instance.h"
#include "keycache.h"
#include "log.h"
#include "matchers.h"
#include "revoke.h"
#include "verifier.h"
#include <tenuo/context.h>

struct tn_line {
    struct tn_instance *instance;
    enum tn_control control;
};

/* Its failure is the failure of the whole. */
static inline bool tn_line_is_required(const struct tn_line *line)
{
    return line->control == TN_REQUIRED || line->control == TN_REQUISITE;
}

struct tn_lines {
    struct tn_line *v;
    size_t n;
};

struct tenuo_ctx {
    atomic_uint refs;
    struct tn_conf *conf;
    struct tn_log log;
    char *path, *service, *plugin_dir; /* as the program asked; plugin_dir may be NULL */
    char *conf_text;                   /* the configuration itself when it was given in memory, else NULL */
    size_t conf_text_len;
    struct tn_lines lines[TN_F_COUNT];
    struct tenuo_matchers *matchers; /* NULL: no matcher line */
    struct tenuo_verifier *verifier; /* without revocation; for decisions: tn_ctx_verifier */
    struct tn_revoke *revoke;        /* NULL: no revocation lines */
    struct tn_keycache keys;
    bool has_keys;       /* the cache was set up */
    int keys_only;       /* no verifier, and no line but resolvers; TENUO_OPEN_KEYS_AUDITED: and audit */
    bool replay_silent; /* there are replay lines, and every one was left out */
    uint64_t generation; /* counts reloads */
    atomic_bool wants_key_age; /* a sink shows the age of keys: ask stores when they were made */
    uint8_t args_hash_key[32]; /* with audit_hash_key */
    uint8_t roots_hash[32], policy_hash[32]; /* for receipts */
};

/* ctx_resolve.c: the resolve function for tn_keycache_get; `arg` is the context. */
int tn_ctx_resolve(void *arg, struct tn_key_ask *ask, struct tn_key_found *ret_found, struct tenuo_error *err);

/* What one line has under the id and version; also after a failure, give it back with tn_ctx_drop. */
int tn_ctx_ask(struct tenuo_ctx *c, struct tn_instance *i, const char *key_id, uint32_t version, struct tn_key_found *f,
               struct tenuo_error *err);
void tn_ctx_drop(struct tenuo_ctx *c, struct tn_key_found *f);
/* ctx_key.c: a signer of its own, apart from the key cache. */
int tn_ctx_make_signer(struct tenuo_ctx *c, const char *key_id, const struct tn_key_found *found,
                       struct tenuo_signer **ret, struct tenuo_error *err);

/* ctx.c: the key of audit_hash_key from its file; 9100 says what is wrong with it. */
int tn_hash_key_read(const char *path, uint8_t ret_key[32], struct tenuo_error *err);

/* store.c: the one resolver line of that name; 9001 with the names when there is none or more than one. */
int tn_ctx_store(struct tenuo_ctx *c, const char *store, struct tn_instance **ret, struct tenuo_error *err);
/* describe of the line; without one, what the key itself says. */
int tn_ctx_describe(struct tenuo_ctx *c, struct tn_instance *i, const char *id, uint32_t version,
                    struct tenuo_key_entry *ret, struct tenuo_error *err);
/* A reference into its parts, or 9001. */
int tn_store_reference(const char *reference, char ret_id[TN_MAX_KEY_ID + 1], uint32_t *ret_version,
                       struct tenuo_error *err);
int tn_store_cannot(const struct tn_instance *i, const char *what, struct tenuo_error *err);

#endif
