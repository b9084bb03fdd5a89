/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo receipt verify: one receipt, claim by claim. A claim is checked when what it needs was given; the answer says
 * which were not, so that a good signature is never taken for more.
 */
#include "receipt.h"

#include <stdlib.h>
#include <string.h>

#define WINDOWS 10 /* the most that any authorizer may have allowed */

struct verify {
    struct receipt_run *run;
    const struct tenuo_receipt *receipt;
    struct tenuo_verifier *verifier; /* NULL: nothing to judge chains by */
    json_t *claims;
    bool failed;
};

static void claim(struct verify *v, const char *name, const char *status, int code, const char *message)
{
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    cli_set(object, "status", json_string(status));
    if (code) {
        cli_set(object, "code", json_integer(code));
        cli_set(object, "name", json_string(tenuo_err_name(code)));
    }
    if (message)
        cli_set(object, "message", cli_text(message, strlen(message)));
    cli_set(v->claims, name, object);
}

static void settle(struct verify *v, const char *name, int code, const struct tenuo_error *err)
{
    claim(v, name, code ? "fails" : "holds", code, code ? err->msg : NULL);
    v->failed = v->failed || code;
}

static void skip(struct verify *v, const char *name, const char *needs)
{
    claim(v, name, "not_checked", 0, needs);
}

static void check_signer(struct verify *v)
{
    struct tenuo_error err = { 0 };
    int code = TENUO_OK;
    claim(v, "signature", "holds", 0, NULL); /* or there would be no receipt */
    if (!v->run->has_signer) {
        skip(v, "signer", "--signer KEY");
        return;
    }
    if (memcmp(v->run->signer, tenuo_receipt_signer(v->receipt), sizeof v->run->signer) != 0)
        code = cli_set_error(&err, TENUO_E_INVALID_ISSUER, "the receipt is signed by another key");
    settle(v, "signer", code, &err);
}

/* A denial may well be about a chain that fails: then it must fail as the receipt says. */
static bool denied_for(const struct verify *v, int code)
{
    const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(v->receipt);
    const char *name = tenuo_err_name(code);
    return !f->allow && f->decision_code_len == strlen(name) && memcmp(f->decision_code, name, strlen(name)) == 0;
}

static void settle_chain(struct verify *v)
{
    struct tenuo_error err = { 0 };
    int code = tenuo_receipt_check_chain(v->receipt, v->verifier, &err);
    if (code && denied_for(v, code))
        claim(v, "chain", "fails_as_said", code, err.msg);
    else
        settle(v, "chain", code, &err);
}

static void check_chain(struct verify *v)
{
    struct tenuo_error err = { 0 };
    if (!v->verifier) {
        skip(v, "chain", "--root KEY, or --conf and --service");
        skip(v, "roots", "--root KEY, or --conf and --service");
        return;
    }
    settle_chain(v);
    int code = tenuo_receipt_check_roots(v->receipt, v->verifier, &err);
    if (code && !v->run->exact_roots) /* roots come and go; the chain holds under these all the same */
        claim(v, "roots", "differs", code, err.msg);
    else
        settle(v, "roots", code, &err);
}

static void check_call(struct verify *v)
{
    const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(v->receipt);
    struct tenuo_error err = { 0 };
    int64_t when = v->run->has_pop_at ? v->run->pop_at : f->timestamp;
    if (!v->run->has_args) {
        skip(v, "arguments", "-a NAME=TEXT or --args JSON");
        skip(v, "pop", "-a NAME=TEXT or --args JSON");
        return;
    }
    settle(v, "arguments", tenuo_receipt_check_args(v->receipt, v->run->args, &err), &err);
    if (f->pop_signature)
        settle(v, "pop", tenuo_receipt_check_pop(v->receipt, v->run->args, when, WINDOWS, &err), &err);
    else
        claim(v, "pop", "absent", 0, "the call was denied before its proof was found good");
}

static int check_list(struct verify *v, struct tenuo_error *err)
{
    struct cli_bytes b = { 0 };
    struct tenuo_srl *srl = NULL;
    struct tenuo_error why = { 0 };
    if (!v->run->srl) {
        skip(v, "revocation_list", "--srl FILE");
        return TENUO_OK;
    }
    if (cli_read_file(v->run->srl, TENUO_SRL_MAX_BYTES, &b, err))
        return err->code;
    int code = tenuo_srl_parse(b.data, b.len, NULL, &srl, &why);
    if (!code)
        code = tenuo_receipt_check_list(v->receipt, tenuo_srl_version(srl), b.data, b.len, &why);
    settle(v, "revocation_list", code, &why);
    tenuo_srl_unref(srl);
    cli_bytes_free(&b);
    return TENUO_OK;
}

static int check_policy(struct verify *v, struct tenuo_error *err)
{
    const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(v->receipt);
    struct cli_bytes b = { 0 };
    struct tenuo_value *policy = NULL;
    struct tenuo_error why = { 0 };
    uint8_t hash[32];
    if (!v->run->policy) {
        skip(v, "policy", "--policy FILE");
        return TENUO_OK;
    }
    if (cli_read_file(v->run->policy, CLI_MAX_JSON_FILE, &b, err))
        return err->code;
    json_t *json = cli_json_load(v->run->policy, (const char *)b.data, b.len, err);
    int code = json ? cli_value_from_json(json, &policy, err) : err->code;
    json_decref(json);
    cli_bytes_free(&b);
    if (code)
        return code;
    tenuo_policy_hash(policy, hash);
    tenuo_value_free(policy);
    if (!f->policy_hash || memcmp(hash, f->policy_hash, sizeof hash) != 0)
        code = cli_set_error(&why, TENUO_E_PAYLOAD_STRUCTURE,
                             f->policy_hash ? "the decision was made under another policy"
                                            : "the receipt names no policy");
    settle(v, "policy", code, &why);
    return TENUO_OK;
}

static int open_verifier(struct verify *v, struct tenuo_error *err)
{
    struct cli *cli = v->run->cli;
    if (v->run->builder)
        return tenuo_verifier_builder_build(v->run->builder, &v->verifier, err);
    if (!cli->conf && !cli->service)
        return TENUO_OK;
    int code = cli_open(cli, err);
    if (code)
        return code;
    /* Today's revocation lists say nothing about the day of the receipt, which names its own. */
    struct tenuo_verifier *current = tenuo_ctx_verifier(cli->ctx);
    code = tenuo_verifier_with_revocation(current, NULL, &v->verifier, err);
    tenuo_verifier_unref(current);
    return code;
}

static void print_claims(const json_t *claims)
{
    const char *key;
    json_t *c;
    json_object_foreach((json_t *)(uintptr_t)claims, key, c) {
        const char *status = json_string_value(json_object_get(c, "status"));
        const char *message = json_string_value(json_object_get(c, "message"));
        if (strcmp(status, "not_checked") == 0)
            printf("  %-16s not checked: wants %s\n", key, message);
        else
            cli_line(stdout, "  %-16s %s%s%s", key, status, message ? ": " : "", message ? message : "");
    }
}

static int report(struct verify *v)
{
    json_t *receipt = receipt_json(v->receipt);
    if (v->run->cli->json) {
        json_t *object = cli_object(v->run->cli, !v->failed);
        cli_set(object, "receipt", receipt);
        cli_set(object, "claims", json_incref(v->claims));
        cli_emit(v->run->cli, object);
    } else {
        receipt_print(receipt);
        puts(v->failed ? "NOT GOOD" : "GOOD, as far as it was checked");
        print_claims(v->claims);
        json_decref(receipt);
    }
    return v->failed ? CLI_NO : CLI_YES;
}

int receipt_verify_run(struct receipt_run *r)
{
    struct verify v = { .run = r };
    struct tenuo_receipt *receipt = NULL;
    struct tenuo_error err = { 0 };
    int status;
    if (!(v.claims = json_object()))
        cli_no_memory();
    if (receipt_read(r->files[0], r->line, &receipt, &err) || (v.receipt = receipt, open_verifier(&v, &err))) {
        status = cli_fail(r->cli, &err);
        goto out;
    }
    check_signer(&v);
    check_chain(&v);
    check_call(&v);
    status = check_list(&v, &err) || check_policy(&v, &err) ? cli_fail(r->cli, &err) : report(&v);
out:
    json_decref(v.claims);
    tenuo_verifier_unref(v.verifier);
    tenuo_receipt_free(receipt);
    return status;
}
