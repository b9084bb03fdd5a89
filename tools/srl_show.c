/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that are only read: shown, judged, compared. An id is text of the list's signer: it is escaped before it is
 * shown. */
#include "srl.h"

#include <stdlib.h>
#include <string.h>

#define CLOCK_TOLERANCE 30 /* seconds, as a verifier's */

int srl_read(const char *path, const uint8_t *issuer, struct tenuo_srl **ret, struct tenuo_error *err)
{
    struct cli_bytes file = { 0 };
    struct tenuo_error why = { 0 };
    int code = cli_read_file(path, TENUO_SRL_MAX_BYTES, &file, err);
    if (code)
        return code == TENUO_E_TOO_LARGE ? (err->code = TENUO_E_SRL_INVALID) : code;
    code = tenuo_srl_parse(file.data, file.len, issuer, ret, &why);
    cli_bytes_free(&file);
    return code ? cli_set_error(err, code, "%.100s: %.150s", path, why.msg) : TENUO_OK;
}

static int put_id(void *arg, const char *id, size_t len)
{
    cli_append(arg, cli_text(id, len));
    return 0;
}

json_t *srl_json(const struct tenuo_srl *srl, bool ids)
{
    char when[CLI_TIME_TEXT];
    json_t *json = json_object(), *list = json_array();
    if (!json || !list)
        cli_no_memory();
    cli_time_text((uint64_t)tenuo_srl_issued_at(srl), when);
    cli_set(json, "version", cli_u64_json(tenuo_srl_version(srl)));
    cli_set(json, "issuer", cli_key_json(tenuo_srl_issuer(srl)));
    cli_set(json, "issued_at", json_integer(tenuo_srl_issued_at(srl)));
    cli_set(json, "issued_at_text", json_string(when));
    cli_set(json, "count", json_integer((json_int_t)tenuo_srl_count(srl)));
    cli_set(json, "sha256", cli_hex_json(tenuo_srl_sha256(srl), 32));
    if (ids) {
        (void)tenuo_srl_each(srl, put_id, list);
        cli_set(json, "ids", json_incref(list));
    }
    json_decref(list);
    return json;
}

static int print_id(void *arg, const char *id, size_t len)
{
    fputs(arg, stdout);
    cli_print_escaped(stdout, id, len);
    putchar('\n');
    return 0;
}

void srl_print(const struct tenuo_srl *srl, bool ids)
{
    char when[CLI_TIME_TEXT], key[44], hash[65], lead[] = "    ";
    cli_time_text((uint64_t)tenuo_srl_issued_at(srl), when);
    tenuo_public_key_base64url(tenuo_srl_issuer(srl), key);
    cli_hex(tenuo_srl_sha256(srl), 32, hash);
    printf("  version  %ju\n  issued   %s\n  issuer   %s\n  sha256   %s\n  ids      %zu\n",
           (uintmax_t)tenuo_srl_version(srl), when, key, hash, tenuo_srl_count(srl));
    if (ids)
        (void)tenuo_srl_each(srl, print_id, lead);
}

int srl_show(struct srl_run *r)
{
    struct tenuo_error err = { 0 };
    struct tenuo_srl *srl = NULL;
    if (srl_read(r->words.v[0], NULL, &srl, &err))
        return cli_fail(r->cli, &err);
    if (r->cli->json) {
        json_t *object = cli_object(r->cli, true);
        cli_set(object, "verified", json_false());
        cli_set(object, "list", srl_json(srl, true));
        cli_emit(r->cli, object);
    } else {
        puts("The signature is good; whether to trust its key was not asked (tenuo srl verify).");
        srl_print(srl, true);
    }
    tenuo_srl_unref(srl);
    return CLI_YES;
}

/* The keys that may have signed: --issuer, else the trusted roots of the configuration. Free *ret_keys. */
static int issuers(struct srl_run *r, uint8_t **ret_keys, size_t *ret_n, struct tenuo_error *err)
{
    size_t n = 1;
    int code = r->has_issuer ? TENUO_OK : cli_open(r->cli, err);
    if (code)
        return code;
    if (!r->has_issuer)
        n = tenuo_ctx_root_count(r->cli->ctx);
    *ret_keys = cli_alloc(n, TENUO_PUBLIC_KEY_BYTES);
    for (size_t i = 0; i < n; i++)
        memcpy(*ret_keys + i * TENUO_PUBLIC_KEY_BYTES,
               r->has_issuer ? r->issuer : tenuo_ctx_root(r->cli->ctx, i), TENUO_PUBLIC_KEY_BYTES);
    *ret_n = n;
    return TENUO_OK;
}

/* The list that --after names: by whom it is matters as little as in 10.2; its version and ids do. */
static int check_after(struct srl_run *r, const struct tenuo_srl *srl, size_t *ret_dropped, struct tenuo_error *err)
{
    struct tenuo_srl *old = NULL;
    if (!r->after)
        return TENUO_OK;
    int code = srl_read(r->after, NULL, &old, err);
    if (!code)
        code = tenuo_srl_compare(old, srl, err);
    if (!code)
        tenuo_srl_diff(old, srl, NULL, NULL, NULL, ret_dropped);
    tenuo_srl_unref(old);
    return code;
}

static int judge(struct srl_run *r, const struct tenuo_srl *srl, size_t *ret_dropped, struct tenuo_error *err)
{
    struct tenuo_srl_rules rules = { .size = sizeof rules,
                                     .clock_tolerance = CLOCK_TOLERANCE,
                                     .max_issued_age = r->max_age };
    uint8_t *keys = NULL;
    int code = issuers(r, &keys, &rules.issuer_count, err);
    if (code)
        return code;
    rules.issuers = keys;
    code = tenuo_srl_accept(srl, &rules, NULL, r->at, r->at, NULL, NULL, err);
    if (code == TENUO_E_UNAVAILABLE) /* too old, which here is an answer */
        code = err->code = TENUO_E_SRL_INVALID;
    free(keys);
    return code ? code : check_after(r, srl, ret_dropped, err);
}

int srl_verify(struct srl_run *r)
{
    struct tenuo_error err = { 0 };
    struct tenuo_srl *srl = NULL;
    size_t dropped = 0;
    int code = srl_read(r->words.v[0], r->has_issuer ? r->issuer : NULL, &srl, &err);
    if (!code)
        code = judge(r, srl, &dropped, &err);
    if (!code && dropped)
        cli_warn(r->cli, "%zu id%s of the older list %s not on this one", dropped, dropped == 1 ? "" : "s",
                 dropped == 1 ? "is" : "are");
    if (code) {
        tenuo_srl_unref(srl);
        return cli_fail(r->cli, &err);
    }
    if (r->cli->json) {
        json_t *object = cli_object(r->cli, true);
        cli_set(object, "verified", json_true());
        cli_set(object, "list", srl_json(srl, false));
        cli_emit(r->cli, object);
    } else {
        puts("VALID");
        srl_print(srl, false);
    }
    tenuo_srl_unref(srl);
    return CLI_YES;
}

struct changes {
    json_t *added, *dropped; /* NULL: printed at once */
};

static int change(void *arg, int added, const char *id, size_t len)
{
    struct changes *c = arg;
    char sign[] = "- ";
    sign[0] = added ? '+' : '-';
    if (c->added)
        cli_append(added ? c->added : c->dropped, cli_text(id, len));
    else
        print_id(sign, id, len);
    return 0;
}

static void diff_json(struct srl_run *r, const struct tenuo_srl *older, const struct tenuo_srl *newer, int code,
                      const struct tenuo_error *err)
{
    struct changes c = { json_array(), json_array() };
    json_t *object = cli_object(r->cli, !code);
    if (!c.added || !c.dropped)
        cli_no_memory();
    (void)tenuo_srl_diff(older, newer, change, &c, NULL, NULL);
    if (code) {
        cli_set(object, "code", json_integer(code));
        cli_set(object, "name", json_string(tenuo_err_name(code)));
        cli_set(object, "message", cli_text(err->msg, strlen(err->msg)));
    }
    cli_set(object, "older", srl_json(older, false));
    cli_set(object, "newer", srl_json(newer, false));
    cli_set(object, "added", c.added);
    cli_set(object, "dropped", c.dropped);
    cli_emit(r->cli, object);
}

static void diff_text(const struct tenuo_srl *older, const struct tenuo_srl *newer, int code,
                      const struct tenuo_error *err)
{
    struct changes c = { NULL, NULL };
    cli_line(stdout, "version %ju to %ju: %s", (uintmax_t)tenuo_srl_version(older), (uintmax_t)tenuo_srl_version(newer),
           code ? err->msg : "may follow");
    (void)tenuo_srl_diff(older, newer, change, &c, NULL, NULL);
}

int srl_diff(struct srl_run *r)
{
    struct tenuo_srl *older = NULL, *newer = NULL;
    struct tenuo_error err = { 0 };
    int status;
    if (srl_read(r->words.v[0], NULL, &older, &err) || srl_read(r->words.v[1], NULL, &newer, &err)) {
        status = cli_fail(r->cli, &err);
    } else {
        int code = tenuo_srl_compare(older, newer, &err);
        if (r->cli->json)
            diff_json(r, older, newer, code, &err);
        else
            diff_text(older, newer, code, &err);
        status = cli_exit_status(code);
    }
    tenuo_srl_unref(older);
    tenuo_srl_unref(newer);
    return status;
}
