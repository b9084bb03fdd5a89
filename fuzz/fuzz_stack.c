/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A warrant or a chain in any form. What is accepted encodes in every form to something that reads back as the same
 * stack.
 */
#include "fuzz.h"

static uint8_t *encoded(const struct tenuo_stack *stack, enum tenuo_text_form form, size_t *ret_len)
{
    *ret_len = 0;
    REQUIRE(tenuo_stack_encode(stack, form, NULL, ret_len, NULL) == 0);
    uint8_t *bytes = malloc(*ret_len + 1);
    REQUIRE(bytes != NULL && tenuo_stack_encode(stack, form, bytes, ret_len, NULL) == 0);
    return bytes;
}

static void require_same(const struct tenuo_stack *stack, enum tenuo_text_form form)
{
    struct tenuo_stack *again = NULL;
    size_t len = 0, n = 0, m = 0;
    uint8_t *bytes = encoded(stack, form, &len);
    /* A bare base64 stack is read by tenuo_stack_parse_any, though not by the protocol's own decoder. */
    REQUIRE(tenuo_stack_parse_any(bytes, len, &again, NULL) == 0);
    uint8_t *a = encoded(stack, TENUO_FORM_STACK, &n), *b = encoded(again, TENUO_FORM_STACK, &m);
    REQUIRE(n == m && memcmp(a, b, n) == 0);
    free(a);
    free(b);
    free(bytes);
    tenuo_stack_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum tenuo_text_form forms[] = { TENUO_FORM_CBOR, TENUO_FORM_STACK, TENUO_FORM_BASE64URL,
                                                  TENUO_FORM_PEM, TENUO_FORM_FILE };
    struct tenuo_stack *stack = NULL;
    if (tenuo_stack_parse_any(data, size, &stack, NULL) != 0)
        return 0;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        require_same(stack, forms[i]);
    tenuo_stack_free(stack);
    return 0;
}
