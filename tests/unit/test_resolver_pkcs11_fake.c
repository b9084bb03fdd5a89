/* SPDX-License-Identifier: Apache-2.0 */
/* Resolver pkcs11 against a FAKE module that breaks when told to: wrong PINs are counted, sessions end, devices fail,
 * lengths lie, and a rotation is cut at every change. What works is tested with SoftHSM (test_resolver_pkcs11.c). */
#include <pthread.h>
#include <stdint.h>

#include "../plugin/fake_pkcs11.h"
#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_resolver_ops *ops;
static struct fake_pkcs11 *fake;
static struct tenuo_host host;
static atomic_int warnings;
static _Thread_local uint32_t deadline = 5000;

static uint32_t own_deadline(const struct tenuo_host *h)
{
    (void)h;
    return deadline;
}

TENUO_PRINTF(3, 4) static void count_log(const struct tenuo_host *h, int level, const char *fmt, ...)
{
    (void)h, (void)fmt;
    if (level == TENUO_LOG_WARNING)
        atomic_fetch_add(&warnings, 1);
}

static int open_module(const char *module, const char *pin, void **ret_self)
{
    struct tenuo_arg args[] = {
        { "uri", "pkcs11:token=fake", 0 },
        { "module", module, 0 },
        { "pin_file", pin, 0 },
        { "pin_credential", NULL, 0 },
    };
    mock_said[0] = '\0';
    return ops->open(&host, args, 4, ret_self);
}

static void *opened_pin(const char *pin)
{
    void *self = NULL;
    is_int(open_module(stage_path("fake.so"), pin, &self), TENUO_OK, "opens: %s", mock_said);
    return self;
}

static void write_pin(const char *text)
{
    stage_write("pin", text, strlen(text), 0600);
}

static void *opened(void)
{
    write_pin("1234\n");
    return opened_pin(stage_path("pin"));
}

/* Signs and verifies; the code. */
static int use_version(void *self, const char *id, uint32_t version)
{
    static const uint8_t text[] = "text";
    uint8_t key[32], sig[64];
    uint32_t got = 0;
    mock_said[0] = '\0';
    int r = ops->public_key(self, id, version, key, &got);
    if (r == TENUO_OK)
        r = ops->sign(self, id, got, text, sizeof text, sig);
    if (r == TENUO_OK && crypto_sign_verify_detached(sig, text, sizeof text, key) != 0)
        return -1;
    return r;
}

static int use(void *self)
{
    return use_version(self, "k", 0);
}

static void clear(void)
{
    memset(fake->objects, 0, sizeof fake->objects);
    strcpy(fake->pin, "1234");
    atomic_store(&fake->present, 1);
    atomic_store(&fake->faults, -1);
    atomic_store(&fake->mutations, -1);
    atomic_store(&fake->login_rv, 0);
    atomic_store(&fake->sign_rv, 0);
    atomic_store(&fake->sign_init_rv, 0);
    atomic_store(&fake->open_rv, 0);
    atomic_store(&fake->find_rv, 0);
    atomic_store(&fake->flags, 0);
    atomic_store(&fake->no_login, 0);
    atomic_store(&fake->always, 0);
    atomic_store(&fake->lie, FAKE_HONEST);
    atomic_store(&fake->delay_ms, 0);
    atomic_store(&fake->point_form, 0);
    atomic_store(&fake->oid_only, 0);
}

static void make_key(void *self, const char *id)
{
    uint8_t key[32];
    uint32_t version = 0;
    is_int(ops->generate(self, id, 0, key, &version), TENUO_OK, "generate %s: %s", id, mock_said);
}

/* What the test needs of the fake is in the module that p11-kit will find loaded. */
static void load_fake(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/fake_pkcs11.so", dir);
    stage_copy(path, "fake.so", 0755);
    void *so = dlopen(stage_path("fake.so"), RTLD_NOW | RTLD_LOCAL);
    fake = so == NULL ? NULL : dlsym(so, "fake_pkcs11");
    if (fake == NULL) {
        printf("Bail out! %s\n", dlerror());
        exit(1);
    }
}

static void trust(const char *fakes)
{
    char path[4096];
    void *self = NULL;
    uint8_t key[32];
    uint32_t version;
    snprintf(path, sizeof path, "%s/fake_pkcs11.so", fakes);
    setenv("FAKE_PKCS11_MARKER", stage_path("marker"), 1);
    const char *loose = stage_copy(path, "loose.so", 0777);
    is_int(open_module(loose, NULL, &self), TENUO_E_KEY_DENIED, "a module that all can write: %s", mock_said);
    const char *later = stage_path("later.so");
    is_int(open_module(later, NULL, &self), TENUO_OK, "a module that is not there yet");
    is_int(use(self), TENUO_E_UNAVAILABLE, "is no answer: %s", mock_said);
    stage_copy(path, "later.so", 0777);
    is_int(ops->public_key(self, "a", 0, key, &version), TENUO_E_KEY_DENIED, "judged when it comes: %s", mock_said);
    ok(access(stage_path("marker"), F_OK) != 0, "neither ran");
    stage_text("later.so", "no module");
    is_int(ops->public_key(self, "a", 0, key, &version), TENUO_E_UNAVAILABLE, "no shared object: %s", mock_said);
    ops->close(self);
    unsetenv("FAKE_PKCS11_MARKER");
}

static void pins(void)
{
    void *self = opened();
    make_key(self, "k");
    ops->close(self);
    is_int(atomic_load(&fake->sessions), 0, "close leaves no session");
    atomic_store(&fake->logins, 0);
    write_pin("9999\n");
    self = opened_pin(stage_path("pin"));
    is_int(use(self), TENUO_E_KEY_DENIED, "a wrong PIN: %s", mock_said);
    ok(strstr(mock_said, "9999") == NULL, "the PIN is not in the message");
    for (int i = 0; i < 3; i++)
        is_int(use(self), TENUO_E_KEY_DENIED, "again: %s", mock_said);
    is_int(atomic_load(&fake->logins), 1, "it was tried once");
    write_pin("8888\n");
    is_int(use(self), TENUO_E_KEY_DENIED, "another wrong one");
    is_int(atomic_load(&fake->logins), 2, "is tried once, too");
    write_pin("1234\n");
    is_int(use(self), TENUO_OK, "the right one: no restart: %s", mock_said);
    ops->close(self);
    is_int(atomic_load(&fake->sessions), 0, "close leaves no session");
    ops->close(NULL);
}

static void pin_states(void)
{
    static const struct {
        int flags, rv, code, logins;
        const char *says;
    } rows[] = {
        { CKF_USER_PIN_LOCKED, 0, TENUO_E_KEY_DENIED, 0, "SO PIN" },
        { CKF_USER_PIN_FINAL_TRY, 0, TENUO_E_KEY_DENIED, 0, "by hand" },
        { CKF_PROTECTED_AUTHENTICATION_PATH, 0, TENUO_E_KEY_DENIED, 0, "keys" },
        { CKF_USER_PIN_COUNT_LOW, 0, TENUO_OK, 1, "" },
        { 0, CKR_PIN_LOCKED, TENUO_E_KEY_DENIED, 1, "SO PIN" },
        { 0, CKR_PIN_EXPIRED, TENUO_E_KEY_DENIED, 1, "change-pin" },
        { 0, CKR_USER_PIN_NOT_INITIALIZED, TENUO_E_KEY_DENIED, 1, "init-pin" },
        { 0, CKR_PIN_LEN_RANGE, TENUO_E_KEY_DENIED, 1, "not tried again" },
        { 0, CKR_USER_ALREADY_LOGGED_IN, TENUO_OK, 1, "" },
        { 0, CKR_USER_ANOTHER_ALREADY_LOGGED_IN, TENUO_E_UNAVAILABLE, 1, "SO" },
        { 0, CKR_FUNCTION_FAILED, TENUO_E_UNAVAILABLE, -1, "cannot be logged in" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t key[32];
        uint32_t version;
        clear();
        void *self = opened();
        make_key(self, "k");
        ops->close(self);
        self = opened();
        atomic_store(&fake->flags, rows[i].flags);
        atomic_store(&fake->login_rv, rows[i].rv);
        atomic_store(&fake->logins, 0);
        mock_said[0] = '\0';
        is_int(ops->public_key(self, "k", 0, key, &version), rows[i].code, "row %zu: %s", i, mock_said);
        ok(strstr(mock_said, rows[i].says) != NULL, "names the remedy");
        if (rows[i].logins >= 0)
            is_int(atomic_load(&fake->logins), rows[i].logins, "tries");
        ops->close(self);
    }
    is_int(atomic_load(&warnings), 1, "COUNT_LOW is one warning");
    clear();
}

static void without_pin(void)
{
    void *self = opened();
    make_key(self, "k");
    ops->close(self);
    self = opened_pin(NULL);
    uint8_t key[32], sig[64];
    uint32_t version = 0;
    is_int(ops->public_key(self, "k", 0, key, &version), TENUO_OK, "a public key can be read without a PIN");
    is_int(ops->sign(self, "k", 1, key, 32, sig), TENUO_E_KEY_DENIED, "signing wants one: %s", mock_said);
    is_int(ops->public_key(self, "none", 0, key, &version), TENUO_E_KEY_DENIED,
           "what is not seen without one is not called missing: %s", mock_said);
    atomic_store(&fake->no_login, 1);
    is_int(use(self), TENUO_OK, "a token that wants no login: %s", mock_said);
    is_int(use_version(self, "none", 0), TENUO_E_KEY_NOT_FOUND, "says that there is no such key");
    atomic_store(&fake->always, 1);
    is_int(use(self), TENUO_E_KEY_DENIED, "a key of it that wants a PIN for each signature: %s", mock_said);
    ops->close(self);
    clear();
}

static void always(void)
{
    void *self = opened();
    make_key(self, "k");
    atomic_store(&fake->always, 1);
    atomic_store(&fake->logins, 0);
    is_int(use(self), TENUO_OK, "a key that wants the PIN each time: %s", mock_said);
    is_int(use(self), TENUO_OK, "and again");
    is_int(atomic_load(&fake->logins), 3, "one login, and one more a signature");
    write_pin("7777");
    is_int(use(self), TENUO_E_KEY_DENIED, "a wrong PIN for it: %s", mock_said);
    is_int(use(self), TENUO_E_KEY_DENIED, "and again: %s", mock_said);
    is_int(atomic_load(&fake->logins), 4, "is tried once");
    ops->close(self);
    clear();
}

/* One fault, and the call goes through; faults without end, and it is 9301; then it works again, without restart. */
static void lost(void)
{
    static const CK_RV rvs[] = { CKR_DEVICE_ERROR,    CKR_DEVICE_REMOVED,          CKR_SESSION_HANDLE_INVALID,
                                 CKR_GENERAL_ERROR,   CKR_SESSION_CLOSED,          CKR_TOKEN_NOT_PRESENT,
                                 CKR_FUNCTION_FAILED, CKR_CRYPTOKI_NOT_INITIALIZED };
    atomic_int *const where[] = { &fake->sign_rv, &fake->sign_init_rv, &fake->find_rv };
    void *self = opened();
    make_key(self, "k");
    for (size_t w = 0; w < 3; w++)
        for (size_t i = 0; i < sizeof rvs / sizeof rvs[0]; i++) {
            atomic_store(where[w], (int)rvs[i]);
            atomic_store(&fake->faults, 1);
            is_int(use(self), TENUO_OK, "0x%lx once: tried again: %s", rvs[i], mock_said);
            atomic_store(&fake->faults, -1);
            is_int(use(self), TENUO_E_UNAVAILABLE, "always: %s", mock_said);
            atomic_store(where[w], 0);
            is_int(use(self), TENUO_OK, "and it works again");
        }
    atomic_store(&fake->logged_in, 0);
    is_int(use(self), TENUO_OK, "somebody else logged us out: %s", mock_said);
    atomic_store(&fake->open_rv, CKR_SESSION_COUNT);
    uint8_t key[32];
    uint32_t version;
    is_int(ops->generate(self, "x", 0, key, &version), TENUO_E_UNAVAILABLE, "no more sessions: %s", mock_said);
    atomic_store(&fake->open_rv, 0);
    atomic_store(&fake->sign_init_rv, CKR_MECHANISM_INVALID);
    is_int(use(self), TENUO_E_KEY_INVALID, "no EdDSA: %s", mock_said);
    atomic_store(&fake->sign_init_rv, CKR_KEY_FUNCTION_NOT_PERMITTED);
    is_int(use(self), TENUO_E_KEY_DENIED, "not permitted: %s", mock_said);
    atomic_store(&fake->sign_init_rv, 0);
    int opened_before = atomic_load(&fake->opened);
    for (int i = 0; i < 20; i++)
        (void)use(self);
    ok(atomic_load(&fake->opened) - opened_before <= 1, "sessions are kept and used again");
    ops->close(self);
    is_int(atomic_load(&fake->sessions), 0, "close leaves no session");
    clear();
}

static void removed(void)
{
    void *self = opened();
    make_key(self, "k");
    atomic_store(&fake->present, 0);
    is_int(use(self), TENUO_E_UNAVAILABLE, "the token is pulled: %s", mock_said);
    is_int(use_version(self, "none", 0), TENUO_E_UNAVAILABLE, "and that is not a missing key");
    ok(strstr(mock_said, "insert") != NULL, "says: %s", mock_said);
    atomic_store(&fake->present, 1);
    is_int(use(self), TENUO_OK, "put back: no restart: %s", mock_said);
    ops->close(self);
    atomic_store(&fake->present, 0);
    self = opened();
    is_int(use(self), TENUO_E_UNAVAILABLE, "opened without the token: %s", mock_said);
    atomic_store(&fake->present, 1);
    is_int(use(self), TENUO_OK, "until it comes: %s", mock_said);
    ops->close(self);
    clear();
}

static void lies(void)
{
    static const struct {
        int lie, code;
    } rows[] = {
        { FAKE_LONG_ATTRIBUTE, TENUO_E_KEY_INVALID },  { FAKE_MANY_OBJECTS, TENUO_E_UNAVAILABLE },
        { FAKE_SHORT_SIGNATURE, TENUO_E_KEY_INVALID }, { FAKE_LONG_SIGNATURE, TENUO_E_KEY_INVALID },
        { FAKE_SHORT_POINT, TENUO_E_KEY_INVALID },
    };
    void *self = opened();
    make_key(self, "k");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        atomic_store(&fake->lie, rows[i].lie);
        is_int(use(self), rows[i].code, "lie %d: %s", rows[i].lie, mock_said);
    }
    uint8_t key[32] = { 9 };
    uint32_t version = 77;
    atomic_store(&fake->lie, FAKE_WRONG_SIGNATURE);
    is_int(ops->generate(self, "new", 0, key, &version), TENUO_E_KEY_INVALID, "a new key that signs wrong: %s",
           mock_said);
    ok(key[0] == 9 && version == 77, "outputs are untouched");
    atomic_store(&fake->lie, FAKE_HONEST);
    is_int(use_version(self, "new", 0), TENUO_E_KEY_NOT_FOUND, "and it is not kept");
    for (int form = 0; form < 3; form++) {
        atomic_store(&fake->point_form, form);
        is_int(use(self), TENUO_OK, "form %d of the public key: %s", form, mock_said);
    }
    uint8_t seed[32] = { 3 };
    is_int(ops->import(self, "in", 0, seed, &version), TENUO_E_KEY_DENIED, "a token that takes no key: %s", mock_said);
    atomic_store(&fake->oid_only, 1);
    make_key(self, "by-oid");
    is_int(use_version(self, "by-oid", 0), TENUO_OK, "a token that knows the curve by its number");
    fake->objects[0].type = CKK_RSA;
    is_int(use(self), TENUO_E_KEY_INVALID, "wrong type: %s", mock_said);
    ops->close(self);
    clear();
    atomic_store(&fake->lie, FAKE_MANY_SLOTS);
    self = opened();
    is_int(use(self), TENUO_E_UNAVAILABLE, "slots without end: %s", mock_said);
    ops->close(self);
    clear();
}

/* After the change number n nothing more reaches the token. Whatever n: the key that was told of works, and so does a
 * rotation after. */
static void cut_rotations(void)
{
    for (int n = 0; n < 8; n++) {
        uint8_t before[32], after[32], told[32], next[32];
        uint32_t version = 0, newest = 0;
        clear();
        void *self = opened();
        make_key(self, "k");
        is_int(ops->generate(self, "k", TENUO_STORE_NEW_VERSION, before, &version), TENUO_OK, "a first rotation");
        atomic_store(&fake->mutations, n);
        int r = ops->generate(self, "k", TENUO_STORE_NEW_VERSION, told, &version);
        ops->close(self);
        atomic_store(&fake->mutations, -1);
        self = opened();
        is_int(use(self), TENUO_OK, "cut after %d changes (%d): the newest key signs: %s", n, r, mock_said);
        is_int(ops->public_key(self, "k", 0, after, &newest), TENUO_OK, "and is told");
        if (r == TENUO_OK)
            ok(newest == 3 && memcmp(after, told, 32) == 0, "it is the new one, as version 3");
        else
            ok((newest == 2 && memcmp(after, before, 32) == 0) || newest == 3, "it is version %u", newest);
        is_int(use_version(self, "k", 1), TENUO_OK, "version 1 signs");
        is_int(use_version(self, "k", 2), TENUO_OK, "version 2 signs: %s", mock_said);
        is_int(ops->public_key(self, "k", 2, next, &version), TENUO_OK, "version 2 is told");
        ok(memcmp(next, before, 32) == 0, "and is what it was");
        is_int(ops->generate(self, "k", TENUO_STORE_NEW_VERSION, next, &version), TENUO_OK, "the next rotation: %s",
               mock_said);
        is_int(version, newest + 1, "counts on");
        is_int(use(self), TENUO_OK, "and signs");
        is_int(use_version(self, "k", newest), TENUO_OK, "so does the one before: %s", mock_said);
        is_int(ops->remove(self, "k", 0), TENUO_OK, "removal: %s", mock_said);
        int left = 0;
        for (size_t i = 0; i < FAKE_OBJECTS; i++)
            left += fake->objects[i].class != 0;
        is_int(left, 0, "leaves nothing");
        ops->close(self);
    }
    clear();
}

static void *hurried(void *self)
{
    uint8_t key[32];
    uint32_t version;
    deadline = 50;
    return (void *)(intptr_t)ops->public_key(self, "k", 0, key, &version);
}

static void *patient(void *self)
{
    uint8_t key[32];
    uint32_t version;
    return (void *)(intptr_t)ops->public_key(self, "k", 0, key, &version);
}

static void slow(void)
{
    pthread_t a, b;
    void *ra = NULL, *rb = NULL;
    void *self = opened();
    make_key(self, "k");
    ops->close(self);
    self = opened();
    atomic_store(&fake->delay_ms, 600);
    pthread_create(&a, NULL, patient, self);
    struct timespec ts = { 0, 100000000 };
    nanosleep(&ts, NULL);
    pthread_create(&b, NULL, hurried, self);
    pthread_join(a, &ra);
    pthread_join(b, &rb);
    is_int((intptr_t)ra, TENUO_OK, "a slow token is waited for");
    ok((intptr_t)rb == TENUO_E_UNAVAILABLE || (intptr_t)rb == TENUO_OK, "until the deadline (%d)", (int)(intptr_t)rb);
    deadline = 0;
    uint8_t key[32];
    uint32_t version;
    is_int(ops->public_key(self, "k", 0, key, &version), TENUO_E_UNAVAILABLE, "no time left: %s", mock_said);
    deadline = 5000;
    ops->close(self);
    clear();
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("pkcs11", argc, argv);
    ops = plugin->resolver;
    host = mock_host;
    host.deadline = own_deadline;
    host.log = count_log;
    stage_begin();
    trust(argc > 2 ? argv[2] : ".");
    load_fake(argc > 2 ? argv[2] : ".");
    pins();
    pin_states();
    without_pin();
    always();
    lost();
    removed();
    lies();
    cut_rotations();
    slow();
    stage_end();
    return done_testing();
}
