/* SPDX-License-Identifier: Apache-2.0 */
/* Resolver file, as built: whose files it believes, what it writes, and what it answers about everything else. */
#include <stdlib.h>

#include "mock_host.h"
#include "stage.h"
#include "tap.h"

#define HEX "0101010101010101010101010101010101010101010101010101010101010101"
#define PUBLIC_HEX "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
#define OTHER_HEX "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"

static const struct tenuo_resolver_ops *ops;

static int open_with(const char *path, const char *credential, void **ret_self)
{
    struct tenuo_arg args[] = { { "path", path, 0 }, { "credential", credential, 0 } };
    mock_said[0] = '\0';
    return ops->open(&mock_host, args, 2, ret_self);
}

static uint32_t version;

static void *opened(const char *path, const char *credential)
{
    void *self = NULL;
    is_int(open_with(path, credential, &self), TENUO_OK, "opens: %s", mock_said);
    return self;
}

static void seed_is(void *self, const char *id, int want, const char *what)
{
    uint8_t seed[32], ones[32], before[32];
    memset(ones, 1, sizeof ones);
    memset(seed, 0x55, sizeof seed);
    memcpy(before, seed, sizeof before);
    mock_said[0] = '\0';
    is_int(ops->export_seed(self, id, 0, seed), want, "%s", what);
    ok(memcmp(seed, want == TENUO_OK ? ones : before, 32) == 0, "the output is the seed, or untouched");
    if (want != TENUO_OK && want != TENUO_E_INVALID_ARGUMENT)
        ok(mock_said[0] != '\0' && strstr(mock_said, "0101") == NULL, "said: %s", mock_said);
}

static const char *key_file(const char *name, const char *text, mode_t mode)
{
    return stage_write(name, text, strlen(text), mode);
}

static void reading(void *self)
{
    uint8_t raw[32];
    static char large[5000];
    memset(raw, 1, sizeof raw);
    key_file("keys/hex.key", HEX "\n", 0600);
    stage_write("keys/raw.key", raw, sizeof raw, 0400);
    key_file("keys/bad.key", "hello", 0600);
    stage_write("keys/large.key", large, sizeof large, 0600);
    key_file("keys/group.key", HEX, 0640);
    key_file("keys/world.key", HEX, 0604);
    if (symlink("hex.key", stage_path("keys/link.key")) != 0 || mkfifo(stage_path("keys/fifo.key"), 0600) != 0)
        stage_die("link");
    seed_is(self, "hex", TENUO_OK, "hex, 0600");
    seed_is(self, "raw", TENUO_OK, "32 raw bytes, 0400");
    seed_is(self, "bad", TENUO_E_KEY_INVALID, "no key");
    seed_is(self, "large", TENUO_E_KEY_INVALID, "too large");
    seed_is(self, "group", TENUO_E_KEY_DENIED, "readable by the group");
    seed_is(self, "world", TENUO_E_KEY_DENIED, "readable by all");
    seed_is(self, "link", TENUO_E_KEY_DENIED, "a link");
    seed_is(self, "fifo", TENUO_E_KEY_INVALID, "a pipe");
    seed_is(self, "none", TENUO_E_KEY_NOT_FOUND, "missing");
    seed_is(self, "../keys/hex", TENUO_E_INVALID_ARGUMENT, "a path for an id");
}

/* Only root can make a file of somebody else. */
static void foreign(void *self)
{
    if (geteuid() != 0) {
        skip_test("a foreign owner", "needs root");
        return;
    }
    if (chown(key_file("keys/foreign.key", HEX, 0600), 12345, 12345) != 0)
        stage_die("chown");
    seed_is(self, "foreign", TENUO_E_KEY_DENIED, "owned by somebody else");
}

static void public_keys(void *self)
{
    uint8_t key[32] = { 0 };
    key_file("keys/pair.key", HEX, 0600);
    key_file("keys/pair.pub", PUBLIC_HEX "\n", 0644);
    key_file("keys/mixed.key", HEX, 0600);
    key_file("keys/mixed.pub", OTHER_HEX, 0644);
    key_file("keys/open.key", HEX, 0600);
    key_file("keys/open.pub", PUBLIC_HEX, 0666);
    key_file("keys/alone.pub", PUBLIC_HEX, 0644);
    seed_is(self, "pair", TENUO_OK, "a secret with its public key");
    seed_is(self, "mixed", TENUO_E_KEY_INVALID, "a secret with the public key of another");
    seed_is(self, "open", TENUO_E_KEY_DENIED, "a public key that all can write");
    seed_is(self, "alone", TENUO_E_KEY_NOT_FOUND, "a public key alone cannot sign");
    is_int(ops->public_key(self, "alone", 0, key, &version), TENUO_OK, "but can be read");
    ok(key[0] == 0x8a && key[1] == 0x88, "and is the right one");
    memset(key, 0, sizeof key);
    is_int(ops->public_key(self, "hex", 0, key, &version), TENUO_OK, "without ID.pub it comes from the secret");
    ok(key[0] == 0x8a && key[1] == 0x88, "and is the right one");
    is_int(ops->public_key(self, "none", 0, key, &version), TENUO_E_KEY_NOT_FOUND, "no such key");
}

static int listed, with_key;

static int each(void *arg, const struct tenuo_key_entry *entry)
{
    const char *want = arg;
    listed++;
    with_key += entry->has_public_key;
    if (want != NULL)
        is_str(entry->id, want, "listed");
    return 0;
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    return stat(stage_path(name), &st) == 0 ? st.st_mode & 07777 : 0;
}

static void writing(void)
{
    uint8_t key[32] = { 0 }, again[32] = { 0 }, seed[32], ones[32];
    memset(ones, 1, sizeof ones);
    void *self = opened(stage_mkdir("new", 0700), NULL);
    is_int(ops->generate(self, "agent-1", 0, key, &version), TENUO_OK, "generate");
    is_int(mode_of("new/agent-1.key"), 0600, "the secret is the owner's");
    is_int(mode_of("new/agent-1.pub"), 0644, "the public key is for all");
    is_int(ops->public_key(self, "agent-1", 0, again, &version), TENUO_OK, "its public key");
    ok(memcmp(key, again, 32) == 0, "is what generate said");
    is_int(ops->export_seed(self, "agent-1", 0, seed), TENUO_OK, "its seed can be read");
    is_int(ops->generate(self, "agent-1", 0, again, &version), TENUO_E_KEY_CONFLICT, "a key is never written over");
    is_int(ops->import(self, "agent-1", 0, ones, &version), TENUO_E_KEY_CONFLICT, "nor by import");
    is_int(ops->import(self, "in", 0, ones, &version), TENUO_OK, "import");
    seed_is(self, "in", TENUO_OK, "an imported seed comes back");
    is_int(ops->list(self, each, NULL), TENUO_OK, "list");
    ok(listed == 2 && with_key == 2, "two keys");
    is_int(ops->remove(self, "agent-1", 0), TENUO_OK, "remove");
    is_int(ops->remove(self, "agent-1", 0), TENUO_E_KEY_NOT_FOUND, "remove again");
    is_int(mode_of("new/agent-1.pub"), 0, "the public key went too");
    listed = 0;
    is_int(ops->list(self, each, strdupa("in")), TENUO_OK, "list again");
    is_int(listed, 1, "one key, and no left-over file");
    is_int(ops->generate(self, ".hidden", 0, again, &version), TENUO_E_INVALID_ARGUMENT, "no hidden ids");
    ops->close(self);
}

static void directories(void)
{
    void *self = NULL;
    is_int(open_with(stage_mkdir("loose", 0777), NULL, &self), TENUO_E_KEY_DENIED, "a directory that all can write");
    ok(strstr(mock_said, "loose") != NULL, "said: %s", mock_said);
    if (symlink("keys", stage_path("linked")) != 0)
        stage_die("link");
    is_int(open_with(stage_path("linked"), NULL, &self), TENUO_E_KEY_DENIED, "a linked directory");
    self = opened(stage_path("later"), NULL);
    seed_is(self, "hex", TENUO_E_UNAVAILABLE, "a missing directory is no answer");
    stage_mkdir("later", 0700);
    key_file("later/hex.key", HEX, 0600);
    seed_is(self, "hex", TENUO_OK, "until it comes");
    if (chmod(stage_path("later"), 0770) != 0)
        stage_die("chmod");
    seed_is(self, "hex", TENUO_E_KEY_DENIED, "and is judged at every call");
    ops->close(self);
}

static void credentials(void)
{
    static const char *const bad[] = { "plain", "a/{key_id}", "{key_id}{key_id}", "x-{name}", "../{key_id}" };
    void *self = NULL;
    uint8_t key[32];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is_int(open_with(NULL, bad[i], &self), TENUO_E_CONF, "template %s", bad[i]);
    is_int(open_with("/x", "{key_id}", &self), TENUO_E_CONF, "path and credential");
    unsetenv("CREDENTIALS_DIRECTORY");
    self = opened(NULL, "tenuo-{key_id}.k");
    seed_is(self, "a", TENUO_E_UNAVAILABLE, "no credentials were passed");
    setenv("CREDENTIALS_DIRECTORY", stage_mkdir("cred", 0700), 1);
    key_file("cred/tenuo-a.k", HEX, 0400);
    key_file("cred/tenuo-g.k", HEX, 0440);
    key_file("cred/other", HEX, 0400);
    seed_is(self, "a", TENUO_OK, "a credential");
    seed_is(self, "g", geteuid() == 0 ? TENUO_OK : TENUO_E_KEY_DENIED, "group read passes for root's files only");
    listed = 0;
    is_int(ops->list(self, each, NULL), TENUO_OK, "list");
    is_int(listed, 2, "only what the template names");
    is_int(ops->can(self),
           TENUO_RESOLVER_EXPORTS | TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_IMPORT | TENUO_RESOLVER_NO_REMOVE,
           "the line says that it changes nothing");
    is_int(ops->generate(self, "new", 0, key, &version), TENUO_E_KEY_DENIED, "credentials cannot be made");
    is_int(ops->remove(self, "a", 0), TENUO_E_KEY_DENIED, "nor removed");
    ops->close(self);
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("file", argc, argv);
    if (!ok(plugin != NULL && plugin->resolver != NULL, "the built plugin opens"))
        return done_testing();
    ops = plugin->resolver;
    stage_begin();
    void *self = opened(stage_mkdir("keys", 0700), NULL);
    is_int(ops->can(self), TENUO_RESOLVER_EXPORTS, "a directory of keys can all");
    reading(self);
    foreign(self);
    public_keys(self);
    ops->close(self);
    writing();
    directories();
    credentials();
    stage_end();
    return done_testing();
}
