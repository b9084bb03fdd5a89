/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comparison of two warrants for `tenuo inspect --diff`: as JSON, and that JSON as text. It never says that a
 * warrant may be trusted.
 */
#ifndef TENUO_TOOLS_DIFF_H
#define TENUO_TOOLS_DIFF_H

#include "cli.h"

enum verdict { SAME, NARROWER, CHANGED, UNDECIDED, WIDER, INCOMPARABLE, VERDICTS };

struct diff {
    const struct tenuo_warrant *p, *c; /* parent and child */
    const struct tenuo_matchers *matchers;
    int64_t as_of; /* what matchers take as the time */
    json_t *rows;
    bool seen[VERDICTS];
};

/* A new object: parent, child, linked, verdict (same, narrower, undecided, wider) and fields, one row each. `matchers`
 * may be NULL: what needs one is undecided then. */
json_t *cli_diff(const struct tenuo_warrant *parent, const struct tenuo_warrant *child,
                 const struct tenuo_matchers *matchers, int64_t as_of);
void cli_print_diff(const json_t *diff);

/* A row of the answer, lent; takes the two values, NULL where a side has none. */
json_t *diff_row(struct diff *d, const char *field, enum verdict v, json_t *parent, json_t *child);
/* The reason of a verdict that is no yes. */
void diff_because(json_t *r, enum verdict v, const char *reason);

/* diff_tools.c */
void diff_tools(struct diff *d);
void diff_issuable(struct diff *d);
void diff_bounds(struct diff *d);

/* diff_gates.c: gates, approvers and how many of them are needed */
void diff_gates(struct diff *d);

#endif
