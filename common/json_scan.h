/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads single values out of a bounded JSON text without copying the rest: for answers that hold a secret, which stay
 * in the caller's guarded memory. Positions only are kept; strings are decoded into the caller's buffer. A text that is
 * not one JSON value, is deeper or has more parts than the bounds is refused whole. Over jsmn; plugins compile it in.
 */
#ifndef TN_JSON_SCAN_H
#define TN_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_JSON_TEXT_MAX (1u << 20) /* bytes */
#define TN_JSON_PARTS_MAX 16384     /* values and names */
#define TN_JSON_DEPTH_MAX 32
#define TN_JSON_NONE (-1)

struct tn_json; /* points into the text, which must stay as it is */

enum tn_json_type { TN_JSON_MISSING, TN_JSON_OBJECT, TN_JSON_ARRAY, TN_JSON_STRING, TN_JSON_OTHER };

/* NULL when it is no JSON, a bare number or word, or memory is out (*ret_nomem). The root is node 0. */
struct tn_json *tn_json_parse(const void *text, size_t len, bool *ret_nomem);
void tn_json_free(struct tn_json *j);

/* A node is a small number; TN_JSON_NONE is always allowed and has nothing in it. */
enum tn_json_type tn_json_type(const struct tn_json *j, int node);
/* The member of an object. None when it is missing, and when it is there twice: nobody can say which one is meant. */
int tn_json_get(const struct tn_json *j, int object, const char *name);
/* Through several objects: names ended by NULL. */
int tn_json_path(const struct tn_json *j, int object, const char *const *names);
/* The member or element after `*at`, which begins as TN_JSON_NONE. *ret_name (may be NULL) is a node for
 * tn_json_string. False at the end, and for anything but an object or an array. */
bool tn_json_next(const struct tn_json *j, int parent, int *at, int *ret_name, int *ret_value);
size_t tn_json_count(const struct tn_json *j, int parent);

/* Decoded, with a NUL behind it. False when it is no string, does not fit, holds a NUL or a broken escape. */
bool tn_json_string(const struct tn_json *j, int node, char *ret, size_t size, size_t *ret_len);
bool tn_json_is(const struct tn_json *j, int node, const char *text);
/* What stands between the quotes; false for a string with escapes. */
bool tn_json_slice(const struct tn_json *j, int node, const char **ret_text, size_t *ret_len);
/* Decimal digits alone: 0..18446744073709551615. */
bool tn_json_uint(const struct tn_json *j, int node, uint64_t *ret);
/* A time as some servers write it, Unix seconds with a fraction or an exponent: the whole seconds of a number from 0 to
 * 999999999999999. */
bool tn_json_seconds(const struct tn_json *j, int node, int64_t *ret);
bool tn_json_true(const struct tn_json *j, int node);
bool tn_json_null(const struct tn_json *j, int node);

#endif
