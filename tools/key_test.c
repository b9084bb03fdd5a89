/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo key test. One look-up and one signature as an application makes them, through the whole chain of lines, and
 * then through each line alone. What is signed is a call under a warrant of a root that is made for this run and
 * forgotten: the signature is worth nothing to anybody.
 */
#include "key.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOOL "tenuo_key_test"

/* One way to the key and what came of it. */
struct probe {
    struct tenuo_error err; /* code 0: good */
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    bool has_key, local;
    uint32_t version; /* 0: unknown, or the store keeps none */
    uint64_t us;
};

struct test {
    struct key_run *run;
    struct key_name name;
    struct tenuo_signer *root; /* of this run */
    struct probe cold, again, *lines;
    size_t nlines, answered; /* index of the line that answered; nlines: none known */
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* A warrant for this key alone. */
static int make_warrant(const struct test *t, const uint8_t *holder, int64_t at, struct tenuo_stack **ret,
                        struct tenuo_error *err)
{
    struct tenuo_mint *mint = NULL;
    int code = tenuo_mint_root(&mint, err);
    if (!code)
        code = tenuo_mint_set_holder(mint, holder, err);
    if (!code)
        code = tenuo_mint_add_tool(mint, TOOL, strlen(TOOL), NULL, err);
    if (!code)
        code = tenuo_mint_sign(mint, t->root, (uint64_t)at, ret, err);
    tenuo_mint_free(mint);
    return code;
}

/* Signs, and has the signature verified by who would verify it. *us grows by what signing took. */
static int prove(const struct test *t, const struct tenuo_signer *signer, uint64_t *us, struct tenuo_error *err)
{
    struct tenuo_stack *stack = NULL;
    uint8_t signature[TENUO_SIGNATURE_BYTES];
    int64_t at = (int64_t)time(NULL);
    int code = make_warrant(t, tenuo_signer_public_key(signer), at, &stack, err);
    if (code)
        return code;
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(stack);
    uint64_t start = now_us();
    code = tenuo_pop_sign(signer, leaf, TOOL, strlen(TOOL), NULL, at, signature, err);
    *us += now_us() - start;
    if (!code && tenuo_pop_verify(leaf, TOOL, strlen(TOOL), NULL, signature, at, 1, NULL) != TENUO_OK)
        code = cli_set_error(err, TENUO_E_SIGNATURE_INVALID, "the signature is not one by this key");
    tenuo_stack_free(stack);
    return code;
}

static void judge(const struct test *t, struct tenuo_signer *signer, struct probe *p)
{
    memcpy(p->key, tenuo_signer_public_key(signer), sizeof p->key);
    p->has_key = true;
    p->local = tenuo_signer_is_local(signer);
    prove(t, signer, &p->us, &p->err);
    tenuo_signer_free(signer);
}

static void probe_chain(const struct test *t, struct probe *p)
{
    struct tenuo_signer *signer = NULL;
    uint64_t start = now_us();
    int code = tenuo_ctx_signer(t->run->cli->ctx, t->name.ref, 0, t->run->has_holder ? t->run->holder : NULL, &signer,
                                &p->err);
    p->us = now_us() - start;
    if (code == TENUO_E_HOLDER_MISMATCH)
        cli_set_error(&p->err, code, "key '%.140s': no version of it is the key of --holder", t->name.ref);
    if (!code)
        judge(t, signer, p);
}

/* The version that this line would sign with: the holder's, where one is asked for. */
static int choose(const struct test *t, const char *store, char ret_ref[TENUO_KEY_REFERENCE_BYTES], struct probe *p)
{
    struct tenuo_stored_key key = { .size = sizeof key };
    int code = key_describe(t->run->cli->ctx, store, t->name.ref, &key, &p->err);
    if (code)
        return code;
    snprintf(ret_ref, TENUO_KEY_REFERENCE_BYTES, "%s", t->name.ref);
    p->version = key.version;
    if (!t->run->has_holder || !key.has_public_key ||
        memcmp(key.public_key, t->run->holder, sizeof key.public_key) == 0)
        return TENUO_OK;
    if (strchr(t->name.ref, '@') || !key_find(t->run->cli->ctx, store, t->name.ref, t->run->holder, &key))
        return cli_set_error(&p->err, TENUO_E_HOLDER_MISMATCH, "no version of the key here is the one of --holder");
    p->version = key.version;
    snprintf(ret_ref, TENUO_KEY_REFERENCE_BYTES, "%s@%u", key.id, (unsigned)key.version);
    return TENUO_OK;
}

static void probe_line(const struct test *t, const char *store, struct probe *p)
{
    struct tenuo_signer *signer = NULL;
    char ref[TENUO_KEY_REFERENCE_BYTES];
    if (choose(t, store, ref, p))
        return;
    uint64_t start = now_us();
    int code = tenuo_store_signer(t->run->cli->ctx, store, ref, &signer, &p->err);
    p->us = now_us() - start;
    if (!code)
        judge(t, signer, p);
}

static bool is_asked(const struct test *t, size_t i)
{
    return !t->name.store || strcmp(tenuo_ctx_store_name(t->run->cli->ctx, i, NULL, NULL), t->name.store) == 0;
}

/* With STORE:REF there is no chain to go through: the line is what is tested. */
static void probe_all(struct test *t)
{
    struct tenuo_ctx *ctx = t->run->cli->ctx;
    if (!t->name.store) { /* first, so that nothing is warm */
        probe_chain(t, &t->cold);
        if (!t->cold.err.code)
            probe_chain(t, &t->again);
    }
    t->nlines = tenuo_ctx_store_count(ctx);
    t->lines = cli_alloc(t->nlines, sizeof *t->lines);
    t->answered = t->nlines;
    for (size_t i = t->nlines; i-- > 0;) {
        if (!is_asked(t, i))
            continue;
        probe_line(t, tenuo_ctx_store_name(ctx, i, NULL, NULL), &t->lines[i]);
        if (t->name.store)
            t->cold = t->lines[i];
        if (!t->cold.err.code && t->lines[i].has_key && memcmp(t->lines[i].key, t->cold.key, sizeof t->cold.key) == 0)
            t->answered = i;
    }
    if (t->answered < t->nlines)
        t->cold.version = t->lines[t->answered].version;
}

/* 1: the stores have answered, and the key is not to be used. 3: nobody can say. */
static int status_of(const struct tenuo_error *err)
{
    switch (err->code) {
    case TENUO_E_KEY_NOT_FOUND:
    case TENUO_E_KEY_CONFLICT:
    case TENUO_E_KEY_DENIED:
    case TENUO_E_KEY_INVALID:
    case TENUO_E_HOLDER_MISMATCH:
    case TENUO_E_PLUGIN_PROTOCOL:
        return CLI_NO;
    default:
        return cli_exit_status(err->code);
    }
}

static void set_probe(json_t *object, const struct probe *p)
{
    if (p->has_key) {
        cli_set(object, "key", cli_key_json(p->key));
        cli_set(object, "local", json_boolean(p->local));
    }
    if (p->version)
        cli_set(object, "version", json_integer(p->version));
    cli_set(object, "microseconds", json_integer((json_int_t)p->us));
    if (p->err.code)
        key_set_error(object, &p->err);
}

static json_t *line_json(const struct test *t, size_t i)
{
    const char *module = "", *origin = "", *store = tenuo_ctx_store_name(t->run->cli->ctx, i, &module, &origin);
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    cli_set(object, "store", cli_text(store, strlen(store)));
    cli_set(object, "module", cli_text(module, strlen(module)));
    cli_set(object, "origin", cli_text(origin, strlen(origin)));
    cli_set(object, "good", json_boolean(!t->lines[i].err.code));
    cli_set(object, "answered", json_boolean(i == t->answered));
    set_probe(object, &t->lines[i]);
    return object;
}

static void emit(const struct test *t)
{
    json_t *object = cli_object(t->run->cli, !t->cold.err.code), *lines = json_array();
    if (!lines)
        cli_no_memory();
    for (size_t i = 0; i < t->nlines; i++)
        if (is_asked(t, i))
            cli_append(lines, line_json(t, i));
    cli_set(object, "reference", cli_text(t->name.ref, strlen(t->name.ref)));
    if (t->answered < t->nlines) {
        const char *store = tenuo_ctx_store_name(t->run->cli->ctx, t->answered, NULL, NULL);
        cli_set(object, "store", cli_text(store, strlen(store)));
    }
    set_probe(object, &t->cold);
    if (!t->name.store && !t->cold.err.code)
        cli_set(object, "again_microseconds", json_integer((json_int_t)t->again.us));
    cli_set(object, "lines", lines);
    cli_emit(t->run->cli, object);
}

static void print_good(const struct test *t)
{
    char text[44], fingerprint[TENUO_FINGERPRINT_TEXT_BYTES];
    const char *origin = "", *store = t->answered < t->nlines
                                          ? tenuo_ctx_store_name(t->run->cli->ctx, t->answered, NULL, &origin)
                                          : NULL;
    tenuo_public_key_base64url(t->cold.key, text);
    tenuo_fingerprint(t->cold.key, fingerprint);
    cli_line(stdout, "%s: signs, and the signature is good", t->name.ref);
    printf("key          %s\nfingerprint  %s\n", text, fingerprint);
    if (store)
        cli_line(stdout, "answered by  %s (%s)", store, origin);
    if (t->cold.version)
        printf("version      %u\n", (unsigned)t->cold.version);
    printf("secret       %s\n", t->cold.local ? "comes into this process to sign" : "stays in the store, which signs");
    printf("time         %ju us", (uintmax_t)t->cold.us);
    if (!t->name.store)
        printf(", then %ju us", (uintmax_t)t->again.us);
    putchar('\n');
}

static void print_line(const struct test *t, size_t i)
{
    const struct probe *p = &t->lines[i];
    char fingerprint[TENUO_FINGERPRINT_TEXT_BYTES], version[24] = "";
    const char *origin = "", *store = tenuo_ctx_store_name(t->run->cli->ctx, i, NULL, &origin);
    if (p->err.code) {
        origin = key_place(origin, &p->err);
        cli_line(stdout, "  %s: %d %s: %s%s%s", store, p->err.code, tenuo_err_name(p->err.code), origin,
                 *origin ? ": " : "", p->err.msg);
        return;
    }
    tenuo_fingerprint(p->key, fingerprint);
    if (p->version)
        snprintf(version, sizeof version, "version %u, ", (unsigned)p->version);
    cli_line(stdout, "  %s: good, %s, %s%s, %ju us (%s)", store, fingerprint, version, p->local ? "local" : "remote",
             (uintmax_t)p->us, origin);
}

static int report(const struct test *t)
{
    const struct tenuo_error *err = &t->cold.err;
    if (t->run->cli->json) {
        emit(t);
        return err->code ? status_of(err) : CLI_YES;
    }
    if (!err->code)
        print_good(t);
    if (!t->name.store) {
        puts(err->code ? "Each line alone:" : "\nEach line alone:");
        for (size_t i = 0; i < t->nlines; i++)
            print_line(t, i);
        fflush(stdout);
    }
    if (!err->code)
        return CLI_YES;
    cli_line(stderr, "tenuo key: %s (%d %s)", err->msg, err->code, tenuo_err_name(err->code));
    return status_of(err);
}

int key_test(struct key_run *r)
{
    struct test t = { .run = r };
    struct tenuo_error err = { 0 };
    unsigned can = 0;
    int code = key_name_open(r->cli, r->words.v[0], false, &t.name, &err);
    if (!code && t.name.store)
        code = tenuo_store_abilities(r->cli->ctx, t.name.store, &can, &err);
    if (!code)
        code = tenuo_signer_generate(&t.root, &err);
    if (!code)
        probe_all(&t);
    if (!code && t.cold.err.code == TENUO_E_INVALID_ARGUMENT) { /* a bad reference: no store was asked */
        err = t.cold.err;
        code = err.code;
    }
    int status = code ? cli_fail(r->cli, &err) : report(&t);
    tenuo_signer_free(t.root);
    free(t.lines);
    key_name_free(&t.name);
    return status;
}
