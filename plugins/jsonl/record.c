/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as JSON: one object without its closing brace, which the caller adds (a chained line has members of its own at
 * its end). Any bytes give valid JSON on one line; nothing is cut in the middle of a member.
 */
#include "jsonl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../common/audit_fields.h"

#define SHORT_TEXT 256                     /* bytes of a text when a record must be made to fit */
#define RECORD_MAX (LINE_MAX_BYTES - 2)    /* brace and newline */

/* How much of an event is told. Each is smaller than the one before; the last fits always. */
enum detail { WHOLE, WITHOUT_ARGS, SHORT };

struct out {
    char *p;
    size_t n, text_max;
    bool full;
};

/* ---- text ---- */

static void put(struct out *o, const char *p, size_t n)
{
    if (o->full || n > RECORD_MAX - o->n) {
        o->full = true;
        return;
    }
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static void put_str(struct out *o, const char *s)
{
    put(o, s, strlen(s));
}

/* Length of the well-formed UTF-8 sequence that s begins with, 0 when it is none: no overlong form, no surrogate,
 * nothing past U+10FFFF. */
static size_t utf8_len(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n = s[0] < 0x80                    ? 1
               : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
               : (s[0] & 0xf0) == 0xe0        ? 3
               : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                              : 0;
    if (n < 2)
        return n;
    if (s[0] == 0xe0)
        low = 0xa0;
    if (s[0] == 0xed)
        high = 0x9f;
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) /* a NUL is no continuation byte: never reads past the end */
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static void put_control(struct out *o, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
    char text[6] = { '\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15] };
    if (c < sizeof letters && letters[c] != '\0') {
        text[1] = letters[c];
        put(o, text, 2);
        return;
    }
    put(o, text, sizeof text);
}

static void put_json_string(struct out *o, const char *s)
{
    const unsigned char *begin = (const unsigned char *)s, *p = begin;
    put_str(o, "\"");
    while (*p != '\0' && (size_t)(p - begin) < o->text_max) {
        size_t n = utf8_len(p);
        if (n == 0)
            put_str(o, "\xef\xbf\xbd"); /* U+FFFD */
        else if (*p < 0x20 || *p == 0x7f)
            put_control(o, *p);
        else if (*p == '"' || *p == '\\')
            put(o, (const char[]){ '\\', (char)*p }, 2);
        else
            put(o, (const char *)p, n);
        p += n == 0 ? 1 : n;
    }
    put_str(o, *p != '\0' ? "...\"" : "\"");
}

/* The host's own JSON. Bytes that could end the line or the encoding have no place in it, and are made harmless all the
 * same. */
static void put_raw_json(struct out *o, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p != '\0') {
        size_t n = utf8_len(p);
        if (n == 0)
            put_str(o, "\xef\xbf\xbd");
        else
            put(o, *p < 0x20 ? " " : (const char *)p, n);
        p += n == 0 ? 1 : n;
    }
}

/* ---- members ---- */

static void put_name(struct out *o, const char *prefix, const char *name)
{
    put_str(o, o->n == 1 ? "\"" : ",\"");
    put_str(o, prefix);
    put_str(o, name); /* [a-z0-9_] alone: ours, or checked by the host */
    put_str(o, "\":");
}

static void put_text(struct out *o, const char *name, const char *value)
{
    put_name(o, "", name);
    put_json_string(o, value);
}

static void put_number(struct out *o, const char *name, int64_t value)
{
    char text[32];
    put_name(o, "", name);
    put(o, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

/* Days since 1970-01-01 to a date, by the proleptic Gregorian calendar: eras of 400 years, years that begin in March.
 */
static void put_date(struct out *o, int64_t days)
{
    char text[40];
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100), m = (5 * in_year + 2) / 153;
    int64_t day = in_year - (153 * m + 2) / 5 + 1, month = m < 10 ? m + 3 : m - 9;
    int n = snprintf(text, sizeof text, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year + era * 400 + (month <= 2),
                     month, day);
    put(o, text, (size_t)n);
}

/* RFC 3339 in UTC; without the C library's calendar, which looks at the time zone. */
static void put_time(struct out *o, int64_t time_ns)
{
    int64_t second = time_ns / 1000000000, ns = time_ns % 1000000000;
    char text[40];
    if (ns < 0) {
        second--;
        ns += 1000000000;
    }
    int64_t days = second >= 0 ? second / 86400 : -((-second + 86399) / 86400), in_day = second - days * 86400;
    put_name(o, "", "time");
    put_str(o, "\"");
    put_date(o, days);
    int n = snprintf(text, sizeof text, "T%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%09" PRId64 "Z\"", in_day / 3600,
                     in_day / 60 % 60, in_day % 60, ns);
    put(o, text, (size_t)n);
}

static void put_list(struct out *o, const char *name, const char *const *texts, size_t count)
{
    put_name(o, "", name);
    put_str(o, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            put_str(o, ",");
        put_json_string(o, texts[i]);
    }
    put_str(o, "]");
}

static void put_attrs(struct out *o, const struct tenuo_audit_event *e)
{
    for (size_t i = 0; i < e->nattrs; i++) {
        put_name(o, "attr_", e->attrs[i].name);
        put_json_string(o, e->attrs[i].value);
    }
}

static void put_unsigned(struct out *o, const char *name, uint64_t value)
{
    char text[32];
    put_name(o, "", name);
    put(o, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

/* What ABI 1.1 added. */
static void put_circumstances(struct out *o, const struct tenuo_audit_event *e)
{
    if (TN_EVENT_HAS(e, srl_version) && e->has_srl_version)
        put_unsigned(o, "srl_version", e->srl_version);
    if (TN_EVENT_HAS(e, duration_ns) && e->duration_ns != 0)
        put_unsigned(o, "duration_us", e->duration_ns / 1000);
    if (TN_EVENT_HAS(e, peer_uid) && e->peer_uid >= 0)
        put_number(o, "peer_uid", e->peer_uid);
    if (TN_EVENT_HAS(e, peer_pid) && e->peer_pid >= 0)
        put_number(o, "peer_pid", e->peer_pid);
}

static void put_outcome(struct out *o, const struct tenuo_audit_event *e)
{
    put_time(o, e->time_ns);
    put_text(o, "decision_id", e->decision_id);
    put_text(o, "service", e->service);
    put_text(o, "decision", e->decision);
    put_number(o, "code", e->code);
    put_text(o, "code_name", e->code_name);
    put_text(o, "step", e->step);
    put_text(o, "message", tn_event_message(e));
    put_text(o, "message_id", tn_event_message_id(e));
    put_text(o, "reason", e->reason);
    put_number(o, "priority", tn_event_priority(e));
}

/* False when it does not fit. */
static bool write_record(char *p, const struct tenuo_audit_event *e, enum detail detail, size_t *ret_len)
{
    struct out o = { .p = p, .text_max = detail == SHORT ? SHORT_TEXT : SIZE_MAX };
    put_str(&o, "{");
    put_outcome(&o, e);
    put_text(&o, "warrant_id", e->warrant_id);
    put_list(&o, "chain_ids", e->chain_ids, e->chain_len);
    put_text(&o, "root", e->root);
    put_text(&o, "holder", e->holder);
    put_text(&o, "tool", e->tool);
    put_text(&o, "arg", e->field);
    put_text(&o, "args_sha256", e->args_sha256);
    if (detail == WHOLE && e->args_json[0] != '\0') {
        put_name(&o, "", "args");
        put_raw_json(&o, e->args_json);
    }
    if (detail != SHORT && TN_EVENT_HAS(e, napprovers) && e->napprovers > 0)
        put_list(&o, "approvers", e->approvers, e->napprovers);
    put_text(&o, "request_id", e->request_id);
    put_unsigned(&o, "conf_generation", e->conf_generation);
    put_circumstances(&o, e);
    if (detail != SHORT)
        put_attrs(&o, e);
    put_number(&o, "pid", getpid());
    if (detail != WHOLE)
        put_str(&o, ",\"truncated\":true");
    *ret_len = o.n;
    return !o.full;
}

bool jsonl_record(char *p, const struct tenuo_audit_event *event, size_t *ret_len)
{
    for (int detail = WHOLE; detail <= SHORT; detail++)
        if (write_record(p, event, (enum detail)detail, ret_len))
            return true;
    return false;
}

/* ---- everything but decisions ---- */

bool jsonl_notice_record(char *p, const struct tenuo_audit_notice *n, size_t *ret_len)
{
    struct out o = { .p = p, .text_max = 4096 };
    const char *id = NULL, *name = tn_notice_name(n->kind, &id);
    *ret_len = 0;
    if (name == NULL)
        return true;
    put_str(&o, "{");
    put_time(&o, n->time_ns);
    put_text(&o, "event", name);
    put_text(&o, "service", n->service);
    put_text(&o, "message", n->message);
    put_text(&o, "message_id", id);
    put_number(&o, "priority", n->priority);
    put_text(&o, "origin", n->origin);
    if (n->key_id[0] != '\0')
        put_text(&o, "key_id", n->key_id);
    if (n->has_srl_version)
        put_unsigned(&o, "srl_version", n->srl_version);
    put_unsigned(&o, "conf_generation", n->conf_generation);
    put_number(&o, "pid", getpid());
    *ret_len = o.n;
    return !o.full;
}

bool jsonl_own_record(char *p, const char *event, const struct member *members, size_t n, size_t *ret_len)
{
    struct out o = { .p = p, .text_max = 4096 };
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    put_str(&o, "{");
    put_time(&o, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    put_text(&o, "event", event);
    for (size_t i = 0; i < n; i++) {
        if (members[i].text != NULL)
            put_text(&o, members[i].name, members[i].text);
        else
            put_unsigned(&o, members[i].name, members[i].number);
    }
    put_number(&o, "pid", getpid());
    *ret_len = o.n;
    return !o.full;
}
