/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The truth table of control words, as a table. No success at all is a failure, so that an empty or silent chain
 * denies; a line that could not answer is never forgotten in favour of "not found".
 */
#include "chain_run.h"

#include "err.h"

enum answer { ANSWER_YES, ANSWER_NOT_FOUND, ANSWER_ERROR, ANSWER_COUNT };

enum { KEEP = 1, FAIL = 2, STOP = 4, STOP_IF_GOOD = 8, REMEMBER = 16, GO_ON = 0 };

static const unsigned table[TN_CONTROL_COUNT][ANSWER_COUNT] = {
    [TN_REQUIRED] = { KEEP, FAIL, FAIL | REMEMBER },
    [TN_REQUISITE] = { KEEP, FAIL | STOP, FAIL | REMEMBER | STOP },
    [TN_SUFFICIENT] = { KEEP | STOP_IF_GOOD, GO_ON, REMEMBER },
    [TN_OPTIONAL] = { KEEP, GO_ON, REMEMBER },
};

void tn_chain_init(struct tn_chain *chain, enum tn_chain_kind kind)
{
    *chain = (struct tn_chain){ .kind = kind };
}

static enum answer classify(int code)
{
    if (code == TENUO_OK)
        return ANSWER_YES;
    return code == TENUO_E_KEY_NOT_FOUND ? ANSWER_NOT_FOUND : ANSWER_ERROR;
}

static void remember(struct tenuo_error *slot, int code, const struct tenuo_error *err)
{
    if (slot->code != TENUO_OK)
        return;
    if (err != NULL)
        *slot = *err;
    else
        tn_fail_code(slot, code);
    slot->code = code;
}

/* Answers that end a chain whatever the control word: without I/O or memory, asking on could find another key. */
static bool ends_chain(int code)
{
    return code == TENUO_E_WOULD_BLOCK || code == TENUO_E_KEY_CONFLICT || code == TENUO_E_NOMEM;
}

bool tn_chain_feed(struct tn_chain *chain, enum tn_control control, int code, const struct tenuo_error *err)
{
    enum answer answer = classify(code);
    unsigned todo = table[control][answer];
    if (ends_chain(code)) {
        chain->error = (struct tenuo_error){ 0 };
        remember(&chain->error, code, err);
        chain->fatal = code;
        return true;
    }
    if ((todo & KEEP) != 0)
        chain->answered = true;
    if ((todo & FAIL) != 0 || (answer == ANSWER_ERROR && chain->kind == TN_CHAIN_TRUST))
        chain->failed = true;
    if ((todo & REMEMBER) != 0)
        remember(&chain->error, code, err);
    if ((todo & FAIL) != 0 && answer == ANSWER_NOT_FOUND)
        remember(&chain->missed, code, err);
    if (chain->kind == TN_CHAIN_TRUST)
        return false;
    return (todo & STOP) != 0 || ((todo & STOP_IF_GOOD) != 0 && !chain->failed);
}

int tn_chain_end(const struct tn_chain *chain, const char *what, struct tenuo_error *err)
{
    const struct tenuo_error *why = chain->error.code != TENUO_OK ? &chain->error : &chain->missed;
    if (chain->fatal == TENUO_OK && chain->answered && !chain->failed)
        return TENUO_OK;
    if (why->code != TENUO_OK)
        return tn_fail(err, why->code, "%s", why->msg);
    return tn_fail(err, TENUO_E_KEY_NOT_FOUND, "%s: no line of the chain has it", what);
}
