/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tenuo plugin test`: the table of checks, in the order in which they are made, and the report. A check never runs in
 * this process (conform_run.c), which loads no plugin at all.
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REPORT_SCHEMA "tenuo-plugin-test/1"

#define RESOLVER (1u << CONFORM_RESOLVER)
#define ANY ((1u << CONFORM_KINDS) - 1)
#define OPEN CONFORM_NEEDS_OPEN
#define KEY (CONFORM_NEEDS_OPEN | CONFORM_NEEDS_KEY)
#define WRITE (CONFORM_NEEDS_OPEN | CONFORM_NEEDS_WRITE)

static const struct conform_check checks[] = {
    { "load", ANY, 0, conform_check_load },
    { "schema", ANY, 0, conform_check_schema },
    { "open", ANY, 0, conform_check_open },
    { "check", ANY, OPEN, conform_check_check },
    { "generate", RESOLVER, WRITE, conform_check_generate },
    { "taken", RESOLVER, WRITE, conform_check_taken },
    { "rotate", RESOLVER, WRITE, conform_check_rotate },
    { "key", RESOLVER, OPEN, conform_check_key },
    { "can", RESOLVER, OPEN, conform_check_can },
    { "agree", RESOLVER, KEY, conform_check_agree },
    { "signatures", RESOLVER, KEY, conform_check_signatures },
    { "versions", RESOLVER, KEY, conform_check_versions },
    { "list", RESOLVER, OPEN, conform_check_list },
    { "not_found", RESOLVER, OPEN, conform_check_not_found },
    { "ids", RESOLVER, OPEN, conform_check_ids },
    { "bad_ids", RESOLVER, OPEN, conform_check_bad_ids },
    { "deadline", RESOLVER, OPEN, conform_check_deadline },
    { "threads", RESOLVER, OPEN, conform_check_threads },
    { "fork", RESOLVER, OPEN, conform_check_fork },
    { "roots", 1u << CONFORM_TRUST, OPEN, conform_check_roots },
    { "decision", 1u << CONFORM_AUDIT, WRITE, conform_check_decision },
    { "fetch", 1u << CONFORM_REVOCATION, OPEN, conform_check_fetch },
    { "replay", 1u << CONFORM_REPLAY, WRITE, conform_check_replay },
    { "matcher", 1u << CONFORM_MATCHER, OPEN, conform_check_matcher },
    { "process", ANY, OPEN, conform_check_process },
    { "cycles", ANY, OPEN, conform_check_cycles },
    { "leaks", RESOLVER, OPEN, conform_check_leaks },
    { "import", RESOLVER, WRITE, conform_check_import },
    { "remove", RESOLVER, WRITE, conform_check_remove },
};

static const struct {
    const char *name, *good;
} rules[CONFORM_RULES] = {
    [CONFORM_CODES] = { "codes", "every call answered what it may answer" },
    [CONFORM_OUTPUTS] = { "outputs", "outputs were written on success alone, and within their sizes" },
    [CONFORM_SENTENCES] = { "sentences", "every failure came with its sentence" },
    [CONFORM_SECRETS] = { "secrets", "no seed stood in a sentence, a log line or a note" },
    [CONFORM_IN_TIME] = { "in_time", "every call came back before its deadline" },
    [CONFORM_STDIO] = { "stdio", "nothing was written to standard output or standard error" },
};

/* ---- the report ---- */

struct report {
    struct cli *cli;
    json_t *list;
    unsigned count[CONFORM_SKIP + 1];
};

static const char *const words[] = {
    [CONFORM_OK] = "ok", [CONFORM_FAIL] = "FAIL", [CONFORM_WARN] = "warn", [CONFORM_SKIP] = "skip"
};

static void tell(struct report *r, const char *name, const struct conform_verdict *v)
{
    r->count[v->result]++;
    if (!r->cli->json) {
        cli_line(stdout, "%-4s %s: %s", words[v->result], name, v->text);
        fflush(stdout);
        return;
    }
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "check", json_string(name));
    cli_set(entry, "result", json_string(v->result == CONFORM_FAIL ? "fail" : words[v->result]));
    cli_set(entry, "message", cli_text(v->text, strlen(v->text)));
    cli_append(r->list, entry);
}

static void tell_rules(struct conform *c, struct report *r)
{
    for (unsigned i = 0; i < CONFORM_RULES; i++) {
        bool broken = atomic_load(&c->shared->rules[i].broken);
        struct conform_verdict v = { .result = broken ? CONFORM_FAIL : CONFORM_OK };
        snprintf(v.text, sizeof v.text, "%.*s", CONFORM_TEXT - 1, broken ? c->shared->rules[i].text : rules[i].good);
        tell(r, rules[i].name, &v);
    }
}

static int finish(struct conform *c, struct report *r, int status)
{
    if (status == CLI_YES && r->count[CONFORM_FAIL] > 0)
        status = CLI_NO;
    if (!r->cli->json) {
        printf("%u ok, %u failed, %u warnings, %u skipped\n", r->count[CONFORM_OK], r->count[CONFORM_FAIL],
               r->count[CONFORM_WARN], r->count[CONFORM_SKIP]);
        return status;
    }
    json_t *object = cli_object(r->cli, status == CLI_YES), *counts = json_object();
    if (!counts)
        cli_no_memory();
    cli_set(object, "report", json_string(REPORT_SCHEMA));
    cli_set(object, "plugin", cli_text(c->name, strlen(c->name)));
    if (c->shared->path[0] != '\0')
        cli_set(object, "path", cli_text(c->shared->path, strlen(c->shared->path)));
    if (c->shared->kinds != 0)
        cli_set(object, "kind", json_string(conform_kind_names[c->kind]));
    cli_set(object, "checks", json_incref(r->list));
    cli_set(counts, "ok", json_integer(r->count[CONFORM_OK]));
    cli_set(counts, "fail", json_integer(r->count[CONFORM_FAIL]));
    cli_set(counts, "warn", json_integer(r->count[CONFORM_WARN]));
    cli_set(counts, "skip", json_integer(r->count[CONFORM_SKIP]));
    cli_set(object, "counts", counts);
    cli_emit(r->cli, object);
    return status;
}

/* ---- one after the other ---- */

/* A skip with its remedy when the check cannot be made; false: it can. */
static bool is_skipped(const struct conform *c, const struct conform_check *check, bool opened,
                       struct conform_verdict *v)
{
    if ((check->needs & CONFORM_NEEDS_OPEN) != 0 && !opened)
        conform_skip(v, "open has failed");
    else if ((check->needs & CONFORM_NEEDS_WRITE) != 0 && !c->write)
        conform_skip(v, "it would write to the store: say --write");
    else if ((check->needs & CONFORM_NEEDS_KEY) != 0 && c->shared->key_id[0] == '\0')
        conform_skip(v, "no key is known: name one with --key-id ID, or let the suite make one with --write");
    return v->text[0] != '\0';
}

/* The kind that was asked for, else the only one, else resolver. */
static bool choose_kind(struct conform *c, const char *wanted, struct conform_verdict *v)
{
    for (unsigned k = CONFORM_KINDS; k-- > 0;)
        if ((c->shared->kinds & 1u << k) != 0 && (!wanted || strcmp(wanted, conform_kind_names[k]) == 0)) {
            c->kind = (enum conform_kind)k;
        } else if (wanted && strcmp(wanted, conform_kind_names[k]) == 0) {
            conform_fail(v, "it serves no %s", wanted);
            return false;
        }
    return true;
}

/* After the first two checks: 9200 and 9202 say nothing about the plugin, a refused line nothing either. */
static int undecided(const struct conform *c)
{
    int code = c->shared->load_code;
    return code == TENUO_E_PLUGIN_UNTRUSTED || code == TENUO_E_PLUGIN_LOAD || code == TENUO_E_CONF ||
                   code == TENUO_E_INVALID_ARGUMENT || code == TENUO_E_SYSTEM || code == TENUO_E_NOMEM
               ? CLI_UNDECIDED
               : CLI_YES;
}

static int run_all(struct conform *c, const char *kind, struct report *r)
{
    bool opened = false;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct conform_verdict v = { 0 };
        const struct conform_check *check = &checks[i];
        if (i > 0 && (check->kinds & 1u << c->kind) == 0)
            continue;
        if (!is_skipped(c, check, opened, &v))
            conform_run(c, check, &v);
        bool stop = v.result == CONFORM_FAIL && check->run == conform_check_load;
        if (check->run == conform_check_load && !stop)
            stop = !choose_kind(c, kind, &v) || c->shared->kinds == 0;
        if (check->run == conform_check_open)
            opened = v.result != CONFORM_FAIL;
        tell(r, check->name, &v);
        if (stop || (check->run == conform_check_schema && c->shared->load_code != TENUO_OK))
            return undecided(c);
    }
    tell_rules(c, r);
    return CLI_YES;
}

int conform_test(struct cli *cli, const struct conform_options *options)
{
    char *made = NULL;
    struct conform c = { .cli = cli,
                         .name = options->name,
                         .plugin_dir = options->plugin_dir,
                         .words = options->words,
                         .nwords = options->nwords,
                         .key_id = options->key_id,
                         .write = options->write,
                         .deadline_ms = CONFORM_DEADLINE_MS,
                         .call_ms = CONFORM_DEADLINE_MS };
    struct report r = { .cli = cli, .list = json_array() };
    if (strchr(c.name, '/'))
        c.name = cli_absolute(c.name, &made);
    c.shared = mmap(NULL, sizeof *c.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c.shared == MAP_FAILED || !r.list)
        cli_no_memory();
    atomic_store(&c.shared->deadline_ms, c.deadline_ms);
    conform_random_id(c.own_id, sizeof c.own_id, "conform-");
    conform_random_id(c.second_id, sizeof c.second_id, "conform-import-");
    int status = finish(&c, &r, run_all(&c, options->kind, &r));
    munmap(c.shared, sizeof *c.shared);
    json_decref(r.list);
    free(made);
    return status;
}
