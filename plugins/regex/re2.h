/* SPDX-License-Identifier: Apache-2.0 */
/* RE2 as three C functions. No exception leaves them and nothing is printed. */
#ifndef TN_REGEX_RE2_H
#define TN_REGEX_RE2_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tn_re2;

enum tn_re2_result { TN_RE2_NO, TN_RE2_YES, TN_RE2_REFUSED, TN_RE2_NOMEM };
/* `max_mem` bounds program and automaton together, in bytes. TN_RE2_YES, or REFUSED with RE2's sentence (empty when the
 * program does not fit into max_mem), or NOMEM. */
enum tn_re2_result tn_re2_compile(const char *pattern, size_t len, int64_t max_mem, struct tn_re2 **ret, char *why,
                                  size_t size);
/* Is there a match anywhere in the text? YES, NO, or NOMEM. Any thread. */
enum tn_re2_result tn_re2_search(const struct tn_re2 *re, const char *text, size_t len);
/* Instructions of the program. */
size_t tn_re2_size(const struct tn_re2 *re);
void tn_re2_free(struct tn_re2 *re);

#ifdef __cplusplus
}
#endif
#endif
