/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key stores as an administrator sees them: what `tenuo key` and `tenuo keygen --to` do, through the resolver lines of
 * an opened context and the optional store operations of their plugins.
 *
 * A store is named by `name=` on its line, or else by its module; a name that fits several lines is refused (9001, the
 * sentence lists them). FILE:LINE, as tenuo_ctx_store_name tells it, names one too. A key is named by a reference: ID,
 * its newest version, or ID@N. All calls may come from any thread, ask the store itself and never the key cache, and
 * forget what the cache held of that id when they change it. Errors besides those named: 9001 a bad name or reference,
 * or a store that cannot do it; 9203 a plugin broke its contract; 9301 the store did not answer; 9304 it refused.
 */
#ifndef TENUO_STORE_H
#define TENUO_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/context.h>
#include <tenuo/error.h>
#include <tenuo/key.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_KEY_ID_BYTES 129        /* longest key id and its NUL */
#define TENUO_KEY_REFERENCE_BYTES 140 /* longest ID@N and its NUL */

/* What a store line can do; a bit each. */
#define TENUO_STORE_SIGNS 1u     /* signs itself; the secret stays there */
#define TENUO_STORE_EXPORTS 2u   /* hands seeds to this process */
#define TENUO_STORE_LISTS 4u
#define TENUO_STORE_DESCRIBES 8u
#define TENUO_STORE_GENERATES 16u
#define TENUO_STORE_IMPORTS 32u
#define TENUO_STORE_REMOVES 64u

/* One key of a store. Lent for the call that it is handed to. */
struct tenuo_stored_key {
    uint32_t size;
    char id[TENUO_KEY_ID_BYTES];
    uint32_t version, oldest, newest; /* 0: the store keeps no versions */
    uint8_t public_key[TENUO_PUBLIC_KEY_BYTES];
    int has_public_key;
    int64_t created_at, expires_at; /* Unix seconds; 0: the store does not say */
    char note[128];                 /* printable; for people */
};

TENUO_API size_t tenuo_ctx_store_count(const struct tenuo_ctx *ctx);
/* Name (lent) of the store of resolver line `index`, in file order; module and FILE:LINE likewise when not NULL. */
TENUO_API const char *tenuo_ctx_store_name(const struct tenuo_ctx *ctx, size_t index, const char **ret_module,
                                           const char **ret_origin);
/* 1 when line `index` is `required` or `requisite`, so that its failure ends a look-up; else 0, also without a line. */
TENUO_API int tenuo_ctx_store_required(const struct tenuo_ctx *ctx, size_t index);
/* TENUO_STORE_... of a store. */
TENUO_API TENUO_MUST_USE int tenuo_store_abilities(struct tenuo_ctx *ctx, const char *store, unsigned *ret_abilities,
                                                   struct tenuo_error *reterr);
/* Every id with its newest version, until `each` returns non-zero. */
TENUO_API TENUO_MUST_USE int tenuo_store_list(struct tenuo_ctx *ctx, const char *store,
                                              int (*each)(void *arg, const struct tenuo_stored_key *key), void *arg,
                                              struct tenuo_error *reterr);
/* One key by reference, into *ret_key. 9300 when it is not there, 9305 when what is there is no key. */
TENUO_API TENUO_MUST_USE int tenuo_store_describe(struct tenuo_ctx *ctx, const char *store, const char *reference,
                                                  struct tenuo_stored_key *ret_key, struct tenuo_error *reterr);
/* A new key under an id that must be free (9303). Where the store cannot make keys, one is made here and imported. */
TENUO_API TENUO_MUST_USE int tenuo_store_generate(struct tenuo_ctx *ctx, const char *store, const char *key_id,
                                                  uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES], uint32_t *ret_version,
                                                  struct tenuo_error *reterr);
/* The key of a local signer, likewise. */
TENUO_API TENUO_MUST_USE int tenuo_store_import(struct tenuo_ctx *ctx, const char *store, const char *key_id,
                                                const struct tenuo_signer *signer, uint32_t *ret_version,
                                                struct tenuo_error *reterr);
/* A new key as the newest version of an id that is there (9300); what was the newest stays under its number. With a
 * local `signer` that key, else (NULL) a fresh one. */
TENUO_API TENUO_MUST_USE int tenuo_store_rotate(struct tenuo_ctx *ctx, const char *store, const char *key_id,
                                                const struct tenuo_signer *signer,
                                                uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES], uint32_t *ret_version,
                                                struct tenuo_error *reterr);
/* ID: the key with all its versions. ID@N: that version, the newest not while older ones stay (9001). */
TENUO_API TENUO_MUST_USE int tenuo_store_remove(struct tenuo_ctx *ctx, const char *store, const char *reference,
                                                struct tenuo_error *reterr);
/* Signer from this store alone, asked now: what `tenuo key test` signs with. */
TENUO_API TENUO_MUST_USE int tenuo_store_signer(struct tenuo_ctx *ctx, const char *store, const char *reference,
                                                struct tenuo_signer **ret_signer, struct tenuo_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
