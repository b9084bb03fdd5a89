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

void tn_audit_message(const struct tenuo_audit_event *e, char ret[TN_AUDIT_MESSAGE_BYTES])
{
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
            n += (size_t)snprintf(ret + n, TN_AUDIT_MESSAGE_BYTES - n, "%s%.255s%s", parts[i].lead, parts[i].text,
                                  parts[i].end);
    if (e->code != 0)
        snprintf(ret + n, TN_AUDIT_MESSAGE_BYTES - n, " (%d %s)", e->code, e->code_name);
}

int tn_audit_priority(enum tenuo_outcome outcome)
{
    return outcome == TENUO_ALLOW ? 6 : outcome == TENUO_WOULD_DENY ? 5 : 4;
}
