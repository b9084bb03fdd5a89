/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that runs with rights which its caller has not (AT_SECURE): the caller's environment decides nothing.
 * TENUO_CONF is not read, and resolver env refuses. As root, a copy of this program is given to another user, with the
 * set-uid bit, and run by a third; whatever is found is compared with the same copy without that bit.
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "stage.h"
#include "tap.h"
#include <tenuo/context.h>
#include <tenuo/key.h>

#define CALLER 65534
#define OWNER 65533

/* ---- what the copy does: one word a line for its parent ---- */

static void note_named(void *arg, int is_error, const char *line)
{
    bool *named = arg;
    if (is_error && strstr(line, "caller.conf") != NULL)
        *named = true;
}

/* Does tenuo_open without a file read the one of the environment? That one has an error, so it is named. */
static bool reads_variable(void)
{
    bool named = false;
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err = { 0 };
    const struct tenuo_open_options options = { .size = sizeof options, .diag = note_named, .diag_arg = &named };
    if (tenuo_open("", &options, &ctx, &err) == TENUO_OK)
        tenuo_ctx_unref(ctx);
    return named || strstr(err.msg, "caller.conf") != NULL;
}

static int look_up(const char *conf, struct tenuo_error *err)
{
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_signer *signer = NULL;
    const struct tenuo_open_options options = { .size = sizeof options, .conf = conf };
    int r = tenuo_open("", &options, &ctx, err);
    if (r != TENUO_OK)
        return r;
    r = tenuo_ctx_signer(ctx, "alice", 0, NULL, &signer, err);
    tenuo_signer_free(signer);
    tenuo_ctx_unref(ctx);
    return r;
}

static int inner(const char *conf)
{
    struct tenuo_error err = { 0 };
    printf("secure %lu\n", getauxval(AT_SECURE));
    printf("variable %s\n", reads_variable() ? "read" : "ignored");
    int r = look_up(conf, &err);
    printf("key %d %s\n", r, r == TENUO_OK ? "" : err.msg);
    return 0;
}

/* ---- the test ---- */

/* Output of the copy at `program`, run as CALLER with an environment that it should not trust. */
static void run_copy(const char *program, const char *conf, char *ret_out, size_t size)
{
    int pipes[2], status = 0;
    size_t n = 0;
    ssize_t got;
    if (pipe(pipes) != 0)
        stage_die("pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const gid_t nobody = CALLER;
        setenv("TENUO_CONF", stage_path("caller.conf"), 1);
        setenv("TENUO_KEY_alice", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 1);
        if (setgroups(1, &nobody) != 0 || setgid(CALLER) != 0 || setuid(CALLER) != 0 || dup2(pipes[1], 1) < 0)
            _exit(126);
        execl(program, program, "--inner", conf, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    for (got = 1; got > 0 && n + 1 < size; n += got > 0 ? (size_t)got : 0)
        got = read(pipes[0], ret_out + n, size - 1 - n);
    ret_out[n] = '\0';
    close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
}

static const char *stage_program(const char *name, mode_t mode)
{
    const char *path = stage_copy("/proc/self/exe", name, 0755);
    if (chown(path, OWNER, OWNER) != 0 || chmod(path, mode) != 0)
        stage_die(path);
    return path;
}

static const char *prepare(const char *plugin_dir)
{
    char from[4096], text[4096];
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    char pem[TENUO_PUBLIC_PEM_MAX_BYTES];
    struct tenuo_signer *root = NULL;
    if (chmod(stage_root, 0711) != 0 || tenuo_signer_generate(&root, NULL) != TENUO_OK)
        stage_die(stage_root);
    memcpy(key, tenuo_signer_public_key(root), sizeof key);
    tenuo_signer_free(root);
    tenuo_public_key_pem(key, pem);
    stage_text("root.pub", pem);
    stage_text("caller.conf", "this is no line of a configuration\n");
    snprintf(from, sizeof from, "%s/tenuo_env.so", plugin_dir);
    stage_copy(from, "tenuo_env.so", 0755);
    snprintf(text, sizeof text, "set plugin_dir %s\ntrust required file path=%s\nresolver required env\n", stage_root,
             stage_path("root.pub"));
    return stage_text("service.conf", text);
}

/* Why set-uid means nothing here, or NULL. */
static const char *obstacle(void)
{
    struct statvfs fs;
    if (geteuid() != 0)
        return "only root can give a program to another user";
    if (statvfs(stage_root, &fs) != 0 || (fs.f_flag & ST_NOSUID) != 0)
        return "the file system of /tmp is mounted nosuid";
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
        return "this process may gain no privileges";
    return NULL;
}

static void test_copies(const char *plugin_dir)
{
    char plain[2048], secure[2048];
    const char *conf = prepare(plugin_dir);
    run_copy(stage_program("plain", 0755), conf, plain, sizeof plain);
    run_copy(stage_program("secure", 04755), conf, secure, sizeof secure);
    if (strstr(plain, "secure 0\n") == NULL || strstr(secure, "secure 1\n") == NULL) {
        skip_test("the caller's environment decides nothing", "set-uid has no effect here");
        printf("# %.300s\n# %.300s\n", plain, secure);
        return;
    }
    ok(strstr(plain, "variable read\n") != NULL, "TENUO_CONF names the configuration of a plain program");
    ok(strstr(secure, "variable ignored\n") != NULL, "and not that of a set-uid one");
    ok(strstr(plain, "key 0 \n") != NULL, "resolver env serves a plain program");
    ok(strstr(secure, "key 9304 ") != NULL, "and refuses a set-uid one");
    ok(strstr(secure, "use resolver file") != NULL, "with a sentence that names the remedy");
    if (tap_failed != 0)
        printf("# plain: %.900s\n# secure: %.900s\n", plain, secure);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--inner") == 0)
        return inner(argv[2]);
    stage_begin();
    const char *why = obstacle();
    if (why != NULL)
        skip_test("the caller's environment decides nothing", why);
    else
        test_copies(argc > 1 ? argv[1] : ".");
    stage_end();
    return done_testing();
}
