/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that a warrant says, for people and for programs. Nothing here has been verified, and the text comes from
 * strangers: it is escaped for the terminal. One walk builds the JSON; the text is printed from the same JSON, so that
 * neither view hides a field.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

json_t *cli_hex_json(const uint8_t *bytes, size_t len)
{
    char *text = cli_alloc(2 * len + 1, 1);
    cli_hex(bytes, len, text);
    json_t *json = json_string(text);
    free(text);
    return json;
}

json_t *cli_key_json(const uint8_t key[TENUO_PUBLIC_KEY_BYTES])
{
    char text[44];
    tenuo_public_key_base64url(key, text);
    return json_string(text);
}

static json_t *new_array(void)
{
    json_t *array = json_array();
    if (!array)
        cli_no_memory();
    return array;
}

static json_t *new_object(void)
{
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    return object;
}

static const char *type_name(unsigned type)
{
    static const char *const names[] = {
        [TENUO_C_EXACT] = "exact",     [TENUO_C_PATTERN] = "pattern",  [TENUO_C_RANGE] = "range",
        [TENUO_C_ONE_OF] = "oneof",    [TENUO_C_REGEX] = "regex",      [TENUO_C_NOT_ONE_OF] = "notoneof",
        [TENUO_C_CIDR] = "cidr",       [TENUO_C_URL_PATTERN] = "url",  [TENUO_C_CONTAINS] = "contains",
        [TENUO_C_SUBSET] = "subset",   [TENUO_C_ALL] = "all",          [TENUO_C_ANY] = "any",
        [TENUO_C_NOT] = "not",         [TENUO_C_CEL] = "cel",          [TENUO_C_WILDCARD] = "wildcard",
        [TENUO_C_SUBPATH] = "subpath", [TENUO_C_URL_SAFE] = "urlsafe", [TENUO_C_SHLEX] = "shlex"
    };
    return type < sizeof names / sizeof names[0] && names[type] ? names[type] : "unknown";
}

json_t *cli_constraint_json(const struct tenuo_constraint *c)
{
    json_t *object = new_object();
    size_t len, size = 512;
    char *text = cli_alloc(size, 1);
    const uint8_t *cbor = tenuo_constraint_cbor(c, &len);
    if (size < 8 * len + 512) { /* nothing is cut: a description is a few times its bytes */
        free(text);
        text = cli_alloc(size = 8 * len + 512, 1);
    }
    size_t n = tenuo_constraint_describe(c, text, size);
    cli_set(object, "type", json_integer((json_int_t)tenuo_constraint_get_type(c)));
    cli_set(object, "type_name", json_string(type_name(tenuo_constraint_get_type(c))));
    cli_set(object, "text", cli_text(text, n < size ? n : size - 1));
    cli_set(object, "cbor", cli_hex_json(cbor, len));
    free(text);
    return object;
}

static void set_json(json_t *object, const struct tenuo_constraint_set *set)
{
    json_t *list = new_array();
    for (size_t i = 0; i < tenuo_constraint_set_count(set); i++) {
        const char *name;
        size_t len;
        const struct tenuo_constraint *c = tenuo_constraint_set_get(set, i, &name, &len);
        json_t *entry = cli_constraint_json(c);
        cli_set(entry, "argument", cli_text(name, len));
        cli_append(list, entry);
    }
    cli_set(object, "allow_unknown", json_boolean(tenuo_constraint_set_allows_unknown(set)));
    cli_set(object, "constraints", list);
}

static json_t *tools_json(const struct tenuo_warrant *w)
{
    json_t *tools = new_array();
    for (size_t i = 0; i < tenuo_warrant_tool_count(w); i++) {
        size_t len;
        const char *name = tenuo_warrant_tool_name(w, i, &len);
        json_t *tool = new_object();
        cli_set(tool, "tool", cli_text(name, len));
        set_json(tool, tenuo_warrant_tool_set(w, i));
        cli_append(tools, tool);
    }
    return tools;
}

static void lists_json(json_t *object, const struct tenuo_warrant *w)
{
    json_t *issuable = new_array(), *approvers = new_array(), *extensions = new_array();
    size_t len;
    for (size_t i = 0; i < tenuo_warrant_issuable_count(w); i++) {
        const char *name = tenuo_warrant_issuable_name(w, i, &len);
        cli_append(issuable, cli_text(name, len));
    }
    for (size_t i = 0; i < tenuo_warrant_approver_count(w); i++)
        cli_append(approvers, cli_key_json(tenuo_warrant_approver(w, i)));
    for (size_t i = 0; i < tenuo_warrant_extension_count(w); i++) {
        json_t *extension = new_object();
        const char *key = tenuo_warrant_extension_key(w, i, &len);
        cli_set(extension, "key", cli_text(key, len));
        const uint8_t *value = tenuo_warrant_extension_value(w, i, &len);
        cli_set(extension, "value_hex", cli_hex_json(value, len));
        cli_append(extensions, extension);
    }
    cli_set(object, "issuable_tools", issuable);
    cli_set(object, "approvers", approvers);
    cli_set(object, "extensions", extensions);
}

static void time_json(json_t *object, const char *key, uint64_t when)
{
    char name[32], text[CLI_TIME_TEXT];
    cli_time_text(when, text);
    cli_set(object, key, cli_u64_json(when));
    snprintf(name, sizeof name, "%s_text", key);
    cli_set(object, name, json_string(text));
}

static void optional_json(json_t *object, const struct tenuo_warrant *w)
{
    size_t len;
    const char *text;
    int level = tenuo_warrant_clearance(w);
    if (level >= 0) {
        const char *word = tenuo_clearance_name((uint8_t)level);
        cli_set(object, "clearance", json_integer(level));
        if (word)
            cli_set(object, "clearance_name", json_string(word));
    }
    if (tenuo_warrant_max_issue_depth(w) >= 0)
        cli_set(object, "max_issue_depth", json_integer(tenuo_warrant_max_issue_depth(w)));
    if ((text = tenuo_warrant_session_id(w, &len)))
        cli_set(object, "session_id", cli_text(text, len));
    if ((text = tenuo_warrant_agent_id(w, &len)))
        cli_set(object, "agent_id", cli_text(text, len));
    if (tenuo_warrant_min_approvals(w) >= 0)
        cli_set(object, "min_approvals", json_integer(tenuo_warrant_min_approvals(w)));
    if (tenuo_warrant_parent_hash(w))
        cli_set(object, "parent_hash", cli_hex_json(tenuo_warrant_parent_hash(w), 32));
}

static json_t *warrant_json(const struct tenuo_warrant *w)
{
    json_t *object = new_object();
    char id[TENUO_WARRANT_ID_TEXT_BYTES], fingerprint[TENUO_FINGERPRINT_TEXT_BYTES];
    uint8_t hash[32];
    tenuo_warrant_id_text(tenuo_warrant_id(w), id);
    cli_set(object, "id", json_string(id));
    cli_set(object, "type", json_string(tenuo_warrant_get_type(w) == TENUO_ISSUER ? "issuer" : "execution"));
    cli_set(object, "depth", json_integer(tenuo_warrant_depth(w)));
    cli_set(object, "max_depth", json_integer(tenuo_warrant_max_depth(w)));
    cli_set(object, "issuer", cli_key_json(tenuo_warrant_issuer(w)));
    tenuo_fingerprint(tenuo_warrant_issuer(w), fingerprint);
    cli_set(object, "issuer_fingerprint", json_string(fingerprint));
    cli_set(object, "holder", cli_key_json(tenuo_warrant_holder(w)));
    tenuo_fingerprint(tenuo_warrant_holder(w), fingerprint);
    cli_set(object, "holder_fingerprint", json_string(fingerprint));
    time_json(object, "issued_at", tenuo_warrant_issued_at(w));
    time_json(object, "expires_at", tenuo_warrant_expires_at(w));
    optional_json(object, w);
    cli_set(object, "tools", tools_json(w));
    if (tenuo_warrant_bounds(w)) {
        json_t *bounds = new_object();
        set_json(bounds, tenuo_warrant_bounds(w));
        cli_set(object, "bounds", bounds);
    }
    lists_json(object, w);
    cli_set_gates(object, w);
    tenuo_warrant_payload_hash(w, hash);
    cli_set(object, "payload_hash", cli_hex_json(hash, sizeof hash));
    cli_set(object, "signature", cli_hex_json(tenuo_warrant_signature(w), TENUO_SIGNATURE_BYTES));
    return object;
}

json_t *cli_describe_stack(const struct tenuo_stack *stack)
{
    json_t *list = new_array();
    for (size_t i = 0; i < tenuo_stack_length(stack); i++)
        cli_append(list, warrant_json(tenuo_stack_warrant(stack, i)));
    return list;
}

static void print_text(const json_t *json)
{
    if (json_is_string(json))
        cli_print_escaped(stdout, json_string_value(json), json_string_length(json));
    else if (json_is_integer(json))
        printf("%lld", (long long)json_integer_value(json));
}

static void print_set(const char *label, const json_t *name, const json_t *set)
{
    const json_t *list = json_object_get(set, "constraints"), *c;
    size_t i;
    printf("  %-16s ", label);
    print_text(name);
    bool open = json_is_true(json_object_get(set, "allow_unknown"));
    if (json_array_size(list) == 0)
        fputs("  (no constraints: every argument is allowed)", stdout);
    else if (open)
        fputs("  (other arguments are allowed too)", stdout);
    putchar('\n');
    json_array_foreach(list, i, c)
    {
        fputs("    ", stdout);
        print_text(json_object_get(c, "argument"));
        fputs(": ", stdout);
        const json_t *text = json_object_get(c, "text");
        cli_print_ascii(stdout, json_string_value(text), json_string_length(text));
        putchar('\n');
    }
}

static void print_list(const char *label, const json_t *list)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *key = json_string_value(json_object_get(item, "key"));
        if (key && strcmp(key, "tenuo.approval_gates") == 0)
            continue; /* said in words */
        printf("  %-16s ", label);
        if (json_is_object(item)) {
            print_text(json_object_get(item, "key"));
            fputs(" = ", stdout);
            item = json_object_get(item, "value_hex");
        }
        print_text(item);
        putchar('\n');
    }
}

static void print_scalars(const json_t *w)
{
    static const struct {
        const char *key, *label, *also;
    } rows[] = { { "type", "type", NULL },
                 { "depth", "depth", NULL },
                 { "max_depth", "max depth", NULL },
                 { "issuer", "issuer", "issuer_fingerprint" },
                 { "holder", "holder", "holder_fingerprint" },
                 { "issued_at_text", "issued", NULL },
                 { "expires_at_text", "expires", NULL },
                 { "clearance", "clearance", "clearance_name" },
                 { "max_issue_depth", "max issue depth", NULL },
                 { "session_id", "session", NULL },
                 { "agent_id", "agent", NULL },
                 { "min_approvals", "min approvals", NULL },
                 { "approvals_needed", "approvals needed", NULL },
                 { "parent_hash", "parent hash", NULL },
                 { "payload_hash", "payload hash", NULL },
                 { "signature", "signature", NULL } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *value = json_object_get(w, rows[i].key),
                     *also = rows[i].also ? json_object_get(w, rows[i].also) : NULL;
        if (!value)
            continue;
        printf("  %-16s ", rows[i].label);
        print_text(value);
        if (also) {
            fputs(" (", stdout);
            print_text(also);
            putchar(')');
        }
        putchar('\n');
    }
}

void cli_print_stack(const struct tenuo_stack *stack)
{
    json_t *list = cli_describe_stack(stack);
    const json_t *w, *tool;
    size_t i, k, count = json_array_size(list);
    json_array_foreach(list, i, w)
    {
        printf("Warrant %zu of %zu%s: %s\n", i + 1, count,
               count == 1       ? ""
               : i == 0         ? " (root)"
               : i + 1 == count ? " (leaf)"
                                : "",
               json_string_value(json_object_get(w, "id")));
        print_scalars(w);
        json_array_foreach(json_object_get(w, "tools"), k, tool) print_set("tool", json_object_get(tool, "tool"), tool);
        print_list("issuable tool", json_object_get(w, "issuable_tools"));
        if (json_object_get(w, "bounds"))
            print_set("bounds", NULL, json_object_get(w, "bounds"));
        print_list("approver", json_object_get(w, "approvers"));
        cli_print_gates(w);
        print_list("extension", json_object_get(w, "extensions"));
    }
    json_decref(list);
}
