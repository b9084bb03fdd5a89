/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request for approval as it travels between people: one JSON object with the call, the chain and, if the holder
 * signed it, the holder's signature. What is read here comes from strangers; reading says nothing about trust.
 */
#ifndef TENUO_TOOLS_ASK_H
#define TENUO_TOOLS_ASK_H

#include "cli.h"

struct cli_ask {
    json_t *json, *args_json; /* the object; its arguments, lent */
    struct tenuo_stack *stack;
    struct tenuo_args *args;
    struct tenuo_approval_request_view view; /* what it claims; points into the rest */
    uint8_t hash[TENUO_REQUEST_HASH_BYTES];
    uint8_t (*keys)[TENUO_PUBLIC_KEY_BYTES];
    const uint8_t **approvers;
    bool signed_by_holder; /* it says so: `context` */
    uint8_t context[TENUO_SIGNATURE_BYTES];
};

/* `context` NULL: not signed by the holder. */
json_t *cli_ask_json(const struct tenuo_approval_request *wanted, json_t *args, const struct tenuo_stack *stack,
                     const uint8_t *context);
/* Also takes an answer of `tenuo authorize --json` or `tenuo request --json` that holds one. 1201 and 1202 malformed.
 */
int cli_ask_parse(const char *text, size_t len, struct cli_ask *ret, struct tenuo_error *err);
int cli_ask_read(const char *path, struct cli_ask *ret, struct tenuo_error *err);
void cli_ask_free(struct cli_ask *ask);
/* Tool, arguments, holder, expiry and approvers, for the person who is asked. Everything is escaped. */
void cli_ask_print(FILE *out, const struct cli_ask *ask, uint64_t now, uint64_t lifetime);

/* approvals.c: files of approvals for a call. What cannot be read is no approval, and an error: the caller meant to
 * give one. */
int cli_add_approvals(struct tenuo_request *request, const char *const *files, size_t count, struct tenuo_error *err);
/* What a decision about a call says of approvals, into the answer and from it. */
void cli_set_approvals(json_t *object, const struct tenuo_decision *decision, json_t *args,
                       const struct cli_bytes *bytes);
void cli_print_approvals(const json_t *object);

#endif
