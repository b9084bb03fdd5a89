/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of an expression to tokens, each with its place, so that spellings can be compared; brackets are paired here.
 * Looks at nothing but the text and decodes no literal.
 */
#include "cel.h"

#include <stdlib.h>

struct lexer {
    struct tn_str text;
    size_t at;
    struct cel_fault *fault;
};

static bool refuse(const struct lexer *l, const char *why)
{
    *l->fault = (struct cel_fault){ l->at, why, false };
    return false;
}

/* The byte k further on, 0 beyond the end; a NUL in the text begins no token, so the two need no telling apart. */
static uint8_t peek(const struct lexer *l, size_t k)
{
    return l->at + k < l->text.n ? l->text.p[l->at + k] : 0;
}

static bool is_hex(uint8_t c)
{
    return tn_is_digit(c) || (tn_lower(c) >= 'a' && tn_lower(c) <= 'f');
}

static bool starts_name(uint8_t c)
{
    return tn_is_alpha(c) || c == '_';
}

/* Blanks and comments; true when there was a comment. */
static bool skip_blanks(struct lexer *l)
{
    bool comment = false;
    while (l->at < l->text.n) {
        uint8_t c = l->text.p[l->at];
        if (c == '/' && peek(l, 1) == '/') {
            comment = true;
            while (l->at < l->text.n && l->text.p[l->at] != '\n')
                l->at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            l->at++;
        } else {
            break;
        }
    }
    return comment;
}

/* Length of the escape sequence at offset k, 0 when it is none. */
static size_t escape_length(const struct lexer *l, size_t k)
{
    uint8_t c = peek(l, k + 1);
    size_t hex = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (c != 0 && memchr("abfnrtv\"'\\?`", c, 12) != NULL)
        return 2;
    for (size_t i = 0; i < hex; i++)
        if (!is_hex(peek(l, k + 2 + i)))
            return 0;
    if (hex > 0)
        return 2 + hex;
    if (c < '0' || c > '3' || peek(l, k + 2) < '0' || peek(l, k + 2) > '7' || peek(l, k + 3) < '0' ||
        peek(l, k + 3) > '7')
        return 0;
    return 4;
}

static bool closes(const struct lexer *l, size_t k, uint8_t quote, size_t quotes)
{
    for (size_t i = 0; i < quotes; i++)
        if (l->at + k + i >= l->text.n || peek(l, k + i) != quote)
            return false;
    return true;
}

/* A quoted text whose opening quote is at offset k. *ret_len counts from the start of the token. */
static bool quoted(const struct lexer *l, size_t k, bool raw, size_t *ret_len)
{
    uint8_t quote = peek(l, k);
    size_t quotes = closes(l, k, quote, 3) ? 3 : 1;
    k += quotes;
    while (l->at + k < l->text.n) {
        uint8_t c = peek(l, k);
        size_t step = 1;
        if (closes(l, k, quote, quotes)) {
            *ret_len = k + quotes;
            return true;
        }
        if (quotes == 1 && (c == '\n' || c == '\r'))
            break;
        if (c == '\\' && !raw) {
            step = escape_length(l, k);
            if (step == 0)
                return refuse(l, "an escape sequence is not valid");
        }
        k += step;
    }
    return refuse(l, "a quoted text is not closed");
}

/* Offset of the quote behind b and r, or 0 when no quoted text starts here. */
static size_t quote_offset(const struct lexer *l, bool *ret_raw, bool *ret_bytes)
{
    size_t k = 0;
    *ret_bytes = tn_lower(peek(l, 0)) == 'b';
    k += *ret_bytes;
    *ret_raw = tn_lower(peek(l, k)) == 'r';
    k += *ret_raw;
    return peek(l, k) == '\'' || peek(l, k) == '"' ? k + 1 : 0;
}

static size_t digits(const struct lexer *l, size_t k)
{
    size_t start = k;
    while (tn_is_digit(peek(l, k)))
        k++;
    return k - start;
}

/* A number at the current place: digits, or a dot with a digit behind it. */
static void number(const struct lexer *l, struct cel_token *t)
{
    size_t k = digits(l, 0), e;
    t->kind = T_INT;
    if (k == 1 && peek(l, 0) == '0' && peek(l, 1) == 'x' && is_hex(peek(l, 2))) {
        k = 2;
        while (is_hex(peek(l, k)))
            k++;
    } else {
        if (peek(l, k) == '.' && tn_is_digit(peek(l, k + 1))) {
            k += 1 + digits(l, k + 1);
            t->kind = T_DOUBLE;
        }
        e = tn_lower(peek(l, k)) == 'e' ? 1u + (peek(l, k + 1) == '+' || peek(l, k + 1) == '-') : 0;
        if (e > 0 && tn_is_digit(peek(l, k + e))) {
            k += e + digits(l, k + e);
            t->kind = T_DOUBLE;
        }
    }
    if (t->kind == T_INT && tn_lower(peek(l, k)) == 'u') {
        k++;
        t->kind = T_UINT;
    }
    t->len = (uint32_t)k;
}

static void name(const struct lexer *l, struct cel_token *t)
{
    static const struct {
        const char *word;
        uint8_t kind;
    } words[] = { { "true", T_TRUE }, { "false", T_FALSE }, { "null", T_NULL }, { "in", T_IN } };
    size_t k = 0;
    while (starts_name(peek(l, k)) || tn_is_digit(peek(l, k)))
        k++;
    t->kind = T_IDENT;
    t->len = (uint32_t)k;
    for (size_t i = 0; i < TN_ARRAY_LEN(words); i++)
        if (tn_str_eq((struct tn_str){ l->text.p + l->at, k }, tn_lit(words[i].word)))
            t->kind = words[i].kind;
}

static bool punctuation(const struct lexer *l, struct cel_token *t)
{
    static const struct {
        char text[3];
        uint8_t kind;
    } marks[] = {
        { "==", T_EQ }, { "!=", T_NE }, { "<=", T_LE }, { ">=", T_GE }, { "&&", T_AND }, { "||", T_OR },
        { "<", T_LT }, { ">", T_GT }, { "+", T_PLUS }, { "-", T_MINUS }, { "*", T_STAR }, { "/", T_SLASH },
        { "%", T_PERCENT }, { "!", T_NOT }, { "?", T_QUESTION }, { ":", T_COLON }, { ",", T_COMMA }, { ".", T_DOT },
        { "(", T_OPEN }, { ")", T_CLOSE }, { "[", T_LIST }, { "]", T_LIST_END }, { "{", T_MAP }, { "}", T_MAP_END },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(marks); i++) {
        size_t n = strlen(marks[i].text);
        if (peek(l, 0) == (uint8_t)marks[i].text[0] && (n == 1 || peek(l, 1) == (uint8_t)marks[i].text[1])) {
            t->kind = marks[i].kind;
            t->len = (uint32_t)n;
            return true;
        }
    }
    return refuse(l, "no token of the language begins here");
}

static bool next_token(struct lexer *l, struct cel_token *t)
{
    bool raw, bytes;
    size_t quote = quote_offset(l, &raw, &bytes), len = 0;
    *t = (struct cel_token){ .start = (uint32_t)l->at };
    if (quote > 0) {
        if (!quoted(l, quote - 1, raw, &len))
            return false;
        t->kind = bytes ? T_BYTES : T_STRING;
        t->len = (uint32_t)len;
    } else if (tn_is_digit(peek(l, 0)) || (peek(l, 0) == '.' && tn_is_digit(peek(l, 1)))) {
        number(l, t);
    } else if (starts_name(peek(l, 0))) {
        name(l, t);
    } else if (!punctuation(l, t)) {
        return false;
    }
    l->at += t->len;
    return true;
}

static uint8_t opener(uint8_t kind)
{
    return kind == T_CLOSE ? T_OPEN : kind == T_LIST_END ? T_LIST : kind == T_MAP_END ? T_MAP : T_END;
}

/* Pairs brackets and counts what commas part. The open ones are chained through `mate` while they are open. */
static bool pair_brackets(const struct lexer *l, struct cel_tokens *tokens)
{
    uint32_t open = UINT32_MAX;
    for (uint32_t i = 0; i < tokens->n; i++) {
        struct cel_token *t = &tokens->v[i];
        if (open != UINT32_MAX && tokens->v[open].args == 0 && opener(t->kind) == T_END)
            tokens->v[open].args = 1;
        if (t->kind == T_OPEN || t->kind == T_LIST || t->kind == T_MAP) {
            t->mate = open;
            open = i;
        } else if (t->kind == T_COMMA && open != UINT32_MAX) {
            tokens->v[open].args++;
        } else if (opener(t->kind) != T_END) {
            uint32_t outer;
            if (open == UINT32_MAX || tokens->v[open].kind != opener(t->kind)) {
                *l->fault = (struct cel_fault){ t->start, "a closing bracket has no opening one", false };
                return false;
            }
            outer = tokens->v[open].mate;
            tokens->v[open].mate = i;
            open = outer;
        }
    }
    if (open == UINT32_MAX)
        return true;
    *l->fault = (struct cel_fault){ tokens->v[open].start, "a bracket is not closed", false };
    return false;
}

bool tn_cel_lex(struct tn_str text, struct cel_tokens *ret, struct cel_fault *fault)
{
    struct lexer l = { text, 0, fault };
    struct cel_tokens tokens = { 0 };
    size_t cap = 0;
    if (text.n > TN_CEL_MAX_EXPRESSION)
        return refuse(&l, "the expression is too long");
    for (;;) {
        if (tokens.n == cap) {
            struct cel_token *more;
            cap = cap == 0 ? 64 : cap * 2;
            more = reallocarray(tokens.v, cap, sizeof *more);
            if (more == NULL) {
                *fault = (struct cel_fault){ l.at, "memory ran out", true };
                goto fail;
            }
            tokens.v = more;
        }
        tokens.comments |= skip_blanks(&l);
        if (l.at == text.n)
            break;
        if (!next_token(&l, &tokens.v[tokens.n]))
            goto fail;
        tokens.n++;
    }
    tokens.v[tokens.n] = (struct cel_token){ .kind = T_END, .start = (uint32_t)text.n };
    if (!pair_brackets(&l, &tokens))
        goto fail;
    *ret = tokens;
    return true;
fail:
    free(tokens.v);
    return false;
}
