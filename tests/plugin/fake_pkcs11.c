/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAKE: a PKCS#11 module with one token in memory, for faults that no token makes when it is asked to: sessions that
 * end, devices that break, wrong lengths, wrong signatures, changes that stop half way. What it gets right is only as
 * much as the tests need; what works with real tokens is tested with SoftHSM.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake_pkcs11.h"

#define EXPORT __attribute__((visibility("default"), used))
#define SLOT 3
#define SESSION_BASE 100
#define SESSIONS 64

EXPORT struct fake_pkcs11 fake_pkcs11 = { .present = 1, .faults = -1, .mutations = -1, .pin = "1234" };
static struct fake_pkcs11 *const fake = &fake_pkcs11;

static struct session {
    int open, found;
    CK_OBJECT_HANDLE list[FAKE_OBJECTS], sign;
    size_t n, next;
    int needs_login;
} sessions[SESSIONS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Proves that a file which must not be loaded never ran. */
__attribute__((constructor)) static void mark(void)
{
    const char *path = getenv("FAKE_PKCS11_MARKER");
    if (path != NULL)
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static CK_RV fault(atomic_int *rv)
{
    int wanted = atomic_load(rv);
    if (wanted == 0 || atomic_load(&fake->faults) == 0)
        return CKR_OK;
    if (atomic_load(&fake->faults) > 0)
        atomic_fetch_sub(&fake->faults, 1);
    return (CK_RV)wanted;
}

static CK_RV change(void)
{
    if (atomic_load(&fake->mutations) == 0)
        return CKR_DEVICE_ERROR;
    if (atomic_load(&fake->mutations) > 0)
        atomic_fetch_sub(&fake->mutations, 1);
    return CKR_OK;
}

static struct session *at(CK_SESSION_HANDLE h)
{
    if (!atomic_load(&fake->present) || h < SESSION_BASE || h >= SESSION_BASE + SESSIONS)
        return NULL;
    return sessions[h - SESSION_BASE].open ? &sessions[h - SESSION_BASE] : NULL;
}

static CK_RV gone(void)
{
    return atomic_load(&fake->present) ? CKR_SESSION_HANDLE_INVALID : CKR_DEVICE_REMOVED;
}

static CK_RV f_initialize(void *args)
{
    (void)args;
    if (sodium_init() < 0)
        return CKR_GENERAL_ERROR;
    atomic_fetch_add(&fake->initialised, 1);
    return CKR_OK;
}

static CK_RV f_finalize(void *reserved)
{
    (void)reserved;
    memset(sessions, 0, sizeof sessions);
    atomic_store(&fake->sessions, 0);
    atomic_store(&fake->logged_in, 0);
    return CKR_OK;
}

static void pad(unsigned char *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, strlen(text));
}

static CK_RV f_info(CK_INFO *info)
{
    memset(info, 0, sizeof *info);
    info->cryptokiVersion.major = 2;
    info->cryptokiVersion.minor = 40;
    pad(info->manufacturerID, sizeof info->manufacturerID, "fake");
    pad(info->libraryDescription, sizeof info->libraryDescription, "fake");
    return CKR_OK;
}

static CK_RV f_slots(unsigned char present, CK_SLOT_ID *list, CK_ULONG *n)
{
    CK_ULONG count = present && !atomic_load(&fake->present) ? 0 : 1;
    if (atomic_load(&fake->lie) == FAKE_MANY_SLOTS) {
        *n = 100000;
        return CKR_OK;
    }
    if (list != NULL && count == 1)
        list[0] = SLOT;
    *n = count;
    return CKR_OK;
}

static CK_RV f_slot(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    (void)slot;
    memset(info, 0, sizeof *info);
    pad(info->slotDescription, sizeof info->slotDescription, "fake slot");
    pad(info->manufacturerID, sizeof info->manufacturerID, "fake");
    return CKR_OK;
}

static CK_RV f_token(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    (void)slot;
    if (!atomic_load(&fake->present))
        return CKR_TOKEN_NOT_PRESENT;
    memset(info, 0, sizeof *info);
    pad(info->label, sizeof info->label, "fake");
    pad(info->manufacturerID, sizeof info->manufacturerID, "fake");
    pad(info->model, sizeof info->model, "fake");
    pad(info->serialNumber, sizeof info->serialNumber, "1");
    info->flags = CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED | (CK_FLAGS)atomic_load(&fake->flags);
    if (!atomic_load(&fake->no_login))
        info->flags |= CKF_LOGIN_REQUIRED;
    return CKR_OK;
}

static CK_RV f_open(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify, CK_SESSION_HANDLE *ret)
{
    struct timespec ts = { 0, (long)atomic_load(&fake->delay_ms) * 1000000 };
    (void)slot, (void)flags, (void)app, (void)notify;
    nanosleep(&ts, NULL);
    if (!atomic_load(&fake->present))
        return CKR_TOKEN_NOT_PRESENT;
    CK_RV rv = fault(&fake->open_rv);
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&lock);
    rv = CKR_SESSION_COUNT;
    for (size_t i = 0; i < SESSIONS && rv != CKR_OK; i++)
        if (!sessions[i].open) {
            memset(&sessions[i], 0, sizeof sessions[i]);
            sessions[i].open = 1;
            *ret = SESSION_BASE + i;
            rv = CKR_OK;
        }
    pthread_mutex_unlock(&lock);
    if (rv == CKR_OK) {
        atomic_fetch_add(&fake->sessions, 1);
        atomic_fetch_add(&fake->opened, 1);
    }
    return rv;
}

static CK_RV f_close(CK_SESSION_HANDLE h)
{
    pthread_mutex_lock(&lock);
    int open = h >= SESSION_BASE && h < SESSION_BASE + SESSIONS && sessions[h - SESSION_BASE].open;
    if (open) {
        sessions[h - SESSION_BASE].open = 0;
        if (atomic_fetch_sub(&fake->sessions, 1) == 1)
            atomic_store(&fake->logged_in, 0);
    }
    pthread_mutex_unlock(&lock);
    return open ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

static CK_RV f_session(CK_SESSION_HANDLE h, CK_SESSION_INFO *info)
{
    if (at(h) == NULL)
        return gone();
    memset(info, 0, sizeof *info);
    info->state = atomic_load(&fake->logged_in) ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
    return CKR_OK;
}

static CK_RV f_login(CK_SESSION_HANDLE h, CK_USER_TYPE who, unsigned char *pin, CK_ULONG len)
{
    struct session *s = at(h);
    atomic_fetch_add(&fake->logins, 1);
    if (s == NULL)
        return gone();
    CK_RV rv = fault(&fake->login_rv);
    if (rv != CKR_OK)
        return rv;
    if (len != strlen(fake->pin) || memcmp(pin, fake->pin, len) != 0)
        return CKR_PIN_INCORRECT;
    if (who == CKU_CONTEXT_SPECIFIC)
        s->needs_login = 0;
    else
        atomic_store(&fake->logged_in, 1);
    return CKR_OK;
}

/* ---- objects ---- */

static int matches(const struct fake_object *o, const CK_ATTRIBUTE *t, CK_ULONG n)
{
    if (o->class == 0 ||
        (o->class == CKO_PRIVATE_KEY && !atomic_load(&fake->logged_in) && !atomic_load(&fake->no_login)))
        return 0;
    for (CK_ULONG i = 0; i < n; i++) {
        if (t[i].type == CKA_CLASS && memcmp(t[i].pValue, &o->class, sizeof o->class) != 0)
            return 0;
        if (t[i].type == CKA_LABEL &&
            (t[i].ulValueLen != o->label_len || memcmp(t[i].pValue, o->label, o->label_len) != 0))
            return 0;
    }
    return 1;
}

static CK_RV f_find_init(CK_SESSION_HANDLE h, CK_ATTRIBUTE *t, CK_ULONG n)
{
    struct session *s = at(h);
    if (s == NULL)
        return gone();
    CK_RV rv = fault(&fake->find_rv);
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&lock);
    s->n = s->next = 0;
    for (size_t i = 0; i < FAKE_OBJECTS; i++)
        if (matches(&fake->objects[i], t, n))
            s->list[s->n++] = i + 1;
    pthread_mutex_unlock(&lock);
    return CKR_OK;
}

static CK_RV f_find(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE *list, CK_ULONG most, CK_ULONG *n)
{
    struct session *s = at(h);
    if (s == NULL)
        return gone();
    if (atomic_load(&fake->lie) == FAKE_MANY_OBJECTS) {
        *n = most + 1000;
        return CKR_OK;
    }
    for (*n = 0; *n < most && s->next < s->n; (*n)++)
        list[*n] = s->list[s->next++];
    return CKR_OK;
}

static CK_RV f_find_final(CK_SESSION_HANDLE h)
{
    return at(h) == NULL ? gone() : CKR_OK;
}

static CK_RV give(CK_ATTRIBUTE *a, const void *value, CK_ULONG len)
{
    if (atomic_load(&fake->lie) == FAKE_LONG_ATTRIBUTE) {
        a->ulValueLen = 1000000;
        return CKR_OK;
    }
    if (a->ulValueLen < len) {
        a->ulValueLen = (CK_ULONG)-1;
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(a->pValue, value, len);
    a->ulValueLen = len;
    return CKR_OK;
}

static CK_RV give_point(const struct fake_object *o, CK_ATTRIBUTE *a)
{
    static const unsigned char octet[] = { 0x04, 32 }, bits[] = { 0x03, 33, 0 };
    unsigned char point[40];
    int form = atomic_load(&fake->point_form);
    size_t n = form == 0 ? sizeof octet : form == 1 ? 0 : sizeof bits;
    memcpy(point, form == 2 ? bits : octet, n);
    memcpy(point + n, o->key, 32);
    return give(a, point, atomic_load(&fake->lie) == FAKE_SHORT_POINT ? 20 : n + 32);
}

static CK_RV give_one(const struct fake_object *o, CK_ATTRIBUTE *a)
{
    static const unsigned char curve[] = { 0x06, 3, 0x2b, 0x65, 0x70 };
    unsigned char yes = 1, no = 0, always = atomic_load(&fake->always) != 0;
    switch (a->type) {
    case CKA_LABEL:
        return give(a, o->label, o->label_len);
    case CKA_KEY_TYPE:
        return give(a, &o->type, sizeof o->type);
    case CKA_EC_PARAMS:
        return give(a, curve, sizeof curve);
    case CKA_SIGN:
    case CKA_SENSITIVE:
        return give(a, &yes, 1);
    case CKA_EXTRACTABLE:
        return give(a, &no, 1);
    case CKA_ALWAYS_AUTHENTICATE:
        return give(a, &always, 1);
    case CKA_EC_POINT:
        if (o->class == CKO_PUBLIC_KEY)
            return give_point(o, a);
    }
    a->ulValueLen = (CK_ULONG)-1;
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

static CK_RV f_get(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)
{
    CK_RV rv = CKR_OK;
    if (at(h) == NULL)
        return gone();
    pthread_mutex_lock(&lock);
    if (object == 0 || object > FAKE_OBJECTS || fake->objects[object - 1].class == 0)
        rv = CKR_OBJECT_HANDLE_INVALID;
    for (CK_ULONG i = 0; i < n && rv != CKR_OBJECT_HANDLE_INVALID; i++) {
        CK_RV one = give_one(&fake->objects[object - 1], &a[i]);
        rv = rv == CKR_OK ? one : rv;
    }
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV f_set(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)
{
    CK_RV rv = at(h) == NULL ? gone() : change();
    if (rv != CKR_OK || n != 1 || a->type != CKA_LABEL || a->ulValueLen > 64)
        return rv != CKR_OK ? rv : CKR_ATTRIBUTE_VALUE_INVALID;
    memcpy(fake->objects[object - 1].label, a->pValue, a->ulValueLen);
    fake->objects[object - 1].label_len = a->ulValueLen;
    return CKR_OK;
}

static CK_OBJECT_HANDLE put(CK_OBJECT_CLASS class, const CK_ATTRIBUTE *t, CK_ULONG n, const unsigned char *seed,
                            const unsigned char *key)
{
    for (size_t i = 0; i < FAKE_OBJECTS; i++) {
        struct fake_object *o = &fake->objects[i];
        if (o->class != 0)
            continue;
        *o = (struct fake_object){ .class = class, .type = CKK_EC_EDWARDS };
        memcpy(o->seed, seed, 32);
        memcpy(o->key, key, 32);
        for (CK_ULONG k = 0; k < n; k++)
            if (t[k].type == CKA_LABEL) {
                memcpy(o->label, t[k].pValue, t[k].ulValueLen);
                o->label_len = t[k].ulValueLen;
            }
        return i + 1;
    }
    return 0;
}

static CK_RV f_generate(CK_SESSION_HANDLE h, CK_MECHANISM *m, CK_ATTRIBUTE *pub, CK_ULONG npub, CK_ATTRIBUTE *priv,
                        CK_ULONG npriv, CK_OBJECT_HANDLE *ret_pub, CK_OBJECT_HANDLE *ret_priv)
{
    unsigned char seed[32], key[32], secret[64];
    (void)m;
    for (CK_ULONG i = 0; i < npub; i++)
        if (pub[i].type == CKA_EC_PARAMS && pub[i].ulValueLen > 5 && atomic_load(&fake->oid_only))
            return CKR_CURVE_NOT_SUPPORTED;
    CK_RV rv = at(h) == NULL ? gone() : change();
    if (rv != CKR_OK)
        return rv;
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(key, secret, seed);
    *ret_pub = put(CKO_PUBLIC_KEY, pub, npub, seed, key);
    *ret_priv = put(CKO_PRIVATE_KEY, priv, npriv, seed, key);
    return CKR_OK;
}

static CK_RV f_create(CK_SESSION_HANDLE h, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *ret)
{
    (void)h, (void)t, (void)n, (void)ret;
    return CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV f_destroy(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object)
{
    CK_RV rv = at(h) == NULL ? gone() : change();
    if (rv == CKR_OK)
        fake->objects[object - 1].class = 0;
    return rv;
}

/* ---- signing ---- */

static CK_RV f_sign_init(CK_SESSION_HANDLE h, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
    struct session *s = at(h);
    if (s == NULL)
        return gone();
    CK_RV rv = fault(&fake->sign_init_rv);
    s->sign = key;
    s->needs_login = atomic_load(&fake->always);
    return rv != CKR_OK ? rv : m->mechanism == CKM_EDDSA ? CKR_OK : CKR_MECHANISM_INVALID;
}

static CK_RV f_sign(CK_SESSION_HANDLE h, unsigned char *data, CK_ULONG len, unsigned char *signature, CK_ULONG *n)
{
    struct session *s = at(h);
    unsigned char key[32], secret[64];
    if (s == NULL)
        return gone();
    atomic_fetch_add(&fake->signs, 1);
    CK_RV rv = s->needs_login ? CKR_USER_NOT_LOGGED_IN : fault(&fake->sign_rv);
    if (rv != CKR_OK)
        return rv;
    crypto_sign_seed_keypair(key, secret, fake->objects[s->sign - 1].seed);
    crypto_sign_detached(signature, NULL, data, len, secret);
    *n = atomic_load(&fake->lie) == FAKE_SHORT_SIGNATURE  ? 63
         : atomic_load(&fake->lie) == FAKE_LONG_SIGNATURE ? 5000
                                                          : 64;
    if (atomic_load(&fake->lie) == FAKE_WRONG_SIGNATURE)
        signature[5] ^= 1;
    return CKR_OK;
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret);

static CK_FUNCTION_LIST list = {
    .version = { 2, 40 },
    .C_Initialize = f_initialize,
    .C_Finalize = f_finalize,
    .C_GetInfo = f_info,
    .C_GetFunctionList = C_GetFunctionList,
    .C_GetSlotList = f_slots,
    .C_GetSlotInfo = f_slot,
    .C_GetTokenInfo = f_token,
    .C_OpenSession = f_open,
    .C_CloseSession = f_close,
    .C_GetSessionInfo = f_session,
    .C_Login = f_login,
    .C_FindObjectsInit = f_find_init,
    .C_FindObjects = f_find,
    .C_FindObjectsFinal = f_find_final,
    .C_GetAttributeValue = f_get,
    .C_SetAttributeValue = f_set,
    .C_GenerateKeyPair = f_generate,
    .C_CreateObject = f_create,
    .C_DestroyObject = f_destroy,
    .C_SignInit = f_sign_init,
    .C_Sign = f_sign,
};

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret)
{
    *ret = &list;
    return CKR_OK;
}
