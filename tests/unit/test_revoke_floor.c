/* SPDX-License-Identifier: Apache-2.0 */
/* The version floor on disk: what is read, what is refused, what two processes do to each other. */
#include "../../core/revoke_floor.h"

#include <signal.h>
#include <sys/wait.h>
#include <tenuo/error.h>

#include "stage.h"
#include "tap.h"

#define HEADER "# tenuo: version floor of revocation lists; see tenuo.conf(5)\n"
#define KEY_A "0000000000000000000000000000000000000000000000000000000000000001"
#define KEY_B "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define HASH "abababababababababababababababababababababababababababababababab"

static char path[128];
static struct tenuo_error err;

static int open_floor(struct tn_floor *f)
{
    err = (struct tenuo_error){ 0 };
    return tn_floor_open(path, f, &err);
}

static struct tenuo_srl_floor entry(uint8_t issuer, uint64_t version)
{
    struct tenuo_srl_floor e = { .version = version };
    e.issuer[31] = issuer;
    memset(e.content_hash, 0xab, sizeof e.content_hash);
    return e;
}

static void text_is(const char *want, const char *what)
{
    size_t len = 0;
    char *text = stage_read(path, &len);
    is_str(text, want, "%s", what);
    free(text);
}

static void check_store(void)
{
    struct tn_floor f;
    struct tenuo_srl_floor a = entry(1, 7), again = entry(1, UINT64_MAX), b = entry(2, 0);
    uint64_t version = 99;
    is_int(open_floor(&f), TENUO_OK, "a file that is not there");
    ok(f.n == 0 && tn_floor_find(&f, a.issuer) == NULL, "remembers nothing");
    is_int(tn_floor_store(&f, &a, &err), TENUO_OK, "stores: %s", err.msg);
    tn_floor_close(&f);
    text_is(HEADER KEY_A " 7 " HASH "\n", "one line");
    is_int(open_floor(&f), TENUO_OK, "again");
    is_int((long long)tn_floor_find(&f, a.issuer)->version, 7, "read back");
    is_int(tn_floor_store(&f, &again, &err), TENUO_OK, "the largest version");
    is_int(tn_floor_store(&f, &b, &err), TENUO_OK, "another issuer");
    tn_floor_close(&f);
    is_int(tn_floor_version(path, a.issuer, &version, &err), TENUO_OK, "one look");
    ok(version == UINT64_MAX, "the largest version is read back");
    is_int(tn_floor_check(path, &err), TENUO_OK, "usable");
    unlink(path);
    is_int(tn_floor_version(path, a.issuer, &version, &err), TENUO_OK, "one look at nothing");
    is_int((long long)version, 0, "version 0");
}

static void refused(const char *text, const char *what)
{
    struct tn_floor f;
    uint64_t version = 99;
    uint8_t key[32] = { 0 };
    stage_text("floor", text);
    is_int(open_floor(&f), TENUO_E_CONF, "%s: %s", what, err.msg);
    ok(strstr(err.msg, path) != NULL && strstr(err.msg, "remove it") != NULL, "%s: place and remedy", what);
    is_int(tn_floor_version(path, key, &version, NULL), TENUO_E_CONF, "%s: one look", what);
    is_int((long long)version, 99, "%s: untouched", what);
    text_is(text, "never repaired");
}

static void check_damaged(void)
{
    refused("", "empty");
    refused("x", "another file");
    refused(HEADER KEY_A " 7 " HASH, "cut off at the newline");
    refused(HEADER KEY_A " 7 abab\n", "a short hash");
    refused(HEADER KEY_A " 7  " HASH "\n", "two blanks");
    refused(HEADER KEY_A " -7 " HASH "\n", "a negative version");
    refused(HEADER KEY_A " 18446744073709551616 " HASH "\n", "a version above 64 bits");
    refused(HEADER KEY_A " 07 " HASH "\n", "a zero in front");
    refused(HEADER KEY_A "  " HASH "\n", "no version");
    refused(HEADER KEY_A " 7 " HASH " \n", "something behind");
    refused(HEADER "\n", "an empty line");
    refused(HEADER "# no\n", "a comment");
    refused(HEADER "FF" KEY_B " 7 " HASH "\n", "a long key");
    refused(HEADER "FFffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff 7 " HASH "\n", "capitals");
    refused(HEADER KEY_A " 7 " HASH "\n" KEY_B " 7 " HASH "\n" KEY_A " 8 " HASH "\n", "an issuer twice");
    stage_text("floor", HEADER KEY_A " 7 " HASH "\n" KEY_B " 0 " HASH "\n");
    struct tn_floor f;
    is_int(open_floor(&f), TENUO_OK, "two good lines");
    is_int((long long)f.n, 2, "two");
    tn_floor_close(&f);
}

static void check_place(void)
{
    struct tn_floor f;
    char good[128];
    snprintf(good, sizeof good, "%s", path);
    snprintf(path, sizeof path, "%s/none/floor", stage_root);
    is_int(open_floor(&f), TENUO_E_SYSTEM, "no directory: %s", err.msg);
    ok(strstr(err.msg, "floor=") != NULL, "says what to do");
    snprintf(path, sizeof path, "%s", stage_mkdir("open", 0777));
    strcat(path, "/floor");
    is_int(open_floor(&f), TENUO_E_CONF, "a directory of everybody: %s", err.msg);
    snprintf(path, sizeof path, "%s", good);
    unlink(path);
    ok(symlink("/etc/passwd", path) == 0, "a link");
    is_int(open_floor(&f), TENUO_E_CONF, "is refused: %s", err.msg);
    unlink(path);
    unlink(stage_path("floor.lock"));
    ok(symlink("/etc/passwd", stage_path("floor.lock")) == 0, "a link for the lock");
    ok(open_floor(&f) != TENUO_OK, "is refused: %s", err.msg);
    unlink(stage_path("floor.lock"));
}

/* A process that does not let go is waited for, but not for ever. */
static void check_lock(void)
{
    struct tn_floor f;
    int ready[2];
    char byte;
    if (pipe(ready) != 0)
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        if (open_floor(&f) != TENUO_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    ok(read(ready[0], &byte, 1) == 1, "another process has it");
    is_int(open_floor(&f), TENUO_E_UNAVAILABLE, "%s", err.msg);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    is_int(open_floor(&f), TENUO_OK, "it died: the lock is free");
    child = fork();
    if (child == 0) {
        for (;;)
            pause(); /* has the open file of the lock too */
    }
    tn_floor_close(&f);
    is_int(open_floor(&f), TENUO_OK, "a child that was forked meanwhile does not keep it");
    tn_floor_close(&f);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Each process raises the floor a hundred times; nothing is lost. */
static void check_many(void)
{
    struct tn_floor f;
    int status, good = 0;
    for (int p = 0; p < 4; p++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < 25; i++) {
            struct tenuo_srl_floor e = entry(1, 0);
            if (tn_floor_open(path, &f, NULL) != TENUO_OK)
                _exit(1);
            const struct tenuo_srl_floor *now = tn_floor_find(&f, e.issuer);
            e.version = now == NULL ? 1 : now->version + 1;
            if (tn_floor_store(&f, &e, NULL) != TENUO_OK)
                _exit(1);
            tn_floor_close(&f);
        }
        _exit(0);
    }
    for (int p = 0; p < 4; p++)
        good += wait(&status) > 0 && status == 0;
    uint64_t version = 0;
    struct tenuo_srl_floor e = entry(1, 0);
    (void)tn_floor_version(path, e.issuer, &version, NULL);
    ok(good == 4 && version == 100, "four processes, a hundred steps: %d, %d", good, (int)version);
}

int main(void)
{
    stage_begin();
    snprintf(path, sizeof path, "%s/floor", stage_root);
    check_store();
    check_damaged();
    unlink(path);
    check_place();
    check_lock();
    check_many();
    stage_end();
    return done_testing();
}
