/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built-in plugins by facility and name. They have names, never paths, and are looked for before any file: trust `file`
 * and revocation `file` are built in while resolver `file` is an object of its own.
 */
#include "builtin.h"

#include <string.h>

#include "plugin_load.h"
#include "str.h"

struct builtin {
    enum tn_facility facility;
    const struct tenuo_plugin_v1 *plugin;
};

static const struct builtin table[] = {
    { TN_F_TRUST, &tn_builtin_trust_file },
    { TN_F_REVOCATION, &tn_builtin_revocation_file },
};

const struct tenuo_plugin_v1 *tn_builtin_find(enum tn_facility facility, const char *name)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(table); i++)
        if (table[i].facility == facility && strcmp(table[i].plugin->name, name) == 0)
            return table[i].plugin;
    return NULL;
}
