/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for approval, written and read strictly. Nothing read here is believed: the library compares it with the
 * warrant. */
#include "ask.h"

#include <stdlib.h>
#include <string.h>

#define ASK_SCHEMA "tenuo-approval-request/1"
#define MOST_SHOWN 2000 /* characters of one value, for a person */
#define SHOWN_END 400   /* of them its end */
#define MAX_APPROVERS 4096 /* far more than a warrant of 64 KiB can name */

static bool u64_of(const json_t *json, uint64_t *ret)
{
    if (json_is_string(json))
        return cli_number_parse(json_string_value(json), UINT64_MAX, ret);
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *ret = (uint64_t)json_integer_value(json);
    return true;
}

static json_t *uuid_json(const uint8_t id[TENUO_APPROVAL_REQUEST_ID_BYTES])
{
    char hex[33], text[37];
    cli_hex(id, 16, hex);
    snprintf(text, sizeof text, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return json_string(text);
}

static json_t *approvers_json(const struct tenuo_approval_request_view *view)
{
    json_t *list = json_array();
    if (!list)
        cli_no_memory();
    for (size_t i = 0; i < view->approver_count; i++)
        cli_append(list, cli_key_json(view->approvers[i]));
    return list;
}

json_t *cli_ask_json(const struct tenuo_approval_request *wanted, json_t *args, const struct tenuo_stack *stack,
                     const uint8_t *context)
{
    struct tenuo_approval_request_view view = { .size = sizeof view };
    json_t *json = json_object();
    if (!json)
        cli_no_memory();
    tenuo_approval_request_get(wanted, &view);
    cli_set(json, "schema", json_string(ASK_SCHEMA));
    if (view.request_id)
        cli_set(json, "request_id", uuid_json(view.request_id));
    cli_set(json, "warrant_id", json_string(view.warrant_id));
    cli_set(json, "tool", cli_text(view.tool, view.tool_len));
    cli_set(json, "args", json_incref(args));
    cli_set(json, "request_hash", cli_hex_json(view.request_hash, TENUO_REQUEST_HASH_BYTES));
    cli_set(json, "required_approvers", approvers_json(&view));
    cli_set(json, "min_approvals", json_integer(view.threshold));
    cli_set(json, "warrant_expires_at", cli_u64_json(view.warrant_expires_at));
    if (view.request_id)
        cli_set(json, "created_at", cli_u64_json(view.created_at));
    if (view.message_len)
        cli_set(json, "message", cli_text(view.message, view.message_len));
    if (context) {
        char *text = cli_base64(CLI_BASE64URL, context, TENUO_SIGNATURE_BYTES);
        cli_set(json, "holder_signature", json_string(text));
        free(text);
    }
    cli_set(json, "warrant", cli_stack_base64url(stack));
    return json;
}

static int malformed(struct tenuo_error *err, const char *what)
{
    return cli_set_error(err, TENUO_E_PAYLOAD_STRUCTURE, "the request for approval: %s", what);
}

static const json_t *text_member(const json_t *json, const char *key, struct tenuo_error *err)
{
    const json_t *text = json_object_get(json, key);
    if (json_is_string(text))
        return text;
    cli_set_error(err, TENUO_E_PAYLOAD_STRUCTURE, "the request for approval: no text '%s'", key);
    return NULL;
}

static int read_call(struct cli_ask *ask, struct tenuo_error *err)
{
    const json_t *id = text_member(ask->json, "warrant_id", err), *tool = text_member(ask->json, "tool", err),
                 *message = json_object_get(ask->json, "message");
    if (!id || !tool)
        return err->code;
    ask->args_json = json_object_get(ask->json, "args");
    if (!json_is_object(ask->args_json))
        return malformed(err, "no object 'args'");
    if (message && !json_is_string(message))
        return malformed(err, "'message' is not text");
    if (strlen(json_string_value(id)) != json_string_length(id))
        return malformed(err, "a NUL in 'warrant_id'");
    ask->view.warrant_id = json_string_value(id);
    ask->view.tool = json_string_value(tool);
    ask->view.tool_len = json_string_length(tool);
    ask->view.message = message ? json_string_value(message) : "";
    ask->view.message_len = message ? json_string_length(message) : 0;
    int code = cli_args_build(ask->args_json, &ask->args, err);
    ask->view.args = ask->args;
    return code == TENUO_E_INVALID_ARGUMENT ? (err->code = TENUO_E_PAYLOAD_STRUCTURE) : code;
}

static int read_numbers(struct cli_ask *ask, struct tenuo_error *err)
{
    const json_t *hash = text_member(ask->json, "request_hash", err);
    uint64_t threshold;
    size_t len = 0;
    if (!hash)
        return err->code;
    if (!cli_unhex(json_string_value(hash), json_string_length(hash), ask->hash, sizeof ask->hash, &len) ||
        len != sizeof ask->hash)
        return malformed(err, "'request_hash' is not 64 hex digits");
    ask->view.request_hash = ask->hash;
    if (!u64_of(json_object_get(ask->json, "min_approvals"), &threshold) || threshold > UINT32_MAX)
        return malformed(err, "no number 'min_approvals'");
    ask->view.threshold = (uint32_t)threshold;
    if (!u64_of(json_object_get(ask->json, "warrant_expires_at"), &ask->view.warrant_expires_at))
        return malformed(err, "no number 'warrant_expires_at'");
    return TENUO_OK;
}

static int read_approvers(struct cli_ask *ask, struct tenuo_error *err)
{
    const json_t *list = json_object_get(ask->json, "required_approvers"), *key;
    size_t i, n = json_array_size(list);
    if (!json_is_array(list) || n > MAX_APPROVERS)
        return malformed(err, "no list 'required_approvers', or too long a one");
    ask->keys = cli_alloc(n, sizeof *ask->keys);
    ask->approvers = cli_alloc(n, sizeof *ask->approvers);
    json_array_foreach(list, i, key)
    {
        if (!json_is_string(key) ||
            tenuo_public_key_parse(json_string_value(key), json_string_length(key), ask->keys[i], NULL))
            return malformed(err, "'required_approvers' holds what is no public key");
        ask->approvers[i] = ask->keys[i];
    }
    ask->view.approvers = ask->approvers;
    ask->view.approver_count = n;
    return TENUO_OK;
}

static int read_chain(struct cli_ask *ask, struct tenuo_error *err)
{
    const json_t *warrant = text_member(ask->json, "warrant", err),
                 *context = json_object_get(ask->json, "holder_signature");
    if (!warrant)
        return err->code;
    ask->signed_by_holder = context != NULL;
    if (context && (!json_is_string(context) ||
                    !cli_signature_parse(json_string_value(context), json_string_length(context), ask->context)))
        return malformed(err, "'holder_signature' is not 64 bytes as base64url or base64");
    struct tenuo_error why;
    int code = tenuo_stack_parse_any((const uint8_t *)json_string_value(warrant), json_string_length(warrant),
                                     &ask->stack, &why);
    return code ? cli_set_error(err, code, "the chain in the request: %.200s", why.msg) : TENUO_OK;
}

static int read_object(struct cli_ask *ask, struct tenuo_error *err)
{
    json_t *inner = json_object_get(ask->json, "approval_request");
    if (inner) {
        json_incref(inner);
        json_decref(ask->json);
        ask->json = inner;
    }
    const char *schema = json_string_value(json_object_get(ask->json, "schema"));
    if (!schema || strcmp(schema, ASK_SCHEMA) != 0)
        return malformed(err, "its schema is not " ASK_SCHEMA);
    int code = read_call(ask, err);
    if (!code)
        code = read_numbers(ask, err);
    if (!code)
        code = read_approvers(ask, err);
    return code ? code : read_chain(ask, err);
}

int cli_ask_parse(const char *text, size_t len, struct cli_ask *ret, struct tenuo_error *err)
{
    struct cli_ask ask = { .view.size = sizeof ask.view };
    ask.json = cli_json_load("the request for approval", text, len, err);
    if (!ask.json)
        return err->code = TENUO_E_PAYLOAD_STRUCTURE;
    int code = json_is_object(ask.json) ? read_object(&ask, err) : malformed(err, "not an object");
    if (code) {
        cli_ask_free(&ask);
        return code;
    }
    *ret = ask;
    ret->view.request_hash = ret->hash; /* the only part of the view that has moved */
    return TENUO_OK;
}

int cli_ask_read(const char *path, struct cli_ask *ret, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    struct cli_bytes file = { 0 };
    int code = cli_read_file(path, CLI_MAX_JSON_FILE, &file, err);
    if (code)
        return code;
    code = cli_ask_parse((const char *)file.data, file.len, ret, &why);
    cli_bytes_free(&file);
    return code ? cli_set_error(err, code, "%.100s: %.150s", strcmp(path, "-") == 0 ? "standard input" : path, why.msg)
                : TENUO_OK;
}

void cli_ask_free(struct cli_ask *ask)
{
    tenuo_args_free(ask->args);
    tenuo_stack_free(ask->stack);
    free(ask->keys);
    free(ask->approvers);
    json_decref(ask->json);
    *ask = (struct cli_ask){ 0 };
}

static void print_label(FILE *out, const char *label)
{
    fprintf(out, "  %-11s ", label);
}

static void print_key(FILE *out, const char *label, const uint8_t key[TENUO_PUBLIC_KEY_BYTES])
{
    char text[44], fingerprint[TENUO_FINGERPRINT_TEXT_BYTES];
    tenuo_public_key_base64url(key, text);
    tenuo_fingerprint(key, fingerprint);
    print_label(out, label);
    fprintf(out, "%s (%s)\n", text, fingerprint);
}

static void print_time(FILE *out, const char *label, uint64_t when)
{
    char text[CLI_TIME_TEXT];
    cli_time_text(when, text);
    print_label(out, label);
    fprintf(out, "%s\n", text);
}

static void print_json(FILE *out, const json_t *json)
{
    char *text =
        json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    if (!text)
        cli_no_memory();
    size_t n = strlen(text);
    if (n <= MOST_SHOWN) {
        cli_print_ascii(out, text, n);
    } else { /* or what matters would scroll away above a question */
        cli_print_ascii(out, text, MOST_SHOWN - SHOWN_END);
        fprintf(out, " ... CUT: %zu characters, the whole stands in the request ... ", n);
        cli_print_ascii(out, text + n - SHOWN_END, SHOWN_END);
    }
    free(text);
}

/* A name that could be taken for more than a name is quoted. */
static void print_name(FILE *out, const char *name, size_t len)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    if (len && strspn(name, plain) == len) {
        fputs(name, out);
        return;
    }
    json_t *quoted = cli_text(name, len);
    print_json(out, quoted);
    json_decref(quoted);
}

/* Values as JSON, so that a text and a number can be told apart. */
static void print_args(FILE *out, json_t *args)
{
    const char *label = "arguments";
    if (json_object_size(args) == 0) {
        print_label(out, label);
        fputs("none\n", out);
    }
    for (void *i = json_object_iter(args); i; i = json_object_iter_next(args, i), label = "") {
        print_label(out, label);
        print_name(out, json_object_iter_key(i), json_object_iter_key_len(i));
        fputs(" = ", out);
        print_json(out, json_object_iter_value(i));
        putc('\n', out);
    }
}

void cli_ask_print(FILE *out, const struct cli_ask *ask, uint64_t now, uint64_t lifetime)
{
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(ask->stack);
    print_label(out, "tool");
    cli_print_escaped(out, ask->view.tool, ask->view.tool_len);
    putc('\n', out);
    print_args(out, ask->args_json);
    print_key(out, "holder", tenuo_warrant_holder(leaf));
    print_key(out, "root", tenuo_warrant_issuer(tenuo_stack_warrant(ask->stack, 0)));
    print_label(out, "warrant");
    cli_print_escaped(out, ask->view.warrant_id, strlen(ask->view.warrant_id));
    fprintf(out, " (%zu in its chain)\n", tenuo_stack_length(ask->stack));
    print_time(out, "expires", tenuo_warrant_expires_at(leaf));
    print_label(out, "message");
    cli_print_escaped(out, ask->view.message, ask->view.message_len);
    putc('\n', out);
    print_label(out, "needs");
    fprintf(out, "%u of %zu approvers\n", ask->view.threshold, ask->view.approver_count);
    print_label(out, "asked by");
    fputs(ask->signed_by_holder ? "the holder, who signed this request\n"
                                : "anybody: the holder did not sign this request\n",
          out);
    print_time(out, "approved to", now + lifetime);
}
