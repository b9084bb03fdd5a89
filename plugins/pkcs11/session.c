/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules, the token and a pool of sessions on it. p11-kit counts who uses a module in this process, so that our
 * closing is not another's. One thread at a time makes a session, without a lock held; all others wait for it within
 * their deadline. A token that went away is looked for again by the next call.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../core/trust.h"
#include "pkcs11.h"

#define SLOTS_MAX 128
#define RELOAD_EVERY 500 /* ms between two initialisations of a module that shows no token */

/* ---- modules ---- */

int p11_module_judge(const struct p11 *p)
{
    struct tenuo_error err;
    int fd = -1;
    if (p->module == NULL)
        return TENUO_OK;
    int r = tn_trust_open(p->module, TN_TRUST_FILE, TENUO_E_KEY_DENIED, &fd, &err);
    if (r == TENUO_OK)
        close(fd);
    else
        p->host->error(p->host, "module: %s", err.msg);
    return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

static void unload(struct p11 *p)
{
    if (p->own != NULL) {
        (void)p11_kit_module_finalize(p->own);
        p11_kit_module_release(p->own);
    }
    if (p->configured != NULL)
        p11_kit_modules_finalize_and_release(p->configured);
    p->own = NULL;
    p->configured = NULL;
}

/* p11-kit unloads what nobody uses any more; unloading is what crashes, so nothing of it ever leaves the memory. */
static bool keep_loaded(const char *path)
{
    void *so = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (so != NULL)
        dlclose(so);
    return so != NULL;
}

static int load_own(struct p11 *p)
{
    int r = p11_module_judge(p); /* before anything of it runs */
    if (r != TENUO_OK)
        return r;
    if (!keep_loaded(p->module)) {
        const char *why = dlerror();
        p->host->error(p->host, "module: cannot be loaded: %.180s", why != NULL ? why : p->module);
        return TENUO_E_UNAVAILABLE;
    }
    CK_FUNCTION_LIST *f = p11_kit_module_load(p->module, 0);
    if (f == NULL) {
        p->host->error(p->host, "module: %.150s: is no PKCS#11 module", p->module);
        return TENUO_E_UNAVAILABLE;
    }
    CK_RV rv = p11_kit_module_initialize(f);
    if (rv != CKR_OK) {
        p->host->error(p->host, "module: %.150s: does not start, error 0x%lx: see its configuration and log", p->module,
                       rv);
        p11_kit_module_release(f);
        return TENUO_E_UNAVAILABLE;
    }
    p->own = f;
    return TENUO_OK;
}

static int load_configured(struct p11 *p)
{
    CK_FUNCTION_LIST **list = p11_kit_modules_load_and_initialize(0);
    if (list == NULL || list[0] == NULL) {
        if (list != NULL)
            p11_kit_modules_finalize_and_release(list);
        p->host->error(p->host, "p11-kit has no module that starts: name one with module=, or see p11-kit "
                                "list-modules");
        return TENUO_E_UNAVAILABLE;
    }
    for (size_t i = 0; list[i] != NULL; i++) {
        char *path = p11_kit_module_get_filename(list[i]);
        (void)keep_loaded(path);
        free(path);
    }
    p->configured = list;
    return TENUO_OK;
}

static int load(struct p11 *p)
{
    if (p->own != NULL || p->configured != NULL)
        return TENUO_OK;
    return p->module != NULL ? load_own(p) : load_configured(p);
}

/* ---- the token ---- */

struct search {
    const struct p11 *p;
    struct p11_token token;
    unsigned count;
};

static void copy_label(char ret[33], const CK_TOKEN_INFO *info)
{
    size_t n = sizeof info->label;
    while (n > 0 && (info->label[n - 1] == ' ' || info->label[n - 1] == '\0'))
        n--;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = info->label[i];
        ret[i] = (char)(c >= 0x20 && c < 0x7f && c != '\'' ? c : '?');
    }
    ret[n] = '\0';
}

static void look_at(struct search *find, CK_FUNCTION_LIST *f, CK_SLOT_ID slot)
{
    CK_TOKEN_INFO info;
    memset(&info, 0, sizeof info);
    if (f->C_GetTokenInfo(slot, &info) != CKR_OK || (info.flags & CKF_TOKEN_INITIALIZED) == 0 ||
        !p11_uri_matches(find->p, f, slot, &info))
        return;
    if (find->count++ == 0) {
        find->token.f = f;
        find->token.slot = slot;
        copy_label(find->token.label, &info);
    }
}

static void look_in(struct search *find, CK_FUNCTION_LIST *f)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = 0;
    CK_INFO info;
    memset(&info, 0, sizeof info);
    if (f->C_GetInfo(&info) != CKR_OK || !p11_uri_matches_module(find->p, &info))
        return;
    (void)f->C_GetSlotList(CK_TRUE, NULL, &n); /* this is when modules look for new ones */
    n = SLOTS_MAX;
    if (f->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK || n > SLOTS_MAX)
        return;
    for (CK_ULONG i = 0; i < n; i++)
        look_at(find, f, slots[i]);
}

static int find_token(struct p11 *p, struct p11_token *ret)
{
    struct search find = { .p = p };
    if (p->own != NULL)
        look_in(&find, p->own);
    for (size_t i = 0; p->configured != NULL && p->configured[i] != NULL; i++)
        look_in(&find, p->configured[i]);
    if (find.count > 1) {
        p->host->error(p->host, "uri: %u tokens match: add token= or serial= so that one is meant", find.count);
        return TENUO_E_KEY_CONFLICT;
    }
    if (find.count == 0) {
        p->host->error(p->host, "no token matches uri=: insert it, or see pkcs11-tool --list-slots for its name");
        return TENUO_E_UNAVAILABLE;
    }
    *ret = find.token;
    return TENUO_OK;
}

static void close_all(struct p11_session *sessions, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)sessions[i].token.f->C_CloseSession(sessions[i].handle);
}

/* Some modules see a token again only when they start anew. That needs every session closed. */
static void reload(struct p11 *p)
{
    struct p11_session idle[P11_POOL];
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    bool may = p->leased == 0 && p11_clock() >= p->reload_at;
    if (may) {
        n = p->nidle;
        memcpy(idle, p->idle, n * sizeof idle[0]);
        p->nidle = 0;
        p->reload = false;
        p->reload_at = p11_clock() + RELOAD_EVERY;
    }
    pthread_mutex_unlock(&p->lock);
    if (!may)
        return;
    close_all(idle, n);
    unload(p);
}

static int attach(struct p11 *p, bool lost, struct p11_token *ret)
{
    if (lost)
        reload(p);
    int r = load(p);
    if (r != TENUO_OK)
        return r;
    r = find_token(p, ret);
    if (r != TENUO_E_UNAVAILABLE)
        return r;
    reload(p);
    if (p->own != NULL || p->configured != NULL)
        return r;
    r = load(p);
    return r != TENUO_OK ? r : find_token(p, ret);
}

/* ---- sessions ---- */

static int enter(struct p11_session *s)
{
    CK_TOKEN_INFO token;
    CK_SESSION_INFO info;
    memset(&token, 0, sizeof token);
    memset(&info, 0, sizeof info);
    CK_RV rv = s->token.f->C_GetTokenInfo(s->token.slot, &token);
    if (rv == CKR_OK)
        rv = s->token.f->C_GetSessionInfo(s->handle, &info);
    if (rv != CKR_OK)
        return p11_fail(s, rv, "does not say what it is");
    if ((token.flags & CKF_LOGIN_REQUIRED) == 0 || !p11_has_pin(s->p) || info.state == CKS_RO_USER_FUNCTIONS ||
        info.state == CKS_RW_USER_FUNCTIONS)
        return TENUO_OK;
    return p11_login(s, CKU_USER);
}

static int open_session(struct p11_session *s)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION | (s->rw ? CKF_RW_SESSION : 0);
    CK_RV rv = s->token.f->C_OpenSession(s->token.slot, flags, NULL, NULL, &s->handle);
    if (rv != CKR_OK)
        return p11_fail(s, rv, "opens no session");
    int r = enter(s);
    if (r != TENUO_OK)
        (void)s->token.f->C_CloseSession(s->handle);
    return r;
}

/* The token as last seen; looked for when it was not seen yet or went away. */
static int current_token(struct p11_session *s)
{
    struct p11 *p = s->p;
    pthread_mutex_lock(&p->lock);
    bool attached = p->attached, lost = p->reload;
    s->epoch = p->epoch;
    s->token = p->token;
    pthread_mutex_unlock(&p->lock);
    if (attached)
        return TENUO_OK;
    int r = attach(p, lost, &s->token);
    if (r != TENUO_OK)
        return r;
    pthread_mutex_lock(&p->lock);
    p->token = s->token;
    p->attached = s->epoch == p->epoch;
    pthread_mutex_unlock(&p->lock);
    return TENUO_OK;
}

/* Under the lock: sessions of this time are of no use. Hands out the idle ones to be closed. */
static size_t forget(struct p11 *p, struct p11_session idle[P11_POOL])
{
    size_t n = p->nidle;
    memcpy(idle, p->idle, n * sizeof idle[0]);
    p->nidle = 0;
    p->epoch++;
    p->attached = false;
    p->reload = true;
    return n;
}

static int make(struct p11 *p, bool rw, struct p11_session *ret)
{
    struct p11_session idle[P11_POOL];
    for (int try = 0;; try++) {
        struct p11_session s = { .p = p, .rw = rw };
        int r = current_token(&s);
        if (r == TENUO_OK)
            r = open_session(&s);
        if (r == TENUO_OK)
            *ret = s;
        if (r == TENUO_OK || !s.lost)
            return r;
        pthread_mutex_lock(&p->lock);
        size_t n = s.epoch == p->epoch ? forget(p, idle) : 0;
        pthread_mutex_unlock(&p->lock);
        close_all(idle, n);
        if (try == 1 || p->host->deadline(p->host) == 0)
            return r;
    }
}

/* Sleeps until something changed; false when the time is over. */
static bool await(struct p11 *p)
{
    uint32_t left = p->host->deadline(p->host);
    struct timespec ts = { 0 };
    if (left == 0)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    uint64_t ns = (uint64_t)ts.tv_nsec + (uint64_t)left % 1000 * 1000000;
    ts.tv_sec += (time_t)(left / 1000 + ns / 1000000000);
    ts.tv_nsec = (long)(ns % 1000000000);
    (void)pthread_cond_timedwait(&p->changed, &p->lock, &ts);
    return true;
}

/* Under the lock: an idle session, or the right to make one (*ret_make). */
static bool take(struct p11 *p, struct p11_session *ret, bool *ret_make)
{
    for (;;) {
        if (p->writers == 0 && p->nidle > 0) {
            *ret = p->idle[--p->nidle];
            p->leased++;
            *ret_make = false;
            return true;
        }
        if (p->writers == 0 && !p->setup && p->leased < P11_POOL) {
            p->setup = true;
            *ret_make = true;
            return true;
        }
        if (!await(p))
            return false;
    }
}

/* Under the lock: the right to write, which nobody shares, for modules mix up what is read while it is written
 * (SoftHSM 2.6.1 loses the object). */
static bool take_alone(struct p11 *p)
{
    p->writers++;
    while (p->setup || p->leased > 0)
        if (!await(p)) {
            p->writers--;
            pthread_cond_broadcast(&p->changed);
            return false;
        }
    p->setup = true;
    return true;
}

static int lease(struct p11 *p, bool rw, struct p11_session *ret)
{
    bool must_make = true;
    pthread_mutex_lock(&p->lock);
    bool good = p->host->deadline(p->host) > 0 && (rw ? take_alone(p) : take(p, ret, &must_make));
    pthread_mutex_unlock(&p->lock);
    if (!good) {
        p->host->error(p->host, "no session on the token within the deadline: it is slow, or in use by %d calls",
                       P11_POOL);
        return TENUO_E_UNAVAILABLE;
    }
    if (!must_make)
        return TENUO_OK;
    int r = make(p, rw, ret);
    pthread_mutex_lock(&p->lock);
    p->setup = false;
    if (r == TENUO_OK)
        p->leased++;
    else if (rw)
        p->writers--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return r;
}

/* What is closed counts as in use until it is closed: only then may a module be unloaded. */
static void give_back(struct p11 *p, struct p11_session *s)
{
    struct p11_session idle[P11_POOL];
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    if (s->lost && s->epoch == p->epoch)
        n = forget(p, idle);
    bool keep = !s->rw && !s->broken && !s->lost && s->epoch == p->epoch && p->nidle < P11_POOL;
    if (keep)
        p->idle[p->nidle++] = *s;
    pthread_mutex_unlock(&p->lock);
    close_all(idle, n);
    if (!keep)
        close_all(s, 1);
    pthread_mutex_lock(&p->lock);
    p->leased--;
    if (s->rw)
        p->writers--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

int p11_with(struct p11 *p, bool rw, int (*fn)(struct p11_session *s, void *arg), void *arg)
{
    for (int try = 0;; try++) {
        struct p11_session s;
        int r = lease(p, rw, &s);
        if (r != TENUO_OK)
            return r;
        s.again = false;
        r = fn(&s, arg);
        give_back(p, &s);
        if (!(s.lost || s.again) || rw || try == 1 || p->host->deadline(p->host) == 0)
            return r;
    }
}

void p11_sessions_close(struct p11 *p)
{
    close_all(p->idle, p->nidle);
    p->nidle = 0;
    unload(p);
}
