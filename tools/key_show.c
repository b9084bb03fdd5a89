/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo key list, show and public. Every store is asked, whatever the others say; one that does not answer is named and
 * makes the exit status 3, after everything else was told.
 */
#include "key.h"

#include <stdlib.h>
#include <string.h>

/* What a run over several stores gathers. */
struct view {
    struct key_run *run;
    const char *store;
    json_t *keys, *stores; /* of the store at hand; all of them */
    json_t *rows;
    struct tenuo_error first; /* failure of a store */
    size_t failed, told;
    uint8_t answer[TENUO_PUBLIC_KEY_BYTES]; /* show: what the first line has */
    bool answered, answers;
    bool misnamed; /* the reference is none */
};

static void begin(struct view *v)
{
    static const char *const heading[] = { "KEY", "PUBLIC KEY", "CREATED", "EXPIRES", "NOTE" };
    json_t *row = json_array();
    v->rows = json_array();
    v->stores = json_array();
    if (!row || !v->rows || !v->stores)
        cli_no_memory();
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++)
        cli_append(row, json_string(heading[i]));
    cli_append(v->rows, row);
}

static void end(struct view *v)
{
    json_decref(v->rows);
    json_decref(v->stores);
}

/* A store that could not be asked: told at once, remembered for the end. */
static void failure(struct view *v, const char *origin, const struct tenuo_error *why)
{
    if (!v->failed++)
        v->first = *why;
    if (!v->run->cli->json)
        cli_line(stderr, "tenuo key: store %s: %s%s%s", v->store, key_place(origin, why),
                 *key_place(origin, why) ? ": " : "", why->msg);
}

static json_t *store_json(struct view *v, size_t i, const struct tenuo_error *why)
{
    static const struct {
        unsigned bit;
        const char *name;
    } words[] = { { TENUO_STORE_SIGNS, "sign" },         { TENUO_STORE_EXPORTS, "export" },
                  { TENUO_STORE_LISTS, "list" },         { TENUO_STORE_DESCRIBES, "describe" },
                  { TENUO_STORE_GENERATES, "generate" }, { TENUO_STORE_IMPORTS, "import" },
                  { TENUO_STORE_REMOVES, "remove" } };
    const char *module = "", *origin = "", *name = tenuo_ctx_store_name(v->run->cli->ctx, i, &module, &origin);
    json_t *object = json_object(), *list = json_array();
    unsigned can = 0;
    if (!object || !list)
        cli_no_memory();
    cli_set(object, "store", cli_text(name, strlen(name)));
    cli_set(object, "module", cli_text(module, strlen(module)));
    cli_set(object, "origin", cli_text(origin, strlen(origin)));
    if (tenuo_store_abilities(v->run->cli->ctx, name, &can, NULL) != TENUO_OK)
        can = 0;
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (can & words[k].bit)
            cli_append(list, json_string(words[k].name));
    cli_set(object, "can", list);
    if (why->code)
        key_set_error(object, why);
    return object;
}

static int take_listed(void *arg, const struct tenuo_stored_key *key)
{
    struct view *v = arg;
    char text[44] = "-", created[CLI_TIME_TEXT], expires[CLI_TIME_TEXT];
    char *reference = key_reference(v->store, key->id, key->version);
    json_t *row = json_array();
    if (!row)
        cli_no_memory();
    if (key->has_public_key)
        tenuo_public_key_base64url(key->public_key, text);
    key_time(key->created_at, created);
    key_time(key->expires_at, expires);
    const char *cells[] = { reference, text, created, expires, key->note[0] ? key->note : "-" };
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        cli_append(row, cli_text(cells[i], strlen(cells[i])));
    cli_append(v->rows, row);
    cli_append(v->keys, key_json(v->store, key));
    v->told++;
    free(reference);
    return 0;
}

static void list_store(struct view *v, size_t i)
{
    struct tenuo_ctx *ctx = v->run->cli->ctx;
    const char *origin = "";
    struct tenuo_error why = { 0 };
    size_t told = v->told;
    unsigned can = 0;
    v->store = tenuo_ctx_store_name(ctx, i, NULL, &origin);
    if (!(v->keys = json_array()))
        cli_no_memory();
    int code = tenuo_store_abilities(ctx, v->store, &can, &why);
    bool lists = can & TENUO_STORE_LISTS;
    if (!code && lists)
        code = tenuo_store_list(ctx, v->store, take_listed, v, &why);
    if (code)
        failure(v, origin, &why);
    else if (!v->run->cli->json && !lists)
        cli_line(stderr, "store %s cannot list its keys; 'tenuo key show %s:ID' asks for one", v->store, v->store);
    else if (!v->run->cli->json && told == v->told)
        cli_line(stderr, "store %s has no keys", v->store);
    json_t *object = store_json(v, i, &why);
    cli_set(object, "keys", v->keys);
    cli_append(v->stores, object);
}

/* The object, or what the error line of the store did not say. */
static int finish(struct view *v, const char *member, json_t *value)
{
    if (v->run->cli->json) {
        json_t *object = cli_object(v->run->cli, !v->failed);
        if (v->failed)
            key_set_error(object, &v->first);
        cli_set(object, member, json_incref(value));
        if (value != v->stores)
            cli_set(object, "stores", json_incref(v->stores));
        cli_emit(v->run->cli, object);
    }
    return v->failed ? CLI_UNDECIDED : CLI_YES;
}

static bool has_store(const struct tenuo_ctx *ctx, const char *name)
{
    for (size_t i = 0; i < tenuo_ctx_store_count(ctx); i++)
        if (strcmp(tenuo_ctx_store_name(ctx, i, NULL, NULL), name) == 0)
            return true;
    return false;
}

int key_list(struct key_run *r)
{
    struct view v = { .run = r };
    struct tenuo_error err = { 0 };
    unsigned can = 0;
    const char *only = r->words.n ? r->words.v[0] : NULL;
    int code = cli_open(r->cli, &err);
    if (!code && !only && tenuo_ctx_store_count(r->cli->ctx) == 0)
        code = cli_set_error(&err, TENUO_E_INVALID_ARGUMENT,
                             "the configuration has no key store: it needs a resolver line, see tenuo.conf(5)");
    if (!code && only && !has_store(r->cli->ctx, only))
        code = tenuo_store_abilities(r->cli->ctx, only, &can, &err); /* says which there are */
    if (code)
        return cli_fail(r->cli, &err);
    begin(&v);
    for (size_t i = 0; i < tenuo_ctx_store_count(r->cli->ctx); i++)
        if (!only || strcmp(tenuo_ctx_store_name(r->cli->ctx, i, NULL, NULL), only) == 0)
            list_store(&v, i);
    if (!r->cli->json && v.told)
        key_print_table(v.rows);
    int status = finish(&v, "stores", v.stores);
    end(&v);
    return status;
}

static void take_shown(void *arg, const struct tenuo_stored_key *key, const struct tenuo_error *why)
{
    struct view *v = arg;
    bool newest = key->version && key->version == key->newest;
    const char *remark =
        v->answers ? (newest ? "newest; what this line answers" : "what this line answers") : (newest ? "newest" : "");
    json_t *object = key_json(v->store, key);
    cli_set(object, "newest", json_boolean(newest || key->version == 0));
    cli_set(object, "answers", json_boolean(v->answers));
    if (why)
        key_set_error(object, why);
    cli_append(v->keys, object);
    v->told++;
    v->answers = false; /* older ones answer to their number alone */
    if (v->run->cli->json)
        return;
    key_print(v->store, key, remark);
    if (why)
        cli_line(stdout, "  ERROR        %s", why->msg);
}

static void show_store(struct view *v, size_t i, const char *ref)
{
    struct tenuo_ctx *ctx = v->run->cli->ctx;
    const char *origin = "";
    struct tenuo_error why = { 0 };
    struct tenuo_stored_key key;
    v->store = tenuo_ctx_store_name(ctx, i, NULL, &origin);
    int code = key_describe(ctx, v->store, ref, &key, &why);
    if (!code) {
        bool differs = v->answered && key.has_public_key && memcmp(key.public_key, v->answer, sizeof v->answer) != 0;
        if (differs)
            cli_warn(v->run->cli,
                     "store %s has another key under this id: unless a sufficient line before it has "
                     "answered, nobody can sign with it (9303)",
                     v->store);
        v->answers = !v->answered && !v->failed;
        if (v->answers && key.has_public_key) {
            v->answered = true;
            memcpy(v->answer, key.public_key, sizeof v->answer);
        }
        code = key_versions(ctx, v->store, ref, take_shown, v, &why);
    }
    v->misnamed |= code == TENUO_E_INVALID_ARGUMENT;
    if (code && code != TENUO_E_KEY_NOT_FOUND)
        failure(v, origin, &why);
    cli_append(v->stores, store_json(v, i, &why));
}

int key_show(struct key_run *r)
{
    struct view v = { .run = r };
    struct key_name name = { 0 };
    struct tenuo_error err = { 0 };
    unsigned can = 0;
    int status;
    if (r->pem)
        return key_public(r);
    int code = key_name_open(r->cli, r->words.v[0], false, &name, &err);
    if (!code && name.store)
        code = tenuo_store_abilities(r->cli->ctx, name.store, &can, &err);
    if (code) {
        key_name_free(&name);
        return cli_fail(r->cli, &err);
    }
    begin(&v);
    if (!(v.keys = json_array()))
        cli_no_memory();
    for (size_t i = 0; i < tenuo_ctx_store_count(r->cli->ctx); i++)
        if (!name.store || strcmp(tenuo_ctx_store_name(r->cli->ctx, i, NULL, NULL), name.store) == 0)
            show_store(&v, i, name.ref);
    if (!v.told && !v.failed)
        status = cli_failf(r->cli, TENUO_E_KEY_NOT_FOUND,
                           "%s%.80s has %s '%.140s'; 'tenuo key list' and 'tenuo key show ID' say what there is",
                           name.store ? "store " : "no store", name.store ? name.store : "",
                           name.store ? "no key" : "a key", name.ref);
    else
        status = finish(&v, "keys", v.keys);
    if (status == CLI_UNDECIDED && v.misnamed) /* no store was asked: the reference is none */
        status = CLI_USAGE;
    json_decref(v.keys);
    end(&v);
    key_name_free(&name);
    return status;
}

/* The first store that has it, in the order of the lines. One that does not answer ends it: it might have another. */
static int find_public(struct cli *cli, const struct key_name *name, const char **ret_store,
                       struct tenuo_stored_key *ret, struct tenuo_error *err)
{
    if (name->store) {
        *ret_store = name->store;
        return key_describe(cli->ctx, name->store, name->ref, ret, err);
    }
    for (size_t i = 0; i < tenuo_ctx_store_count(cli->ctx); i++) {
        *ret_store = tenuo_ctx_store_name(cli->ctx, i, NULL, NULL);
        int code = key_describe(cli->ctx, *ret_store, name->ref, ret, err);
        if (code != TENUO_E_KEY_NOT_FOUND)
            return code;
    }
    return cli_set_error(err, TENUO_E_KEY_NOT_FOUND,
                         "no store has a key '%.140s'; 'tenuo key list' shows what there is", key_shown(name->ref));
}

int key_public(struct key_run *r)
{
    struct key_name name = { 0 };
    struct tenuo_stored_key key;
    struct tenuo_error err = { 0 };
    const char *store = NULL;
    char pem[TENUO_PUBLIC_PEM_MAX_BYTES];
    int code = key_name_open(r->cli, r->words.v[0], false, &name, &err);
    if (!code)
        code = find_public(r->cli, &name, &store, &key, &err);
    if (!code && !key.has_public_key)
        code =
            cli_set_error(&err, TENUO_E_KEY_INVALID, "%s:%s: the store does not say its public key", store, name.ref);
    if (!code) {
        tenuo_public_key_pem(key.public_key, pem);
        if (r->cli->json) {
            json_t *object = cli_object(r->cli, true), *members = key_json(store, &key);
            if (json_object_update(object, members) != 0)
                cli_no_memory();
            json_decref(members);
            cli_set(object, "pem", json_string(pem));
            cli_emit(r->cli, object);
        } else {
            fputs(pem, stdout);
        }
    }
    key_name_free(&name);
    return code ? cli_fail(r->cli, &err) : CLI_YES;
}
