/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in trust `file`: forms of keys, names and windows, directories, and everything that refuses. */
#include "../../core/builtin.h"
#include "../../core/rfc3339.h"
#include "mock_host.h"
#include "stage.h"
#include "tap.h"
#include <tenuo/key.h>

struct roots {
    struct tenuo_root v[16];
    size_t n;
};

static int collect(void *arg, const struct tenuo_root *root)
{
    struct roots *r = arg;
    if (r->n == 16)
        return 1;
    r->v[r->n++] = *root;
    return 0;
}

static int read_path(const char *path, struct roots *r)
{
    const struct tenuo_trust_ops *ops = tn_builtin_trust_file.trust;
    struct tenuo_arg args[] = { { "path", path, 0 } };
    void *self = NULL;
    *r = (struct roots){ .n = 0 };
    mock_said[0] = '\0';
    int e = ops->open(&mock_host, args, 1, &self);
    if (e != TENUO_OK)
        return e;
    e = ops->roots(self, collect, r);
    ops->close(self);
    return e;
}

#define KEY_A "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8" /* seed 00..1f */
static uint8_t key_a[32];

static void refused(const char *text, const char *want)
{
    struct roots r;
    const char *path = stage_text("bad", text);
    ok(read_path(path, &r) != TENUO_OK, "refused: %s", want);
    ok(strstr(mock_said, want) != NULL, "says so: %s", mock_said);
    ok(strstr(mock_said, stage_root) != NULL, "and where: %s", want);
}

static void check_forms(void)
{
    struct roots r;
    char pem[TENUO_PUBLIC_PEM_MAX_BYTES], b64[44], text[2048];
    tenuo_public_key_pem(key_a, pem);
    tenuo_public_key_base64url(key_a, b64);
    is_int(read_path(stage_text("pem", pem), &r), TENUO_OK, "PEM");
    is_int((long long)r.n, 1, "one key");
    ok(memcmp(r.v[0].key, key_a, 32) == 0, "the right one");
    ok(r.v[0].not_before == 0 && r.v[0].not_after == UINT64_MAX, "trusted always");
    snprintf(text, sizeof text,
             "# roots\n\n  %s\r\n%s name=ops not_before=2020-01-01T00:00:00Z not_after=2030-01-01T02:00:00+02:00 # "
             "why\n%s%s",
             b64, KEY_A, pem, KEY_A);
    is_int(read_path(stage_text("many", text), &r), TENUO_OK, "several keys in one file: %s", mock_said);
    is_int((long long)r.n, 4, "all of them");
    for (size_t i = 0; i < r.n; i++)
        ok(memcmp(r.v[i].key, key_a, 32) == 0, "key %zu", i);
    is_str(r.v[1].name, "ops", "name");
    is_int((long long)r.v[1].not_before, 1577836800, "not_before");
    is_int((long long)r.v[1].not_after, 1893456000, "not_after, with an offset");
    is_str(r.v[2].name, "", "a name belongs to its line alone");
}

static void check_refusals(void)
{
    refused("", "holds no public key");
    refused("# nothing\n", "holds no public key");
    refused("\nnonsense\n", ":2: not a usable Ed25519 public key");
    refused("0000000000000000000000000000000000000000000000000000000000000000\n", ":1: not a usable");
    refused(KEY_A " nmae=x\n", ":1: unknown word");
    refused(KEY_A " not_after=tomorrow\n", "not_after= wants a time");
    refused(KEY_A " not_after=2030-02-30T00:00:00Z\n", "not_after= wants a time");
    refused(KEY_A " not_before=2030-01-01T00:00:00Z not_after=2020-01-01T00:00:00Z\n", "never be trusted");
    refused("-----BEGIN PUBLIC KEY-----\nMCow\n", "does not end");
    refused(KEY_A "\n" KEY_A "x\n", ":2: not a usable");
}

static void check_trust(void)
{
    struct roots r;
    const char *loose = stage_write("loose", KEY_A, 64, 0666);
    ok(read_path(loose, &r) != TENUO_OK, "a file that others may write is refused");
    ok(strstr(mock_said, "writable") != NULL, "with the reason: %s", mock_said);
    ok(read_path(stage_path("missing"), &r) != TENUO_OK, "a missing file is refused");
    ok(symlink(stage_text("real", KEY_A), stage_path("link")) == 0 && read_path(stage_path("link"), &r) != TENUO_OK,
       "a link is refused");
}

static void check_directory(void)
{
    struct roots r;
    stage_mkdir("roots", 0755);
    is_int(read_path(stage_path("roots"), &r), TENUO_OK, "an empty directory can be read");
    is_int((long long)r.n, 0, "and has nothing");
    stage_text("roots/b.pub", KEY_A " name=b\n");
    stage_text("roots/a.pub", KEY_A " name=a\n");
    stage_text("roots/.hidden", "nonsense");
    stage_text("roots/old.pub~", KEY_A " name=old\n");
    stage_text("roots/x.pub.dpkg-old", KEY_A " name=old\n");
    char slash[256];
    snprintf(slash, sizeof slash, "%s/", stage_path("roots"));
    is_int(read_path(slash, &r), TENUO_OK, "directory: %s", mock_said);
    is_int((long long)r.n, 2, "every file but leftovers");
    is_str(r.v[0].name, "a", "in order of names");
    stage_text("roots/c.pub", "nonsense");
    ok(read_path(stage_path("roots"), &r) != TENUO_OK, "one bad file refuses the directory");
    ok(strstr(mock_said, "roots/c.pub:1:") != NULL, "and is named: %s", mock_said);
}

static void check_times(void)
{
    static const struct {
        const char *text;
        long long want; /* -1: refused */
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1969-12-31T23:59:59Z", -1 },
        { "2000-02-29T00:00:00Z", 951782400 },
        { "2100-02-29T00:00:00Z", -1 },
        { "9999-12-31T23:59:59Z", 253402300799 },
        { "2030-01-01T00:00:60Z", -1 },
        { "2030-01-01T24:00:00Z", -1 },
        { "2030-13-01T00:00:00Z", -1 },
        { "2030-01-01T00:00:00", -1 },
        { "2030-01-01T00:00:00.5Z", -1 },
        { "2030-01-01T00:00:00+24:00", -1 },
        { "2030-01-01 00:00:00Z", -1 },
        { "2030-01-01T00:00:00-01:30", 1893461400 },
        { "1970-01-01T00:00:00+00:01", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t got = 77;
        bool good = tn_rfc3339_parse(tn_lit(rows[i].text), &got);
        is_int(good ? (long long)got : -1, rows[i].want, "time %s", rows[i].text);
        ok(good || got == 77, "output untouched: %s", rows[i].text);
    }
}

int main(void)
{
    if (tenuo_public_key_parse(KEY_A, 64, key_a, NULL) != TENUO_OK)
        return 1;
    stage_begin();
    check_forms();
    check_refusals();
    check_trust();
    check_directory();
    check_times();
    stage_end();
    return done_testing();
}
