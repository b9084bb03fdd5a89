/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentence about a decision that people read: the same in every sink, made here once. Never an argument's value:
 * names, codes and ids alone.
 */
#include <stdio.h>
#include <string.h>

#include "audit.h"

static const char *verb(const char *decision)
{
    return strcmp(decision, "allow") == 0 ? "allowed" : strcmp(decision, "deny") == 0 ? "denied" : "would deny";
}

#define PART_BYTES 256 /* of a text within the sentence */

/* At most PART_BYTES - 1 bytes, none in the middle of a character. A quote in it can neither end ours nor make what
 * looks like a field of a record whose fields follow the sentence. */
static const char *part(const char *text, char ret[PART_BYTES])
{
    size_t n = 0;
    for (; *text != '\0' && n + 5 <= PART_BYTES; text++) {
        if (*text != '"')
            ret[n++] = *text;
        else
            n += (size_t)snprintf(ret + n, 5, "\\x22");
    }
    if (*text != '\0' && ((unsigned char)*text & 0xc0) == 0x80) {
        while (n > 0 && ((unsigned char)ret[n - 1] & 0xc0) == 0x80)
            n--;
        n -= n > 0;
    }
    ret[n] = '\0';
    return ret;
}

void tn_audit_message(const struct tenuo_audit_event *e, char ret[TN_AUDIT_MESSAGE_BYTES])
{
    char text[PART_BYTES];
    size_t n = (size_t)snprintf(ret, TN_AUDIT_MESSAGE_BYTES, "%s", verb(e->decision));
    const struct {
        const char *lead, *text, *end;
    } parts[] = { { " tool \"", e->tool, "\"" },
                  { " to holder ", e->holder, "" },
                  { " under ", e->warrant_id, "" },
                  { " for service ", e->service, "" },
                  { ": ", e->code == 0 ? "" : e->reason, "" } };
    for (size_t i = 0; i < TN_ARRAY_LEN(parts); i++)
        if (parts[i].text[0] != '\0')
            n += (size_t)snprintf(ret + n, TN_AUDIT_MESSAGE_BYTES - n, "%s%s%s", parts[i].lead,
                                  part(parts[i].text, text), parts[i].end);
    if (e->code != 0)
        snprintf(ret + n, TN_AUDIT_MESSAGE_BYTES - n, " (%d %s)", e->code, e->code_name);
}

int tn_audit_priority(enum tenuo_outcome outcome)
{
    return outcome == TENUO_ALLOW ? 6 : outcome == TENUO_WOULD_DENY ? 5 : 4;
}
