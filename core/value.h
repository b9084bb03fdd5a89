/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed values (spec warrant.md 2). A value is a run of canonical CBOR: definite, shortest, object keys sorted. Two
 * forms exist:
 *   - the signed form, which PoP and request hash are made over;
 *   - the comparison form ("eq"), in which -0.0 is written 0.0, so that equality of values is equality of bytes. NaN
 * equals nothing: an argument's NaN is written f97e01, a constant's f97e00, and a constant that holds one is marked.
 */
#ifndef TN_VALUE_H
#define TN_VALUE_H

#include "cbor_read.h"
#include "cbor_write.h"

enum tn_value_form { TN_FORM_SIGNED, TN_FORM_CONSTANT, TN_FORM_ARGUMENT };

struct tn_val {
    struct tn_str cbor;
    bool has_nan;
};

/*
 * Reads one value under the strict rules and gives it in the form asked for. The result borrows the input when that is
 * in the form already, else it lies in the arena.
 */
bool tn_value_read(struct tn_reader *r, enum tn_value_form form, struct tn_arena *arena, struct tn_val *ret);

/* Both in constant form. */
static inline bool tn_val_eq(struct tn_val a, struct tn_val b)
{
    return !a.has_nan && !b.has_nan && tn_str_eq(a.cbor, b.cbor);
}

/* What a canonical value is, without looking further into it. */
enum tn_type { TN_T_STRING, TN_T_INT, TN_T_FLOAT, TN_T_BOOL, TN_T_LIST, TN_T_OBJECT, TN_T_NULL };
struct tn_peek {
    enum tn_type type;
    struct tn_str text;  /* STRING */
    int64_t integer;     /* INT */
    double real;         /* FLOAT */
    bool boolean;        /* BOOL */
    size_t count;        /* LIST, OBJECT */
    struct tn_str items; /* LIST, OBJECT: the elements' bytes */
};
/* For canonical bytes only: they were checked when they came in. */
struct tn_peek tn_value_peek(struct tn_str cbor);
/* Takes the first element off `items`. */
struct tn_str tn_value_next(struct tn_str *items);

/* One argument, both forms. */
struct tn_arg {
    struct tn_str name, value, eq;
};

/* Public objects. */
struct tenuo_value {
    struct tn_str cbor; /* signed form */
    unsigned depth;
    uint8_t data[];
};

struct tenuo_args {
    struct tn_arena arena;
    struct tn_arg *args; /* sorted by name */
    size_t n, cap, bytes;
};

const struct tn_arg *tn_args_find(const struct tenuo_args *args, struct tn_str name);
/* The eq form of a signed value; borrows it or lies in the arena. False when memory is out. */
bool tn_value_eq_form(struct tn_str signed_cbor, enum tn_value_form form, struct tn_arena *arena, struct tn_val *ret);
/* A deep copy; NULL stays NULL. */
int tn_args_copy(const struct tenuo_args *args, struct tenuo_args **ret, struct tenuo_error *err);
/* Canonical CBOR map of all arguments. */
void tn_args_put_map(struct tn_buf *b, const struct tenuo_args *args);

#endif
