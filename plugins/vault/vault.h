/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the vault plugin. vault.c: arguments and the descriptor; login.c: tokens; call.c: one request and what
 * its answer means; kv.c, transit.c: keys of the engines; kv_store.c, transit_store.c: the administrator's operations.
 */
#ifndef TN_VAULT_H
#define TN_VAULT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/json_scan.h"
#include "../../common/versions.h"
#include "../../common/web.h"

#define VAULT_NAME_MAX 128     /* bytes of a mount, a namespace, a role */
#define VAULT_TEMPLATE_MAX 256 /* bytes of path_template */
#define VAULT_FIELD_MAX 64
#define VAULT_API_BYTES (VAULT_TEMPLATE_MAX + TN_VERSION_NAME_BYTES + 64)
#define VAULT_PATH_BYTES (3 * (VAULT_NAME_MAX + VAULT_API_BYTES) + 64)

enum vault_engine { ENGINE_KV2, ENGINE_KV1, ENGINE_TRANSIT };
enum vault_auth { AUTH_TOKEN, AUTH_APPROLE, AUTH_CERT, AUTH_KUBERNETES };

/* The token in force, and who is getting the next one. */
struct vault_login {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool busy;   /* one call renews or logs in; only that one changes what follows */
    char *token; /* guarded memory, or NULL */
    unsigned serial;
    bool renewable;
    uint64_t ttl;                     /* milliseconds, as first given; 0: never ends */
    uint64_t born, expires, renew_at; /* tn_web_clock_ms; 0: never */
    unsigned failures;                /* how often getting one failed */
    int code;                         /* of the last failure */
    uint64_t rest_until;              /* nobody tries again before */
    char why[TN_WEB_WHY];
};

/* One open line. */
struct vault {
    const struct tenuo_host *host;
    struct tn_web *web;
    enum vault_engine engine;
    enum vault_auth auth;
    char mount[VAULT_NAME_MAX + 1], auth_mount[VAULT_NAME_MAX + 1];
    char namespace[VAULT_NAME_MAX + 1], role[VAULT_NAME_MAX + 1];
    /* path_template: folder with its '/', then what stands before and after the id. */
    char folder[VAULT_TEMPLATE_MAX + 1], before[VAULT_TEMPLATE_MAX + 1], after[VAULT_TEMPLATE_MAX + 1];
    char field[VAULT_FIELD_MAX + 1], public_field[VAULT_FIELD_MAX + 1];
    struct tn_secret_source token, role_id, secret_id, jwt;
    struct vault_login login;
};

/* ---- call.c ---- */

/* Text of a request in guarded memory: one is begun, filled and freed. */
struct vault_text {
    char *p;
    size_t len, cap;
    bool bad; /* out of memory or of room */
};
void vault_text_begin(struct vault_text *t, size_t cap);
void vault_text_add(struct vault_text *t, const char *raw);
void vault_text_add_string(struct vault_text *t, const char *text); /* quoted and escaped for JSON */
void vault_text_end(struct vault_text *t);

struct vault_ask {
    enum tn_web_method method;
    const char *api;        /* below the mount, not escaped: "data/tenuo/keys/alice" */
    const char *query;      /* "?version=3", or NULL */
    const char *capability; /* what the policy has to allow: "read" */
    const char *body;       /* JSON, or NULL */
    size_t body_len;
    bool secret;     /* body and answer may hold a seed */
    bool once;       /* changes something */
    bool denied_ok;  /* 403 is TENUO_E_KEY_DENIED without a sentence */
    bool refused_ok; /* 400 is the caller's to understand */
    /* Is this answer of 5xx final, although it looks like trouble? */
    bool (*settled)(const struct tn_web_answer *a);
};

/* With the token in force, and once more with a new one if that had ended. TENUO_OK with status 2xx, with 404 when the
 * thing is missing and the engine is there, with 400 when it may; else a code whose sentence is said. End `ret` with
 * tn_web_forget either way. */
int vault_call(struct vault *v, const struct vault_ask *ask, struct tn_web_answer *ret);
/* The answer as JSON; TENUO_E_UNAVAILABLE, said, when it is none. */
int vault_json(const struct vault *v, const struct tn_web_answer *a, struct tn_json **ret);
/* The first of the answer's "errors", "" when there is none. */
void vault_first_error(const struct tn_web_answer *a, char *ret, size_t size);
/* One request with the given token, or with none. `path` is whole and escaped; nothing is said. */
int vault_send(struct vault *v, const char *token, const struct vault_ask *ask, const char *path,
               struct tn_web_answer *ret);
/* "prefix" + the template with `name` in the place of the id. */
void vault_api(const struct vault *v, const char *prefix, const char *name, char ret[VAULT_API_BYTES]);
/* The id in an entry of a listing of the folder; false for others. */
bool vault_id_of(const struct vault *v, const char *entry, size_t len, const char **ret_name, size_t *ret_len);
/* Unix seconds of an RFC 3339 text, 0 when it is none. */
int64_t vault_time(const struct tn_json *j, int node);
/* Says a sentence and returns the code. */
int vault_say(const struct vault *v, int code, const char *fmt, ...) TENUO_PRINTF(3, 4);
/* All entries of a listing, decoded; `each` returns non-zero to stop. */
int vault_each(struct vault *v, const char *api, bool denied_ok, int (*each)(void *arg, const char *entry, size_t len),
               void *arg);

/* ---- login.c ---- */

bool vault_login_init(struct vault_login *l);
void vault_login_free(struct vault_login *l);
/* A copy of the token in force in guarded memory: end it with tn_secret_free. Logs in or renews when it is time;
 * however many calls want that, one does it. */
int vault_token(struct vault *v, char **ret_token, unsigned *ret_serial);
enum vault_verdict { TOKEN_ALIVE, TOKEN_REPLACED, TOKEN_DEAD };
/* An answer of 403: was it the token? REPLACED: ask again with the next one. */
enum vault_verdict vault_judge_token(struct vault *v, const char *token, unsigned serial,
                                     const struct tn_web_answer *a);

/* ---- kv.c, transit.c, and their stores: the resolver's ops of each engine ---- */

int kv_public_key(struct vault *v, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                  uint32_t *ret_version);
int kv_export_seed(struct vault *v, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES]);

/* A secret of a KV engine, read. Wipe it. */
struct kv_key {
    uint8_t seed[TENUO_SEED_BYTES], key[TENUO_PUBKEY_BYTES];
    uint32_t version;
    int64_t created_at;
};
int kv_read(struct vault *v, const char *key_id, uint32_t version, struct kv_key *ret);
/* KV v1: the names ID and ID@N that are there. Without the right to list: TENUO_E_KEY_DENIED, not said. */
int kv1_versions(struct vault *v, const char *key_id, struct tn_versions *ret);
#define KV1_REMOVED "removed" /* field of what is left of ID@N, so that numbers are not given twice */
int kv1_read_name(struct vault *v, const char *name, struct kv_key *ret);

bool kv_can_list(const struct vault *v);
int kv_list(struct vault *v, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
int kv_describe(struct vault *v, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry);
int kv_import(struct vault *v, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
              uint32_t *ret_version);
int kv_remove(struct vault *v, const char *key_id, uint32_t version);

int transit_public_key(struct vault *v, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                       uint32_t *ret_version);
int transit_sign(struct vault *v, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                 uint8_t ret_signature[TENUO_SIG_BYTES]);

/* A transit key, read. */
struct transit_key {
    uint32_t version, oldest, latest, least_signing;
    uint8_t key[TENUO_PUBKEY_BYTES];
    int64_t created_at;
    bool deletion_allowed;
};
int transit_read(struct vault *v, const char *key_id, uint32_t version, struct transit_key *ret);
int transit_list(struct vault *v, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
int transit_describe(struct vault *v, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry);
int transit_generate(struct vault *v, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                     uint32_t *ret_version);
int transit_remove(struct vault *v, const char *key_id, uint32_t version);

#endif
