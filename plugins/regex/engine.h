/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching with the reference's regular expressions: filter, RE2, and the texts on which RE2 may not be asked. Shared
 * by the plugins that search; knows nothing of constraints. Never answers where the reference might answer otherwise.
 */
#ifndef TN_REGEX_ENGINE_H
#define TN_REGEX_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_REGEX_WHY 160 /* bytes of a sentence */

struct tn_regex_engine;
struct tn_regex;

enum tn_regex_result { TN_REGEX_NO, TN_REGEX_YES, TN_REGEX_REFUSED, TN_REGEX_NOMEM };

/* NULL: memory ran out, or this RE2 is none that can be used. One for a plugin's instance; any thread. Also starts what
 * RE2 starts once in a process, so make it before anybody forks. */
struct tn_regex_engine *tn_regex_engine_new(void);
void tn_regex_engine_free(struct tn_regex_engine *engine);
/* YES, REFUSED with a sentence, or NOMEM. *ret_bytes: how much memory it may come to hold. `pattern` is UTF-8. */
enum tn_regex_result tn_regex_compile(const struct tn_regex_engine *engine, const char *pattern, size_t len,
                                      struct tn_regex **ret, size_t *ret_bytes, char why[TN_REGEX_WHY]);
/* Is there a match anywhere in the text (UTF-8)? All four. Who asks has seen to it that tn_regex_cost may be spent. */
enum tn_regex_result tn_regex_search(const struct tn_regex_engine *engine, const struct tn_regex *regex,
                                     const char *text, size_t len, char why[TN_REGEX_WHY]);
/* The most that a search of a text as long may cost, in steps of about ten nanoseconds: bytes times instructions. */
uint64_t tn_regex_cost(const struct tn_regex *regex, size_t len);
void tn_regex_free(struct tn_regex *regex);

#endif
