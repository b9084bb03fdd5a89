/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A constraint and a value: parse(encode(x)) = x for both, matching is repeatable, the description ends with NUL.
 */
#include "fuzz.h"

static void require_repeatable(const struct tenuo_constraint *c, const struct tenuo_value *value)
{
    int a = -1, b = -1;
    int first = tenuo_constraint_match(c, value, NULL, 0, &a, NULL),
        second = tenuo_constraint_match(c, value, NULL, 0, &b, NULL);
    REQUIRE(first == second && a == b);
    REQUIRE(first != 0 ? a == -1 : a == TENUO_MATCH || a == TENUO_NO_MATCH);
}

static void use(const struct tenuo_constraint *c, struct source value_bytes)
{
    struct tenuo_constraint *again = NULL;
    struct tenuo_value *value = NULL;
    char line[200];
    size_t n = 0, m = 0;
    const uint8_t *bytes = tenuo_constraint_cbor(c, &n);
    REQUIRE(tenuo_constraint_parse(bytes, n, &again, NULL) == 0);
    const uint8_t *second = tenuo_constraint_cbor(again, &m);
    REQUIRE(n == m && memcmp(bytes, second, n) == 0);
    REQUIRE(tenuo_constraint_describe(c, line, sizeof line) < sizeof line && memchr(line, '\0', sizeof line) != NULL);
    if (tenuo_value_parse(value_bytes.p, value_bytes.len, &value, NULL) == 0)
        require_repeatable(c, value);
    tenuo_value_free(value);
    tenuo_constraint_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source source = { data, size }, part = source_part(&source);
    struct tenuo_constraint *c = NULL;
    if (tenuo_constraint_parse(part.p, part.len, &c, NULL) == 0)
        use(c, source);
    tenuo_constraint_free(c);
    return 0;
}
