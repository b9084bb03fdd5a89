/* SPDX-License-Identifier: Apache-2.0 */
/* The generation rises in children alone, and a lock that another thread holds at the fork can be taken there. */
#include "../../core/forkgen.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static struct tn_lock lock;
static pthread_barrier_t held, finish;

static void *holder(void *arg)
{
    (void)arg;
    tn_lock_acquire(&lock);
    pthread_barrier_wait(&held);
    pthread_barrier_wait(&finish);
    tn_lock_release(&lock);
    return NULL;
}

static int exit_status(pid_t child)
{
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* 0 when all is well in the child; alarm ends a child that hangs. */
static int in_child(unsigned before)
{
    alarm(10);
    if (tn_forkgen() != before + 1)
        return 1;
    tn_lock_acquire(&lock);
    tn_lock_release(&lock);
    if (!tn_lock_acquire_until(&lock, tn_clock_ms() + 1000))
        return 2;
    tn_lock_release(&lock);
    pid_t grandchild = fork();
    if (grandchild == 0)
        _exit(tn_forkgen() == before + 2 ? 0 : 3);
    return exit_status(grandchild);
}

int main(void)
{
    pthread_t thread;
    unsigned before;
    ok(tn_forkgen_init(), "handlers registered");
    ok(tn_forkgen_init(), "and again, once");
    before = tn_forkgen();
    ok(tn_lock_init(&lock), "lock made");
    pthread_barrier_init(&held, NULL, 2);
    pthread_barrier_init(&finish, NULL, 2);
    pthread_create(&thread, NULL, holder, NULL);
    pthread_barrier_wait(&held);

    uint64_t start = tn_clock_ms();
    ok(!tn_lock_acquire_until(&lock, start + 50), "a lock that is held is not had by its deadline");
    ok(tn_clock_ms() - start >= 50, "and not given up before");

    pid_t child = fork();
    if (child == 0)
        _exit(in_child(before));
    is_int(exit_status(child), 0, "a child takes a lock that a thread of the parent held");
    is_int(tn_forkgen(), before, "the parent's generation stays");
    pthread_barrier_wait(&finish);
    pthread_join(thread, NULL);
    ok(tn_lock_acquire_until(&lock, tn_clock_ms() + 1000), "free again in the parent");
    tn_lock_release(&lock);
    tn_lock_destroy(&lock);
    return done_testing();
}
