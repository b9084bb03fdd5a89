/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fork generation and locks that survive a fork. A mutex that some other thread held at the fork stays locked in
 * the child for ever, so the first user there makes a new one; one process-wide mutex, which the handlers hold across
 * the fork, guards that.
 */
#include "forkgen.h"

#include <sched.h>
#include <time.h>

static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool registered;
static pthread_mutex_t renew_mutex = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void)
{
    pthread_mutex_lock(&renew_mutex);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&renew_mutex);
}

static void in_child(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_release);
    pthread_mutex_unlock(&renew_mutex);
}

static void register_handlers(void)
{
    atomic_store(&registered, pthread_atfork(before_fork, in_parent, in_child) == 0);
}

bool tn_forkgen_init(void)
{
    return pthread_once(&once, register_handlers) == 0 && atomic_load(&registered);
}

unsigned tn_forkgen(void)
{
    return atomic_load_explicit(&generation, memory_order_acquire);
}

/* With the generation in `seen`: somebody is at it. Of a parent's thread that says nothing. */
#define RENEWING 0x80000000u

void tn_fork_renew(atomic_uint *seen, void (*renew)(void *arg), void *arg)
{
    unsigned now = tn_forkgen(), was;
    while ((was = atomic_load_explicit(seen, memory_order_acquire)) != now)
        if (was == (now | RENEWING))
            sched_yield();
        else if (atomic_compare_exchange_strong(seen, &was, now | RENEWING)) {
            renew(arg);
            atomic_store_explicit(seen, now, memory_order_release);
        }
}

uint64_t tn_clock_ns(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t tn_clock_ms(void)
{
    return tn_clock_ns() / 1000000;
}

static bool make(struct tn_lock *lock)
{
    if (pthread_mutex_init(&lock->mutex, NULL) != 0)
        return false;
    if (pthread_cond_init(&lock->cond, NULL) != 0) {
        pthread_mutex_destroy(&lock->mutex);
        return false;
    }
    atomic_store_explicit(&lock->generation, tn_forkgen(), memory_order_release);
    return true;
}

bool tn_lock_init(struct tn_lock *lock)
{
    return tn_forkgen_init() && make(lock);
}

void tn_lock_destroy(struct tn_lock *lock)
{
    /* What belongs to the parent may be in use by a thread that is not here: leave it. */
    if (atomic_load_explicit(&lock->generation, memory_order_acquire) != tn_forkgen())
        return;
    pthread_cond_destroy(&lock->cond);
    pthread_mutex_destroy(&lock->mutex);
}

static void renew(struct tn_lock *lock)
{
    if (atomic_load_explicit(&lock->generation, memory_order_acquire) == tn_forkgen())
        return;
    pthread_mutex_lock(&renew_mutex);
    if (atomic_load_explicit(&lock->generation, memory_order_acquire) != tn_forkgen())
        (void)make(lock); /* on Linux initialising with default attributes cannot fail */
    pthread_mutex_unlock(&renew_mutex);
}

void tn_lock_acquire(struct tn_lock *lock)
{
    renew(lock);
    pthread_mutex_lock(&lock->mutex);
}

#ifdef __SANITIZE_THREAD__
#define TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN
#endif
#endif

/* A step of the system's clock must not change the wait. TSan does not know the call for that clock, and would see
 * races. */
static bool lock_until(pthread_mutex_t *mutex, const struct timespec *deadline)
{
#ifdef TSAN
    struct timespec now, pause = { .tv_nsec = 200000 };
    do {
        if (pthread_mutex_trylock(mutex) == 0)
            return true;
        nanosleep(&pause, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec < deadline->tv_nsec));
    return false;
#else
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, deadline) == 0;
#endif
}

bool tn_lock_acquire_until(struct tn_lock *lock, uint64_t deadline_ms)
{
    struct timespec ts = { .tv_sec = (time_t)(deadline_ms / 1000), .tv_nsec = (long)(deadline_ms % 1000) * 1000000 };
    renew(lock);
    if (pthread_mutex_trylock(&lock->mutex) == 0)
        return true;
    return lock_until(&lock->mutex, &ts);
}

void tn_lock_release(struct tn_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

void tn_lock_wait(struct tn_lock *lock)
{
    pthread_cond_wait(&lock->cond, &lock->mutex);
}

void tn_lock_wake_all(struct tn_lock *lock)
{
    pthread_cond_broadcast(&lock->cond);
}
