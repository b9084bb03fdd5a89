/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run says: errors and warnings as text on standard error or as the one JSON object on standard output, and the
 * exit status that belongs to a code. Never prints a secret or an argument value: messages come from the library, which
 * holds to the same.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void cli_no_memory(void)
{
    fputs("tenuo: out of memory\n", stderr);
    exit(CLI_UNDECIDED);
}

void *cli_alloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        cli_no_memory();
    return p;
}

void *cli_grow(void *old, size_t count, size_t size)
{
    void *p = reallocarray(old, count, size);
    if (!p)
        cli_no_memory();
    return p;
}

/* Wire codes are answers; ours mean that there is none, and a wrong argument is the caller's fault. */
int cli_exit_status(int code)
{
    if (code == TENUO_OK)
        return CLI_YES;
    if (code == TENUO_E_INVALID_ARGUMENT)
        return CLI_USAGE;
    return code >= TENUO_E_NOMEM ? CLI_UNDECIDED : CLI_NO;
}

int cli_set_error(struct tenuo_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err->code = code;
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
}

void cli_set(json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) != 0)
        cli_no_memory();
}

void cli_append(json_t *array, json_t *value)
{
    if (!value || json_array_append_new(array, value) != 0)
        cli_no_memory();
}

/* Messages may have been cut in the middle of a character; JSON must be UTF-8 whatever comes. */
json_t *cli_text(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    if (json)
        return json;
    char *ascii = cli_alloc(len + 1, 1);
    for (size_t i = 0; i < len; i++)
        ascii[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    json = json_stringn(ascii, len);
    free(ascii);
    if (!json)
        cli_no_memory();
    return json;
}

json_t *cli_u64_json(uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%ju", (uintmax_t)n);
    return n <= INT64_MAX ? json_integer((json_int_t)n) : json_string(text);
}

json_t *cli_object(struct cli *cli, bool ok)
{
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    cli_set(object, "schema", json_string(CLI_SCHEMA));
    cli_set(object, "ok", json_boolean(ok));
    cli_set(object, "command", json_string(cli->command));
    return object;
}

void cli_emit(struct cli *cli, json_t *object)
{
    if (cli->warnings)
        cli_set(object, "warnings", json_incref(cli->warnings));
    if (cli->diagnostics && !json_object_get(object, "diagnostics"))
        cli_set(object, "diagnostics", json_incref(cli->diagnostics));
    if (json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17)) == 0)
        putchar('\n');
    json_decref(object);
    cli->reported = true;
}

void cli_line(FILE *out, const char *fmt, ...)
{
    char *line = NULL, *safe = NULL;
    size_t size = 0;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&line, fmt, ap);
    va_end(ap);
    FILE *memory = len < 0 ? NULL : open_memstream(&safe, &size);
    if (!memory)
        cli_no_memory();
    cli_print_ascii(memory, line, (size_t)len);
    putc('\n', memory);
    if (fclose(memory) != 0)
        cli_no_memory();
    (void)!fwrite(safe, 1, size, out); /* at once: other runs may be writing to the same place */
    free(safe);
    free(line);
}

int cli_fail(struct cli *cli, const struct tenuo_error *err)
{
    if (!cli->json && cli->diagnosed && err->code >= TENUO_E_CONF && err->code < TENUO_E_KEY_NOT_FOUND) {
        fprintf(stderr, "tenuo %s: the configuration cannot be used\n", cli->command); /* every error is above */
    } else if (!cli->json && err->code < TENUO_E_NOMEM) {
        cli_line(stderr, "tenuo %s: %s (%d %s)", cli->command, err->msg, err->code, tenuo_err_name(err->code));
    } else if (!cli->json) {
        cli_line(stderr, "tenuo %s: %s", cli->command, err->msg);
    } else if (!cli->reported) {
        json_t *object = cli_object(cli, false);
        cli_set(object, "code", json_integer(err->code));
        cli_set(object, "name", json_string(tenuo_err_name(err->code)));
        cli_set(object, "message", cli_text(err->msg, strlen(err->msg)));
        cli_emit(cli, object);
    }
    return cli_exit_status(err->code);
}

int cli_fail_and_close(struct cli *cli, const struct tenuo_error *err)
{
    int status = cli_fail(cli, err);
    return cli_close_stdout() ? status : CLI_UNDECIDED;
}

int cli_failf(struct cli *cli, int code, const char *fmt, ...)
{
    struct tenuo_error err = { .code = code };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err.msg, sizeof err.msg, fmt, ap);
    va_end(ap);
    return cli_fail(cli, &err);
}

void cli_warn(struct cli *cli, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (!cli->json) {
        cli_line(stderr, "tenuo %s: warning: %s", cli->command, line);
        return;
    }
    if (!cli->warnings && !(cli->warnings = json_array()))
        cli_no_memory();
    cli_append(cli->warnings, cli_text(line, strlen(line)));
}

void cli_print_ascii(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7f)
            putc(c, out);
        else
            fprintf(out, "\\x%02x", c);
    }
}

void cli_print_escaped(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\\')
            fputs("\\\\", out);
        else if (c >= 0x20 && c < 0x7f)
            putc(c, out);
        else
            fprintf(out, "\\x%02x", c);
    }
}
