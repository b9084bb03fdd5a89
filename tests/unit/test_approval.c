/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed approvals: the published bytes, what the decoder refuses, and how a decision counts them: order of the tests,
 * classes, the two codes, and the settings about self-approval and lifetime.
 */
#include "../../core/approval.h"
#include "../../core/crypto.h"
#include "tap.h"

#include <stdlib.h>

#define T0 1700000000u
#define HASH "36dc8fc1bb5a38e4d639c063282afbbf63a10e5b129c6d3baefd2b6d624958a0"

static uint8_t hash[32];

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v = 0;
        sscanf(hex + 2 * i, "%2x", &v);
        out[i] = (uint8_t)v;
    }
    return n;
}

static struct tenuo_signer *seeded(uint8_t v)
{
    uint8_t seed[32];
    struct tenuo_signer *s = NULL;
    memset(seed, v, sizeof seed);
    return tenuo_signer_from_seed(seed, &s, NULL) == TENUO_OK ? s : NULL;
}

/* An approval by the key of this seed. */
static struct tenuo_approval *approve(uint8_t seed, const uint8_t h[32], uint64_t at, uint64_t lifetime)
{
    static const uint8_t nonce[16] = { 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7 };
    struct tenuo_signer *signer = seeded(seed);
    struct tenuo_approve *a = NULL;
    struct tenuo_approval *ret = NULL;
    int r = tenuo_approve_new(h, &a, NULL);
    tenuo_approve_set_nonce(a, nonce);
    tenuo_approve_set_lifetime(a, lifetime);
    r = r != 0 ? r : tenuo_approve_set_external_id(a, "alice", 5, NULL);
    r = r != 0 ? r : tenuo_approve_sign(a, signer, at, &ret, NULL);
    tenuo_approve_free(a);
    tenuo_signer_free(signer);
    return r == TENUO_OK ? ret : NULL;
}

#define PAYLOAD_HEAD \
    "a66776657273696f6e016c726571756573745f686173689820183618dc188f18c118bb185a183818e418d6183918c01863182818" \
    "2a18fb18bf186318a10e185b12189c186d183b18ae18fd182b186d18621849185818a0656e6f6e636590070707070707070707070707" \
    "070707076b65787465726e616c5f696465616c6963656b617070726f7665645f61741a6553f1006a657870697265735f61741a6553f22c"
#define SIGNATURE \
    "033bff15903d617aa79065a04b9095f43029f132080531b6e15c3698d8b5cf72cf850de0c42f630cdb71dc6352f067b528b6d92dd1bb" \
    "d1d7c204abe6fa478d0f"

static void test_bytes(void)
{
    struct tenuo_approval *a = approve(4, hash, T0, 300), *again = NULL;
    char hex[1024] = "";
    size_t len = 0, n = 0;
    const uint8_t *bytes = tenuo_approval_bytes(a, &len);
    tn_hex(hex, bytes, len < 500 ? len : 500);
    is_str(hex, "a470617070726f76616c5f76657273696f6e01677061796c6f616458a1" PAYLOAD_HEAD
                "6c617070726f7665725f6b657982015820ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c"
                "697369676e617475726582015840" SIGNATURE, "the published envelope, to the byte");
    is_int(tenuo_approval_parse(bytes, len, &again, NULL), 0, "which reads back");
    ok(tenuo_approval_approved_at(again) == T0 && tenuo_approval_expires_at(again) == T0 + 300, "its times");
    ok(memcmp(tenuo_approval_external_id(again, &n), "alice", 5) == 0 && n == 5, "its label");
    ok(memcmp(tenuo_approval_request_hash(again), hash, 32) == 0, "its hash");
    ok(tenuo_approval_nonce(again)[15] == 7 && tenuo_approval_extension_count(again) == 0, "nonce, no extension");
    is_int(tenuo_approval_verify(again, T0 - 30, 30, NULL), 0, "dated within the tolerance");
    is_int(tenuo_approval_verify(again, T0 - 31, 30, NULL), 1701, "dated beyond it");
    is_int(tenuo_approval_verify(again, T0 + 4000, 30, NULL), 0, "expiry is the caller's to judge");
    tenuo_approval_free(again);
    tenuo_approval_free(a);
}

static void test_making(void)
{
    struct tenuo_signer *signer = seeded(4);
    struct tenuo_approve *a = NULL;
    struct tenuo_approval *one = NULL;
    uint8_t *message = NULL, signature[64];
    const uint8_t value[] = { 0x01, 0xc8 };
    size_t len = 0;
    ok(tenuo_approve_new(hash, &a, NULL) == 0, "an approval to be signed elsewhere");
    is_int(tenuo_approve_add_extension(a, "k", 1, value, 2, NULL), 0, "with an extension");
    is_int(tenuo_approve_add_extension(a, "k", 1, value, 2, NULL), 9001, "but not twice");
    is_int(tenuo_approve_set_external_id(a, "\xff", 1, NULL), 9001, "a label is UTF-8");
    is_int(tenuo_approve_finish(a, signature, &one, NULL), 9001, "finish comes after prepare");
    is_int(tenuo_approve_prepare(a, tenuo_signer_public_key(signer), T0, &message, &len, NULL), 0, "prepare");
    ok(len > 16 && memcmp(message, "tenuo-warrant-v1tenuo-approval-v1\x01\xa7", 35) == 0, "the whole message");
    memset(signature, 1, sizeof signature);
    is_int(tenuo_approve_finish(a, signature, &one, NULL), 1100, "a wrong signature makes no approval");
    is_int(tenuo_signer_sign(signer, message + 16, len - 16, signature, NULL), 0, "signed");
    is_int(tenuo_approve_finish(a, signature, &one, NULL), 0, "finished");
    is_int((long long)tenuo_approval_extension_count(one), 1, "the extension is in it");
    ok(memcmp(tenuo_approval_extension_value(one, 0, &len), value, 2) == 0 && len == 2, "with its value");
    ok(tenuo_approval_extension_key(one, 1, &len) == NULL, "and no other");
    ok(tenuo_approval_expires_at(one) == T0 + 300, "five minutes by default");
    is_int(tenuo_approve_sign(a, signer, T0, &one, NULL), 9001, "a builder makes one approval");
    tenuo_approval_free(one);
    tenuo_approve_free(a);
    ok(tenuo_approve_new(hash, &a, NULL) == 0, "another");
    tenuo_approve_set_lifetime(a, 0);
    is_int(tenuo_approve_sign(a, signer, T0, &one, NULL), 9001, "of no lifetime");
    tenuo_approve_free(a);
    tenuo_bytes_free(message, len);
    tenuo_signer_free(signer);
}

/* An envelope of this hex, with @P for a payload, @K for the key and @S for its signature. */
static size_t envelope(const char *form, const char *payload_hex, uint8_t *out)
{
    struct tenuo_signer *signer = seeded(4);
    struct tn_buf message = { 0 };
    uint8_t payload[600], signature[64] = { 0 };
    size_t n = 0, payload_len = unhex(payload_hex, payload);
    tn_approval_message(&message, (struct tn_str){ payload, payload_len });
    if (tenuo_signer_sign(signer, message.p, message.n, signature, NULL) != 0)
        return 0;
    for (const char *p = form; *p != '\0'; p += 2) {
        struct tn_buf b = { 0 };
        char two[3] = { p[0], p[1], '\0' };
        if (p[0] != '@') {
            n += unhex(two, out + n);
            continue;
        }
        tn_put_bytes(&b, p[1] == 'P'   ? (struct tn_str){ payload, payload_len }
                         : p[1] == 'K' ? (struct tn_str){ tenuo_signer_public_key(signer), 32 }
                                       : (struct tn_str){ signature, 64 });
        memcpy(out + n, b.p, b.n);
        n += b.n;
        tn_buf_free(&b);
    }
    tn_buf_free(&message);
    tenuo_signer_free(signer);
    return n;
}

#define VERSION "70617070726f76616c5f76657273696f6e01"
#define PAYLOAD "677061796c6f6164@P"
#define KEY "6c617070726f7665725f6b65798201@K"
#define SIGNED "697369676e61747572658201@S"

static int parse(const char *form, const char *payload)
{
    struct tenuo_approval *a = NULL;
    uint8_t bytes[1024];
    int r = tenuo_approval_parse(bytes, envelope(form, payload, bytes), &a, NULL);
    tenuo_approval_free(a);
    return r;
}

static void test_envelopes(void)
{
    static const struct {
        const char *form;
        int code;
        const char *name;
    } cases[] = {
        { "a4" VERSION PAYLOAD KEY SIGNED, 0, "as emitted" },
        { "a4" SIGNED KEY PAYLOAD VERSION, 0, "members in another order" },
        { "a4" VERSION PAYLOAD KEY SIGNED "00", 1202, "a byte behind it" },
        { "a3" VERSION PAYLOAD KEY, 1202, "no signature" },
        { "a5" VERSION PAYLOAD KEY SIGNED VERSION, 1202, "a member twice" },
        { "a5" VERSION PAYLOAD KEY SIGNED "617801", 1202, "an unknown member" },
        { "a4" "50617070726f76616c5f76657273696f6e01" PAYLOAD KEY SIGNED, 1202, "a member named by bytes" },
        { "a4" "70617070726f76616c5f76657273696f6e02" PAYLOAD KEY SIGNED, 1200, "another version" },
        { "a4" "70617070726f76616c5f76657273696f6e1801" PAYLOAD KEY SIGNED, 1202, "a long form of a number" },
        { "a4" VERSION PAYLOAD "6c617070726f7665725f6b65798202@K" SIGNED, 1202, "another algorithm" },
        { "a4" VERSION PAYLOAD "6c617070726f7665725f6b6579830101@K" SIGNED, 1202, "a key of three" },
        { "a4" VERSION PAYLOAD
          "6c617070726f7665725f6b6579820158200100000000000000000000000000000000000000000000000000000000000000" SIGNED,
          1202, "a weak key" },
        { "84" "01@P8201@K8201@S", 1202, "a positional array" },
        { "", 1202, "nothing" },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(cases); i++)
        is_int(parse(cases[i].form, PAYLOAD_HEAD), cases[i].code, "envelope: %s", cases[i].name);
}

#define GOOD "a4" VERSION PAYLOAD KEY SIGNED
#define P_VERSION "6776657273696f6e01"
#define P_HASH "6c726571756573745f686173685820" HASH
#define P_NONCE "656e6f6e63655007070707070707070707070707070707"
#define P_ID "6b65787465726e616c5f696460"
#define P_FROM "6b617070726f7665645f61740a"
#define P_TO "6a657870697265735f61740b"
#define P_ALL P_VERSION P_HASH P_NONCE P_ID P_FROM P_TO

static void test_payloads(void)
{
    static const struct {
        const char *payload;
        int code;
        const char *name;
    } cases[] = {
        { "a6" P_ALL, 0, "hash and nonce as bytes, empty label" },
        { "a6" P_TO P_FROM P_ID P_NONCE P_HASH P_VERSION, 0, "members in another order" },
        { "a7" P_ALL "6a657874656e73696f6e73f6", 0, "extensions that are null" },
        { "a7" P_ALL "6a657874656e73696f6e73a0", 0, "no extensions" },
        { "a7" P_ALL "6a657874656e73696f6e73a1616b8201181f", 0, "an extension of integers" },
        { "a7" P_ALL "6a657874656e73696f6e73a1616b8201190100", 1701, "one that is no byte" },
        { "a7" P_ALL "6a657874656e73696f6e73a2616b40616b40", 1701, "an extension twice" },
        { "a6" P_ALL "00", 1202, "a byte behind it" },
        { "a5" P_VERSION P_HASH P_NONCE P_ID P_FROM, 1701, "a member missing" },
        { "a7" P_ALL P_TO, 1701, "a member twice" },
        { "a7" P_ALL "617801", 1701, "an unknown member" },
        { "a6" "6776657273696f6e02" P_HASH P_NONCE P_ID P_FROM P_TO, 1200, "another version" },
        { "a6" "4776657273696f6e01" P_HASH P_NONCE P_ID P_FROM P_TO, 1701, "a member named by bytes" },
        { "a6" P_VERSION P_HASH P_NONCE P_ID P_TO "6b617070726f7665645f61740b", 1701, "it expires as it begins" },
        { "a6" P_VERSION P_HASH P_NONCE P_ID P_TO "6b617070726f7665645f617420", 1701, "a negative time" },
        { "a6" P_VERSION P_HASH "656e6f6e636540" P_ID P_FROM P_TO, 1701, "no nonce" },
        { "f6", 1701, "no map" },
        { "", 1701, "nothing" },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(cases); i++)
        is_int(parse(GOOD, cases[i].payload), cases[i].code, "payload: %s", cases[i].name);
}

/* The leaf: approvers are the keys of seeds 4, 5, 6; the holder's seed is 3. */
static uint8_t keys[4][32];
static const uint8_t *approvers[] = { keys[0], keys[1], keys[2], keys[0] };
static struct tn_policy policy = { .clock_tolerance = 30, .max_approval_lifetime = 3600 };

struct call {
    struct tenuo_request *q;
    struct tenuo_warrant leaf;
    struct tn_tally tally;
    struct tenuo_error err;
};

static void open_call(struct call *c, int64_t min, size_t napprovers)
{
    memset(c, 0, sizeof *c);
    c->leaf = (struct tenuo_warrant){ .id = hash,
                                      .holder = keys[3],
                                      .min_approvals = min,
                                      .approvers = approvers,
                                      .napprovers = napprovers,
                                      .ndistinct = napprovers < 3 ? napprovers : 3 };
    if (tenuo_request_new("t", 1, &c->q, NULL) != TENUO_OK)
        c->q = NULL;
}

static void add(struct call *c, struct tenuo_approval *a)
{
    size_t n = 0;
    const uint8_t *bytes = tenuo_approval_bytes(a, &n);
    if (tenuo_request_add_approval(c->q, bytes, n, NULL) != TENUO_OK)
        ok(false, "an approval is taken");
    tenuo_approval_free(a);
}

static int judge(struct call *c)
{
    return tn_approvals_count(&c->leaf, c->q, hash, &policy, T0 + 10, &c->tally, &c->err);
}

static void close_call(struct call *c)
{
    free(c->tally.keys);
    tenuo_request_free(c->q);
}

/* One approval where one is needed: 1701 with the class, or 0. */
static void one(struct tenuo_approval *a, int class, const char *name)
{
    struct call c;
    open_call(&c, 1, 3);
    add(&c, a);
    is_int(judge(&c), class < 0 ? 0 : 1701, "one of one: %s", name);
    if (class >= 0)
        is_int(c.tally.rejected[class], 1, "counted as %s",
               tenuo_approval_class_name((enum tenuo_approval_class)class));
    close_call(&c);
}

static struct tenuo_approval *forged(void)
{
    struct tenuo_approval *a = NULL;
    uint8_t bytes[1024];
    size_t n = envelope(GOOD, PAYLOAD_HEAD, bytes);
    bytes[n - 1] ^= 1;
    return tn_approval_decode((struct tn_str){ bytes, n }, &a, NULL) == TENUO_OK ? a : NULL;
}

static void test_classes(void)
{
    uint8_t other[32] = { 1 };
    one(approve(4, hash, T0, 300), -1, "good");
    one(forged(), TENUO_APPROVAL_INVALID, "forged");
    one(approve(9, hash, T0, 300), TENUO_APPROVAL_NOT_AUTHORIZED, "by a stranger");
    one(approve(9, hash, T0 - 900, 300), TENUO_APPROVAL_NOT_AUTHORIZED, "by a stranger and expired");
    one(approve(4, hash, T0 - 290, 300), TENUO_APPROVAL_EXPIRED, "expired in this second");
    one(approve(4, hash, T0 - 289, 300), -1, "in its last second");
    one(approve(4, other, T0 - 290, 300), TENUO_APPROVAL_EXPIRED, "expired and of another call");
    one(approve(4, hash, T0 + 40, 300), -1, "dated as far ahead as the tolerance");
    one(approve(4, hash, T0 + 41, 300), TENUO_APPROVAL_NOT_YET_VALID, "dated farther");
    one(approve(4, other, T0, 300), TENUO_APPROVAL_HASH_MISMATCH, "of another call");
    one(approve(4, hash, T0, 3600), -1, "as long as allowed");
    one(approve(4, hash, T0, 3601), TENUO_APPROVAL_TOO_LONG, "too long");
    policy.max_approval_lifetime = 0;
    one(approve(4, hash, T0, 360000), -1, "without a bound");
    policy.max_approval_lifetime = 3600;
    memcpy(keys[3], keys[0], 32);
    one(approve(4, hash, T0, 300), TENUO_APPROVAL_SELF, "by the holder");
    policy.self_approval = true;
    one(approve(4, hash, T0, 300), -1, "by the holder, where that is allowed");
    policy.self_approval = false;
    memset(keys[3], 0, 32);
}

static void test_counting(void)
{
    struct call c;
    open_call(&c, 2, 3);
    add(&c, approve(4, hash, T0 - 900, 300));
    add(&c, approve(4, hash, T0, 300));
    add(&c, approve(4, hash, T0, 200));
    is_int(judge(&c), 1700, "one approver three times is one of two");
    ok(c.tally.nkeys == 1 && c.tally.rejected[TENUO_APPROVAL_DUPLICATE] == 1 &&
           c.tally.rejected[TENUO_APPROVAL_EXPIRED] == 1, "only what counted is remembered");
    is_str(c.err.msg, "2 approvals are required, 1 of 3 count [rejected: 1 duplicate, 1 expired]", "the sentence");
    free(c.tally.keys);
    c.tally = (struct tn_tally){ 0 };
    add(&c, approve(6, hash, T0, 300));
    add(&c, forged());
    is_int(judge(&c), 0, "a second approver");
    ok(c.tally.nkeys == 2 && memcmp(c.tally.keys[0], keys[0], 32) == 0 && memcmp(c.tally.keys[1], keys[2], 32) == 0,
       "the keys that counted, in order");
    is_int(c.tally.rejected[TENUO_APPROVAL_INVALID], 0, "what comes after the last is not looked at");
    close_call(&c);
    open_call(&c, -1, 4);
    is_int(tenuo_warrant_approval_threshold(&c.leaf), 3, "a repeated approver does not raise the threshold");
    for (int i = 0; i < 8; i++)
        add(&c, approve(4, hash, T0, 300));
    is_int(judge(&c), 1700, "eight approvals for a list of four are looked at");
    is_int(c.tally.rejected[TENUO_APPROVAL_DUPLICATE], 7, "each of them");
    free(c.tally.keys);
    c.tally = (struct tn_tally){ 0 };
    add(&c, approve(4, hash, T0, 300));
    is_int(judge(&c), 1701, "nine are too many");
    ok(strstr(c.err.msg, "too many") != NULL && c.tally.keys == NULL, "and none is looked at");
    close_call(&c);
    open_call(&c, 1, 3);
    add(&c, approve(9, hash, T0, 300));
    add(&c, approve(5, hash, T0, 300));
    is_int(judge(&c), 0, "a stranger before a good one");
    close_call(&c);
    open_call(&c, 1, 3);
    add(&c, approve(9, hash, T0, 300));
    add(&c, approve(9, hash, T0, 300));
    is_int(judge(&c), 1700, "two rejected where one is needed");
    close_call(&c);
}

static void test_context(void)
{
    static const char id[] = "tnu_wrt_00000000000000000000000000000001";
    static const uint8_t args_cbor[] = { 0xa2, 0x63, 'e', 'n', 'v', 0x64, 'p', 'r', 'o', 'd', 0x61, 'n', 0x03 };
    struct tenuo_signer *holder = seeded(3);
    struct tenuo_args *args = NULL;
    uint8_t signature[64];
    char hex[129];
    is_int(tenuo_args_parse(args_cbor, sizeof args_cbor, &args, NULL), 0, "arguments");
    is_int(tenuo_approval_context_sign(holder, id, "deploy", 6, args, signature, NULL), 0, "the holder attests");
    tn_hex(hex, signature, 64);
    is_str(hex, "70934e188df0262e511ace6069689517b295beae09113cea80c01f6a41566a3b"
                "f701fe52a8f93b9eaa465712df7f604a72ac4cf80cee91fdc673645a61b07805", "the published signature");
    is_int(tenuo_approval_context_verify(tenuo_signer_public_key(holder), id, "deploy", 6, args, signature, NULL), 0,
           "it verifies");
    is_int(tenuo_approval_context_verify(tenuo_signer_public_key(holder), id, "deplox", 6, args, signature, NULL), 1100,
           "but not for another tool");
    tenuo_args_free(args);
    tenuo_signer_free(holder);
}

int main(void)
{
    unhex(HASH, hash);
    for (uint8_t i = 0; i < 3; i++) {
        struct tenuo_signer *s = seeded((uint8_t)(4 + i));
        memcpy(keys[i], tenuo_signer_public_key(s), 32);
        tenuo_signer_free(s);
    }
    test_bytes();
    test_making();
    test_envelopes();
    test_payloads();
    test_classes();
    test_counting();
    test_context();
    return done_testing();
}
