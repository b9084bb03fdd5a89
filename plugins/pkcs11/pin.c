/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIN: read for each login from a file that only its owner can read, handed to the token, wiped. A token locks
 * itself after a few wrong PINs, so one that was refused is never tried again before its file changes, and the last try
 * is never taken. Never keeps or prints a PIN.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/keyfile.h"
#include "../../core/trust.h"
#include "pkcs11.h"

struct pin {
    uint8_t *text; /* guarded, TN_KEYFILE_MAX */
    size_t len;
    struct timespec changed;
};

bool p11_has_pin(const struct p11 *p)
{
    return p->pin_file != NULL || p->pin_credential != NULL;
}

static const char *source(const struct p11 *p)
{
    return p->pin_file != NULL ? p->pin_file : p->pin_credential;
}

/* The directory, judged, and the name in it. */
static int open_dir(const struct p11 *p, const char **ret_name, int *ret_fd)
{
    char dir[1024];
    struct tenuo_error err;
    if (p->pin_credential != NULL) {
        const char *from = secure_getenv("CREDENTIALS_DIRECTORY");
        if (from == NULL || strlen(from) >= sizeof dir) {
            p->host->error(p->host, "pin_credential: CREDENTIALS_DIRECTORY is not set: the service manager passed no "
                                    "credential");
            return TENUO_E_UNAVAILABLE;
        }
        snprintf(dir, sizeof dir, "%s", from);
        *ret_name = p->pin_credential;
    } else {
        size_t n = (size_t)(strrchr(p->pin_file, '/') - p->pin_file);
        snprintf(dir, sizeof dir, "%.*s", n == 0 ? 1 : (int)n, p->pin_file);
        *ret_name = p->pin_file + n + 1;
    }
    int r = tn_trust_open(dir, TN_TRUST_DIR, TENUO_E_KEY_DENIED, ret_fd, &err);
    if (r != TENUO_OK)
        p->host->error(p->host, "%s: %s", p->pin_file != NULL ? "pin_file" : "pin_credential", err.msg);
    return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

static int read_in(const struct p11 *p, int dir, const char *name, struct pin *pin)
{
    struct stat st;
    char why[160];
    enum tn_keyfile_result k =
        tn_keyfile_read(dir, name, p->pin_credential != NULL ? TN_KEYFILE_CREDENTIAL : 0, pin->text, &pin->len, why);
    if (k != TN_KEYFILE_OK || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        p->host->error(p->host, "PIN file %s: %s", source(p), k != TN_KEYFILE_OK ? why : "went away");
        return k == TN_KEYFILE_SYSTEM || k == TN_KEYFILE_OK ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
    }
    pin->changed = st.st_mtim;
    while (pin->len > 0 && (pin->text[pin->len - 1] == '\n' || pin->text[pin->len - 1] == '\r'))
        pin->len--;
    if (pin->len > 0 && pin->len <= 255)
        return TENUO_OK;
    p->host->error(p->host, "PIN file %s: want the PIN alone, 1 to 255 bytes on one line", source(p));
    return TENUO_E_KEY_DENIED;
}

static int read_pin(const struct p11 *p, struct pin *pin)
{
    const char *name;
    int dir = -1, r = open_dir(p, &name, &dir);
    if (r != TENUO_OK)
        return r;
    pin->text = sodium_malloc(TN_KEYFILE_MAX); /* wiped by sodium_free */
    r = pin->text == NULL ? TENUO_E_NOMEM : read_in(p, dir, name, pin);
    close(dir);
    return r;
}

int p11_pin_judge(const struct p11 *p)
{
    struct pin pin = { 0 };
    if (p->pin_file == NULL)
        return TENUO_OK;
    int r = read_pin(p, &pin);
    sodium_free(pin.text);
    return r;
}

/* What a PIN is known by once it was refused: its text, and when its file changed, so that `touch` means try again. */
static void digest(const struct p11 *p, const struct pin *pin, uint8_t ret[32])
{
    crypto_generichash_state st;
    crypto_generichash_init(&st, p->refused->key, sizeof p->refused->key, 32);
    crypto_generichash_update(&st, (const uint8_t *)&pin->changed, sizeof pin->changed);
    crypto_generichash_update(&st, pin->text, pin->len);
    crypto_generichash_final(&st, ret, 32);
    sodium_memzero(&st, sizeof st);
}

static bool was_refused(const struct p11 *p, const struct pin *pin)
{
    uint8_t now[32];
    if (!p->refused->set)
        return false;
    digest(p, pin, now);
    return sodium_memcmp(now, p->refused->pin, sizeof now) == 0;
}

/* What the token says about earlier tries, of whomever. */
static int judge_flags(struct p11_session *s)
{
    struct p11 *p = s->p;
    CK_TOKEN_INFO info;
    memset(&info, 0, sizeof info);
    CK_RV rv = s->token.f->C_GetTokenInfo(s->token.slot, &info);
    if (rv != CKR_OK)
        return p11_fail(s, rv, "does not say what it is");
    if ((info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
        return p11_say(s, TENUO_E_KEY_DENIED,
                       "wants its PIN typed on its own keys, which a service cannot do: use a "
                       "token that takes the PIN from the program");
    if ((info.flags & CKF_USER_PIN_LOCKED) != 0)
        return p11_say(s, TENUO_E_KEY_DENIED, "its user PIN is locked after wrong tries: unlock it with the SO PIN");
    if ((info.flags & CKF_USER_PIN_FINAL_TRY) != 0)
        return p11_say(s, TENUO_E_KEY_DENIED,
                       "one more wrong PIN locks it, so none is tried: log in once by hand with "
                       "the right one (pkcs11-tool --login --list-objects)");
    if ((info.flags & CKF_USER_PIN_COUNT_LOW) != 0 && !p->warned)
        p->host->log(p->host, TENUO_LOG_WARNING,
                     "token '%s': a wrong user PIN was tried since the last login; after "
                     "some more it locks",
                     s->token.label);
    p->warned = (info.flags & CKF_USER_PIN_COUNT_LOW) != 0;
    return TENUO_OK;
}

static int judge_login(struct p11_session *s, const struct pin *pin, CK_RV rv)
{
    struct p11 *p = s->p;
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
        p->refused->set = false;
        return TENUO_OK;
    }
    s->broken = true;
    switch (rv) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
        digest(p, pin, p->refused->pin);
        p->refused->set = true;
        return p11_say(
            s, TENUO_E_KEY_DENIED,
            "refuses the PIN of %.80s, which is not tried again before that file changes: write the right one",
            source(p));
    case CKR_PIN_LOCKED:
        return p11_say(s, TENUO_E_KEY_DENIED, "its user PIN is locked after wrong tries: unlock it with the SO PIN");
    case CKR_PIN_EXPIRED:
        return p11_say(s, TENUO_E_KEY_DENIED, "its user PIN has expired: set a new one (pkcs11-tool --change-pin)");
    case CKR_USER_PIN_NOT_INITIALIZED:
        return p11_say(s, TENUO_E_KEY_DENIED, "has no user PIN yet: set one (pkcs11-tool --init-pin)");
    case CKR_USER_ANOTHER_ALREADY_LOGGED_IN:
    case CKR_USER_TOO_MANY_TYPES:
    case CKR_SESSION_READ_ONLY_EXISTS:
        return p11_say(s, TENUO_E_UNAVAILABLE, "is logged in to by its SO in this program: log that out");
    default:
        return p11_fail(s, rv, "cannot be logged in to");
    }
}

static int login_now(struct p11_session *s, CK_USER_TYPE who, const struct pin *pin)
{
    if (was_refused(s->p, pin)) {
        s->broken = true;
        return p11_say(s, TENUO_E_KEY_DENIED,
                       "refused the PIN of %.80s before; it is tried again when that file has "
                       "changed: write the right one",
                       source(s->p));
    }
    int r = judge_flags(s);
    if (r != TENUO_OK) {
        s->broken = true;
        return r;
    }
    return judge_login(s, pin, s->token.f->C_Login(s->handle, who, pin->text, pin->len));
}

int p11_login(struct p11_session *s, CK_USER_TYPE who)
{
    struct pin pin = { 0 };
    if (!p11_has_pin(s->p)) { /* a key that wants one, on a token that wants none */
        s->broken = true;
        return p11_say(s, TENUO_E_KEY_DENIED, "wants the PIN for each signature: set pin_file= or pin_credential=");
    }
    pthread_mutex_lock(&s->p->login_lock); /* one try at a time: two threads would waste two */
    int r = read_pin(s->p, &pin);
    if (r == TENUO_OK)
        r = login_now(s, who, &pin);
    else
        s->broken = true;
    pthread_mutex_unlock(&s->p->login_lock);
    sodium_free(pin.text);
    return r;
}

bool p11_still_in(struct p11_session *s)
{
    CK_SESSION_INFO info;
    CK_TOKEN_INFO token;
    memset(&info, 0, sizeof info);
    memset(&token, 0, sizeof token);
    CK_RV rv = s->token.f->C_GetSessionInfo(s->handle, &info);
    if (rv == CKR_OK)
        rv = s->token.f->C_GetTokenInfo(s->token.slot, &token);
    if (rv != CKR_OK) {
        (void)p11_fail(s, rv, "does not answer");
        return false;
    }
    if ((token.flags & CKF_LOGIN_REQUIRED) == 0 || info.state == CKS_RO_USER_FUNCTIONS ||
        info.state == CKS_RW_USER_FUNCTIONS)
        return true;
    (void)p11_fail(s, CKR_USER_NOT_LOGGED_IN, "shows its keys only after a login");
    return false;
}
