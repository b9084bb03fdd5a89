/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a module's return value means here: a code for the host, whether the session is of use any more, and a sentence
 * with a remedy. Knows no secret, so none can get into a message.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "pkcs11.h"

enum after { KEEP, LOST, AGAIN };

struct meaning {
    CK_RV rv;
    int code;
    enum after after; /* LOST: the token or the login is gone; AGAIN: an object was, and another look may help */
    const char *remedy;
};

#define INSERT "insert the token, or start what serves it"

static const struct meaning meanings[] = {
    { CKR_DEVICE_REMOVED, TENUO_E_UNAVAILABLE, LOST, INSERT },
    { CKR_TOKEN_NOT_PRESENT, TENUO_E_UNAVAILABLE, LOST, INSERT },
    { CKR_TOKEN_NOT_RECOGNIZED, TENUO_E_UNAVAILABLE, LOST, INSERT },
    { CKR_SLOT_ID_INVALID, TENUO_E_UNAVAILABLE, LOST, INSERT },
    { CKR_DEVICE_ERROR, TENUO_E_UNAVAILABLE, LOST, "look at the token, its reader and the module's own log" },
    { CKR_GENERAL_ERROR, TENUO_E_UNAVAILABLE, LOST, "look at the token, its reader and the module's own log" },
    { CKR_FUNCTION_FAILED, TENUO_E_UNAVAILABLE, LOST, "look at the token, its reader and the module's own log" },
    { CKR_SESSION_HANDLE_INVALID, TENUO_E_UNAVAILABLE, LOST, "the token closes sessions: see its own log" },
    { CKR_SESSION_CLOSED, TENUO_E_UNAVAILABLE, LOST, "the token closes sessions: see its own log" },
    { CKR_CRYPTOKI_NOT_INITIALIZED, TENUO_E_UNAVAILABLE, LOST, "something in this program closes the module" },
    { CKR_KEY_HANDLE_INVALID, TENUO_E_UNAVAILABLE, AGAIN, "the key was changed meanwhile: try again" },
    { CKR_OBJECT_HANDLE_INVALID, TENUO_E_UNAVAILABLE, AGAIN, "the key was changed meanwhile: try again" },
    { CKR_SESSION_COUNT, TENUO_E_UNAVAILABLE, KEEP, "too many programs have sessions: end some" },
    { CKR_DEVICE_MEMORY, TENUO_E_UNAVAILABLE, KEEP, "the token is full: remove keys" },
    { CKR_USER_NOT_LOGGED_IN, TENUO_E_KEY_DENIED, LOST, "set pin_file= or pin_credential= on the line" },
    { CKR_KEY_FUNCTION_NOT_PERMITTED, TENUO_E_KEY_DENIED, KEEP, "the key may not sign: make one with CKA_SIGN" },
    { CKR_TOKEN_WRITE_PROTECTED, TENUO_E_KEY_DENIED, KEEP, "change the token with its maker's tool" },
    { CKR_SESSION_READ_ONLY, TENUO_E_KEY_DENIED, KEEP, "change the token with its maker's tool" },
    { CKR_ACTION_PROHIBITED, TENUO_E_KEY_DENIED, KEEP, "the token forbids it for this object" },
    { CKR_ATTRIBUTE_READ_ONLY, TENUO_E_KEY_DENIED, KEEP,
      "the token keeps no versions: make the new key under another id" },
    { CKR_MECHANISM_INVALID, TENUO_E_KEY_INVALID, KEEP,
      "the token or the way to it has no Ed25519 (CKM_EDDSA): name the maker's module with module=; p11-kit's server "
      "and client do not pass it on" },
    { CKR_MECHANISM_PARAM_INVALID, TENUO_E_KEY_INVALID, KEEP, "the module speaks another EdDSA: update it" },
    { CKR_KEY_TYPE_INCONSISTENT, TENUO_E_KEY_INVALID, KEEP, "it is no Ed25519 key: use another id" },
    { CKR_FUNCTION_NOT_SUPPORTED, TENUO_E_KEY_DENIED, KEEP, "use the maker's tool for it" },
    { CKR_TEMPLATE_INCONSISTENT, TENUO_E_KEY_DENIED, KEEP, "use the maker's tool for it" },
    { CKR_HOST_MEMORY, TENUO_E_NOMEM, KEEP, "memory ran out" },
};

static const struct meaning *meaning_of(CK_RV rv)
{
    static const struct meaning other = { 0, TENUO_E_UNAVAILABLE, KEEP, "see the module's own log" };
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].rv == rv)
            return &meanings[i];
    return &other;
}

uint64_t p11_clock(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int p11_say(const struct p11_session *s, int code, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s->p->host->error(s->p->host, "token '%s': %s", s->token.label, text);
    return code;
}

int p11_fail(struct p11_session *s, CK_RV rv, const char *what)
{
    const struct meaning *m = meaning_of(rv);
    s->broken = true;
    s->lost = s->lost || m->after == LOST;
    s->again = s->again || m->after == AGAIN;
    return p11_say(s, m->code, "%s: error 0x%lx: %s", what, rv, m->remedy);
}
