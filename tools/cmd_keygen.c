/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo keygen. The secret goes to a file of mode 0600 that must not exist, into a key store, or to standard output on
 * request; nowhere else, and onto a terminal only when that is asked for in so many words.
 */
#include "key.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_PUBLIC = CLI_OPT_FIRST, OPT_PKCS8, OPT_TO, OPT_ALSO_PUBLIC, OPT_SHOW_SECRET };

struct keygen {
    struct cli *cli;
    const char *name, *public_of, *to, *also_public;
    bool force, show_secret;
    int pkcs8; /* 0: not given */
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
        return cli_once(k->cli, &k->public_of, arg);
    case OPT_TO:
        return cli_once(k->cli, &k->to, arg);
    case OPT_ALSO_PUBLIC:
        return cli_once(k->cli, &k->also_public, arg);
    case OPT_SHOW_SECRET:
        k->show_secret = true;
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
    { "to", OPT_TO, "STORE:ID", 0, "Make the key in this store of the configuration, under an id that is free", 9 },
    { "also-public", OPT_ALSO_PUBLIC, "FILE", 0, "--to: write the public key to this file as well", 9 },
    { "force", 'f', NULL, 0, "Replace files that are there; a key in a store is never replaced", 10 },
    { "public", OPT_PUBLIC, "FILE", 0, "Make no key: print the public key of this secret key file", 10 },
    { "pkcs8", OPT_PKCS8, "VERSION", 0, "Version of the secret's PEM: 1 (default) or 2", 10 },
    { "show-secret", OPT_SHOW_SECRET, NULL, 0, "NAME is -: also when standard output is a terminal", 10 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "NAME|-\n--to STORE:ID\n--public FILE",
    "Make an Ed25519 key pair: NAME.key (mode 0600) and NAME.pub. With - the secret goes to standard output. With --to "
    "it is made in a key store and stays there; STORE is what name= of its resolver line says, or else the module.\v"
    "Examples:\n"
    "  tenuo keygen alice\n"
    "  tenuo keygen --to keyring:alice --also-public alice.pub\n"
    "  tenuo keygen --to vault:web --service web\n"
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
        code = tenuo_signer_secret_pem(signer, k->pkcs8 ? k->pkcs8 : 1, pem, err);
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

/* What does not go together; NULL: all of it does. */
static const char *conflict(const struct keygen *k)
{
    if ((k->name != NULL) + (k->public_of != NULL) + (k->to != NULL) != 1)
        return "give a NAME for a new key pair, - for standard output, --to STORE:ID or --public FILE";
    if (!k->to && (k->also_public || k->cli->conf || k->cli->service))
        return "--also-public, --conf and --service go with --to";
    if (k->to && k->pkcs8)
        return "--pkcs8 is about a file; a store has its own form";
    if (!k->name || strcmp(k->name, "-") != 0)
        return k->show_secret ? "--show-secret goes with -" : NULL;
    if (k->cli->json)
        return "--json never prints a secret: give a NAME instead of -";
    if (isatty(STDOUT_FILENO) && !k->show_secret)
        return "the secret would stand on the terminal: send it into a pipe or a file, or say --show-secret";
    return NULL;
}

int cmd_keygen(struct cli *cli, int argc, char **argv)
{
    struct keygen k = { .cli = cli };
    struct tenuo_error err = { 0 };
    int status, code;
    cli->keys_only = TENUO_OPEN_KEYS; /* the first key comes before there is a root to trust */
    if (!cli_parse(cli, &parser, argc, argv, &k, &status))
        return status;
    const char *wrong = conflict(&k);
    if (wrong)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "%s", wrong);
    cli_hold_secret();
    if (k.to)
        code = key_generate(cli, k.to, k.also_public, k.force, &err);
    else
        code = k.name ? generate(&k, &err) : show_public(&k, &err);
    return code ? cli_fail(cli, &err) : CLI_YES;
}
