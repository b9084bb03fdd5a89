/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters in Prometheus' text format, one family after the other with its HELP and TYPE. Label values are escaped
 * as the format wants it; bytes that are no printable ASCII, which a damaged file could hold, become "_".
 */
#include "metrics.h"

#include <inttypes.h>
#include <string.h>

const uint64_t metrics_bounds_ns[BUCKETS] = { 100000,   500000,    1000000,   5000000,    10000000,
                                              50000000, 100000000, 500000000, 1000000000, 5000000000 };
static const char *const bound_text[BUCKETS] = { "0.0001", "0.0005", "0.001", "0.005", "0.01",
                                                 "0.05",   "0.1",    "0.5",   "1",     "5" };

static uint64_t value_of(struct slot *s, size_t i)
{
    return atomic_load_explicit(&s->value[i], memory_order_relaxed);
}

static void put_value(FILE *out, const char *value, size_t max)
{
    for (size_t i = 0; i < max && value[i] != '\0'; i++) {
        char c = value[i];
        if (c == '"' || c == '\\')
            fputc('\\', out);
        fputc(c >= 0x20 && c < 0x7f ? c : '_', out);
    }
}

/* name{service="..." and another label; left open for more. */
static void begin(const struct metrics *m, FILE *out, const char *name, const char *label, const char *value)
{
    fprintf(out, "%s{service=\"%s\"", name, m->service);
    if (label != NULL) {
        fprintf(out, ",%s=\"", label);
        put_value(out, value, LABEL_MAX);
        fputc('"', out);
    }
}

static void end(FILE *out, uint64_t value)
{
    fprintf(out, "} %" PRIu64 "\n", value);
}

static void put_seconds(FILE *out, uint64_t ns)
{
    fprintf(out, "} %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

static void put_histogram(const struct metrics *m, FILE *out, struct slot *s, const char *name, const char *label)
{
    char full[96];
    uint64_t sum = 0;
    snprintf(full, sizeof full, "%s_bucket", name);
    for (size_t i = 0; i < BUCKETS; i++) {
        sum += value_of(s, i);
        begin(m, out, full, label, s->label);
        fprintf(out, ",le=\"%s\"", bound_text[i]);
        end(out, sum);
    }
    uint64_t count = value_of(s, BUCKETS + 1);
    begin(m, out, full, label, s->label);
    fputs(",le=\"+Inf\"", out);
    end(out, count > sum ? count : sum);
    snprintf(full, sizeof full, "%s_sum", name);
    begin(m, out, full, label, s->label);
    put_seconds(out, value_of(s, BUCKETS));
    snprintf(full, sizeof full, "%s_count", name);
    begin(m, out, full, label, s->label);
    end(out, count > sum ? count : sum);
}

static void put_decision(const struct metrics *m, FILE *out, struct slot *s)
{
    static const char *const words[] = { "allow", "deny", "would_deny" };
    begin(m, out, "tenuo_decisions_total", "tool", s->label);
    fprintf(out, ",decision=\"%s\",code=\"%" PRIu32 "\"", words[s->word < 3 ? s->word : 1], s->number);
    end(out, value_of(s, 0));
}

static void put_notice(const struct metrics *m, FILE *out, struct slot *s)
{
    static const char *const kinds[] = { "other", "config-reload", "revocation-update", "key-retired", "probe" };
    begin(m, out, "tenuo_notices_total", "kind", kinds[s->number < 5 ? s->number : 0]);
    end(out, value_of(s, 0));
}

static void put_cache(const struct metrics *m, FILE *out, struct slot *s)
{
    for (size_t i = 0; i < 2; i++) {
        begin(m, out, "tenuo_cache_lookups_total", "cache", s->number == 1 ? "link" : "key");
        fprintf(out, ",result=\"%s\"", i == 0 ? "hit" : "miss");
        end(out, value_of(s, i));
    }
}

static void put_plain(const struct metrics *m, FILE *out, struct slot *s, const char *name, const char *label, size_t i)
{
    begin(m, out, name, label, s->label);
    end(out, value_of(s, i));
}

static size_t value_in(const char *name)
{
    if (strcmp(name, "tenuo_revocation_list_version") == 0)
        return 1;
    return strcmp(name, "tenuo_revocation_list_issued_time_seconds") == 0 ? 2 : 0;
}

static void put_slot(const struct metrics *m, FILE *out, struct slot *s, const char *name, const char *label)
{
    switch (s->kind) {
    case S_DECISIONS:
        put_decision(m, out, s);
        break;
    case S_LATENCY:
    case S_STORE_CALLS:
        put_histogram(m, out, s, name, label);
        break;
    case S_NOTICES:
        put_notice(m, out, s);
        break;
    case S_CACHE:
        put_cache(m, out, s);
        break;
    default:
        put_plain(m, out, s, name, label, value_in(name));
    }
}

/* A family has a head only when there is something in it. */
static void put_family(struct metrics *m, FILE *out, uint32_t kind, const char *name, const char *type,
                       const char *label, const char *help)
{
    bool headed = false;
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &m->map->slot[i];
        if (atomic_load_explicit(&s->used, memory_order_acquire) == 0)
            break;
        if (s->kind != kind)
            continue;
        if (!headed)
            fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
        headed = true;
        put_slot(m, out, s, name, label);
    }
}

void metrics_write(struct metrics *m, FILE *out)
{
    static const struct {
        uint32_t kind;
        const char *name, *type, *label, *help;
    } families[] = {
        { S_DECISIONS, "tenuo_decisions_total", "counter", NULL, "Decisions by tool, outcome and error code." },
        { S_LATENCY, "tenuo_decision_duration_seconds", "histogram", NULL,
          "Time from the beginning of a call to its record." },
        { S_NOTICES, "tenuo_notices_total", "counter", NULL, "Reloads, revocation updates, retired keys, probes." },
        { S_STORE_CALLS, "tenuo_key_store_duration_seconds", "histogram", "store", "Calls to key stores." },
        { S_STORE_FAILED, "tenuo_key_store_failures_total", "counter", "store",
          "Answers of key stores that were neither a key nor its absence." },
        { S_CACHE, "tenuo_cache_lookups_total", "counter", NULL, "Lookups in the caches of links and of keys." },
        { S_AUDIT_LOST, "tenuo_audit_lost_total", "counter", "sink", "Records that an optional sink did not take." },
        { S_LIST, "tenuo_revocation_list_time_seconds", "gauge", "list",
          "When the revocation list was known to be current, Unix time; 0 without a list." },
        { S_LIST, "tenuo_revocation_list_issued_time_seconds", "gauge", "list",
          "When the revocation list was signed, Unix time; 0 without a list." },
        { S_LIST, "tenuo_revocation_list_version", "gauge", "list", "Version of the revocation list." },
        { S_KEY, "tenuo_key_created_time_seconds", "gauge", "key", "When a key in use was made, Unix time." },
        { S_ROOT, "tenuo_root_expiry_time_seconds", "gauge", "root", "When trust in a root ends, Unix time." },
        { S_UNCOUNTED, "tenuo_metrics_uncounted_total", "counter", NULL, "Events that found no room in the counters." },
    };
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        put_family(m, out, families[i].kind, families[i].name, families[i].type, families[i].label, families[i].help);
}
