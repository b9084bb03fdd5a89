/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo-tpm2, the helper program of the plugin tpm2: takes one request from descriptor 3, has the TPM answer it, and
 * ends. First of all it sees to it that nobody can look into it: no core dump, no ptrace, no swap as far as that is
 * allowed, no descriptor of its parent's. Reads no environment and no file of its own, and prints nothing but a refusal
 * to be run by hand.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "helper.h"
#include <tenuo/plugin.h>

#define HEAP (1024 * 1024) /* bytes: more than the TPM library ever takes */
#define DEADLINE_MAX 600000

static void close_door(void)
{
    const struct rlimit none = { 0, 0 };
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* the call that wants the answer is gone then */
    (void)syscall(SYS_close_range, TPM2_TALK_FD + 1, ~0U, 0);
}

/* Whether this is the plugin's: a mapping of just our structure. */
static struct tpm2_talk *map_talk(void)
{
    struct stat st;
    if (fstat(TPM2_TALK_FD, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(struct tpm2_talk))
        return NULL;
    void *p = mmap(NULL, sizeof(struct tpm2_talk), PROT_READ | PROT_WRITE, MAP_SHARED, TPM2_TALK_FD, 0);
    close(TPM2_TALK_FD);
    return p == MAP_FAILED ? NULL : p;
}

static bool is_request(const struct tpm2_talk *t)
{
    return t->magic == TPM2_TALK_MAGIC && t->size == sizeof *t && memchr(t->tcti, '\0', sizeof t->tcti) != NULL &&
           t->auth.len <= TPM2_AUTH_MAX && t->parent_auth.len <= TPM2_AUTH_MAX && t->der_len <= TPM2_DER_MAX &&
           t->deadline_ms <= DEADLINE_MAX && (t->op == TPM2_OP_UNSEAL || t->op == TPM2_OP_SEAL);
}

/* Everything if the user may lock so much; else the heap as it will be used. Not what comes later: a limit would make
 * the loading of the TPM's library fail. */
static void keep_from_swap(struct tpm2_talk *t)
{
    (void)mallopt(M_TOP_PAD, HEAP);
    (void)mallopt(M_MMAP_THRESHOLD, HEAP);
    void *first = malloc(1);
    (void)mlock(t, sizeof *t);
    if (mlockall(MCL_CURRENT) != 0 && first != NULL) {
        uintptr_t from = (uintptr_t)first & ~(uintptr_t)4095, end = (uintptr_t)sbrk(0);
        if (from < end)
            (void)mlock((const void *)from, end - from);
    }
    free(first);
}

/* The plugin kills us at its deadline; this is for one that cannot. */
static void set_alarm(uint32_t ms)
{
    struct itimerval timer = { .it_value = { ms / 1000 + 1, 0 } };
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

int main(void)
{
    close_door();
    struct tpm2_talk *talk = map_talk();
    if (talk == NULL || !is_request(talk)) {
        fputs("tenuo-tpm2: belongs to the plugin tenuo_tpm2.so of the same version, which runs it\n", stderr);
        return 2;
    }
    set_alarm(talk->deadline_ms);
    keep_from_swap(talk);
    struct tpm t = { .talk = talk };
    if (sodium_init() < 0)
        tpm_say(&t, TENUO_E_UNAVAILABLE, "no randomness from the system");
    else
        tpm_run(&t);
    if (talk->code != TENUO_OK || talk->op != TPM2_OP_UNSEAL)
        sodium_memzero(talk->seed, sizeof talk->seed);
    sodium_memzero(&talk->auth, sizeof talk->auth);
    sodium_memzero(&talk->parent_auth, sizeof talk->parent_auth);
    __atomic_store_n(&talk->done, TPM2_TALK_DONE, __ATOMIC_RELEASE);
    _exit(0); /* no exit handlers: the kernel takes this memory at once */
}
