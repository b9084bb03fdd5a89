/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay protection: under which key a call is known, how long it must be remembered, the question to every store, and
 * the stores across a reload. Never lets a call through that one store has seen or cannot tell about.
 */
#include "replay.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "crypto.h"

/*
 * The dedup key of warrant.md 8.3 and the request id as scope, so that an honest identical call is told from a replay.
 * The leaf's id text is its prefix and the 32 hex digits that the key is made over.
 */
static bool replay_key(const struct tenuo_decision *d, const struct tenuo_request *q, uint8_t ret[32])
{
    struct tn_str id = tn_lit(d->chain_ids[d->chain_len - 1]);
    struct tn_buf call = { 0 };
    uint8_t hash[32];
    char dedup[65] = "";
    crypto_hash_sha256_state st;
    id = (struct tn_str){ id.p + id.n - 32, 32 };
    tn_put_array(&call, 3);
    tn_put_text(&call, id);
    tn_put_text(&call, q->tool);
    tn_put_arg_pairs(&call, q->args);
    tn_sha256(hash, tn_buf_view(&call));
    tn_hex(dedup, hash, sizeof hash);
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, (const uint8_t *)dedup, 64);
    crypto_hash_sha256_update(&st, (const uint8_t *)q->id, strlen(q->id));
    crypto_hash_sha256_final(&st, ret);
    bool good = !call.failed;
    tn_buf_free(&call);
    return good;
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return !__builtin_add_overflow(a, b, &sum) ? sum : a < 0 ? INT64_MIN : INT64_MAX;
}

/*
 * A proof is accepted from `pop_windows / 2` windows before to as many after its own, and up to pop_bound later still
 * when it is judged at the time when its call was scheduled. The settings of another process, or of this one after a
 * reload, may be wider: the widest that there are decide. Never less than the whole span of the settings in force.
 */
int64_t tn_replay_until(int64_t window, int64_t as_of, int64_t now, uint32_t pop_windows, uint32_t pop_bound)
{
    int64_t last = add(window, (int64_t)TN_POP_WINDOW * (TN_POP_WINDOWS_MAX / 2 + 1));
    int64_t span = (int64_t)TN_POP_WINDOW * pop_windows, behind = 0;
    if (last < add(as_of, span))
        last = add(as_of, span);
    last = add(last, pop_bound);
    /* A program may decide for another time than the stores' clock has: what counts is how much longer. */
    if (as_of < now && __builtin_sub_overflow(now, as_of, &behind))
        behind = INT64_MAX;
    return add(last, behind);
}

/* Any line that has seen the proof, or cannot tell, denies; "seen" goes before. */
static void ask_lines(struct tenuo_ctx *c, struct tenuo_decision *d, const uint8_t key[32], int64_t until)
{
    for (size_t i = 0; i < c->lines[TN_F_REPLAY].n; i++) {
        struct tenuo_error why = { 0 };
        int r = tn_replay_check(c->lines[TN_F_REPLAY].v[i].instance, key, d->pop_window, until, &why);
        if (r == TENUO_E_REPLAYED)
            tn_decision_deny(d, r, TENUO_STEP_REPLAY, NULL);
        else if (r != TENUO_OK && d->outcome == TENUO_ALLOW)
            tn_decision_deny(d, r, TENUO_STEP_REPLAY, why.msg);
    }
}

void tn_replay_ask(struct tenuo_ctx *c, struct tenuo_decision *d, const struct tenuo_request *q, int64_t as_of)
{
    struct timespec now = { 0 };
    uint8_t key[32];
    if (c->replay_silent)
        tn_decision_deny(d, TENUO_E_UNAVAILABLE, TENUO_STEP_REPLAY,
                         "every replay line of the configuration was left out");
    if (c->lines[TN_F_REPLAY].n == 0 || q->is_retry)
        return;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        tn_decision_deny(d, TENUO_E_SYSTEM, TENUO_STEP_REPLAY, "the clock cannot be read");
    else if (!replay_key(d, q, key))
        tn_decision_deny(d, TENUO_E_NOMEM, TENUO_STEP_REPLAY, NULL);
    else
        ask_lines(c, d, key,
                  tn_replay_until(d->pop_window, as_of, (int64_t)now.tv_sec, c->conf->set.pop_windows, q->pop_bound));
}

static bool is_held(const struct tn_lines *lines, const struct tn_opened *opened)
{
    for (size_t i = 0; i < lines->n; i++)
        if (lines->v[i].instance->opened == opened)
            return true;
    return false;
}

/* Two equal lines take over from two: they are two stores, and one store asked twice would call everything a replay. */
void tn_replay_take_over(struct tenuo_ctx *c, const struct tenuo_ctx *old)
{
    const struct tn_lines *from = &old->lines[TN_F_REPLAY], *to = &c->lines[TN_F_REPLAY];
    for (size_t i = 0; i < to->n; i++)
        for (size_t k = 0; k < from->n; k++)
            if (!is_held(to, from->v[k].instance->opened) &&
                tn_instance_take_over(to->v[i].instance, from->v[k].instance))
                break;
    for (size_t k = 0; k < from->n; k++)
        if (!is_held(to, from->v[k].instance->opened))
            tn_log(&c->log, TENUO_LOG_WARNING,
                   "%s: the reload changes or removes this replay line; what it remembered in this process is not "
                   "looked at any more, and proofs used before can be used again until they are too old",
                   from->v[k].instance->origin);
}
