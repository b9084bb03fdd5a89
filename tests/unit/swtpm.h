/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM in software for one test program: started on loopback in the stage, stopped by its pid, and asked by the TPM's
 * own tools. */
#ifndef TN_SWTPM_H
#define TN_SWTPM_H

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "stage.h"

static struct {
    pid_t pid;
    int port; /* and the next one, for its control channel */
    char state[128];
    char tcti[64];
} swtpm;

static inline uint64_t test_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline void test_sleep(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

/* A listening or connected socket on a port of loopback, or -1. */
static inline int test_socket(int port, bool listening)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (listening)
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const struct sockaddr *to = (const void *)&a;
    if (s >= 0 && (listening ? bind(s, to, sizeof a) : connect(s, to, sizeof a)) == 0)
        return s;
    if (s >= 0)
        close(s);
    return -1;
}

/* Two neighbouring free ports. */
static inline int test_port_pair(void)
{
    for (int i = 0; i < 200; i++) {
        int port = 20000 + (int)((unsigned)(getpid() * 7 + i * 38) % 12000), a = test_socket(port, true);
        int b = a < 0 ? -1 : test_socket(port + 1, true);
        if (a >= 0)
            close(a);
        if (b >= 0)
            close(b);
        if (b >= 0)
            return port;
    }
    printf("Bail out! no two free ports\n");
    exit(1);
}

/* Exit status of a shell command, with the tools pointed at our TPM. There is no resource manager: what a tool leaves
 * in the TPM takes one of three places until `fl`. */
__attribute__((format(printf, 1, 2))) static inline int tool(const char *fmt, ...)
{
    char line[3000], command[4000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    snprintf(command, sizeof command,
             "export TPM2TOOLS_TCTI='%s' TSS2_LOG=all+none; cd %s || exit 9; "
             "fl() { for i in t l s; do tpm2_flushcontext -$i; done >/dev/null 2>&1; }; "
             "{ %s; } >tool.out 2>&1",
             swtpm.tcti, stage_root, line);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What the last tool printed. */
static inline const char *tool_said(void)
{
    static char text[8192];
    FILE *f = fopen(stage_path("tool.out"), "re");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    if (f != NULL)
        fclose(f);
    return text;
}

static inline bool swtpm_installed(void)
{
    return system("command -v swtpm tpm2_createprimary tpm2_encodeobject openssl >/dev/null 2>&1") == 0 &&
           system("for t in swtpm tpm2_createprimary openssl; do command -v $t || exit 1; done >/dev/null 2>&1") == 0;
}

static inline bool swtpm_run(void)
{
    char state[160], server[128], control[128];
    snprintf(state, sizeof state, "dir=%s", swtpm.state);
    snprintf(server, sizeof server, "type=tcp,port=%d,bindaddr=127.0.0.1,disconnect=off", swtpm.port);
    snprintf(control, sizeof control, "type=tcp,port=%d,bindaddr=127.0.0.1", swtpm.port + 1);
    swtpm.pid = fork();
    if (swtpm.pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", control,
               "--flags", "not-need-init,startup-clear", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 250; i++) {
        int s = test_socket(swtpm.port + 1, false);
        if (s >= 0) {
            close(s);
            return tool("tpm2_getrandom --hex 8") == 0;
        }
        test_sleep(20);
    }
    return false;
}

/* A new TPM whose state is in the stage's folder `name`. */
static inline bool swtpm_start(const char *name)
{
    if (swtpm.port == 0)
        swtpm.port = test_port_pair();
    snprintf(swtpm.tcti, sizeof swtpm.tcti, "swtpm:host=127.0.0.1,port=%d", swtpm.port);
    snprintf(swtpm.state, sizeof swtpm.state, "%s", stage_path(name));
    if (mkdir(swtpm.state, 0700) != 0 && errno != EEXIST)
        stage_die(swtpm.state);
    return swtpm_run();
}

static inline void swtpm_stop(void)
{
    if (swtpm.pid <= 0)
        return;
    kill(swtpm.pid, SIGCONT);
    kill(swtpm.pid, SIGTERM);
    for (int i = 0; i < 100; i++) {
        if (waitpid(swtpm.pid, NULL, WNOHANG) != 0) {
            swtpm.pid = 0;
            return;
        }
        test_sleep(20);
    }
    kill(swtpm.pid, SIGKILL);
    waitpid(swtpm.pid, NULL, 0);
    swtpm.pid = 0;
}

#endif
