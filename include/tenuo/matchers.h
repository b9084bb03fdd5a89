/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher plugins without a configuration: what answers for Regex, Cel and the experimental constraint types.
 *
 * One set is opened once and then immutable; it may be shared by verifiers, mint builders and threads, and used in a
 * forked child. It remembers what was compiled, within bounds (64 MiB, 4096 constraints), which can only change how
 * long an answer takes. A type without a plugin matches with an error that names the plugin to load.
 */
#ifndef TENUO_MATCHERS_H
#define TENUO_MATCHERS_H

#include <stddef.h>
#include <tenuo/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tenuo_matchers;

/*
 * Loads `count` plugins, each by name (tenuo_NAME.so in `plugin_dir`) or absolute path, with the checks of a
 * configuration line and without arguments. `plugin_dir` NULL: tenuo_default_plugin_dir(). `names` NULL: those of
 * "regex" and "cel" that are installed, which may be none. Reads files: not for use within a decision.
 * Errors: 9002 not installed, 92xx plugin, 9100 a plugin that needs arguments, or two for one type, 9000.
 */
TENUO_API TENUO_MUST_USE int tenuo_matchers_open(const char *plugin_dir, const char *const *names, size_t count,
                                                 struct tenuo_matchers **ret_matchers, struct tenuo_error *reterr);
TENUO_API struct tenuo_matchers *tenuo_matchers_ref(struct tenuo_matchers *matchers);
/* The last unref closes the plugins' instances; the plugins stay in the process. NULL is fine. */
TENUO_API void tenuo_matchers_unref(struct tenuo_matchers *matchers);
/* 1 when a plugin answers for the constraint type; `matchers` may be NULL. */
TENUO_API int tenuo_matchers_has(const struct tenuo_matchers *matchers, unsigned type);

#ifdef __cplusplus
}
#endif
#endif
