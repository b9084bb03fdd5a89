/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes. Text from a warrant is never NUL-terminated and may hold NUL: no str* function is ever used
 * on it. */
#ifndef TN_STR_H
#define TN_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tn_str {
    const uint8_t *p;
    size_t n;
};

/*
 * For large arrays that are written before they are read, on paths that every decision takes: the build sets all other
 * automatic variables to zero, which costs more here than the work itself.
 */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define TN_UNINIT __attribute__((uninitialized))
#endif
#endif
#ifndef TN_UNINIT
#define TN_UNINIT
#endif

#define TN_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline struct tn_str tn_lit(const char *s)
{
    return (struct tn_str){ (const uint8_t *)s, strlen(s) };
}

static inline bool tn_str_eq(struct tn_str a, struct tn_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Plain byte order, a prefix before what it begins: the order of every sorted map of the format. */
static inline int tn_str_cmp(struct tn_str a, struct tn_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (c != 0)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

static inline bool tn_str_starts(struct tn_str s, struct tn_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool tn_str_ends(struct tn_str s, struct tn_str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* Own ASCII tables: no function that looks at the locale. */
static inline bool tn_is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static inline bool tn_is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }
static inline bool tn_is_alpha(uint8_t c) { return (c >= 'a' && c <= 'z') || tn_is_upper(c); }
static inline uint8_t tn_lower(uint8_t c) { return tn_is_upper(c) ? (uint8_t)(c + 32) : c; }

/* text.c: bytes of the blank (Unicode White_Space) at the front of a text that is not empty; 0 when there is none. */
size_t tn_blank_len(struct tn_str s);

#endif
