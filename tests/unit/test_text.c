/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms: everything that is written comes back, the two protocol decoders keep apart what they must, and bytes
 * cannot move from one block of a chain to another. The shared vectors cover the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "../../common/keytext.h"
#include "../../core/limits.h"
#include "tap.h"
#include <tenuo/warrant.h>

#define BEGIN "-----BEGIN TENUO WARRANT-----\n"
#define END "-----END TENUO WARRANT-----\n"
#define ROOT                                                             \
    "gwFYg6oAAQFQrFVeJqk_esep0Du28udimAIAA6FhdKFrY29uc3RyYWludHOgBIIB\n" \
    "WCCH_vJpMhwvMO_IHZnTwnbIxCLRyva3bGiWtZxBW9FQuAWCAVggGhV4XaZ6hF_Z\n" \
    "67adc_6iC_zMiotEw04MS-W7qwXhwXsGGmWSAIAHGmWSDpAICBIAggFYQLHL5jcu\n" \
    "nzU53rlwocosAJrKK-80OI34wWGu8_4BUHH5rT9q6DBf89lxQTF_4zOUk8W8OrGe\n" \
    "4iu19uZmHJBp-gk\n"
#define CHILD                                                            \
    "gwFYxasAAQFQR2MSI-rTcGSEmdLLY2E-vwIAA6FhdKFrY29uc3RyYWludHOgBIIB\n" \
    "WCAGy5q_yf1XOwH5Z4AP2UdQ4wc_ufyOudTPQ9nPqUenUQWCAVggh_7yaTIcLzDv\n" \
    "yB2Z08J2yMQi0cr2t2xolrWcQVvRULgGGmWSAIAHGmWSDpAICAmYIBhIGG0Y5Bht\n" \
    "GEEYqRh3GFsOGMcY3xhiGKYYqxh3GMcY9BgqGNIYrBieGN0YHxieGJUYdRjTGNAY\n" \
    "5hj_GCYY9hIBggFYQNABAvD9nZrE8aoYE6TIXItAxbiKj8Fjs7zxhn8qSYwPdY3j\n" \
    "67J-CiXOxU5jXuAue3v7wNKpKIcZlV1VnpBnpAs\n"
#define CHAIN BEGIN ROOT END BEGIN CHILD END

typedef int (*decoder)(const char *text, size_t len, struct tenuo_stack **ret_stack, struct tenuo_error *reterr);

static int any(const char *text, size_t len, struct tenuo_stack **ret_stack, struct tenuo_error *reterr)
{
    return tenuo_stack_parse_any((const uint8_t *)text, len, ret_stack, reterr);
}

/* want: the number of warrants, or a code. */
static void reads(decoder decode, const char *text, size_t len, int want, const char *what)
{
    struct tenuo_stack *stack = NULL;
    struct tenuo_error err = { 0 };
    int r = decode(text, len, &stack, &err);
    is_int(r == TENUO_OK ? (int)tenuo_stack_length(stack) : r, want, "%s", what);
    if (r != TENUO_OK)
        ok(stack == NULL && err.code == r && err.msg[0] != '\0', "no stack, and a reason");
    tenuo_stack_free(stack);
}

static void text_is(decoder decode, const char *text, int want, const char *what)
{
    reads(decode, text, strlen(text), want, what);
}

static void warrant_text(void)
{
    decoder d = tenuo_stack_parse_warrant_text;
    text_is(d, ROOT, 1, "warrant: bare, with line ends");
    text_is(d, " \t\xc2\xa0\xe2\x80\x83\xe3\x80\x80" ROOT, 1, "warrant: Unicode blanks");
    text_is(d, "\xe2\x80\x8b" ROOT, TENUO_E_MALFORMED_CBOR, "warrant: a zero-width space is no blank");
    text_is(d, "\xe2\x80", TENUO_E_MALFORMED_CBOR, "warrant: half a character");
    text_is(d, BEGIN ROOT END, 1, "warrant: armor");
    text_is(d, "\n" BEGIN ROOT END, 1, "warrant: armor after an empty line");
    text_is(d, "x\n" BEGIN ROOT END, TENUO_E_MALFORMED_CBOR, "warrant: text before the armor");
    text_is(d, CHAIN, TENUO_E_MALFORMED_CBOR, "warrant: two blocks");
    text_is(d, ROOT "=", TENUO_E_MALFORMED_CBOR, "warrant: padding");
    text_is(d, "", TENUO_E_MALFORMED_CBOR, "warrant: nothing");
    reads(d, "\0" ROOT, sizeof ROOT, TENUO_E_MALFORMED_CBOR, "warrant: NUL");
}

static void chain_text(void)
{
    decoder d = tenuo_stack_parse_chain_text;
    text_is(d, ROOT, 1, "chain: one bare warrant");
    text_is(d, "a\n" BEGIN ROOT END "b\n" BEGIN CHILD END "c", 2, "chain: text around blocks");
    text_is(d, BEGIN ROOT END BEGIN CHILD, TENUO_E_MALFORMED_CBOR, "chain: the last block is cut");
    text_is(d, BEGIN ROOT END "-----BEGIN TENUO WARRANT CHAIN-----\n", TENUO_E_MALFORMED_CBOR,
            "chain: an open chain block");
    text_is(d, BEGIN ROOT CHILD END, TENUO_E_MALFORMED_CBOR, "chain: two warrants in one block");
    text_is(d, BEGIN END BEGIN ROOT END, TENUO_E_MALFORMED_CBOR, "chain: an empty block");
    text_is(d, "-----BEGIN TENUO WARRANT CHAIN-----\n-----END TENUO WARRANT CHAIN-----\n", TENUO_E_MALFORMED_CBOR,
            "chain: an empty chain");
}

static uint8_t *binary_of(const char *text, enum tenuo_text_form form, size_t *ret_len)
{
    struct tenuo_stack *stack = NULL;
    uint8_t *bytes = NULL;
    if (any(text, strlen(text), &stack, NULL) != TENUO_OK ||
        tenuo_stack_encode(stack, form, NULL, ret_len, NULL) != TENUO_OK)
        return NULL;
    bytes = malloc(*ret_len);
    if (bytes == NULL || tenuo_stack_encode(stack, form, bytes, ret_len, NULL) != TENUO_OK)
        abort();
    tenuo_stack_free(stack);
    return bytes;
}

static size_t add_block(char *out, const uint8_t *bytes, size_t n)
{
    size_t at = sizeof BEGIN - 1;
    memcpy(out, BEGIN, at);
    tn_base64url_encode(out + at, bytes, n);
    at += tn_base64url_len(n);
    memcpy(out + at, "\n" END, sizeof END);
    return at + sizeof END;
}

/* Two good warrants, cut at every place but the right one: together the bytes are a good chain, block by block they are
 * not. */
static void moved_bytes(void)
{
    size_t n = 0, bad = 0, root = 0;
    uint8_t *stack = binary_of(CHAIN, TENUO_FORM_STACK, &n), *first = binary_of(ROOT, TENUO_FORM_CBOR, &root);
    char *text = malloc(2 * n + 512);
    if (stack == NULL || first == NULL || text == NULL)
        abort();
    for (size_t cut = 1; cut < n - 1; cut++) {
        struct tenuo_stack *got = NULL;
        size_t len = add_block(text, stack + 1, cut);
        len += add_block(text + len, stack + 1 + cut, n - 1 - cut);
        int r = tenuo_stack_parse_chain_text(text, len, &got, NULL);
        if (cut == root ? r != TENUO_OK || tenuo_stack_length(got) != 2 : r != TENUO_E_MALFORMED_CBOR)
            bad++;
        tenuo_stack_free(got);
    }
    is_int((long long)bad, 0, "blocks cut anywhere else are refused");
    free(text);
    free(first);
    free(stack);
}

static void too_large(void)
{
    size_t n = (size_t)TN_MAX_STACK_BYTES * 2;
    char *text = malloc(n);
    if (text == NULL)
        abort();
    memset(text, 'A', n);
    reads(tenuo_stack_parse_warrant_text, text, 87382, TENUO_E_MALFORMED_CBOR, "65536 bytes are not too large");
    reads(tenuo_stack_parse_warrant_text, text, 87383, TENUO_E_TOO_LARGE, "65537 bytes are");
    reads(any, text, n, TENUO_E_TOO_LARGE, "more than a stack may have");
    memcpy(text, BEGIN, sizeof BEGIN - 1);
    memcpy(text + n - sizeof END, "\n" END, sizeof END);
    reads(tenuo_stack_parse_chain_text, text, n, TENUO_E_TOO_LARGE, "a block with more than a warrant may have");
    free(text);
}

static void too_many(void)
{
    static const char block[] = BEGIN ROOT END;
    size_t n = sizeof block - 1;
    char *text = malloc(n * 66);
    if (text == NULL)
        abort();
    for (size_t i = 0; i < 66; i++)
        memcpy(text + i * n, block, n);
    reads(tenuo_stack_parse_chain_text, text, n * 65, 65, "65 blocks");
    reads(tenuo_stack_parse_chain_text, text, n * 66, TENUO_E_CHAIN_TOO_LONG, "66 blocks");
    free(text);
}

static void round_trip(const char *text, int count)
{
    size_t want_len = 0;
    uint8_t *want = binary_of(text, TENUO_FORM_STACK, &want_len);
    for (enum tenuo_text_form form = TENUO_FORM_CBOR; form <= TENUO_FORM_FILE; form++) {
        size_t len = 0, back_len = 0;
        uint8_t *bytes = binary_of(text, form, &len), *back;
        char *copy = bytes == NULL ? NULL : malloc(len + 1);
        if (copy == NULL)
            abort();
        memcpy(copy, bytes, len);
        copy[len] = '\0';
        reads(any, copy, len, count, "a form is read back");
        if (form == TENUO_FORM_BASE64URL || form == TENUO_FORM_PEM) {
            back = binary_of(copy, TENUO_FORM_STACK, &back_len);
            ok(back != NULL && back_len == want_len && memcmp(back, want, want_len) == 0, "to the same bytes");
            free(back);
        }
        free(copy);
        free(bytes);
    }
    free(want);
}

static void capacity(void)
{
    struct tenuo_stack *stack = NULL;
    uint8_t buf[8] = { 0 };
    size_t len = sizeof buf, need = 0;
    if (any(CHAIN, sizeof CHAIN - 1, &stack, NULL) != TENUO_OK)
        abort();
    is_int(tenuo_stack_encode(stack, TENUO_FORM_PEM, buf, &len, NULL), TENUO_E_INVALID_ARGUMENT, "a small buffer");
    is_int(tenuo_stack_encode(stack, TENUO_FORM_PEM, NULL, &need, NULL), TENUO_OK, "asking for the size");
    ok(len == need && need > sizeof buf && buf[0] == 0, "both say the same, and nothing was written");
    is_int(tenuo_stack_encode(stack, (enum tenuo_text_form)9, NULL, &need, NULL), TENUO_E_INVALID_ARGUMENT,
           "no such form");
    need = 0;
    is_int(tenuo_warrant_encode(tenuo_stack_leaf(stack), TENUO_FORM_BASE64URL, NULL, &need, NULL), TENUO_OK,
           "one warrant");
    is_int((long long)need, (long long)(5 * 64 + 39), "is as long as the child's text");
    tenuo_stack_free(stack);
}

int main(void)
{
    warrant_text();
    chain_text();
    moved_bytes();
    too_large();
    too_many();
    round_trip(ROOT, 1);
    round_trip(CHAIN, 2);
    capacity();
    text_is(any, "gwFYg6oA", TENUO_E_MALFORMED_CBOR, "a cut text in any form");
    reads(any, "", 0, TENUO_E_MALFORMED_CBOR, "nothing in any form");
    return done_testing();
}
