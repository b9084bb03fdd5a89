/* SPDX-License-Identifier: Apache-2.0 */
/* Resolver pkcs11 against SoftHSM, in a private token directory: keys made here and by other tools, rotation, wrong
 * types, PINs, a token that goes and comes back, forks, threads, an unprivileged user. What SoftHSM cannot do wrong is
 * in test_resolver_pkcs11_fake.c. */
#include <grp.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <sys/wait.h>

#include "../../common/keytext.h"
#include "mock_host.h"
#include "pkcs11_env.h"
#include "stage.h"
#include "tap.h"

#define THREADS 8

static const struct tenuo_resolver_ops *ops;
static uint32_t version;

/* ---- the line ---- */

static int open_with(const char *uri, const char *so, const char *pin, const char *credential, void **ret_self)
{
    struct tenuo_arg args[] = {
        { "uri", uri, 0 },
        { "module", so, 0 },
        { "pin_file", pin, 0 },
        { "pin_credential", credential, 0 },
    };
    mock_said[0] = '\0';
    return ops->open(&mock_host, args, 4, ret_self);
}

static void *opened(const char *uri, const char *pin)
{
    void *self = NULL;
    is_int(open_with(uri, strstr(uri, "configured") != NULL ? NULL : module, pin, NULL, &self), TENUO_OK, "opens: %s",
           mock_said);
    return self;
}

static int use_version(void *self, const char *id, uint32_t want, uint8_t key[32])
{
    static const uint8_t text[] = "text";
    uint8_t sig[64];
    mock_said[0] = '\0';
    int r = ops->public_key(self, id, want, key, &version);
    if (r == TENUO_OK)
        r = ops->sign(self, id, version, text, sizeof text, sig);
    return r == TENUO_OK && crypto_sign_verify_detached(sig, text, sizeof text, key) != 0 ? -1 : r;
}

static int use(void *self, const char *id)
{
    uint8_t key[32];
    return use_version(self, id, 0, key);
}

/* ---- tests ---- */

static void arguments(void)
{
    static const struct {
        const char *uri, *says;
    } bad[] = {
        { "pkcs11:token=t;object={key_id}?pin-value=1234", "pin_file" },
        { "pkcs11:token=t?pin-source=file:/x", "pin_file" },
        { "pkcs11:token=t?module-path=/x.so", "module=" },
        { "pkcs11:tokn=t", "RFC 7512" },
        { "token=t", "RFC 7512" },
        { "pkcs11:token=%zz", "RFC 7512" },
        { "pkcs11:token=t;object=fixed", "{key_id}" },
        { "pkcs11:token=t;id=%01", "{key_id}" },
        { "pkcs11:token={key_id}", "{key_id}" },
        { "pkcs11:token=t;object={key_id}{key_id}", "brace" },
        { "pkcs11:token=t;object={name}", "brace" },
        { "pkcs11:token=t;object={key_id};id={key_id}", "brace" },
        { "pkcs11:token=t;object={key_id};id=%01", "both" },
        { "pkcs11:token=t;type=cert", "type" },
    };
    void *self = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        is_int(open_with(bad[i].uri, module, NULL, NULL, &self), TENUO_E_CONF, "%s: %s", bad[i].uri, mock_said);
        ok(strstr(mock_said, bad[i].says) != NULL && strstr(mock_said, "1234") == NULL, "says what to do");
    }
    is_int(open_with("pkcs11:token=t", module, "/a", "b", &self), TENUO_E_CONF, "two PINs: %s", mock_said);
    is_int(open_with("pkcs11:token=t", module, NULL, "a/b", &self), TENUO_E_CONF, "a path for a credential");
    self = opened("pkcs11:", NULL);
    ops->close(self);
    self = opened("pkcs11:token=t;manufacturer=SoftHSM%20project;type=private;object=x-{key_id}-y", NULL);
    is_int(use(self, "a"), TENUO_E_UNAVAILABLE, "no such token: %s", mock_said);
    ops->close(self);
}

static void pins(void)
{
    stage_write("pin", "1234\n", 5, 0600);
    stage_write("wrong", "4321\n", 5, 0600);
    stage_write("open", "1234\n", 5, 0644);
    void *self = opened("pkcs11:token=tenuo", stage_path("wrong"));
    is_int(use(self, "a"), TENUO_E_KEY_DENIED, "a wrong PIN: %s", mock_said);
    ok(strstr(mock_said, "4321") == NULL, "is not in the message");
    is_int(use(self, "a"), TENUO_E_KEY_DENIED, "again: %s", mock_said);
    ok(strstr(mock_said, "before") != NULL, "and was not tried again");
    stage_write("wrong", "1234\n", 5, 0600);
    is_int(use(self, "a"), TENUO_E_KEY_NOT_FOUND, "corrected: %s", mock_said);
    ops->close(self);
    self = opened("pkcs11:token=tenuo", stage_path("open"));
    is_int(use(self, "a"), TENUO_E_KEY_DENIED, "a PIN file that others can read: %s", mock_said);
    chmod(stage_path("open"), 0600);
    is_int(use(self, "a"), TENUO_E_KEY_NOT_FOUND, "chmod: %s", mock_said);
    ops->close(self);
    self = opened("pkcs11:token=tenuo", stage_path("nothing"));
    is_int(use(self, "a"), TENUO_E_KEY_DENIED, "no PIN file: %s", mock_said);
    ops->close(self);
    void *with = NULL;
    stage_mkdir("credentials", 0700);
    stage_write("credentials/p", "1234", 4, 0400);
    is_int(open_with("pkcs11:token=tenuo", module, NULL, "p", &with), TENUO_OK, "a credential");
    is_int(use(with, "a"), TENUO_E_UNAVAILABLE, "that was not passed: %s", mock_said);
    setenv("CREDENTIALS_DIRECTORY", stage_path("credentials"), 1);
    is_int(use(with, "a"), TENUO_E_KEY_NOT_FOUND, "and now is: %s", mock_said);
    ops->close(with);
}

static int listed;

static int each(void *arg, const struct tenuo_key_entry *entry)
{
    listed++;
    if (strcmp(entry->id, "agent") == 0)
        *(struct tenuo_key_entry *)arg = *entry;
    return 0;
}

static void lifecycle(const char *uri)
{
    uint8_t first[32], second[32], key[32], seed[32] = { 5 }, expect[32], secret[64];
    struct tenuo_key_entry entry = { 0 };
    void *self = opened(uri, stage_path("pin"));
    is_int(use(self, "agent"), TENUO_E_KEY_NOT_FOUND, "not there: %s", mock_said);
    is_int(ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, first, &version), TENUO_E_KEY_NOT_FOUND,
           "no newer one");
    is_int(ops->generate(self, "agent", 0, first, &version), TENUO_OK, "generate: %s", mock_said);
    is_int(version, 1, "version 1");
    is_int(ops->generate(self, "agent", 0, key, &version), TENUO_E_KEY_CONFLICT, "taken: %s", mock_said);
    is_int(use_version(self, "agent", 0, key), TENUO_OK, "signs: %s", mock_said);
    ok(memcmp(key, first, 32) == 0, "with that key");
    is_int(ops->generate(self, "agent", TENUO_STORE_NEW_VERSION, second, &version), TENUO_OK, "rotate: %s", mock_said);
    is_int(version, 2, "version 2");
    is_int(use_version(self, "agent", 0, key), TENUO_OK, "signs");
    ok(memcmp(key, second, 32) == 0 && version == 2, "with the new key");
    is_int(use_version(self, "agent", 1, key), TENUO_OK, "the old one signs: %s", mock_said);
    ok(memcmp(key, first, 32) == 0, "and is the old one");
    is_int(use_version(self, "agent", 3, key), TENUO_E_KEY_NOT_FOUND, "no version 3: %s", mock_said);
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_OK,
           "rotate to an imported key: %s", mock_said);
    crypto_sign_seed_keypair(expect, secret, seed);
    is_int(use_version(self, "agent", 0, key), TENUO_OK, "signs");
    ok(memcmp(key, expect, 32) == 0 && version == 3, "with it, version 3");
    is_int(ops->describe(self, "agent", 0, &entry), TENUO_OK, "describe: %s", entry.note);
    ok(entry.oldest == 1 && entry.newest == 3 && entry.version == 3 && entry.has_public_key, "versions 1 to 3");
    ok(strstr(entry.note, "cannot leave") != NULL, "cannot leave the token");
    listed = 0;
    memset(&entry, 0, sizeof entry);
    is_int(ops->list(self, each, &entry), TENUO_OK, "list");
    is_int(listed, 1, "one id");
    ok(entry.version == 3 && entry.oldest == 1 && memcmp(entry.public_key, expect, 32) == 0, "with its newest key");
    is_int(ops->remove(self, "agent", 3), TENUO_E_INVALID_ARGUMENT, "the newest stays while older do: %s", mock_said);
    is_int(ops->remove(self, "agent", 1), TENUO_OK, "remove version 1: %s", mock_said);
    is_int(use_version(self, "agent", 1, key), TENUO_E_KEY_NOT_FOUND, "gone");
    is_int(use_version(self, "agent", 2, key), TENUO_OK, "version 2 stays");
    is_int(ops->remove(self, "agent", 2), TENUO_OK, "remove version 2: %s", mock_said);
    is_int(use_version(self, "agent", 3, key), TENUO_OK, "the newest keeps its number");
    is_int(use_version(self, "agent", 1, key), TENUO_E_KEY_NOT_FOUND, "and is nobody else's");
    memset(&entry, 0, sizeof entry);
    is_int(ops->list(self, each, &entry), TENUO_OK, "list");
    ok(entry.version == 3 && entry.oldest == 3 && entry.newest == 3, "also in the list");
    is_int(ops->remove(self, "agent", 0), TENUO_OK, "remove all: %s", mock_said);
    is_int(use(self, "agent"), TENUO_E_KEY_NOT_FOUND, "gone");
    is_int(ops->remove(self, "agent", 0), TENUO_E_KEY_NOT_FOUND, "remove again");
    ops->close(self);
}

static void foreign(void)
{
    char pem[TN_KEYTEXT_SECRET_PEM];
    uint8_t seed[32] = { 6 }, key[32], expect[32], secret[64];
    struct tenuo_key_entry entry = { 0 };
    void *self = opened("pkcs11:token=tenuo;object={key_id}", stage_path("pin"));
    is_int(use(self, "came"), TENUO_E_KEY_NOT_FOUND, "before the import");
    size_t n = tn_seed_to_pem(seed, NULL, 1, pem);
    stage_write("key.p8", pem, n, 0600);
    is_int(RUN("softhsm2-util", "--import", stage_path("key.p8"), "--token", "tenuo", "--label", "came", "--id", "02",
               "--pin", "1234"),
           0, "softhsm2-util --import");
    crypto_sign_seed_keypair(expect, secret, seed);
    is_int(use_version(self, "came", 0, key), TENUO_OK, "its key signs, without restart: %s", mock_said);
    ok(memcmp(key, expect, 32) == 0, "and is the one");
    if (!tool_key("EC:edwards25519", "made")) {
        skip_test("keys of pkcs11-tool", "opensc is not installed");
        ops->close(self);
        return;
    }
    is_int(use(self, "made"), TENUO_OK, "pkcs11-tool's key signs: %s", mock_said);
    ok(tool_key("EC:prime256v1", "p256") && tool_key("rsa:2048", "rsa"), "other keys");
    is_int(use(self, "p256"), TENUO_E_KEY_INVALID, "P-256: %s", mock_said);
    is_int(use(self, "rsa"), TENUO_E_KEY_INVALID, "RSA: %s", mock_said);
    is_int(ops->remove(self, "rsa", 0), TENUO_E_KEY_INVALID, "which is not removed: %s", mock_said);
    is_int(ops->generate(self, "p256", 0, key, &version), TENUO_E_KEY_CONFLICT, "nor its id used: %s", mock_said);
    ok(tool_key("EC:edwards25519", "twin") && tool_key("EC:edwards25519", "twin"), "two keys of one label");
    is_int(use(self, "twin"), TENUO_E_KEY_CONFLICT, "9303: %s", mock_said);
    ok(tool_key("EC:edwards25519", "half") && tool_delete("pubkey", "half"), "a private object alone");
    is_int(use(self, "half"), TENUO_E_KEY_INVALID, "9305: %s", mock_said);
    is_int(ops->remove(self, "half", 0), TENUO_OK, "can be removed: %s", mock_said);
    ok(tool_delete("privkey", "came"), "another tool removes a private key");
    is_int(use(self, "came"), TENUO_E_KEY_INVALID, "the public object alone: %s", mock_said);
    ok(tool_delete("pubkey", "came"), "and the public one");
    is_int(use(self, "came"), TENUO_E_KEY_NOT_FOUND, "is no key: %s", mock_said);
    listed = 0;
    is_int(ops->list(self, each, &entry), TENUO_OK, "list: %s", mock_said);
    ops->close(self);
}

static void move_tokens(const char *from, const char *to)
{
    if (rename(stage_path(from), stage_path(to)) != 0)
        stage_die(from);
}

/* Until it is not `code` any more, for three seconds: a module is started anew twice a second at most. */
static int use_again(void *self, const char *id, int code)
{
    int r = code;
    for (int i = 0; i < 30 && r == code; i++) {
        struct timespec ts = { 0, 100000000 };
        nanosleep(&ts, NULL);
        r = use(self, id);
    }
    return r;
}

static void away(void)
{
    uint8_t key[32];
    void *self = opened("pkcs11:token=tenuo", stage_path("pin"));
    is_int(ops->generate(self, "away", 0, key, &version), TENUO_OK, "a key");
    is_int(use(self, "away"), TENUO_OK, "signs");
    move_tokens("tokens", "tokens.away");
    is_int(use(self, "away"), TENUO_E_UNAVAILABLE, "the token is away: %s", mock_said);
    is_int(use(self, "other"), TENUO_E_UNAVAILABLE, "that is no missing key: %s", mock_said);
    move_tokens("tokens.away", "tokens");
    is_int(use_again(self, "away", TENUO_E_UNAVAILABLE), TENUO_OK, "it is back: no restart: %s", mock_said);
    is_int(ops->remove(self, "away", 0), TENUO_OK, "remove");
    ops->close(self);
}

static void *many(void *self)
{
    static const uint8_t text[] = "many";
    uint8_t key[32], sig[64];
    uint32_t v;
    long wrong = 0;
    for (int i = 0; i < 50; i++)
        wrong += ops->public_key(self, "threads", 0, key, &v) != TENUO_OK ||
                 ops->sign(self, "threads", v, text, sizeof text, sig) != TENUO_OK ||
                 crypto_sign_verify_detached(sig, text, sizeof text, key) != 0;
    return (void *)(intptr_t)wrong;
}

static double now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void threads(void)
{
    pthread_t t[THREADS];
    uint8_t key[32], sig[64];
    long wrong = 0;
    void *self = opened("pkcs11:token=tenuo", stage_path("pin"));
    is_int(ops->generate(self, "threads", 0, key, &version), TENUO_OK, "a key");
    double began = now_us();
    (void)ops->public_key(self, "threads", 0, key, &version);
    double middle = now_us();
    (void)ops->sign(self, "threads", version, key, 32, sig);
    printf("# look-up %.0f us, signature %.0f us\n", middle - began, now_us() - middle);
    began = now_us();
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, many, self);
    for (size_t i = 0; i < THREADS; i++) {
        void *r = NULL;
        pthread_join(t[i], &r);
        wrong += (intptr_t)r;
    }
    is_int(wrong, 0, "8 threads look up and sign 50 times each");
    printf("# %.0f us a look-up with signature\n", (now_us() - began) / (THREADS * 50));
    ops->close(self);
}

/* Rotates while others sign: no call may fail, and each signature is of the key that was told. */
static void rotated_under_way(void)
{
    pthread_t t[4];
    uint8_t key[32];
    long wrong = 0;
    void *self = opened("pkcs11:token=tenuo", stage_path("pin"));
    for (size_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, many, self);
    for (int i = 0; i < 10; i++)
        wrong += ops->generate(self, "threads", TENUO_STORE_NEW_VERSION, key, &version) != TENUO_OK;
    is_int(wrong, 0, "ten rotations: %s", mock_said);
    for (size_t i = 0; i < 4; i++) {
        void *r = NULL;
        pthread_join(t[i], &r);
        wrong += (intptr_t)r;
    }
    is_int(wrong, 0, "while four threads sign: %s", mock_said);
    ops->close(self);
}

/* Other users of the same module: another line, and one that closes it without asking anybody. */
static void others(void)
{
    void *first = opened("pkcs11:token=tenuo", stage_path("pin"));
    void *second = opened("pkcs11:token=tenuo", stage_path("pin"));
    is_int(use(first, "threads"), TENUO_OK, "one line");
    is_int(use(second, "threads"), TENUO_OK, "another line");
    ops->close(first);
    is_int(use(second, "threads"), TENUO_OK, "which goes on when the first is closed");
    void *so = dlopen(module, RTLD_NOW | RTLD_NOLOAD);
    CK_C_GetFunctionList get = so == NULL ? NULL : (CK_C_GetFunctionList)(uintptr_t)dlsym(so, "C_GetFunctionList");
    CK_FUNCTION_LIST *f = NULL;
    if (get == NULL || get(&f) != CKR_OK)
        stage_die("C_GetFunctionList");
    is_int((long long)f->C_Finalize(NULL), CKR_OK, "somebody finalizes the module");
    is_int(use(second, "threads"), TENUO_OK, "it is started anew: %s", mock_said);
    ops->close(second);
    dlclose(so);
}

/* Of a child of its own, so that its user and its SoftHSM are not ours. */
static int unprivileged(void)
{
    void *self = NULL;
    uint8_t key[32];
    if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
        return 2;
    umask(077);
    setenv("SOFTHSM2_CONF", stage_path("nobody/softhsm.conf"), 1);
    if (RUN("softhsm2-util", "--init-token", "--free", "--label", "own", "--pin", "1234", "--so-pin", "5678") != 0)
        return 3;
    stage_write("nobody/pin", "1234\n", 5, 0600);
    if (open_with("pkcs11:token=own", module, stage_path("nobody/pin"), NULL, &self) != TENUO_OK)
        return 4;
    if (ops->generate(self, "mine", 0, key, &version) != TENUO_OK || use(self, "mine") != TENUO_OK ||
        ops->generate(self, "mine", TENUO_STORE_NEW_VERSION, key, &version) != TENUO_OK ||
        ops->remove(self, "mine", 0) != TENUO_OK || use(self, "mine") != TENUO_E_KEY_NOT_FOUND)
        return 5;
    ops->close(self);
    return 0;
}

static void check_unprivileged(void)
{
    char text[1200];
    int status = 0;
    if (geteuid() != 0) {
        skip_test("an unprivileged user", "needs root to become one");
        return;
    }
    stage_mkdir("nobody", 0700);
    stage_mkdir("nobody/tokens", 0700);
    snprintf(text, sizeof text, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
             stage_path("nobody/tokens"));
    stage_text("nobody/softhsm.conf", text);
    if (chown(stage_path("nobody"), 65534, 65534) != 0 || chown(stage_path("nobody/tokens"), 65534, 65534) != 0 ||
        chmod(stage_root, 0711) != 0)
        stage_die("chown");
    pid_t pid = fork();
    if (pid == 0)
        _exit(unprivileged());
    is_int(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0,
           "uid 65534 makes, uses, rotates and removes keys of a token of its own");
    chmod(stage_root, 0700);
}

static void several_tokens(void)
{
    void *self = opened("pkcs11:manufacturer=SoftHSM%20project", stage_path("pin"));
    is_int(use(self, "agent"), TENUO_E_KEY_CONFLICT, "two tokens match: %s", mock_said);
    ops->close(self);
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("pkcs11", argc, argv);
    ops = plugin->resolver;
    stage_begin();
    bool found = find_module();
    arguments();
    if (!found || !make_token("softhsm.conf", "tokens", "tenuo") ||
        RUN("softhsm2-util", "--init-token", "--free", "--label", "other", "--pin", "1234", "--so-pin", "5678") != 0) {
        skip_test("a real token", "softhsm2 is not installed");
    } else {
        check_unprivileged();
        setenv("SOFTHSM2_CONF", stage_path("softhsm.conf"), 1);
        pins();
        lifecycle("pkcs11:token=tenuo;object=tenuo-{key_id}.x");
        lifecycle("pkcs11:token=tenuo;id={key_id}");
        if (access("/usr/share/p11-kit/modules/softhsm2.module", R_OK) == 0)
            lifecycle("pkcs11:token=tenuo;object=configured-{key_id}"); /* without module= */
        else
            skip_test("modules that p11-kit is configured with", "SoftHSM is not among them");
        several_tokens();
        foreign();
        threads();
        rotated_under_way();
        others();
        away();
    }
    stage_end();
    return done_testing();
}
