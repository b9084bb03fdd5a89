/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text, without the C library's calendar and locale. */
#ifndef TN_RFC3339_H
#define TN_RFC3339_H

#include "str.h"

/* 2030-01-31T12:00:00Z, or an offset like +02:00 for the Z; 1970 to 9999, no fractions. False when it is anything else.
 */
bool tn_rfc3339_parse(struct tn_str text, uint64_t *ret_unix);

#endif
