/* SPDX-License-Identifier: Apache-2.0 */
/* The generation rises in children alone, a lock that another thread holds at the fork can be taken there, and what
 * belongs to one process is made anew once. */
#include "../../core/forkgen.h"

#include <stdatomic.h>
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

/* ---- what belongs to one process ---- */

#define THREADS 8

static atomic_uint counted_by;
static atomic_ullong counted;
static pthread_barrier_t go;

static void forget(void *arg)
{
    usleep(20000); /* as long as the others need to get here */
    atomic_store((atomic_ullong *)arg, 0);
}

static void *counter(void *arg)
{
    pthread_barrier_wait(&go);
    tn_fork_renew(&counted_by, forget, arg);
    atomic_fetch_add((atomic_ullong *)arg, 1);
    return NULL;
}

/* The child's threads begin together: nobody's count is lost in the forgetting. */
static int count_in_child(void)
{
    pthread_t threads[THREADS];
    alarm(10);
    pthread_barrier_init(&go, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, counter, &counted) != 0)
            return 1;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return atomic_load(&counted) == THREADS ? 0 : 2;
}

static void check_renew(void)
{
    tn_fork_renew(&counted_by, forget, &counted);
    atomic_store(&counted, 1000);
    tn_fork_renew(&counted_by, forget, &counted);
    is_int((long long)atomic_load(&counted), 1000, "nothing is forgotten without a fork");
    pid_t child = fork();
    if (child == 0)
        _exit(count_in_child());
    is_int(exit_status(child), 0, "a child forgets once, and none of its threads' counts");
    atomic_store(&counted_by, 0x80000000u | tn_forkgen()); /* as if a thread of ours were forgetting at the fork */
    child = fork();
    if (child == 0)
        _exit(count_in_child());
    is_int(exit_status(child), 0, "nor waits for a thread that is not there");
    atomic_store(&counted_by, tn_forkgen());
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
    check_renew();
    return done_testing();
}
