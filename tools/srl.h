/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tenuo srl` share: the options of a run, lists from files, and ids as they are shown. */
#ifndef TENUO_TOOLS_SRL_H
#define TENUO_TOOLS_SRL_H

#include "cli.h"

struct srl_run {
    struct cli *cli;
    const char *action;
    struct cli_words words;    /* what follows the action */
    struct cli_words requests; /* add: files with signed requests */
    struct cli_words warrants; /* add: where the warrants of the requests are */
    struct cli_words expired;  /* add: warrants whose ids may go once they have expired */
    struct tenuo_verifier_builder *roots; /* add: whose chains the last two may be; NULL: no --root */
    const char *key, *key_id, *out, *reason, *after;
    uint8_t issuer[TENUO_PUBLIC_KEY_BYTES];
    bool has_issuer, chain, has_at;
    int64_t at;
    uint64_t version, max_age; /* 0: not given */
};

/* srl_make.c: what signs. */
int srl_create(struct srl_run *r, struct tenuo_error *err);
int srl_add(struct srl_run *r, struct tenuo_error *err);
int srl_request(struct srl_run *r, struct tenuo_error *err);

/* srl_ids.c: the ids that words, requests and expired warrants name, into a builder. */
int srl_id_of_word(const char *word, uint8_t ret_id[TENUO_WARRANT_ID_BYTES], struct tenuo_stack **ret_stack,
                   struct tenuo_error *err); /* *ret_stack: the warrant that it names, or NULL */
int srl_add_words(struct srl_run *r, size_t first, struct tenuo_srl_builder *builder, struct tenuo_error *err);
int srl_add_requests(struct srl_run *r, const uint8_t *authority, struct tenuo_srl_builder *builder,
                     struct tenuo_error *err);
/* Ids of the warrants in r->expired that have expired, as a list to leave out. Free *ret_ids. */
int srl_expired_ids(struct srl_run *r, const uint8_t *authority, uint8_t (**ret_ids)[TENUO_WARRANT_ID_BYTES],
                    size_t *ret_n, struct tenuo_error *err);

/* srl_show.c: what only reads. Each returns the exit status. */
int srl_read(const char *path, const uint8_t *issuer, struct tenuo_srl **ret, struct tenuo_error *err);
json_t *srl_json(const struct tenuo_srl *srl, bool ids);
void srl_print(const struct tenuo_srl *srl, bool ids);
int srl_show(struct srl_run *r);
int srl_verify(struct srl_run *r);
int srl_diff(struct srl_run *r);

/* srl_use.c: the list in `path` (NULL: none) for a verifier; by `issuer`, or by one of the roots when that is NULL. */
int srl_use(struct tenuo_verifier_builder *builder, const char *path, const uint8_t *issuer,
            uint8_t (*roots)[TENUO_PUBLIC_KEY_BYTES], size_t nroots, struct tenuo_error *err);

#endif
