/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approvals that come with a call, and what a decision says about them: who approved, what did not count and why, and
 * when the call still needs some, the request that `tenuo approve` takes. Decides nothing.
 */
#include "ask.h"

#include <string.h>

int cli_add_approvals(struct tenuo_request *request, const char *const *files, size_t count, struct tenuo_error *err)
{
    int code = TENUO_OK;
    for (size_t i = 0; i < count && !code; i++) {
        struct cli_bytes file = { 0 };
        struct tenuo_error why;
        code = cli_read_file(files[i], CLI_MAX_JSON_FILE, &file, err);
        if (!code && (code = tenuo_request_add_approvals(request, file.data, file.len, &why)))
            cli_set_error(err, code, "%.96s: %s", files[i], why.msg);
        cli_bytes_free(&file);
    }
    return code;
}

static json_t *approved_json(const struct tenuo_decision *decision)
{
    json_t *list = json_array();
    if (!list)
        cli_no_memory();
    for (size_t i = 0; i < tenuo_decision_approved_count(decision); i++)
        cli_append(list, cli_key_json(tenuo_decision_approved_by(decision, i)));
    return list;
}

static json_t *rejected_json(const struct tenuo_decision *decision)
{
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    for (enum tenuo_approval_class c = 0; c < TENUO_APPROVAL_CLASSES; c++) {
        uint32_t n = tenuo_decision_approvals_rejected(decision, c);
        if (n)
            cli_set(object, tenuo_approval_class_name(c), json_integer(n));
    }
    return object;
}

static json_t *request_json(const struct tenuo_approval_request *wanted, json_t *args, const struct cli_bytes *bytes)
{
    struct tenuo_stack *stack = NULL;
    if (tenuo_stack_parse_any(bytes->data, bytes->len, &stack, NULL))
        return json_null(); /* not reached: the decision has read it */
    json_t *json = cli_ask_json(wanted, args, stack, NULL);
    tenuo_stack_free(stack);
    return json;
}

void cli_set_approvals(json_t *object, const struct tenuo_decision *decision, json_t *args,
                       const struct cli_bytes *bytes)
{
    const struct tenuo_approval_request *wanted = tenuo_decision_approval_request(decision);
    uint32_t required = tenuo_decision_approvals_required(decision);
    if (!required)
        return;
    json_t *rejected = rejected_json(decision);
    cli_set(object, "approvals_required", json_integer(required));
    cli_set(object, "approved_by", approved_json(decision));
    if (json_object_size(rejected))
        cli_set(object, "approvals_rejected", json_incref(rejected));
    json_decref(rejected);
    if (wanted)
        cli_set(object, "approval_request", request_json(wanted, args, bytes));
}

static void print_keys(const char *label, const json_t *list)
{
    const json_t *key;
    size_t i;
    json_array_foreach(list, i, key) printf("  %-11s %s\n", i ? "" : label, json_string_value(key));
}

static void print_rejected(json_t *rejected)
{
    for (void *i = json_object_iter(rejected); i; i = json_object_iter_next(rejected, i))
        printf("  %-11s %lld %s\n", i == json_object_iter(rejected) ? "rejected" : "",
               (long long)json_integer_value(json_object_iter_value(i)), json_object_iter_key(i));
}

void cli_print_approvals(const json_t *object)
{
    const json_t *request = json_object_get(object, "approval_request"), *message = json_object_get(request, "message");
    print_keys("approved by", json_object_get(object, "approved_by"));
    print_rejected(json_object_get(object, "approvals_rejected"));
    if (!json_is_object(request))
        return;
    printf("  %-11s needs %lld of these approvers; 'tenuo request' asks them\n", "approval",
           (long long)json_integer_value(json_object_get(request, "min_approvals")));
    print_keys("approvers", json_object_get(request, "required_approvers"));
    if (message) {
        printf("  %-11s ", "message");
        cli_print_escaped(stdout, json_string_value(message), json_string_length(message));
        putchar('\n');
    }
    printf("  %-11s %s\n", "call", json_string_value(json_object_get(request, "request_hash")));
}
