/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forks: a counter that the child's side of every fork raises, and a mutex that a child can still take although a
 * thread that does not exist there held it. The handlers do nothing else: no plugin is ever called from them.
 */
#ifndef TN_FORKGEN_H
#define TN_FORKGEN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers the handlers, once in a process; false when the system refused. */
bool tn_forkgen_init(void);
/* How many forks lie between the first process and this one. */
unsigned tn_forkgen(void);
/* Calls `renew` once in each child, before any thread there comes back from here: what it makes anew was the parent's.
 * `seen` belongs to it, and begins with 0. */
void tn_fork_renew(atomic_uint *seen, void (*renew)(void *arg), void *arg);

struct tn_lock {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    atomic_uint generation; /* the process that the two above belong to */
};

bool tn_lock_init(struct tn_lock *lock);
void tn_lock_destroy(struct tn_lock *lock);
void tn_lock_acquire(struct tn_lock *lock);
/* False when `deadline_ms` of tn_clock_ms has passed without the lock. */
bool tn_lock_acquire_until(struct tn_lock *lock, uint64_t deadline_ms);
void tn_lock_release(struct tn_lock *lock);
/* With the lock held: sleep until another thread wakes. */
void tn_lock_wait(struct tn_lock *lock);
void tn_lock_wake_all(struct tn_lock *lock);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t tn_clock_ms(void);
uint64_t tn_clock_ns(void);

#endif
