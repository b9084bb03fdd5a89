/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments in the audit record: valid JSON for every value, and with the mask no value at all. */
#include "../../core/audit.h"
#include "tap.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#define CBOR(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* The arguments of a CBOR map, as JSON text. */
static void json_is(const uint8_t *cbor, size_t n, bool mask, const char *want, const char *title)
{
    struct tenuo_args *args = NULL;
    struct tn_buf b = { 0 };
    is_int(tenuo_args_parse(cbor, n, &args, NULL), TENUO_OK, "%s", title);
    ok(tn_args_json(&b, args, mask, "password,api_key"), "written");
    tn_buf_put(&b, "", 1);
    is_str((const char *)b.p, want, "as it should be");
    tn_buf_free(&b);
    tenuo_args_free(args);
}

static void one_float(double v, const char *want)
{
    struct tenuo_value *value = NULL;
    struct tenuo_args *args = NULL;
    struct tn_buf b = { 0 };
    bool good = tenuo_value_float(v, &value) == TENUO_OK && tenuo_args_new(&args, NULL) == TENUO_OK &&
                tenuo_args_put(args, "f", 1, value, NULL) == TENUO_OK && tn_args_json(&b, args, false, NULL);
    tn_buf_put(&b, "", 1);
    ok(good, "a float");
    is_str(b.p == NULL ? NULL : (const char *)b.p, want, "%.17g", v);
    tn_buf_free(&b);
    tenuo_value_free(value);
    tenuo_args_free(args);
}

/* As deep as values go: the writer's stack must hold it. */
static void deepest(void)
{
    uint8_t cbor[3 + TENUO_VALUE_MAX_DEPTH + 1] = { 0xa1, 0x61, 'd' };
    char want[2 * TENUO_VALUE_MAX_DEPTH + 16] = "{\"d\":";
    size_t n = strlen(want);
    memset(cbor + 3, 0x81, TENUO_VALUE_MAX_DEPTH - 1);
    cbor[3 + TENUO_VALUE_MAX_DEPTH - 1] = 0x80;
    for (int i = 0; i < TENUO_VALUE_MAX_DEPTH; i++)
        want[n++] = '[';
    for (int i = 0; i < TENUO_VALUE_MAX_DEPTH; i++)
        want[n++] = ']';
    want[n++] = '}';
    json_is(cbor, 3 + TENUO_VALUE_MAX_DEPTH, false, want, "the deepest list");
}

static void floats(void)
{
    one_float(0.5, "{\"f\":0.5}");
    one_float(-0.0, "{\"f\":-0}");
    one_float(1e300, "{\"f\":1.0000000000000001e+300}");
    one_float(NAN, "{\"f\":\"NaN\"}");
    one_float(INFINITY, "{\"f\":\"Infinity\"}");
    one_float(-INFINITY, "{\"f\":\"-Infinity\"}");
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL && setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
        skip_test("a decimal comma", "no such locale here");
    else
        one_float(0.5, "{\"f\":0.5}");
    setlocale(LC_NUMERIC, "C");
}

int main(void)
{
    json_is(CBOR(0xa0), false, "{}", "no arguments");
    json_is(CBOR(0xa2, 0x61, 'a', 0x01, 0x61, 'b', 0x20), false, "{\"a\":1,\"b\":-1}", "integers");
    json_is(CBOR(0xa1, 0x61, 'n', 0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), false,
            "{\"n\":-9223372036854775808}", "the smallest integer");
    json_is(CBOR(0xa1, 0x61, 'n', 0x1b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), false,
            "{\"n\":9223372036854775807}", "the largest");
    json_is(CBOR(0xa3, 0x61, 'a', 0xf5, 0x61, 'b', 0xf4, 0x61, 'c', 0xf6), false, "{\"a\":true,\"b\":false,\"c\":null}",
            "simple values");
    json_is(CBOR(0xa1, 0x63, '"', '\\', 0x0a, 0x65, 0x00, 0x1f, 0xc3, 0xa9, '/'), false,
            "{\"\\\"\\\\\\u000a\":\"\\u0000\\u001f\xc3\xa9/\"}", "what must be escaped, in names too");
    json_is(CBOR(0xa1, 0x61, 'o', 0xa2, 0x61, 'a', 0x82, 0x01, 0xa0, 0x61, 'b', 0x80), false,
            "{\"o\":{\"a\":[1,{}],\"b\":[]}}", "lists and objects, empty ones too");
    deepest();
    floats();
    json_is(CBOR(0xa7, 0x61, 'a', 0x63, 'k', 'e', 'y', 0x61, 'b', 0x18, 0x2a, 0x61, 'c', 0xf9, 0x3c, 0x00, 0x61, 'd',
                 0xf5, 0x61, 'e', 0x81, 0x63, 'k', 'e', 'y', 0x61, 'f', 0xa1, 0x63, 'k', 'e', 'y', 0x01, 0x61, 'g',
                 0xf6),
            true,
            "{\"a\":\"<string>\",\"b\":\"<integer>\",\"c\":\"<float>\",\"d\":\"<boolean>\",\"e\":\"<list>\",\"f\":\"<"
            "object>\","
            "\"g\":null}",
            "masked: types alone");
    return done_testing();
}
