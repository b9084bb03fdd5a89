/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo-vectors [--plugins DIR] FILE...: runs differential test vectors (tests/vectors/README.md) against the library.
 *
 * Prints one line for each failing case, one line for each kind and reason that was skipped, and the count last. Exit
 * status 0 when nothing failed, 1 otherwise, 2 for wrong usage. Never skips without saying so.
 */
#include "runner.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SKIP_LINES 128

struct skip {
    char kind[64], why[64];
    unsigned long count;
};

struct tenuo_matchers *matchers;

const char *no_matcher(json_int_t code)
{
    if (code != TENUO_E_UNKNOWN_CONSTRAINT)
        return NULL;
    if (!tenuo_matchers_has(matchers, TENUO_C_REGEX))
        return "Regex or Cel constraint, no matcher";
    return tenuo_matchers_has(matchers, TENUO_C_CEL) ? NULL : "Cel constraint, no matcher";
}

static struct {
    unsigned long passed, failed, skipped;
    struct skip skips[MAX_SKIP_LINES];
    size_t nskips;
} totals;

static void count_skip(const char *kind, const char *why)
{
    size_t i = 0;
    totals.skipped++;
    while (i < totals.nskips && (strcmp(totals.skips[i].kind, kind) != 0 || strcmp(totals.skips[i].why, why) != 0))
        i++;
    if (i == totals.nskips && totals.nskips < MAX_SKIP_LINES) {
        (void)snprintf(totals.skips[i].kind, sizeof totals.skips[i].kind, "%s", kind);
        (void)snprintf(totals.skips[i].why, sizeof totals.skips[i].why, "%s", why);
        totals.nskips++;
    }
    if (i < MAX_SKIP_LINES)
        totals.skips[i].count++;
}

static const struct kind *find_kind(const char *name)
{
    const struct kind *const tables[] = { kinds_constraint, kinds_warrant, kinds_call, kinds_approval,
                                           kinds_mint,       kinds_srl,     kinds_text };
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct kind *k = tables[t]; k->name != NULL; k++)
            if (strcmp(k->name, name) == 0)
                return k;
    return NULL;
}

static void fail_text(const char *id, const char *want, const char *got)
{
    totals.failed++;
    (void)printf("FAIL %s: expected %s, got %s\n", id, want, got);
}

static void fail(const char *id, const json_t *vector, const json_t *answer)
{
    char *want = json_dumps(expected(vector), JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    char *got = json_dumps(answer, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    fail_text(id, want == NULL ? "?" : want, got == NULL ? "an unusable case" : got);
    free(want);
    free(got);
}

static void run_case(const char *id, const char *kind_name, const json_t *vector)
{
    const struct kind *kind = find_kind(kind_name);
    struct vector v = { vector, NULL };
    if (kind == NULL || kind->run == NULL) {
        count_skip(kind_name, kind == NULL ? "unknown kind" : kind->not_built);
        return;
    }
    /* A case without a required answer is run all the same: it must not crash. */
    json_t *answer = kind->run(&v);
    const char *want = json_string_value(expected(vector));
    if (want != NULL && strcmp(want, "unspecified") == 0)
        v.skip = "no answer is required";
    if (v.skip != NULL)
        count_skip(kind_name, v.skip);
    else if (answer != NULL && meets(vector, answer))
        totals.passed++;
    else
        fail(id, vector, answer);
    json_decref(answer);
}

/* Integers beyond 64 bits occur in convenience members; such a line is read again with integers as reals. */
static json_t *load(const char *line, size_t len, json_error_t *error)
{
    json_t *json = json_loadb(line, len, JSON_ALLOW_NUL, error);
    return json != NULL ? json : json_loadb(line, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, error);
}

static void run_line(const char *path, unsigned long number, const char *line, size_t len)
{
    json_error_t error;
    char place[512];
    json_t *vector = load(line, len, &error);
    (void)snprintf(place, sizeof place, "%s:%lu", path, number);
    const char *id = get_text(vector, "id", NULL), *kind = get_text(vector, "kind", NULL);
    if (vector == NULL)
        fail_text(place, "one JSON object", error.text);
    else if (kind == NULL || expected(vector) == NULL)
        fail_text(place, "members kind and expect", "a line without them");
    else
        run_case(id == NULL ? place : id, kind, vector);
    json_decref(vector);
}

static bool blank(const char *line, size_t len)
{
    return strspn(line, " \t\r\n") >= len;
}

static void run_file(const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    unsigned long number = 0;
    ssize_t n;
    if (f == NULL) {
        fail_text(path, "a readable file", strerror(errno));
        return;
    }
    while ((n = getline(&line, &room, f)) > 0) {
        number++;
        if (!blank(line, (size_t)n))
            run_line(path, number, line, (size_t)n);
    }
    if (ferror(f))
        fail_text(path, "a readable file", "a read error");
    free(line);
    if (f != stdin)
        (void)fclose(f);
}

int main(int argc, char **argv)
{
    struct tenuo_error err;
    int first = argc > 2 && strcmp(argv[1], "--plugins") == 0 ? 3 : 1;
    if (argc <= first) {
        (void)fputs("usage: tenuo-vectors [--plugins DIR] FILE...\n", stderr);
        return 2;
    }
    if (first == 3 && tenuo_matchers_open(argv[2], NULL, 0, &matchers, &err) != 0) {
        (void)fprintf(stderr, "tenuo-vectors: %s\n", err.msg);
        return 2;
    }
    for (int i = first; i < argc; i++)
        run_file(argv[i]);
    for (size_t i = 0; i < totals.nskips; i++)
        (void)printf("skipped %s: %lu (%s)\n", totals.skips[i].kind, totals.skips[i].count, totals.skips[i].why);
    (void)printf("%lu passed, %lu failed, %lu skipped\n", totals.passed, totals.failed, totals.skipped);
    tenuo_matchers_unref(matchers);
    return totals.failed == 0 ? 0 : 1;
}
