/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A receipt as JSON and as text; the text is printed from the JSON, so that neither hides a field. What it says is
 * escaped for the terminal: it may have come from strangers.
 */
#include "receipt.h"

#include <stdlib.h>
#include <string.h>

json_t *receipt_hex(const uint8_t *bytes, size_t len)
{
    char *text = cli_alloc(2 * len + 1, 1);
    cli_hex(bytes, len, text);
    json_t *json = json_string(text);
    free(text);
    return json;
}

static void set_text(json_t *object, const char *key, const char *text, size_t len)
{
    if (text)
        cli_set(object, key, cli_text(text, len));
}

static void set_hex(json_t *object, const char *key, const uint8_t *bytes, size_t len)
{
    if (bytes)
        cli_set(object, key, receipt_hex(bytes, len));
}

static void set_time(json_t *object, int64_t when)
{
    char text[CLI_TIME_TEXT];
    cli_set(object, "timestamp", json_integer(when));
    if (when < 0)
        return;
    cli_time_text((uint64_t)when, text);
    cli_set(object, "time", json_string(text));
}

/* Ids alone: `tenuo inspect` shows the rest. */
static void set_chain(json_t *object, const struct tenuo_receipt_fields *f)
{
    struct tenuo_stack *stack = NULL;
    json_t *ids = json_array();
    if (!ids)
        cli_no_memory();
    if (tenuo_stack_parse(f->warrant_chain, f->warrant_chain_len, &stack, NULL) == TENUO_OK)
        for (size_t i = 0; i < tenuo_stack_length(stack); i++) {
            char id[TENUO_WARRANT_ID_TEXT_BYTES];
            tenuo_warrant_id_text(tenuo_warrant_id(tenuo_stack_warrant(stack, i)), id);
            cli_append(ids, json_string(id));
        }
    tenuo_stack_free(stack);
    cli_set(object, "chain", ids);
    char *text = cli_base64(CLI_BASE64URL, f->warrant_chain, f->warrant_chain_len);
    cli_set(object, "warrants", json_string(text));
    free(text);
}

json_t *receipt_json(const struct tenuo_receipt *receipt)
{
    const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(receipt);
    uint8_t digest[TENUO_RECEIPT_DIGEST_BYTES];
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    tenuo_receipt_digest(receipt, digest);
    cli_set(object, "outcome", json_string(f->allow ? "allow" : "deny"));
    set_text(object, "code", f->decision_code, f->decision_code_len);
    set_text(object, "action", f->action, f->action_len);
    set_time(object, f->timestamp);
    set_text(object, "request_id", f->request_id, f->request_id_len);
    set_text(object, "authorizer_id", f->authorizer_id, f->authorizer_id_len);
    set_text(object, "root_principal", f->root_principal, f->root_principal_len);
    set_chain(object, f);
    set_hex(object, "request_hash", f->request_hash, 32);
    set_hex(object, "pop", f->pop_signature, 64);
    set_hex(object, "policy_hash", f->policy_hash, 32);
    if (f->has_srl_version)
        cli_set(object, "srl_version", cli_u64_json(f->srl_version));
    set_hex(object, "srl_hash", f->srl_hash, 32);
    set_hex(object, "roots_hash", f->trusted_roots_hash, 32);
    set_hex(object, "prev", f->prev_receipt_hash, 32);
    set_hex(object, "digest", digest, sizeof digest);
    cli_set(object, "signer", cli_key_json(tenuo_receipt_signer(receipt)));
    return object;
}

static void print_row(const char *key, const json_t *value)
{
    printf("  %-14s ", key);
    if (json_is_string(value))
        cli_print_escaped(stdout, json_string_value(value), json_string_length(value));
    else
        printf("%lld", (long long)json_integer_value(value));
    putchar('\n');
}

void receipt_print(const json_t *object)
{
    const char *key;
    const json_t *value, *id;
    size_t i;
    printf("RECEIPT %s\n", strcmp(json_string_value(json_object_get(object, "outcome")), "allow") ? "DENY" : "ALLOW");
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (strcmp(key, "outcome") == 0 || strcmp(key, "warrants") == 0)
            continue;
        if (!json_is_array(value))
            print_row(key, value);
        else
            json_array_foreach(value, i, id) print_row(i ? "" : key, id);
    }
}
