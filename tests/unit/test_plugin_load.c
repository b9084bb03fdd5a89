/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader against plugins that are each wrong in one way, and the proof that a file which somebody else could have
 * changed never runs one instruction: mock_marker.so leaves a file behind as soon as it does. The mocks are in the
 * directory TENUO_TEST_MOCKS.
 */
#include <dlfcn.h>
#include <elf.h>
#include <pthread.h>
#include <sodium.h>

#include "../../core/plugin_load.h"
#include "stage.h"
#include "tap.h"

static const char *mocks;
static struct tenuo_error err;

static const struct tenuo_trust_ops stub_ops = { .size = sizeof(struct tenuo_trust_ops) }; /* lacks everything */
static const struct tenuo_plugin_v1 bad_builtin = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = 1,
    .size = sizeof(struct tenuo_plugin_v1),
    .name = "stub",
    .trust = &stub_ops,
};

/* Stands in for the library's table of built-ins. */
const struct tenuo_plugin_v1 *tn_builtin_find(enum tn_facility facility, const char *name)
{
    return facility == TN_F_TRUST && strcmp(name, "stub") == 0 ? &bad_builtin : NULL;
}

static const char *mock_file(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/mock_%s.so", mocks, name);
    return path;
}

/* mock_NAME.so as plugins/tenuo_NAME.so of the stage. Once: a file that is mapped must not be written over. */
static const char *put_mock(const char *name)
{
    char to[128];
    snprintf(to, sizeof to, "plugins/tenuo_%s.so", name);
    return access(stage_path(to), F_OK) == 0 ? stage_path(to) : stage_copy(mock_file(name), to, 0755);
}

static int load(enum tn_facility facility, const char *module, const char *pin, const struct tn_plugin **ret)
{
    const struct tn_plugin *plugin = NULL;
    err.msg[0] = '\0';
    int r = tn_plugin_load(facility, module, stage_path("plugins"), pin, &plugin, &err);
    if (ret != NULL)
        *ret = plugin;
    return r;
}

static void says(const char *part, const char *what)
{
    if (!ok(strstr(err.msg, part) != NULL, "%s: the sentence has '%s'", what, part))
        printf("#   sentence: %s\n", err.msg);
}

static void faults(void)
{
    static const struct {
        const char *mock;
        enum tn_facility facility;
        int code;
        const char *sentence;
    } rows[] = {
        { "bad_magic", TN_F_RESOLVER, TENUO_E_PLUGIN_ABI, "no valid descriptor (wrong magic number or too short)" },
        { "major", TN_F_RESOLVER, TENUO_E_PLUGIN_ABI, "speaks ABI 2.1, this libtenuo speaks 1.0-1.1" },
        { "major", TN_F_RESOLVER, TENUO_E_PLUGIN_ABI, "install a plugin built for 1.x" },
        { "short_size", TN_F_RESOLVER, TENUO_E_PLUGIN_ABI, "says that its descriptor has 16 bytes" },
        { "long_size", TN_F_RESOLVER, TENUO_E_PLUGIN_ABI, "rebuild it" },
        { "null_name", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL, "no valid name" },
        { "bad_name", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL, "no valid name" },
        { "other_name", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL,
          "calls itself 'another': a file is named tenuo_NAME.so" },
        { "no_ops", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL, "offers nothing" },
        { "missing_op", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL, "its resolver lacks public_key, which sign needs" },
        { "no_decision", TN_F_AUDIT, TENUO_E_PLUGIN_PROTOCOL, "its audit lacks one of open, close, decision" },
        { "no_types", TN_F_MATCHER, TENUO_E_PLUGIN_PROTOCOL, "its matcher lacks types" },
        { "core_arg", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL, "names 'sha256', which is the core's own" },
        { "twice_arg", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL,
          "row 1 of its argument schema has a bad or repeated name" },
        { "arg_type", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL, "has type 99, which ABI 1.1 does not know" },
        { "endless_args", TN_F_RESOLVER, TENUO_E_PLUGIN_PROTOCOL, "more than 32 rows, or no end" },
        { "no_descriptor", TN_F_RESOLVER, TENUO_E_PLUGIN_LOAD, "does not export the object 'tenuo_plugin_v1'" },
        { "undefined", TN_F_AUDIT, TENUO_E_PLUGIN_LOAD, "tn_symbol_that_nobody_has" },
        { "good", TN_F_MATCHER, TENUO_E_PLUGIN_LOAD, "plugin 'good' offers no matcher" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_mock(rows[i].mock);
        is_int(load(rows[i].facility, rows[i].mock, NULL, NULL), rows[i].code, "%s is refused", rows[i].mock);
        says(rows[i].sentence, rows[i].mock);
    }
    is_int(load(TN_F_RESOLVER, "absent", NULL, NULL), TENUO_E_SYSTEM, "a missing file is told apart");
    says("plugin 'absent' is not installed", "absent");
    is_int(load(TN_F_RESOLVER, "../x", NULL, NULL), TENUO_E_INVALID_ARGUMENT, "a name with a path in it");
    is_int(load(TN_F_RESOLVER, "plugins/x.so", NULL, NULL), TENUO_E_INVALID_ARGUMENT, "a relative path");
    is_int(load(TN_F_TRUST, "stub", NULL, NULL), TENUO_E_PLUGIN_PROTOCOL, "built-ins pass the same checks");
    is_int(load(TN_F_TRUST, "stub", "00", NULL), TENUO_E_CONF, "a pin on a built-in");
    is_int(load(TN_F_RESOLVER, "stub", NULL, NULL), TENUO_E_SYSTEM, "built-ins are found by facility and name");
}

static void good_ones(void)
{
    const struct tn_plugin *first = NULL, *second = NULL;
    put_mock("good");
    is_int(load(TN_F_RESOLVER, "good", NULL, &first), TENUO_OK, "a good plugin");
    is_int(load(TN_F_AUDIT, stage_path("plugins/tenuo_good.so"), NULL, &second), TENUO_OK,
           "the same by its path, for another kind");
    ok(first != NULL && first == second, "one file is one plugin");
    is_str(tn_plugin_schema(first, TN_F_RESOLVER)[0].name, "path", "the kind's own schema");
    ok(tn_plugin_schema(first, TN_F_AUDIT)->name == NULL, "no schema is an empty one");
    ok(tn_plugin_ops(first, TN_F_TRUST) == NULL, "a kind that is not offered");
    put_mock("minor");
    is_int(load(TN_F_RESOLVER, "minor", NULL, &first), TENUO_OK, "a later minor is taken");
    put_mock("extra_symbol");
    is_int(load(TN_F_RESOLVER, "extra_symbol", NULL, &first), TENUO_OK, "a second exported symbol does not hinder");
    ok(dlsym(RTLD_DEFAULT, "tn_mock_extra_symbol") == NULL, "and is not visible to the process");
    put_mock("old_ops");
    is_int(load(TN_F_RESOLVER, "old_ops", NULL, &first), TENUO_OK, "operations of an earlier minor");
    const struct tenuo_resolver_ops *ops = first != NULL ? tn_plugin_ops(first, TN_F_RESOLVER) : NULL;
    ok(ops != NULL && ops->export_seed != NULL && ops->list == NULL && ops->remove == NULL,
       "are zero beyond their size");
    const char *runtime[] = { "illegal_code", "wrong_key", "wrong_size", "late", "unsafe", "matcher" };
    for (size_t i = 0; i < 6; i++) {
        put_mock(runtime[i]);
        is_int(load(i == 5 ? TN_F_MATCHER : TN_F_RESOLVER, runtime[i], NULL, NULL), TENUO_OK,
               "%s loads: its fault is in a call", runtime[i]);
    }
}

static bool marked(void)
{
    return access(stage_path("marker"), F_OK) == 0;
}

/* The file at `path` is refused, and nothing of it ran. */
static void never_runs(const char *path, const char *pin, int code, const char *what)
{
    is_int(load(TN_F_RESOLVER, path, pin, NULL), code, "%s is refused", what);
    if (!ok(!marked(), "%s: not one instruction ran", what))
        remove(stage_path("marker"));
}

static void untrusted_files(void)
{
    const char *from = mock_file("marker"), *file;
    file = stage_copy(from, "m1.so", 0757);
    never_runs(file, NULL, TENUO_E_PLUGIN_UNTRUSTED, "a world-writable file");
    file = stage_copy(from, "m2.so", 0775);
    never_runs(file, NULL, TENUO_E_PLUGIN_UNTRUSTED, "a group-writable file");
    stage_mkdir("loose", 0700);
    file = stage_copy(from, "loose/m3.so", 0755);
    chmod(stage_path("loose"), 0775);
    never_runs(file, NULL, TENUO_E_PLUGIN_UNTRUSTED, "a file in a group-writable directory");
    stage_copy(from, "m4.so", 0755);
    if (symlink(stage_path("m4.so"), stage_path("link.so")) != 0 || symlink(stage_root, stage_path("dirlink")) != 0)
        stage_die("symlink");
    never_runs(stage_path("link.so"), NULL, TENUO_E_PLUGIN_UNTRUSTED, "a symbolic link to a good file");
    never_runs(stage_path("dirlink/m4.so"), NULL, TENUO_E_PLUGIN_UNTRUSTED, "a good file through a linked directory");
    file = stage_copy(mock_file("no_descriptor"), "m5.so", 0755);
    never_runs(file, NULL, TENUO_E_PLUGIN_LOAD, "a file without a descriptor");
    never_runs(stage_path("m4.so"), "0000000000000000000000000000000000000000000000000000000000000000",
               TENUO_E_PLUGIN_UNTRUSTED, "a file with another sha256");
    file = stage_copy(mock_file("rpath"), "m6.so", 0755);
    never_runs(file, NULL, TENUO_E_PLUGIN_UNTRUSTED, "a file whose search path is not there yet");
    says("search path", "rpath");
    if (geteuid() != 0) {
        skip_test("a foreign-owned file", "needs root");
        return;
    }
    file = stage_copy(from, "m7.so", 0755);
    if (chown(file, 12345, 12345) != 0)
        stage_die("chown");
    never_runs(file, NULL, TENUO_E_PLUGIN_UNTRUSTED, "a foreign-owned file");
}

/* Cut and broken copies: refused by the scan, before the dynamic linker sees them. */
static void damaged_files(void)
{
    size_t len;
    char *bytes = stage_read(mock_file("marker"), &len);
    unsigned refused = 0, tried = 0;
    for (size_t cut = 0; bytes != NULL && cut < 4096 && cut < len; cut += 61, tried++)
        refused += load(TN_F_RESOLVER, stage_write("cut.so", bytes, cut, 0755), NULL, NULL) == TENUO_E_PLUGIN_LOAD;
    is_int(refused, tried, "every file cut short is refused");
    ok(!marked(), "none of them ran");
    if (bytes == NULL)
        return;
    bytes[EI_CLASS] ^= 3;
    never_runs(stage_write("class.so", bytes, len, 0755), NULL, TENUO_E_PLUGIN_LOAD, "a file of the other ELF class");
    bytes[EI_CLASS] ^= 3;
    bytes[18] ^= 1;
    never_runs(stage_write("machine.so", bytes, len, 0755), NULL, TENUO_E_PLUGIN_LOAD, "a file of another machine");
    says("built for another machine", "machine");
    free(bytes);
}

static void trusted_file(void)
{
    const char *file = stage_copy(mock_file("marker"), "plugins/tenuo_marker.so", 0755);
    unsigned char digest[32];
    char hex[65];
    size_t len = 0;
    char *bytes = stage_read(file, &len);
    crypto_hash_sha256(digest, (const unsigned char *)bytes, len);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    free(bytes);
    ok(!marked(), "nothing has run so far");
    is_int(load(TN_F_RESOLVER, "marker", hex, NULL), TENUO_OK, "the same file, trusted and pinned, is loaded");
    ok(marked(), "and its constructor ran: the checks above can fail");
    hex[0] = hex[0] == '0' ? '1' : '0';
    is_int(load(TN_F_RESOLVER, "marker", hex, NULL), TENUO_E_PLUGIN_UNTRUSTED,
           "a pin holds for a plugin that is loaded already");
    is_int(load(TN_F_RESOLVER, stage_copy(mock_file("origin"), "origin.so", 0755), NULL, NULL), TENUO_OK,
           "$ORIGIN is the plugin's own directory, and that is walked");
}

static char *threads_dir;

static void *load_thread(void *arg)
{
    const struct tn_plugin **ret = arg;
    if (tn_plugin_load(TN_F_RESOLVER, "threads", threads_dir, NULL, ret, NULL) != TENUO_OK)
        *ret = NULL;
    return NULL;
}

static void threads(void)
{
    const struct tn_plugin *got[4] = { NULL };
    pthread_t thread[4];
    bool same = true;
    stage_copy(mock_file("threads"), "plugins/tenuo_threads.so", 0755);
    threads_dir = strdup(stage_path("plugins"));
    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread[i], NULL, load_thread, &got[i]) != 0)
            stage_die("pthread_create");
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        same = same && got[i] != NULL && got[i] == got[0];
    }
    free(threads_dir);
    ok(same, "threads that load one file get one plugin");
}

int main(int argc, char **argv)
{
    mocks = argc > 1 ? argv[1] : getenv("TENUO_TEST_MOCKS");
    if (mocks == NULL)
        return fprintf(stderr, "usage: %s DIRECTORY-OF-MOCKS\n", argv[0]), 2;
    stage_begin();
    stage_mkdir("plugins", 0755);
    setenv("TN_MARKER", stage_path("marker"), 1);
    untrusted_files();
    damaged_files();
    trusted_file();
    faults();
    good_ones();
    threads();
    stage_end();
    return done_testing();
}
