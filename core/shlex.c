/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shlex: a command line that a POSIX shell would read as one simple command with an allowed command word. Owns the
 * lexer of constraint type 128. Restricts the command word only: arguments are free. Must never run or expand
 * anything; linear time.
 */
#include "match.h"

enum quote { BARE, SINGLE, DOUBLE };
enum lexeme { LEX_BYTE, LEX_WORD_END, LEX_OPERATOR, LEX_END, LEX_UNFINISHED };

struct lexer {
    struct tn_str text;
    size_t at;
    enum quote quote;
    bool in_word; /* a quote opens a word even when nothing is in it */
};

static bool is_operator(uint8_t c)
{
    return c == '|' || c == '&' || c == ';' || c == '<' || c == '>' || c == '(' || c == ')';
}

/* Inside double quotes a backslash escapes only '"' and itself; '$' and '`' never get here. */
static bool backslash_escapes(const struct lexer *l)
{
    if (l->quote != DOUBLE)
        return l->quote == BARE;
    return l->at < l->text.n && (l->text.p[l->at] == '"' || l->text.p[l->at] == '\\');
}

/* True when c only opens or closes a quotation. */
static bool turns_quote(struct lexer *l, uint8_t c)
{
    enum quote kind = c == '\'' ? SINGLE : c == '"' ? DOUBLE : BARE;
    if (kind == BARE || (l->quote != BARE && l->quote != kind))
        return false;
    l->quote = l->quote == BARE ? kind : BARE;
    l->in_word = true;
    return true;
}

static enum lexeme end_of_text(struct lexer *l)
{
    if (l->quote != BARE)
        return LEX_UNFINISHED;
    if (!l->in_word)
        return LEX_END;
    l->in_word = false;
    return LEX_WORD_END;
}

/* One byte of a word after quote removal, or what stands between words. */
static enum lexeme lex(struct lexer *l, uint8_t *ret)
{
    while (l->at < l->text.n) {
        uint8_t c = l->text.p[l->at++];
        if (turns_quote(l, c))
            continue;
        if (l->quote == BARE && is_operator(c))
            return LEX_OPERATOR;
        if (l->quote == BARE && (c == ' ' || c == '\t')) {
            if (!l->in_word)
                continue;
            l->in_word = false;
            return LEX_WORD_END;
        }
        if (c == '\\' && backslash_escapes(l)) {
            if (l->at == l->text.n)
                return LEX_UNFINISHED;
            c = l->text.p[l->at++];
        }
        l->in_word = true;
        *ret = c;
        return LEX_BYTE;
    }
    return end_of_text(l);
}

/* Complete, without operators, at least one word; *ret_bytes is the length of the first. */
static bool is_simple_command(struct tn_str text, size_t *ret_bytes)
{
    struct lexer l = { .text = text };
    size_t words = 0, bytes = 0;
    uint8_t c = 0, previous = 0;
    for (;;) {
        enum lexeme t = lex(&l, &c);
        if (t == LEX_OPERATOR || t == LEX_UNFINISHED)
            return false;
        if (t == LEX_END)
            break;
        if (t == LEX_WORD_END) {
            words++;
        } else if (words == 0) {
            if (c == '.' && previous == '.')
                return false; /* ".." anywhere in the command word */
            previous = c;
            bytes++;
        }
    }
    *ret_bytes = bytes;
    return words > 0 && bytes > 0;
}

static bool first_word_is(struct tn_str text, struct tn_str entry)
{
    struct lexer l = { .text = text };
    uint8_t c = 0;
    size_t i = 0;
    while (lex(&l, &c) == LEX_BYTE) {
        if (i == entry.n || entry.p[i] != c)
            return false;
        i++;
    }
    return i == entry.n;
}

/* FALSE where every implementation denies, ERROR for the further controls that only this one refuses. */
static enum tn_match screen(struct tn_str text)
{
    enum tn_match m = TN_TRUE;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == 0 || (c >= 7 && c <= 13 && c != '\t') || c == 0x7f || c == '$' || c == '`')
            return TN_FALSE;
        if (c < 0x20 && c != '\t')
            m = TN_ERROR;
    }
    return text.n == 0 ? TN_FALSE : m;
}

enum tn_match tn_shlex_match(const struct tn_str *allow, size_t n, struct tn_str text)
{
    size_t bytes = 0;
    enum tn_match m = screen(text);
    if (m != TN_TRUE)
        return m;
    if (!is_simple_command(text, &bytes))
        return TN_FALSE;
    for (size_t i = 0; i < n; i++) {
        if (allow[i].n == bytes && first_word_is(text, allow[i]))
            return TN_TRUE;
    }
    return TN_FALSE;
}
