/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends tests/revocation/server.py, a real web server that serves one list well or badly. */
#ifndef TN_TEST_SERVER_H
#define TN_TEST_SERVER_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct server {
    pid_t pid;
    int input, port;
};

static inline void server_stop(struct server *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    close(s->input);
    s->pid = 0;
}

/* `more` are the arguments after LIST and LOG, ended by NULL. The server ends with us: its standard input does. */
static inline struct server server_start(const char *script, const char *list, const char *log, const char *const *more)
{
    const char *argv[16] = { "python3", script, list, log };
    struct server s = { 0 };
    int in[2], out[2];
    size_t n = 4;
    while (more != NULL && *more != NULL && n < 15)
        argv[n++] = *more++;
    if (pipe(in) != 0 || pipe(out) != 0)
        exit(1);
    s.pid = fork();
    if (s.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    if (f == NULL || fscanf(f, "%d", &s.port) != 1) {
        printf("Bail out! no web server\n");
        exit(1);
    }
    fclose(f);
    s.input = in[1];
    return s;
}

#endif
