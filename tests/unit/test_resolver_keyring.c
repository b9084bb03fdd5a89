/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver keyring, loaded as the library would, on keyrings of this kernel: in a session of the test's own, in the
 * user's keyring that it does not possess, and as an unprivileged user. */
#include <errno.h>
#include <keyutils.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_resolver_ops *ops;
static char prefix[48];
static uint32_t version;

static int open_with(const char *ring, const char *timeout, uint64_t ms, void **ret)
{
    const struct tenuo_arg args[] = { { .name = "keyring", .value = ring },
                                      { .name = "prefix", .value = prefix },
                                      { .name = "key_timeout", .value = timeout, .number = ms } };
    mock_said[0] = '\0';
    return ops->open(&mock_host, args, 3, ret);
}

static void *opened(const char *ring)
{
    void *self = NULL;
    is_int(open_with(ring, NULL, 0, &self), TENUO_OK, "opens %s: %s", ring, mock_said);
    return self;
}

static key_serial_t serial_of(const char *type, const char *id, key_serial_t ring)
{
    char desc[128];
    snprintf(desc, sizeof desc, "%s%s", prefix, id);
    return (key_serial_t)keyctl_search(ring, type, desc, 0);
}

static void refused(void *self, const char *id, int code, const char *say, const char *what)
{
    uint8_t seed[32], before[32];
    memset(seed, 0x55, sizeof seed);
    memcpy(before, seed, sizeof seed);
    mock_said[0] = '\0';
    is_int(ops->export_seed(self, id, 0, seed), code, "%s", what);
    ok(memcmp(seed, before, 32) == 0, "the output is untouched");
    ok(strstr(mock_said, say) != NULL, "said: %s", mock_said);
}

static void public_of(const uint8_t seed[32], uint8_t key[32])
{
    uint8_t secret[64];
    crypto_sign_seed_keypair(key, secret, seed);
}

static void life(const char *ring)
{
    void *self = opened(ring);
    uint8_t seed[32], got[32], key[32], second[32];
    struct tenuo_key_entry entry = { 0 };
    randombytes_buf(seed, sizeof seed);
    refused(self, "agent", TENUO_E_KEY_NOT_FOUND, "is not in the keyring", "nothing there");
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_E_KEY_NOT_FOUND,
           "nothing to rotate");
    is_int(ops->import(self, "agent", 0, seed, &version), TENUO_OK, "import: %s", mock_said);
    is_int((int)version, 1, "is version 1");
    is_int(ops->import(self, "agent", 0, seed, &version), TENUO_E_KEY_CONFLICT, "an id that is taken");
    is_int(ops->export_seed(self, "agent", 0, got), TENUO_OK, "export_seed: %s", mock_said);
    ok(memcmp(got, seed, 32) == 0, "the seed");
    public_of(seed, key);
    is_int(ops->public_key(self, "agent", 0, got, &version), TENUO_OK, "public_key");
    ok(version == 1 && memcmp(got, key, 32) == 0, "of it");
    randombytes_buf(second, sizeof second);
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, second, &version), TENUO_OK, "rotate: %s", mock_said);
    is_int((int)version, 2, "is version 2");
    is_int(ops->export_seed(self, "agent", 0, got), TENUO_OK, "the newest");
    ok(memcmp(got, second, 32) == 0, "is the new one");
    is_int(ops->export_seed(self, "agent", 1, got), TENUO_OK, "version 1");
    ok(memcmp(got, seed, 32) == 0, "is the old one");
    is_int(ops->export_seed(self, "agent", 2, got), TENUO_OK, "version 2");
    ok(memcmp(got, second, 32) == 0, "is the new one as well");
    is_int(ops->export_seed(self, "agent", 3, got), TENUO_E_KEY_NOT_FOUND, "no version 3");
    is_int(ops->describe(self, "agent", 1, &entry), TENUO_OK, "describe");
    ok(entry.version == 1 && entry.oldest == 1 && entry.newest == 2 && memcmp(entry.public_key, key, 32) == 0,
       "says so");
    is_int(ops->remove(self, "agent", 2), TENUO_E_INVALID_ARGUMENT, "the newest stays while there is an older one");
    is_int(ops->remove(self, "agent", 1), TENUO_OK, "the old one goes");
    is_int(ops->export_seed(self, "agent", 1, got), TENUO_E_KEY_NOT_FOUND, "it is gone");
    is_int(ops->export_seed(self, "agent", 2, got), TENUO_OK, "the newest keeps its number");
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_OK, "rotate again");
    is_int((int)version, 3, "is version 3");
    is_int(ops->export_seed(self, "agent", 1, got), TENUO_E_KEY_NOT_FOUND, "and 1 is given to no other key");
    is_int(ops->remove(self, "agent", 0), TENUO_OK, "the rest: %s", mock_said);
    refused(self, "agent", TENUO_E_KEY_NOT_FOUND, "is not in the keyring", "gone");
    is_int(ops->public_key(self, "agent", 0, got, &version), TENUO_E_KEY_NOT_FOUND, "with its public key");
    is_int(ops->import(self, "agent", 0, seed, &version), TENUO_OK, "another one");
    is_int(ops->remove(self, "agent", 1), TENUO_OK, "goes by its number");
    is_int(ops->public_key(self, "agent", 0, got, &version), TENUO_E_KEY_NOT_FOUND, "with its public key as well");
    ops->close(self);
}

/* What a rotation leaves that is cut off after each of its steps, and one that has no room in the user's quota. */
static void cut_off(void)
{
    void *self = opened("session");
    uint8_t one[32], two[32], got[32], key[32];
    char desc[128];
    randombytes_buf(one, 32);
    randombytes_buf(two, 32);
    public_of(one, key);
    is_int(ops->import(self, "cut", 0, one, &version), TENUO_OK, "a key: %s", mock_said);
    is_int(ops->import(self, "cut", TENUO_STORE_NEW_VERSION, one, &version), TENUO_E_KEY_CONFLICT,
           "no rotation to the same key");
    snprintf(desc, sizeof desc, "%scut@1", prefix);
    ok(add_key("user", desc, one, 32, KEY_SPEC_SESSION_KEYRING) > 0, "the old key under its number");
    is_int(ops->public_key(self, "cut", 0, got, &version), TENUO_OK, "the newest");
    is_int((int)version, 1, "has its number still");
    ok(memcmp(got, key, 32) == 0, "and is the old one");
    ok(keyctl_unlink(serial_of("user", "cut#public", KEY_SPEC_SESSION_KEYRING), KEY_SPEC_SESSION_KEYRING) == 0,
       "its public part is away");
    is_int(ops->public_key(self, "cut", 1, got, &version), TENUO_OK, "by its number");
    ok(memcmp(got, key, 32) == 0, "still the old one");
    is_int(ops->import(self, "cut", TENUO_STORE_NEW_VERSION, two, &version), TENUO_OK, "rotates: %s", mock_said);
    is_int((int)version, 2, "to version 2");
    is_int(ops->export_seed(self, "cut", 1, got), TENUO_OK, "version 1");
    ok(memcmp(got, one, 32) == 0, "is the old one");
    is_int(ops->remove(self, "cut", 0), TENUO_OK, "away with it");
    ops->close(self);
}

#define NO_SUCH_USER 77

/* In a child without a privilege: fills the quota, so that no, one, two ... more keys fit. */
static int without_room(void)
{
    uint8_t one[32] = { 1 }, two[32] = { 2 }, got[32], key[32], fits[32];
    void *self = NULL;
    char desc[64];
    int refused = 0;
    const uid_t own = 200000 + (uid_t)getpid(); /* with a quota that no other test has used up */
    if (setgid(own) != 0 || setuid(own) != 0)
        return NO_SUCH_USER;
    if (keyctl_join_session_keyring(NULL) < 0 || open_with("session", NULL, 0, &self) != TENUO_OK ||
        ops->import(self, "agent", 0, one, &version) != TENUO_OK)
        return 1;
    key_serial_t ballast[256];
    int n = 0;
    for (; n < 256; n++) {
        snprintf(desc, sizeof desc, "ballast-%d", n);
        ballast[n] = add_key("user", desc, "x", 1, KEY_SPEC_SESSION_KEYRING);
        if (ballast[n] < 0)
            break;
    }
    for (int room = 0; room < 4; room++) {
        int r = ops->import(self, "agent", TENUO_STORE_NEW_VERSION, two, &version);
        refused += r == TENUO_E_KEY_DENIED;
        public_of(r == TENUO_OK ? two : one, fits);
        if (ops->public_key(self, "agent", 0, key, &version) != TENUO_OK || memcmp(key, fits, 32) != 0 ||
            version != (r == TENUO_OK ? 2u : 1u) || ops->export_seed(self, "agent", 1, got) != TENUO_OK ||
            memcmp(got, one, 32) != 0)
            return 2;
        if (r == TENUO_OK)
            break;
        int made = ops->import(self, "other", 0, two, &version);
        if (made == TENUO_E_KEY_DENIED && ops->public_key(self, "other", 0, key, &version) != TENUO_E_KEY_NOT_FOUND)
            return 3;
        if (made == TENUO_OK && ops->remove(self, "other", 0) != TENUO_OK)
            return 4;
        if (n == 0 || keyctl_invalidate(ballast[--n]) < 0)
            return 5;
        usleep(300000); /* the collector gives the room back */
    }
    ops->close(self);
    return refused > 0 ? 0 : 6;
}

static void full(void)
{
    int status = 0;
    if (geteuid() != 0) {
        skip_test("a quota that is used up", "only root can be another user");
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(without_room());
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SUCH_USER)
        skip_test("a quota that is used up", "this container has no such user");
    else
        is_int(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0, "a quota that is used up leaves every key as it was");
}

static int collect(void *arg, const struct tenuo_key_entry *entry)
{
    char *seen = arg;
    snprintf(seen + strlen(seen), 512 - strlen(seen), "%s@%u%s ", entry->id, (unsigned)entry->version,
             entry->has_public_key ? "" : "!");
    return 0;
}

static int stop(void *arg, const struct tenuo_key_entry *entry)
{
    (void)entry;
    ++*(int *)arg;
    return 1;
}

static void listing(void)
{
    void *self = opened("session");
    uint8_t seed[32];
    char seen[512] = "", desc[128];
    int stops = 0;
    randombytes_buf(seed, sizeof seed);
    is_int(ops->import(self, "one", 0, seed, &version), TENUO_OK, "one");
    is_int(ops->import(self, "two", 0, seed, &version), TENUO_OK, "two");
    seed[0] ^= 1;
    is_int(ops->import(self, "two", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_OK, "two again");
    snprintf(desc, sizeof desc, "%sshort", prefix);
    ok(add_key("user", desc, "abc", 3, KEY_SPEC_SESSION_KEYRING) > 0, "something that is no key");
    snprintf(desc, sizeof desc, "%s../bad", prefix);
    ok(add_key("user", desc, seed, 32, KEY_SPEC_SESSION_KEYRING) > 0, "a name that is no id");
    is_int(ops->list(self, collect, seen), TENUO_OK, "list");
    ok(strstr(seen, "one@1 ") != NULL && strstr(seen, "two@2 ") != NULL && strstr(seen, "short@1! ") != NULL &&
           strstr(seen, "bad") == NULL && strstr(seen, "two@1") == NULL,
       "shows: %s", seen);
    is_int(ops->list(self, stop, &stops), TENUO_OK, "a list that is stopped");
    is_int(stops, 1, "stops");
    ops->close(self);
}

static void faults(void)
{
    void *self = opened("session");
    uint8_t seed[32], got[32];
    char desc[128];
    randombytes_buf(seed, sizeof seed);
    snprintf(desc, sizeof desc, "%slogon", prefix);
    ok(add_key("logon", desc, seed, 32, KEY_SPEC_SESSION_KEYRING) > 0, "a logon key");
    refused(self, "logon", TENUO_E_KEY_INVALID, "must be of type user", "cannot be read by anybody");
    snprintf(desc, sizeof desc, "%slong", prefix);
    ok(add_key("user", desc, "012345678901234567890123456789012", 33, KEY_SPEC_SESSION_KEYRING) > 0, "33 bytes");
    refused(self, "long", TENUO_E_KEY_INVALID, "has 33 bytes", "are no seed");
    is_int(ops->import(self, "revoked", 0, seed, &version), TENUO_OK, "a key");
    is_int((int)keyctl_revoke(serial_of("user", "revoked", KEY_SPEC_SESSION_KEYRING)), 0, "is revoked");
    refused(self, "revoked", TENUO_E_KEY_DENIED, "was revoked", "is refused");
    is_int(ops->import(self, "revoked", 0, seed, &version), TENUO_OK, "and may be imported again: %s", mock_said);
    is_int(ops->export_seed(self, "revoked", 0, got), TENUO_OK, "without a restart");
    is_int((int)keyctl_set_timeout(serial_of("user", "revoked", KEY_SPEC_SESSION_KEYRING), 1), 0,
           "expires in a second");
    usleep(2100000);
    refused(self, "revoked", TENUO_E_KEY_DENIED, "has expired", "an expired key");
    is_int(ops->import(self, "mode", 0, seed, &version), TENUO_OK, "a key");
    is_int((int)keyctl_setperm(serial_of("user", "mode", KEY_SPEC_SESSION_KEYRING), KEY_POS_VIEW | KEY_POS_SETATTR), 0,
           "without the right to read it");
    refused(self, "mode", TENUO_E_KEY_DENIED, "permission denied", "is refused");
    is_int(ops->public_key(self, "mode", 0, got, &version), TENUO_OK, "but its public key can be read: %s", mock_said);
    ops->close(self);
    self = opened("%:nowhere");
    refused(self, "a", TENUO_E_UNAVAILABLE, "nowhere", "a keyring that is not there");
    ops->close(self);
}

/* Numbers are given once, also when the newest was revoked or a version had no public part; lives are not prolonged. */
static void numbers_and_lives(void)
{
    void *self = opened("session");
    uint8_t seed[32], other[32], key[32], got[32];
    struct tenuo_key_entry entry = { .size = sizeof entry };
    char desc[128], line[1024], span[16] = "";
    randombytes_buf(seed, sizeof seed);
    randombytes_buf(other, sizeof other);
    is_int(ops->import(self, "rv", 0, seed, &version), TENUO_OK, "a key");
    is_int(ops->import(self, "rv", TENUO_STORE_NEW_VERSION, other, &version), TENUO_OK, "rotated");
    is_int((int)keyctl_revoke(serial_of("user", "rv", KEY_SPEC_SESSION_KEYRING)), 0, "revoked");
    mock_said[0] = '\0';
    is_int(ops->describe(self, "rv", 0, &entry), TENUO_E_KEY_DENIED, "describe");
    ok(strstr(mock_said, "was revoked") != NULL, "said: %s", mock_said);
    is_int(ops->import(self, "rv", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_E_KEY_DENIED,
           "nothing to rotate: %s", mock_said);
    randombytes_buf(key, sizeof key);
    is_int(ops->import(self, "rv", 0, key, &version), TENUO_OK, "a new key in its place: %s", mock_said);
    is_int((int)version, 3, "is version 3: 2 was the revoked one");
    is_int(ops->export_seed(self, "rv", 2, got), TENUO_E_KEY_NOT_FOUND, "which is nobody's now");
    is_int(ops->export_seed(self, "rv", 1, got), TENUO_OK, "the first still signs");
    is_int(ops->remove(self, "rv", 0), TENUO_OK, "away with them: %s", mock_said);

    snprintf(desc, sizeof desc, "%sbrief", prefix);
    key_serial_t brief = add_key("user", desc, seed, 32, KEY_SPEC_SESSION_KEYRING);
    ok(brief > 0 && keyctl_set_timeout(brief, 200) == 0, "a key for 200 seconds, stored by somebody else");
    is_int(ops->import(self, "brief", TENUO_STORE_NEW_VERSION, other, &version), TENUO_OK, "rotated: %s", mock_said);
    unsigned long old = (unsigned long)(uint32_t)serial_of("user", "brief@1", KEY_SPEC_SESSION_KEYRING), serial;
    FILE *f = fopen("/proc/keys", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "%8lx %*15s %*15s %15s", &serial, span) == 2 && serial == old)
            break;
    if (f != NULL)
        fclose(f);
    ok(strcmp(span, "3m") == 0 || strcmp(span, "2m") == 0, "the old one keeps its end: %s", span);

    snprintf(desc, sizeof desc, "%sbrief@1#public", prefix);
    key_serial_t part = (key_serial_t)keyctl_search(KEY_SPEC_SESSION_KEYRING, "user", desc, 0);
    ok(part > 0 && keyctl_unlink(part, KEY_SPEC_SESSION_KEYRING) == 0, "without its public part");
    is_int(ops->remove(self, "brief", 1), TENUO_OK, "removed: %s", mock_said);
    is_int(ops->public_key(self, "brief", 0, got, &version), TENUO_OK, "the newest");
    is_int((int)version, 2, "keeps its number");

    snprintf(desc, sizeof desc, "%sbrief#public", prefix);
    ok(add_key("user", desc, other, 32, KEY_SPEC_SESSION_KEYRING) > 0, "a public part of another key");
    mock_said[0] = '\0';
    is_int(ops->public_key(self, "brief", 0, got, &version), TENUO_E_KEY_INVALID, "is noticed");
    ok(strstr(mock_said, "one of them was replaced") != NULL, "said: %s", mock_said);
    is_int(ops->remove(self, "brief", 0), TENUO_OK, "away: %s", mock_said);
    ops->close(self);
}

static void arguments(void)
{
    void *self = NULL;
    is_int(open_with("@s", NULL, 0, &self), TENUO_E_CONF, "no keyring of that name");
    is_int(open_with("user", "1ms", 1, &self), TENUO_E_CONF, "a timeout under a second");
    is_int(open_with("session", "1s", 1000, &self), TENUO_OK, "one of a second");
    uint8_t seed[32] = { 1 };
    is_int(ops->import(self, "brief", 0, seed, &version), TENUO_OK, "a key that is stored with it");
    usleep(2100000);
    refused(self, "brief", TENUO_E_KEY_DENIED, "has expired", "has expired");
    ops->close(self);
    char before[48];
    memcpy(before, prefix, sizeof before);
    strcpy(prefix, "a;b");
    is_int(open_with("user", NULL, 0, &self), TENUO_E_CONF, "a prefix with ';'");
    memcpy(prefix, before, sizeof before);
}

/* Seed and public part of one version fit together, whatever rotates beside. */
static void *pair_reader(void *arg)
{
    uint8_t seed[32], key[32], want[32];
    uint32_t v = 0;
    int *bad = NULL;
    for (int i = 0; i < 300; i++) {
        int r = ops->public_key(arg, "load", 0, key, &v);
        if (r == TENUO_OK)
            r = ops->export_seed(arg, "load", v, seed);
        public_of(seed, want);
        if (r != TENUO_OK || memcmp(key, want, 32) != 0)
            bad = arg;
    }
    return bad;
}

static void rotation_under_load(void)
{
    void *self = opened("session"), *failed = NULL;
    uint8_t seed[32];
    pthread_t t;
    int wrong = 0;
    randombytes_buf(seed, sizeof seed);
    is_int(ops->import(self, "load", 0, seed, &version), TENUO_OK, "a key: %s", mock_said);
    pthread_create(&t, NULL, pair_reader, self);
    for (int i = 0; i < 40; i++) {
        usleep(1000);
        randombytes_buf(seed, sizeof seed);
        wrong += ops->import(self, "load", TENUO_STORE_NEW_VERSION, seed, &version) != TENUO_OK ||
                 version != (uint32_t)i + 2;
    }
    pthread_join(t, &failed);
    is_int(wrong, 0, "forty rotations");
    ok(failed == NULL, "each number was of one key for those who read");
    is_int(ops->remove(self, "load", 0), TENUO_OK, "away with it");
    ops->close(self);
}

static void *in_thread(void *arg)
{
    uint8_t seed[32];
    for (int i = 0; i < 200; i++)
        if (ops->export_seed(arg, "shared", 0, seed) != TENUO_OK)
            return arg;
    return NULL;
}

/* A key in the user's keyring, which neither the session nor a new thread possesses. */
static void threads_and_forks(void)
{
    void *self = opened("user"), *failed = NULL;
    uint8_t seed[32], got[32];
    pthread_t t[8];
    int bad = 0, status = 0;
    randombytes_buf(seed, sizeof seed);
    is_int(ops->import(self, "shared", 0, seed, &version), TENUO_OK, "a key for all: %s", mock_said);
    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, in_thread, self);
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], &failed);
        bad += failed != NULL;
    }
    is_int(bad, 0, "threads read it at once");
    pid_t pid = fork();
    if (pid == 0)
        _exit(ops->export_seed(self, "shared", 0, got) == TENUO_OK && memcmp(got, seed, 32) == 0 ? 0 : 1);
    waitpid(pid, &status, 0);
    is_int(status, 0, "a child reads it");
    is_int(ops->remove(self, "shared", 0), TENUO_OK, "away with it");
    ops->close(self);
}

/* A keyring that nobody has made yet is empty, not broken. */
static void not_made_yet(void)
{
    int status = 0;
    char seen[512] = "";
    void *self = opened("process");
    fflush(stdout);
    pid_t pid = fork(); /* the child has no process keyring */
    if (pid == 0) {
        uint8_t key[32];
        _exit(ops->list(self, collect, seen) == TENUO_OK && seen[0] == '\0' &&
                      ops->public_key(self, "a", 0, key, &version) == TENUO_E_KEY_NOT_FOUND
                  ? 0
                  : 1);
    }
    waitpid(pid, &status, 0);
    is_int(status, 0, "a keyring that is not made yet is empty");
    ops->close(self);
}

static void named(void)
{
    key_serial_t ring = add_key("keyring", "tenuo-test", NULL, 0, KEY_SPEC_SESSION_KEYRING);
    ok(ring > 0, "a keyring of its own");
    life("%:tenuo-test");
}

static void as_nobody(void)
{
    int status = 0;
    if (geteuid() != 0) {
        skip_test("as an unprivileged user", "this is one");
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t seed[32] = { 3 }, got[32];
        void *self = NULL;
        if (setgid(65534) != 0 || setuid(65534) != 0 || keyctl_join_session_keyring(NULL) < 0 ||
            open_with("user", NULL, 0, &self) != TENUO_OK || ops->import(self, "mine", 0, seed, &version) != TENUO_OK ||
            ops->export_seed(self, "mine", 0, got) != TENUO_OK || memcmp(got, seed, 32) != 0 ||
            ops->remove(self, "mine", 0) != TENUO_OK)
            _exit(1);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    is_int(status, 0, "an unprivileged user stores, reads and removes a key");
}

int main(int argc, char **argv)
{
    ops = mock_load("keyring", argc, argv)->resolver;
    if (sodium_init() < 0)
        return 1;
    snprintf(prefix, sizeof prefix, "tenuo-test-%d:", (int)getpid());
    if (keyctl_join_session_keyring(NULL) < 0) {
        skip_test("the kernel's keyrings", strerror(errno));
        return done_testing();
    }
    life("session");
    life("user");
    life("user_session");
    life("process");
    if (keyctl_get_persistent((uid_t)-1, KEY_SPEC_PROCESS_KEYRING) < 0)
        skip_test("the persistent keyring", strerror(errno));
    else
        life("persistent");
    not_made_yet();
    named();
    listing();
    faults();
    cut_off();
    full();
    rotation_under_load();
    numbers_and_lives();
    arguments();
    threads_and_forks();
    as_nobody();
    return done_testing();
}
