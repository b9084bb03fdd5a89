/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo receipt chain and anchor: the receipts of journals as one run. Goes on behind a break, so that everything that
 * is wrong is said at once; only a run without any break has an anchor.
 */
#include "receipt.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PROBLEMS 100

struct walk {
    struct receipt_run *run;
    struct tenuo_receipt_chain *chain; /* since the last break */
    const char *file;
    uint64_t count, runs, nproblems, allows;
    int64_t first_time, last_time;
    json_t *problems;
    bool *found; /* anchor by anchor */
    uint8_t before[32];
    bool has_before;
};

static void problem(struct walk *w, uint64_t line, const struct tenuo_error *err)
{
    if (++w->nproblems > MAX_PROBLEMS)
        return;
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    cli_set(object, "file", cli_text(w->file, strlen(w->file)));
    cli_set(object, "line", json_integer((json_int_t)line));
    cli_set(object, "index", json_integer((json_int_t)w->count)); /* of the receipt that comes here, from 0 */
    cli_set(object, "code", json_integer(err->code));
    cli_set(object, "name", json_string(tenuo_err_name(err->code)));
    cli_set(object, "message", cli_text(err->msg, strlen(err->msg)));
    cli_append(w->problems, object);
}

/* The signer stays pinned over a break: by --signer, or by the very first receipt. */
static void begin_run(struct walk *w)
{
    uint8_t signer[TENUO_PUBLIC_KEY_BYTES];
    const uint8_t *pin = w->run->has_signer ? w->run->signer : NULL;
    const uint8_t *after = w->run->has_after && !w->runs ? w->run->after : NULL;
    if (!pin && w->chain && tenuo_receipt_chain_signer(w->chain))
        pin = memcpy(signer, tenuo_receipt_chain_signer(w->chain), sizeof signer);
    tenuo_receipt_chain_free(w->chain);
    if (tenuo_receipt_chain_new(pin, after, &w->chain, NULL))
        cli_no_memory();
    w->runs++;
}

static void note(struct walk *w, const struct tenuo_receipt *receipt)
{
    const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(receipt);
    uint8_t digest[TENUO_RECEIPT_DIGEST_BYTES];
    tenuo_receipt_digest(receipt, digest);
    for (size_t i = 0; i < w->run->nanchors; i++)
        w->found[i] = w->found[i] || memcmp(w->run->anchors[i], digest, sizeof digest) == 0;
    if (!w->count) {
        w->first_time = f->timestamp;
        w->has_before = f->prev_receipt_hash;
        if (w->has_before)
            memcpy(w->before, f->prev_receipt_hash, sizeof w->before);
    }
    w->last_time = f->timestamp;
    w->allows += f->allow != 0;
    w->count++;
}

static bool take(void *arg, uint64_t number, const uint8_t *line, size_t len, bool torn)
{
    struct walk *w = arg;
    struct tenuo_receipt *receipt = NULL;
    struct tenuo_error err = { 0 };
    if (receipt_decode(line, len, &receipt, &err)) {
        if (torn) /* perhaps it is being written at this moment */
            cli_warn(w->run->cli, "%s:%llu: the last line is unfinished and was left out", w->file,
                     (unsigned long long)number);
        else
            problem(w, number, &err);
        return true;
    }
    int code = tenuo_receipt_chain_add(w->chain, receipt, &err);
    if (code)
        problem(w, number, &err);
    if (code == TENUO_E_CHAIN_BROKEN) {
        begin_run(w);
        code = tenuo_receipt_chain_add(w->chain, receipt, &err);
    }
    if (!code)
        note(w, receipt);
    tenuo_receipt_free(receipt);
    return true;
}

static bool all_found(const struct walk *w)
{
    for (size_t i = 0; i < w->run->nanchors; i++)
        if (!w->found[i])
            return false;
    return true;
}

static json_t *anchors_json(const struct walk *w)
{
    json_t *array = json_array();
    if (!array)
        cli_no_memory();
    for (size_t i = 0; i < w->run->nanchors; i++) {
        json_t *object = json_object();
        if (!object)
            cli_no_memory();
        cli_set(object, "digest", receipt_hex(w->run->anchors[i], TENUO_RECEIPT_DIGEST_BYTES));
        cli_set(object, "found", json_boolean(w->found[i]));
        cli_append(array, object);
    }
    return array;
}

static json_t *number_json(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static void set_end(json_t *object, const struct walk *w)
{
    char text[CLI_TIME_TEXT];
    if (!w->count)
        return;
    cli_set(object, "signer", cli_key_json(tenuo_receipt_chain_signer(w->chain)));
    if (w->has_before)
        cli_set(object, "before", receipt_hex(w->before, sizeof w->before));
    if (tenuo_receipt_chain_head(w->chain))
        cli_set(object, "head", receipt_hex(tenuo_receipt_chain_head(w->chain), TENUO_RECEIPT_DIGEST_BYTES));
    cli_set(object, "first_timestamp", json_integer(w->first_time));
    cli_set(object, "last_timestamp", json_integer(w->last_time));
    if (w->last_time >= 0) {
        cli_time_text((uint64_t)w->last_time, text);
        cli_set(object, "last_time", json_string(text));
    }
}

static json_t *answer(const struct walk *w, bool good)
{
    json_t *object = cli_object(w->run->cli, good);
    cli_set(object, "count", number_json(w->count));
    cli_set(object, "allows", number_json(w->allows));
    cli_set(object, "runs", number_json(w->runs));
    cli_set(object, "signer_pinned", json_boolean(w->run->has_signer));
    set_end(object, w);
    cli_set(object, "problem_count", number_json(w->nproblems));
    cli_set(object, "problems", json_incref(w->problems));
    cli_set(object, "anchors", anchors_json(w));
    return object;
}

static void print_problems(const json_t *object)
{
    const json_t *p;
    size_t i;
    json_array_foreach(json_object_get(object, "problems"), i, p)
    {
        const char *file = json_string_value(json_object_get(p, "file"));
        fputs("  ", stdout);
        cli_print_escaped(stdout, file, strlen(file));
        cli_line(stdout, ":%lld: receipt %lld: %s", (long long)json_integer_value(json_object_get(p, "line")),
               (long long)json_integer_value(json_object_get(p, "index")),
               json_string_value(json_object_get(p, "message")));
    }
    json_array_foreach(json_object_get(object, "anchors"), i, p)
        printf("  anchor  %s %s\n", json_string_value(json_object_get(p, "digest")),
               json_is_true(json_object_get(p, "found")) ? "found" : "MISSING: the run was cut, or is another one");
}

static void print_member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text)
        printf("  %-7s %s\n", key, text);
}

static void print_chain(const struct walk *w, const json_t *object, bool good)
{
    printf("%s: %llu receipt%s, %llu of them allows", good ? "GOOD" : "BROKEN", (unsigned long long)w->count,
           w->count == 1 ? "" : "s", (unsigned long long)w->allows);
    if (w->runs > 1)
        printf(", in %llu runs", (unsigned long long)w->runs);
    putchar('\n');
    print_problems(object);
    if (w->nproblems > MAX_PROBLEMS)
        printf("  and %llu more\n", (unsigned long long)(w->nproblems - MAX_PROBLEMS));
    print_member(object, "before");
    print_member(object, "head");
    print_member(object, "signer");
    if (w->count && !w->run->has_signer)
        puts("  the signer is the one that the first receipt names: pin it with --signer");
}

/* Digest and count, for a timer to publish; a broken run has none. */
static void print_anchor(const struct walk *w, const json_t *object)
{
    printf("%s %llu\n", json_string_value(json_object_get(object, "head")), (unsigned long long)w->count);
}

static int report(struct walk *w, bool anchor)
{
    struct tenuo_error none = { 0 };
    if (!w->count && !w->nproblems) {
        cli_set_error(&none, TENUO_E_PAYLOAD_STRUCTURE, "there is no receipt in it");
        w->file = w->run->files[0];
        problem(w, 0, &none);
    }
    bool good = !w->nproblems && all_found(w);
    json_t *object = answer(w, good);
    if (w->run->cli->json) {
        cli_emit(w->run->cli, object);
        return good ? CLI_YES : CLI_NO;
    }
    if (good && anchor)
        print_anchor(w, object);
    else
        print_chain(w, object, good);
    json_decref(object);
    return good ? CLI_YES : CLI_NO;
}

int receipt_chain_run(struct receipt_run *r, bool anchor)
{
    struct walk w = { .run = r, .found = cli_alloc(r->nanchors + 1, sizeof *w.found) };
    struct tenuo_error err = { 0 };
    int status = CLI_YES;
    if (!(w.problems = json_array()))
        cli_no_memory();
    begin_run(&w);
    for (size_t i = 0; i < r->nfiles && !err.code; i++) {
        w.file = r->files[i];
        if (receipt_each_line(r->files[i], take, &w, &err))
            status = cli_fail(r->cli, &err);
    }
    if (!err.code)
        status = report(&w, anchor);
    tenuo_receipt_chain_free(w.chain);
    json_decref(w.problems);
    free(w.found);
    return status;
}
