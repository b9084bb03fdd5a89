/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text, without the C library's calendar and locale. */
#ifndef TN_RFC3339_H
#define TN_RFC3339_H

#include "str.h"

/* 2030-01-31T12:00:00Z, or an offset like +02:00 for the Z; 1970 to 9999, no fractions. False when it is anything else.
 */
bool tn_rfc3339_parse(struct tn_str text, uint64_t *ret_unix);

/*
 * The one form in which lists and requests carry a time: upper case T and Z, UTC, and 0, 3, 6 or 9 digits of a
 * fraction, as few as hold it. *ret_unix: whole seconds.
 */
bool tn_rfc3339_canonical(struct tn_str text, uint64_t *ret_unix);

#define TN_RFC3339_TEXT 21          /* with the NUL */
#define TN_RFC3339_LAST 253402300799u /* 9999-12-31T23:59:59Z */
/* 2030-01-31T12:00:00Z; `when` is at most TN_RFC3339_LAST. */
void tn_rfc3339_format(uint64_t when, char ret_text[TN_RFC3339_TEXT]);

#endif
