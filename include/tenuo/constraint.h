/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Argument constraints: construct, read, match, compare.
 *
 * A constraint is immutable. Matching has three outcomes, because a refusal below a Not must not turn into a yes:
 * TENUO_MATCH, TENUO_NO_MATCH, or an error. Types 5 (Regex), 15 (Cel) and 128-255 but Shlex need a matcher plugin;
 * without one they match with an error that names it.
 */
#ifndef TENUO_CONSTRAINT_H
#define TENUO_CONSTRAINT_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/matchers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Type ids on the wire. */
enum tenuo_constraint_type {
    TENUO_C_EXACT = 1,
    TENUO_C_PATTERN = 2,
    TENUO_C_RANGE = 3,
    TENUO_C_ONE_OF = 4,
    TENUO_C_REGEX = 5,
    TENUO_C_NOT_ONE_OF = 7,
    TENUO_C_CIDR = 8,
    TENUO_C_URL_PATTERN = 9,
    TENUO_C_CONTAINS = 10,
    TENUO_C_SUBSET = 11,
    TENUO_C_ALL = 12,
    TENUO_C_ANY = 13,
    TENUO_C_NOT = 14,
    TENUO_C_CEL = 15,
    TENUO_C_WILDCARD = 16,
    TENUO_C_SUBPATH = 17,
    TENUO_C_URL_SAFE = 18,
    TENUO_C_SHLEX = 128
};

struct tenuo_constraint;
struct tenuo_constraint_set;
struct tenuo_value; /* a typed argument value, request.h */

/* Reads `[type_id, payload]` exactly as inside a warrant. 1202 malformed, 1900 too large, 9000. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_parse(const uint8_t *cbor, size_t len,
                                                    struct tenuo_constraint **ret_constraint,
                                                    struct tenuo_error *reterr);
TENUO_API void tenuo_constraint_free(struct tenuo_constraint *constraint);
TENUO_API unsigned tenuo_constraint_get_type(const struct tenuo_constraint *constraint);
/* The bytes `[type_id, payload]`; lent. */
TENUO_API const uint8_t *tenuo_constraint_cbor(const struct tenuo_constraint *constraint, size_t *ret_len);

/* Constructors. Texts are UTF-8 with explicit lengths; values and inner constraints are copied. 1501 for content that
   can never match (bad pattern, bad CIDR ...), 9001 for broken UTF-8. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_wildcard(struct tenuo_constraint **ret, struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_constraint_exact(const struct tenuo_value *value, struct tenuo_constraint **ret,
                                                    struct tenuo_error *reterr);
/* Types whose payload is one text: Pattern, Regex, Cidr, UrlPattern, Cel. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_text(enum tenuo_constraint_type type, const char *text, size_t len,
                                                   struct tenuo_constraint **ret, struct tenuo_error *reterr);
/* OneOf, NotOneOf, Contains, Subset. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_values(enum tenuo_constraint_type type,
                                                     const struct tenuo_value *const *values, size_t count,
                                                     struct tenuo_constraint **ret, struct tenuo_error *reterr);
/* NULL bound: unbounded. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_range(const double *min, const double *max, int min_inclusive,
                                                    int max_inclusive, struct tenuo_constraint **ret,
                                                    struct tenuo_error *reterr);
/* All, Any; Not takes exactly one. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_combine(enum tenuo_constraint_type type,
                                                      const struct tenuo_constraint *const *inner, size_t count,
                                                      struct tenuo_constraint **ret, struct tenuo_error *reterr);
/* The root is normalised, and lowercased when not case-sensitive, as the reference's constructor does. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_subpath(const char *root, size_t len, int case_sensitive, int allow_equal,
                                                      struct tenuo_constraint **ret, struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_constraint_shlex(const char *const *allow, size_t count,
                                                    struct tenuo_constraint **ret, struct tenuo_error *reterr);

/* Options of UrlSafe; zero-initialise with TENUO_URL_SAFE_INIT, which gives the protocol's defaults. Lists are NULL
 * when unset. */
struct tenuo_url_safe {
    uint32_t size; /* sizeof(struct tenuo_url_safe) */
    const char *const *schemes;
    size_t nschemes;
    const char *const *allow_domains;
    size_t nallow_domains;
    const char *const *deny_domains;
    size_t ndeny_domains;
    const uint16_t *allow_ports;
    size_t nallow_ports;
    int block_private, block_loopback, block_metadata, block_reserved, block_internal_tlds;
};
#define TENUO_URL_SAFE_INIT { sizeof(struct tenuo_url_safe), NULL, 0, NULL, 0, NULL, 0, NULL, 0, 1, 1, 1, 1, 0 }
TENUO_API TENUO_MUST_USE int tenuo_constraint_url_safe(const struct tenuo_url_safe *options,
                                                       struct tenuo_constraint **ret, struct tenuo_error *reterr);

enum { TENUO_NO_MATCH = 0, TENUO_MATCH = 1 };
/*
 * Matches one value. 0 and *ret_match TENUO_MATCH or TENUO_NO_MATCH; or the error that denies (1501, 1504, 9000).
 * `matchers` may be NULL; they alone see `as_of`, the time of the decision in Unix seconds. Cost is linear in value
 * times constraint at worst, bounded by limits of the format.
 */
TENUO_API TENUO_MUST_USE int tenuo_constraint_match(const struct tenuo_constraint *constraint,
                                                    const struct tenuo_value *value,
                                                    const struct tenuo_matchers *matchers, int64_t as_of,
                                                    int *ret_match, struct tenuo_error *reterr);
/* The first type within the constraint that a matcher plugin answers for: TENUO_C_REGEX, TENUO_C_CEL or an experimental
 * one; 0 when there is none. */
TENUO_API unsigned tenuo_constraint_needs_matcher(const struct tenuo_constraint *constraint);
/*
 * Does every part that a matcher answers for compile? 0; 1501 with the matcher's sentence, or 1504 and 1501 as for a
 * match when there is no matcher. Other types were checked when they were made or read.
 */
TENUO_API TENUO_MUST_USE int tenuo_constraint_check(const struct tenuo_constraint *constraint,
                                                    const struct tenuo_matchers *matchers, struct tenuo_error *reterr);
/* 0 when the child may replace the parent in a delegation; 1501, 1502 or 1503 when not. Matchers
 * are told `as_of` when an Exact child is tried. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_attenuates(const struct tenuo_constraint *parent,
                                                         const struct tenuo_constraint *child,
                                                         const struct tenuo_matchers *matchers, int64_t as_of,
                                                         struct tenuo_error *reterr);

/* Constraint sets: what one tool allows. Built empty, filled, then used; do not fill one that another thread reads. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_set_new(struct tenuo_constraint_set **ret_set,
                                                      struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_constraint_set_parse(const uint8_t *cbor, size_t len,
                                                        struct tenuo_constraint_set **ret_set,
                                                        struct tenuo_error *reterr);
/* Only for sets that new or parse returned; a warrant's own sets are freed with it. */
TENUO_API void tenuo_constraint_set_free(struct tenuo_constraint_set *set);
/* Copies the constraint. 9001 when the name is there already. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_set_put(struct tenuo_constraint_set *set, const char *name, size_t len,
                                                      const struct tenuo_constraint *constraint,
                                                      struct tenuo_error *reterr);
TENUO_API void tenuo_constraint_set_allow_unknown(struct tenuo_constraint_set *set, int allow);
TENUO_API int tenuo_constraint_set_allows_unknown(const struct tenuo_constraint_set *set);
TENUO_API size_t tenuo_constraint_set_count(const struct tenuo_constraint_set *set);
/* In byte order of names; NULL when out of range. The constraint is lent. */
TENUO_API const struct tenuo_constraint *tenuo_constraint_set_get(const struct tenuo_constraint_set *set, size_t index,
                                                                  const char **ret_name, size_t *ret_len);
/* Attenuation of whole sets. */
TENUO_API TENUO_MUST_USE int tenuo_constraint_set_attenuates(const struct tenuo_constraint_set *parent,
                                                             const struct tenuo_constraint_set *child,
                                                             const struct tenuo_matchers *matchers, int64_t as_of,
                                                             struct tenuo_error *reterr);

/*
 * One line for people, e.g. `Subpath(root="/data")`, into buf (always NUL-terminated; control characters escaped; cut
 * with "..."). Returns the length without NUL.
 */
TENUO_API size_t tenuo_constraint_describe(const struct tenuo_constraint *constraint, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
