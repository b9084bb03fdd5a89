/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the aws plugin: one configured line, its credentials, one signed call, and a table of operations for
 * each of the services that keep keys. */
#ifndef TN_AWS_H
#define TN_AWS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenuo/plugin.h>

#include "../../common/json_scan.h"
#include "../../common/versions.h"
#include "../../common/web.h"

#define AWS_PREFIX_MAX 256
#define AWS_NAME_BYTES (AWS_PREFIX_MAX + TN_VERSION_NAME_BYTES + 2)
#define AWS_BODY_MAX 16384      /* bytes of a request: a message of 4096 bytes in base64, or a token of a long list */
#define AWS_LIST_MAX (1u << 20) /* bytes of one page of a list */
#define AWS_PAGES_MAX 200       /* of one list */
#define AWS_PAGE_TOKEN_MAX 2048
#define AWS_ID_MAX 128     /* bytes of an access key id, and of its secret */
#define AWS_TOKEN_MAX 8192 /* bytes of a session token */

/* In guarded memory, always. */
struct aws_creds {
    char id[AWS_ID_MAX + 1], secret[AWS_ID_MAX + 1], token[AWS_TOKEN_MAX + 1];
    int64_t ends_at;  /* Unix time; 0: nobody said */
    char source[200]; /* where from, for sentences */
};

struct aws;

/* What a service can do; members that are NULL are TENUO_E_INVALID_ARGUMENT. Contracts: those of plugin.h. */
struct aws_service {
    const char *name;   /* of the service in signatures and host names */
    const char *target; /* goes before the action in X-Amz-Target */
    const char *label;  /* for people */
    unsigned (*can)(const struct aws *a);
    int (*public_key)(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_key[32], uint32_t *ret_version);
    int (*sign)(struct aws *a, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                uint8_t ret_signature[64]);
    int (*export_seed)(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_seed[32]);
    int (*list)(struct aws *a, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
    int (*describe)(struct aws *a, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry);
    int (*generate)(struct aws *a, const char *key_id, unsigned flags, uint8_t ret_key[32], uint32_t *ret_version);
    int (*import)(struct aws *a, const char *key_id, unsigned flags, const uint8_t seed[32], const uint8_t key[32],
                  uint32_t *ret_version);
    int (*remove)(struct aws *a, const char *key_id, uint32_t version);
};

extern const struct aws_service aws_secrets, aws_ssm, aws_kms, aws_kms_sign;

struct aws {
    const struct tenuo_host *host;
    const struct aws_service *service;
    struct tn_web *web;
    char *prefix, *region, *kms_key, *path; /* kms_key may be NULL; path of kms alone */
    char *profile, *credentials_file;       /* NULL: not said */
    char *before, *after;                   /* kms sign: of {key_id} in the key's name */
    bool one_key;                           /* kms sign: the template has no {key_id} */
    uint32_t recovery;                      /* days in which a removed key can be brought back; 0: none */
    char provider[80];
    pthread_mutex_t lock;
    /* What a metadata service gave; under the lock. Who asks it holds `asking`, and takes the lock within. */
    struct aws_creds *kept;
    pthread_mutex_t asking;
    int64_t ask_after; /* Unix time: it gave none, and what is kept is still good */
};

/* aws.c. Says the sentence and returns the code. */
int aws_fail(const struct aws *a, int code, const char *fmt, ...) TENUO_PRINTF(3, 4);
void aws_public_of(const uint8_t seed[32], uint8_t ret_key[32]);
unsigned aws_hands_out(const struct aws *a); /* `can` of a service that keeps seeds and takes them */

/* settings.c: the arguments of a line. `open` also makes what speaks to the service. */
extern const struct tenuo_arg_spec aws_args[];
size_t aws_args_count(void);
int aws_set(struct aws *a, const struct tenuo_arg *args, bool open);
void aws_unset(struct aws *a);

/* credentials.c: a copy to be given back. `fresh`: the last ones were refused as expired. */
int aws_credentials(struct aws *a, bool fresh, struct aws_creds **ret);
void aws_credentials_forget(struct aws_creds *c);
/* cred_file.c: TENUO_E_KEY_NOT_FOUND without a sentence when there is no such file or profile and none was asked for.
 */
int aws_cred_file(struct aws *a, struct aws_creds *ret);
/* cred_web.c: the same when no such service is named. Sentences go to `why`, the caller has the last word. */
int aws_cred_container(struct aws *a, struct aws_creds *ret, char why[TN_WEB_WHY]);
int aws_cred_instance(struct aws *a, struct aws_creds *ret, char why[TN_WEB_WHY]);

/* call.c: a request's body, in guarded memory; one that does not fit is noticed by aws_call. */
struct aws_body;
struct aws_body *aws_body_new(void); /* NULL is taken by all of these, and is TENUO_E_NOMEM in aws_call */
void aws_body_free(struct aws_body *b);
void aws_put(struct aws_body *b, const char *text);
/* A JSON string, in quotes. */
void aws_put_string(struct aws_body *b, const char *text);
void aws_put_base64(struct aws_body *b, const void *bytes, size_t n);
void aws_put_uint(struct aws_body *b, uint32_t n);

struct aws_ask {
    const char *action;
    const char *what;  /* name of the key, for sentences */
    bool once;         /* doing it twice is something else */
    bool secret_body;  /* holds a seed */
    bool list;         /* a long answer without secrets */
    bool quiet_denied; /* no sentence for TENUO_E_KEY_DENIED: the caller knows another way */
};

struct aws_reply {
    struct tn_web_answer answer;
    struct tn_json *json;
};

/* One action, with retries; on success ret->json is the answer. On failure the sentence was said. Ends `body`. */
int aws_call(struct aws *a, const struct aws_ask *q, struct aws_body *body, struct aws_reply *ret);
void aws_reply_end(struct aws_reply *r);
/* The answer is no such thing as the service documents. */
int aws_odd(const struct aws *a, const struct aws_ask *q, const char *what);
/* The pages of a list; on the heap. `member` of an answer has the token of the next one, missing, null or empty at the
 * end. More than AWS_PAGES_MAX are too many. */
struct aws_pages {
    bool more;
    int count;
    char token[AWS_PAGE_TOKEN_MAX]; /* "" before the first */
};
struct aws_pages *aws_pages_new(void);
int aws_pages_turn(const struct aws *a, const struct aws_ask *q, const struct tn_json *j, const char *member,
                   struct aws_pages *p);

/* A base64 member into guarded or plain memory; false when it is missing, broken or not `n` bytes. */
bool aws_get_bytes(const struct tn_json *j, int node, uint8_t *ret, size_t n);

/* meaning.c */
enum aws_kind { AWS_OTHER, AWS_EXPIRED, AWS_THROTTLED };
struct aws_meaning {
    int code;
    enum aws_kind kind;
    const char *remedy;
};
#define AWS_CODE_MAX 64
/* The code of a failed answer: JSON `__type`, or XML <Code> as gateways send it. "" when there is none. */
void aws_error_code(const struct tn_web_answer *a, char ret[AWS_CODE_MAX + 1]);
struct aws_meaning aws_meaning(const struct aws_service *service, const struct tn_web_answer *a, const char *code);

#endif
