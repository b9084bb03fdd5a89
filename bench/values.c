/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is not a time per call: size and dependencies of the library, memory of a process with a context open, start-up
 * of the command. Each is measured from outside, on the files as they are built.
 */
#include "bench.h"
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define STARTS 40

/* Runs a program to its end, output discarded unless `out` asks for it. Exit status, or -1. */
static int run_program(char *const argv[], FILE **out)
{
    int pipes[2] = { -1, -1 }, status = 0;
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    if (out != NULL && pipe(pipes) != 0)
        return -1;
    (void)posix_spawn_file_actions_init(&actions);
    if (out != NULL)
        (void)posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    else
        (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
    int rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (out != NULL) {
        (void)close(pipes[1]);
        *out = fdopen(pipes[0], "r");
    }
    if (rc != 0)
        return -1;
    if (out != NULL)
        return 0; /* the reader waits */
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double stripped_size(const char *path)
{
    char copy[] = "/tmp/tenuo-bench-XXXXXX";
    int fd = mkstemp(copy);
    struct stat st = { 0 };
    char *const argv[] = { (char[]){ "strip" }, (char[]){ "-o" }, copy, (char *)(uintptr_t)path, NULL };
    if (fd < 0)
        return -1;
    (void)close(fd);
    bool good = run_program(argv, NULL) == 0 && stat(copy, &st) == 0;
    (void)unlink(copy);
    return good ? (double)st.st_size / 1024 : -1;
}

/* The NEEDED entries, in one line. */
static unsigned dependencies(const char *path, char *names, size_t size)
{
    char *const argv[] = { (char[]){ "readelf" }, (char[]){ "-d" }, (char *)(uintptr_t)path, NULL };
    char line[512];
    FILE *out = NULL;
    unsigned count = 0;
    names[0] = '\0';
    if (run_program(argv, &out) != 0 || out == NULL)
        return 0;
    while (fgets(line, sizeof line, out) != NULL) {
        const char *name = strchr(line, '[');
        size_t used = strlen(names);
        if (strstr(line, "(NEEDED)") == NULL || name == NULL)
            continue;
        (void)snprintf(names + used, size - used, "%s%.*s", count == 0 ? "" : " ", (int)strcspn(name + 1, "]"),
                       name + 1);
        count++;
    }
    (void)fclose(out);
    (void)wait(NULL);
    return count;
}

void report_library(const char *path, value_fn *report)
{
    char names[256] = "";
    if (path == NULL) {
        report("library_stripped", -1, "KiB", "no library given");
        return;
    }
    report("library_stripped", stripped_size(path), "KiB", path);
    unsigned count = dependencies(path, names, sizeof names);
    report("library_dependencies", count == 0 ? -1.0 : (double)count, "libraries", names);
}

static long resident_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (f != NULL)
        (void)fclose(f);
    return kib;
}

int memory_child(const char *conf)
{
    struct tenuo_open_options options = { .size = sizeof options, .conf = conf };
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err;
    int rc = tenuo_open("", &options, &ctx, &err);
    if (rc != 0)
        (void)fprintf(stderr, "bench: %s: %s\n", conf, err.msg);
    (void)printf("%ld\n", rc == 0 ? resident_kib() : -1L);
    tenuo_ctx_unref(ctx);
    return rc != 0;
}

void report_memory(const char *self, const char *conf, value_fn *report)
{
    char *const argv[] = { (char *)(uintptr_t)self, (char[]){ "--memory-of" }, (char *)(uintptr_t)conf, NULL };
    FILE *out = NULL;
    long kib = -1;
    if (conf != NULL && run_program(argv, &out) == 0 && out != NULL && fscanf(out, "%ld", &kib) != 1)
        kib = -1;
    if (out != NULL)
        (void)fclose(out);
    (void)wait(NULL);
    report("resident_memory", (double)kib, "KiB",
           conf == NULL ? "no configuration given" : "a process with a context open");
}

static double children_cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    return 1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static bool write_bytes(char *path, const struct blob *bytes)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return false;
    bool good = write(fd, bytes->p, bytes->len) == (ssize_t)bytes->len;
    return close(fd) == 0 && good;
}

void report_startup(const char *command, value_fn *report, const struct item *item)
{
    char warrant[] = "/tmp/tenuo-bench-XXXXXX", root[65];
    double best = -1;
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(root + 2 * i, 3, "%02x", item->root[i]);
    char *const argv[] = { (char *)(uintptr_t)command,
                           (char[]){ "verify" },
                           (char[]){ "--root" },
                           root,
                           (char[]){ "--at" },
                           (char[]){ "1704067260" },
                           warrant,
                           NULL };
    bool good = command != NULL && write_bytes(warrant, &item->bytes);
    for (int i = 0; good && i < STARTS; i++) {
        double before = children_cpu_us();
        good = run_program(argv, NULL) == 0;
        double used = children_cpu_us() - before;
        if (good && (best < 0 || used < best))
            best = used;
    }
    (void)unlink(warrant);
    report("verify_startup", good ? best : -1, "us",
           command == NULL ? "no command given" : "CPU of `tenuo verify` on one warrant");
}
