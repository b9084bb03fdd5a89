/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo-bench [--json] [--peer PROGRAM] [--lib FILE] [--command FILE] [--conf FILE] [--plugins FOLDER]: times the
 * library beside its reference.
 *
 * Both sides read the same bytes and take turns in every round; thread CPU time, minimum of the rounds. Without a peer
 * its columns are empty and say so.
 */
#include "bench.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15

static bool json;

void must(int rc, const char *step)
{
    if (rc == 0)
        return;
    (void)fprintf(stderr, "bench: %s failed with %d (%s)\n", step, rc, tenuo_err_name(rc));
    exit(1);
}

double cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static double best(double old, double ns, uint32_t iterations)
{
    double us = ns / iterations / 1000;
    return ns >= 0 && (old < 0 || us < old) ? us : old;
}

static void measure(struct item *item, size_t index, struct peer *peer)
{
    item->ours_us = -1;
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_ns();
        run_item(item, item->iterations);
        item->ours_us = best(item->ours_us, cpu_ns() - start, item->iterations);
        if (peer != NULL)
            item->peer_us = best(item->peer_us, peer_run(peer, index, item->iterations), item->iterations);
    }
}

static void print_item(const struct item *item)
{
    bool both = item->peer_us >= 0;
    double ratio = both ? item->peer_us / item->ours_us : 0;
    if (json && both)
        (void)printf("{\"name\":\"%s\",\"ours_us\":%.3f,\"peer_us\":%.3f,\"ratio\":%.3f}\n", item->name, item->ours_us,
                     item->peer_us, ratio);
    else if (json)
        (void)printf("{\"name\":\"%s\",\"ours_us\":%.3f,\"peer_us\":null,\"ratio\":null,\"note\":\"no peer: cargo is "
                     "missing, or "
                     "it could not build\"}\n",
                     item->name, item->ours_us);
    else if (both)
        (void)printf("%-20s %10.3f %10.3f %8.2f\n", item->name, item->ours_us, item->peer_us, ratio);
    else
        (void)printf("%-20s %10.3f %10s %8s\n", item->name, item->ours_us, "no peer", "-");
    (void)fflush(stdout);
}

static void print_value(const char *name, double value, const char *unit, const char *note)
{
    if (json && value >= 0)
        (void)printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"note\":\"%s\"}\n", name, value, unit, note);
    else if (json)
        (void)printf("{\"name\":\"%s\",\"value\":null,\"unit\":\"%s\",\"note\":\"not measured: %s\"}\n", name, unit,
                     note);
    else if (value >= 0)
        (void)printf("%-20s %10.1f %s (%s)\n", name, value, unit, note);
    else
        (void)printf("%-20s %10s (%s)\n", name, "-", note);
}

static struct peer *start_peer(const char *program, const struct item *items, size_t count)
{
    char path[] = "/tmp/tenuo-bench-XXXXXX";
    int fd = program == NULL ? -1 : mkstemp(path);
    if (fd < 0)
        return NULL;
    FILE *f = fdopen(fd, "w");
    must(f == NULL ? TENUO_E_SYSTEM : 0, "the file of items");
    write_items(f, items, count);
    (void)fclose(f);
    struct peer *peer = peer_start(program, path);
    (void)unlink(path);
    return peer;
}

struct options {
    const char *peer, *lib, *command, *conf, *plugins, *memory_of;
};

static bool parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        { "json", no_argument, NULL, 'j' },
        { "peer", required_argument, NULL, 'p' },
        { "lib", required_argument, NULL, 'l' },
        { "command", required_argument, NULL, 'c' },
        { "conf", required_argument, NULL, 'f' },
        { "plugins", required_argument, NULL, 'd' },
        { "memory-of", required_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'j')
            json = true;
        else if (option == 'p')
            o->peer = optarg;
        else if (option == 'l')
            o->lib = optarg;
        else if (option == 'c')
            o->command = optarg;
        else if (option == 'f')
            o->conf = optarg;
        else if (option == 'd')
            o->plugins = optarg;
        else if (option == 'm')
            o->memory_of = optarg;
        else
            return false;
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    static struct item items[BENCH_MAX_ITEMS];
    struct options o = { 0 };
    struct tenuo_matchers *matchers = NULL;
    if (!parse_options(argc, argv, &o)) {
        (void)fprintf(stderr,
                      "usage: tenuo-bench [--json] [--peer PROGRAM] [--lib FILE] [--command FILE] [--conf FILE] "
                      "[--plugins FOLDER]\n");
        return 2;
    }
    if (o.memory_of != NULL)
        return memory_child(o.memory_of);
    if (o.plugins != NULL)
        must(tenuo_matchers_open(o.plugins, NULL, 0, &matchers, NULL), "matchers");
    size_t count = make_items(items, matchers);
    for (size_t i = 0; i < count; i++)
        prepare_item(&items[i]);
    struct peer *peer = start_peer(o.peer, items, count);
    if (!json)
        (void)printf("%-20s %10s %10s %8s\n", "", "ours us", "peer us", "ratio");
    for (size_t i = 0; i < count; i++) {
        measure(&items[i], i, peer);
        print_item(&items[i]);
    }
    peer_stop(peer);
    report_revocation(items, count, print_value);
    report_threads(items, count, print_value);
    report_keys(o.conf, print_value);
    report_replay(o.plugins, print_value);
    report_library(o.lib, print_value);
    report_memory(argv[0], o.conf, print_value);
    report_startup(o.command, print_value, &items[0]);
    free_items(items, count);
    tenuo_matchers_unref(matchers);
    return 0;
}
