/* SPDX-License-Identifier: Apache-2.0 */
/* Answers, but only 20 ms after the deadline that the host grants. */
#include "mock.h"

#include <time.h>

struct late {
    const struct tenuo_host *host;
};

static int late_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)args, (void)nargs;
    struct late *self = malloc(sizeof *self);
    if (self == NULL)
        return TENUO_E_NOMEM;
    self->host = host;
    *ret_self = self;
    return TENUO_OK;
}

static void oversleep(const struct late *self)
{
    uint32_t ms = self->host->deadline(self->host) + 20;
    struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
    nanosleep(&time, NULL);
}

static int export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    oversleep(self);
    return mock_export_seed(self, key_id, version, ret_seed);
}

static int decision(void *self, const struct tenuo_audit_event *event)
{
    oversleep(self);
    return mock_decision(self, event);
}

static const struct tenuo_resolver_ops ops = {
    .size = sizeof(struct tenuo_resolver_ops), .open = late_open, .close = mock_close, .export_seed = export_seed
};
static const struct tenuo_audit_ops audit = {
    .size = sizeof(struct tenuo_audit_ops), .open = late_open, .close = mock_close, .decision = decision
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("late"), .resolver = &ops, .audit = &audit
};
