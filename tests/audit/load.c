/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guarded programs under load: N processes open one service and decide one call again and again, until the time is over
 * or so many answers were given. Each writes "ID CODE MILLISECONDS" for every answer into a file of its own, before it
 * asks again; what was killed on the way has told everything it was told.
 * "early": the parent opens the service, decides as often as each child and forks then.
 * usage: load CONF SERVICE WARRANT KEY PATH FOLDER PROCESSES MILLISECONDS [COUNT [early]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tenuo/tenuo.h>
#include <time.h>
#include <unistd.h>

static struct tenuo_stack *stack;
static struct tenuo_signer *holder;
static uint8_t wire[65536];
static size_t wire_len = sizeof wire;

static void must(int code, const struct tenuo_error *err, const char *what)
{
    if (code == TENUO_OK)
        return;
    fprintf(stderr, "load: %s: %d %s\n", what, code, err->msg);
    exit(2);
}

static char *read_file(const char *path, size_t *ret_len)
{
    static char buf[65536];
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        exit(2);
    *ret_len = fread(buf, 1, sizeof buf, f);
    fclose(f);
    return buf;
}

static void prepare(const char *warrant, const char *key)
{
    struct tenuo_error err = { 0 };
    size_t n = 0;
    const char *text = read_file(warrant, &n);
    must(tenuo_stack_parse_any((const uint8_t *)text, n, &stack, &err), &err, "warrant");
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &wire_len, &err), &err, "encode");
    text = read_file(key, &n);
    must(tenuo_signer_from_text(text, n, &holder, &err), &err, "key");
}

static struct tenuo_request *make_request(const char *path)
{
    struct tenuo_error err = { 0 };
    struct tenuo_request *q = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_value *value = NULL;
    uint8_t pop[64];
    must(tenuo_value_string(path, strlen(path), &value, &err), &err, "value");
    must(tenuo_args_new(&args, &err), &err, "args");
    must(tenuo_args_put(args, "path", 4, value, &err), &err, "put");
    must(tenuo_request_new("read_file", 9, &q, &err), &err, "request");
    must(tenuo_request_set_args(q, args, &err), &err, "set args");
    must(tenuo_pop_sign(holder, tenuo_stack_leaf(stack), "read_file", 9, args, (int64_t)time(NULL), pop, &err), &err,
         "pop");
    tenuo_request_set_pop(q, pop);
    tenuo_args_free(args);
    tenuo_value_free(value);
    return q;
}

static uint64_t now_ms(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void decide(struct tenuo_ctx *ctx, const struct tenuo_request *q, FILE *out)
{
    struct tenuo_error err = { 0 };
    struct tenuo_decision *d = NULL;
    const uint64_t began = now_ms();
    int code = tenuo_ctx_authorize(ctx, wire, wire_len, q, &d, &err);
    fprintf(out, "%s %d %llu\n", code == TENUO_OK ? tenuo_decision_id(d) : "-",
            code == TENUO_OK ? tenuo_decision_code(d) : code, (unsigned long long)(now_ms() - began));
    fflush(out);
    tenuo_decision_free(d);
}

static struct tenuo_ctx *open_service(char **argv)
{
    struct tenuo_error err = { 0 };
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_open_options o = { .size = sizeof o, .conf = argv[1] };
    must(tenuo_open(argv[2], &o, &ctx, &err), &err, "open");
    return ctx;
}

/* `early`: the parent's context, or NULL. The parent itself is number -1 and keeps it. */
static int work(char **argv, const struct tenuo_request *q, int number, uint64_t ends, unsigned long count,
                struct tenuo_ctx *early)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/%d", argv[6], number);
    FILE *out = fopen(name, "we");
    if (out == NULL)
        return 2;
    struct tenuo_ctx *ctx = early != NULL ? early : open_service(argv);
    for (unsigned long i = 0; (count == 0 || i < count) && now_ms() < ends; i++)
        decide(ctx, q, out);
    if (number >= 0)
        tenuo_ctx_unref(ctx);
    fclose(out);
    return 0;
}

int main(int argc, char **argv)
{
    int bad = 0, status;
    if (argc < 9)
        return 2;
    const int processes = atoi(argv[7]);
    const uint64_t ends = now_ms() + strtoull(argv[8], NULL, 10);
    prepare(argv[3], argv[4]);
    struct tenuo_request *q = make_request(argv[5]); /* here: a key's secret is empty in a child */
    const unsigned long count = argc > 9 ? strtoul(argv[9], NULL, 10) : 0;
    struct tenuo_ctx *early = argc > 10 ? open_service(argv) : NULL;
    if (early != NULL)
        bad += work(argv, q, -1, ends, count, early);
    for (int i = 0; i < processes; i++)
        if (fork() == 0)
            _exit(work(argv, q, i, ends, count, early));
    while (wait(&status) > 0)
        bad += status != 0;
    tenuo_ctx_unref(early);
    tenuo_request_free(q);
    tenuo_stack_free(stack);
    tenuo_signer_free(holder);
    return bad != 0;
}
