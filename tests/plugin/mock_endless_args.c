/* SPDX-License-Identifier: Apache-2.0 */
/* A schema without an end. */
#include "mock.h"

#define ROW(n) { "a" #n, TENUO_ARG_STRING, 0, "one of too many" }
#define TEN(n) \
    ROW(n##0), ROW(n##1), ROW(n##2), ROW(n##3), ROW(n##4), \
    ROW(n##5), ROW(n##6), ROW(n##7), ROW(n##8), ROW(n##9)

static const struct tenuo_arg_spec args[] = { TEN(1), TEN(2), TEN(3), TEN(4) };
static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("endless_args"), .args = args, .resolver = &ops
};
