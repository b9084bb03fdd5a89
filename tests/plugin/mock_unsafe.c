/* SPDX-License-Identifier: Apache-2.0 */
/* Not thread-safe and says so: fails when two calls on one instance overlap. */
#include "mock.h"

#include <time.h>

struct unsafe {
    int busy;
};

static int unsafe_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)host, (void)args, (void)nargs;
    *ret_self = calloc(1, sizeof(struct unsafe));
    return *ret_self != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

static int guarded_pause(struct unsafe *self)
{
    struct timespec time = { 0, 1000000 };
    if (__atomic_exchange_n(&self->busy, 1, __ATOMIC_SEQ_CST) != 0)
        return TENUO_E_SYSTEM;
    nanosleep(&time, NULL);
    __atomic_store_n(&self->busy, 0, __ATOMIC_SEQ_CST);
    return TENUO_OK;
}

static int export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    int r = guarded_pause(self);
    return r != TENUO_OK ? r : mock_export_seed(self, key_id, version, ret_seed);
}

static int decision(void *self, const struct tenuo_audit_event *event)
{
    (void)event;
    return guarded_pause(self) == TENUO_OK ? TENUO_OK : TENUO_E_AUDIT_REFUSED;
}

static const struct tenuo_resolver_ops ops = {
    .size = sizeof(struct tenuo_resolver_ops), .open = unsafe_open, .close = mock_close, .export_seed = export_seed
};
static const struct tenuo_audit_ops audit = {
    .size = sizeof(struct tenuo_audit_ops), .open = unsafe_open, .close = mock_close, .decision = decision
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("unsafe"), .resolver = &ops, .audit = &audit
};
