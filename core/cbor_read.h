/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict CBOR reader: one item at a time, the one accepted form only (spec warrant.md 1.7). Decoding of an item is
 * libcbor's streaming decoder, which allocates nothing; every rule of strictness is here. The first error sticks to the
 * reader, so callers may check once after several reads.
 */
#ifndef TN_CBOR_READ_H
#define TN_CBOR_READ_H

#include "mem.h"
#include "str.h"
#include <tenuo/error.h>

enum tn_kind { TN_UINT, TN_NINT, TN_BYTES, TN_TEXT, TN_ARRAY, TN_MAP, TN_TAG, TN_BOOL, TN_NULL, TN_FLOAT };

struct tn_item {
    enum tn_kind kind;
    uint8_t float_width; /* bytes of a float: 2, 4 or 8 */
    uint64_t num;        /* UINT; NINT as n in -1 - n; ARRAY and MAP count; TAG; BOOL 0 or 1 */
    double real;
    struct tn_str str;
};

struct tn_reader {
    const uint8_t *start, *p, *end;
    int code; /* 0, or the first error */
    struct tenuo_error *err;
};

void tn_reader_init(struct tn_reader *r, struct tn_str bytes, struct tenuo_error *err);
/* Records the first error with the byte offset; returns false so that callers can `return tn_reader_fail(...)`. */
bool tn_reader_fail(struct tn_reader *r, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Next item, of any kind. Tags are items of their own here; only tn_read_opaque lets one pass. */
bool tn_read_item(struct tn_reader *r, struct tn_item *ret);
/* Next item, which must be of this kind; `what` names it in the error. */
bool tn_read_kind(struct tn_reader *r, enum tn_kind kind, const char *what, struct tn_item *ret);
bool tn_read_text(struct tn_reader *r, const char *what, struct tn_str *ret);
bool tn_read_uint(struct tn_reader *r, const char *what, uint64_t max, uint64_t *ret);
bool tn_read_bool(struct tn_reader *r, const char *what, bool *ret);
/* Number of elements. */
bool tn_read_array(struct tn_reader *r, const char *what, size_t *ret);
bool tn_read_map(struct tn_reader *r, const char *what, size_t *ret);
/* True and consumed when the next item is null. */
bool tn_read_null(struct tn_reader *r);
/* A byte string, or an array of integers 0..255 (spec warrant.md 1.5); the latter is copied into the arena. */
bool tn_read_bytes_or_ints(struct tn_reader *r, const char *what, struct tn_arena *arena, struct tn_str *ret);
/* Any one well-formed item, tags inside allowed, at most TN_MAX_VALUE_DEPTH arrays and maps deep. */
bool tn_read_opaque(struct tn_reader *r, struct tn_str *ret);
/* Nothing may follow. */
bool tn_read_end(struct tn_reader *r, const char *what);

bool tn_utf8_valid(struct tn_str s);

#endif
