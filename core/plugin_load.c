/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds, checks, loads and remembers plugins. A file runs no instruction before the trust walk, the sha256 pin and the
 * ELF pre-scan have passed. Objects stay in the process for ever: one file is loaded once, and nothing is unloaded.
 */
#include "plugin_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tenuo/context.h>

#include "elf_scan.h"
#include "err.h"
#include "forkgen.h"
#include "limits.h"
#include "plugin_check.h"
#include "str.h"
#include "trust.h"

#define DESCRIPTOR "tenuo_plugin_v1"

struct loaded {
    struct tn_plugin plugin; /* first: handed out */
    struct tn_ops ops;
    const void *raw; /* of a built-in: which one */
    struct loaded *next;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct tn_lock lock; /* a child of a fork can take it, whoever held it in the parent */
static bool lock_ready;
static struct loaded *all; /* under lock; entries are immutable and never freed */

static void make_lock(void)
{
    lock_ready = tn_forkgen_init() && tn_lock_init(&lock);
}

static int take_lock(struct tenuo_error *err)
{
    if (pthread_once(&once, make_lock) != 0 || !lock_ready)
        return tn_fail(err, TENUO_E_PLUGIN_LOAD, "the system gave no lock for loading plugins");
    tn_lock_acquire(&lock);
    return TENUO_OK;
}

const char *tenuo_default_plugin_dir(void)
{
    return TENUO_PLUGIN_DIR;
}

static struct loaded *find_path(const char *path)
{
    struct loaded *l = all;
    while (l != NULL && (l->raw != NULL || strcmp(l->plugin.path, path) != 0))
        l = l->next;
    return l;
}

static struct loaded *find_builtin(const void *raw)
{
    struct loaded *l = all;
    while (l != NULL && l->raw != raw)
        l = l->next;
    return l;
}

static void remember(struct loaded *l)
{
    l->next = all;
    all = l;
}

/* Every place from which the linker would take more code is walked as well: what is loaded beside a plugin runs like
 * it. */
static int check_place(const char *place, enum tn_trust_kind kind, struct tenuo_error *err)
{
    int fd = -1;
    struct tenuo_error why;
    int r = tn_trust_open(place, kind, TENUO_E_PLUGIN_UNTRUSTED, &fd, &why);
    if (r != TENUO_OK)
        return tn_fail(err, TENUO_E_PLUGIN_UNTRUSTED, "its library search path or dependency is refused: %s", why.msg);
    close(fd);
    return TENUO_OK;
}

/* One directory of a search path, with $ORIGIN made the plugin's own directory. */
static int check_directory(const char *plugin, const char *entry, size_t n, struct tenuo_error *err)
{
    char *dir = NULL;
    size_t skip = 0, origin = 0;
    if (n >= 7 && memcmp(entry, "$ORIGIN", 7) == 0)
        skip = 7;
    else if (n >= 9 && memcmp(entry, "${ORIGIN}", 9) == 0)
        skip = 9;
    if (skip != 0)
        origin = (size_t)(strrchr(plugin, '/') - plugin);
    if (n == skip ? skip == 0 : memchr(entry + skip, '$', n - skip) != NULL)
        return tn_fail(err, TENUO_E_PLUGIN_UNTRUSTED,
                       "its library search path has an empty entry or a variable other than $ORIGIN");
    if (asprintf(&dir, "%.*s%.*s", (int)origin, plugin, (int)(n - skip), entry + skip) < 0)
        return tn_fail_code(err, TENUO_E_NOMEM);
    int r = check_place(dir[0] == '\0' ? "/" : dir, TN_TRUST_DIR, err);
    free(dir);
    return r;
}

static int check_ref(void *arg, enum tn_elf_ref kind, const char *text, struct tenuo_error *err)
{
    if (kind == TN_ELF_NEEDED)
        return strchr(text, '/') == NULL ? TENUO_OK : check_place(text, TN_TRUST_FILE, err);
    for (const char *entry = text;;) {
        size_t n = strcspn(entry, ":");
        int r = check_directory(arg, entry, n, err);
        if (r != TENUO_OK || entry[n] == '\0')
            return r;
        entry += n + 1;
    }
}

static int check_pin(const char *who, const uint8_t digest[32], const char *pin, struct tenuo_error *err)
{
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, digest, 32);
    if (pin == NULL || strcmp(pin, hex) == 0)
        return TENUO_OK;
    return tn_fail(err, TENUO_E_PLUGIN_UNTRUSTED,
                   "plugin '%s' is not the file that sha256= names: compare it with the package, then change the line",
                   who);
}

/* Everything that can be known without running anything. */
static int scan_file(const char *path, const char *pin, size_t *ret_size, uint8_t ret_digest[32],
                     struct tenuo_error *err)
{
    char *own = strdup(path);
    uint8_t *bytes = NULL;
    struct tenuo_error why;
    size_t len;
    if (own == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    int r = tn_trust_read(path, TN_MAX_PLUGIN_BYTES, TENUO_E_PLUGIN_UNTRUSTED, &bytes, &len, err);
    if (r == TENUO_OK) {
        crypto_hash_sha256(ret_digest, bytes, len);
        r = check_pin(path, ret_digest, pin, err);
    }
    if (r == TENUO_OK) {
        r = tn_elf_scan(bytes, len, DESCRIPTOR, check_ref, own, ret_size, &why);
        if (r != TENUO_OK)
            tn_fail(err, r, "%s: %s", path, why.msg);
    }
    free(bytes);
    free(own);
    return r;
}

/* dlopen by the walked path, never through a descriptor: glibc knows objects by name (style.md 3, trap 1). */
static int run_file(const char *path, const void **ret_raw, struct tenuo_error *err)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        const char *why = dlerror();
        return tn_fail(err, TENUO_E_PLUGIN_LOAD, "%s: cannot be loaded: %s", path,
                       why != NULL ? why : "unknown reason");
    }
    const void *raw = dlsym(object, DESCRIPTOR);
    if (raw == NULL)
        return tn_fail(err, TENUO_E_PLUGIN_LOAD, "%s: '%s' is gone after loading", path, DESCRIPTOR);
    *ret_raw = raw;
    return TENUO_OK;
}

static int take(const void *raw, size_t limit, const char *who, bool builtin, const uint8_t digest[32],
                struct loaded **ret, struct tenuo_error *err)
{
    struct loaded *l = calloc(1, sizeof *l);
    char *path = strdup(builtin ? "(built-in)" : who);
    int r = l == NULL || path == NULL ? tn_fail_code(err, TENUO_E_NOMEM)
                                      : tn_plugin_check(raw, limit, who, &l->plugin.desc, &l->ops, err);
    if (r != TENUO_OK) {
        free(l);
        free(path);
        return r;
    }
    l->plugin.path = path;
    l->plugin.builtin = builtin;
    memcpy(l->plugin.sha256, digest, 32);
    l->raw = builtin ? raw : NULL;
    remember(l);
    *ret = l;
    return TENUO_OK;
}

/* Under lock. A file that is loaded is not read again: what runs is what was checked. */
static int load_path(const char *path, const char *pin, const struct tn_plugin **ret_plugin, struct tenuo_error *err)
{
    struct loaded *l = find_path(path);
    const void *raw = NULL;
    uint8_t digest[32];
    size_t size;
    int r = TENUO_OK;
    if (l == NULL) {
        r = scan_file(path, pin, &size, digest, err);
        if (r == TENUO_OK)
            r = run_file(path, &raw, err);
        if (r == TENUO_OK)
            r = take(raw, size, path, false, digest, &l, err);
    } else {
        r = check_pin(path, l->plugin.sha256, pin, err);
    }
    if (r == TENUO_OK)
        *ret_plugin = &l->plugin;
    return r;
}

static int load_builtin(const struct tenuo_plugin_v1 *raw, const char *name, const struct tn_plugin **ret_plugin,
                        struct tenuo_error *err)
{
    static const uint8_t none[32];
    struct loaded *l = find_builtin(raw);
    int r = l == NULL ? take(raw, SIZE_MAX, name, true, none, &l, err) : TENUO_OK;
    if (r == TENUO_OK)
        *ret_plugin = &l->plugin;
    return r;
}

/* "/PATH" as it is; "NAME" as DIR/tenuo_NAME.so. */
static int file_of(const char *module, const char *plugin_dir, char **ret_path, struct tenuo_error *err)
{
    char *path = NULL;
    bool absolute = module[0] == '/';
    if (!absolute && (module[0] == '\0' || module[strspn(module, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0'))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a module is a name of a-z, 0-9 and '_', or an absolute path");
    if (plugin_dir == NULL)
        plugin_dir = tenuo_default_plugin_dir();
    int n = absolute ? asprintf(&path, "%s", module) : asprintf(&path, "%s/tenuo_%s.so", plugin_dir, module);
    if (n < 0)
        return tn_fail_code(err, TENUO_E_NOMEM);
    *ret_path = path;
    return TENUO_OK;
}

int tn_plugin_load_file(const char *module, const char *plugin_dir, const char *pin,
                        const struct tn_plugin **ret_plugin, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    const struct tn_plugin *plugin = NULL;
    char *path = NULL;
    int r = file_of(module, plugin_dir, &path, err);
    if (r != TENUO_OK)
        return r;
    r = take_lock(&why);
    if (r == TENUO_OK) {
        r = load_path(path, pin, &plugin, &why);
        tn_lock_release(&lock);
    }
    if (r == TENUO_E_SYSTEM)
        tn_fail(&why, r, "plugin '%s' is not installed: there is no %s", module, path);
    free(path);
    if (r != TENUO_OK)
        return tn_fail(err, r, "%s", why.msg);
    if (module[0] != '/' && strcmp(plugin->desc.name, module) != 0)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s calls itself '%s': a file is named tenuo_NAME.so",
                       plugin->path, plugin->desc.name);
    *ret_plugin = plugin;
    return TENUO_OK;
}

static int load_any(enum tn_facility facility, const char *module, const char *plugin_dir, const char *sha256,
                    const struct tn_plugin **ret_plugin, struct tenuo_error *err)
{
    const struct tenuo_plugin_v1 *builtin = module[0] == '/' ? NULL : tn_builtin_find(facility, module);
    if (builtin == NULL)
        return tn_plugin_load_file(module, plugin_dir, sha256, ret_plugin, err);
    if (sha256 != NULL)
        return tn_fail(err, TENUO_E_CONF, "%s '%s' is built in: there is no file that sha256= could pin",
                       tn_facility_names[facility], module);
    int r = take_lock(err);
    if (r != TENUO_OK)
        return r;
    r = load_builtin(builtin, module, ret_plugin, err);
    tn_lock_release(&lock);
    return r;
}

int tn_plugin_load(enum tn_facility facility, const char *module, const char *plugin_dir, const char *sha256,
                   const struct tn_plugin **ret_plugin, struct tenuo_error *err)
{
    const struct tn_plugin *plugin = NULL;
    int r = load_any(facility, module, plugin_dir, sha256, &plugin, err);
    if (r != TENUO_OK)
        return r;
    if (tn_plugin_ops(plugin, facility) == NULL)
        return tn_fail(err, TENUO_E_PLUGIN_LOAD, "plugin '%s' offers no %s", module, tn_facility_names[facility]);
    *ret_plugin = plugin;
    return TENUO_OK;
}

const void *tn_plugin_ops(const struct tn_plugin *plugin, enum tn_facility facility)
{
    switch (facility) {
    case TN_F_TRUST:
        return plugin->desc.trust;
    case TN_F_RESOLVER:
        return plugin->desc.resolver;
    case TN_F_MATCHER:
        return plugin->desc.matcher;
    case TN_F_REVOCATION:
        return plugin->desc.revocation;
    case TN_F_REPLAY:
        return plugin->desc.replay;
    case TN_F_AUDIT:
        return plugin->desc.audit;
    case TN_F_COUNT:
        break;
    }
    return NULL;
}

const struct tenuo_arg_spec *tn_plugin_schema(const struct tn_plugin *plugin, enum tn_facility facility)
{
    static const struct tenuo_arg_spec none[1];
    const struct tenuo_arg_spec *schema = NULL;
    const char *ops = tn_plugin_ops(plugin, facility);
    if (ops != NULL) /* `args` has the same place in every kind */
        memcpy(&schema, ops + offsetof(struct tenuo_trust_ops, args), sizeof schema);
    if (schema == NULL)
        schema = plugin->desc.args;
    return schema != NULL ? schema : none;
}

bool tn_rule_has_receipt_key(const struct tn_rule *rule, const struct tn_plugin *plugin, const struct tn_settings *set,
                             struct tn_diag *d)
{
    if (rule->facility != TN_F_AUDIT || plugin->desc.audit->receipt == NULL || set->receipt_key != NULL)
        return true;
    tn_diag_error(d, &rule->place, "receipts need a key to sign with: add 'set receipt_key ID' and a resolver for it");
    return false;
}

enum tn_load tn_rule_load(const struct tn_rule *rule, const char *plugin_dir, struct tn_diag *d,
                          const struct tn_plugin **ret_plugin, struct tenuo_arg **ret_args, size_t *ret_n)
{
    const struct tn_conf_arg *pin = tn_rule_arg(rule, "sha256");
    const struct tn_plugin *plugin = NULL;
    struct tenuo_error why;
    int r;
    r = tn_plugin_load(rule->facility, rule->module, plugin_dir, pin != NULL ? pin->value : NULL, &plugin, &why);
    if (r == TENUO_E_SYSTEM && rule->control == TN_OPTIONAL) {
        tn_diag_warning(d, &rule->module_place, "%s; the line is optional and left out", why.msg);
        return TN_LOAD_SKIP;
    }
    if (r != TENUO_OK) {
        tn_diag_error(d, &rule->module_place, "%s", why.msg);
        return TN_LOAD_BAD;
    }
    if (!tn_plugin_args(rule, tn_plugin_schema(plugin, rule->facility), d, ret_args, ret_n))
        return TN_LOAD_BAD;
    *ret_plugin = plugin;
    return TN_LOAD_OK;
}
