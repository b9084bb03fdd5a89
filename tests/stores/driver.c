/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guarded program does with its keys, one JSON request a line: opens a configuration, gets signers by key id,
 * signs calls, asks for decisions. The tests of the stores drive it and look at it from outside; it never prints a
 * secret, since it never has one.
 */
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <tenuo/tenuo.h>

#define MOST_THREADS 128

struct state {
    struct tenuo_ctx *ctx;
    struct tenuo_signer *signer;
};

static const char *text(json_t *request, const char *name)
{
    return json_string_value(json_object_get(request, name));
}

static json_int_t number(json_t *request, const char *name)
{
    return json_integer_value(json_object_get(request, name));
}

static bool hex(const char *in, uint8_t *ret, size_t n)
{
    if (in == NULL || strlen(in) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        if (sscanf(in + 2 * i, "%2x", &byte) != 1)
            return false;
        ret[i] = (uint8_t)byte;
    }
    return true;
}

static void put_hex(json_t *answer, const char *name, const uint8_t *bytes, size_t n)
{
    char out[129];
    for (size_t i = 0; i < n && i < 64; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    json_object_set_new(answer, name, json_string(out));
}

static void outcome(json_t *answer, int code, const struct tenuo_error *err)
{
    json_object_set_new(answer, "code", json_integer(code));
    if (code != 0)
        json_object_set_new(answer, "message", json_string(err->msg));
}

static void to_stderr(void *arg, int level, const char *line)
{
    (void)arg;
    fprintf(stderr, "<%d> %s\n", level, line);
}

static void drop_signer(struct state *s)
{
    tenuo_signer_free(s->signer);
    s->signer = NULL;
}

static void drop_all(struct state *s)
{
    drop_signer(s);
    tenuo_ctx_unref(s->ctx);
    s->ctx = NULL;
}

static void open_conf(struct state *s, json_t *request, json_t *answer)
{
    struct tenuo_open_options options = { .size = sizeof options, .conf = text(request, "conf"), .log = to_stderr };
    struct tenuo_error err = { 0 };
    drop_all(s);
    outcome(answer, tenuo_open("", &options, &s->ctx, &err), &err);
}

static void get_signer(struct state *s, json_t *request, json_t *answer)
{
    struct tenuo_error err = { 0 };
    uint8_t holder[32];
    const char *wanted = text(request, "holder");
    unsigned flags = json_is_true(json_object_get(request, "no_io")) ? TENUO_SIGNER_NO_IO : 0u;
    drop_signer(s);
    if (wanted != NULL && !hex(wanted, holder, sizeof holder))
        exit(2);
    int r = tenuo_ctx_signer(s->ctx, text(request, "id"), flags, wanted != NULL ? holder : NULL, &s->signer, &err);
    outcome(answer, r, &err);
    if (r != 0)
        return;
    put_hex(answer, "public_key", tenuo_signer_public_key(s->signer), 32);
    json_object_set_new(answer, "local", json_boolean(tenuo_signer_is_local(s->signer)));
}

static struct tenuo_stack *read_stack(json_t *request)
{
    const char *warrant = text(request, "warrant");
    struct tenuo_stack *stack = NULL;
    if (warrant == NULL ||
        tenuo_stack_parse_any((const uint8_t *)warrant, strlen(warrant), &stack, NULL) != TENUO_OK)
        exit(2);
    return stack;
}

static void sign_call(struct state *s, json_t *request, json_t *answer)
{
    struct tenuo_stack *stack = read_stack(request);
    const char *tool = text(request, "tool");
    struct tenuo_error err = { 0 };
    uint8_t signature[TENUO_SIGNATURE_BYTES];
    int r = tenuo_pop_sign(s->signer, tenuo_stack_leaf(stack), tool, strlen(tool), NULL, number(request, "when"),
                           signature, &err);
    outcome(answer, r, &err);
    if (r == 0)
        put_hex(answer, "pop", signature, sizeof signature);
    tenuo_stack_free(stack);
}

static void decide(struct state *s, json_t *request, json_t *answer)
{
    struct tenuo_request *call = NULL;
    struct tenuo_decision *decision = NULL;
    struct tenuo_error err = { 0 };
    uint8_t pop[TENUO_SIGNATURE_BYTES];
    const char *tool = text(request, "tool"), *warrant = text(request, "warrant");
    if (!hex(text(request, "pop"), pop, sizeof pop) || tenuo_request_new(tool, strlen(tool), &call, NULL) != TENUO_OK)
        exit(2);
    tenuo_request_set_pop(call, pop);
    int r = tenuo_ctx_authorize_at(s->ctx, (const uint8_t *)warrant, strlen(warrant), call, number(request, "when"),
                                   &decision, &err);
    outcome(answer, r, &err);
    if (r == 0) {
        json_object_set_new(answer, "allow", json_boolean(tenuo_decision_outcome(decision) == TENUO_ALLOW));
        json_object_set_new(answer, "decision_code", json_integer(tenuo_decision_code(decision)));
    }
    tenuo_decision_free(decision);
    tenuo_request_free(call);
}

/* Many threads at once, each `each` times: an own signer, and a signature when there is a warrant. */
struct crowd {
    struct state *s;
    const char *id, *tool;
    struct tenuo_stack *stack;
    json_int_t each, when;
    atomic_int failed, first;
};

static void *one_of_many(void *arg)
{
    struct crowd *c = arg;
    for (json_int_t i = 0; i < c->each; i++) {
        struct tenuo_signer *signer = NULL;
        uint8_t signature[TENUO_SIGNATURE_BYTES];
        int r = tenuo_ctx_signer(c->s->ctx, c->id, 0, NULL, &signer, NULL), none = 0;
        if (r == 0 && c->stack != NULL)
            r = tenuo_pop_sign(signer, tenuo_stack_leaf(c->stack), c->tool, strlen(c->tool), NULL, c->when, signature,
                               NULL);
        if (r != 0) {
            atomic_fetch_add(&c->failed, 1);
            atomic_compare_exchange_strong(&c->first, &none, r);
        }
        tenuo_signer_free(signer);
    }
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_crowd(struct state *s, json_t *request, json_t *answer)
{
    struct crowd c = { .s = s, .id = text(request, "id"), .tool = "t", .each = number(request, "each"),
                       .when = number(request, "when"),
                       .stack = text(request, "warrant") != NULL ? read_stack(request) : NULL };
    pthread_t threads[MOST_THREADS];
    json_int_t n = number(request, "threads");
    double began = now();
    if (n < 1 || n > MOST_THREADS)
        exit(2);
    for (json_int_t i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, one_of_many, &c) != 0)
            exit(2);
    for (json_int_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    json_object_set_new(answer, "seconds", json_real(now() - began));
    json_object_set_new(answer, "failed", json_integer(atomic_load(&c.failed)));
    json_object_set_new(answer, "code", json_integer(atomic_load(&c.first)));
    tenuo_stack_free(c.stack);
}

static void preload(struct state *s, json_t *request, json_t *answer)
{
    struct tenuo_error err = { 0 };
    const char *id = text(request, "id");
    outcome(answer, tenuo_keys_preload(s->ctx, &id, 1, &err), &err);
}

static bool act(struct state *s, const char *op, json_t *request, json_t *answer)
{
    static const struct {
        const char *op;
        void (*fn)(struct state *s, json_t *request, json_t *answer);
    } ops[] = { { "open", open_conf }, { "signer", get_signer }, { "pop", sign_call },
                { "decide", decide },  { "crowd", run_crowd },   { "preload", preload } };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i].op, op) == 0) {
            double began = now();
            ops[i].fn(s, request, answer);
            json_object_set_new(answer, "took", json_real(now() - began));
            return true;
        }
    if (strcmp(op, "close") == 0)
        drop_all(s);
    else if (strcmp(op, "release") == 0)
        drop_signer(s);
    else if (strcmp(op, "abort") == 0)
        abort();
    else
        return false;
    outcome(answer, 0, NULL);
    return true;
}

int main(void)
{
    struct state s = { 0 };
    char *line = NULL;
    size_t room = 0;
    struct rlimit most = { RLIM_INFINITY, RLIM_INFINITY };
    (void)setrlimit(RLIMIT_CORE, &most);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (getline(&line, &room, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL), *answer = json_object();
        const char *op = text(request, "op");
        if (op == NULL || !act(&s, op, request, answer)) {
            fprintf(stderr, "not understood: %s", line);
            return 2;
        }
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(answer);
        json_decref(request);
    }
    drop_all(&s);
    free(line);
    return 0;
}
