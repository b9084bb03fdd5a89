/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the vector runner share: reading the members of a case, and making answers in the vocabulary of the
 * vector files (tests/vectors/README.md). An answer is a JSON value that main.c compares with what the case expects.
 *
 * Handlers use the public API only; they must never look at `expect` or `ours`.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tenuo/tenuo.h>

/* One case; `skip` is set by a handler that cannot judge it, with the reason (static text). */
struct vector {
    const json_t *json;
    const char *skip;
};

/* Answers a case. NULL: the case itself is unusable (a member is missing). */
typedef json_t *kind_fn(struct vector *v);

struct kind {
    const char *name;
    kind_fn *run;          /* NULL: not built */
    const char *not_built; /* the reason */
};
extern const struct kind kinds_constraint[];
extern const struct kind kinds_warrant[];
extern const struct kind kinds_call[];
extern const struct kind kinds_approval[];
extern const struct kind kinds_mint[];
extern const struct kind kinds_srl[];
extern const struct kind kinds_text[];

/* main.c: the matcher plugins of --plugins DIR, or NULL. */
extern struct tenuo_matchers *matchers;
/* Why a case that was answered with this code is skipped: 1504 while a matcher is not there; else NULL. */
const char *no_matcher(json_int_t code);

/* A byte string of a case, decoded from hex. Free `p`. */
struct bytes {
    uint8_t *p;
    size_t len;
};

/* input.c */
bool get_bytes(const json_t *object, const char *member, struct bytes *ret);
bool hex_decode(const char *text, size_t len, struct bytes *ret);
bool get_fixed(const json_t *object, const char *member, uint8_t *ret, size_t len); /* exactly len bytes */
const char *get_text(const json_t *object, const char *member, size_t *ret_len);
bool get_number(const json_t *object, const char *member, int64_t *ret);
bool has(const json_t *object, const char *member); /* present and not null */

/* Answers. */
json_t *answer_refused(int code);
json_t *answer_ok(void);
json_t *answer_hex(const uint8_t *p, size_t len);
void put_hex(json_t *answer, const char *member, const uint8_t *p, size_t len);
void put_text(json_t *answer, const char *member, const char *text, size_t len);

/* expect.c: does the answer meet what the case expects (`ours`, else `expect`)? */
bool meets(const json_t *vector, const json_t *answer);
const json_t *expected(const json_t *vector);

/* kinds_warrant.c, shared by the others */
struct tenuo_stack *parse_single(const json_t *json, const char *member, int *ret_code);
/* kinds_srl.c: the member `srl`; `issuer` may be NULL. */
int srl_of(const json_t *json, const uint8_t *issuer, struct tenuo_srl **ret);
#define WINDOW_SECS 30

#endif
