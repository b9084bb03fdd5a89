/* SPDX-License-Identifier: Apache-2.0 */
/* How long a proof must be remembered: for every number of windows and every moment at which it is accepted, at least
 * until the last moment at which any setting accepts it. */
#include "../../core/replay.h"

#include <stdlib.h>
#include <tenuo/tenuo.h>

#include "tap.h"

#define W 1893456000 /* the proof's window */
#define MOMENTS 52   /* first and last second of 26 windows around it */

static struct tenuo_stack *stack;
static uint8_t pop[64];

static void must(int r)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %d\n", r);
    exit(1);
}

static void sign(void)
{
    uint8_t seed[32] = { 1 };
    struct tenuo_signer *key = NULL;
    struct tenuo_mint *mint = NULL;
    must(tenuo_signer_from_seed(seed, &key, NULL));
    must(tenuo_mint_root(&mint, NULL));
    must(tenuo_mint_add_tool(mint, "t", 1, NULL, NULL));
    must(tenuo_mint_set_holder(mint, tenuo_signer_public_key(key), NULL));
    must(tenuo_mint_sign(mint, key, W, &stack, NULL));
    must(tenuo_pop_sign(key, tenuo_stack_leaf(stack), "t", 1, NULL, W + 17, pop, NULL));
    tenuo_mint_free(mint);
    tenuo_signer_free(key);
}

static int64_t moment(int i)
{
    return W + (i / 2 - 13) * TN_POP_WINDOW + (i % 2) * (TN_POP_WINDOW - 1);
}

int main(void)
{
    bool accepted[TN_POP_WINDOWS_MAX + 1][MOMENTS] = { { false } };
    int64_t first, last = 0, window = 0;
    sign();
    for (uint32_t n = 1; n <= TN_POP_WINDOWS_MAX; n++) {
        int count = 0, other = 0;
        for (int i = 0; i < MOMENTS; i++) {
            accepted[n][i] = tn_pop_check(tenuo_stack_leaf(stack), tn_lit("t"), NULL, pop, moment(i), n, &window) == 0;
            count += accepted[n][i];
            other += accepted[n][i] && window != W;
            last = accepted[n][i] && moment(i) > last ? moment(i) : last;
        }
        is_int(count, 2 * (int)n, "%u windows accept as many", n);
        is_int(other, 0, "and tell the proof's own");
    }
    for (uint32_t n = 1; n <= TN_POP_WINDOWS_MAX; n++) {
        static const uint32_t bounds[] = { 0, 1, 14400, UINT32_MAX };
        int early = 0, shorter = 0, shifted = 0;
        for (int i = 0; i < MOMENTS; i++) {
            for (size_t b = 0; b < 4 && accepted[n][i]; b++) {
                /* the same proof may come as late as `last`, and be judged up to the bound after that */
                first = tn_replay_until(W, moment(i), moment(i), n, bounds[b]);
                early += first < last + bounds[b];
                shorter += first < moment(i) + (int64_t)n * TN_POP_WINDOW + bounds[b];
                shifted += tn_replay_until(W, moment(i), moment(i) + 1000, n, bounds[b]) != first + 1000 ||
                           tn_replay_until(W, moment(i), moment(i) - 1000, n, bounds[b]) != first;
            }
        }
        is_int(early, 0, "%u windows: no entry ends before the last acceptance under any setting", n);
        is_int(shorter, 0, "nor after less than the whole span");
        is_int(shifted, 0, "by the stores' clock");
    }
    is_int(tn_replay_until(INT64_MAX, INT64_MAX, 0, 10, UINT32_MAX), INT64_MAX, "the largest times");
    ok(tn_replay_until(INT64_MIN, INT64_MIN, INT64_MAX, 10, UINT32_MAX) >= 0, "the smallest");
    is_int(tn_replay_until(W, W + 40, W + 40, 5, 0), W + 190, "usually three minutes after the signature");
    tenuo_stack_free(stack);
    return done_testing();
}
