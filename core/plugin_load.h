/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a module name to a checked descriptor, and from a rule to arguments in schema order. Nothing of a file is
 * executed before the trust walk and the ELF pre-scan have passed; nothing is ever unloaded (style.md 4.5, 4.6).
 */
#ifndef TN_PLUGIN_LOAD_H
#define TN_PLUGIN_LOAD_H

#include "conf.h"
#include <tenuo/error.h>
#include <tenuo/plugin.h>

struct tn_plugin {
    struct tenuo_plugin_v1 desc; /* copy, cut to the file's `size`, the rest zero */
    const char *path;            /* "(built-in)" for those; lives for ever */
    bool builtin;
    uint8_t sha256[32]; /* of the file */
};

/* Built-ins are found by facility and name before any file. `sha256` is 64 hex digits or NULL. A missing file is
 * TENUO_E_SYSTEM. */
int tn_plugin_load(enum tn_facility facility, const char *module, const char *plugin_dir, const char *sha256,
                   const struct tn_plugin **ret_plugin, struct tenuo_error *err);
/* The file alone, whatever it offers; never a built-in. */
int tn_plugin_load_file(const char *module, const char *plugin_dir, const char *sha256,
                        const struct tn_plugin **ret_plugin, struct tenuo_error *err);
/* The ops of a facility as the host may read them, or NULL: a private full-size copy lives as long as the process. */
const void *tn_plugin_ops(const struct tn_plugin *plugin, enum tn_facility facility);
/* Schema of a facility: the ops' own, else the descriptor's; never NULL (an empty array). */
const struct tenuo_arg_spec *tn_plugin_schema(const struct tn_plugin *plugin, enum tn_facility facility);
/* Checks the rule's arguments against the schema (every error to d) and lays them out: one entry a row. Strings stay
 * the rule's. */
bool tn_plugin_args(const struct tn_rule *rule, const struct tenuo_arg_spec *schema, struct tn_diag *d,
                    struct tenuo_arg **ret_args, size_t *ret_n);
/* Both of the above for one rule, findings to d with their place. TN_LOAD_SKIP: the file is missing and the line
 * optional (a warning). */
enum tn_load { TN_LOAD_OK, TN_LOAD_SKIP, TN_LOAD_BAD };
/* False, with an error at the line, when a sink would keep receipts and no key is set to sign them with. */
bool tn_rule_has_receipt_key(const struct tn_rule *rule, const struct tn_plugin *plugin, const struct tn_settings *set,
                             struct tn_diag *d);
enum tn_load tn_rule_load(const struct tn_rule *rule, const char *plugin_dir, struct tn_diag *d,
                          const struct tn_plugin **ret_plugin, struct tenuo_arg **ret_args, size_t *ret_n);
/* builtin.c: NULL when there is none. */
const struct tenuo_plugin_v1 *tn_builtin_find(enum tn_facility facility, const char *name);

#endif
