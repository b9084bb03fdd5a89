/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo key rotate. A new newest version; the old one stays under its number, and what names it is told. Everything
 * that can fail for another reason than the store comes first: then nothing has changed.
 */
#include "key.h"

#include <string.h>

static const char *const advice[] = {
    "warrants whose holder is the old key: their issuers make them again with --holder and the new key",
    "child warrants that the old key signed: attenuate or issue them again, from a parent that names the new key",
    "approver lists (--approver) with the old key: in warrants that are made again",
    "roots, issuer= of revocation lines and --signer of receipts, on every machine that trusts the old key",
};

struct rotation {
    struct key_run *run;
    struct key_name name;
    struct tenuo_stored_key old, now; /* now: the new key, as the store describes it */
    struct tenuo_signer *signer;      /* --import */
    json_t *found;
    size_t expired;
    bool stays;
};

static int look(struct rotation *t, struct tenuo_error *err)
{
    struct key_run *r = t->run;
    int code = key_name_open(r->cli, r->words.v[0], true, &t->name, err);
    if (!code && strchr(t->name.ref, '@'))
        code = cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "an id is rotated, not one of its versions: leave out @N");
    if (!code)
        code = key_describe(r->cli->ctx, t->name.store, t->name.ref, &t->old, err);
    if (!code && !t->old.has_public_key)
        code = cli_set_error(err, TENUO_E_KEY_INVALID,
                             "%s:%s: the store does not say its public key, so nothing can "
                             "be said about what names it",
                             t->name.store, t->name.ref);
    if (!code && r->import && !r->check)
        code = cli_signer_from_file("--import", r->import, &t->signer, err);
    struct key_old old = { .key = t->old.public_key, .id = t->name.ref, .newest = true };
    if (!code)
        code = key_names_in_warrants(&r->warrants, &old, t->found, &t->expired, err);
    if (!code)
        code = key_names_in_conf(r->cli, &old, t->found, err);
    return code;
}

/* What --check would not be worth without: whether the store is going to do it. */
static void warn_of_store(const struct rotation *t)
{
    struct tenuo_error why = { 0 };
    unsigned can = 0;
    if (tenuo_store_abilities(t->run->cli->ctx, t->name.store, &can, &why) != TENUO_OK)
        return;
    if (!(can & (TENUO_STORE_GENERATES | TENUO_STORE_IMPORTS)))
        cli_warn(t->run->cli, "store %s cannot make keys: rotate would be refused", t->name.store);
    else if (t->old.version == 0)
        cli_warn(t->run->cli, "store %s keeps no versions: rotate would be refused", t->name.store);
}

static int rotate(struct rotation *t, struct tenuo_error *err)
{
    struct tenuo_ctx *ctx = t->run->cli->ctx;
    struct tenuo_error why = { 0 };
    uint32_t version = 0;
    t->now.size = sizeof t->now;
    snprintf(t->now.id, sizeof t->now.id, "%s", t->name.ref);
    int code = tenuo_store_rotate(ctx, t->name.store, t->name.ref, t->signer, t->now.public_key, &version, err);
    if (code)
        return code;
    t->now.version = version;
    t->now.has_public_key = 1;
    if (key_describe(ctx, t->name.store, t->name.ref, &t->now, &why) != TENUO_OK)
        cli_warn(t->run->cli, "the key is replaced, but the store cannot be asked about it now: %s", why.msg);
    t->stays = key_find(ctx, t->name.store, t->name.ref, t->old.public_key, &t->old);
    return TENUO_OK;
}

static void print_key(const char *label, const struct tenuo_stored_key *key)
{
    char text[44];
    tenuo_public_key_base64url(key->public_key, text);
    printf("%-12s %s\n", label, text);
}

static void print_names(const struct rotation *t)
{
    const json_t *entry;
    const char *before = "";
    size_t i;
    if (json_array_size(t->found))
        puts("\nThese name the old key:");
    json_array_foreach(t->found, i, entry)
    {
        const char *where = json_string_value(json_object_get(entry, "where"));
        if (strcmp(where, before) != 0) /* several things in one warrant */
            cli_line(stdout, "  %s:", where);
        cli_line(stdout, "      %s", json_string_value(json_object_get(entry, "text")));
        before = where;
    }
    if (t->run->warrants.n)
        printf("\n%zu file%s with warrants looked at, %zu of them expired.\n", t->run->warrants.n,
               t->run->warrants.n == 1 ? "" : "s", t->expired);
    puts("\nTo be made again, wherever they are:");
    for (i = 0; i < sizeof advice / sizeof advice[0]; i++)
        printf("  - %s\n", advice[i]);
}

static void print(const struct rotation *t)
{
    char fingerprint[TENUO_FINGERPRINT_TEXT_BYTES];
    const char *store = t->name.store, *id = t->name.ref;
    print_key(t->run->check ? "key" : "old key", &t->old);
    if (!t->run->check) {
        if (t->stays)
            cli_line(stdout, "             stays as %s:%s@%u", store, id, (unsigned)t->old.version);
        print_key("new key", &t->now);
        tenuo_fingerprint(t->now.public_key, fingerprint);
        if (t->now.version)
            cli_line(stdout, "             is %s:%s, version %u, fingerprint %s", store, id, (unsigned)t->now.version,
                     fingerprint);
        else
            cli_line(stdout, "             is %s:%s, fingerprint %s", store, id, fingerprint);
    }
    print_names(t);
    if (t->run->check) {
        puts("\nNothing was changed (--check).");
        return;
    }
    putchar('\n');
    if (t->stays) {
        cli_line(stdout, "Until then the old key works on: who signs with %s gets the version that the warrant names.",
                 id);
        cli_line(stdout, "When nothing names it any more: tenuo key remove %s:%s@%u", store, id,
                 (unsigned)t->old.version);
    }
    puts("Programs that run take the new key when their cached one has expired (key_cache, cache_ttl), or on reload.");
}

static void emit(const struct rotation *t)
{
    json_t *object = cli_object(t->run->cli, true), *list = json_array();
    if (!list)
        cli_no_memory();
    for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++)
        cli_append(list, json_string(advice[i]));
    cli_set(object, "changed", json_boolean(!t->run->check));
    cli_set(object, "old", key_json(t->name.store, &t->old));
    if (!t->run->check) {
        cli_set(object, "old_stays", json_boolean(t->stays));
        cli_set(object, "new", key_json(t->name.store, &t->now));
    }
    cli_set(object, "names_old_key", json_incref(t->found));
    cli_set(object, "files", json_integer((json_int_t)t->run->warrants.n));
    cli_set(object, "files_expired", json_integer((json_int_t)t->expired));
    cli_set(object, "make_again", list);
    cli_emit(t->run->cli, object);
}

int key_rotate(struct key_run *r, struct tenuo_error *err)
{
    struct rotation t = { .run = r, .found = json_array() };
    if (!t.found)
        cli_no_memory();
    int code = look(&t, err);
    if (!code && !r->check)
        code = rotate(&t, err);
    if (!code && !r->check && !t.stays)
        cli_warn(r->cli, "the store kept no older version: the old key is gone, and warrants that name it with it");
    if (!code && r->check)
        warn_of_store(&t);
    if (!code && r->cli->json)
        emit(&t);
    else if (!code)
        print(&t);
    tenuo_signer_free(t.signer);
    json_decref(t.found);
    key_name_free(&t.name);
    return code;
}
