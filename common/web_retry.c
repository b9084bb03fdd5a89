/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patience with a server, and its end: a few more tries with full jitter, and a breaker that spares a server which is
 * down, and the callers' time. Nothing here lasts longer than a second, so that a server that is back is used at once.
 */
#include "web_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TRIES 4
#define FIRST_WAIT_MS 100
#define LONGEST_WAIT_MS 1000
#define FAILURES 6 /* in a row; then nobody is asked for a while */
#define REST_MS 1000

static bool is_trouble(long status)
{
    return status == 429 || status >= 500 || (status > 0 && status < 200);
}

/* False: this call is spared. One of those that come after the rest is let through to see. */
static bool enter(struct tn_web *w, struct tn_web_answer *a)
{
    uint64_t now = tn_web_clock_ms();
    bool spared;
    pthread_mutex_lock(&w->lock);
    spared = w->failures >= FAILURES && (now < w->closed_until || w->probing);
    if (spared)
        snprintf(a->why, sizeof a->why, "%.500s; it failed %u times in a row, and is asked again within a second",
                 w->last, w->failures);
    else if (w->failures >= FAILURES)
        w->probing = true;
    pthread_mutex_unlock(&w->lock);
    return !spared;
}

static void leave(struct tn_web *w, const struct tn_web_answer *a, bool trouble)
{
    pthread_mutex_lock(&w->lock);
    w->probing = false;
    if (!trouble) {
        w->failures = 0;
    } else if (a->fate != TN_WEB_UNTRIED) {
        if (w->failures < 1000000)
            w->failures++;
        if (w->failures >= FAILURES)
            w->closed_until = tn_web_clock_ms() + REST_MS;
        snprintf(w->last, sizeof w->last, "%s", a->why);
    }
    pthread_mutex_unlock(&w->lock);
}

static void say_status(const struct tn_web *w, struct tn_web_answer *a)
{
    const char *meaning = w->meaning != NULL ? w->meaning(a->status) : NULL;
    if (meaning == NULL && a->status == 429)
        meaning = "it has too many requests: look at its rate limits";
    if (meaning == NULL)
        meaning = "look at its log";
    snprintf(a->why, sizeof a->why, "%s: it answered %ld: %s", w->server, a->status, meaning);
}

static bool is_throttled(const struct tn_web_request *q, const struct tn_web_answer *a)
{
    return q->is_throttled != NULL && q->is_throttled(a);
}

static void say_throttled(const struct tn_web *w, struct tn_web_answer *a)
{
    snprintf(a->why, sizeof a->why, "%s: it has too many requests: raise timeout=, or have its limits raised",
             w->server);
}

/* One try, as far as the breaker lets it. */
static int try_once(struct tn_web *w, const struct tn_web_request *q, struct tn_web_answer *a, bool *ret_trouble)
{
    *a = (struct tn_web_answer){ .fate = TN_WEB_UNTRIED };
    *ret_trouble = true;
    if (!enter(w, a))
        return TENUO_E_UNAVAILABLE;
    int r = tn_web_call(w, q, a);
    *ret_trouble = r != TENUO_OK && a->fate != TN_WEB_TOO_LONG;
    if (r == TENUO_OK && is_trouble(a->status) && (q->settled == NULL || !q->settled(a))) {
        *ret_trouble = true;
        say_status(w, a);
        r = TENUO_E_UNAVAILABLE;
    } else if (r == TENUO_OK && is_throttled(q, a)) {
        *ret_trouble = true;
        say_throttled(w, a);
        r = TENUO_E_UNAVAILABLE;
    }
    leave(w, a, *ret_trouble);
    return r;
}

static bool may_repeat(const struct tn_web_request *q, const struct tn_web_answer *a)
{
    switch (a->fate) {
    case TN_WEB_UNREACHED:
        return true;
    case TN_WEB_ANSWERED: /* 429 and 503 come before anything is done */
        return !q->once || a->status == 429 || a->status == 503 || is_throttled(q, a);
    case TN_WEB_BROKEN:
        return !q->once;
    case TN_WEB_UNTRIED:
    case TN_WEB_MISTRUSTED:
    case TN_WEB_TOO_LONG:
        break;
    }
    return false;
}

/* Milliseconds before the next try: random up to a bound that doubles, and not less than the server asked for. */
static uint64_t pause_of(const struct tn_web *w, unsigned tried, const struct tn_web_answer *a)
{
    uint32_t bound = (uint32_t)FIRST_WAIT_MS << tried, dice = 0;
    if (bound > LONGEST_WAIT_MS)
        bound = LONGEST_WAIT_MS;
    w->host->random(&dice, sizeof dice);
    uint64_t wait = dice % bound + 1, asked = (uint64_t)a->retry_after * 1000;
    return asked > 0 ? asked + wait : wait;
}

static void rest(uint64_t ms)
{
    struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}

int tn_web_ask(struct tn_web *w, const struct tn_web_request *q, struct tn_web_answer *ret)
{
    for (unsigned tried = 0;; tried++) {
        struct tn_web_answer again;
        bool trouble = false;
        int r = try_once(w, q, tried == 0 ? ret : &again, &trouble);
        if (tried > 0 && r != TENUO_OK && again.fate == TN_WEB_UNTRIED) {
            tn_web_forget(&again);
            return TENUO_E_UNAVAILABLE; /* the breaker, or no time: what happened before says more */
        }
        if (tried > 0) {
            tn_web_forget(ret);
            *ret = again;
        }
        if (!trouble || tried + 1 == TRIES || !may_repeat(q, ret))
            return r;
        uint64_t wait = pause_of(w, tried, ret);
        if (wait + 2 * TN_WEB_MARGIN_MS >= w->host->deadline(w->host))
            return r;
        rest(wait);
    }
}
