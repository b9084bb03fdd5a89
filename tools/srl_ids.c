/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ids go on a list: those named by words, by warrants, and by signed requests that hold; and which may leave it.
 * A request is believed only together with its warrant from the records of whoever signs the list.
 */
#include "srl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_REQUEST 16384u
#define CLOCKS_APART 300u /* seconds: a verifier whose clock is this late must still find an expired warrant's id */

int srl_id_of_word(const char *word, uint8_t ret_id[TENUO_WARRANT_ID_BYTES], struct tenuo_stack **ret_stack,
                   struct tenuo_error *err)
{
    struct stat st;
    *ret_stack = NULL;
    if (stat(word, &st) != 0 && tenuo_warrant_id_parse(word, strlen(word), ret_id, err) == TENUO_OK)
        return TENUO_OK;
    int code = cli_read_stack(word, ret_stack, err);
    if (!code)
        memcpy(ret_id, tenuo_warrant_id(tenuo_stack_leaf(*ret_stack)), TENUO_WARRANT_ID_BYTES);
    return code;
}

static int add_word(struct srl_run *r, const char *word, struct tenuo_srl_builder *builder, struct tenuo_error *err)
{
    uint8_t id[TENUO_WARRANT_ID_BYTES];
    struct tenuo_stack *stack = NULL;
    int code = srl_id_of_word(word, id, &stack, err);
    if (!code && (!stack || !r->chain))
        code = tenuo_srl_builder_add(builder, id, err);
    for (size_t i = 0; !code && r->chain && stack && i < tenuo_stack_length(stack); i++)
        code = tenuo_srl_builder_add(builder, tenuo_warrant_id(tenuo_stack_warrant(stack, i)), err);
    tenuo_stack_free(stack);
    return code;
}

int srl_add_words(struct srl_run *r, size_t first, struct tenuo_srl_builder *builder, struct tenuo_error *err)
{
    int code = TENUO_OK;
    for (size_t i = first; i < r->words.n && !code; i++)
        code = add_word(r, r->words.v[i], builder, err);
    return code;
}

/* An id is its issuer's free choice, so a stranger can make a warrant with any: the chain must hold, from the key that
 * signs the list or from a root that was named. Judged by the time at which it was made, for it may have expired. */
static int check_chain(struct srl_run *r, const uint8_t *authority, const char *file, const struct tenuo_stack *stack,
                       struct tenuo_error *err)
{
    struct tenuo_decision *decision = NULL;
    struct tenuo_verifier *verifier = NULL;
    struct tenuo_matchers *matchers = NULL;
    int64_t made = (int64_t)tenuo_warrant_issued_at(tenuo_stack_leaf(stack));
    int code = r->roots ? TENUO_OK : tenuo_verifier_builder_new(&r->roots, err);
    if (!code)
        code = tenuo_verifier_builder_add_root(r->roots, authority, err);
    if (!code)
        code = cli_matchers(r->cli, cli_needs_matchers(stack), &matchers, err);
    if (code)
        return code;
    tenuo_verifier_builder_set_matchers(r->roots, matchers);
    code = tenuo_verifier_builder_build(r->roots, &verifier, err);
    if (!code)
        code = tenuo_verify_stack(verifier, stack, made, &decision, err);
    if (!code && (code = tenuo_decision_code(decision)) != TENUO_OK)
        cli_set_error(err, code, "%.100s: not believed: %.120s%s", file, tenuo_decision_reason(decision),
                      code == TENUO_E_UNTRUSTED_ROOT ? ": name it with --root" : "");
    tenuo_decision_free(decision);
    tenuo_verifier_unref(verifier);
    return code;
}

/* The warrant with this id among the files of --warrant, anywhere in their chains. */
static int find_warrant(struct srl_run *r, const uint8_t *authority, const char *id, struct tenuo_stack **ret_stack,
                        const struct tenuo_warrant **ret, struct tenuo_error *err)
{
    char text[TENUO_WARRANT_ID_TEXT_BYTES];
    for (size_t i = 0; i < r->warrants.n; i++) {
        struct tenuo_stack *stack = NULL;
        int code = cli_read_stack(r->warrants.v[i], &stack, err);
        if (code)
            return code;
        for (size_t k = 0; k < tenuo_stack_length(stack); k++) {
            tenuo_warrant_id_text(tenuo_warrant_id(tenuo_stack_warrant(stack, k)), text);
            if (strcmp(text, id) == 0) {
                code = check_chain(r, authority, r->warrants.v[i], stack, err);
                if (code) {
                    tenuo_stack_free(stack);
                    return code;
                }
                *ret = tenuo_stack_warrant(stack, k);
                *ret_stack = stack;
                return TENUO_OK;
            }
        }
        tenuo_stack_free(stack);
    }
    return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "the request is about %s: name that warrant with --warrant",
                         id);
}

static int add_request(struct srl_run *r, const char *path, const uint8_t *authority,
                       struct tenuo_srl_builder *builder, struct tenuo_error *err)
{
    struct tenuo_revocation_request *request = NULL;
    struct tenuo_stack *stack = NULL;
    const struct tenuo_warrant *w = NULL;
    struct tenuo_error why = { 0 };
    struct cli_bytes file = { 0 };
    int code = cli_read_file(path, MAX_REQUEST, &file, err);
    if (code)
        return code;
    code = tenuo_revocation_request_parse(file.data, file.len, &request, &why);
    if (!code)
        code = find_warrant(r, authority, tenuo_revocation_request_warrant_id(request), &stack, &w, &why);
    if (!code)
        code = tenuo_revocation_request_check(request, w, authority, r->at, &why);
    if (code)
        cli_set_error(err, code, "%.100s: %.150s", path, why.msg);
    else
        code = tenuo_srl_builder_add(builder, tenuo_warrant_id(w), err);
    tenuo_stack_free(stack);
    tenuo_revocation_request_free(request);
    cli_bytes_free(&file);
    return code;
}

int srl_add_requests(struct srl_run *r, const uint8_t *authority, struct tenuo_srl_builder *builder,
                     struct tenuo_error *err)
{
    int code = TENUO_OK;
    for (size_t i = 0; i < r->requests.n && !code; i++)
        code = add_request(r, r->requests.v[i], authority, builder, err);
    return code;
}

static bool is_over(const struct tenuo_warrant *w, int64_t at)
{
    uint64_t expires = tenuo_warrant_expires_at(w);
    return at > CLOCKS_APART && (uint64_t)(at - CLOCKS_APART) >= expires;
}

/* The warrant that was named stays: why. Its ancestors, which live longer as a rule, were not named. */
static void say_why(struct srl_run *r, const char *file, const struct tenuo_warrant *w)
{
    char id[TENUO_WARRANT_ID_TEXT_BYTES], when[CLI_TIME_TEXT];
    tenuo_warrant_id_text(tenuo_warrant_id(w), id);
    cli_time_text(tenuo_warrant_expires_at(w), when);
    cli_warn(r->cli, "--prune %.128s: not pruned: %s expires at %s, and its id stays for %u s longer", file, id, when,
             CLOCKS_APART);
}

int srl_expired_ids(struct srl_run *r, const uint8_t *authority, uint8_t (**ret_ids)[TENUO_WARRANT_ID_BYTES],
                    size_t *ret_n, struct tenuo_error *err)
{
    uint8_t(*ids)[TENUO_WARRANT_ID_BYTES] = NULL;
    size_t n = 0;
    for (size_t i = 0; i < r->expired.n; i++) {
        struct tenuo_stack *stack = NULL;
        int code = cli_read_stack(r->expired.v[i], &stack, err);
        if (!code)
            code = check_chain(r, authority, r->expired.v[i], stack, err);
        if (code) {
            tenuo_stack_free(stack);
            free(ids);
            return code;
        }
        for (size_t k = 0; k < tenuo_stack_length(stack); k++) {
            const struct tenuo_warrant *w = tenuo_stack_warrant(stack, k);
            if (!is_over(w, r->at)) {
                if (w == tenuo_stack_leaf(stack))
                    say_why(r, r->expired.v[i], w);
                continue;
            }
            ids = cli_grow(ids, n + 1, sizeof *ids);
            memcpy(ids[n++], tenuo_warrant_id(w), sizeof *ids);
        }
        tenuo_stack_free(stack);
    }
    *ret_ids = ids;
    *ret_n = n;
    return TENUO_OK;
}
