/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New keys in stores: keygen --to, and key import. A secret comes from the store itself, from a file that nobody else
 * can read or from a pipe; it is never a word of the command line and never shown.
 */
#include "key.h"

#include <string.h>
#include <unistd.h>

static int write_public(const char *file, const uint8_t key[TENUO_PUBLIC_KEY_BYTES], bool force,
                        const struct key_name *name, struct tenuo_error *err)
{
    char pem[TENUO_PUBLIC_PEM_MAX_BYTES];
    struct tenuo_error why = { 0 };
    tenuo_public_key_pem(key, pem);
    int code = cli_write_file(file, pem, strlen(pem), 0644, !force, &why);
    return code ? cli_set_error(err, code, "the key is in the store, but %s; 'tenuo key public %s:%s' prints it",
                                why.msg, name->store, name->ref)
                : TENUO_OK;
}

int key_generate(struct cli *cli, const char *to, const char *public_file, bool force, struct tenuo_error *err)
{
    struct key_name name = { 0 };
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    uint32_t version = 0;
    int code = key_name_open(cli, to, true, &name, err);
    if (!code && public_file && !force && access(public_file, F_OK) == 0)
        code = cli_set_error(err, TENUO_E_SYSTEM, "%s: is there already; --force replaces it", public_file);
    if (!code)
        code = tenuo_store_generate(cli->ctx, name.store, name.ref, key, &version, err);
    if (!code && public_file)
        code = write_public(public_file, key, force, &name, err);
    if (!code)
        key_report(cli, &name, version, key, public_file);
    key_name_free(&name);
    return code;
}

int key_import(struct key_run *r, struct tenuo_error *err)
{
    struct key_name name = { 0 };
    struct tenuo_signer *signer = NULL;
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    uint32_t version = 0;
    int code = key_name_open(r->cli, r->words.v[0], true, &name, err);
    if (!code)
        code = cli_signer_from_file("import", r->words.v[1], &signer, err);
    if (!code && r->new_version)
        code = tenuo_store_rotate(r->cli->ctx, name.store, name.ref, signer, key, &version, err);
    else if (!code)
        code = tenuo_store_import(r->cli->ctx, name.store, name.ref, signer, &version, err);
    if (!code) {
        key_report(r->cli, &name, version, tenuo_signer_public_key(signer), NULL);
        if (strcmp(r->words.v[1], "-") != 0)
            cli_warn(r->cli, "%s still holds the secret: when the store's copy is enough, remove it (shred -u)",
                     r->words.v[1]);
    }
    tenuo_signer_free(signer);
    key_name_free(&name);
    return code;
}
