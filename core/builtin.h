/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that are linked in. They fill the same structs as any other and get the same host table. */
#ifndef TN_BUILTIN_H
#define TN_BUILTIN_H

#include <tenuo/plugin.h>

/* trust_file.c: trust `file`. */
extern const struct tenuo_plugin_v1 tn_builtin_trust_file;
/* revoke_file.c: revocation `file`. */
extern const struct tenuo_plugin_v1 tn_builtin_revocation_file;

#endif
