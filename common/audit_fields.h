/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An audit event as names and texts (peers-surface.md 3.4), for sinks whose records are lists of those. The names are
 * the members of a line of tenuo_jsonl(8). Plugins compile it in; libc alone.
 */
#ifndef TN_AUDIT_FIELDS_H
#define TN_AUDIT_FIELDS_H

#include <tenuo/plugin.h>

/* Does the host know this member of an event? One of ABI 1.0 does not. */
#define TN_EVENT_HAS(e, member) ((e)->size >= offsetof(struct tenuo_audit_event, member) + sizeof (e)->member)

/* `value` may hold any bytes but NUL, and is never empty; lent for the call. */
typedef void tn_field_fn(void *arg, const char *name, const char *value);
/* Everything but time, message and priority; empty fields are left out. */
void tn_event_fields(const struct tenuo_audit_event *e, tn_field_fn *each, void *arg);
void tn_notice_fields(const struct tenuo_audit_notice *n, tn_field_fn *each, void *arg);

const char *tn_event_message(const struct tenuo_audit_event *e);
/* As in syslog: 6 allow, 5 would_deny, 4 deny. */
int tn_event_priority(const struct tenuo_audit_event *e);
/* audit_ids.h */
const char *tn_event_message_id(const struct tenuo_audit_event *e);
/* "config-reload" and its message id; NULL for a kind that is not known. */
const char *tn_notice_name(int kind, const char **ret_id);

#endif
