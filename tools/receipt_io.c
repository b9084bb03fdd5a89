/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts in: one from a word of the command line, or line by line from a journal of any length. */
#include "receipt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const uint8_t **p, size_t *n)
{
    while (*n && is_space((*p)[0]))
        (*p)++, (*n)--;
    while (*n && is_space((*p)[*n - 1]))
        (*n)--;
}

static int from_text(const char *text, size_t len, struct tenuo_receipt **ret, struct tenuo_error *err)
{
    uint8_t *bytes = cli_alloc(TENUO_RECEIPT_MAX_BYTES, 1);
    size_t n = 0;
    int code;
    if (cli_unhex(text, len, bytes, TENUO_RECEIPT_MAX_BYTES, &n) ||
        cli_unbase64(text, len, bytes, TENUO_RECEIPT_MAX_BYTES, &n))
        code = tenuo_receipt_parse(bytes, n, ret, err);
    else
        code = cli_set_error(err, TENUO_E_MALFORMED_CBOR,
                             "this is no receipt: neither binary, hex, base64 nor a line of a journal");
    free(bytes);
    return code;
}

static int from_object(const uint8_t *text, size_t len, struct tenuo_receipt **ret, struct tenuo_error *err)
{
    json_t *object = cli_json_load("a line of a journal", (const char *)text, len, err);
    const json_t *member = json_object_get(object, "receipt");
    int code;
    if (json_is_string(member))
        code = from_text(json_string_value(member), json_string_length(member), ret, err);
    else
        code = cli_set_error(err, TENUO_E_MALFORMED_CBOR, "this is no line of a journal: it has no \"receipt\"");
    json_decref(object);
    return code;
}

int receipt_decode(const uint8_t *text, size_t len, struct tenuo_receipt **ret, struct tenuo_error *err)
{
    if (len && text[0] == 0xa4)
        return tenuo_receipt_parse(text, len, ret, err);
    trim(&text, &len);
    if (len && text[0] == '{')
        return from_object(text, len, ret, err);
    return from_text((const char *)text, len, ret, err);
}

/* One line without its newline; what is longer than any receipt is cut, and then is none. False at the end. */
static bool next_line(FILE *f, uint8_t *line, size_t *ret_len, bool *ret_torn)
{
    size_t n = 0;
    int c;
    while ((c = getc_unlocked(f)) != EOF && c != '\n')
        if (n < RECEIPT_MAX_LINE)
            line[n++] = (uint8_t)c;
    *ret_len = n;
    *ret_torn = c == EOF;
    return c != EOF || n;
}

int receipt_each_line(const char *path, receipt_line_fn *each, void *arg, struct tenuo_error *err)
{
    bool standard = strcmp(path, "-") == 0, torn;
    FILE *f = standard ? stdin : fopen(path, "rbe");
    if (!f)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", path, strerror(errno));
    uint8_t *line = cli_alloc(RECEIPT_MAX_LINE, 1);
    size_t len;
    for (uint64_t number = 1; next_line(f, line, &len, &torn); number++) {
        const uint8_t *p = line;
        trim(&p, &len);
        if (len && !each(arg, number, p, len, torn))
            break;
    }
    int failed = ferror(f) ? errno : 0;
    free(line);
    if (!standard)
        fclose(f);
    return failed ? cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot read: %s", path, strerror(failed)) : TENUO_OK;
}

struct wanted {
    uint64_t number, seen;
    struct tenuo_receipt *receipt;
    struct tenuo_error *err;
    int code;
};

static bool take(void *arg, uint64_t number, const uint8_t *line, size_t len, bool torn)
{
    struct wanted *w = arg;
    (void)torn;
    w->seen++;
    if (!w->number && w->seen > 1) {
        tenuo_receipt_free(w->receipt);
        w->receipt = NULL;
        w->code = cli_set_error(w->err, TENUO_E_INVALID_ARGUMENT,
                                "there is more than one receipt: name one with --line");
        return false;
    }
    if (w->number && number != w->number)
        return true;
    w->code = receipt_decode(line, len, &w->receipt, w->err);
    return !w->number;
}

/* Binary has no lines. */
static bool is_binary(const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? NULL : fopen(path, "rbe");
    int c = f ? getc(f) : EOF;
    if (f)
        fclose(f);
    return c == 0xa4;
}

static int read_binary(const char *path, struct tenuo_receipt **ret, struct tenuo_error *err)
{
    struct cli_bytes b = { 0 };
    if (cli_read_file(path, TENUO_RECEIPT_MAX_BYTES, &b, err))
        return err->code;
    int code = receipt_decode(b.data, b.len, ret, err);
    cli_bytes_free(&b);
    return code;
}

int receipt_read(const char *path, uint64_t number, struct tenuo_receipt **ret, struct tenuo_error *err)
{
    struct wanted w = { .number = number, .err = err };
    if (is_binary(path))
        return read_binary(path, ret, err);
    if (receipt_each_line(path, take, &w, err))
        return err->code;
    if (!w.code && !w.receipt)
        w.code = cli_set_error(err, TENUO_E_INVALID_ARGUMENT, number ? "%s: there is no receipt in that line"
                                                                     : "%s: there is no receipt", path);
    if (!w.code)
        *ret = w.receipt;
    return w.code;
}
