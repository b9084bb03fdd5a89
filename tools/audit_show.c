/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo audit show: the records of logs that fit all filters, for people, as they stand, or as JSON. Shows and does not
 * verify; text from a record reaches a terminal escaped.
 */
#include "audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define JSON_MAX 100000 /* records in one answer */

struct show {
    struct audit_run *run;
    json_t *records; /* NULL: printed as they come */
    uint64_t shown, odd;
    bool too_many;
};

static const char *text_of(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text ? text : "";
}

static bool fits_text(const json_t *record, const char *name, const char *wanted)
{
    return !wanted || strcmp(text_of(record, name), wanted) == 0;
}

/* Whole seconds; a record without a time fits no time. */
static bool time_of(const json_t *record, int64_t *ret)
{
    char text[24];
    const char *time = text_of(record, "time");
    if (strlen(time) < 20)
        return false;
    snprintf(text, sizeof text, "%.19sZ", time);
    return cli_time_parse(text, ret);
}

static bool fits_time(const json_t *record, const struct audit_filter *f)
{
    int64_t when;
    if (!f->has_since && !f->has_until)
        return true;
    return time_of(record, &when) && (!f->has_since || when >= f->since) && (!f->has_until || when < f->until);
}

/* Any warrant of the chain. */
static bool fits_warrant(const json_t *record, const char *id)
{
    const json_t *chain = json_object_get(record, "chain_ids");
    size_t i;
    const json_t *entry;
    if (!id || fits_text(record, "warrant_id", id))
        return true;
    json_array_foreach(chain, i, entry)
    {
        const char *text = json_string_value(entry);
        if (text && strcmp(text, id) == 0)
            return true;
    }
    return false;
}

static bool fits(const json_t *record, const struct audit_filter *f)
{
    const char *event = f->event;
    if (event && strcmp(event, "decision") == 0) {
        if (json_object_get(record, "event"))
            return false;
        event = NULL;
    }
    return fits_text(record, "event", event) && fits_text(record, "tool", f->tool) &&
           fits_text(record, "decision", f->decision) && fits_text(record, "service", f->service) &&
           (!f->has_code || (json_is_integer(json_object_get(record, "code")) &&
                             (uint64_t)json_integer_value(json_object_get(record, "code")) == f->code)) &&
           fits_warrant(record, f->warrant) && fits_time(record, f);
}

static void print_record(const json_t *record)
{
    const char *event = text_of(record, "event"), *message = text_of(record, "message");
    if (message[0] == '\0')
        message = text_of(record, "reason");
    cli_line(stdout, "%s  %-10s  %s%s%s", text_of(record, "time"),
             event[0] != '\0' ? event : text_of(record, "decision"), message,
             text_of(record, "request_id")[0] != '\0' ? "  request " : "", text_of(record, "request_id"));
}

/* Names of arguments are the caller's own, and the parser takes none with a NUL: nobody hides a record by one. */
static json_t *load_renamed(const struct audit_line *line)
{
    char *copy = strndup(line->text, line->len);
    if (!copy)
        cli_no_memory();
    for (char *p = copy; (p = strstr(p, "\\u0000")); p += 6)
        memcpy(p, "\\ufffd", 6);
    json_t *record = strlen(copy) == line->len ? json_loads(copy, JSON_ALLOW_NUL, NULL) : NULL;
    free(copy);
    return record;
}

/* NULL: the line is none. */
static json_t *load(const struct audit_line *line)
{
    struct tenuo_error err = { 0 };
    if (line->len > AUDIT_MAX_LINE)
        return NULL;
    json_t *record = cli_json_load("a record", line->text, line->len, &err);
    return record ? record : load_renamed(line);
}

static bool take(void *arg, const struct audit_line *line)
{
    struct show *s = arg;
    json_t *record = load(line);
    if (!json_is_object(record)) {
        s->odd += line->len != 0;
    } else if (fits(record, &s->run->filter)) {
        s->shown++;
        if (s->records && s->shown > JSON_MAX)
            s->too_many = true;
        else if (s->records)
            cli_append(s->records, json_incref(record));
        else if (s->run->raw)
            printf("%s\n", line->text);
        else
            print_record(record);
    }
    json_decref(record);
    return !s->too_many;
}

static int finish(struct show *s)
{
    struct cli *cli = s->run->cli;
    if (s->too_many)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT,
                         "more than %d records fit: narrow the filters, or use --raw, which has no limit", JSON_MAX);
    if (s->odd)
        cli_warn(cli, "%" PRIu64 " lines are no records; `tenuo audit verify` says where", s->odd);
    if (!s->records)
        return CLI_YES;
    json_t *object = cli_object(cli, true);
    cli_set(object, "records", json_incref(s->records));
    cli_emit(cli, object);
    return CLI_YES;
}

/* ---- in order of time ---- */

struct log_file {
    const char *path;
    size_t place;
    char time[40]; /* of its first record: UTC in one form, which sorts as it is; empty: unknown */
};

static bool find_time(void *arg, const struct audit_line *line)
{
    struct log_file *file = arg;
    json_t *record = load(line);
    snprintf(file->time, sizeof file->time, "%s", text_of(record, "time"));
    json_decref(record);
    return file->time[0] == '\0';
}

static int by_time(const void *a, const void *b)
{
    const struct log_file *x = a, *y = b;
    int order = strcmp(x->time, y->time);
    return order ? order : x->place < y->place ? -1 : x->place > y->place;
}

static int show_files(struct show *s, struct tenuo_error *err)
{
    const struct cli_words *paths = &s->run->files;
    struct log_file *files = cli_alloc(paths->n, sizeof *files);
    struct stat st;
    size_t n = 0;
    int code = TENUO_OK;
    for (size_t i = 0; i < paths->n && !code; i++)
        if (!audit_is_head(paths->v[i])) {
            files[n] = (struct log_file){ .path = paths->v[i], .place = i };
            if (paths->n > 1 && stat(paths->v[i], &st) == 0 && S_ISREG(st.st_mode))
                code = audit_each_line(paths->v[i], find_time, &files[n], err);
            n++;
        }
    qsort(files, n, sizeof *files, by_time);
    for (size_t i = 0; i < n && !code && !s->too_many; i++)
        code = audit_each_line(files[i].path, take, s, err);
    free(files);
    return code;
}

int audit_show_run(struct audit_run *r)
{
    struct show s = { .run = r, .records = r->cli->json ? json_array() : NULL };
    struct tenuo_error err = { 0 };
    int code = show_files(&s, &err);
    int status = code ? cli_fail(r->cli, &err) : finish(&s);
    json_decref(s.records);
    return status;
}
