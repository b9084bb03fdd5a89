/* SPDX-License-Identifier: Apache-2.0 */
/* Guarded slots: apart from each other, wiped when given back, absent in a child, and fenced. */
#include "../../core/guard.h"
#include "tap.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 300

static bool is_zero(const uint8_t *p)
{
    return sodium_is_zero(p, 32) == 1;
}

static void slots(void)
{
    struct tn_guard g = { 0 };
    uint8_t *slot[MANY];
    unsigned missing = 0, dirty = 0, mixed = 0;
    for (int i = 0; i < MANY; i++) {
        slot[i] = tn_guard_take(&g);
        missing += slot[i] == NULL;
        dirty += slot[i] != NULL && !is_zero(slot[i]);
        if (slot[i] != NULL)
            memset(slot[i], i & 0xff, 32);
    }
    for (int i = 0; i < MANY; i++)
        for (int k = 0; k < 32; k++)
            mixed += slot[i][k] != (uint8_t)i;
    is_int(missing, 0, "%d slots over several pages", MANY);
    is_int(dirty, 0, "each zero at first");
    is_int(mixed, 0, "none shares a byte with another");
    uint8_t *again = slot[5], other[32];
    tn_guard_give(&g, again);
    ok(is_zero(again), "wiped when given back");
    ok(slot[4][0] == 4 && slot[6][31] == 6, "its neighbours are not");
    bool reused = false;
    for (int i = 0; i < MANY && !reused; i++)
        reused = tn_guard_take(&g) == again;
    ok(reused, "and used again before a new page is taken");
    memset(other, 9, sizeof other);
    tn_guard_give(&g, other);
    ok(other[0] == 9, "memory that is not the guard's is left alone");
    tn_guard_give(&g, NULL);
    tn_guard_free(&g);
    ok(g.pages == NULL, "all freed");
}

/* Exit status of what runs in a child; 128 + signal when it dies of one. */
static int in_child(int (*fn)(struct tn_guard *g, uint8_t *slot), struct tn_guard *g, uint8_t *slot)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn(g, slot));
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int is_wiped(struct tn_guard *g, uint8_t *slot)
{
    (void)g;
    return is_zero(slot) ? 0 : 1;
}

static int forget_and_use(struct tn_guard *g, uint8_t *slot)
{
    tn_guard_forget(g);
    if (g->pages != NULL)
        return 1;
    tn_guard_give(g, slot); /* the parent's: not known here */
    uint8_t *mine = tn_guard_take(g);
    if (mine == NULL || mine == slot || !is_zero(mine))
        return 2;
    memset(mine, 1, 32);
    tn_guard_free(g);
    return 0;
}

/* Silent, whatever the signal handlers of a sanitizer would print. */
static int run_past_the_end(struct tn_guard *g, uint8_t *slot)
{
    volatile uint8_t *p = slot;
    (void)g;
    signal(SIGSEGV, SIG_DFL);
    for (size_t i = 0; i < 128u * 32u + 4096u; i++)
        p[i] = 1;
    return 0;
}

static void forks(void)
{
    struct tn_guard g = { 0 };
    uint8_t *slot = tn_guard_take(&g);
    if (slot == NULL) {
        ok(false, "a slot");
        return;
    }
    memset(slot, 0x5a, 32);
    is_int(in_child(is_wiped, &g, slot), 0, "a child sees zeros");
    is_int(in_child(forget_and_use, &g, slot), 0, "a child forgets its parent's pages and takes its own");
    is_int(in_child(run_past_the_end, &g, slot), 128 + SIGSEGV, "writing past the page ends the program");
    ok(slot[0] == 0x5a && slot[31] == 0x5a, "the parent's seed is still there");
    tn_guard_free(&g);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    slots();
    forks();
    return done_testing();
}
