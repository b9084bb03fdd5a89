/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tenuo key` share: the options of a run, keys as words name them, and keys as they are shown. */
#ifndef TENUO_TOOLS_KEY_H
#define TENUO_TOOLS_KEY_H

#include "cli.h"

#include <tenuo/store.h>

#define KEY_MOST_VERSIONS 64 /* of one id that are looked through; a store should keep no more */

struct key_run {
    struct cli *cli;
    const char *action;
    struct cli_words words;    /* what follows the action */
    struct cli_words warrants; /* rotate: files that may name the old key */
    const char *import;        /* rotate: file with the new secret, or - */
    bool yes, pem, new_version, check, has_holder;
    uint8_t holder[TENUO_PUBLIC_KEY_BYTES];
};

/* A key as a word names it: STORE:REF, or REF alone. */
struct key_name {
    char *store; /* NULL: any */
    const char *ref;
};

/* key_name.c. Opens the configuration; with `store` the word must name one. */
int key_name_open(struct cli *cli, const char *word, bool store, struct key_name *ret, struct tenuo_error *err);
void key_name_free(struct key_name *name);
/* The reference for a message that says that there is no such key: it may be a secret in the wrong place. */
const char *key_shown(const char *ref);
/* "STORE:ID" or "STORE:ID@N"; to be freed. */
char *key_reference(const char *store, const char *id, uint32_t version);
/* The key itself and, unless the reference has a version, the older ones, newest first. `why`: what is wrong with one
 * of the older ones, of which then only id and version are there. */
typedef void key_each_fn(void *arg, const struct tenuo_stored_key *key, const struct tenuo_error *why);
int key_versions(struct tenuo_ctx *ctx, const char *store, const char *ref, key_each_fn *each, void *arg,
                 struct tenuo_error *err);
/* Version of the key among those of an id (without @N); false when it is none of them. */
bool key_find(struct tenuo_ctx *ctx, const char *store, const char *id, const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
              struct tenuo_stored_key *ret);
/* One key, without older versions. */
int key_describe(struct tenuo_ctx *ctx, const char *store, const char *ref, struct tenuo_stored_key *ret,
                 struct tenuo_error *err);

/* key_print.c */
json_t *key_json(const char *store, const struct tenuo_stored_key *key);
void key_set_error(json_t *object, const struct tenuo_error *err);
/* FILE:LINE of a store's line, or "" when the message begins with it. */
const char *key_place(const char *origin, const struct tenuo_error *err);
void key_print(const char *store, const struct tenuo_stored_key *key, const char *remark);
void key_print_table(const json_t *rows); /* arrays of text, the first one the heading; columns of "-" are left out */
void key_time(int64_t when, char ret_text[CLI_TIME_TEXT]); /* "-" for 0 */
/* What keygen --to and import say. `file`: where the public key was written, or NULL. */
void key_report(struct cli *cli, const struct key_name *name, uint32_t version,
                const uint8_t key[TENUO_PUBLIC_KEY_BYTES], const char *file);

/* key_make.c: keys into a store. */
int key_generate(struct cli *cli, const char *to, const char *public_file, bool force, struct tenuo_error *err);
int key_import(struct key_run *r, struct tenuo_error *err);

/* key_remove.c, key_rotate.c */
int key_remove(struct key_run *r, bool *ret_declined, struct tenuo_error *err);
int key_rotate(struct key_run *r, struct tenuo_error *err);

/* key_names.c: what names an old key, as an array of objects with kind, where and text. */
struct key_old {
    const uint8_t *key;
    const char *id;
    bool newest; /* a setting with the id alone means this key until it is replaced */
};
int key_names_in_warrants(const struct cli_words *files, const struct key_old *old, json_t *found, size_t *ret_expired,
                          struct tenuo_error *err);
int key_names_in_conf(struct cli *cli, const struct key_old *old, json_t *found, struct tenuo_error *err);

/* key_show.c, key_test.c: what only reads. Each returns the exit status. */
int key_list(struct key_run *r);
int key_show(struct key_run *r);
int key_public(struct key_run *r);
int key_test(struct key_run *r);

#endif
