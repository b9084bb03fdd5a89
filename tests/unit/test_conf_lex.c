/* SPDX-License-Identifier: Apache-2.0 */
/* Words of configuration lines: what quotes, comments and continued lines give, and where each word stands. */
#include "../../core/conf_lex.h"

#include <stdlib.h>

#include "tap.h"

static char said[1024];

static void note(void *arg, int is_error, const char *line)
{
    (void)arg, (void)is_error;
    snprintf(said, sizeof said, "%s", line);
}

/* All words of all lines as "text@line:col", lines apart by " / ", bad lines as "BAD". */
static void flatten(const char *bytes, size_t len, char *out, size_t size)
{
    struct tn_diag d = { .fn = note };
    struct tn_lex *lex = malloc(sizeof *lex);
    size_t n = 0;
    out[0] = '\0';
    said[0] = '\0';
    if (lex == NULL || !tn_lex_init(lex, "F", (const uint8_t *)bytes, len, &d))
        exit(1);
    while (tn_lex_line(lex)) {
        if (n != 0)
            n += (size_t)snprintf(out + n, size - n, " / ");
        if (lex->bad)
            n += (size_t)snprintf(out + n, size - n, "BAD");
        for (size_t i = 0; i < lex->nwords && !lex->bad; i++)
            n += (size_t)snprintf(out + n, size - n, "%s%s@%u:%u", i != 0 ? " " : "", lex->words[i].text,
                                  lex->words[i].place.line, lex->words[i].place.col);
    }
    tn_lex_done(lex);
    free(lex);
}

static void words(void)
{
    static const struct {
        const char *bytes, *want, *said;
    } rows[] = {
        { "", "", "" },
        { "\n\n  \t\n# only a comment\n", "", "" },
        { "a b\tc", "a@1:1 b@1:3 c@1:5", "" },
        { "a b # c\n  d", "a@1:1 b@1:3 / d@2:3", "" },
        { "a#b c=#d", "a#b@1:1 c=#d@1:5", "" },
        { "a \\\n b \\\n\nc", "a@1:1 b@2:2 / c@4:1", "" },
        { "a\\\nb", "a@1:1 b@2:1", "" },
        { "# comment \\\na", "a@2:1", "" },
        { "a=\"b c\" \"\" ''", "a=b c@1:1 @1:9 @1:12", "" },
        { "\"a\\\"b\\\\c\"", "a\"b\\c@1:1", "" },
        { "'a\\\"b'", "a\\\"b@1:1", "" },
        { "x=a=b", "x=a=b@1:1", "" },
        { "a \"b", "BAD", "F:1:3: unterminated \" quote" },
        { "a 'b\nc", "BAD / c@2:1", "F:1:3: unterminated ' quote" },
        { "\"a\\\nb\"", "BAD / BAD", "F:2:2: a quote may begin a value only: KEY=\"VALUE\"" },
        { "a\\b", "BAD", "F:1:2: a '\\' may stand at the end of a line or within quotes only" },
        { "a\\", "BAD", "F:1:2: a '\\' may stand at the end of a line or within quotes only" },
        { "a \\ b", "BAD", "F:1:3: a '\\' may stand at the end of a line or within quotes only" },
        { "\"a\"#b", "BAD", "F:1:4: a blank must follow the closing quote" },
        { "\xef\xbb\xbf"
          "a",
          "BAD", "F:1:1: non-ASCII byte outside a comment" },
        { "a # \xff\nb", "a@1:1 / b@2:1", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[1024];
        flatten(rows[i].bytes, strlen(rows[i].bytes), got, sizeof got);
        is_str(got, rows[i].want, "words of row %zu", i);
        is_str(said, rows[i].said, "sentence of row %zu", i);
    }
}

static void nul_bytes(void)
{
    char got[256];
    flatten("a b\0c\nd", 7, got, sizeof got);
    is_str(got, "BAD / d@2:1", "a NUL spoils its line alone");
    is_str(said, "F:1:4: NUL byte: the file must be plain text", "and is named");
    flatten("# a\0b\nd", 7, got, sizeof got);
    is_str(got, "BAD / d@2:1", "also in a comment");
}

static void equals(void)
{
    struct tn_diag d = { .fn = note };
    static struct tn_lex lex;
    const char *bytes = "k=v=w \"q=r\" s t=\"u\"";
    if (!tn_lex_init(&lex, "F", (const uint8_t *)bytes, strlen(bytes), &d) || !tn_lex_line(&lex))
        exit(1);
    is_int((long long)lex.nwords, 4, "four words");
    is_int((long long)lex.words[0].eq, 1, "the first = parts key and value");
    is_int(lex.words[0].value_place.col, 3, "where the value stands");
    ok(lex.words[1].quoted && lex.words[1].eq == lex.words[1].len, "a = within quotes parts nothing");
    is_int((long long)lex.words[2].eq, 1, "no =: at the end");
    ok(!lex.words[3].quoted && lex.words[3].eq == 1, "only the value is quoted");
    tn_lex_done(&lex);
}

int main(void)
{
    words();
    nul_bytes();
    equals();
    return done_testing();
}
