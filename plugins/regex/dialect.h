/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the protocol's dialect (the Rust regex crate) to RE2's: the part in which both agree is rewritten so that they
 * do, everything else is refused by name. Knows nothing of RE2's library and never matches anything.
 */
#ifndef TN_REGEX_DIALECT_H
#define TN_REGEX_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_REGEX_MAX_GROUPS 60      /* nested; the reference counts to 250 in its own measure */
#define TN_REGEX_MAX_WEIGHT 100000  /* bytes of a rewritten pattern with every count written out */
#define TN_REGEX_WORD_WEIGHT 1000   /* of each \w and \W in that measure */
#define TN_REGEX_CLASS_WEIGHT 2000  /* of each \p class: RE2 makes up to 1,200 instructions of it */
#define TN_REGEX_MAX_NAMES 32       /* named groups */
#define TN_REGEX_MAX_OUTPUT 1048576 /* bytes of a rewritten pattern */

/* A pattern for RE2, and on which texts its answer is the reference's. */
struct tn_dialect {
    char *text; /* ASCII; malloc'ed */
    size_t len;
    bool ascii_only; /* \w \W \b \B: no answer for a text with other characters */
    bool tables;     /* depends on Unicode's tables: no answer for characters about which they may differ */
    char *folded;    /* UTF-8: characters beyond ASCII that are compared without regard to case; malloc'ed */
    size_t nfolded;
};

/* What is not supported, and where (byte offset). Static text, or a piece of the pattern's ASCII in `buf`. */
struct tn_dialect_error {
    char what[48];
    size_t at;
};

enum tn_dialect_result { TN_DIALECT_OK, TN_DIALECT_REFUSED, TN_DIALECT_NOMEM };
/* `pattern` is UTF-8. Outputs are written on success (*ret) or refusal (*ret_error) alone. */
enum tn_dialect_result tn_dialect_translate(const uint8_t *pattern, size_t len, struct tn_dialect *ret,
                                            struct tn_dialect_error *ret_error);
void tn_dialect_free(struct tn_dialect *d);

#endif
