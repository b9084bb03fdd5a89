/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of stores for people and as JSON: public halves and what a store says about them. A secret never comes here. */
#include "key.h"

#include <stdlib.h>
#include <string.h>

void key_time(int64_t when, char ret_text[CLI_TIME_TEXT])
{
    if (when > 0)
        cli_time_text((uint64_t)when, ret_text);
    else
        snprintf(ret_text, CLI_TIME_TEXT, "-");
}

void key_set_error(json_t *object, const struct tenuo_error *err)
{
    cli_set(object, "code", json_integer(err->code));
    cli_set(object, "name", json_string(tenuo_err_name(err->code)));
    cli_set(object, "message", cli_text(err->msg, strlen(err->msg)));
}

const char *key_place(const char *origin, const struct tenuo_error *err)
{
    return strncmp(err->msg, origin, strlen(origin)) == 0 ? "" : origin;
}

static void set_key(json_t *object, const uint8_t key[TENUO_PUBLIC_KEY_BYTES])
{
    char text[44], fingerprint[TENUO_FINGERPRINT_TEXT_BYTES];
    tenuo_public_key_base64url(key, text);
    tenuo_fingerprint(key, fingerprint);
    cli_set(object, "public_key", json_string(text));
    cli_set(object, "fingerprint", json_string(fingerprint));
}

json_t *key_json(const char *store, const struct tenuo_stored_key *key)
{
    char *reference = key_reference(store, key->id, key->version);
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    cli_set(object, "reference", cli_text(reference, strlen(reference)));
    cli_set(object, "store", cli_text(store, strlen(store)));
    cli_set(object, "id", cli_text(key->id, strlen(key->id)));
    if (key->version)
        cli_set(object, "version", json_integer(key->version));
    if (key->newest) {
        if (key->oldest)
            cli_set(object, "oldest_version", json_integer(key->oldest));
        cli_set(object, "newest_version", json_integer(key->newest));
    }
    if (key->has_public_key)
        set_key(object, key->public_key);
    if (key->created_at)
        cli_set(object, "created_at", json_integer(key->created_at));
    if (key->expires_at)
        cli_set(object, "expires_at", json_integer(key->expires_at));
    if (key->note[0])
        cli_set(object, "note", cli_text(key->note, strlen(key->note)));
    free(reference);
    return object;
}

void key_print(const char *store, const struct tenuo_stored_key *key, const char *remark)
{
    char text[44], fingerprint[TENUO_FINGERPRINT_TEXT_BYTES], when[CLI_TIME_TEXT];
    char *reference = key_reference(store, key->id, key->version);
    cli_line(stdout, "%s%s%s", reference, *remark ? "  " : "", remark);
    free(reference);
    if (key->has_public_key) {
        tenuo_public_key_base64url(key->public_key, text);
        tenuo_fingerprint(key->public_key, fingerprint);
        printf("  key          %s\n  fingerprint  %s\n", text, fingerprint);
    }
    key_time(key->created_at, when);
    if (key->created_at)
        printf("  created      %s\n", when);
    key_time(key->expires_at, when);
    if (key->expires_at)
        printf("  expires      %s\n", when);
    if (key->note[0])
        cli_line(stdout, "  note         %s", key->note);
}

static const char *cell(const json_t *row, size_t column)
{
    return json_string_value(json_array_get(row, column));
}

/* How wide a column is; 0 when nothing but "-" stands in it. */
static size_t width(const json_t *rows, size_t column)
{
    size_t widest = 0, heading = strlen(cell(json_array_get(rows, 0), column));
    for (size_t i = 1; i < json_array_size(rows); i++) {
        const char *text = cell(json_array_get(rows, i), column);
        size_t n = strcmp(text, "-") == 0 ? 0 : strlen(text);
        widest = n > widest ? n : widest;
    }
    return widest && heading > widest ? heading : widest;
}

void key_print_table(const json_t *rows)
{
    size_t columns = json_array_size(json_array_get(rows, 0));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        char *line = NULL;
        size_t size = 0, end = 0;
        FILE *out = open_memstream(&line, &size);
        if (!out)
            cli_no_memory();
        for (size_t c = 0; c < columns; c++) {
            size_t wide = width(rows, c);
            if (wide)
                fprintf(out, "%-*s  ", (int)wide, cell(json_array_get(rows, i), c));
        }
        if (fclose(out) != 0)
            cli_no_memory();
        for (end = strlen(line); end && line[end - 1] == ' '; end--)
            line[end - 1] = '\0';
        cli_line(stdout, "%s", line);
        free(line);
    }
}

void key_report(struct cli *cli, const struct key_name *name, uint32_t version,
                const uint8_t key[TENUO_PUBLIC_KEY_BYTES], const char *file)
{
    struct tenuo_stored_key made = { .size = sizeof made, .version = version, .has_public_key = 1 };
    char text[44], fingerprint[TENUO_FINGERPRINT_TEXT_BYTES];
    snprintf(made.id, sizeof made.id, "%s", name->ref);
    memcpy(made.public_key, key, sizeof made.public_key);
    if (cli->json) {
        json_t *object = cli_object(cli, true), *members = key_json(name->store, &made);
        if (json_object_update(object, members) != 0)
            cli_no_memory();
        json_decref(members);
        if (file)
            cli_set(object, "public_file", cli_text(file, strlen(file)));
        cli_emit(cli, object);
        return;
    }
    tenuo_public_key_base64url(key, text);
    tenuo_fingerprint(key, fingerprint);
    cli_line(stdout, "stored as    %s:%s", name->store, name->ref);
    if (version)
        printf("version      %u\n", (unsigned)version);
    if (file)
        cli_line(stdout, "public key   %s", file);
    printf("key          %s\nfingerprint  %s\n", text, fingerprint);
}
