/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation: signed lists of warrant ids, the rules by which a newer list replaces an older one, the snapshot that a
 * verifier consults, and signed requests to revoke.
 *
 * Everything here is pure: no file, no clock, no memory of earlier calls. What must outlive a process (the version
 * floor) goes in and comes out as a plain structure; whoever keeps it does the I/O. Lists, snapshots and requests are
 * immutable and may be shared between threads; a builder belongs to one thread. Times are Unix seconds.
 */
#ifndef TENUO_REVOCATION_H
#define TENUO_REVOCATION_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/key.h>
#include <tenuo/verify.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_SRL_MAX_BYTES 100663296u /* of a signed list as it travels */
#define TENUO_SRL_MAX_IDS 2097152u
#define TENUO_REVOCATION_MAX_SOURCES 64u

/* ---- a signed list ---- */

struct tenuo_srl;

/*
 * Decodes a list in the one form of 10.1 and verifies its signature over the bytes as sent. `issuer`: the key that
 * must have signed it; NULL takes the key that the list names, and the caller decides whether to trust it
 * (tenuo_srl_accept). Holds 16 bytes an id; the input is not kept. 1202: not in that form; 1801: too large; 1100:
 * signed by another key, or the signature is wrong.
 */
TENUO_API TENUO_MUST_USE int tenuo_srl_parse(const uint8_t *bytes, size_t len, const uint8_t *issuer,
                                             struct tenuo_srl **ret_srl, struct tenuo_error *reterr);
TENUO_API struct tenuo_srl *tenuo_srl_ref(struct tenuo_srl *srl);
/* NULL is fine. */
TENUO_API void tenuo_srl_unref(struct tenuo_srl *srl);
TENUO_API uint64_t tenuo_srl_version(const struct tenuo_srl *srl);
/* Whole seconds. */
TENUO_API int64_t tenuo_srl_issued_at(const struct tenuo_srl *srl);
TENUO_API const uint8_t *tenuo_srl_issuer(const struct tenuo_srl *srl); /* 32 bytes */
/* SHA-256 of the list's bytes as parsed (receipts, key 13). 32 bytes. */
TENUO_API const uint8_t *tenuo_srl_sha256(const struct tenuo_srl *srl);
/* Different ids; ids that no warrant can have are counted too. */
TENUO_API size_t tenuo_srl_count(const struct tenuo_srl *srl);
/* 1 when the id is on the list. */
TENUO_API int tenuo_srl_contains(const struct tenuo_srl *srl, const uint8_t id[TENUO_WARRANT_ID_BYTES]);
/* Each different id in byte order, as text of len bytes (no NUL at its end, lent for the call). A non-zero answer stops
 * and is returned. An id may be any text: escape it before showing it. */
TENUO_API int tenuo_srl_each(const struct tenuo_srl *srl, int (*each)(void *arg, const char *id, size_t len),
                             void *arg);
/* What a version floor remembers of the content (10.3): repeated ids count here. About 0.2 s for a million ids. */
TENUO_API void tenuo_srl_content_hash(const struct tenuo_srl *srl, uint8_t ret_hash[32]);

/* ---- replacing one list by another ---- */

/* May `candidate` replace `installed` (10.2, across issuers)? 0, 1802 lower version, 1803 same version with other ids.
 */
TENUO_API TENUO_MUST_USE int tenuo_srl_compare(const struct tenuo_srl *installed, const struct tenuo_srl *candidate,
                                               struct tenuo_error *reterr);
/* Ids that only one of two lists has, in byte order: added 1 when it is the newer one. `each` may be NULL: only count.
 * A non-zero answer stops and is returned. The counts may be NULL. */
TENUO_API int tenuo_srl_diff(const struct tenuo_srl *older, const struct tenuo_srl *newer,
                             int (*each)(void *arg, int added, const char *id, size_t len), void *arg,
                             size_t *ret_added, size_t *ret_dropped);
/* A list with the ids of both and everything else from `newer`: for those who never let an id go (revocation_union).
 * Take the floor and compare versions before, with `newer` itself. */
TENUO_API TENUO_MUST_USE int tenuo_srl_union(const struct tenuo_srl *newer, const struct tenuo_srl *older,
                                             struct tenuo_srl **ret_srl, struct tenuo_error *reterr);

/* What is remembered for one issuer, for ever and on disk. */
struct tenuo_srl_floor {
    uint8_t issuer[TENUO_PUBLIC_KEY_BYTES];
    uint64_t version;
    uint8_t content_hash[32];
};

/* Zero-initialise, then set what differs. */
struct tenuo_srl_rules {
    uint32_t size;          /* sizeof(struct tenuo_srl_rules) */
    uint32_t clock_tolerance; /* seconds that fetched_at and issued_at may lie ahead of as_of */
    const uint8_t *issuers; /* trusted keys, 32 bytes each, one after the other */
    size_t issuer_count;
    uint64_t max_age;        /* seconds since the list was fetched; 0: no bound */
    uint64_t max_issued_age; /* seconds since the list was issued (stance 8); 0: no bound */
};

/*
 * The tracker of 10.3 for a list that parsed (so its signature is good). `floor`: what is remembered for the list's
 * issuer, or NULL when nothing is. On success *ret_floor is what to store before the list is used, and *ret_fresh_until
 * the last as_of for which it may decide (INT64_MAX: no bound); either may be NULL. With neither floor the content is
 * not looked at. Codes: 1406 the issuer is not trusted; 1801 fetched or issued in the future; 9301 fetched or issued
 * too long ago; 1802 older than the floor; 1803 the floor's version with other content. 9001: the floor is of another
 * issuer.
 */
TENUO_API TENUO_MUST_USE int tenuo_srl_accept(const struct tenuo_srl *srl, const struct tenuo_srl_rules *rules,
                                              const struct tenuo_srl_floor *floor, int64_t fetched_at, int64_t as_of,
                                              struct tenuo_srl_floor *ret_floor, int64_t *ret_fresh_until,
                                              struct tenuo_error *reterr);

/* ---- making a list ---- */

struct tenuo_srl_builder;

TENUO_API TENUO_MUST_USE int tenuo_srl_builder_new(uint64_t version, struct tenuo_srl_builder **ret_builder,
                                                   struct tenuo_error *reterr);
TENUO_API void tenuo_srl_builder_free(struct tenuo_srl_builder *builder);
/* Adding an id twice is fine: the list has each once, in byte order. */
TENUO_API TENUO_MUST_USE int tenuo_srl_builder_add(struct tenuo_srl_builder *builder,
                                                   const uint8_t id[TENUO_WARRANT_ID_BYTES],
                                                   struct tenuo_error *reterr);
/*
 * Carries the ids of an existing list forward, those too that no warrant can have. `keep` (NULL: all) answers 0 for an
 * id to leave out. 1802 unless the builder's version is higher than the list's. *ret_dropped (may be NULL): how many
 * were left out.
 */
TENUO_API TENUO_MUST_USE int tenuo_srl_builder_carry(struct tenuo_srl_builder *builder, const struct tenuo_srl *srl,
                                                     int (*keep)(void *arg, const char *id, size_t len), void *arg,
                                                     size_t *ret_dropped, struct tenuo_error *reterr);
/* Signs and encodes; free *ret_bytes with tenuo_bytes_free. The builder stays usable. 1801 when it grew too large. */
TENUO_API TENUO_MUST_USE int tenuo_srl_builder_sign(const struct tenuo_srl_builder *builder,
                                                    const struct tenuo_signer *signer, int64_t issued_at,
                                                    uint8_t **ret_bytes, size_t *ret_len, struct tenuo_error *reterr);

/* ---- the snapshot that a verifier consults ---- */

struct tenuo_revocation;

/* One source of revocation: a list, or that there is none. */
struct tenuo_revocation_source {
    struct tenuo_srl *list; /* NULL: configured, but none available: every decision is refused with 9301 */
    int64_t fresh_until;    /* last as_of for which the list may decide; INT64_MAX: no bound */
    const char *name;       /* for the sentence of a refusal; copied, cut to 63 bytes; NULL: none */
    const char *why; /* likewise, cut to 191 bytes: why there is no current list, with the remedy; NULL: not known */
};

/*
 * A snapshot of several sources. A warrant is revoked if any list says so, also a list that is no longer fresh; else
 * every source must have a fresh list. No source at all means that nothing is available: every decision is refused. A
 * reference is taken on each list.
 */
TENUO_API TENUO_MUST_USE int tenuo_revocation_new(const struct tenuo_revocation_source *sources, size_t count,
                                                  struct tenuo_revocation **ret_revocation,
                                                  struct tenuo_error *reterr);
TENUO_API struct tenuo_revocation *tenuo_revocation_ref(struct tenuo_revocation *revocation);
TENUO_API void tenuo_revocation_unref(struct tenuo_revocation *revocation);

/* Every warrant of a chain is looked up, before anything else (1800, step revocation). A reference is taken; NULL: no
 * revocation is configured, nothing is looked up. */
TENUO_API void tenuo_verifier_builder_set_revocation(struct tenuo_verifier_builder *builder,
                                                     struct tenuo_revocation *revocation);
/* A new verifier with this snapshot (NULL: none) that shares roots, policy and link cache with `verifier`, which stays
 * as it is. Costs one small allocation. */
TENUO_API TENUO_MUST_USE int tenuo_verifier_with_revocation(struct tenuo_verifier *verifier,
                                                            struct tenuo_revocation *revocation,
                                                            struct tenuo_verifier **ret_verifier,
                                                            struct tenuo_error *reterr);
/* The list that revoked, else the first one of the snapshot under which a decision was made: SHA-256 of its bytes, and
 * its version. NULL: no list, or what revoked was on an earlier one alone (revocation_union). */
TENUO_API const uint8_t *tenuo_decision_srl_sha256(const struct tenuo_decision *d);
TENUO_API uint64_t tenuo_decision_srl_version(const struct tenuo_decision *d);

/* ---- requests to revoke ---- */

struct tenuo_revocation_request;

/* Signs a request (10.5): holder, issuer or the list's issuer asks for one warrant to be put on the list. `reason` is
 * text. Free *ret_bytes with tenuo_bytes_free. */
TENUO_API TENUO_MUST_USE int tenuo_revocation_request_create(const uint8_t id[TENUO_WARRANT_ID_BYTES],
                                                             const char *reason, size_t reason_len,
                                                             const struct tenuo_signer *signer, int64_t requested_at,
                                                             uint8_t **ret_bytes, size_t *ret_len,
                                                             struct tenuo_error *reterr);
/* Decodes and verifies the signature. Says nothing yet about who may ask. 1202, 1100. */
TENUO_API TENUO_MUST_USE int tenuo_revocation_request_parse(const uint8_t *bytes, size_t len,
                                                            struct tenuo_revocation_request **ret_request,
                                                            struct tenuo_error *reterr);
TENUO_API void tenuo_revocation_request_free(struct tenuo_revocation_request *request);
/* NUL-terminated; never longer than tnu_wrt_ and 32 hex digits, and always a possible id of a warrant. */
TENUO_API const char *tenuo_revocation_request_warrant_id(const struct tenuo_revocation_request *request);
/* Foreign text: may hold anything but invalid UTF-8; escape it before showing it. */
TENUO_API const char *tenuo_revocation_request_reason(const struct tenuo_revocation_request *request, size_t *ret_len);
TENUO_API const uint8_t *tenuo_revocation_request_requestor(const struct tenuo_revocation_request *request);
TENUO_API int64_t tenuo_revocation_request_requested_at(const struct tenuo_revocation_request *request);
/*
 * May this request revoke this warrant? In order: same id; the requestor is `authority` (the key that signs the list;
 * NULL: nobody), or the warrant's issuer, or its holder; at most 300 s old; at most 60 s ahead; the warrant has not
 * expired. 1400 for all of them, 1300 for the last.
 */
TENUO_API TENUO_MUST_USE int tenuo_revocation_request_check(const struct tenuo_revocation_request *request,
                                                            const struct tenuo_warrant *warrant,
                                                            const uint8_t *authority, int64_t as_of,
                                                            struct tenuo_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
