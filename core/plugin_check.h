/* SPDX-License-Identifier: Apache-2.0 */
/* From a descriptor as a plugin exports it to a private one whose every member the host may read. */
#ifndef TN_PLUGIN_CHECK_H
#define TN_PLUGIN_CHECK_H

#include "plugin_load.h"

/* Full-size copies of what a plugin offers, zero beyond what it was built with. */
struct tn_ops {
    struct tenuo_resolver_ops resolver;
    struct tenuo_trust_ops trust;
    struct tenuo_audit_ops audit;
    struct tenuo_revocation_ops revocation;
    struct tenuo_replay_ops replay;
    struct tenuo_matcher_ops matcher;
};

/*
 * `limit` is how many bytes the exported object has (SIZE_MAX: not known); `who` names the plugin in messages. On
 * success *ret_desc points into *ret_ops and both must live as long as each other. 9201 another ABI, 9203 a broken
 * promise.
 */
int tn_plugin_check(const struct tenuo_plugin_v1 *raw, size_t limit, const char *who, struct tenuo_plugin_v1 *ret_desc,
                    struct tn_ops *ret_ops, struct tenuo_error *err);

#endif
