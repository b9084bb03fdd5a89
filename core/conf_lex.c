/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The word reader of configuration files. Reports every malformed word with its place and goes on with the next, so
 * that an administrator sees all mistakes at once; a line with a malformed word is marked bad and must not be used.
 */
#include "conf_lex.h"

#include <stdlib.h>
#include <string.h>

#include "str.h"

bool tn_lex_init(struct tn_lex *lex, const char *file, const uint8_t *bytes, size_t len, struct tn_diag *d)
{
    *lex = (struct tn_lex){ .p = bytes, .n = len, .d = d, .place = { file, 1, 1 } };
    lex->buf = malloc(len + 1); /* a word's NUL takes the place of what ended the word */
    return lex->buf != NULL;
}

void tn_lex_done(struct tn_lex *lex)
{
    free(lex->buf);
    lex->buf = NULL;
}

static bool at_end(const struct tn_lex *lex)
{
    return lex->pos >= lex->n;
}

static uint8_t peek(const struct tn_lex *lex)
{
    return at_end(lex) ? '\n' : lex->p[lex->pos];
}

static void advance(struct tn_lex *lex)
{
    if (at_end(lex))
        return;
    if (lex->p[lex->pos++] == '\n') {
        lex->place.line++;
        lex->place.col = 1;
    } else {
        lex->place.col++;
    }
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool ends_word(uint8_t c)
{
    return is_blank(c) || c == '\n';
}

static bool is_continuation(const struct tn_lex *lex)
{
    return peek(lex) == '\\' && lex->pos + 1 < lex->n && lex->p[lex->pos + 1] == '\n';
}

/* Reports at `place` and skips what is left of the word. */
static bool bad_word(struct tn_lex *lex, const struct tn_place *place, const char *sentence)
{
    tn_diag_error(lex->d, place, "%s", sentence);
    lex->bad = true;
    while (!ends_word(peek(lex)) && !is_continuation(lex))
        advance(lex);
    return false;
}

/* Bytes that may stand nowhere outside a comment. NULL when c is fine. */
static const char *refused_byte(uint8_t c)
{
    if (c == '\0')
        return "NUL byte: the file must be plain text";
    if (c == '\r')
        return "carriage return: save the file with Unix line ends";
    if (c >= 0x80)
        return "non-ASCII byte outside a comment";
    if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
        return "control character";
    return NULL;
}

static void put(struct tn_lex *lex, uint8_t c)
{
    lex->buf[lex->used++] = (char)c;
}

/* From the opening quote to past the closing one. */
static bool quoted_text(struct tn_lex *lex)
{
    struct tn_place open = lex->place, here;
    uint8_t quote = peek(lex), c;
    advance(lex);
    for (;;) {
        here = lex->place;
        c = peek(lex);
        if (c == '\n')
            return bad_word(lex, &open, quote == '"' ? "unterminated \" quote" : "unterminated ' quote");
        if (refused_byte(c) != NULL)
            return bad_word(lex, &here, refused_byte(c));
        advance(lex);
        if (c == quote)
            return true;
        if (c == '\\' && quote == '"') {
            c = peek(lex);
            if (c != '"' && c != '\\')
                return bad_word(lex, &here, "within \"...\" a '\\' may stand before '\"' or '\\' only");
            advance(lex);
        }
        put(lex, c);
    }
}

/* After a closing quote the word must be over. */
static bool whole_quote(struct tn_lex *lex)
{
    if (!quoted_text(lex))
        return false;
    struct tn_place here = lex->place;
    if (!ends_word(peek(lex)) && !is_continuation(lex))
        return bad_word(lex, &here, "a blank must follow the closing quote");
    return true;
}

static bool bare_text(struct tn_lex *lex, struct tn_word *w)
{
    bool seen_eq = false;
    for (;;) {
        struct tn_place here = lex->place;
        uint8_t c = peek(lex);
        if (ends_word(c) || is_continuation(lex))
            return true;
        if (refused_byte(c) != NULL)
            return bad_word(lex, &here, refused_byte(c));
        if (c == '\\')
            return bad_word(lex, &here, "a '\\' may stand at the end of a line or within quotes only");
        if (c == '"' || c == '\'')
            return bad_word(lex, &here, "a quote may begin a value only: KEY=\"VALUE\"");
        put(lex, c);
        advance(lex);
        if (c != '=' || seen_eq)
            continue;
        seen_eq = true;
        w->eq = (size_t)(lex->buf + lex->used - w->text) - 1;
        w->value_place = lex->place;
        if (peek(lex) == '"' || peek(lex) == '\'')
            return whole_quote(lex);
    }
}

static void read_word(struct tn_lex *lex)
{
    struct tn_word w = { .text = lex->buf + lex->used, .eq = SIZE_MAX, .place = lex->place, .value_place = lex->place };
    w.quoted = peek(lex) == '"' || peek(lex) == '\'';
    if (!(w.quoted ? whole_quote(lex) : bare_text(lex, &w)))
        return;
    w.len = (size_t)(lex->buf + lex->used - w.text);
    if (w.eq == SIZE_MAX)
        w.eq = w.len;
    put(lex, '\0');
    if (lex->nwords == TN_MAX_WORDS) {
        if (!lex->bad)
            tn_diag_error(lex->d, &w.place, "more than %d words in a line", TN_MAX_WORDS);
        lex->bad = true;
        return;
    }
    lex->words[lex->nwords++] = w;
}

/* To the end of the line. Comments may be in any encoding, but a NUL says that this is no text file. */
static void skip_comment(struct tn_lex *lex)
{
    while (peek(lex) != '\n') {
        struct tn_place here = lex->place;
        if (peek(lex) == '\0' && !lex->bad) {
            tn_diag_error(lex->d, &here, "%s", refused_byte('\0'));
            lex->bad = true;
        }
        advance(lex);
    }
}

/* One line with its continuations. */
static void read_line(struct tn_lex *lex)
{
    while (!at_end(lex) && peek(lex) != '\n') {
        if (is_blank(peek(lex))) {
            advance(lex);
        } else if (is_continuation(lex)) {
            advance(lex);
            advance(lex);
        } else if (peek(lex) == '#') {
            skip_comment(lex);
        } else {
            read_word(lex);
        }
    }
    advance(lex);
}

bool tn_lex_line(struct tn_lex *lex)
{
    while (!at_end(lex)) {
        lex->used = 0;
        lex->nwords = 0;
        lex->bad = false;
        read_line(lex);
        if (lex->nwords != 0 || lex->bad)
            return true;
    }
    return false;
}
