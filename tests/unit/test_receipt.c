/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts: the byte vectors of governance.md 11.4, the split form, every rule of the strict reader, every byte
 * tampered with, deep checks, and runs of receipts.
 */
#include "tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <tenuo/tenuo.h>

#define T0 1700000000

static struct tenuo_signer *signer, *stranger, *holder;

static void unhex(const char *hex, uint8_t *ret, size_t n)
{
    size_t got = 0;
    (void)sodium_hex2bin(ret, n, hex, strlen(hex), " ", &got, NULL);
}

static bool same_hex(const uint8_t *p, size_t n, const char *hex)
{
    char *text = malloc(n * 2 + 1);
    bool same = text != NULL && strcmp(sodium_bin2hex(text, n * 2 + 1, p, n), hex) == 0;
    free(text);
    return same;
}

static const char digest_1[] = "fb58d7369d5397bd835e1aad98d81704431990a45bf402e81c974fc1ff27f263";
static const char digest_2[] = "1d88016b5f5a2f7ddd712cecfef3e0c7e5a15ad77688f3638a4f46501ef0dad8";
static const char signature_1[] = "4ebd64b29baba08c9439eee8a9405a0d4cf6a0b5d33279917e4ba7d7ac76dfa9"
                                  "1c4ef51588f1bd2e742391124edf5c9ac25eafbced7b97b4c491aea4270ac509";
static const char signature_2[] = "b2aa2cc2bc23450447eed6fb273df93f50f25425cc9f8ab58e2ce9f74b28857f"
                                  "9964eff143bcecc77f3649ee577ef6bf42b2f821067e4f3657f04ef735bcd900";
static const char payload_2[] = "a900010241800366746f6f6c3a74046464656e79051a6553f10109657265712d32"
                                "0a6f77617272616e742d657870697265640c182a0e5820"
                                "fb58d7369d5397bd835e1aad98d81704431990a45bf402e81c974fc1ff27f263";
static uint8_t pop[64], prev[32];

static struct tenuo_receipt_fields allow_fields(void)
{
    return (struct tenuo_receipt_fields){ .size = sizeof(struct tenuo_receipt_fields), .allow = 1, .tool = "t",
                                          .tool_len = 1, .timestamp = T0, .pop_signature = pop,
                                          .request_id = "req-1", .request_id_len = 5 };
}

static struct tenuo_receipt_fields deny_fields(void)
{
    return (struct tenuo_receipt_fields){ .size = sizeof(struct tenuo_receipt_fields), .tool = "t", .tool_len = 1,
                                          .timestamp = T0 + 1, .request_id = "req-2", .request_id_len = 5,
                                          .decision_code = "warrant-expired", .decision_code_len = 15,
                                          .has_srl_version = 1, .srl_version = 42, .prev_receipt_hash = prev };
}

static struct tenuo_receipt *make(const struct tenuo_receipt_fields *f, const struct tenuo_signer *by)
{
    struct tenuo_receipt *r = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct tenuo_error err = { 0 };
    if (tenuo_receipt_sign(f, by, &bytes, &len, &err) != TENUO_OK ||
        tenuo_receipt_parse(bytes, len, &r, &err) != TENUO_OK)
        printf("# %s\n", err.msg);
    free(bytes);
    return r;
}

static void test_vectors(void)
{
    struct tenuo_receipt_fields first = allow_fields(), second = deny_fields();
    struct tenuo_receipt *a = NULL, *b = NULL;
    uint8_t digest[32], *bytes = NULL;
    size_t len = 0;
    is_int(tenuo_receipt_sign(&first, signer, &bytes, &len, NULL), 0, "the allow of the vectors is signed");
    ok(len > 64 && same_hex(bytes + len - 64, 64, signature_1), "its signature is the vector's");
    is_int(tenuo_receipt_parse(bytes, len, &a, NULL), 0, "and reads back");
    tenuo_receipt_digest(a, digest);
    ok(same_hex(digest, 32, digest_1), "its digest is the vector's");
    free(bytes);
    is_int(tenuo_receipt_sign(&second, signer, &bytes, &len, NULL), 0, "the denial of the vectors is signed");
    ok(same_hex(bytes + len - 64, 64, signature_2), "its signature is the vector's");
    const uint8_t *payload = bytes + 1 + 1 + 15 + 1 + 1 + 7 + 2;
    ok(same_hex(payload, sizeof payload_2 / 2, payload_2), "its payload is the vector's");
    is_int(tenuo_receipt_parse(bytes, len, &b, NULL), 0, "and reads back");
    tenuo_receipt_digest(b, digest);
    ok(same_hex(digest, 32, digest_2), "its digest is the vector's");
    free(bytes);
    tenuo_receipt_free(a);
    tenuo_receipt_free(b);
}

static bool text_is(const char *p, size_t n, const char *want)
{
    return p != NULL && n == strlen(want) && memcmp(p, want, n) == 0;
}

static void test_every_field(void)
{
    static const uint8_t hash[5][32] = { { 1 }, { 2 }, { 3 }, { 4 }, { 5 } };
    static const uint8_t chain[] = { 0x80 };
    struct tenuo_receipt_fields f = deny_fields();
    f.authorizer_id = "gate-1", f.authorizer_id_len = 6;
    f.warrant_chain = chain, f.warrant_chain_len = 1;
    f.timestamp = -5;
    f.root_principal = "ops", f.root_principal_len = 3;
    f.request_hash = hash[0], f.pop_signature = pop, f.policy_hash = hash[1], f.srl_hash = hash[2];
    f.prev_receipt_hash = hash[3], f.trusted_roots_hash = hash[4];
    struct tenuo_receipt *r = make(&f, signer);
    const struct tenuo_receipt_fields *g = tenuo_receipt_get_fields(r);
    ok(!g->allow && text_is(g->authorizer_id, g->authorizer_id_len, "gate-1") && g->warrant_chain_len == 1 &&
           g->warrant_chain[0] == 0x80, "outcome, authorizer and chain");
    ok(text_is(g->tool, g->tool_len, "t") && text_is(g->action, g->action_len, "tool:t"), "action and tool");
    ok(g->timestamp == -5 && text_is(g->root_principal, g->root_principal_len, "ops"), "a time before 1970, principal");
    ok(memcmp(g->request_hash, hash[0], 32) == 0 && memcmp(g->pop_signature, pop, 64) == 0, "hash and proof");
    ok(text_is(g->request_id, g->request_id_len, "req-2") &&
           text_is(g->decision_code, g->decision_code_len, "warrant-expired"), "request id and code");
    ok(memcmp(g->policy_hash, hash[1], 32) == 0 && g->has_srl_version && g->srl_version == 42 &&
           memcmp(g->srl_hash, hash[2], 32) == 0, "policy and list");
    ok(memcmp(g->prev_receipt_hash, hash[3], 32) == 0 && memcmp(g->trusted_roots_hash, hash[4], 32) == 0,
       "link and roots");
    ok(memcmp(tenuo_receipt_signer(r), tenuo_signer_public_key(signer), 32) == 0, "signer");
    tenuo_receipt_free(r);
}

static int sign_code(const struct tenuo_receipt_fields *f)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int r = tenuo_receipt_sign(f, signer, &bytes, &len, NULL);
    if (r != TENUO_OK && (bytes != NULL || len != 0))
        r = -1; /* an output was touched */
    free(bytes);
    return r;
}

static void test_builder_refuses(void)
{
    struct tenuo_receipt_fields f = allow_fields();
    f.pop_signature = NULL;
    is_int(sign_code(&f), TENUO_E_INVALID_ARGUMENT, "an allow without its proof is not signed");
    f = deny_fields();
    f.decision_code = NULL;
    is_int(sign_code(&f), TENUO_E_INVALID_ARGUMENT, "a denial without its code is not signed");
    f = allow_fields();
    f.request_id = NULL;
    is_int(sign_code(&f), TENUO_E_INVALID_ARGUMENT, "nor one without a request id");
    f = allow_fields();
    f.tool = "\xff";
    is_int(sign_code(&f), TENUO_E_INVALID_ARGUMENT, "nor broken UTF-8");
    f = allow_fields();
    f.tool_len = 257;
    is_int(sign_code(&f), TENUO_E_INVALID_ARGUMENT, "nor a tool name that is too long");
    f = allow_fields();
    char *big = calloc(1, TENUO_RECEIPT_MAX_BYTES);
    f.authorizer_id = big, f.authorizer_id_len = TENUO_RECEIPT_MAX_BYTES;
    is_int(sign_code(&f), TENUO_E_INVALID_ARGUMENT, "nor one that no reader takes for its size");
    free(big);
}

static void test_split(void)
{
    struct tenuo_receipt_fields f = allow_fields();
    uint8_t *message = NULL, *bytes = NULL, *whole = NULL, signature[64], secret[64], key[32], seed[32];
    size_t len = 0, n = 0, m = 0;
    memset(seed, 1, sizeof seed);
    crypto_sign_seed_keypair(key, secret, seed);
    is_int(tenuo_receipt_prepare(&f, &message, &len, NULL), 0, "prepare gives the message");
    crypto_sign_detached(signature, NULL, message, len, secret);
    is_int(tenuo_receipt_finish(message, len, key, signature, &bytes, &n, NULL), 0, "finish takes the signature");
    is_int(tenuo_receipt_sign(&f, signer, &whole, &m, NULL), 0, "the one-shot form");
    ok(n == m && memcmp(bytes, whole, n) == 0, "gives the same bytes");
    free(bytes);
    bytes = NULL;
    signature[3] ^= 1;
    is_int(tenuo_receipt_finish(message, len, key, signature, &bytes, &n, NULL), TENUO_E_SIGNATURE_INVALID,
           "finish verifies the signature");
    is_int(tenuo_receipt_finish(message, 20, key, signature, &bytes, &n, NULL), TENUO_E_INVALID_ARGUMENT,
           "and takes its own messages alone");
    ok(bytes == NULL, "nothing came out");
    free(whole);
    free(message);
}

/* An envelope around any payload, rightly signed. */
static size_t wrap(const uint8_t *payload, size_t n, uint8_t *ret)
{
    static const char domain[] = "tenuo-receipt-v1\x01";
    uint8_t message[600], signature[64], *p = ret;
    size_t m = sizeof domain - 1;
    memcpy(message, domain, m);
    memcpy(message + m, payload, n);
    if (tenuo_signer_sign(signer, message, m + n, signature, NULL) != TENUO_OK)
        return 0;
    const char head[] = "\xa4\x6freceipt_version\x01\x67payload";
    memcpy(p, head, sizeof head - 1), p += sizeof head - 1;
    if (n >= 24)
        *p++ = 0x58;
    *p++ = (uint8_t)(n >= 24 ? n : 0x40 + n);
    memcpy(p, payload, n), p += n;
    memcpy(p, "\x6asigner_key\x82\x01\x58\x20", 15), p += 15;
    memcpy(p, tenuo_signer_public_key(signer), 32), p += 32;
    memcpy(p, "\x69signature\x82\x01\x58\x40", 14), p += 14;
    memcpy(p, signature, 64), p += 64;
    return (size_t)(p - ret);
}

static int read_payload(const char *hex)
{
    uint8_t payload[256], bytes[600];
    size_t n = 0;
    struct tenuo_receipt *r = NULL;
    (void)sodium_hex2bin(payload, sizeof payload, hex, strlen(hex), " ", &n, NULL);
    int code = tenuo_receipt_parse(bytes, wrap(payload, n, bytes), &r, NULL);
    if (code != TENUO_OK && r != NULL)
        code = -1;
    tenuo_receipt_free(r);
    return code;
}

static void test_reader(void)
{
    /* clang-format off */
    static const struct { const char *hex; int code; const char *what; } cases[] = {
        { "a7 0001 024180 0366746f6f6c3a74 046464656e79 0501 096172 0a6178", 0, "the smallest denial" },
        { "a7 0001 024180 03617a 046464656e79 0501 096172 0a6178", 0, "an action without the prefix" },
        { "a7 0001 024180 03617a 046464656e79 3903e7 096172 0a6178", 1202, "a key that is no integer from 0" },
        { "a7 0001 024180 03617a 046464656e79 053903e7 096172 0a6178", 0, "a time before 1970" },
        { "a7 0001 024180 03617a 046464656e79 051bffffffffffffffff 096172 0a6178", 1202, "a time past 64 bits" },
        { "a7 0001 024180 03617a 046464656e79 05f90000 096172 0a6178", 1202, "a time that is a float" },
        { "a7 0002 024180 03617a 046464656e79 0501 096172 0a6178", 1200, "payload version 2" },
        { "a7 0001 03617a 024180 046464656e79 0501 096172 0a6178", 1202, "keys that do not ascend" },
        { "a8 0001 024180 024180 03617a 046464656e79 0501 096172 0a6178", 1202, "a key twice" },
        { "a8 0001 024180 03617a 046464656e79 0501 096172 0a6178 1001", 1202, "an unknown key" },
        { "a8 0001 01f6 024180 03617a 046464656e79 0501 096172 0a6178", 1202, "null" },
        { "a7 0001 024180 03617a 046464656e79 0501 096172 0a6178 00", 1202, "a byte that follows" },
        { "a7 0001 024180 03617a 04646e6f7065 0501 096172 0a6178", 1201, "another outcome" },
        { "a6 024180 03617a 046464656e79 0501 096172 0a6178", 1204, "no version" },
        { "a6 0001 03617a 046464656e79 0501 096172 0a6178", 1204, "no chain" },
        { "a6 0001 024180 046464656e79 0501 096172 0a6178", 1204, "no action" },
        { "a6 0001 024180 03617a 0501 096172 0a6178", 1204, "no outcome" },
        { "a6 0001 024180 03617a 046464656e79 096172 0a6178", 1204, "no time" },
        { "a6 0001 024180 03617a 046464656e79 0501 0a6178", 1204, "no request id" },
        { "a6 0001 024180 03617a 046464656e79 0501 096172", 1204, "a denial without a code" },
        { "a6 0001 024180 03617a 0465616c6c6f77 0501 096172", 1204, "an allow without a proof" },
        { "a8 0001 024180 03617a 046464656e79 0501 07420102 096172 0a6178", 1202, "a hash that is too short" },
        { "a8 0001 024180 03617a 046464656e79 0501 08420102 096172 0a6178", 1202, "a proof that is too short" },
        { "a8 0001 024180 03617a 046464656e79 0501 096172 0a6178 0b4101", 1202, "a policy hash that is too short" },
        { "a8 0001 024180 03617a 046464656e79 0501 096172 0a6178 0c20", 1202, "a negative list version" },
        { "a8 0001 024180 03617a 046464656e79 0501 096172 0a6178 0d4101", 1202, "a list hash that is too short" },
        { "a8 0001 024180 03617a 046464656e79 0501 096172 0a6178 0e4101", 1202, "a link that is too short" },
        { "a8 0001 024180 03617a 046464656e79 0501 096172 0a6178 0f4101", 1202, "a root hash that is too short" },
        { "a7 0001 026180 03617a 046464656e79 0501 096172 0a6178", 1202, "a chain that is text" },
        { "a7 0001 024180 0361ff 046464656e79 0501 096172 0a6178", 1202, "an action that is not UTF-8" },
        { "a7 0001 024180 03617a 046464656e79 051800 096172 0a6178", 1202, "an integer that is not the shortest" },
        { "bf 0001 024180 03617a 046464656e79 0501 096172 0a6178 ff", 1202, "a map without a length" },
        { "80", 1202, "an array" },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        is_int(read_payload(cases[i].hex), cases[i].code, "payload: %s", cases[i].what);
}

static void test_tampering(void)
{
    struct tenuo_receipt_fields f = deny_fields();
    struct tenuo_receipt *r = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0, passed = 0;
    is_int(tenuo_receipt_sign(&f, signer, &bytes, &len, NULL), 0, "a receipt to tamper with");
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1u << bit);
            if (tenuo_receipt_parse(bytes, len, &r, NULL) == TENUO_OK) {
                passed++;
                tenuo_receipt_free(r);
            }
            bytes[i] ^= (uint8_t)(1u << bit);
        }
    is_int((long long)passed, 0, "no bit of %zu bytes can change", len);
    for (size_t n = 0; n < len; n++) {
        uint8_t *cut = malloc(n + 1); /* its own size: a read past the end is seen */
        memcpy(cut, bytes, n);
        passed += tenuo_receipt_parse(cut, n, &r, NULL) == TENUO_OK;
        free(cut);
    }
    is_int((long long)passed, 0, "no part of it passes");
    bytes = realloc(bytes, len + 1);
    bytes[len] = 0;
    is_int(tenuo_receipt_parse(bytes, len + 1, &r, NULL), TENUO_E_MALFORMED_CBOR, "nor with a byte behind it");
    is_int(tenuo_receipt_parse(bytes, TENUO_RECEIPT_MAX_BYTES + 1, &r, NULL), TENUO_E_TOO_LARGE, "the size is bounded");
    free(bytes);
}

/* ---- deep checks ---- */

struct call {
    struct tenuo_stack *stack;
    struct tenuo_args *args, *other;
    struct tenuo_verifier *verifier, *elsewhere;
    uint8_t bytes[2048], hash[32], roots[32];
    size_t len;
};

static struct tenuo_verifier *verifier_of(const struct tenuo_signer *a, const struct tenuo_signer *b)
{
    struct tenuo_verifier_builder *builder = NULL;
    struct tenuo_verifier *v = NULL;
    int r = tenuo_verifier_builder_new(&builder, NULL);
    r = r != 0 ? r : tenuo_verifier_builder_add_root(builder, tenuo_signer_public_key(a), NULL);
    r = r != 0 ? r : tenuo_verifier_builder_add_root(builder, tenuo_signer_public_key(b), NULL);
    r = r != 0 ? r : tenuo_verifier_builder_add_root(builder, tenuo_signer_public_key(a), NULL);
    r = r != 0 ? r : tenuo_verifier_builder_build(builder, &v, NULL);
    tenuo_verifier_builder_free(builder);
    return v;
}

static void start_call(struct call *c)
{
    static const uint8_t args[] = { 0xa1, 0x61, 'a', 0x01 }, other[] = { 0xa1, 0x61, 'a', 0x02 };
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "t", 1, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_sign(m, signer, T0, &c->stack, NULL);
    tenuo_mint_free(m);
    c->len = sizeof c->bytes;
    r = r != 0 ? r : tenuo_stack_encode(c->stack, TENUO_FORM_CBOR, c->bytes, &c->len, NULL);
    r = r != 0 ? r : tenuo_args_parse(args, sizeof args, &c->args, NULL);
    r = r != 0 ? r : tenuo_args_parse(other, sizeof other, &c->other, NULL);
    tenuo_warrant_id_text(tenuo_warrant_id(tenuo_stack_leaf(c->stack)), id);
    r = r != 0 ? r : tenuo_request_hash(id, "t", 1, c->args, tenuo_signer_public_key(holder), c->hash, NULL);
    r = r != 0 ? r : tenuo_pop_sign(holder, tenuo_stack_leaf(c->stack), "t", 1, c->args, T0 + 10, pop, NULL);
    c->verifier = verifier_of(signer, holder);
    c->elsewhere = verifier_of(stranger, stranger);
    r = r != 0 ? r : tenuo_verifier_roots_hash(c->verifier, c->roots, NULL);
    is_int(r, 0, "a warrant and a call");
    ok(same_hex(c->roots, 32, "071021128b34a2248ceb9ab15cb1c900426b6ef2038fe322b463673933e1c9e7"),
       "the digest of two roots is the published one, whatever their order and number");
}

static void end_call(struct call *c)
{
    tenuo_stack_free(c->stack);
    tenuo_args_free(c->args);
    tenuo_args_free(c->other);
    tenuo_verifier_unref(c->verifier);
    tenuo_verifier_unref(c->elsewhere);
    memset(pop, 9, sizeof pop);
}

static void test_deep(void)
{
    static const uint8_t list[] = "a list";
    struct call c = { 0 };
    struct tenuo_receipt_fields f = allow_fields();
    uint8_t list_hash[32];
    start_call(&c);
    crypto_hash_sha256(list_hash, list, sizeof list);
    struct tenuo_receipt *bare = make(&f, signer);
    f.warrant_chain = c.bytes, f.warrant_chain_len = c.len, f.timestamp = T0 + 10, f.request_hash = c.hash;
    f.trusted_roots_hash = c.roots, f.has_srl_version = 1, f.srl_version = 7, f.srl_hash = list_hash;
    struct tenuo_receipt *r = make(&f, signer);
    f.timestamp = T0 + 4000;
    struct tenuo_receipt *late = make(&f, signer);
    is_int(tenuo_receipt_check_chain(r, c.verifier, NULL), 0, "the chain holds at the time of the receipt");
    is_int(tenuo_receipt_check_chain(late, c.verifier, NULL), TENUO_E_EXPIRED, "and not after it expired");
    is_int(tenuo_receipt_check_chain(r, c.elsewhere, NULL), TENUO_E_UNTRUSTED_ROOT, "nor under other roots");
    is_int(tenuo_receipt_check_chain(bare, c.verifier, NULL) != 0, 1, "an empty chain is no chain");
    is_int(tenuo_receipt_check_args(r, c.args, NULL), 0, "the request hash is this call's");
    is_int(tenuo_receipt_check_args(r, c.other, NULL), TENUO_E_PAYLOAD_STRUCTURE, "and not another one's");
    is_int(tenuo_receipt_check_args(bare, c.args, NULL), TENUO_E_PAYLOAD_STRUCTURE, "no hash proves nothing");
    is_int(tenuo_receipt_check_pop(r, c.args, T0 + 10, 5, NULL), 0, "the proof is the holder's");
    is_int(tenuo_receipt_check_pop(r, c.other, T0 + 10, 5, NULL), TENUO_E_SIGNATURE_INVALID, "for this call");
    is_int(tenuo_receipt_check_pop(r, c.args, T0 + 4000, 5, NULL), TENUO_E_SIGNATURE_INVALID, "at this time");
    is_int(tenuo_receipt_check_roots(r, c.verifier, NULL), 0, "the roots are named");
    is_int(tenuo_receipt_check_roots(r, c.elsewhere, NULL), TENUO_E_PAYLOAD_STRUCTURE, "other roots differ");
    is_int(tenuo_receipt_check_roots(bare, c.verifier, NULL), TENUO_E_PAYLOAD_STRUCTURE, "none named");
    is_int(tenuo_receipt_check_list(r, 7, list, sizeof list, NULL), 0, "the list is named");
    is_int(tenuo_receipt_check_list(r, 8, list, sizeof list, NULL), TENUO_E_PAYLOAD_STRUCTURE, "another version");
    is_int(tenuo_receipt_check_list(r, 7, list, 3, NULL), TENUO_E_PAYLOAD_STRUCTURE, "another list");
    is_int(tenuo_receipt_check_list(bare, 7, list, 3, NULL), TENUO_E_PAYLOAD_STRUCTURE, "no list");
    tenuo_receipt_free(bare);
    tenuo_receipt_free(r);
    tenuo_receipt_free(late);
    end_call(&c);
}

static void test_policy_hash(void)
{
    static const uint8_t one[] = { 0xa2, 0x61, 'b', 0x01, 0x61, 'a', 0xa2, 0x61, 'y', 0x01, 0x61, 'x', 0x02 };
    static const uint8_t two[] = { 0xa2, 0x61, 'a', 0xa2, 0x61, 'x', 0x02, 0x61, 'y', 0x01, 0x61, 'b', 0x01 };
    struct tenuo_value *a = NULL, *b = NULL;
    uint8_t ha[32], hb[32], want[32];
    is_int(tenuo_value_parse(one, sizeof one, &a, NULL) | tenuo_value_parse(two, sizeof two, &b, NULL), 0, "policies");
    tenuo_policy_hash(a, ha);
    tenuo_policy_hash(b, hb);
    crypto_hash_sha256(want, two, sizeof two);
    ok(memcmp(ha, hb, 32) == 0 && memcmp(ha, want, 32) == 0, "keys are sorted at every depth");
    tenuo_value_free(a);
    tenuo_value_free(b);
}

/* ---- runs ---- */

static struct tenuo_receipt *linked(const struct tenuo_receipt *before, const struct tenuo_signer *by, int64_t when)
{
    struct tenuo_receipt_fields f = allow_fields();
    uint8_t digest[32];
    f.timestamp = when;
    if (before != NULL)
        tenuo_receipt_digest(before, digest);
    f.prev_receipt_hash = before != NULL ? digest : NULL;
    return make(&f, by);
}

static void test_chain(void)
{
    struct tenuo_receipt_chain *c = NULL;
    struct tenuo_receipt *a = linked(NULL, signer, 1), *b = linked(a, signer, 2), *d = linked(b, signer, 3);
    struct tenuo_receipt *foreign = linked(b, stranger, 3);
    uint8_t digest[32];
    is_int(tenuo_receipt_chain_new(NULL, NULL, &c, NULL), 0, "a run");
    ok(tenuo_receipt_chain_head(c) == NULL && tenuo_receipt_chain_signer(c) == NULL, "starts empty");
    is_int(tenuo_receipt_chain_add(c, a, NULL) | tenuo_receipt_chain_add(c, b, NULL), 0, "two that follow");
    is_int(tenuo_receipt_chain_add(c, b, NULL), TENUO_E_CHAIN_BROKEN, "one comes twice");
    is_int(tenuo_receipt_chain_add(c, a, NULL), TENUO_E_CHAIN_BROKEN, "one that starts anew");
    is_int(tenuo_receipt_chain_add(c, foreign, NULL), TENUO_E_INVALID_ISSUER, "one by another key");
    is_int(tenuo_receipt_chain_add(c, d, NULL), 0, "the run goes on as it was");
    tenuo_receipt_digest(d, digest);
    ok(tenuo_receipt_chain_count(c) == 3 && memcmp(tenuo_receipt_chain_head(c), digest, 32) == 0, "count and head");
    ok(tenuo_receipt_chain_before(c) == NULL, "the first links to nothing");
    tenuo_receipt_chain_free(c);
    is_int(tenuo_receipt_chain_new(tenuo_signer_public_key(stranger), NULL, &c, NULL), 0, "a pinned run");
    is_int(tenuo_receipt_chain_add(c, a, NULL), TENUO_E_INVALID_ISSUER, "refuses the first by another key");
    tenuo_receipt_chain_free(c);
    tenuo_receipt_digest(a, digest);
    is_int(tenuo_receipt_chain_new(NULL, digest, &c, NULL), 0, "a run that goes on after another");
    is_int(tenuo_receipt_chain_add(c, d, NULL), TENUO_E_CHAIN_BROKEN, "refuses one that does not follow");
    is_int(tenuo_receipt_chain_add(c, a, NULL), TENUO_E_CHAIN_BROKEN, "refuses one that follows nothing");
    is_int(tenuo_receipt_chain_add(c, b, NULL), 0, "takes the one that does");
    ok(memcmp(tenuo_receipt_chain_before(c), digest, 32) == 0, "and tells what it follows");
    tenuo_receipt_chain_free(c);
    tenuo_receipt_free(a);
    tenuo_receipt_free(b);
    tenuo_receipt_free(d);
    tenuo_receipt_free(foreign);
}

static struct tenuo_signer *signer_of(uint8_t fill)
{
    struct tenuo_signer *s = NULL;
    uint8_t seed[32];
    memset(seed, fill, sizeof seed);
    return tenuo_signer_from_seed(seed, &s, NULL) == TENUO_OK ? s : NULL;
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    signer = signer_of(1);
    holder = signer_of(2);
    stranger = signer_of(3);
    memset(pop, 9, sizeof pop);
    unhex(digest_1, prev, sizeof prev);
    test_vectors();
    test_every_field();
    test_builder_refuses();
    test_split();
    test_reader();
    test_tampering();
    test_deep();
    test_policy_hash();
    test_chain();
    tenuo_signer_free(signer);
    tenuo_signer_free(holder);
    tenuo_signer_free(stranger);
    return done_testing();
}
