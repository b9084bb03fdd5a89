/* SPDX-License-Identifier: Apache-2.0 */
/* The truth table of control words, cell by cell, and what a chain says at its end. */
#include "../../core/chain_run.h"

#include "tap.h"

/* Answers by one letter: y yes, n not found, u unavailable, d denied, w would block, c conflict. */
static int code_of(char letter)
{
    switch (letter) {
    case 'y':
        return TENUO_OK;
    case 'n':
        return TENUO_E_KEY_NOT_FOUND;
    case 'u':
        return TENUO_E_UNAVAILABLE;
    case 'd':
        return TENUO_E_KEY_DENIED;
    case 'w':
        return TENUO_E_WOULD_BLOCK;
    default:
        return TENUO_E_KEY_CONFLICT;
    }
}

static enum tn_control control_of(char letter)
{
    return letter == 'R' ? TN_REQUIRED : letter == 'Q' ? TN_REQUISITE : letter == 'S' ? TN_SUFFICIENT : TN_OPTIONAL;
}

/*
 * Runs "Ry Su": a required line that answers, then a sufficient one that is unavailable. The sentence of line k is
 * "line k". *ret_asked counts the lines that were asked.
 */
static int run(enum tn_chain_kind kind, const char *lines, int *ret_asked, struct tenuo_error *err)
{
    struct tn_chain chain;
    int asked = 0;
    tn_chain_init(&chain, kind);
    for (const char *p = lines; *p != '\0'; p += p[2] == ' ' ? 3 : 2) {
        struct tenuo_error why = { .code = code_of(p[1]) };
        asked++;
        snprintf(why.msg, sizeof why.msg, "line %d", asked);
        if (tn_chain_feed(&chain, control_of(p[0]), why.code, &why))
            break;
    }
    *ret_asked = asked;
    return tn_chain_end(&chain, "key 'k'", err);
}

struct row {
    const char *lines;
    int code, asked;
    const char *sentence; /* NULL: success */
};

static void check(enum tn_chain_kind kind, const char *name, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tenuo_error err = { .code = -1, .msg = "untouched" };
        int asked = 0;
        int code = run(kind, rows[i].lines, &asked, &err);
        is_int(code, rows[i].code, "%s \"%s\": code", name, rows[i].lines);
        is_int(asked, rows[i].asked, "%s \"%s\": lines asked", name, rows[i].lines);
        is_str(err.msg, rows[i].sentence == NULL ? "untouched" : rows[i].sentence, "%s \"%s\": sentence", name,
               rows[i].lines);
    }
}

#define NOBODY "key 'k': no line of the chain has it"

static const struct row resolver[] = {
    /* Each cell, followed by a line that answers: does the chain go on, and what comes of it? */
    { "Ry Oy", 0, 2, NULL },
    { "Rn Oy", 9300, 2, "line 1" },
    { "Ru Oy", 9301, 2, "line 1" },
    { "Qy Oy", 0, 2, NULL },
    { "Qn Oy", 9300, 1, "line 1" },
    { "Qu Oy", 9301, 1, "line 1" },
    { "Sy Oy", 0, 1, NULL },
    { "Sn Oy", 0, 2, NULL },
    { "Su Oy", 0, 2, NULL },
    { "Oy Oy", 0, 2, NULL },
    { "On Oy", 0, 2, NULL },
    { "Ou Oy", 0, 2, NULL },
    /* Alone: a silent chain denies. */
    { "", 9300, 0, NOBODY },
    { "Sn", 9300, 1, NOBODY },
    { "On On", 9300, 2, NOBODY },
    { "Oy", 0, 1, NULL },
    { "Ry", 0, 1, NULL },
    /* A remembered error goes before "not found", the first before later ones. */
    { "Su Sn", 9301, 2, "line 1" },
    { "Sn Ou", 9301, 2, "line 2" },
    { "Ou Od", 9301, 2, "line 1" },
    { "Od Rn", 9304, 2, "line 1" },
    { "Rn Rn", 9300, 2, "line 1" },
    /* An earlier failure is not mended, and sufficient does not end the chain then. */
    { "Rn Sy Oy", 9300, 3, "line 1" },
    { "Ru Sy", 9301, 2, "line 1" },
    { "Ry Rn", 9300, 2, "line 2" },
    { "Oy Qu Oy", 9301, 2, "line 2" },
    /* Would-block and conflict end it under every control word. */
    { "Rw Oy", 9302, 1, "line 1" },
    { "Qw Oy", 9302, 1, "line 1" },
    { "Sw Oy", 9302, 1, "line 1" },
    { "Ow Oy", 9302, 1, "line 1" },
    { "Ou Ow Oy", 9302, 2, "line 2" },
    { "Oy Oc Oy", 9303, 2, "line 2" },
};

static const struct row trust[] = {
    /* Every line is asked; one that cannot be read refuses all of it. */
    { "Sy Ry", 0, 2, NULL },        { "Sy Ou", 9301, 2, "line 2" }, { "Ou Ry", 9301, 2, "line 1" },
    { "Qu Ry", 9301, 2, "line 1" }, { "Qn Ry", 9300, 2, "line 1" }, { "On Ry", 0, 2, NULL },
    { "On", 9300, 1, NOBODY },      { "", 9300, 0, NOBODY },
};

int main(void)
{
    check(TN_CHAIN_RESOLVER, "resolver", resolver, sizeof resolver / sizeof resolver[0]);
    check(TN_CHAIN_TRUST, "trust", trust, sizeof trust / sizeof trust[0]);
    return done_testing();
}
