/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the URL parser share. Everything works on slices and on buffers of the caller; only tn_url_parse
 * allocates.
 */
#ifndef TN_URL_H
#define TN_URL_H

#include "match.h"

/* Longer than any text a host may shrink from: "http://1" has the host "0.0.0.1", "[::]" grows likewise. */
#define TN_URL_HOST_SLACK 48

/*
 * The host of a special scheme: brackets and IPv6, or ASCII name, or a number read as IPv4. `ret` has raw.n +
 * TN_URL_HOST_SLACK bytes. An empty host is invalid.
 */
enum tn_url_status tn_url_host(struct tn_str raw, uint8_t *ret, size_t *ret_len);
/* The host of any other scheme: case and numbers are kept. `ret` has 3 * raw.n + TN_URL_HOST_SLACK bytes. */
enum tn_url_status tn_url_opaque_host(struct tn_str raw, uint8_t *ret, size_t *ret_len);

/*
 * Removes dot segments and percent-encodes. `in` has neither the first '/' nor query and fragment; `ret` has 3 * in.n
 * + 2 bytes and gets a '/' first. With `file`, *ret_drive tells that the path begins with a drive letter.
 */
size_t tn_url_path(struct tn_str in, bool file, uint8_t *ret, bool *ret_drive);
/* The path of a URL without any '/' after the scheme. */
size_t tn_url_opaque_path(struct tn_str in, uint8_t *ret);
bool tn_url_is_drive(struct tn_str s);
/* Appends "%XX" at ret. */
size_t tn_url_escape(uint8_t c, uint8_t *ret);

#endif
