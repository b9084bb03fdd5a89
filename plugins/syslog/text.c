/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two forms of one record: RFC 5424 with structured data for servers, and on /dev/log what syslogd, rsyslogd and
 * journald read alike: "<PRI>Mmm dd hh:mm:ss tenuo[pid]: sentence name="value" ...". No byte of a value can end its
 * quotes, the line or the structured data.
 */
#include "syslog.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../common/audit_fields.h"

#define SD_ID "tenuo@32473"
#define SD_NAME_MAX 32  /* RFC 5424 6.3.3 */
#define TAIL_ROOM 64    /* for what closes a message whose fields did not all fit */

struct out {
    char *p;
    size_t n, max;
    bool structured, cut;
};

static void put(struct out *o, const char *p, size_t n)
{
    if (n > o->max - o->n)
        n = o->max - o->n;
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static void put_str(struct out *o, const char *s)
{
    put(o, s, strlen(s));
}

/* One byte of a value between quotes; what a line cannot hold becomes a blank, what would end the quotes is escaped. */
static void put_byte(struct out *o, char c)
{
    if (c == '"' || c == '\\' || (c == ']' && o->structured))
        put(o, "\\", 1);
    if ((unsigned char)c < 0x20 || c == 0x7f)
        c = ' ';
    put(o, &c, 1);
}

static size_t size_of(const char *name, const char *value)
{
    size_t n = strlen(name) + 4;
    for (; *value != '\0'; value++)
        n += 1 + (size_t)(*value == '"' || *value == '\\' || *value == ']');
    return n;
}

static void put_field(void *arg, const char *name, const char *value)
{
    struct out *o = arg;
    if (size_of(name, value) + TAIL_ROOM > o->max - o->n) {
        o->cut = true;
        return;
    }
    put_str(o, " ");
    put(o, name, strnlen(name, o->structured ? SD_NAME_MAX : 128));
    put_str(o, "=\"");
    for (; *value != '\0'; value++)
        put_byte(o, *value);
    put_str(o, "\"");
}

static void put_sentence(struct out *o, const char *text)
{
    for (size_t i = 0; text[i] != '\0' && i < 2048; i++) {
        char c = text[i];
        if ((unsigned char)c < 0x20 || c == 0x7f)
            c = ' ';
        put(o, &c, 1);
    }
}

/* Months of RFC 3164, whatever the program's language is. */
static void put_local_head(struct out *o, int pri, int64_t time_ns)
{
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t when = (time_t)(time_ns / 1000000000);
    struct tm tm = { 0 };
    char text[80];
    (void)localtime_r(&when, &tm);
    int n = snprintf(text, sizeof text, "<%d>%s %2d %02d:%02d:%02d tenuo[%ld]: ", pri, months[tm.tm_mon % 12],
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (long)getpid());
    put(o, text, (size_t)n);
}

static void put_rfc_head(struct out *o, const struct syslog *s, int pri, int64_t time_ns, const char *msgid)
{
    time_t when = (time_t)(time_ns / 1000000000);
    struct tm tm = { 0 };
    char text[400];
    (void)gmtime_r(&when, &tm);
    int n = snprintf(text, sizeof text, "<%d>1 %04d-%02d-%02dT%02d:%02d:%02d.%06ldZ %s tenuo %ld %s ", pri,
                     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                     (long)(time_ns % 1000000000 / 1000), s->hostname, (long)getpid(), msgid);
    put(o, text, (size_t)n);
}

/* What a record is made of. */
struct what {
    const struct tenuo_audit_event *event;
    const struct tenuo_audit_notice *notice;
    const char *msgid, *message, *id;
    int priority;
    int64_t time_ns;
};

static void put_fields(struct out *o, const struct what *w)
{
    if (w->event != NULL)
        tn_event_fields(w->event, put_field, o);
    else
        tn_notice_fields(w->notice, put_field, o);
    put_field(o, "message_id", w->id);
    if (o->cut)
        put_str(o, " truncated=\"yes\"");
}

static bool write_text(struct syslog *s, const struct what *w, size_t *ret_len)
{
    size_t max = !s->structured ? SYSLOG_LOCAL_MAX : s->type == SOCK_DGRAM ? SYSLOG_UDP_MAX : SYSLOG_SERVER_MAX;
    struct out o = { .p = s->text, .max = max, .structured = s->structured };
    int pri = s->facility * 8 + w->priority;
    if (s->structured) {
        /* The sentence stands behind the data: room for it is kept. */
        size_t sentence = strnlen(w->message, 2048) + 4;
        put_rfc_head(&o, s, pri, w->time_ns, w->msgid);
        put_str(&o, "[" SD_ID);
        o.max -= sentence;
        put_fields(&o, w);
        o.max += sentence;
        put_str(&o, "] ");
        put_sentence(&o, w->message);
    } else {
        put_local_head(&o, pri, w->time_ns);
        put_sentence(&o, w->message);
        put_fields(&o, w);
    }
    *ret_len = o.n;
    return o.n < o.max;
}

bool syslog_event(struct syslog *s, const struct tenuo_audit_event *event, size_t *ret_len)
{
    const struct what w = { .event = event,
                            .msgid = event->decision,
                            .message = tn_event_message(event),
                            .id = tn_event_message_id(event),
                            .priority = tn_event_priority(event),
                            .time_ns = event->time_ns };
    return write_text(s, &w, ret_len);
}

bool syslog_notice(struct syslog *s, const struct tenuo_audit_notice *notice, size_t *ret_len)
{
    struct what w = { .notice = notice,
                      .message = notice->message,
                      .priority = notice->priority & 7,
                      .time_ns = notice->time_ns };
    w.msgid = tn_notice_name(notice->kind, &w.id);
    if (w.msgid != NULL)
        return write_text(s, &w, ret_len);
    *ret_len = 0;
    return true;
}
