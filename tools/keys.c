/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys as options name them: a public key as text or as a file that holds one, a signer from a file or from the key
 * stores of the configuration. An option that cannot be read ends the run: it is never skipped.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int cli_public_key(const char *option, const char *text, uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                   struct tenuo_error *err)
{
    struct stat st;
    size_t len = strlen(text);
    bool file = stat(text, &st) == 0 || strcmp(text, "-") == 0;
    if (!file && tenuo_public_key_parse(text, len, ret_key, NULL) == TENUO_OK)
        return TENUO_OK;
    if (!file && !strchr(text, '/') && !strchr(text, '.')) /* not quoted: it may be a secret in the wrong place */
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "%s: the value is neither a file nor an Ed25519 public key (PEM, hex or base64)", option);
    struct cli_bytes b = { 0 };
    if (cli_read_file(text, CLI_MAX_KEY_FILE, &b, err)) {
        if (err->code == TENUO_E_TOO_LARGE)
            err->code = TENUO_E_KEY_INVALID;
        return err->code;
    }
    int code = tenuo_public_key_parse((const char *)b.data, b.len, ret_key, NULL);
    cli_bytes_free(&b);
    if (code)
        return cli_set_error(err, TENUO_E_KEY_INVALID,
                             "%s: %.128s holds no usable Ed25519 public key (PEM, hex or base64)", option, text);
    return TENUO_OK;
}

static void log_line(void *arg, int level, const char *line)
{
    const struct cli *cli = arg;
    static const char *const names[] = {
        "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"
    };
    if (level <= 4 || cli->verbose)
        cli_line(stderr, "tenuo: %s: %s", names[level & 7], line);
}

static void diag_line(void *arg, int is_error, const char *line)
{
    struct cli *cli = arg;
    cli->diagnosed += is_error != 0;
    if (!cli->json) {
        cli_line(stderr, "%s%s", is_error ? "" : "warning: ", line);
        return;
    }
    if (!cli->diagnostics && !(cli->diagnostics = json_array()))
        cli_no_memory();
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "severity", json_string(is_error ? "error" : "warning"));
    cli_set(entry, "text", cli_text(line, strlen(line)));
    cli_append(cli->diagnostics, entry);
}

/* The trust walk starts at "/", so names of options are made absolute; NULL stays, *made keeps it for the run. */
const char *cli_absolute(const char *path, char **made)
{
    char *here;
    if (!path || *path == '/')
        return path;
    if ((*made = realpath(path, NULL)))
        return *made;
    if (!(here = getcwd(NULL, 0)))
        return path;
    if (asprintf(made, "%s/%s", here, path) < 0)
        cli_no_memory();
    free(here);
    return *made;
}

void cli_open_options(struct cli *cli, struct tenuo_open_options *ret)
{
    cli->conf = cli_absolute(cli->conf, &cli->made[0]);
    cli->plugin_dir = cli_absolute(cli->plugin_dir, &cli->made[1]);
    *ret = (struct tenuo_open_options){ .size = sizeof *ret,
                                        .conf = cli->conf,
                                        .plugin_dir = cli->plugin_dir,
                                        .log = log_line,
                                        .log_arg = cli,
                                        .diag = diag_line,
                                        .diag_arg = cli,
                                        .keys_only = cli->keys_only };
}

int cli_open(struct cli *cli, struct tenuo_error *err)
{
    struct tenuo_open_options options;
    if (cli->ctx)
        return TENUO_OK;
    cli_open_options(cli, &options);
    return tenuo_open(cli->service ? cli->service : "", &options, &cli->ctx, err);
}

/* Guarded pages are left out of a core dump, but the bytes of a file on their way there are not. The limit stops files;
 * handlers that take the dump from a pipe do not ask for it, and the flag stops those, and debuggers of the same user.
 */
void cli_hold_secret(void)
{
    const struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int signer_from_stdin(struct tenuo_signer **ret, struct tenuo_error *err)
{
    if (isatty(STDIN_FILENO)) /* it would stand on the screen */
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "standard input is a terminal, which shows what is typed: use a file or a pipe");
    struct cli_bytes b = { 0 };
    if (cli_read_file("-", CLI_MAX_KEY_FILE, &b, err))
        return err->code;
    int code = tenuo_signer_from_text((const char *)b.data, b.len, ret, err);
    cli_bytes_free(&b);
    return code;
}

bool cli_looks_like_key(const char *word)
{
    size_t n = strlen(word);
    return n >= 43 && strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_-=") == n;
}

int cli_signer_from_file(const char *option, const char *file, struct tenuo_signer **ret, struct tenuo_error *err)
{
    bool standard = strcmp(file, "-") == 0;
    if (cli_looks_like_key(file) && access(file, F_OK) != 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "%s wants the name of a file; a key on the command line can be seen by every process",
                             option);
    struct tenuo_error why = { 0 };
    int code = standard ? signer_from_stdin(ret, &why) : tenuo_signer_from_file(file, ret, &why);
    if (code && code < TENUO_E_NOMEM) /* a bad key file is no answer about a warrant */
        return cli_set_error(err, TENUO_E_KEY_INVALID, "%s%s", standard ? "standard input: " : "", why.msg);
    if (code)
        *err = why;
    return code;
}

int cli_signer(struct cli *cli, const char *file, const char *key_id, const uint8_t *holder, struct tenuo_signer **ret,
               struct tenuo_error *err)
{
    if (!file == !key_id)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "name the signing key with --key FILE or with --key-id ID%s", file ? ", not both" : "");
    cli_hold_secret();
    if (!key_id)
        return cli_signer_from_file("--key", file, ret, err);
    int code = cli_open(cli, err);
    return code ? code : tenuo_ctx_signer(cli->ctx, key_id, 0, holder, ret, err);
}

int cli_root_option(struct tenuo_verifier_builder **builder, const char *text, struct tenuo_error *err)
{
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    int code = cli_public_key("--root", text, key, err);
    if (!code && !*builder)
        code = tenuo_verifier_builder_new(builder, err);
    return code ? code : tenuo_verifier_builder_add_root(*builder, key, err);
}

int cli_verifier(struct cli *cli, struct tenuo_verifier_builder *builder, const struct tenuo_stack *stack,
                 struct tenuo_verifier **ret, struct tenuo_error *err)
{
    struct tenuo_matchers *matchers = NULL;
    if (builder && (cli->conf || cli->service))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "give --root, or --service and --conf, not both");
    if (!builder && cli->nmatchers)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--matcher goes with --root; a configuration has its own");
    int code = builder ? cli_matchers(cli, cli_needs_matchers(stack), &matchers, err) : cli_open(cli, err);
    if (!code && !builder)
        *ret = tenuo_ctx_verifier(cli->ctx);
    if (code || !builder)
        return code;
    tenuo_verifier_builder_set_matchers(builder, matchers);
    return tenuo_verifier_builder_build(builder, ret, err);
}
