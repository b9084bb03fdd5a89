/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of a case to C values, and C values to members of an answer. Owns no state and must never guess: a member of
 * the wrong kind is reported as missing.
 */
#include "runner.h"
#include <stdlib.h>
#include <string.h>

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool hex_decode(const char *text, size_t len, struct bytes *ret)
{
    if (len % 2 != 0)
        return false;
    uint8_t *p = malloc(len / 2 + 1);
    if (p == NULL)
        return false;
    for (size_t i = 0; i < len / 2; i++) {
        int hi = nibble(text[2 * i]), lo = nibble(text[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            free(p);
            return false;
        }
        p[i] = (uint8_t)(hi * 16 + lo);
    }
    *ret = (struct bytes){ p, len / 2 };
    return true;
}

const char *get_text(const json_t *object, const char *member, size_t *ret_len)
{
    const json_t *value = json_object_get(object, member);
    if (!json_is_string(value))
        return NULL;
    if (ret_len != NULL)
        *ret_len = json_string_length(value);
    return json_string_value(value);
}

bool get_bytes(const json_t *object, const char *member, struct bytes *ret)
{
    size_t len = 0;
    const char *text = get_text(object, member, &len);
    return text != NULL && hex_decode(text, len, ret);
}

bool get_fixed(const json_t *object, const char *member, uint8_t *ret, size_t len)
{
    struct bytes b;
    if (!get_bytes(object, member, &b))
        return false;
    bool fits = b.len == len;
    if (fits)
        memcpy(ret, b.p, len);
    free(b.p);
    return fits;
}

/* A line that holds an integer beyond 64 bits anywhere is read with integers as reals (main.c), so both kinds count. */
bool get_number(const json_t *object, const char *member, int64_t *ret)
{
    const json_t *value = json_object_get(object, member);
    if (json_is_integer(value))
        *ret = (int64_t)json_integer_value(value);
    else if (json_is_real(value))
        *ret = (int64_t)json_real_value(value);
    else
        return false;
    return true;
}

bool has(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    return value != NULL && !json_is_null(value);
}

json_t *answer_refused(int code)
{
    return json_pack("{s:b, s:i, s:s}", "ok", 0, "code", code, "name", tenuo_err_name(code));
}

json_t *answer_ok(void)
{
    return json_pack("{s:b}", "ok", 1);
}

json_t *answer_hex(const uint8_t *p, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * len + 1);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[p[i] >> 4];
        text[2 * i + 1] = digits[p[i] & 15];
    }
    json_t *value = json_stringn(text, 2 * len);
    free(text);
    return value;
}

void put_hex(json_t *answer, const char *member, const uint8_t *p, size_t len)
{
    (void)json_object_set_new(answer, member, answer_hex(p, len));
}

void put_text(json_t *answer, const char *member, const char *text, size_t len)
{
    (void)json_object_set_new(answer, member, json_stringn(text, len));
}
