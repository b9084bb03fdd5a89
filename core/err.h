/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a struct tenuo_error in one expression: `return tn_fail(err, TENUO_E_X, "...", ...)`. */
#ifndef TN_ERR_H
#define TN_ERR_H

#include <tenuo/error.h>

#define TN_SENTENCE_BYTES 1024 /* of one as it is made; tenuo_error has room for less */

/* Writes code and sentence when err is not NULL; returns code. A sentence that is too long keeps its beginning, where
 * the place stands, and its end, where the remedy is. */
int tn_fail(struct tenuo_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The sentence of the error table. */
int tn_fail_code(struct tenuo_error *err, int code);

/* Copies n bytes of foreign text into a NUL-terminated buffer, control characters and non-ASCII escaped as \xNN, cut
 * with "...". */
void tn_quote(char *buf, size_t size, const void *text, size_t n);

#endif
