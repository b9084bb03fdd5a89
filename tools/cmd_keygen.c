/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo keygen. The secret goes to a file of mode 0600 that must not exist, or to standard output on request; nowhere
 * else.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_FORCE = CLI_OPT_FIRST, OPT_PUBLIC, OPT_PKCS8 };

struct keygen {
    struct cli *cli;
    const char *name, *public_of;
    bool force;
    int pkcs8;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct keygen *k = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = k->cli;
        return 0;
    case 'f':
        k->force = true;
        return 0;
    case OPT_PUBLIC:
        k->public_of = arg;
        return 0;
    case OPT_PKCS8:
        if (strcmp(arg, "1") != 0 && strcmp(arg, "2") != 0)
            return cli_usage(k->cli, "--pkcs8 is 1 or 2");
        k->pkcs8 = *arg - '0';
        return 0;
    case ARGP_KEY_ARG:
        if (k->name)
            return cli_usage(k->cli, "'%.64s' is one word too many", arg);
        k->name = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "force", 'f', NULL, 0, "Replace key files that are there", 10 },
    { "public", OPT_PUBLIC, "FILE", 0, "Make no key: print the public key of this secret key file", 10 },
    { "pkcs8", OPT_PKCS8, "VERSION", 0, "Version of the secret's PEM: 1 (default) or 2", 10 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "NAME|-",
    "Make an Ed25519 key pair: NAME.key (mode 0600) and NAME.pub. With - the secret goes to standard output.\v"
    "Examples:\n"
    "  tenuo keygen alice\n"
    "  tenuo keygen - | systemd-creds encrypt - alice.cred\n"
    "  tenuo keygen --public alice.key\n",
    children,
    cli_help_filter,
    NULL
};

static void report(struct keygen *k, const struct tenuo_signer *signer, const char *secret_file,
                   const char *public_file)
{
    const uint8_t *key = tenuo_signer_public_key(signer);
    char fingerprint[TENUO_FINGERPRINT_TEXT_BYTES], text[44];
    tenuo_fingerprint(key, fingerprint);
    tenuo_public_key_base64url(key, text);
    if (!k->cli->json) {
        if (secret_file) {
            cli_line(stdout, "secret key   %s", secret_file);
            cli_line(stdout, "public key   %s", public_file);
        }
        printf("key          %s\nfingerprint  %s\n", text, fingerprint);
        return;
    }
    json_t *object = cli_object(k->cli, true);
    if (secret_file) {
        cli_set(object, "secret_file", cli_text(secret_file, strlen(secret_file)));
        cli_set(object, "public_file", cli_text(public_file, strlen(public_file)));
    }
    cli_set(object, "public_key", json_string(text));
    cli_set(object, "fingerprint", json_string(fingerprint));
    cli_emit(k->cli, object);
}

/* Both or neither: a pair of which one half is there already is not touched. */
static int write_pair(struct keygen *k, const struct tenuo_signer *signer, const char *pem, const char *public_pem,
                      struct tenuo_error *err)
{
    char *secret_file = NULL, *public_file = NULL;
    int code;
    if (asprintf(&secret_file, "%s.key", k->name) < 0 || asprintf(&public_file, "%s.pub", k->name) < 0)
        cli_no_memory();
    if (!k->force && access(public_file, F_OK) == 0)
        code = cli_set_error(err, TENUO_E_SYSTEM, "%s: is there already; --force replaces it", public_file);
    else
        code = cli_write_file(secret_file, pem, strlen(pem), 0600, !k->force, err);
    if (!code && (code = cli_write_file(public_file, public_pem, strlen(public_pem), 0644, !k->force, err)) &&
        !k->force)
        unlink(secret_file);
    if (!code)
        report(k, signer, secret_file, public_file);
    free(secret_file);
    free(public_file);
    return code;
}

static int generate(struct keygen *k, struct tenuo_error *err)
{
    char pem[TENUO_SECRET_PEM_MAX_BYTES], public_pem[TENUO_PUBLIC_PEM_MAX_BYTES];
    struct tenuo_signer *signer = NULL;
    int code = tenuo_signer_generate(&signer, err);
    if (!code)
        code = tenuo_signer_secret_pem(signer, k->pkcs8, pem, err);
    if (!code) {
        tenuo_public_key_pem(tenuo_signer_public_key(signer), public_pem);
        if (strcmp(k->name, "-") != 0) {
            code = write_pair(k, signer, pem, public_pem, err);
        } else {
            code = cli_write_file("-", pem, strlen(pem), 0600, false, err);
            fputs(public_pem, stderr);
        }
    }
    tenuo_wipe(pem, sizeof pem);
    tenuo_signer_free(signer);
    return code;
}

static int show_public(struct keygen *k, struct tenuo_error *err)
{
    struct tenuo_signer *signer = NULL;
    char pem[TENUO_PUBLIC_PEM_MAX_BYTES];
    int code = cli_signer(k->cli, k->public_of, NULL, NULL, &signer, err);
    if (code)
        return code;
    tenuo_public_key_pem(tenuo_signer_public_key(signer), pem);
    if (k->cli->json)
        report(k, signer, NULL, NULL);
    else
        fputs(pem, stdout);
    tenuo_signer_free(signer);
    return code;
}

int cmd_keygen(struct cli *cli, int argc, char **argv)
{
    struct keygen k = { .cli = cli, .pkcs8 = 1 };
    struct tenuo_error err = { 0 };
    int status;
    if (!cli_parse(cli, &parser, argc, argv, &k, &status))
        return status;
    if (!k.name == !k.public_of)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT,
                         "give a NAME for a new key pair, - for standard output, or --public FILE");
    if (cli->json && k.name && strcmp(k.name, "-") == 0)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "--json never prints a secret: give a NAME instead of -");
    int code = k.name ? generate(&k, &err) : show_public(&k, &err);
    return code ? cli_fail(cli, &err) : CLI_YES;
}
