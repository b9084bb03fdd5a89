/* SPDX-License-Identifier: Apache-2.0 */
/* SoftHSM for tests: its module, a token in the test's own directory, and the tools that also use it. */
#ifndef TN_PKCS11_ENV_H
#define TN_PKCS11_ENV_H

#include <linux/limits.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "stage.h"

#ifdef __SANITIZE_ADDRESS__
/* SoftHSM 2.6.1 loses what it makes of a curve's name, in each C_SignInit, by way of libcrypto, which nothing else in
 * these tests uses; without frame pointers its caller is not in the trace. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libsofthsm2.so\nleak:libcrypto.so\n";
}
#endif
/* p11-kit lends the module mutexes of its own and, when the module goes, unlocks one that this checker did not see
 * locked: libraries that are not built with it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "mutex:libp11-kit.so\nmutex:libsofthsm2.so\n";
}

static char module[PATH_MAX] = "/nowhere/module.so";

static inline int run(const char *const argv[])
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int log = open(stage_path("tools.log"), O_WRONLY | O_CREAT | O_APPEND, 0666);
        log = log < 0 ? open("/dev/null", O_WRONLY) : log; /* another user's */
        dup2(log, 1);
        dup2(log, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        stage_die("fork");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

#define TOOL(...) \
    RUN("pkcs11-tool", "--module", module, "--token-label", "tenuo", "--login", "--pin", "1234", __VA_ARGS__)

static inline bool tool_key(const char *type, const char *label)
{
    return TOOL("--keypairgen", "--key-type", type, "--id", "01", "--label", label) == 0;
}

static inline bool tool_delete(const char *type, const char *label)
{
    return TOOL("--delete-object", "--type", type, "--label", label) == 0;
}

static inline bool find_module(void)
{
    static const char *const paths[] = { "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
                                         "/usr/lib64/softhsm/libsofthsm2.so",
                                         "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so" };
    char real[PATH_MAX];
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (realpath(paths[i], real) != NULL) { /* a link is refused */
            snprintf(module, sizeof module, "%s", real);
            return true;
        }
    return false;
}

static inline bool make_token(const char *conf, const char *dir, const char *label)
{
    char text[1200];
    stage_mkdir(dir, 0700);
    snprintf(text, sizeof text, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
             stage_path(dir));
    stage_text(conf, text);
    setenv("SOFTHSM2_CONF", stage_path(conf), 1);
    return RUN("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "5678") == 0;
}

#endif
