/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo sign. The proof of possession for one call, by the holder of a warrant. Checks nothing about the warrant but
 * its form. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPT_KEY = CLI_OPT_FIRST, OPT_KEY_ID, OPT_WARRANT, OPT_ARGS, OPT_AT, OPT_FORM };

struct sign {
    struct cli *cli;
    json_t *args;
    const char *warrant, *tool, *key, *key_id, *out, *form;
    bool has_at;
    int64_t at;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct sign *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = s->cli;
        return 0;
    case OPT_WARRANT:
    case ARGP_KEY_ARG:
        return cli_once(s->cli, &s->warrant, arg);
    case OPT_KEY:
        return cli_once(s->cli, &s->key, arg);
    case OPT_KEY_ID:
        return cli_once(s->cli, &s->key_id, arg);
    case 't':
        return cli_once(s->cli, &s->tool, arg);
    case 'o':
        return cli_once(s->cli, &s->out, arg);
    case 'a':
    case OPT_ARGS:
        return cli_args_option(s->cli, s->args, key, arg);
    case OPT_AT:
        s->has_at = true;
        return cli_time_parse(arg, &s->at)
                   ? 0
                   : cli_usage(s->cli, "--at wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds");
    case OPT_FORM:
        if (strcmp(arg, "base64url") != 0 && strcmp(arg, "base64") != 0 && strcmp(arg, "hex") != 0)
            return cli_usage(s->cli, "--form is base64url, base64 or hex");
        return cli_once(s->cli, &s->form, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "tool", 't', "NAME", 0, "The tool that will be called", 9 },
    { "arg", 'a', "NAME=TEXT", 0, "An argument; NAME:=JSON for other values than text (repeatable)", 9 },
    { "args", OPT_ARGS, "JSON", 0, "Arguments as a JSON object; @FILE or - reads it", 9 },
    { "warrant", OPT_WARRANT, "WARRANT", 0, "The warrant, instead of the word after the options", 10 },
    { "key", OPT_KEY, "FILE", 0, "The holder's key file; - is standard input", 10 },
    { "key-id", OPT_KEY_ID, "ID", 0, "The holder's key from the key stores of the configuration", 10 },
    { "at", OPT_AT, "TIME", 0, "Sign for this time instead of now", 11 },
    { "form", OPT_FORM, "FORM", 0, "base64url (default), base64 or hex", 15 },
    { "output", 'o', "FILE", 0, "Written beside and renamed; - is standard output, the default", 15 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "WARRANT",
    "Sign a call: the proof that its maker holds the warrant's key. It is good for about a minute and a half.\v"
    "A number written with '.', 'e' or 'E' is a float; 1 and 1.0 give different signatures.\n"
    "Examples:\n"
    "  tenuo sign alice.tenuo --key alice.key \\\n"
    "      --tool read_file -a path=/data/a.txt\n"
    "  tenuo sign alice.tenuo --key-id alice --service web \\\n"
    "      --tool resize --args @call.json -o pop.sig\n",
    children,
    cli_help_filter,
    NULL
};

static char *signature_text(const struct sign *s, const uint8_t signature[TENUO_SIGNATURE_BYTES])
{
    if (s->form && strcmp(s->form, "hex") == 0) {
        char *text = cli_alloc(2 * TENUO_SIGNATURE_BYTES + 2, 1);
        cli_hex(signature, TENUO_SIGNATURE_BYTES, text);
        return text;
    }
    return cli_base64(s->form && strcmp(s->form, "base64") == 0 ? CLI_BASE64 : CLI_BASE64URL, signature,
                      TENUO_SIGNATURE_BYTES);
}

static int report(struct sign *s, const struct tenuo_warrant *leaf, const uint8_t signature[TENUO_SIGNATURE_BYTES],
                  struct tenuo_error *err)
{
    char *text = signature_text(s, signature), *line = NULL, id[TENUO_WARRANT_ID_TEXT_BYTES];
    bool to_file = s->out && strcmp(s->out, "-") != 0;
    int code = TENUO_OK;
    if (asprintf(&line, "%s\n", text) < 0)
        cli_no_memory();
    if (!s->cli->json || to_file)
        code = cli_write_file(s->out ? s->out : "-", line, strlen(line), 0644, false, err);
    if (!code && s->cli->json) {
        json_t *object = cli_object(s->cli, true);
        tenuo_warrant_id_text(tenuo_warrant_id(leaf), id);
        cli_set(object, "warrant_id", json_string(id));
        cli_set(object, "tool", cli_text(s->tool, strlen(s->tool)));
        cli_set(object, "signed_at", json_integer(s->at));
        cli_set(object, "signature", json_string(text));
        cli_emit(s->cli, object);
    }
    free(text);
    free(line);
    return code;
}

static int check_options(const struct sign *s, struct tenuo_error *err)
{
    if (!s->warrant || !s->tool)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             s->warrant ? "name the tool with --tool"
                                        : "name the warrant: a file, - or the text itself");
    if (strcmp(s->warrant, "-") == 0 && s->key && strcmp(s->key, "-") == 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "the warrant and the key cannot both come from standard input");
    return TENUO_OK;
}

static int sign(struct sign *s, struct tenuo_error *err)
{
    struct tenuo_stack *stack = NULL;
    struct tenuo_signer *signer = NULL;
    struct tenuo_args *args = NULL;
    uint8_t signature[TENUO_SIGNATURE_BYTES];
    if (!s->has_at)
        s->at = (int64_t)time(NULL);
    int code = check_options(s, err);
    if (!code)
        code = cli_args_build(s->args, &args, err);
    if (!code)
        code = cli_read_stack(s->warrant, &stack, err);
    if (!code)
        code = cli_signer(s->cli, s->key, s->key_id, tenuo_warrant_holder(tenuo_stack_leaf(stack)), &signer, err);
    if (!code)
        code = tenuo_pop_sign(signer, tenuo_stack_leaf(stack), s->tool, strlen(s->tool), args, s->at, signature, err);
    if (!code)
        code = report(s, tenuo_stack_leaf(stack), signature, err);
    tenuo_args_free(args);
    tenuo_signer_free(signer);
    tenuo_stack_free(stack);
    return code;
}

int cmd_sign(struct cli *cli, int argc, char **argv)
{
    struct sign s = { .cli = cli, .args = cli_args_new() };
    struct tenuo_error err = { 0 };
    int status;
    cli->keys_only = TENUO_OPEN_KEYS; /* who signs need not know whom others trust */
    if (cli_parse(cli, &parser, argc, argv, &s, &status))
        status = sign(&s, &err) ? cli_fail(cli, &err) : CLI_YES;
    json_decref(s.args);
    return status;
}
