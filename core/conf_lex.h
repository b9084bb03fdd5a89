/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of one configuration file to words with their places (grammar of style.md 4.7). Knows quotes, comments
 * and continued lines; knows nothing of what the words mean.
 */
#ifndef TN_CONF_LEX_H
#define TN_CONF_LEX_H

#include "conf.h"
#include "limits.h"

#define TN_MAX_WORDS (TN_MAX_RULE_ARGS + 3)

struct tn_word {
    char *text; /* without quotes, NUL-terminated; lent until the next line */
    size_t eq;  /* where the first "=" outside quotes stands; len when there is none */
    size_t len;
    bool quoted; /* the whole word was in quotes */
    struct tn_place place, value_place;
};

struct tn_lex {
    const uint8_t *p;
    size_t n, pos;
    struct tn_place place; /* of the next byte */
    struct tn_diag *d;
    char *buf; /* decoded words of this line */
    size_t used;
    struct tn_word words[TN_MAX_WORDS];
    size_t nwords;
    bool bad; /* this line has an error, which was reported */
};

/* `bytes` and `file` are lent until tn_lex_done. False when memory is out. */
bool tn_lex_init(struct tn_lex *lex, const char *file, const uint8_t *bytes, size_t len, struct tn_diag *d);
/* Next line that has words or an error; false at the end of the file. */
bool tn_lex_line(struct tn_lex *lex);
void tn_lex_done(struct tn_lex *lex);

#endif
