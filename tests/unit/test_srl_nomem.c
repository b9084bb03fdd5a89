/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation around revocation lists fails in turn (linked with --wrap): making, reading, uniting, looking up,
 * requests. Each ends in 9000, never in a list that lacks an id, a crash, a leak (run under ASan) or a changed output.
 */
#include "tap.h"

#include <stdlib.h>
#include <tenuo/tenuo.h>

#define T0 1704067200

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long fail_at = -1, count; /* -1: never */

static int fails(void)
{
    return fail_at >= 0 && count++ == fail_at;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }

/* A list of version 5 with the ids "", "x" and "y", which no warrant has. */
static uint8_t *odd;
static size_t odd_len;
static struct tenuo_signer *key;
static struct tenuo_verifier *plain;

/* The builder keeps odd texts only from a list, so one has to be made by hand. */
static int make_odd(void)
{
    static const char head[] = "tenuo-srl-v1"
                               "\xa4\x6brevoked_ids\x83\x60\x61x\x61y\x67version\x05\x69issued_at\x74"
                               "2024-01-01T00:00:00Z\x66issuer\x82\x01\x58\x20";
    uint8_t message[256], signature[64];
    size_t n = sizeof head - 1, at = 9;
    memcpy(message, head, n);
    memcpy(message + n, tenuo_signer_public_key(key), 32);
    n += 32;
    int r = tenuo_signer_sign(key, message, n, signature, NULL);
    odd = malloc(512);
    if (r != 0 || odd == NULL)
        return r;
    memcpy(odd, "\xa2\x67payload", at);
    memcpy(odd + at, message + 12, n - 12);
    at += n - 12;
    memcpy(odd + at, "\x69signature\x82\x01\x58\x40", 14);
    memcpy(odd + at + 14, signature, 64);
    odd_len = at + 14 + 64;
    return 0;
}

static int lists(void)
{
    struct tenuo_srl *old = NULL, *next = NULL, *both = NULL;
    struct tenuo_srl_builder *b = NULL;
    uint8_t *bytes = NULL, id[16] = { 0 };
    size_t n = 0;
    int r = tenuo_srl_parse(odd, odd_len, NULL, &old, NULL);
    r = r != 0 ? r : tenuo_srl_builder_new(6, &b, NULL);
    r = r != 0 ? r : tenuo_srl_builder_carry(b, old, NULL, NULL, NULL, NULL);
    for (uint8_t i = 100; i > 0 && r == 0; i--) {
        id[15] = i;
        r = tenuo_srl_builder_add(b, id, NULL);
    }
    r = r != 0 ? r : tenuo_srl_builder_sign(b, key, T0, &bytes, &n, NULL);
    r = r != 0 ? r : tenuo_srl_parse(bytes, n, tenuo_signer_public_key(key), &next, NULL);
    r = r != 0 ? r : tenuo_srl_union(next, old, &both, NULL);
    if (r == 0 && tenuo_srl_count(both) != 103)
        r = -1;
    tenuo_bytes_free(bytes, n);
    tenuo_srl_builder_free(b);
    tenuo_srl_unref(old);
    tenuo_srl_unref(next);
    tenuo_srl_unref(both);
    return r;
}

static int snapshots(void)
{
    struct tenuo_revocation_source source = { .fresh_until = INT64_MAX, .name = "here" };
    struct tenuo_revocation *snapshot = NULL;
    struct tenuo_verifier *v = NULL;
    int r = tenuo_srl_parse(odd, odd_len, NULL, &source.list, NULL);
    r = r != 0 ? r : tenuo_revocation_new(&source, 1, &snapshot, NULL);
    r = r != 0 ? r : tenuo_verifier_with_revocation(plain, snapshot, &v, NULL);
    tenuo_verifier_unref(v);
    tenuo_revocation_unref(snapshot);
    tenuo_srl_unref(source.list);
    return r;
}

static int requests(void)
{
    static const uint8_t id[16] = { 1 };
    struct tenuo_revocation_request *q = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r = tenuo_revocation_request_create(id, "why", 3, key, T0, &bytes, &n, NULL);
    r = r != 0 ? r : tenuo_revocation_request_parse(bytes, n, &q, NULL);
    tenuo_revocation_request_free(q);
    tenuo_bytes_free(bytes, n);
    return r;
}

static void every_failure(int (*work)(void), const char *name)
{
    long at = 0, other = 0;
    int r;
    do {
        fail_at = at++;
        count = 0;
        r = work();
        fail_at = -1;
        other += r != 0 && r != TENUO_E_NOMEM;
    } while (r != 0 && at < 10000);
    ok(r == 0 && at > 2, "%s: %ld allocations, then it works", name, at - 1);
    is_int(other, 0, "%s: and every failure was 9000", name);
}

int main(void)
{
    static const uint8_t seed[32] = { 7 };
    struct tenuo_verifier_builder *b = NULL;
    ok(tenuo_signer_from_seed(seed, &key, NULL) == 0 && make_odd() == 0, "a key and a list");
    ok(tenuo_verifier_builder_new(&b, NULL) == 0, "builder");
    ok(tenuo_verifier_builder_add_root(b, tenuo_signer_public_key(key), NULL) == 0, "root");
    ok(tenuo_verifier_builder_build(b, &plain, NULL) == 0, "verifier");
    tenuo_verifier_builder_free(b);
    every_failure(lists, "lists");
    every_failure(snapshots, "snapshots");
    every_failure(requests, "requests");
    tenuo_verifier_unref(plain);
    tenuo_signer_free(key);
    free(odd);
    return done_testing();
}
