/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists: the published bytes, every form that is refused, which list may follow which, and a million ids. */
#include "../../core/rfc3339.h"
#include "tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <tenuo/tenuo.h>
#include <time.h>

#define T0 1704067200 /* 2024-01-01T00:00:00Z */

static struct tenuo_signer *key, *other;

static size_t unhex(const char *hex, uint8_t *ret, size_t size)
{
    size_t n = 0;
    ok(sodium_hex2bin(ret, size, hex, strlen(hex), " ", &n, NULL) == 0, "the test's hex");
    return n;
}

static void make_id(uint8_t id[16], uint64_t n)
{
    memset(id, 0, 16);
    for (size_t i = 0; i < 8; i++)
        id[15 - i] = (uint8_t)(n >> (8 * i));
}

struct bytes {
    uint8_t *p;
    size_t n;
};

/* A list of the ids from..to-1, on top of `base` when there is one. */
static struct bytes list(uint64_t version, const struct tenuo_srl *base, uint64_t from, uint64_t to)
{
    struct tenuo_srl_builder *b = NULL;
    struct bytes out = { 0 };
    uint8_t id[16];
    ok(tenuo_srl_builder_new(version, &b, NULL) == 0, "builder");
    ok(base == NULL || tenuo_srl_builder_carry(b, base, NULL, NULL, NULL, NULL) == 0, "carried");
    for (uint64_t i = to; i > from; i--) { /* the builder sorts */
        make_id(id, i - 1);
        if (tenuo_srl_builder_add(b, id, NULL) != 0)
            ok(false, "added");
    }
    ok(tenuo_srl_builder_sign(b, key, T0, &out.p, &out.n, NULL) == 0, "signed");
    tenuo_srl_builder_free(b);
    return out;
}

static struct tenuo_srl *parsed(uint64_t version, const struct tenuo_srl *base, uint64_t from, uint64_t to)
{
    struct bytes b = list(version, base, from, to);
    struct tenuo_srl *srl = NULL;
    is_int(tenuo_srl_parse(b.p, b.n, tenuo_signer_public_key(key), &srl, NULL), 0, "what we write we read");
    tenuo_bytes_free(b.p, b.n);
    return srl;
}

static int count_id(void *arg, const char *id, size_t len)
{
    (void)id, (void)len;
    ++*(size_t *)arg;
    return 0;
}

/* governance.md 10.1: version 42, ids tnu_wrt_b and tnu_wrt_a, which no warrant can have. */
static void published(void)
{
    static const char hex[] =
        "a2677061796c6f6164a46b7265766f6b65645f6964738269746e755f7772745f6269746e755f7772745f616776657273696f"
        "6e182a69697373"
        "7565645f6174781e323032362d31312d32325430343a33393a32392e3739373033303234325a66697373756572820158208a"
        "88e3dd7409f195"
        "fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c697369676e61747572658201584071f73347b112a4fd0e26e58c"
        "299b69d7b7708c"
        "7de365b878057cd04bc4db89f2e32722064a0bcfcb64d1ecf80d4522392026cb8c5723bd00de77228af3840509";
    uint8_t bytes[512], hash[32], none[16] = { 0 };
    size_t n = unhex(hex, bytes, sizeof bytes), count = 0, wrong = 0;
    struct tenuo_srl *srl = NULL, *bad = NULL;
    char text[65];
    is_int(tenuo_srl_parse(bytes, n, tenuo_signer_public_key(key), &srl, NULL), 0, "the published list");
    is_int((long long)tenuo_srl_version(srl), 42, "its version");
    is_int(tenuo_srl_issued_at(srl), 1795322369, "its time");
    ok(tenuo_srl_each(srl, count_id, &count) == 0 && count == 2 && tenuo_srl_count(srl) == 2, "its ids");
    ok(!tenuo_srl_contains(srl, none), "and no warrant");
    tenuo_srl_content_hash(srl, hash);
    sodium_bin2hex(text, sizeof text, hash, sizeof hash);
    crypto_hash_sha256(hash, (const uint8_t *)"\0\0\0\0\0\0\0\x2atnu_wrt_a\0tnu_wrt_b", 8 + 2 * 10);
    sodium_bin2hex((char *)bytes + 400, 65, hash, sizeof hash);
    is_str(text, (const char *)bytes + 400, "content hash as 10.3 says");
    is_int(tenuo_srl_parse(bytes, n, tenuo_signer_public_key(other), &bad, NULL), 1100, "another issuer expected");
    for (size_t i = 0; i < n; i++) { /* nothing that is changed passes */
        bytes[i] ^= 0x20;
        wrong += tenuo_srl_parse(bytes, n, NULL, &bad, NULL) == 0;
        bytes[i] ^= 0x20;
        wrong += tenuo_srl_parse(bytes, i, NULL, &bad, NULL) == 0;
    }
    ok(wrong == 0 && bad == NULL, "no changed or cut byte passes, and nothing was handed out");
    tenuo_srl_unref(srl);
}

/* Signs a payload as it stands; the list is refused for its form alone. */
static int signed_form(const char *payload_hex, struct tenuo_error *err)
{
    uint8_t message[512] = "tenuo-srl-v1", out[1024] = "\xa2\x67payload", sig[64];
    size_t n = unhex(payload_hex, message + 12, sizeof message - 12), at = 9;
    struct tenuo_srl *srl = NULL;
    ok(tenuo_signer_sign(key, message, n + 12, sig, NULL) == 0, "signed");
    memcpy(out + at, message + 12, n);
    at += n;
    memcpy(out + at, "\x69signature\x82\x01\x58\x40", 14);
    memcpy(out + at + 14, sig, 64);
    int r = tenuo_srl_parse(out, at + 14 + 64, NULL, &srl, err);
    tenuo_srl_unref(srl);
    return r;
}

#define IDS "6b7265766f6b65645f69647380"
#define VERSION "6776657273696f6e05"
#define ISSUED "696973737565645f6174"
#define NEW_YEAR "74323032342d30312d30315430303a30303a30305a" /* 2024-01-01T00:00:00Z */
#define ISSUER "66697373756572820158208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"

static void time_form(const char *text, int want)
{
    char hex[512], time[128] = "";
    struct tenuo_error err = { 0 };
    size_t n = strlen(text);
    snprintf(time, sizeof time, n < 24 ? "%02zx" : "78%02zx", n < 24 ? 0x60 + n : n);
    sodium_bin2hex(time + strlen(time), sizeof time - strlen(time), (const uint8_t *)text, n);
    snprintf(hex, sizeof hex, "a4" IDS VERSION ISSUED "%s" ISSUER, time);
    is_int(signed_form(hex, &err), want, "issued_at %s", text);
}

static void forms(void)
{
    struct tenuo_error err = { 0 };
    time_form("2024-01-01T00:00:00Z", 0);
    time_form("2024-01-01T00:00:00.100Z", 0);
    time_form("2024-01-01T00:00:00.000001Z", 0);
    time_form("2024-01-01T00:00:00.000000001Z", 0);
    time_form("9999-12-31T23:59:59Z", 0);
    time_form("2024-01-01T00:00:00.000Z", 1202);
    time_form("2024-01-01T00:00:00.1Z", 1202);
    time_form("2024-01-01T00:00:00.100000Z", 1202);
    time_form("2024-01-01T00:00:00.Z", 1202);
    time_form("2024-01-01T00:00:00+00:00", 1202);
    time_form("2024-01-01T01:00:00+01:00", 1202);
    time_form("2024-01-01t00:00:00Z", 1202);
    time_form("2024-01-01T00:00:00z", 1202);
    time_form("2024-02-30T00:00:00Z", 1202);
    time_form("1969-12-31T23:59:59Z", 1202);
    is_int(signed_form("a4" VERSION IDS ISSUED NEW_YEAR ISSUER, &err), 1202,
           "members in another order");
    is_int(signed_form("a46b7265766f6b65645f6964739fff" VERSION ISSUED NEW_YEAR ISSUER, &err), 1202,
           "an array without length");
    is_int(signed_form("a4" IDS "6776657273696f6e1805" ISSUED NEW_YEAR ISSUER, &err),
           1202, "a long head");
    is_int(signed_form("a46b7265766f6b65645f6964739a00200001" VERSION, &err), 1202, "more ids declared than bytes");
    ok(strstr(err.msg, "more elements declared") != NULL, "and it says so: %s", err.msg);
    is_int(tenuo_srl_parse(NULL, 0, NULL, NULL, &err), 1202, "nothing");
    is_int(tenuo_srl_parse(NULL, TENUO_SRL_MAX_BYTES + 1u, NULL, NULL, NULL), 9001, "no bytes at all");
}

static int skip_odd(void *arg, const char *id, size_t len)
{
    (void)arg;
    return id[len - 1] % 2 != 0 ? 0 : 1;
}

static void building(void)
{
    struct tenuo_srl *one = parsed(1, NULL, 1, 4), *two = NULL;
    struct tenuo_srl_builder *b = NULL;
    struct bytes out = { 0 };
    uint8_t id[16];
    size_t dropped = 0;
    is_int((long long)tenuo_srl_count(one), 3, "three ids");
    ok(tenuo_srl_builder_new(1, &b, NULL) == 0, "builder");
    is_int(tenuo_srl_builder_carry(b, one, NULL, NULL, NULL, NULL), 1802, "the same version is not carried on");
    tenuo_srl_builder_free(b);
    ok(tenuo_srl_builder_new(2, &b, NULL) == 0, "builder");
    ok(tenuo_srl_builder_carry(b, one, skip_odd, NULL, &dropped, NULL) == 0 && dropped == 2, "two are pruned");
    make_id(id, 2);
    ok(tenuo_srl_builder_add(b, id, NULL) == 0 && tenuo_srl_builder_add(b, id, NULL) == 0, "the same again");
    is_int(tenuo_srl_builder_sign(b, key, -1, &out.p, &out.n, NULL), 9001, "no time before 1970");
    ok(out.p == NULL && tenuo_srl_builder_sign(b, key, T0 + 60, &out.p, &out.n, NULL) == 0, "signed");
    ok(tenuo_srl_parse(out.p, out.n, NULL, &two, NULL) == 0 && tenuo_srl_count(two) == 1, "one id is left, once");
    ok(tenuo_srl_contains(two, id) && tenuo_srl_issued_at(two) == T0 + 60, "the right one");
    tenuo_bytes_free(out.p, out.n);
    tenuo_srl_builder_free(b);
    tenuo_srl_unref(one);
    tenuo_srl_unref(two);
}

static void following(void)
{
    struct tenuo_srl *a = parsed(5, NULL, 0, 3), *same = parsed(5, NULL, 0, 3), *more = parsed(5, NULL, 0, 4),
                     *newer = parsed(6, NULL, 2, 5), *both = NULL;
    size_t added = 0, dropped = 0, seen = 0;
    uint8_t id[16];
    is_int(tenuo_srl_compare(a, same, NULL), 0, "signed again");
    is_int(tenuo_srl_compare(a, more, NULL), 1803, "the same version with another set");
    is_int(tenuo_srl_compare(newer, a, NULL), 1802, "rolled back");
    is_int(tenuo_srl_compare(a, newer, NULL), 0, "a higher version may drop ids");
    ok(tenuo_srl_diff(a, newer, NULL, NULL, &added, &dropped) == 0 && added == 2 && dropped == 2, "the diff says so");
    ok(tenuo_srl_union(newer, a, &both, NULL) == 0 && tenuo_srl_count(both) == 5, "united");
    make_id(id, 0);
    ok(tenuo_srl_contains(both, id) && tenuo_srl_version(both) == 6, "nothing is let go");
    ok(tenuo_srl_each(both, count_id, &seen) == 0 && seen == 5, "each once");
    tenuo_srl_unref(a);
    tenuo_srl_unref(same);
    tenuo_srl_unref(more);
    tenuo_srl_unref(newer);
    tenuo_srl_unref(both);
}

static void tracking(void)
{
    struct tenuo_srl_rules rules = { .size = sizeof rules, .clock_tolerance = 30, .issuer_count = 1, .max_age = 3600 };
    struct tenuo_srl_floor floor = { .version = 0 }, next;
    struct tenuo_srl *two = parsed(2, NULL, 0, 3), *two_more = parsed(2, NULL, 0, 4), *one = parsed(1, NULL, 0, 9);
    int64_t until = 0;
    rules.issuers = tenuo_signer_public_key(other);
    is_int(tenuo_srl_accept(two, &rules, NULL, T0, T0, &floor, &until, NULL), 1406, "a stranger's list");
    rules.issuers = tenuo_signer_public_key(key);
    is_int(tenuo_srl_accept(two, &rules, NULL, T0 + 31, T0, &floor, &until, NULL), 1801, "fetched in the future");
    is_int(tenuo_srl_accept(two, &rules, NULL, T0, T0 + 3601, &floor, &until, NULL), 9301, "fetched too long ago");
    ok(floor.version == 0 && until == 0, "nothing was handed out");
    is_int(tenuo_srl_accept(two, &rules, NULL, T0, T0 + 3600, &floor, &until, NULL), 0, "the last good second");
    ok(floor.version == 2 && until == T0 + 3600, "the floor and until when");
    is_int(tenuo_srl_accept(two, &rules, &floor, T0 + 9, T0 + 9, NULL, NULL, NULL), 0, "the same list again");
    is_int(tenuo_srl_accept(two_more, &rules, &floor, T0, T0, &next, NULL, NULL), 1803, "equivocation");
    is_int(tenuo_srl_accept(one, &rules, &floor, T0, T0, &next, NULL, NULL), 1802, "rollback");
    floor.issuer[0] ^= 1;
    is_int(tenuo_srl_accept(two, &rules, &floor, T0, T0, &next, NULL, NULL), 9001, "the floor of another issuer");
    rules.max_issued_age = 600; /* a frozen list looks fresh by its fetch alone */
    is_int(tenuo_srl_accept(two, &rules, NULL, T0 + 601, T0 + 601, NULL, NULL, NULL), 9301, "frozen");
    is_int(tenuo_srl_accept(two, &rules, NULL, T0 + 600, T0 + 600, NULL, &until, NULL), 0, "not yet");
    ok(until == T0 + 600, "the nearer bound counts");
    is_int(tenuo_srl_accept(two, &rules, NULL, T0 - 31, T0 - 31, NULL, NULL, NULL), 1801, "issued in the future");
    rules.max_issued_age = UINT64_MAX;
    rules.max_age = UINT64_MAX - 1;
    is_int(tenuo_srl_accept(two, &rules, NULL, INT64_MIN, INT64_MAX, NULL, &until, NULL), 9301, "no wrap round");
    rules.size = 0; /* an older caller: nothing trusted */
    is_int(tenuo_srl_accept(two, &rules, NULL, T0, T0, NULL, NULL, NULL), 1406, "a structure without members");
    tenuo_srl_unref(two);
    tenuo_srl_unref(two_more);
    tenuo_srl_unref(one);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Not a benchmark: bounds far above what it takes, so that a lost order of magnitude is seen. */
static void a_million(void)
{
    struct tenuo_srl *srl = NULL;
    struct bytes b = list(7, NULL, 0, 1000000);
    uint8_t id[16];
    size_t hits = 0;
    double start = now();
    ok(tenuo_srl_parse(b.p, b.n, NULL, &srl, NULL) == 0 && tenuo_srl_count(srl) == 1000000, "a million ids");
    double load = now() - start;
    start = now();
    for (uint64_t i = 0; i < 1000000; i++) {
        make_id(id, i * 2654435761u % 2000000);
        hits += (size_t)tenuo_srl_contains(srl, id);
    }
    double look = (now() - start) * 1e9 / 1e6;
    printf("# %zu bytes: read in %.3f s, %.0f ns a lookup\n", b.n, load, look);
    ok(hits > 400000 && hits < 600000, "half of what is asked is there");
    ok(load < 10 && look < 20000, "in reasonable time");
    tenuo_srl_unref(srl);
    tenuo_bytes_free(b.p, b.n);
}

int main(void)
{
    static const uint8_t seeds[2][32] = { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
                                          { 2 } };
    ok(tenuo_signer_from_seed(seeds[0], &key, NULL) == 0, "a key");
    ok(tenuo_signer_from_seed(seeds[1], &other, NULL) == 0, "another");
    published();
    forms();
    building();
    following();
    tracking();
    a_million();
    tenuo_signer_free(key);
    tenuo_signer_free(other);
    return done_testing();
}
