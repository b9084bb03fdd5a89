/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that can go wrong with a list in a file and with its floor: the last good list stays within its bound, a
 * program that has none denies, each failure is logged once a step, and all of it heals.
 */
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "revoke_env.h"

#define LINE "revocation required file path=$ROOT/list floor=$ROOT/floor refresh=100ms max_age=60s\n"
#define HEAL_MS 6000 /* longer than the steps that a test can have caused */

static void begin(uint64_t version, bool ours)
{
    unlink(stage_path("floor"));
    put_list("list", version, ours);
}

/*
 * A list that must not be taken, in the place of a good one. A running context keeps what it has and says so once a
 * step; one that is opened now denies; and both heal.
 */
static void refused_list(const uint8_t *bytes, size_t len, const char *sentence, const char *what)
{
    begin(5, false);
    struct tenuo_ctx *ctx = opened(LINE), *late;
    is_int(ask(ctx), 0, "%s: a good list before", what);
    double began = monotonic();
    put_bytes("list", bytes, len);
    stays(ctx, 0, 700, what);
    told_once(sentence, began, what);
    told_once("version 5 stays in force", began, what);
    late = opened(LINE);
    is_int(ask(late), TENUO_E_UNAVAILABLE, "%s: without a good list (%s)", what, why);
    logs(sentence);
    logs("there is no revocation list that may be used");
    put_list("list", 6, true);
    becomes(ctx, TENUO_E_REVOKED, HEAL_MS, "heals");
    becomes(late, TENUO_E_REVOKED, HEAL_MS, "heals too");
    logs("the revocation list is there again");
    tenuo_ctx_unref(ctx);
    tenuo_ctx_unref(late);
}

static void check_lists(void)
{
    size_t len = 0;
    uint8_t *bytes = make_list(4, false, root_key, born, &len);
    refused_list(bytes, len, "is older than version 5 seen before", "older than the floor");
    tenuo_bytes_free(bytes, len);
    bytes = make_list(5, true, root_key, born, &len);
    refused_list(bytes, len, "has other content", "same version, other content");
    tenuo_bytes_free(bytes, len);
    bytes = make_list(6, false, root_key, born, &len);
    refused_list(bytes, len - 1, "file: revocation list: ", "truncated");
    refused_list(bytes, len / 2, "file: revocation list: ", "half of it");
    refused_list(bytes, 0, "file: revocation list: ", "empty");
    bytes[len - 1] ^= 1;
    refused_list(bytes, len, "signature does not verify", "a broken signature");
    tenuo_bytes_free(bytes, len);
    bytes = make_list(6, false, other_key, born, &len);
    refused_list(bytes, len, "not trusted", "signed by a stranger");
    tenuo_bytes_free(bytes, len);
    refused_list((const uint8_t *)"<html>", 6, "file: revocation list: ", "no list at all");
}

/* A torn write: the file is there, and half of it. */
static void check_torn(void)
{
    size_t len = 0;
    uint8_t *bytes = make_list(2, true, root_key, born, &len);
    begin(1, false);
    struct tenuo_ctx *ctx = opened(LINE);
    stage_write("list", bytes, len / 2, 0644);
    stays(ctx, 0, 400, "half a list");
    stage_write("list", bytes, len, 0644);
    becomes(ctx, TENUO_E_REVOKED, HEAL_MS, "then all of it");
    tenuo_bytes_free(bytes, len);
    tenuo_ctx_unref(ctx);
}

static void check_age(void)
{
    begin(1, false);
    struct tenuo_ctx *ctx =
        opened("revocation required file path=$ROOT/list floor=$ROOT/floor refresh=100ms max_age=2s\n");
    is_int(ask(ctx), 0, "a list");
    unlink(stage_path("list"));
    stays(ctx, 0, 1000, "its source is gone: still in force");
    becomes(ctx, TENUO_E_UNAVAILABLE, 4000, "until max_age");
    ok(strstr(why, "tenuo.conf:2 file") != NULL, "says which line: %s", why);
    stays(ctx, TENUO_E_UNAVAILABLE, 300, "and stays so");
    ok(logged_times("no such file") <= 4, "said a step, not a decision: %d", logged_times("no such file"));
    put_list("list", 1, false);
    becomes(ctx, 0, HEAL_MS, "heals");
    tenuo_ctx_unref(ctx);
    put_list_by("list", 2, false, root_key, born - 100);
    ctx = opened("set revocation_max_age 90s\n" LINE);
    is_int(ask(ctx), TENUO_E_UNAVAILABLE, "issued too long ago");
    logs("was issued more than 90 s ago");
    put_list("list", 2, false);
    becomes(ctx, 0, HEAL_MS, "signed anew");
    tenuo_ctx_unref(ctx);
}

static void check_floor(void)
{
    begin(3, false);
    struct tenuo_ctx *ctx = opened(LINE);
    is_int(ask(ctx), 0, "a list, and its floor");
    tenuo_ctx_unref(ctx);
    size_t len = 0;
    char *floor = stage_read(stage_path("floor"), &len);
    stage_write("floor", floor, len - 10, 0600);
    ctx = opened(LINE);
    is_int(ask(ctx), TENUO_E_UNAVAILABLE, "a damaged floor refuses");
    logs("damaged");
    stage_write("floor", floor, len, 0600);
    becomes(ctx, 0, HEAL_MS, "put back: heals");
    tenuo_ctx_unref(ctx);
    chmod(stage_path("floor"), 0666);
    ctx = opened(LINE);
    is_int(ask(ctx), TENUO_E_UNAVAILABLE, "a floor that others may write refuses");
    logs("chmod");
    chmod(stage_path("floor"), 0600);
    becomes(ctx, 0, HEAL_MS, "heals");
    unlink(stage_path("floor"));
    put_list("list", 2, false);
    stays(ctx, 0, 400, "a lost floor");
    logs("older than version 3");
    tenuo_ctx_unref(ctx);
    free(floor);
    ctx = opened("revocation required file path=$ROOT/list floor=$ROOT/nowhere/floor refresh=100ms max_age=60s\n");
    is_int(ask(ctx), TENUO_E_UNAVAILABLE, "no directory for it");
    logs("floor=");
    stage_mkdir("nowhere", 0700);
    becomes(ctx, 0, HEAL_MS, "made: heals");
    tenuo_ctx_unref(ctx);
}

/* Another process accepts a newer list meanwhile; what our source still has is then no confirmation. */
static void check_floor_of_others(void)
{
    begin(3, false);
    put_list("mirror", 3, false);
    struct tenuo_ctx *ctx =
        opened("revocation required file path=$ROOT/mirror floor=$ROOT/floor refresh=100ms max_age=60s\n");
    is_int(ask(ctx), 0, "a mirror");
    sleep_ms(2500); /* from now on it is known to be unchanged */
    stays(ctx, 0, 300, "unchanged");
    put_list("list", 4, false);
    struct tenuo_ctx *ahead = opened(LINE);
    is_int(ask(ahead), 0, "another program is ahead");
    stays(ctx, 0, 400, "the mirror's list stays within its bound");
    logs("still version 3 where version 4 was seen");
    tenuo_ctx_unref(ahead);
    tenuo_ctx_unref(ctx);
}

/* In a child, since a limit cannot be raised again. Exit status: 0 when all was as it should be. */
static int full_disk(void (*fill)(void), void (*drain)(void), const char *conf)
{
    struct tenuo_ctx *ctx = NULL;
    int failed_before = tap_failed;
    if (open_conf(conf, &ctx, NULL) != TENUO_OK)
        return 1;
    is_int(ask(ctx), 0, "before");
    fill();
    (void)rename(stage_path("next"), stage_path("list"));
    stays(ctx, 0, 1200, "a new list whose floor cannot be written is not used");
    logs("version floor cannot be written");
    ok(logged_times("version floor cannot be") <= 2, "said a step: %d", logged_times("version floor cannot be"));
    drain();
    becomes(ctx, TENUO_E_REVOKED, HEAL_MS, "with room: heals");
    tenuo_ctx_unref(ctx);
    return tap_failed - failed_before;
}

static void limit_files(void)
{
    const struct rlimit none = { 0, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &none);
}

static void no_limit(void)
{
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    (void)setrlimit(RLIMIT_FSIZE, &none);
}

static void check_file_limit(void)
{
    begin(1, false);
    put_list("next", 2, true);
    is_int(full_disk(limit_files, no_limit, LINE), 0, "EFBIG");
}

static void fill_disk(void)
{
    char block[4096] = { 1 };
    int fd = open(stage_path("small/ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof block) > 0)
        ;
    close(fd);
}

static void drain_disk(void)
{
    unlink(stage_path("small/ballast"));
}

static void check_full_disk(void)
{
    stage_mkdir("small", 0700);
    if (mount("none", stage_path("small"), "tmpfs", MS_NOSUID | MS_NODEV, "size=16k,mode=0700") != 0) {
        skip_test("ENOSPC", "no right to mount a small file system");
        return;
    }
    begin(1, false);
    put_list("next", 2, true);
    is_int(full_disk(fill_disk, drain_disk,
                     "revocation required file path=$ROOT/list floor=$ROOT/small/floor refresh=100ms max_age=60s\n"),
           0, "ENOSPC");
    (void)umount(stage_path("small"));
}

int main(void)
{
    env_begin();
    check_lists();
    check_torn();
    check_age();
    check_floor();
    check_floor_of_others();
    check_file_limit();
    check_full_disk();
    return env_end();
}
