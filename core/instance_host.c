/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that plugins get from us. A host table belongs to one opened plugin, but several threads may be in
 * calls on it: what belongs to a call is found through the thread. Must never hand a plugin anything but its own line's
 * affairs.
 */
#include "audit.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>

/* initial-exec: eight bytes of static space, and no call into the loader for each access. */
static _Thread_local struct tn_call *current __attribute__((tls_model("initial-exec")));

static void begin(struct tn_call *call, struct tn_instance *i, uint64_t ends)
{
    call->outer = current;
    call->instance = i;
    call->ends = ends;
    call->sentence[0] = '\0';
    current = call;
}

uint64_t tn_call_ends(const struct tn_instance *i)
{
    uint64_t ends = tn_clock_ms() + i->deadline_ms;
    return current != NULL && current->instance == i && current->ends < ends ? current->ends : ends;
}

void tn_call_begin(struct tn_call *call, struct tn_instance *i)
{
    begin(call, i, tn_call_ends(i));
}

void tn_call_begin_pure(struct tn_call *call, struct tn_instance *i)
{
    begin(call, i, UINT64_MAX);
}

void tn_call_end(struct tn_call *call)
{
    current = call->outer;
}

/* NULL when a plugin's own thread asks: there is no call then. */
static struct tn_call *call_of(const struct tenuo_host *host)
{
    return current != NULL && &current->instance->opened->host == host ? current : NULL;
}

TENUO_PRINTF(3, 4) static void host_log(const struct tenuo_host *host, int level, const char *fmt, ...)
{
    const struct tn_opened *o = host->priv;
    const struct tn_call *call = call_of(host);
    char prefix[sizeof o->origin + 2];
    va_list ap;
    snprintf(prefix, sizeof prefix, "%s: ", call != NULL ? call->instance->origin : o->origin);
    va_start(ap, fmt);
    tn_vlog(&o->log, level, prefix, fmt, ap);
    va_end(ap);
}

TENUO_PRINTF(2, 3) static void host_error(const struct tenuo_host *host, const char *fmt, ...)
{
    struct tn_call *call = call_of(host);
    va_list ap;
    if (call == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(call->sentence, sizeof call->sentence, fmt, ap);
    va_end(ap);
    tn_log_clean(call->sentence);
}

static void host_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}

static void host_random(void *p, size_t len)
{
    randombytes_buf(p, len);
}

static int64_t host_now(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec;
}

static uint32_t host_deadline(const struct tenuo_host *host)
{
    const struct tn_opened *o = host->priv;
    const struct tn_call *call = call_of(host);
    uint64_t now = tn_clock_ms();
    if (call == NULL)
        return o->deadline_ms;
    if (call->ends <= now)
        return 0;
    return call->ends - now < UINT32_MAX ? (uint32_t)(call->ends - now) : UINT32_MAX;
}

/* The context of the audit line that is in this call. */
static struct tenuo_ctx *ctx_of(const struct tn_call *call)
{
    return call != NULL && call->instance->facility == TN_F_AUDIT ? call->instance->ctx : NULL;
}

static int host_sign_checkpoint(const struct tenuo_host *host, const char *key_id, const uint8_t head[32],
                                uint64_t count, uint8_t ret_public_key[TENUO_PUBKEY_BYTES],
                                uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct tenuo_ctx *c = ctx_of(call_of(host));
    struct tenuo_error why = { 0 };
    int r;
    if (c == NULL)
        return TENUO_E_INVALID_ARGUMENT;
    r = tn_checkpoint_sign(c, key_id, head, count, ret_public_key, ret_signature, &why);
    if (r == TENUO_OK)
        return r;
    host_error(host, "the checkpoint cannot be signed: %s", why.msg);
    return r >= TENUO_E_KEY_NOT_FOUND && r <= TENUO_E_KEY_INVALID ? r : TENUO_E_AUDIT_REFUSED;
}

static int host_stats(const struct tenuo_host *host, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    struct tenuo_ctx *c = ctx_of(call_of(host));
    if (c == NULL)
        return TENUO_E_INVALID_ARGUMENT;
    tn_stats_tell(c, each, arg);
    return TENUO_OK;
}

void tn_host_init(struct tenuo_host *host, struct tn_opened *o)
{
    *host = (struct tenuo_host){
        .size = sizeof *host,
        .abi_major = TENUO_PLUGIN_ABI_MAJOR,
        .abi_minor = TENUO_PLUGIN_ABI_MINOR,
        .log = host_log,
        .error = host_error,
        .wipe = host_wipe,
        .random = host_random,
        .now = host_now,
        .deadline = host_deadline,
        .priv = o,
        .sign_checkpoint = host_sign_checkpoint,
        .stats = host_stats,
    };
}
