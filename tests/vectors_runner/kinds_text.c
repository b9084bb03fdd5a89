/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds of text forms: warrants and chains both ways, keys, ids, clearance words.
 *
 * The secret of a key file is checked through the one way out that the library has, its PEM writer.
 */
#include "runner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int stack_text_fn(const char *, size_t, struct tenuo_stack **, struct tenuo_error *);

static void put_form(json_t *answer, const char *member, const struct tenuo_stack *stack, enum tenuo_text_form form,
                     bool hex)
{
    size_t len = 0;
    if (tenuo_stack_encode(stack, form, NULL, &len, NULL) != 0)
        return;
    uint8_t *buf = malloc(len + 1);
    if (buf != NULL && tenuo_stack_encode(stack, form, buf, &len, NULL) == 0) {
        if (hex)
            put_hex(answer, member, buf, len);
        else
            put_text(answer, member, (const char *)buf, len);
    }
    free(buf);
}

static json_t *stack_text(struct vector *v, stack_text_fn *parse, const char *member, enum tenuo_text_form form)
{
    size_t len = 0;
    const char *text = get_text(v->json, "text", &len);
    struct tenuo_stack *stack = NULL;
    if (text == NULL)
        return NULL;
    int rc = parse(text, len, &stack, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0)
        put_form(answer, member, stack, form, true);
    tenuo_stack_free(stack);
    return answer;
}

static json_t *run_warrant_text(struct vector *v)
{
    return stack_text(v, tenuo_stack_parse_warrant_text, "warrant", TENUO_FORM_CBOR);
}

static json_t *run_chain_text(struct vector *v)
{
    return stack_text(v, tenuo_stack_parse_chain_text, "stack", TENUO_FORM_STACK);
}

static json_t *run_encode_text(struct vector *v)
{
    struct tenuo_stack *stack = NULL;
    struct bytes input;
    bool single = has(v->json, "warrant");
    if (!get_bytes(v->json, single ? "warrant" : "stack", &input))
        return NULL;
    int rc = single ? tenuo_stack_parse_single(input.p, input.len, &stack, NULL)
                    : tenuo_stack_parse_array(input.p, input.len, &stack, NULL);
    json_t *answer = rc == 0 ? json_object() : answer_refused(rc);
    if (rc == 0) {
        put_form(answer, "base64url", stack, TENUO_FORM_BASE64URL, false);
        put_form(answer, "pem", stack, TENUO_FORM_PEM, false);
    }
    tenuo_stack_free(stack);
    free(input.p);
    return answer;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* The last 32 bytes of the PKCS#8 v1 form are the seed. */
static bool seed_of(const struct tenuo_signer *signer, uint8_t seed[TENUO_SECRET_SEED_BYTES])
{
    char pem[TENUO_SECRET_PEM_MAX_BYTES];
    uint8_t der[TENUO_SECRET_PEM_MAX_BYTES];
    size_t n = 0;
    unsigned acc = 0, bits = 0;
    if (tenuo_signer_secret_pem(signer, 1, pem, NULL) != 0)
        return false;
    const char *p = strchr(pem, '\n');
    for (; p != NULL && *p != '\0' && *p != '-' && *p != '='; p++) {
        int d = base64_digit(*p);
        if (d < 0)
            continue;
        acc = (acc << 6 | (unsigned)d) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            der[n++] = (uint8_t)(acc >> bits & 0xff);
        }
    }
    if (n != 48)
        return false;
    memcpy(seed, der + n - TENUO_SECRET_SEED_BYTES, TENUO_SECRET_SEED_BYTES);
    return true;
}

static json_t *run_secret_pem(struct vector *v)
{
    size_t len = 0;
    uint8_t seed[TENUO_SECRET_SEED_BYTES];
    struct tenuo_signer *signer = NULL;
    const char *text = get_text(v->json, "text", &len);
    if (text == NULL)
        return NULL;
    int rc = tenuo_signer_from_pem(text, len, &signer, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0 && seed_of(signer, seed))
        put_hex(answer, "secret", seed, sizeof seed);
    tenuo_signer_free(signer);
    return answer;
}

typedef int public_text_fn(const char *, size_t, uint8_t[TENUO_PUBLIC_KEY_BYTES], struct tenuo_error *);

static json_t *public_text(struct vector *v, public_text_fn *parse)
{
    size_t len = 0;
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    const char *text = get_text(v->json, "text", &len);
    if (text == NULL)
        return NULL;
    int rc = parse(text, len, key, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0)
        put_hex(answer, "public", key, sizeof key);
    return answer;
}

static json_t *run_public_pem(struct vector *v)
{
    return public_text(v, tenuo_public_key_parse_pem);
}

static json_t *run_public_key_json(struct vector *v)
{
    return public_text(v, tenuo_public_key_parse_base64url);
}

static json_t *signer_answer(const struct tenuo_signer *signer)
{
    char secret[TENUO_SECRET_PEM_MAX_BYTES], pem[TENUO_PUBLIC_PEM_MAX_BYTES], print[TENUO_FINGERPRINT_TEXT_BYTES];
    const uint8_t *key = tenuo_signer_public_key(signer);
    json_t *answer = json_object();
    put_hex(answer, "public", key, TENUO_PUBLIC_KEY_BYTES);
    tenuo_public_key_pem(key, pem);
    put_text(answer, "public_pem", pem, strlen(pem));
    tenuo_fingerprint(key, print);
    put_text(answer, "fingerprint", print, strlen(print));
    if (tenuo_signer_secret_pem(signer, 2, secret, NULL) == 0)
        put_text(answer, "secret_pem", secret, strlen(secret));
    return answer;
}

/* `key` asks for the public key of a seed, `encode_key` for all forms; members that are not asked for do not count. */
static json_t *run_key(struct vector *v)
{
    uint8_t seed[TENUO_SECRET_SEED_BYTES];
    struct tenuo_signer *signer = NULL;
    if (!get_fixed(v->json, "secret", seed, sizeof seed))
        return NULL;
    int rc = tenuo_signer_from_seed(seed, &signer, NULL);
    json_t *answer = rc == 0 ? signer_answer(signer) : answer_refused(rc);
    tenuo_signer_free(signer);
    return answer;
}

static json_t *run_warrant_id(struct vector *v)
{
    size_t len = 0;
    uint8_t id[TENUO_WARRANT_ID_BYTES];
    char out[TENUO_WARRANT_ID_TEXT_BYTES];
    const char *text = get_text(v->json, "text", &len);
    if (text == NULL)
        return NULL;
    int rc = tenuo_warrant_id_parse(text, len, id, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0) {
        put_hex(answer, "id", id, sizeof id);
        tenuo_warrant_id_text(id, out);
        put_text(answer, "text", out, strlen(out));
    }
    return answer;
}

/* The reference prints a capitalised word, or Level(N) where a level has none. */
static void put_level(json_t *answer, uint8_t level)
{
    char text[32];
    const char *word = tenuo_clearance_name(level);
    if (word == NULL)
        (void)snprintf(text, sizeof text, "Level(%u)", (unsigned)level);
    else
        (void)snprintf(text, sizeof text, "%s", word);
    if (text[0] >= 'a' && text[0] <= 'z')
        text[0] = (char)(text[0] - 'a' + 'A');
    put_text(answer, "text", text, strlen(text));
    (void)json_object_set_new(answer, "level", json_integer(level));
}

static json_t *run_clearance(struct vector *v)
{
    size_t len = 0;
    uint8_t level = 0;
    const char *text = get_text(v->json, "text", &len);
    if (text == NULL)
        return NULL;
    int rc = tenuo_clearance_parse(text, len, &level, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0)
        put_level(answer, level);
    return answer;
}

const struct kind kinds_text[] = {
    { "warrant_text", run_warrant_text, NULL },
    { "chain_text", run_chain_text, NULL },
    { "encode_text", run_encode_text, NULL },
    { "key", run_key, NULL },
    { "encode_key", run_key, NULL },
    { "secret_pem", run_secret_pem, NULL },
    { "public_pem", run_public_pem, NULL },
    { "public_key_json", run_public_key_json, NULL },
    { "warrant_id", run_warrant_id, NULL },
    { "clearance", run_clearance, NULL },
    { NULL, NULL, NULL },
};
