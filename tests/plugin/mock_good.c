/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is wrong with this one: a resolver with arguments of every type, and an audit sink. */
#include "mock.h"

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 1, "an absolute path" },
    { "text", TENUO_ARG_STRING, 0, "any text" },
    { "count", TENUO_ARG_UINT, 0, "a number" },
    { "flag", TENUO_ARG_BOOL, 0, "yes or no" },
    { "wait", TENUO_ARG_DURATION, 0, "a duration" },
    { "url", TENUO_ARG_URL, 0, "a URL" },
    { NULL, 0, 0, NULL },
};
static const struct tenuo_resolver_ops ops = {
    .size = sizeof(struct tenuo_resolver_ops), .open = mock_open, .close = mock_close, .args = args,
    .export_seed = mock_export_seed
};
static const struct tenuo_audit_ops audit = {
    .size = sizeof(struct tenuo_audit_ops), .open = mock_open, .close = mock_close, .decision = mock_decision
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("good"), .flags = TENUO_PLUGIN_THREAD_SAFE, .resolver = &ops, .audit = &audit
};
