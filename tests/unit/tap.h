/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole test framework: TAP on standard output, one line a check. A program calls ok, is_int or is_str any number
 * of times and ends with `return done_testing();`. Never prints a secret: do not compare seeds with is_str.
 */
#ifndef TN_TAP_H
#define TN_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 0))) static inline void tap_line(bool good, const char *fmt, va_list ap)
{
    char name[512];
    vsnprintf(name, sizeof name, fmt, ap);
    for (char *p = name; *p != '\0'; p++) /* '#' would begin a directive, a newline another line */
        if (*p == '\n' || *p == '#')
            *p = ' ';
    tap_count++;
    if (!good)
        tap_failed++;
    printf("%sok %d - %s\n", good ? "" : "not ", tap_count, name);
    fflush(stdout);
}

__attribute__((format(printf, 2, 3))) static inline bool ok(bool good, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tap_line(good, fmt, ap);
    va_end(ap);
    return good;
}

__attribute__((format(printf, 3, 4))) static inline bool is_int(long long got, long long want, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tap_line(got == want, fmt, ap);
    va_end(ap);
    if (got != want)
        printf("#   got:  %lld\n#   want: %lld\n", got, want);
    return got == want;
}

__attribute__((format(printf, 3, 4))) static inline bool is_str(const char *got, const char *want, const char *fmt, ...)
{
    bool same = got != NULL && want != NULL ? strcmp(got, want) == 0 : got == want;
    va_list ap;
    va_start(ap, fmt);
    tap_line(same, fmt, ap);
    va_end(ap);
    if (!same)
        printf("#   got:  %s\n#   want: %s\n", got != NULL ? got : "(null)", want != NULL ? want : "(null)");
    return same;
}

/* For what cannot run here, with the reason. */
static inline void skip_test(const char *name, const char *why)
{
    printf("ok %d - %s # SKIP %s\n", ++tap_count, name, why);
}

/* Prints the plan; 0 when nothing failed and something ran. */
static inline int done_testing(void)
{
    printf("1..%d\n", tap_count);
    if (tap_failed != 0)
        fprintf(stderr, "%d of %d failed\n", tap_failed, tap_count);
    return tap_failed == 0 && tap_count != 0 ? 0 : 1;
}

#endif
