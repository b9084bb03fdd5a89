/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tenuo receipt` share: its options, receipts from words and journals, and how they are shown. */
#ifndef TENUO_TOOLS_RECEIPT_H
#define TENUO_TOOLS_RECEIPT_H

#include "cli.h"

#define RECEIPT_MAX_LINE (2u * TENUO_RECEIPT_MAX_BYTES + 512u) /* hex, and what stands around it */

struct receipt_run {
    struct cli *cli;
    const char *action, **files; /* what follows the action */
    size_t nfiles;
    /* verify */
    struct tenuo_verifier_builder *builder; /* NULL: no --root */
    json_t *arguments; /* as given, and built */
    struct tenuo_args *args;
    bool has_args, has_pop_at, exact_roots;
    int64_t pop_at;
    uint64_t line; /* 0: the only one */
    const char *srl, *policy;
    /* verify, chain, anchor */
    uint8_t signer[TENUO_PUBLIC_KEY_BYTES];
    bool has_signer;
    /* chain */
    uint8_t (*anchors)[TENUO_RECEIPT_DIGEST_BYTES];
    size_t nanchors;
    uint8_t after[TENUO_RECEIPT_DIGEST_BYTES];
    bool has_after;
};

/* receipt_io.c: a receipt in binary, hex, base64, or a line of a journal. */
int receipt_decode(const uint8_t *text, size_t len, struct tenuo_receipt **ret, struct tenuo_error *err);
/* The one receipt of a file; of a journal that of line `number` (from 1, empty lines count). */
int receipt_read(const char *path, uint64_t number, struct tenuo_receipt **ret, struct tenuo_error *err);
/* Each line of a journal that is not empty; `torn`: the file ends within it. False stops. 0, or 9002. */
typedef bool receipt_line_fn(void *arg, uint64_t number, const uint8_t *line, size_t len, bool torn);
int receipt_each_line(const char *path, receipt_line_fn *each, void *arg, struct tenuo_error *err);

/* receipt_show.c */
json_t *receipt_json(const struct tenuo_receipt *receipt);
void receipt_print(const json_t *object);
json_t *receipt_hex(const uint8_t *bytes, size_t len);

/* receipt_verify.c, receipt_chain.c */
int receipt_verify_run(struct receipt_run *r);
int receipt_chain_run(struct receipt_run *r, bool anchor);

#endif
