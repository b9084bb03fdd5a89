/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo key remove. Nothing brings a key back, so a person is asked, on the terminal and nowhere else. */
#include "key.h"

#include <stdlib.h>
#include <string.h>

static void count(void *arg, const struct tenuo_stored_key *key, const struct tenuo_error *why)
{
    (void)key;
    (void)why;
    *(unsigned *)arg += 1;
}

/* Something that is no key can be removed as well: that is what people remove. */
static int look(struct key_run *r, const struct key_name *name, unsigned *ret_versions, struct tenuo_stored_key *ret,
                struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    int code = key_describe(r->cli->ctx, name->store, name->ref, ret, &why);
    if (code == TENUO_E_KEY_INVALID) {
        *ret = (struct tenuo_stored_key){ .size = sizeof *ret };
        *ret_versions = 1;
        return TENUO_OK;
    }
    if (code) {
        *err = why;
        return code;
    }
    return key_versions(r->cli->ctx, name->store, name->ref, count, ret_versions, err);
}

static void say_what(FILE *terminal, const struct key_name *name, unsigned versions, const struct tenuo_stored_key *key)
{
    char text[44];
    if (versions > 1)
        cli_line(terminal, "Remove %s:%s with all its %u versions?", name->store, name->ref, versions);
    else
        cli_line(terminal, "Remove %s:%s?", name->store, name->ref);
    if (key->has_public_key) {
        tenuo_public_key_base64url(key->public_key, text);
        fprintf(terminal, "Its public key is %s%s.\n", text, versions > 1 ? " (the newest)" : "");
    } else {
        fputs("There is no usable key under this name.\n", terminal);
    }
    fputs("A store keeps no copy: warrants that name it as holder can never be used again.\n", terminal);
}

static int ask(const struct key_run *r, const struct key_name *name, unsigned versions,
               const struct tenuo_stored_key *key, bool *ret_yes, struct tenuo_error *err)
{
    *ret_yes = r->yes;
    if (r->yes)
        return TENUO_OK;
    FILE *terminal = cli_terminal();
    if (!terminal)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "there is no terminal to ask on; --yes removes without asking");
    say_what(terminal, name, versions, key);
    *ret_yes = cli_terminal_yes(terminal);
    fclose(terminal);
    return TENUO_OK;
}

static void report(const struct key_run *r, const struct key_name *name, unsigned versions,
                   const struct tenuo_stored_key *key)
{
    if (!r->cli->json) {
        cli_line(stdout, versions > 1 ? "removed %s:%s, all %u versions" : "removed %s:%s", name->store, name->ref,
                 versions);
        return;
    }
    json_t *object = cli_object(r->cli, true);
    struct tenuo_stored_key gone = *key;
    snprintf(gone.id, sizeof gone.id, "%.*s", (int)strcspn(name->ref, "@"), name->ref);
    if (!strchr(name->ref, '@'))
        gone.version = 0; /* all of them */
    cli_set(object, "removed", key_json(name->store, &gone));
    cli_set(object, "versions", json_integer(versions));
    cli_emit(r->cli, object);
}

int key_remove(struct key_run *r, bool *ret_declined, struct tenuo_error *err)
{
    struct key_name name = { 0 };
    struct tenuo_stored_key key;
    unsigned versions = 0;
    bool yes = false;
    int code = key_name_open(r->cli, r->words.v[0], true, &name, err);
    if (!code)
        code = look(r, &name, &versions, &key, err);
    if (!code)
        code = ask(r, &name, versions, &key, &yes, err);
    *ret_declined = !code && !yes;
    if (!code && yes)
        code = tenuo_store_remove(r->cli->ctx, name.store, name.ref, err);
    if (!code && yes)
        report(r, &name, versions, &key);
    key_name_free(&name);
    return code;
}
