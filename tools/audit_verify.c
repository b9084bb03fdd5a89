/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo audit verify: is a chained log whole? Each record is held against its own hash, against the record before, and
 * checkpoints against their signatures; whatever does not fit is named by file, line and record. Files may be given in
 * any order: their first records say which comes first. Nothing in a log is believed before it was checked.
 */
#include "audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX 1000 /* problems, and notes; more are counted */
#define RING 262144 /* records that a checkpoint may look back, to be compared */

struct verify {
    struct audit_run *run;
    json_t *problems, *notes;
    uint64_t nproblems, nnotes;
    const char *path; /* where we are */
    bool begun;       /* there was a record */
    struct tn_link last;
    uint64_t records, checkpoints, signed_count, first_seq;
    uint64_t loose_number, loose_bytes; /* a line before this one that is no record; 0: none */
    const char *loose_path;
    uint8_t (*ring)[TN_LINK_HASH_BYTES];
    uint8_t signer[TENUO_PUBLIC_KEY_BYTES];
    bool has_signer;
};

static void say(json_t *list, const char *path, uint64_t line, uint64_t seq, const char *kind, const char *text)
{
    if (json_array_size(list) == SAID_MAX)
        return;
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "file", cli_text(path, strlen(path)));
    if (line)
        cli_set(entry, "line", cli_u64_json(line));
    if (seq)
        cli_set(entry, "record", cli_u64_json(seq));
    cli_set(entry, "kind", json_string(kind));
    cli_set(entry, "message", cli_text(text, strlen(text)));
    cli_append(list, entry);
}

__attribute__((format(printf, 5, 6))) static void problem(struct verify *v, uint64_t line, uint64_t seq,
                                                         const char *kind, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    v->nproblems++;
    say(v->problems, v->path, line, seq, kind, text);
}

__attribute__((format(printf, 5, 6))) static void note(struct verify *v, uint64_t line, uint64_t seq, const char *kind,
                                                      const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    v->nnotes++;
    say(v->notes, v->path, line, seq, kind, text);
}

/* ---- one record after the other ---- */

static void check_order(struct verify *v, const struct audit_line *line, const struct tn_link *link)
{
    const struct tn_link *last = &v->last;
    uint64_t next = last->seq + 1;
    if (link->seq == next && memcmp(link->prev, last->hash, sizeof link->prev) == 0)
        return;
    if (link->seq > next)
        problem(v, line->number, link->seq, "missing", "records %" PRIu64 " to %" PRIu64 " are missing before it", next,
                link->seq - 1);
    else if (link->seq < next)
        problem(v, line->number, link->seq, "reordered",
                "stands behind record %" PRIu64 ": moved, repeated, or of another log", last->seq);
    else
        problem(v, line->number, link->seq, "replaced",
                "follows another record %" PRIu64 " than the one that stands before it: that one, or this and all "
                "behind it, was replaced",
                last->seq);
}

/* A line that is no record: a torn one that was closed, or somebody's own. Only what stands in front of a chain's first
 * record of all may have been there before it. */
static void settle_loose(struct verify *v, bool closed, uint64_t next_seq)
{
    const char *path = v->path;
    if (!v->loose_number)
        return;
    v->path = v->loose_path;
    if (closed)
        note(v, v->loose_number, 0, "torn", "a torn line of %" PRIu64 " bytes, closed by the record behind it",
             v->loose_bytes);
    else if (!v->begun && next_seq == 1)
        note(v, v->loose_number, 0, "before", "lines before the chain began are not part of it");
    else
        problem(v, v->loose_number, 0, "foreign", "no record of the chain: altered, or written by somebody else");
    v->path = path;
    v->loose_number = 0;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static uint64_t number_of(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));
    return n > 0 ? (uint64_t)n : 0;
}

static bool may_sign(const struct verify *v, const uint8_t key[TENUO_PUBLIC_KEY_BYTES])
{
    for (size_t i = 0; i < v->run->nkeys; i++)
        if (memcmp(v->run->keys[i], key, TENUO_PUBLIC_KEY_BYTES) == 0)
            return true;
    return false;
}

struct checkpoint {
    uint64_t count;
    uint8_t head[TN_LINK_HASH_BYTES], key[TENUO_PUBLIC_KEY_BYTES], signature[TENUO_SIGNATURE_BYTES];
};

static bool hex_member(const json_t *object, const char *name, uint8_t *ret, size_t size)
{
    const char *text = text_of(object, name);
    size_t n = 0;
    return strlen(text) == 2 * size && cli_unhex(text, 2 * size, ret, size, &n) && n == size;
}

static bool read_checkpoint(const json_t *object, struct checkpoint *ret)
{
    ret->count = number_of(object, "count");
    return ret->count && hex_member(object, "head", ret->head, sizeof ret->head) &&
           hex_member(object, "public_key", ret->key, sizeof ret->key) &&
           hex_member(object, "signature", ret->signature, sizeof ret->signature);
}

/* Is the record that it stands for one that was seen? It may be some way back, or the one before the first. */
static bool is_known(const struct verify *v, uint64_t count, uint64_t seq)
{
    return count + 1 >= v->first_seq && (count >= seq || seq - count < RING);
}

static bool is_of_this_log(const struct verify *v, const struct checkpoint *c, uint64_t seq)
{
    return c->count < seq && memcmp(v->ring[c->count % RING], c->head, sizeof c->head) == 0;
}

/*
 * A service signs what it finds: who could write the log and its .head file can have made anew what was behind a
 * checkpoint, and the next one stands for it. That leaves out all checkpoints in between.
 */
static void check_gap(struct verify *v, const struct audit_line *line, uint64_t seq, uint64_t from, uint64_t to)
{
    if (v->run->has_max_unsigned && to > from && to - from > v->run->max_unsigned)
        problem(v, line ? line->number : 0, seq, "unsigned",
                "records %" PRIu64 " to %" PRIu64 " have no checkpoint among them: more than --max-unsigned", from + 1,
                to);
}

/* The last record that is signed, or the one before the first. */
static uint64_t signed_through(const struct verify *v)
{
    return v->signed_count >= v->first_seq ? v->signed_count : v->first_seq - 1;
}

/* What a key says about this log. Signed is what was compared, and only by a key that may. */
static void take_signature(struct verify *v, const struct audit_line *line, const struct checkpoint *c, uint64_t seq)
{
    bool known = is_known(v, c->count, seq), same = is_of_this_log(v, c, seq);
    bool may = !v->run->nkeys || may_sign(v, c->key);
    if (!known)
        note(v, line->number, seq, "checkpoint",
             "stands for record %" PRIu64 ", which is in none of these files or too far back to be compared", c->count);
    else if (!same)
        problem(v, line->number, seq, "checkpoint",
                "record %" PRIu64 " is not the one that was signed: it, or one before it, was replaced", c->count);
    if (!may)
        problem(v, line->number, seq, "signer", "the checkpoint is signed by another key than --key");
    if (v->has_signer && memcmp(v->signer, c->key, sizeof c->key) != 0)
        note(v, line->number, seq, "signer", "from here on another key signs");
    memcpy(v->signer, c->key, sizeof c->key);
    v->has_signer = true;
    if (!known || !same || !may || c->count <= v->signed_count)
        return;
    check_gap(v, line, seq, signed_through(v), c->count);
    v->signed_count = c->count;
}

static void check_checkpoint(struct verify *v, const struct audit_line *line, const json_t *object, uint64_t seq)
{
    struct checkpoint c;
    if (!read_checkpoint(object, &c)) {
        problem(v, line->number, seq, "checkpoint", "the checkpoint cannot be read");
        return;
    }
    v->checkpoints++;
    if (tenuo_audit_checkpoint_verify(c.key, c.head, c.count, c.signature, NULL))
        problem(v, line->number, seq, "checkpoint", "the signature of the checkpoint does not verify");
    else
        take_signature(v, line, &c, seq);
}

/* As the sink begins them: nothing in a decision can be taken for it, whatever its arguments are. */
static bool is_own(const struct audit_line *line)
{
    static const char lead[] = "{\"time\":\"", *const names[] = { "start", "recovery", "checkpoint" };
    const size_t n = sizeof lead - 1;
    const char *quote = line->len > n && memcmp(line->text, lead, n) == 0 ? strchr(line->text + n, '"') : NULL;
    for (size_t i = 0; quote && i < sizeof names / sizeof names[0]; i++) {
        char wanted[40];
        snprintf(wanted, sizeof wanted, "\",\"event\":\"%s\",", names[i]);
        if (strncmp(quote, wanted, strlen(wanted)) == 0)
            return true;
    }
    return false;
}

/* The chain's own records alone matter here. NULL: it is none of them. */
static json_t *own_record(struct verify *v, const struct audit_line *line, uint64_t seq)
{
    struct tenuo_error err = { 0 };
    json_t *object = is_own(line) ? cli_json_load("a record", line->text, line->len, &err) : NULL;
    if (err.code)
        problem(v, line->number, seq, "altered", "its hash holds, but no sink writes such JSON");
    return object;
}

static void check_recovery(struct verify *v, const struct audit_line *line, const json_t *object, uint64_t seq)
{
    if (strcmp(text_of(object, "reason"), TN_LINK_CUT) == 0)
        problem(v, line->number, seq, "missing",
                "its program had written record %" PRIu64 ", which was not there any more: the end was cut off or "
                "replaced, and the .head file too",
                number_of(object, "last_seq"));
    else
        note(v, line->number, seq, "recovery", "%s", text_of(object, "reason"));
}

static void check_own(struct verify *v, const struct audit_line *line, const json_t *object, uint64_t seq)
{
    const char *event = text_of(object, "event");
    if (strcmp(event, "checkpoint") == 0)
        check_checkpoint(v, line, object, seq);
    else if (strcmp(event, "recovery") == 0)
        check_recovery(v, line, object, seq);
    else if (strcmp(event, "start") == 0)
        note(v, line->number, seq, "start", "log %s begins, as %s", text_of(object, "log_id"), text_of(object, "path"));
}

/* Arguments may read like this: members of the record itself count. */
static bool closes_torn_line(const json_t *object)
{
    return strcmp(text_of(object, "event"), "recovery") == 0 &&
           strcmp(text_of(object, "reason"), TN_LINK_TORN) == 0;
}

/* The hash of the record before is known: a checkpoint may stand for it. */
static void begin(struct verify *v, const struct tn_link *first)
{
    v->first_seq = first->seq;
    memcpy(v->ring[(first->seq - 1) % RING], first->prev, sizeof first->prev);
}

static bool take_loose(struct verify *v, const struct audit_line *line)
{
    if (!v->begun && v->loose_number)
        return true; /* many lines before the chain are one note */
    settle_loose(v, false, 0);
    v->loose_number = line->number;
    v->loose_bytes = line->len;
    v->loose_path = v->path;
    return true;
}

static bool take_line(void *arg, const struct audit_line *line)
{
    struct verify *v = arg;
    struct tn_link link;
    if (line->torn || line->len > AUDIT_MAX_LINE || !tn_link_read(line->text, line->len, &link))
        return take_loose(v, line);
    bool holds = tn_link_holds(line->text, line->len, &link);
    json_t *own = holds ? own_record(v, line, link.seq) : NULL;
    settle_loose(v, v->begun && closes_torn_line(own), link.seq);
    if (!holds)
        problem(v, line->number, link.seq, "altered", "its hash does not hold: the record was altered");
    if (v->begun)
        check_order(v, line, &link);
    else
        begin(v, &link);
    v->begun = true;
    v->records++;
    v->last = link;
    memcpy(v->ring[link.seq % RING], link.hash, sizeof link.hash);
    if (own)
        check_own(v, line, own, link.seq);
    json_decref(own);
    return true;
}

/* ---- all files ---- */

/* Records behind the head's were written after it was read, or by a process that died before it could tell. */
static void check_end(struct verify *v, const struct audit_head *head)
{
    if (!head->known)
        return;
    if (head->seq > v->last.seq)
        problem(v, 0, head->seq, "missing", "records %" PRIu64 " to %" PRIu64 " are missing at the end, says %.200s",
                v->last.seq + 1, head->seq, head->path);
    else if (head->seq >= v->first_seq && v->last.seq - head->seq < RING &&
             memcmp(v->ring[head->seq % RING], head->hash, sizeof head->hash) != 0)
        problem(v, 0, head->seq, "replaced", "the last record is another one than was written, says %.200s",
                head->path);
}

static void check_beginning(struct verify *v)
{
    if (!v->begun || v->first_seq == 1)
        return;
    if (v->run->from_start)
        problem(v, 0, v->first_seq, "missing", "records 1 to %" PRIu64 " are missing at the beginning",
                v->first_seq - 1);
    else
        note(v, 0, v->first_seq, "beginning", "the first record is %" PRIu64 ": what was before is not in these files",
             v->first_seq);
}

static void check_signed(struct verify *v)
{
    if (!v->begun)
        return;
    if (v->run->nkeys && v->signed_count == 0)
        problem(v, 0, 0, "unsigned", "there is no checkpoint of --key for these records: all of them may be made up");
    else
        check_gap(v, NULL, signed_through(v) + 1, signed_through(v), v->last.seq);
}

/* ---- the answer ---- */

static void print_list(FILE *out, const json_t *list, uint64_t count, const char *lead)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(list, i, entry)
    {
        json_int_t line = json_integer_value(json_object_get(entry, "line"));
        json_int_t record = json_integer_value(json_object_get(entry, "record"));
        char place[48] = "", which[48] = "";
        if (line)
            snprintf(place, sizeof place, ":%" JSON_INTEGER_FORMAT, line);
        if (record)
            snprintf(which, sizeof which, "record %" JSON_INTEGER_FORMAT ": ", record);
        cli_line(out, "%s%s%s: %s%s", lead, text_of(entry, "file"), place, which, text_of(entry, "message"));
    }
    if (count > json_array_size(list))
        cli_line(out, "%sand %" PRIu64 " more", lead, count - json_array_size(list));
}

static void print_text(const struct verify *v, size_t nfiles)
{
    char key[TENUO_FINGERPRINT_TEXT_BYTES];
    print_list(stdout, v->problems, v->nproblems, "");
    print_list(stdout, v->notes, v->nnotes, "note: ");
    printf("%" PRIu64 " record%s in %zu file%s, %" PRIu64 " checkpoint%s", v->records, v->records == 1 ? "" : "s",
           nfiles, nfiles == 1 ? "" : "s", v->checkpoints, v->checkpoints == 1 ? "" : "s");
    if (v->has_signer) {
        tenuo_fingerprint(v->signer, key);
        printf(" signed by %s%s; the last one signs all up to record %" PRIu64, key,
               v->run->nkeys ? "" : " (whose key that is was not asked: --key)", v->signed_count);
    }
    printf("\n%s\n", json_array_size(v->problems) ? "NOT WHOLE" : "whole");
}

static int answer(struct verify *v, size_t nfiles)
{
    bool whole = json_array_size(v->problems) == 0;
    if (!v->run->cli->json) {
        print_text(v, nfiles);
        return whole ? CLI_YES : CLI_NO;
    }
    json_t *object = cli_object(v->run->cli, whole);
    cli_set(object, "records", cli_u64_json(v->records));
    cli_set(object, "first_record", cli_u64_json(v->first_seq));
    cli_set(object, "last_record", cli_u64_json(v->last.seq));
    cli_set(object, "checkpoints", cli_u64_json(v->checkpoints));
    cli_set(object, "signed_through", cli_u64_json(v->signed_count));
    if (v->has_signer)
        cli_set(object, "signer", cli_hex_json(v->signer, sizeof v->signer));
    cli_set(object, "signer_checked", json_boolean(v->run->nkeys != 0));
    cli_set(object, "problem_count", cli_u64_json(v->nproblems));
    cli_set(object, "note_count", cli_u64_json(v->nnotes));
    cli_set(object, "problems", json_incref(v->problems));
    cli_set(object, "notes", json_incref(v->notes));
    cli_emit(v->run->cli, object);
    return whole ? CLI_YES : CLI_NO;
}

static int verify_all(struct verify *v, struct tenuo_error *err)
{
    struct audit_files all;
    int code = audit_files_open(&v->run->files, &all, err);
    for (size_t i = 0; i < all.n && !code; i++) {
        v->path = all.v[i].path;
        code = audit_file_lines(&all.v[i], take_line, v, err);
    }
    if (!code) {
        settle_loose(v, false, v->begun ? 0 : 1);
        if (!v->begun)
            problem(v, 0, 0, "unchained", "there is no record of a chain: was the line written with chain=yes?");
        check_beginning(v);
        check_signed(v);
        for (size_t i = 0; i < all.nheads; i++)
            check_end(v, &all.heads[i]);
    }
    int status = code ? cli_fail(v->run->cli, err) : answer(v, all.n);
    audit_files_close(&all);
    return status;
}

int audit_verify_run(struct audit_run *r)
{
    struct tenuo_error err = { 0 };
    struct verify v = { .run = r,
                        .path = r->files.v[0],
                        .problems = json_array(),
                        .notes = json_array(),
                        .ring = cli_alloc(RING, TN_LINK_HASH_BYTES) };
    if (!v.problems || !v.notes)
        cli_no_memory();
    int status = verify_all(&v, &err);
    json_decref(v.problems);
    json_decref(v.notes);
    free(v.ring);
    return status;
}
