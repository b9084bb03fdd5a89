/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of keys in files: rotation while others read, a disk that is full at any point, and numbers that are given
 * once. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_resolver_ops *ops;
static uint32_t version;
static int syncs_left = -1; /* that many go well, then one fails */

/* Stands before the C library's for the plugin as well: a disk that loses a write. */
__attribute__((visibility("default"))) int fsync(int fd)
{
    if (syncs_left >= 0 && syncs_left-- == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void *opened(const char *path)
{
    const struct tenuo_arg args[] = { { .name = "path", .value = path }, { .name = "credential" } };
    void *self = NULL;
    is_int(ops->open(&mock_host, args, 2, &self), TENUO_OK, "opens: %s", mock_said);
    return self;
}

static void seed_of(void *self, uint32_t v, const uint8_t want[32], const char *what)
{
    uint8_t got[32];
    is_int(ops->export_seed(self, "agent", v, got), TENUO_OK, "%s: %s", what, mock_said);
    ok(memcmp(got, want, 32) == 0, "is that key");
}

static void life(void)
{
    void *self = opened(stage_mkdir("life", 0700));
    uint8_t one[32], two[32], three[32], key[32];
    struct tenuo_key_entry entry;
    randombytes_buf(one, 32);
    randombytes_buf(two, 32);
    randombytes_buf(three, 32);
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, one, &version), TENUO_E_KEY_NOT_FOUND,
           "nothing to rotate");
    is_int(ops->import(self, "agent", 0, one, &version), TENUO_OK, "import");
    is_int((int)version, 1, "is version 1");
    seed_of(self, 1, one, "a key that was never rotated is version 1");
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, two, &version), TENUO_OK, "rotate: %s", mock_said);
    is_int((int)version, 2, "is version 2");
    seed_of(self, 0, two, "the newest");
    seed_of(self, 1, one, "version 1");
    seed_of(self, 2, two, "version 2");
    is_int(ops->describe(self, "agent", 1, &entry), TENUO_OK, "describe");
    ok(entry.version == 1 && entry.oldest == 1 && entry.newest == 2 && entry.created_at > 1600000000, "says so");
    is_int(ops->export_seed(self, "agent", 3, key), TENUO_E_KEY_NOT_FOUND, "no version 3");
    is_int(ops->remove(self, "agent", 2), TENUO_E_INVALID_ARGUMENT, "the newest stays while there is an older one");
    unlink(stage_path("life/agent@1.pub")); /* it is optional */
    is_int(ops->remove(self, "agent", 1), TENUO_OK, "the old one goes");
    ok(access(stage_path("life/agent@1.pub"), F_OK) == 0, "and leaves its public key as a record");
    is_int(ops->export_seed(self, "agent", 1, key), TENUO_E_KEY_NOT_FOUND, "it signs no more");
    seed_of(self, 2, two, "the newest keeps its number");
    is_int(ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, key, &version), TENUO_OK, "rotate to a fresh one");
    is_int((int)version, 3, "is version 3");
    is_int(ops->public_key(self, "agent", 0, entry.public_key, &version), TENUO_OK, "public_key");
    ok(version == 3 && memcmp(entry.public_key, key, 32) == 0, "of version 3");
    is_int(ops->remove(self, "agent", 0), TENUO_OK, "all go: %s", mock_said);
    ok(rmdir(stage_path("life")) == 0, "and nothing is left");
    ops->close(self);
}

/* Each rotation is cut off by a limit on the size of files, as by a full disk: the key of before is there, whole. */
static void full_disk(void)
{
    void *self = opened(stage_mkdir("full", 0700));
    uint8_t one[32], two[32];
    struct rlimit old, none;
    randombytes_buf(one, 32);
    randombytes_buf(two, 32);
    is_int(ops->import(self, "agent", 0, one, &version), TENUO_OK, "import");
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    none = (struct rlimit){ 20, old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &none);
    int rotated = ops->import(self, "agent", TENUO_STORE_NEW_VERSION, two, &version);
    int made = ops->import(self, "other", 0, two, &version);
    setrlimit(RLIMIT_FSIZE, &old);
    is_int(rotated, TENUO_E_UNAVAILABLE, "no room to rotate: %s", mock_said);
    is_int(made, TENUO_E_UNAVAILABLE, "nor for a new key");
    seed_of(self, 0, one, "the key of before");
    seed_of(self, 1, one, "is version 1");
    is_int(ops->export_seed(self, "other", 0, two), TENUO_E_KEY_NOT_FOUND, "half a key is none");
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, two, &version), TENUO_OK, "with room it goes on: %s",
           mock_said);
    is_int((int)version, 2, "as version 2");
    ops->close(self);
}

/* A crash after each step of a rotation leaves a store that answers and that can be rotated. */
static void crashes(void)
{
    uint8_t one[32], two[32], got[32];
    void *self = opened(stage_mkdir("crash", 0700));
    randombytes_buf(one, 32);
    randombytes_buf(two, 32);
    is_int(ops->import(self, "agent", 0, one, &version), TENUO_OK, "import");
    ok(link(stage_path("crash/agent.key"), stage_path("crash/agent@1.key")) == 0, "the old key has a second name");
    seed_of(self, 0, one, "the newest");
    is_int(ops->public_key(self, "agent", 0, got, &version), TENUO_OK, "public_key");
    is_int((int)version, 1, "has its number still");
    ok(unlink(stage_path("crash/agent.pub")) == 0, "its public key is away");
    seed_of(self, 0, one, "the newest still");
    seed_of(self, 1, one, "under the old number");
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, two, &version), TENUO_OK, "the next rotation: %s",
           mock_said);
    is_int((int)version, 2, "is version 2");
    seed_of(self, 0, two, "the newest");
    is_int(ops->export_seed(self, "agent", 1, got), TENUO_OK, "version 1");
    ok(memcmp(got, one, 32) == 0, "is the first key");
    ops->close(self);
}

/* Each sync of a rotation fails once: it is done, or it is not, and the old key is there both times. */
static void failing_disk(void)
{
    int refused = 0;
    for (int i = 0; i < 12; i++) {
        char folder[32];
        uint8_t one[32], two[32];
        snprintf(folder, sizeof folder, "sync%d", i);
        void *self = opened(stage_mkdir(folder, 0700));
        randombytes_buf(one, 32);
        randombytes_buf(two, 32);
        syncs_left = i;
        int made = ops->import(self, "agent", 0, one, &version);
        syncs_left = -1;
        if (made != TENUO_OK) {
            is_int(ops->export_seed(self, "agent", 0, two), TENUO_E_KEY_NOT_FOUND, "no key after sync %d failed", i);
            is_int(ops->import(self, "agent", 0, one, &version), TENUO_OK, "made again: %s", mock_said);
        }
        syncs_left = i;
        int r = ops->import(self, "agent", TENUO_STORE_NEW_VERSION, two, &version);
        syncs_left = -1;
        refused += r != TENUO_OK;
        seed_of(self, 0, r == TENUO_OK ? two : one, "the newest");
        seed_of(self, 1, one, "version 1");
        is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, two, &version), TENUO_OK, "rotates: %s", mock_said);
        is_int((int)version, r == TENUO_OK ? 3 : 2, "the next number");
        ops->close(self);
    }
    ok(refused > 3, "%d rotations were cut off", refused);
}

#define PROCESSES 4
#define ROTATIONS 12

/* Several processes at once: every key that a rotation reported is there under the number it reported. */
static void rotations_at_once(void)
{
    uint8_t key[32], seed[32];
    struct {
        uint32_t version;
        uint8_t key[32];
    } told;
    int pipes[2], missing = 0, got = 0, taken = 0;
    void *self = opened(stage_mkdir("both", 0700));
    if (pipe(pipes) != 0)
        stage_die("pipe");
    fflush(stdout);
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            uint32_t v = 0;
            int made = ops->generate(self, "agent", 0, told.key, &told.version);
            if (made == TENUO_OK && write(pipes[1], &told, sizeof told) < 0)
                _exit(1);
            for (int i = 0; i < ROTATIONS; i++) {
                if (ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, told.key, &v) != TENUO_OK)
                    _exit(1);
                told.version = v;
                if (write(pipes[1], &told, sizeof told) < 0)
                    _exit(1);
            }
            _exit(0);
        }
    close(pipes[1]);
    while (read(pipes[0], &told, sizeof told) == sizeof told) {
        got++;
        taken += told.version == 1;
        missing +=
            ops->public_key(self, "agent", told.version, key, &version) != TENUO_OK || memcmp(key, told.key, 32) != 0;
    }
    close(pipes[0]);
    for (int p = 0; p < PROCESSES; p++)
        wait(NULL);
    is_int(got, PROCESSES * ROTATIONS + 1, "all were made");
    is_int(taken, 1, "one of the first ones");
    is_int(missing, 0, "and each is the key of its number, also while others rotate");
    int dir = open(stage_path("both"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok(dir >= 0 && flock(dir, LOCK_EX) == 0, "somebody keeps the lock");
    is_int(ops->export_seed(self, "agent", 0, seed), TENUO_OK, "who reads does not wait");
    close(dir);
    ops->close(self);
}

static atomic_bool over;
static atomic_int bad, reads;

static void *reader(void *self)
{
    uint8_t seed[32];
    while (!atomic_load(&over)) {
        if (ops->export_seed(self, "agent", 0, seed) != TENUO_OK)
            atomic_fetch_add(&bad, 1);
        atomic_fetch_add(&reads, 1);
    }
    return NULL;
}

static void rotation_under_load(void)
{
    void *self = opened(stage_mkdir("load", 0700));
    uint8_t key[32];
    pthread_t t[2];
    is_int(ops->generate(self, "agent", 0, key, &version), TENUO_OK, "a key");
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, reader, self);
    int failed = 0;
    for (int i = 0; i < 40; i++)
        failed += ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, key, &version) != TENUO_OK;
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    is_int(failed, 0, "forty rotations");
    ok(atomic_load(&bad) == 0 && atomic_load(&reads) > 0, "%d of %d readers in between were refused", atomic_load(&bad),
       atomic_load(&reads));
    for (int i = 41; i < 64 && failed == 0; i++)
        failed = ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, key, &version);
    is_int(failed, TENUO_OK, "up to the bound");
    is_int(ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, key, &version), TENUO_E_KEY_DENIED, "and no more: %s",
           mock_said);
    is_int(ops->remove(self, "agent", 1), TENUO_OK, "without the oldest");
    is_int(ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, key, &version), TENUO_OK, "there is room again");
    ops->close(self);
}

int main(int argc, char **argv)
{
    ops = mock_load("file", argc, argv)->resolver;
    if (sodium_init() < 0)
        return 1;
    stage_begin();
    life();
    full_disk();
    crashes();
    failing_disk();
    rotations_at_once();
    rotation_under_load();
    stage_end();
    return done_testing();
}
