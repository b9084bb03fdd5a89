/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three-valued answer of matching, and the families of text constraints: each a pair of files that know nothing of
 * CBOR. TN_ERROR denies in every context, also below a Not; a refusal that the reference does not make is always
 * TN_ERROR, never TN_FALSE (spec constraints.md 9). What asks for memory may also answer TN_NOMEM: nothing was judged.
 */
#ifndef TN_MATCH_H
#define TN_MATCH_H

#include "str.h"
#include <tenuo/error.h>

/* TN_NOMEM comes from the text families alone: tn_constraint_match makes 9000 of it. */
enum tn_match { TN_FALSE = 0, TN_TRUE = 1, TN_ERROR = 2, TN_NOMEM = 3 };

/* glob.c: Pattern, constraints.md 5.2. TN_ERROR for a pattern that does not compile. */
enum tn_match tn_glob_match(struct tn_str pattern, struct tn_str text);
bool tn_glob_valid(struct tn_str pattern);
/* May child replace parent (constraints.md 7, Pattern -> Pattern, with H-3)? */
bool tn_glob_narrower(struct tn_str parent, struct tn_str child);

/* cidr.c: Cidr, 5.8. Networks are compared as first and last address; bytes beyond a v4 address are zero. */
struct tn_cidr {
    uint8_t family; /* 4 or 6 */
    uint8_t prefix;
    uint8_t addr[16]; /* network address, host bits cleared */
};
bool tn_cidr_parse(struct tn_str text, struct tn_cidr *ret);
/* Strict IP literal, no prefix, brackets or zone; 4, 6, or 0 when it is none. Writes 4 or 16 bytes. */
int tn_ip_parse(struct tn_str text, uint8_t ret_addr[16]);
enum tn_match tn_cidr_match(const struct tn_cidr *net, struct tn_str text);
bool tn_cidr_contains(const struct tn_cidr *parent, const struct tn_cidr *child);

/* subpath.c: Subpath, 5.17 with H-7, H-8 and case folding of ASCII only. */
struct tn_subpath {
    struct tn_str root;
    bool case_sensitive, allow_equal;
};
enum tn_match tn_subpath_match(const struct tn_subpath *c, struct tn_str path);
/* Absolute, normalised, in one case (H-8). An unsound root is no parent, not even of an empty list. */
enum tn_match tn_subpath_sound(const struct tn_subpath *c);
/* TENUO_OK, or 1501 (not under the parent's root), 1502, 1503, 9000: Subpath -> Subpath. */
int tn_subpath_narrower(const struct tn_subpath *parent, const struct tn_subpath *child);
/* For constructors: normalises (and, if asked, lowercases ASCII) in place into buf of text.n + 1 bytes; false when not
 * absolute. */
bool tn_subpath_normalise(struct tn_str text, bool lower, uint8_t *buf, size_t *ret_len);

/* shlex.c: Shlex, 5.19 with H-15. `allow` is an array of texts. */
enum tn_match tn_shlex_match(const struct tn_str *allow, size_t n, struct tn_str text);

/* url.c: the WHATWG subset of constraints.md 6, with its deviations. All slices point into `buf` or the input. */
#define TN_URL_PORT_NONE 0x10000u
enum tn_url_status {
    TN_URL_OK,
    TN_URL_INVALID, /* the reference's parser refuses it too */
    TN_URL_REFUSED, /* only ours refuses it: deviations (a) to (c), H-4, H-5 */
    TN_URL_NOMEM
};
struct tn_url {
    struct tn_str scheme; /* lowercase */
    struct tn_str host;   /* serialised; empty when has_host is false */
    bool has_host, special, opaque_path;
    uint32_t port; /* explicit and not the scheme's default, else TN_URL_PORT_NONE */
    struct tn_str path; /* serialised, without query and fragment */
    uint8_t *buf;       /* backing memory; tn_url_free */
};
enum tn_url_status tn_url_parse(struct tn_str text, struct tn_url *ret);
void tn_url_free(struct tn_url *u);

/* url_pattern.c: UrlPattern, 5.9. Parsed once at decode. */
struct tn_url_pattern {
    bool any_scheme, has_host, has_path;
    struct tn_str scheme, host, path; /* host may start with "*." */
    uint32_t port;                    /* TN_URL_PORT_NONE: no restriction */
    uint8_t *buf;
};
/* Anything but TN_URL_OK and TN_URL_NOMEM: the warrant is refused (1202). */
enum tn_url_status tn_url_pattern_parse(struct tn_str text, struct tn_url_pattern *ret);
/* What the public constructor refuses beyond decode (5.9 parse, step 5). */
bool tn_url_pattern_constructible(const struct tn_url_pattern *p);
void tn_url_pattern_free(struct tn_url_pattern *p);
enum tn_match tn_url_pattern_match(const struct tn_url_pattern *p, struct tn_str text);
bool tn_url_pattern_narrower(const struct tn_url_pattern *parent, const struct tn_url_pattern *child);

/* url_safe.c: UrlSafe, 5.18 with H-4, H-5, H-6, H-16. Lists are as on the wire; domain entries are canonicalised at
 * every use. */
struct tn_url_safe {
    const struct tn_str *schemes, *allow_domains, *deny_domains;
    size_t nschemes, nallow_domains, ndeny_domains, nallow_ports;
    const uint16_t *allow_ports;
    bool has_allow_domains, has_deny_domains, has_allow_ports;
    bool block_private, block_loopback, block_metadata, block_reserved, block_internal_tlds;
};
enum tn_match tn_url_safe_match(const struct tn_url_safe *c, struct tn_str text);
enum tn_match tn_url_safe_valid(const struct tn_url_safe *c); /* every domain entry is a valid pattern */
enum tn_match tn_url_safe_narrower(const struct tn_url_safe *parent, const struct tn_url_safe *child);

#endif
