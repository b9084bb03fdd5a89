/* SPDX-License-Identifier: Apache-2.0 */
/* Warrant ids and clearance levels: every spelling that is taken, and those near them that are not. */
#include <string.h>

#include "tap.h"
#include <tenuo/warrant.h>

#define DIGITS "019471f8abcd70008000000000000001"
#define DASHED "019471f8-abcd-7000-8000-000000000001"

static void id_taken(const char *text)
{
    uint8_t id[16] = { 0 };
    char back[TENUO_WARRANT_ID_TEXT_BYTES];
    is_int(tenuo_warrant_id_parse(text, strlen(text), id, NULL), TENUO_OK, "id taken: %s", text);
    tenuo_warrant_id_text(id, back);
    is_str(back, "tnu_wrt_" DIGITS, "and written in the one form");
}

static void id_refused(const char *text, size_t len)
{
    struct tenuo_error err = { 0 };
    uint8_t id[16], before[16];
    memset(id, 0x5a, sizeof id);
    memcpy(before, id, sizeof id);
    is_int(tenuo_warrant_id_parse(text, len, id, &err), TENUO_E_PAYLOAD_STRUCTURE, "id refused: '%s'", text);
    ok(memcmp(id, before, sizeof id) == 0 && err.code == TENUO_E_PAYLOAD_STRUCTURE && err.msg[0] != '\0',
       "the output is untouched, the error says why");
}

static void ids(void)
{
    static const char *const taken[] = { DIGITS, "tnu_wrt_" DIGITS, "tnu_wrt_019471F8ABCD70008000000000000001",
                                         DASHED, "{" DASHED "}",    "urn:uuid:" DASHED };
    static const char *const refused[] = {
        "",
        "tnu_wrt_",
        "tnu_wrt_" DASHED,
        "TNU_WRT_" DIGITS,
        " " DIGITS,
        DIGITS " ",
        DIGITS "0",
        "+" DASHED,
        "+19471f8abcd70008000000000000001",
        "g19471f8abcd70008000000000000001",
        "{" DIGITS "}",
        "{" DASHED,
        DASHED "}",
        "019471f8abcd-7000-8000-0000-00000001",
        "-19471f8-abcd-7000-8000-000000000001",
        "tnu_wrt_tnu_wrt_" DIGITS,
        "URN:UUID:" DASHED,
        "urn:uuid:{" DASHED "}",
    };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        id_taken(taken[i]);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        id_refused(refused[i], strlen(refused[i]));
    id_refused(DIGITS, 33); /* the NUL is no digit */
    is_int(tenuo_warrant_id_parse(NULL, 1, (uint8_t[16]){ 0 }, NULL), TENUO_E_INVALID_ARGUMENT, "NULL text");
}

static void level_is(const char *text, int want)
{
    uint8_t level = 0xee;
    int r = tenuo_clearance_parse(text, strlen(text), &level, NULL);
    is_int(r == TENUO_OK ? level : -1, want, "clearance '%s'", text);
    if (r != TENUO_OK)
        is_int(level, 0xee, "the level is untouched");
}

static void clearance(void)
{
    static const char *const words[] = { "Untrusted", "External", "Partner", "Internal", "Privileged", "System" };
    for (int i = 0; i < 6; i++) {
        level_is(words[i], i * 10);
        is_str(tenuo_clearance_name((uint8_t)(i * 10)), words[i], "the word of %d", i * 10);
    }
    ok(tenuo_clearance_name(5) == NULL && tenuo_clearance_name(255) == NULL, "no word between the words");
    level_is("sYsTeM", 50);
    level_is("0", 0);
    level_is("255", 255);
    level_is("+5", 5);
    level_is("0000000000000000000000007", 7);
    level_is("256", -1);
    level_is("4294967296", -1);
    level_is("-1", -1);
    level_is("+", -1);
    level_is("++5", -1);
    level_is("", -1);
    level_is(" system", -1);
    level_is("system ", -1);
    level_is("1.0", -1);
    level_is("0x10", -1);
}

int main(void)
{
    ids();
    clearance();
    return done_testing();
}
