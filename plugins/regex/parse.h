/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the dialect filter share: the place in the pattern, the text that comes out, single characters. */
#ifndef TN_REGEX_PARSE_H
#define TN_REGEX_PARSE_H

#include "dialect.h"

struct tn_buffer {
    char *p;
    size_t n, cap;
};

struct tn_parse {
    const uint8_t *in;
    size_t n, i;
    struct tn_buffer out, folded;
    bool fold; /* (?i) holds here */
    bool ascii_only, tables;
    size_t extra; /* weight so far of what is larger in a program than in the text */
    bool refused;
    struct tn_dialect_error error;
};

/* Both return false, for the caller to return. */
bool tn_refuse(struct tn_parse *p, size_t at, const char *what);
/* False: memory ran out, or the text became too long (refused). */
bool tn_put_bytes(struct tn_parse *p, const char *bytes, size_t n);
bool tn_put(struct tn_parse *p, const char *text);
/* NUL behind the text, so that it is never NULL. */
bool tn_buffer_end(struct tn_buffer *b);
/* One character so that RE2 takes it for itself, inside and outside of classes. */
bool tn_put_char(struct tn_parse *p, uint32_t c);
/* The same as a literal: remembered when it is compared without regard to case. */
bool tn_put_literal(struct tn_parse *p, uint32_t c);

/* The character here, whatever it is. */
bool tn_parse_char(struct tn_parse *p, uint32_t *ret);
/* The character that an escape here stands for: punctuation, \n and its like, \x41, \x{41}. */
bool tn_parse_escape(struct tn_parse *p, uint32_t *ret);
/* \d \D \s \S \w \W \p \P */
bool tn_is_class_escape(uint8_t c);
bool tn_put_class_escape(struct tn_parse *p, bool in_class);
/* [...] */
bool tn_parse_class(struct tn_parse *p);

static inline bool tn_is_decimal(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool tn_is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool tn_is_word(uint8_t c)
{
    return tn_is_letter(c) || tn_is_decimal(c) || c == '_';
}

#endif
