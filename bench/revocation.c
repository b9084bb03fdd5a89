/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a revocation list costs: time to take it in, memory an id, and what is added to a decision, at ten thousand ids
 * and at a million. The decision is a warm chain of one, allowed, so the list is looked through for each of its ids.
 */
#include "bench.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 40
#define DECISIONS 200

struct blob make_list(size_t ids, const struct tenuo_signer *signer)
{
    struct tenuo_srl_builder *builder = NULL;
    struct blob list = { NULL, 0 };
    uint64_t x = 88172645463325252u; /* xorshift: ids without order */
    must(tenuo_srl_builder_new(1, &builder, NULL), "list");
    for (size_t i = 0; i < ids; i++) {
        uint8_t id[TENUO_WARRANT_ID_BYTES];
        for (size_t half = 0; half < 2; half++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            memcpy(id + 8 * half, &x, 8);
        }
        must(tenuo_srl_builder_add(builder, id, NULL), "list");
    }
    must(tenuo_srl_builder_sign(builder, signer, BENCH_NOW, &list.p, &list.len, NULL), "list");
    tenuo_srl_builder_free(builder);
    return list;
}

static size_t held(void)
{
    const struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static double decide_us(const struct item *call, struct tenuo_verifier *verifier)
{
    double start = cpu_ns();
    for (int i = 0; i < DECISIONS; i++) {
        struct tenuo_decision *d = NULL;
        must(tenuo_authorize(verifier, call->bytes.p, call->bytes.len, call->request, call->now, &d, NULL), "call");
        must(tenuo_decision_code(d), "call");
        tenuo_decision_free(d);
    }
    return (cpu_ns() - start) / DECISIONS / 1000;
}

/* Both take turns; the smallest of each. */
static double added_us(const struct item *call, struct tenuo_verifier *with, double *ret_without)
{
    double least = -1, without = -1;
    for (int round = 0; round < ROUNDS; round++) {
        double a = decide_us(call, call->verifier), b = decide_us(call, with);
        without = without < 0 || a < without ? a : without;
        least = least < 0 || b < least ? b : least;
    }
    *ret_without = without;
    return least - without;
}

static void report_list(size_t ids, const char *power, const struct item *call, value_fn *report)
{
    struct tenuo_signer *signer = NULL;
    struct tenuo_srl *srl = NULL;
    struct tenuo_revocation *snapshot = NULL;
    struct tenuo_verifier *with = NULL;
    const uint8_t seed[32] = { 5 };
    char name[40], note[80];
    must(tenuo_signer_from_seed(seed, &signer, NULL), "key");
    struct blob list = make_list(ids, signer);
    size_t before = held();
    double start = cpu_ns();
    must(tenuo_srl_parse(list.p, list.len, NULL, &srl, NULL), "list");
    double load = (cpu_ns() - start) / 1e6;
    double bytes = (double)(held() - before) / (double)ids;
    const struct tenuo_revocation_source source = { srl, INT64_MAX, "bench", NULL };
    must(tenuo_revocation_new(&source, 1, &snapshot, NULL), "snapshot");
    must(tenuo_verifier_with_revocation(call->verifier, snapshot, &with, NULL), "verifier");
    double without, added = added_us(call, with, &without);
    (void)snprintf(name, sizeof name, "srl_load_%s", power);
    (void)snprintf(note, sizeof note, "%.1f MB, signature included", (double)list.len / 1e6);
    report(name, load, "ms", note);
    (void)snprintf(name, sizeof name, "srl_memory_%s", power);
    report(name, bytes, "bytes", "an id, while the list is in force");
    (void)snprintf(name, sizeof name, "srl_added_%s", power);
    (void)snprintf(note, sizeof note, "to a decision of %.1f us", without);
    report(name, added > 0 ? added * 1000 : 0, "ns", note);
    tenuo_verifier_unref(with);
    tenuo_revocation_unref(snapshot);
    tenuo_srl_unref(srl);
    tenuo_bytes_free(list.p, list.len);
    tenuo_signer_free(signer);
}

void report_revocation(const struct item *items, size_t count, value_fn *report)
{
    const struct item *call = NULL;
    for (size_t i = 0; i < count && call == NULL; i++)
        if (items[i].kind == BENCH_AUTHORIZE && items[i].warm && items[i].allow)
            call = &items[i];
    if (call == NULL)
        return;
    report_list(10000, "1e4", call, report);
    report_list(1000000, "1e6", call, report);
}
