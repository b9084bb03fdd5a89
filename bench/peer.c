/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side: a process that reads the items once, then runs "INDEX ITERATIONS" lines and answers with its CPU
 * nanoseconds.
 *
 * A peer that is missing or fails is said once and never stops the benchmark.
 */
#include "bench.h"
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct peer {
    FILE *in, *out;
    pid_t pid;
};

static bool spawn_piped(const char *program, const char *items_path, struct peer *peer)
{
    int to[2], from[2];
    posix_spawn_file_actions_t actions;
    char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)items_path, NULL };
    if (pipe(to) != 0 || pipe(from) != 0)
        return false;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    (void)posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    (void)posix_spawn_file_actions_addclose(&actions, to[1]);
    (void)posix_spawn_file_actions_addclose(&actions, from[0]);
    int rc = posix_spawn(&peer->pid, program, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(to[0]);
    (void)close(from[1]);
    peer->in = fdopen(to[1], "w");
    peer->out = fdopen(from[0], "r");
    return rc == 0 && peer->in != NULL && peer->out != NULL;
}

struct peer *peer_start(const char *program, const char *items_path)
{
    char line[128] = "";
    if (program == NULL)
        return NULL;
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer != NULL && spawn_piped(program, items_path, peer) && fgets(line, sizeof line, peer->out) != NULL &&
        strcmp(line, "ready\n") == 0)
        return peer;
    (void)fprintf(stderr, "bench: the peer %s does not start: %s\n", program, line);
    free(peer);
    return NULL;
}

double peer_run(struct peer *peer, size_t index, uint32_t iterations)
{
    double ns = -1;
    if (fprintf(peer->in, "%zu %u\n", index, (unsigned)iterations) < 0 || fflush(peer->in) != 0 ||
        fscanf(peer->out, "%lf", &ns) != 1)
        return -1;
    return ns;
}

void peer_stop(struct peer *peer)
{
    if (peer == NULL)
        return;
    (void)fclose(peer->in);
    (void)fclose(peer->out);
    (void)waitpid(peer->pid, NULL, 0);
    free(peer);
}
