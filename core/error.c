/* SPDX-License-Identifier: Apache-2.0 */
/* Error numbers to names and sentences, and the one way of filling a struct tenuo_error. Holds no state. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

struct err_row {
    int code, http;
    const char *name, *text;
};

static const struct err_row table[] = {
#define X(code, name, http, text) { code, http, name, text },
#include "err_table.h"
#undef X
};

static const struct err_row *find(int code)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(table); i++)
        if (table[i].code == code)
            return &table[i];
    return NULL;
}

const char *tenuo_err_name(int code)
{
    const struct err_row *row = find(code);
    if (code == TENUO_OK)
        return "ok";
    return row != NULL ? row->name : "unknown-error";
}

const char *tenuo_err_text(int code)
{
    const struct err_row *row = find(code);
    if (code == TENUO_OK)
        return "success";
    return row != NULL ? row->text : "unknown error";
}

int tenuo_err_http_status(int code)
{
    const struct err_row *row = find(code);
    return row != NULL ? row->http : 500;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* A sentence begins with the place and ends with the remedy: one that is too long loses its middle, by whole
 * characters. */
static void put_sentence(char *ret, size_t size, const char *text)
{
    static const char gap[] = " ... ";
    size_t n = strlen(text), head = (size - sizeof gap) / 2, tail = n - (size - sizeof gap - head);
    if (n < size) {
        memcpy(ret, text, n + 1);
        return;
    }
    while (head > 0 && continues(text[head]))
        head--;
    while (continues(text[tail]))
        tail++;
    memcpy(ret, text, head);
    memcpy(ret + head, gap, sizeof gap - 1);
    memcpy(ret + head + sizeof gap - 1, text + tail, n - tail + 1);
}

int tn_fail(struct tenuo_error *err, int code, const char *fmt, ...)
{
    if (err != NULL) {
        TN_UNINIT char text[TN_SENTENCE_BYTES];
        va_list ap;
        va_start(ap, fmt);
        err->code = code;
        vsnprintf(text, sizeof text, fmt, ap); /* may be made of err->msg */
        va_end(ap);
        put_sentence(err->msg, sizeof err->msg, text);
    }
    return code;
}

int tn_fail_code(struct tenuo_error *err, int code)
{
    return tn_fail(err, code, "%s", tenuo_err_text(code));
}

void tn_quote(char *buf, size_t size, const void *text, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *p = text;
    size_t out = 0;
    if (size == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        bool plain = p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\';
        if (out + (plain ? 1 : 4) + 3 >= size) { /* room for "..." and NUL */
            for (size_t k = 0; k < 3 && out + 1 < size; k++)
                buf[out++] = '.';
            break;
        }
        if (plain) {
            buf[out++] = (char)p[i];
        } else {
            buf[out++] = '\\';
            buf[out++] = 'x';
            buf[out++] = hex[p[i] >> 4];
            buf[out++] = hex[p[i] & 15];
        }
    }
    buf[out] = '\0';
}
