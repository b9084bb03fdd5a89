/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver under hard conditions: no time left, many threads on one instance, a fork between two calls. */
#include "conform.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_TIME_MS 1u
#define LATE_WARN_MS 250u
#define LATE_MS 1000u
#define THREADS 8
#define ROUNDS 200u
#define THREADS_MS 5000u

/* ---- deadline ---- */

struct timed {
    struct conform *c;
    struct conform_verdict *v;
    const char *id;
    bool there; /* "not found" would be a lie */
};

static void judge_time(const struct timed *t, const char *what, uint64_t began, int code)
{
    uint64_t took = conform_clock_ms() - began;
    if (took > LATE_MS)
        conform_fail(t->v, "%s with %u ms left came back after %llu ms: ask host->deadline() before and while waiting",
                     what, NO_TIME_MS, (unsigned long long)took);
    else if (took > LATE_WARN_MS)
        conform_warn(t->v, "%s with %u ms left came back after %llu ms", what, NO_TIME_MS, (unsigned long long)took);
    if (t->there && code == TENUO_E_KEY_NOT_FOUND)
        conform_fail(t->v, "%s with no time left says that a key is not there: that is 9301, nobody was asked", what);
}

static int ignore_entry(void *arg, const struct tenuo_key_entry *entry)
{
    (void)arg, (void)entry;
    return 0;
}

static void ask_in_no_time(const struct timed *t)
{
    static const uint8_t message[64] = { 1 };
    struct conform *c = t->c;
    unsigned can = conform_can(c);
    uint8_t out[TENUO_SIG_BYTES];
    uint32_t version;
    struct tenuo_key_entry entry;
    uint64_t began = conform_clock_ms();
    if (c->ops.resolver.public_key)
        judge_time(t, "public_key", began, conform_public_key(c, t->id, 0, out, &version));
    began = conform_clock_ms();
    if ((can & TENUO_RESOLVER_EXPORTS) != 0)
        judge_time(t, "export_seed", began, conform_export(c, t->id, 0, out));
    began = conform_clock_ms();
    if ((can & TENUO_RESOLVER_SIGNS) != 0)
        judge_time(t, "sign", began, conform_sign(c, t->id, 0, message, sizeof message, out));
    began = conform_clock_ms();
    if (c->ops.resolver.describe)
        judge_time(t, "describe", began, conform_describe(c, t->id, 0, &entry));
    began = conform_clock_ms();
    if (c->ops.resolver.list)
        judge_time(t, "list", began, conform_list(c, ignore_entry, NULL));
    tenuo_wipe(out, sizeof out);
}

void conform_check_deadline(struct conform *c, struct conform_verdict *v)
{
    void *self = NULL;
    struct timed t = { c, v, "conform-nobody", false };
    if (!conform_open(c, v))
        return;
    c->call_ms = NO_TIME_MS;
    uint64_t began = conform_clock_ms();
    int code = conform_open_self(c, &self);
    judge_time(&t, "open", began, code);
    if (code == TENUO_OK && c->ops.head.close)
        c->ops.head.close(self);
    ask_in_no_time(&t);
    t.id = c->shared->key_id;
    t.there = true;
    if (t.id[0] != '\0')
        ask_in_no_time(&t);
    c->call_ms = c->deadline_ms;
    conform_close(c);
    conform_good(v, "calls with %u ms left come back at once", NO_TIME_MS);
}

/* ---- threads ---- */

/* What one thread found first, and all must find again. */
struct reference {
    struct conform *c;
    unsigned can;
    bool has_key;
    uint8_t key[TENUO_PUBKEY_BYTES], seed[TENUO_SEED_BYTES];
    uint32_t version;
    uint64_t until;
    atomic_bool wrong;
    char text[CONFORM_TEXT];
};

static void note_wrong(struct reference *ref, const char *what, int code)
{
    if (!atomic_exchange(&ref->wrong, true))
        snprintf(ref->text, sizeof ref->text, "%s answered %s", what,
                 code == TENUO_OK ? "with another key's bytes" : conform_code(code));
}

static bool take_reference(struct conform *c, struct reference *ref, struct conform_verdict *v)
{
    ref->c = c;
    ref->can = conform_can(c);
    ref->has_key = c->shared->key_id[0] != '\0';
    if (!ref->has_key)
        return true;
    int code = conform_lookup(c, c->shared->key_id, 0, ref->key, &ref->version);
    if (code == TENUO_OK && (ref->can & TENUO_RESOLVER_EXPORTS) != 0)
        code = conform_export(c, c->shared->key_id, ref->version, ref->seed);
    if (code != TENUO_OK)
        conform_fail(v, "the key cannot be looked up: %s", conform_code(code));
    return code == TENUO_OK;
}

static void ask_key(struct reference *ref)
{
    struct conform *c = ref->c;
    const char *id = c->shared->key_id;
    uint8_t message[48], out[TENUO_SIG_BYTES];
    uint32_t version = 0;
    int code = conform_lookup(c, id, 0, out, &version);
    if (code != TENUO_OK || version != ref->version || memcmp(out, ref->key, sizeof ref->key) != 0)
        note_wrong(ref, "public_key", code);
    if ((ref->can & TENUO_RESOLVER_EXPORTS) != 0) {
        code = conform_export(c, id, ref->version, out);
        if (code != TENUO_OK || sodium_memcmp(out, ref->seed, sizeof ref->seed) != 0)
            note_wrong(ref, "export_seed", code);
    }
    if ((ref->can & TENUO_RESOLVER_SIGNS) != 0) {
        randombytes_buf(message, sizeof message);
        code = conform_sign(c, id, ref->version, message, sizeof message, out);
        if (code != TENUO_OK || !conform_verifies(ref->key, message, sizeof message, out))
            note_wrong(ref, "sign", code);
    }
    tenuo_wipe(out, sizeof out);
}

static void ask_nobody(struct reference *ref)
{
    uint8_t out[TENUO_SIG_BYTES];
    uint32_t version;
    char id[64];
    conform_random_id(id, sizeof id, "conform-nobody-");
    int code = conform_lookup(ref->c, id, 0, out, &version);
    if (code != TENUO_E_KEY_NOT_FOUND)
        note_wrong(ref, "looking up an id that nobody made", code);
    tenuo_wipe(out, sizeof out);
}

static void *ask_round_and_round(void *arg)
{
    struct reference *ref = arg;
    for (unsigned i = 0; i < ROUNDS && conform_clock_ms() < ref->until && !atomic_load(&ref->wrong); i++) {
        if (ref->has_key)
            ask_key(ref);
        if (i % 4 == 0 || !ref->has_key)
            ask_nobody(ref);
    }
    return NULL;
}

void conform_check_threads(struct conform *c, struct conform_verdict *v)
{
    pthread_t threads[THREADS];
    size_t n = 0;
    if (!conform_open(c, v))
        return;
    struct reference *ref = cli_alloc(1, sizeof *ref);
    if ((c->plugin.flags & TENUO_PLUGIN_THREAD_SAFE) == 0) {
        conform_skip(v, "it does not claim THREAD_SAFE: the host takes turns");
    } else if (take_reference(c, ref, v)) {
        ref->until = conform_clock_ms() + THREADS_MS;
        while (n < THREADS && pthread_create(&threads[n], NULL, ask_round_and_round, ref) == 0)
            n++;
        for (size_t i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
        if (n < THREADS)
            conform_fail(v, "only %zu threads could be started", n);
        if (atomic_load(&ref->wrong))
            conform_fail(v, "THREAD_SAFE is claimed, and with %d threads on one instance %s", THREADS, ref->text);
        conform_good(v, "%d threads on one instance, every answer is right", THREADS);
    }
    tenuo_wipe(ref, sizeof *ref);
    free(ref);
    conform_close(c);
}

/* ---- fork ---- */

/* In the forked child: on the parent's instance when that is promised, else on one of its own. */
_Noreturn static void child_asks(struct reference *ref)
{
    struct conform *c = ref->c;
    bool opened = (c->plugin.flags & TENUO_PLUGIN_FORK_SAFE) == 0;
    if (opened && conform_open_self(c, &c->self) != TENUO_OK)
        _exit(3);
    if (ref->has_key)
        ask_key(ref);
    ask_nobody(ref);
    if (opened && c->ops.head.close)
        c->ops.head.close(c->self);
    _exit(atomic_load(&ref->wrong) ? 2 : 0);
}

static void judge_child(struct conform *c, int status, struct conform_verdict *v)
{
    bool promised = (c->plugin.flags & TENUO_PLUGIN_FORK_SAFE) != 0;
    const char *how =
        promised ? "FORK_SAFE is claimed, and in a forked child" : "in a forked child, on an instance of its own,";
    atomic_store(&c->shared->active, 0); /* a call that died is over */
    if (WIFSIGNALED(status))
        conform_fail(v, "%s a call died of %s", how, strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == 3)
        conform_fail(v, "%s open fails: do not take the parent's process for one's own", how);
    else if (WEXITSTATUS(status) != 0)
        conform_fail(v, "%s the answers are wrong", how);
}

void conform_check_fork(struct conform *c, struct conform_verdict *v)
{
    int status = 0;
    if (!conform_open(c, v))
        return;
    struct reference *ref = cli_alloc(1, sizeof *ref);
    if (take_reference(c, ref, v)) {
        pid_t pid = fork();
        if (pid == 0)
            child_asks(ref);
        if (pid < 0)
            conform_fail(v, "no process could be started: %s", strerror(errno));
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (pid > 0)
            judge_child(c, status, v);
        if (ref->has_key)
            ask_key(ref);
        ask_nobody(ref);
        if (atomic_load(&ref->wrong))
            conform_fail(v, "after a fork, in the parent, %s", ref->text);
    }
    conform_good(v, "%s, and the parent goes on",
                 (c->plugin.flags & TENUO_PLUGIN_FORK_SAFE) != 0 ? "the instance works on in a child"
                                                                 : "a child opens its own");
    tenuo_wipe(ref, sizeof *ref);
    free(ref);
    conform_close(c);
}
