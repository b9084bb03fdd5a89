/* SPDX-License-Identifier: Apache-2.0 */
/* Warrants in and out of the command: always whole stacks, in any text form; `-` is standard input or output. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool cli_form_parse(const char *text, enum tenuo_text_form *ret)
{
    static const struct {
        const char *name;
        enum tenuo_text_form form;
    } forms[] = { { "base64url", TENUO_FORM_BASE64URL },
                  { "pem", TENUO_FORM_PEM },
                  { "cbor", TENUO_FORM_CBOR },
                  { "file", TENUO_FORM_FILE } };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(text, forms[i].name) == 0) {
            *ret = forms[i].form;
            return true;
        }
    return false;
}

/* A warrant given as the word itself: PEM, or at least a hundred base64url characters. A mistyped path is neither. */
static bool is_literal(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ \t\r\n");
    return strstr(text, "-----BEGIN TENUO WARRANT") || (n >= 100 && text[n] == '\0');
}

int cli_read_warrant_bytes(const char *argument, struct cli_bytes *ret, struct tenuo_error *err)
{
    struct stat st;
    if (strcmp(argument, "-") != 0 && is_literal(argument) && stat(argument, &st) != 0) {
        size_t len = strlen(argument);
        uint8_t *copy = cli_alloc(len + 1, 1);
        memcpy(copy, argument, len);
        *ret = (struct cli_bytes){ copy, len };
        return TENUO_OK;
    }
    return cli_read_file(argument, CLI_MAX_WARRANT_FILE, ret, err);
}

int cli_read_stack(const char *argument, struct tenuo_stack **ret, struct tenuo_error *err)
{
    struct cli_bytes b = { 0 };
    if (cli_read_warrant_bytes(argument, &b, err))
        return err->code;
    int code = tenuo_stack_parse_any(b.data, b.len, ret, err);
    cli_bytes_free(&b);
    return code;
}

/* The encoded stack with a newline after text that has none. */
static int encode(const struct tenuo_stack *stack, enum tenuo_text_form form, struct cli_bytes *ret,
                  struct tenuo_error *err)
{
    size_t len = 0;
    int code = tenuo_stack_encode(stack, form, NULL, &len, err);
    if (code && len == 0)
        return code;
    uint8_t *data = cli_alloc(len + 2, 1);
    if ((code = tenuo_stack_encode(stack, form, data, &len, err))) {
        free(data);
        return code;
    }
    *ret = (struct cli_bytes){ data, len };
    return TENUO_OK;
}

int cli_write_stack(const char *path, const struct tenuo_stack *stack, enum tenuo_text_form form,
                    struct tenuo_error *err)
{
    struct cli_bytes b = { 0 };
    int code = encode(stack, form, &b, err);
    if (code)
        return code;
    bool text = form == TENUO_FORM_BASE64URL || form == TENUO_FORM_PEM;
    if (text && b.len && b.data[b.len - 1] != '\n')
        b.data[b.len++] = '\n';
    code = cli_write_file(path, b.data, b.len, 0644, false, err);
    cli_bytes_free(&b);
    return code;
}

json_t *cli_stack_base64url(const struct tenuo_stack *stack)
{
    struct cli_bytes b = { 0 };
    struct tenuo_error err;
    if (encode(stack, TENUO_FORM_BASE64URL, &b, &err))
        cli_no_memory(); /* a parsed stack always has its text form */
    json_t *json = cli_text((const char *)b.data, b.len);
    cli_bytes_free(&b);
    return json;
}
