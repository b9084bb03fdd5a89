/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pkcs11 resolver on a module that answers with any bytes: return values, lengths, counts, handles, names. It lies
 * about all of them, and writes only where it was given room. Properties: every call comes back with a code that it may
 * answer and a sentence, outputs are untouched on failure, and every session that was opened is closed.
 */
#include <p11-kit/p11-kit.h>
#include <stdarg.h>
#include <stdlib.h>
#include <tenuo/plugin.h>

#include "fuzz.h"

extern const struct tenuo_plugin_v1 tenuo_plugin_v1;
CK_FUNCTION_LIST **__wrap_p11_kit_modules_load_and_initialize(int flags);
void __wrap_p11_kit_modules_finalize_and_release(CK_FUNCTION_LIST **list);
char *__wrap_p11_kit_module_get_filename(CK_FUNCTION_LIST *module);

static const uint8_t *input;
static size_t left;
static long open_sessions;
static bool said;

static uint8_t byte(void)
{
    if (left == 0)
        return 0;
    left--;
    return *input++;
}

static void fill(void *p, size_t n)
{
    uint8_t *out = p;
    for (size_t i = 0; i < n; i++)
        out[i] = byte();
}

/* Mostly OK, so that the rest is reached. */
static CK_RV rv(void)
{
    static const CK_RV all[] = { CKR_GENERAL_ERROR,         CKR_DEVICE_REMOVED,      CKR_SESSION_HANDLE_INVALID,
                                 CKR_OBJECT_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID,  CKR_ATTRIBUTE_TYPE_INVALID,
                                 CKR_ATTRIBUTE_SENSITIVE,   CKR_BUFFER_TOO_SMALL,    CKR_USER_NOT_LOGGED_IN,
                                 CKR_MECHANISM_INVALID,     CKR_CURVE_NOT_SUPPORTED, CKR_ATTRIBUTE_READ_ONLY,
                                 CKR_DEVICE_MEMORY,         CKR_HOST_MEMORY,         CKR_SESSION_COUNT,
                                 CKR_VENDOR_DEFINED + 77 };
    uint8_t b = byte();
    return b < 240 ? CKR_OK : all[b - 240];
}

static CK_ULONG number(CK_ULONG most)
{
    uint8_t b = byte();
    return b < 250 ? b % (most + 1) : b == 250 ? (CK_ULONG)-1 : most + b;
}

static CK_RV f_info(CK_INFO *info)
{
    memset(info, ' ', sizeof *info);
    return rv();
}

static CK_RV f_slots(unsigned char present, CK_SLOT_ID *list, CK_ULONG *n)
{
    (void)present;
    if (list != NULL)
        list[0] = byte();
    *n = byte() < 250 ? 1 : number(500);
    return rv();
}

static CK_RV f_slot(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    (void)slot;
    memset(info, byte(), sizeof *info);
    return rv();
}

static CK_RV f_token(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    (void)slot;
    fill(info->label, sizeof info->label);
    info->flags = CKF_TOKEN_INITIALIZED | (byte() < 200 ? 0 : CKF_LOGIN_REQUIRED);
    return rv();
}

static CK_RV f_open(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify, CK_SESSION_HANDLE *ret)
{
    (void)slot, (void)flags, (void)app, (void)notify;
    CK_RV r = rv();
    *ret = byte();
    open_sessions += r == CKR_OK;
    return r;
}

static CK_RV f_close(CK_SESSION_HANDLE h)
{
    (void)h;
    open_sessions--;
    return rv();
}

static CK_RV f_session(CK_SESSION_HANDLE h, CK_SESSION_INFO *info)
{
    (void)h;
    info->state = byte() % 5;
    return rv();
}

static CK_RV f_find_init(CK_SESSION_HANDLE h, CK_ATTRIBUTE *t, CK_ULONG n)
{
    (void)h, (void)t, (void)n;
    return rv();
}

static CK_RV f_find(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE *list, CK_ULONG most, CK_ULONG *n)
{
    (void)h;
    *n = left == 0 ? 0 : number(byte() < 200 ? 3 : most);
    for (CK_ULONG i = 0; i < *n && i < most; i++)
        list[i] = byte() % 8;
    return rv();
}

static CK_RV f_final(CK_SESSION_HANDLE h)
{
    (void)h;
    return rv();
}

/* What makes sense three times of four, so that the deeper checks are reached. */
static const void *sensible(CK_ATTRIBUTE_TYPE type, size_t *ret_len)
{
    static const char *const names[] = { "k", "k@1", "k@2", "k@new", "other", "k@0", "tn2-0123456789abcdef", "k@7" };
    static const CK_KEY_TYPE edwards = CKK_EC_EDWARDS;
    static const uint8_t curve[] = { 6, 3, 0x2b, 0x65, 0x70 }, yes = 1;
    static uint8_t point[34] = { 4, 32, 9 };
    const char *name = names[byte() % 8];
    *ret_len = type == CKA_LABEL || type == CKA_ID ? strlen(name)
               : type == CKA_KEY_TYPE              ? sizeof edwards
               : type == CKA_EC_PARAMS             ? sizeof curve
               : type == CKA_EC_POINT              ? sizeof point
                                                   : 1;
    point[5] = byte() & 1;
    return type == CKA_LABEL || type == CKA_ID ? (const void *)name
           : type == CKA_KEY_TYPE              ? (const void *)&edwards
           : type == CKA_EC_PARAMS             ? curve
           : type == CKA_EC_POINT              ? point
                                               : &yes;
}

static CK_RV f_get(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)
{
    (void)h, (void)object;
    for (CK_ULONG i = 0; i < n; i++) {
        size_t len, room = a[i].ulValueLen;
        const void *value = sensible(a[i].type, &len);
        if (byte() < 192 && len <= room) {
            memcpy(a[i].pValue, value, len);
            a[i].ulValueLen = len;
        } else {
            fill(a[i].pValue, room);
            a[i].ulValueLen = number(room);
        }
    }
    return rv();
}

static CK_RV f_set(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)
{
    (void)h, (void)object, (void)a, (void)n;
    return rv();
}

static CK_RV f_generate(CK_SESSION_HANDLE h, CK_MECHANISM *m, CK_ATTRIBUTE *pub, CK_ULONG npub, CK_ATTRIBUTE *priv,
                        CK_ULONG npriv, CK_OBJECT_HANDLE *ret_pub, CK_OBJECT_HANDLE *ret_priv)
{
    (void)h, (void)m, (void)pub, (void)npub, (void)priv, (void)npriv;
    *ret_pub = byte();
    *ret_priv = byte();
    return rv();
}

static CK_RV f_create(CK_SESSION_HANDLE h, CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *ret)
{
    (void)h, (void)a, (void)n;
    *ret = byte();
    return rv();
}

static CK_RV f_destroy(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object)
{
    (void)h, (void)object;
    return rv();
}

static CK_RV f_sign_init(CK_SESSION_HANDLE h, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
    (void)h, (void)m, (void)key;
    return rv();
}

static CK_RV f_sign(CK_SESSION_HANDLE h, unsigned char *data, CK_ULONG len, unsigned char *signature, CK_ULONG *n)
{
    (void)h, (void)data, (void)len;
    fill(signature, *n);
    *n = byte() < 200 ? 64 : number(*n);
    return rv();
}

static CK_FUNCTION_LIST module = {
    .C_GetInfo = f_info,
    .C_GetSlotList = f_slots,
    .C_GetSlotInfo = f_slot,
    .C_GetTokenInfo = f_token,
    .C_OpenSession = f_open,
    .C_CloseSession = f_close,
    .C_GetSessionInfo = f_session,
    .C_FindObjectsInit = f_find_init,
    .C_FindObjects = f_find,
    .C_FindObjectsFinal = f_final,
    .C_GetAttributeValue = f_get,
    .C_SetAttributeValue = f_set,
    .C_GenerateKeyPair = f_generate,
    .C_CreateObject = f_create,
    .C_DestroyObject = f_destroy,
    .C_SignInit = f_sign_init,
    .C_Sign = f_sign,
};

CK_FUNCTION_LIST **__wrap_p11_kit_modules_load_and_initialize(int flags)
{
    static CK_FUNCTION_LIST *list[] = { &module, NULL };
    (void)flags;
    return list;
}

void __wrap_p11_kit_modules_finalize_and_release(CK_FUNCTION_LIST **list)
{
    (void)list;
}

char *__wrap_p11_kit_module_get_filename(CK_FUNCTION_LIST *m)
{
    (void)m;
    return NULL;
}

/* ---- the host ---- */

TENUO_PRINTF(3, 4) static void no_log(const struct tenuo_host *h, int level, const char *fmt, ...)
{
    (void)h, (void)level, (void)fmt;
}

TENUO_PRINTF(2, 3) static void note_error(const struct tenuo_host *h, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    (void)h;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    said = text[0] != '\0';
    for (const char *p = text; *p != '\0'; p++)
        REQUIRE(*p >= 0x20 && *p < 0x7f);
}

static uint32_t deadline(const struct tenuo_host *h)
{
    (void)h;
    return 1000;
}

static const struct tenuo_host host = { .size = sizeof host, .log = no_log, .error = note_error, .deadline = deadline };

static void judge(int code)
{
    static const int legal[] = { TENUO_OK,
                                 TENUO_E_NOMEM,
                                 TENUO_E_INVALID_ARGUMENT,
                                 TENUO_E_UNAVAILABLE,
                                 TENUO_E_KEY_NOT_FOUND,
                                 TENUO_E_KEY_CONFLICT,
                                 TENUO_E_KEY_DENIED,
                                 TENUO_E_KEY_INVALID };
    bool known = false;
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
        known = known || legal[i] == code;
    REQUIRE(known);
    REQUIRE(code == TENUO_OK || code == TENUO_E_NOMEM || said);
    said = false;
}

static int each(void *arg, const struct tenuo_key_entry *entry)
{
    (void)arg;
    REQUIRE(memchr(entry->id, '\0', sizeof entry->id) != NULL && memchr(entry->note, '\0', sizeof entry->note) != NULL);
    REQUIRE(entry->oldest <= entry->newest);
    return 0;
}

static void use(const struct tenuo_resolver_ops *ops, void *self, uint8_t what)
{
    uint8_t key[32], sig[64], untouched[64];
    uint32_t version = 77, ask = byte() % 3;
    struct tenuo_key_entry entry = { 0 };
    int r = TENUO_OK;
    memset(key, 0x55, sizeof key);
    memset(sig, 0x55, sizeof sig);
    memset(untouched, 0x55, sizeof untouched);
    switch (what % 7) {
    case 0:
        r = ops->public_key(self, "k", ask, key, &version);
        break;
    case 1:
        r = ops->sign(self, "k", ask, untouched, sizeof untouched, sig);
        break;
    case 2:
        r = ops->list(self, each, NULL);
        break;
    case 3:
        r = ops->describe(self, "k", ask, &entry);
        break;
    case 4:
        r = ops->generate(self, "k", byte() & 1, key, &version);
        break;
    case 5:
        r = ops->import(self, "k", byte() & 1, untouched, &version);
        break;
    case 6:
        r = ops->remove(self, "k", ask);
        break;
    }
    judge(r);
    if (r != TENUO_OK)
        REQUIRE(version == 77 && memcmp(key, untouched, 32) == 0 && memcmp(sig, untouched, 64) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tenuo_resolver_ops *ops = tenuo_plugin_v1.resolver;
    static const char *const uris[] = { "pkcs11:", "pkcs11:object=k{key_id}", "pkcs11:id={key_id}",
                                        "pkcs11:slot-id=1" };
    struct tenuo_arg args[4] = { 0 };
    void *self = NULL;
    input = data;
    left = size;
    open_sessions = 0;
    said = false;
    args[0].value = uris[byte() % 4];
    REQUIRE(ops->open(&host, args, 4, &self) == TENUO_OK);
    for (int i = 0; i < 8 && left > 0; i++)
        use(ops, self, byte());
    ops->close(self);
    REQUIRE(open_sessions == 0);
    return 0;
}
