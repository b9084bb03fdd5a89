/* SPDX-License-Identifier: Apache-2.0 */
/* One run of verify or authorize: decide.c reads the options and decides, decide_answer.c says the answer. */
#ifndef TENUO_TOOLS_DECIDE_H
#define TENUO_TOOLS_DECIDE_H

#include "cli.h"

struct decide {
    struct cli *cli;
    bool call;                              /* authorize */
    struct tenuo_verifier_builder *builder; /* NULL: from the configuration */
    struct tenuo_verifier *verifier;        /* that decided */
    const struct cli_bytes *bytes;          /* what it decided about */
    struct tenuo_stack *stack;              /* the same, once it is read */
    json_t *args;
    struct tenuo_request *request;
    const char *warrant, *tool, *pop, *request_id;
    const char **attributes, **approvals;
    size_t nattributes, napprovals, nroots;
    uint8_t (*roots)[TENUO_PUBLIC_KEY_BYTES];
    const char *srl;
    uint8_t srl_issuer[TENUO_PUBLIC_KEY_BYTES];
    bool has_srl_issuer;
    bool quiet, explain, has_at, audited;
    int64_t at;
};

/* Prints the answer and returns the exit status. */
int decide_answer(struct decide *d, const struct tenuo_decision *decision);
/* A warrant that a pure verifier could not decode: an answer of no, in the shape of every other. */
int decide_undecodable(struct decide *d, const struct tenuo_error *err);

#endif
