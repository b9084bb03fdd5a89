/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address tables of UrlSafe, apart from the order of its checks.
 */
#ifndef TN_URL_SAFE_H
#define TN_URL_SAFE_H

#include "match.h"

/* TN_TRUE: nothing blocks it. TN_FALSE: blocked. TN_ERROR: blocked by a range that only this library has. */
enum tn_match tn_url_safe_ipv4(const struct tn_url_safe *c, const uint8_t addr[4]);
enum tn_match tn_url_safe_ipv6(const struct tn_url_safe *c, const uint8_t addr[16]);

#endif
