/* SPDX-License-Identifier: Apache-2.0 */
/* Resolver env, as built: what a variable may hold, and that no sentence ever holds what it holds. */
#include <stdlib.h>

#include "mock_host.h"
#include "tap.h"

#define B64 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"

static const struct tenuo_resolver_ops *ops;

static uint32_t version;

static void *opened(const char *prefix)
{
    struct tenuo_arg args[] = { { "prefix", prefix, 0 } };
    void *self = NULL;
    is_int(ops->open(&mock_host, args, 1, &self), TENUO_OK, "opens with prefix %s",
           prefix == NULL ? "(default)" : prefix);
    return self;
}

static void seed_is(void *self, const char *id, int want)
{
    uint8_t seed[32], ones[32], before[32];
    memset(ones, 1, sizeof ones);
    memset(seed, 0x55, sizeof seed);
    memcpy(before, seed, sizeof before);
    mock_said[0] = '\0';
    is_int(ops->export_seed(self, id, 0, seed), want, "seed of %s", id);
    ok(memcmp(seed, want == TENUO_OK ? ones : before, 32) == 0, "the output is the seed, or untouched");
    if (want == TENUO_E_KEY_INVALID || want == TENUO_E_KEY_NOT_FOUND)
        ok(strstr(mock_said, id) != NULL && strstr(mock_said, "AQEB") == NULL, "said: %s", mock_said);
}

static int listed, with_key;

static int each(void *arg, const struct tenuo_key_entry *entry)
{
    (void)arg;
    listed++;
    with_key += entry->has_public_key;
    ok(strlen(entry->id) > 0, "listed: %s (%s)", entry->id, entry->note);
    return 0;
}

static int stop(void *arg, const struct tenuo_key_entry *entry)
{
    (void)arg, (void)entry;
    listed++;
    return 1;
}

static void listing(void)
{
    void *self = opened("LISTED_");
    setenv("LISTED_a", B64 "=", 1);
    setenv("LISTED_b.c-d", B64, 1);
    setenv("LISTED_bad", "AQEBjunk", 1);
    setenv("LISTED_", B64, 1);
    setenv("LISTED_a/b", B64, 1);
    is_int(ops->list(self, each, NULL), TENUO_OK, "list");
    ok(listed == 3 && with_key == 2, "two keys and one that is none, ids only");
    listed = 0;
    is_int(ops->list(self, stop, NULL), TENUO_OK, "a list that is stopped");
    is_int(listed, 1, "stops");
    ops->close(self);
}

static void arguments(void)
{
    struct tenuo_arg bad[] = { { "prefix", "", 0 } };
    void *self = NULL;
    is_int(ops->open(&mock_host, bad, 1, &self), TENUO_E_CONF, "an empty prefix");
    bad[0].value = "A=";
    is_int(ops->open(&mock_host, bad, 1, &self), TENUO_E_CONF, "a prefix with '='");
    bad[0].value = "0123456789012345678901234567890123456789012345678901234567890123456789";
    is_int(ops->open(&mock_host, bad, 1, &self), TENUO_E_CONF, "a long prefix");
    ok(self == NULL, "nothing was opened");
}

static void public_keys(void *self)
{
    static const uint8_t want[4] = { 0x8a, 0x88, 0xe3, 0xdd };
    struct tenuo_key_entry entry = { .has_public_key = 0 };
    uint8_t key[32] = { 0 };
    is_int(ops->public_key(self, "b64", 0, key, &version), TENUO_OK, "public key");
    ok(memcmp(key, want, sizeof want) == 0, "of the seed");
    is_int(ops->describe(self, "b64", 0, &entry), TENUO_OK, "describe");
    ok(entry.has_public_key == 1 && memcmp(entry.public_key, key, 32) == 0 && strcmp(entry.id, "b64") == 0,
       "says the same");
}

int main(int argc, char **argv)
{
    static char long_id[TENUO_KEY_ID_MAX + 2];
    const struct tenuo_plugin_v1 *plugin = mock_load("env", argc, argv);
    if (!ok(plugin != NULL && plugin->resolver != NULL, "the built plugin opens"))
        return done_testing();
    ops = plugin->resolver;
    is_str(plugin->name, "env", "its name");
    void *self = opened(NULL);
    setenv("TENUO_KEY_b64", " " B64 "=\n", 1);
    setenv("TENUO_KEY_url", B64, 1);
    setenv("TENUO_KEY_hex", "0101010101010101010101010101010101010101010101010101010101010101", 1);
    setenv("TENUO_KEY_junk", "!!" B64 "=", 1);
    setenv("TENUO_KEY_empty", "", 1);
    unsetenv("TENUO_KEY_none");
    seed_is(self, "b64", TENUO_OK);
    seed_is(self, "url", TENUO_OK);
    seed_is(self, "hex", TENUO_OK);
    seed_is(self, "junk", TENUO_E_KEY_INVALID);
    seed_is(self, "empty", TENUO_E_KEY_INVALID);
    seed_is(self, "none", TENUO_E_KEY_NOT_FOUND);
    seed_is(self, "a=b", TENUO_E_INVALID_ARGUMENT);
    memset(long_id, 'x', sizeof long_id - 1);
    seed_is(self, long_id, TENUO_E_INVALID_ARGUMENT);
    public_keys(self);
    ops->close(self);
    listing();
    arguments();
    return done_testing();
}
