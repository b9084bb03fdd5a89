/* SPDX-License-Identifier: Apache-2.0 */
/* The carriers of approvals: each of the four forms, how they are told apart, every bound, and that a carrier is taken
 * whole or not at all. */
#include "tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <tenuo/tenuo.h>

static uint8_t envelope[4096];
static size_t envelope_len;
static char one[4096]; /* the envelope in base64url */

static bool make(size_t label_len)
{
    static char label[1024];
    uint8_t seed[32] = { 4 }, hash[32] = { 0 };
    struct tenuo_signer *signer = NULL;
    struct tenuo_approve *a = NULL;
    struct tenuo_approval *made = NULL;
    int r = tenuo_signer_from_seed(seed, &signer, NULL);
    memset(label, 'x', sizeof label);
    r = r != 0 ? r : tenuo_approve_new(hash, &a, NULL);
    r = r != 0 ? r : tenuo_approve_set_external_id(a, label, label_len, NULL);
    r = r != 0 ? r : tenuo_approve_sign(a, signer, 1700000000, &made, NULL);
    if (r == 0) {
        const uint8_t *p = tenuo_approval_bytes(made, &envelope_len);
        memcpy(envelope, p, envelope_len);
        sodium_bin2base64(one, sizeof one, envelope, envelope_len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    }
    tenuo_approval_free(made);
    tenuo_approve_free(a);
    tenuo_signer_free(signer);
    return r == 0;
}

/* How many were taken, or minus the code. A request that has one already must not lose it. */
static int take(const void *text, size_t len)
{
    struct tenuo_request *q = NULL;
    int r = tenuo_request_new("t", 1, &q, NULL);
    r = r != 0 ? r : tenuo_request_add_approval(q, envelope, envelope_len, NULL);
    if (r == 0) {
        int code = tenuo_request_add_approvals(q, text, len, NULL);
        size_t n = tenuo_request_approval_count(q);
        r = code != 0 ? -code : (int)n - 1;
        if (code != 0 && n != 1)
            r = -1;
    }
    tenuo_request_free(q);
    return r;
}

static int take_text(const char *text)
{
    return take(text, strlen(text));
}

/* Base64 of bytes in a variant of libsodium. */
static int take_base64(const void *p, size_t n, int variant)
{
    size_t room = sodium_base64_encoded_len(n, variant);
    char *text = malloc(room);
    int r;
    if (text == NULL)
        return -9000;
    sodium_bin2base64(text, room, p, n, variant);
    r = take(text, strlen(text));
    free(text);
    return r;
}

static size_t array_of(size_t n, uint8_t *out)
{
    size_t len = n < 24 ? 1 : 2;
    out[0] = (uint8_t)(n < 24 ? 0x80 | n : 0x98);
    if (n >= 24)
        out[1] = (uint8_t)n;
    for (size_t i = 0; i < n; i++, len += envelope_len)
        memcpy(out + len, envelope, envelope_len);
    return len;
}

static char *json_of(size_t n, const char *item)
{
    size_t each = strlen(item) + 4;
    char *text = malloc(n * each + 3), *p = text;
    if (text == NULL)
        return NULL;
    *p++ = '[';
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%s\"%s\"", i == 0 ? "" : ", ", item);
    strcpy(p, "]");
    return text;
}

static int take_json(size_t n, const char *item, bool outer)
{
    char *text = json_of(n, item);
    int r = text == NULL ? -9000
            : outer      ? take_base64(text, strlen(text), sodium_base64_VARIANT_ORIGINAL)
                         : take_text(text);
    free(text);
    return r;
}

static void test_binary(void)
{
    static uint8_t many[256 * 1024];
    static const int variants[] = { sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                                    sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING };
    size_t n;
    is_int(take(envelope, envelope_len), 1, "one envelope as it is");
    is_int(take(many, array_of(3, many)), 3, "an array of them");
    is_int(take("\x80", 1), 0, "an empty array");
    for (size_t i = 0; i < 4; i++) {
        is_int(take_base64(envelope, envelope_len, variants[i]), 1, "one in base64, variant %zu", i);
        is_int(take_base64(many, array_of(2, many), variants[i]), 2, "two in base64, variant %zu", i);
    }
    n = array_of(3, many);
    many[n] = 0;
    is_int(take(many, n + 1), -1202, "a byte behind the array");
    is_int(take(many, n - 1), -1202, "a cut array");
    n = array_of(3, many);
    many[1 + envelope_len] = 0xa3; /* the second is malformed */
    is_int(take(many, n), -1202, "a malformed one among good ones: none is taken");
    is_int(take(envelope, envelope_len - 1), -1202, "a cut envelope");
    for (n = 1; 2 + n * envelope_len <= 65536; n++)
        ;
    is_int(take(many, array_of(n - 1, many)), (int)n - 1, "an array just below 64 KiB");
    is_int(take(many, array_of(n, many)), -1900, "one above");
    is_int(take_base64(many, array_of(n, many), sodium_base64_VARIANT_ORIGINAL), -1900, "and so in base64");
}

static void test_json(void)
{
    char text[8300], standard[4096], escaped[8192];
    size_t n = 0;
    is_int(take_json(1, one, false), 1, "a JSON array of one");
    is_int(take_json(64, one, false), 64, "of 64");
    is_int(take_json(65, one, false), -1900, "of 65");
    is_int(take_json(2, one, true), 2, "in base64 itself");
    is_int(take_json(65, one, true), -1900, "of 65, in base64");
    is_int(take_text("[]"), 0, "an empty one");
    is_int(take_text(" [ ] \n"), 0, "with blanks");
    sodium_bin2base64(standard, sizeof standard, envelope, envelope_len, sodium_base64_VARIANT_ORIGINAL);
    for (const char *p = standard; *p != '\0'; p++) {
        if (*p == '/')
            escaped[n++] = '\\';
        escaped[n++] = *p;
    }
    escaped[n] = '\0';
    ok(n > strlen(standard), "a text with slashes");
    is_int(take_json(1, escaped, false), 1, "which may be escaped");
    snprintf(text, sizeof text, "[\"%s\",]", one);
    is_int(take_text(text), -1202, "a comma too many");
    snprintf(text, sizeof text, "[\"%s\" \"%s\"]", one, one);
    is_int(take_text(text), -1202, "no comma");
    snprintf(text, sizeof text, "[\"%s\"", one);
    is_int(take_text(text), -1202, "no end");
    snprintf(text, sizeof text, "[\"%s", one);
    is_int(take_text(text), -1202, "no end of the text");
    snprintf(text, sizeof text, "[\"%s\"] x", one);
    is_int(take_text(text), -1202, "something behind it");
    snprintf(text, sizeof text, "[\"\\u0041%s\"]", one);
    is_int(take_text(text), -1202, "another escape");
    is_int(take_text("[1]"), -1202, "a number");
    is_int(take_text("[[]]"), -1202, "an array within");
    is_int(take_text("[\"\"]"), -1202, "an empty text");
    memset(text, 'A', sizeof text);
    text[8192] = '\0';
    is_int(take_json(1, text, false), -1202, "8192 characters are read");
    text[8192] = 'A';
    text[8193] = '\0';
    is_int(take_json(1, text, false), -1900, "8193 are not");
}

static void test_rest(void)
{
    static char big[1048578];
    struct tenuo_request *q = NULL;
    int r = 0;
    is_int(take_text(""), -1202, "nothing");
    is_int(take_text("  \n"), -1202, "blanks");
    is_int(take_text("%"), -1202, "no base64");
    is_int(take_text("AAA"), -1202, "base64 of something else");
    is_int(take_text("oQE"), -1202, "base64 of a cut map");
    memset(big, ' ', sizeof big);
    is_int(take(big, 1048577), -1900, "a carrier above 1 MiB");
    if (tenuo_request_new("t", 1, &q, NULL) != 0)
        return;
    for (int i = 0; i < TENUO_APPROVAL_MAX_COUNT && r == 0; i++)
        r = tenuo_request_add_approval(q, envelope, envelope_len, NULL);
    is_int(r, 0, "as many as a request may have");
    is_int(tenuo_request_add_approval(q, envelope, envelope_len, NULL), 1900, "and one more");
    is_int((int)tenuo_request_approval_count(q), TENUO_APPROVAL_MAX_COUNT, "which was not taken");
    tenuo_request_free(q);
}

int main(void)
{
    if (!make(20))
        return 1;
    test_binary();
    test_json();
    test_rest();
    return done_testing();
}
