/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control words: what one line's answer means for its chain (style.md 4.7). Pure: knows neither plugins nor keys. The
 * caller asks the lines in order, tells each answer, and stops when told to.
 */
#ifndef TN_CHAIN_RUN_H
#define TN_CHAIN_RUN_H

#include <stdbool.h>

#include "conf.h"
#include <tenuo/error.h>

enum tn_chain_kind {
    TN_CHAIN_RESOLVER, /* the first answer wins and may end the chain */
    TN_CHAIN_TRUST /* every line is asked and united; one that cannot be read refuses all, whatever its control word */
};

struct tn_chain {
    enum tn_chain_kind kind;
    bool failed, answered;
    int fatal;                 /* a code that no other line can mend */
    struct tenuo_error error;  /* first that was no plain "not found"; code 0: none */
    struct tenuo_error missed; /* first "not found" of a line that had to answer */
};

void tn_chain_init(struct tn_chain *chain, enum tn_chain_kind kind);
/* One line's answer: `err` is its sentence when code is not 0. True when the chain ends here. */
bool tn_chain_feed(struct tn_chain *chain, enum tn_control control, int code, const struct tenuo_error *err);
/* 0 when the chain as a whole succeeded; else the code to report, 9300 when nobody knew. `what` is what was looked for.
 */
int tn_chain_end(const struct tn_chain *chain, const char *what, struct tenuo_error *err);

#endif
