/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the resolver "pkcs11" share: the line, a session on its token, and names of objects. pkcs11.c has
 * arguments and calls; uri.c says which token and which name; pin.c logs in; session.c loads modules and keeps
 * sessions; object.c reads objects and signs; versions.c finds a version; store.c changes the token; rv.c has words.
 */
#ifndef TN_PKCS11_H
#define TN_PKCS11_H

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <pthread.h>
#include <stdbool.h>

#include "../../common/versions.h"
#include <tenuo/plugin.h>

#define P11_POOL 16          /* sessions in use at once; further calls wait */
#define P11_PART_MAX 100     /* bytes before and after {key_id} */
#define P11_NAME_MAX 400     /* bytes of a label or an id that we read */
#define P11_OBJECTS_MAX 4096 /* keys of one class that are looked through */
#define P11_PENDING "@new"   /* ends the name of a key whose rotation is not finished; never a version */
#define P11_OTHER_BYTES 32
#define P11_NAME_BYTES (2 * P11_PART_MAX + TN_VERSION_NAME_BYTES)

/* Found token. */
struct p11_token {
    CK_FUNCTION_LIST *f;
    CK_SLOT_ID slot;
    char label[33]; /* printable */
};

struct p11_session {
    struct p11 *p;
    struct p11_token token;
    CK_SESSION_HANDLE handle;
    unsigned epoch;
    bool rw;
    bool again;  /* an object was changed meanwhile: another try may find it */
    bool lost;   /* the token or the login is gone: no session of this time is used again */
    bool broken; /* an operation may still be active: close it */
};

/* In guarded memory: knowing the key and the digest, a short PIN could be guessed. */
struct p11_refused {
    uint8_t key[32], pin[32];
    bool set;
};

struct p11 {
    const struct tenuo_host *host;
    char *module, *pin_file, *pin_credential;
    /* uri.c */
    P11KitUri *uri;
    CK_ATTRIBUTE_TYPE named; /* CKA_LABEL or CKA_ID: where the key id is */
    char prefix[P11_PART_MAX + 1], suffix[P11_PART_MAX + 1];
    /* session.c; what stands here belongs to who holds `lock` */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool setup; /* a thread makes a session: module and token are that thread's alone */
    unsigned leased, epoch;
    unsigned writers; /* that wait or are at work: nobody else begins then */
    struct p11_session idle[P11_POOL];
    size_t nidle;
    bool attached, reload;
    struct p11_token token;
    CK_FUNCTION_LIST **configured, *own; /* of the thread that set `setup` */
    uint64_t reload_at;
    /* pin.c; under login_lock */
    pthread_mutex_t login_lock;
    struct p11_refused *refused;
    bool warned;
};

/* ---- rv.c ---- */
uint64_t p11_clock(void);
/* Names token, what failed, why and a remedy; notes in the session whether it is lost. Returns the code for the host.
 */
int p11_fail(struct p11_session *s, CK_RV rv, const char *what);
/* "token 'tenuo': ..." */
int p11_say(const struct p11_session *s, int code, const char *fmt, ...) TENUO_PRINTF(3, 4);

/* ---- uri.c ---- */
int p11_uri_set(struct p11 *p, const char *text);
bool p11_uri_matches(const struct p11 *p, CK_FUNCTION_LIST *f, CK_SLOT_ID slot, const CK_TOKEN_INFO *info);
bool p11_uri_matches_module(const struct p11 *p, const CK_INFO *info);
/* The attribute's bytes for "ID" or "ID@N". */
size_t p11_name(const struct p11 *p, const char *text, char ret_name[P11_NAME_BYTES]);
/* The reverse; false when it is none of ours. */
bool p11_unname(const struct p11 *p, const char *name, size_t len, const char **ret_text, size_t *ret_len);

/* ---- pin.c ---- */
bool p11_has_pin(const struct p11 *p);
int p11_pin_judge(const struct p11 *p);
/* `who` is CKU_USER or CKU_CONTEXT_SPECIFIC. A PIN that was refused is not tried again before its file changes. */
int p11_login(struct p11_session *s, CK_USER_TYPE who);
/* False, with `lost` set, when this session should be logged in and no longer is. */
bool p11_still_in(struct p11_session *s);

/* ---- session.c ---- */
int p11_module_judge(const struct p11 *p);
/* Calls fn with a session. `rw`: a new one that may write, and nothing is done twice; else once more when the token had
 * been lost. */
int p11_with(struct p11 *p, bool rw, int (*fn)(struct p11_session *s, void *arg), void *arg);
void p11_sessions_close(struct p11 *p);

/* ---- object.c ---- */
struct p11_key { /* what an object of class public or private key is */
    CK_OBJECT_HANDLE object;
    const char *wrong; /* NULL: Ed25519; else what it is instead */
    bool sign, always_authenticate, sensitive, extractable, has_point;
    uint8_t point[TENUO_PUBKEY_BYTES];
};
int p11_key_read(struct p11_session *s, CK_OBJECT_HANDLE object, struct p11_key *ret_key);
/* Objects of that name, at most cap of them. */
int p11_find(struct p11_session *s, CK_OBJECT_CLASS class, const char *text, CK_OBJECT_HANDLE *ret, size_t cap,
             size_t *ret_n);
/* Every key of the class whose name is one of ours, by its text ("ID", "ID@N", anything). */
typedef int p11_each_fn(void *arg, CK_OBJECT_HANDLE object, const char *text, size_t len);
int p11_each(struct p11_session *s, CK_OBJECT_CLASS class, p11_each_fn *fn, void *arg);
/* The name that the line does not use (CKA_ID, or CKA_LABEL), for a new key; and the number in it, 0 when it has none.
 */
CK_ATTRIBUTE_TYPE p11_other(const struct p11 *p);
size_t p11_other_name(uint32_t version, char ret_name[P11_OTHER_BYTES]);
int p11_number(struct p11_session *s, CK_OBJECT_HANDLE object, uint32_t *ret_number);
int p11_sign_with(struct p11_session *s, const struct p11_key *key, const uint8_t *message, size_t len,
                  uint8_t ret_signature[TENUO_SIG_BYTES]);

/* ---- versions.c ---- */
struct p11_place {
    struct tn_versions v;
    uint32_t number;                  /* of the version asked for */
    uint32_t oldest, newest;          /* of this id */
    char text[TN_VERSION_NAME_BYTES]; /* name of its public object */
};
/* 9300 when there is none; *ret_place then holds what was seen. */
int p11_locate(struct p11_session *s, const char *key_id, uint32_t version, struct p11_place *ret_place);
int p11_public_of(struct p11_session *s, const struct p11_place *place, struct p11_key *ret_key);
/* ret_text: under which name it was. */
int p11_private_of(struct p11_session *s, const char *key_id, uint32_t version, struct p11_key *ret_key,
                   char ret_text[TN_VERSION_NAME_BYTES]);
/* "ID@new" */
void p11_pending(const char *key_id, char ret_text[TN_VERSION_NAME_BYTES]);
/* number: of what is under ID, as p11_number says it. */
void p11_newest(const struct tn_versions *v, uint32_t number, uint32_t *ret_oldest, uint32_t *ret_newest);

/* ---- list.c, store.c ---- */
int p11_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
int p11_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry);
int p11_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                 uint32_t *ret_version);
int p11_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
               uint32_t *ret_version);
int p11_remove(void *self, const char *key_id, uint32_t version);

#endif
