/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All revocation lines together: who is asked, what counts, and the verifier that follows from it. Lines are asked in
 * order as their control words say; a warrant is revoked if any list that was consulted says so; lines that stay silent
 * together deny. Holds no lock while it decides, and one of its own while it fetches: other threads go on meanwhile
 * with the verifier that is there, which refuses by itself when its lists are too old.
 */
#include "revoke.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chain_run.h"
#include "ctx.h"
#include "err.h"

/* A line may be two sources, its old list and that it has no new one; the chain as a whole may be one more. */
#define MOST_LINES ((TENUO_REVOCATION_MAX_SOURCES - 1) / 2)

struct tn_revoke {
    struct tn_revoke_line *lines;
    size_t nlines;
    struct tn_revoke_env env;
    struct tenuo_verifier *base;
    struct tn_lock refreshing; /* who holds it changes lines */
    struct tn_lock swapping;   /* for as long as it takes to count one reference */
    struct tenuo_verifier *current;
    atomic_ullong due;     /* tn_clock_ms of the next fetch */
    atomic_bool has_news;  /* one of the lines has */
    atomic_llong stale_at; /* Unix time after which current holds a list that is too old */
};

/* What the lines say together, while it is put together. */
struct view {
    struct tenuo_revocation_source sources[TENUO_REVOCATION_MAX_SOURCES];
    size_t n;
    struct tn_chain chain;
    int64_t stale_at;
    uint64_t due;
    const struct tn_revoke_line *last_resort; /* optional line with the freshest list, while no other answered */
    bool answered;
};

static int64_t wall_clock(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec;
}

static void add_source(struct view *v, struct tenuo_srl *list, int64_t fresh_until, const char *name, const char *why)
{
    v->sources[v->n++] = (struct tenuo_revocation_source){ list, fresh_until, name, why };
}

/* The last failure without its place, which the source's name has. NULL: the last look was good. */
static const char *reason(const struct tn_revoke_line *line)
{
    size_t n = strlen(line->instance->origin);
    if (line->failures == 0)
        return NULL;
    if (strncmp(line->why.msg, line->instance->origin, n) == 0 && strncmp(line->why.msg + n, ": ", 2) == 0)
        return line->why.msg + n + 2;
    return line->why.msg;
}

/* A list that has to be fresh for an allow. */
static void bind(struct view *v, const struct tn_revoke_line *line)
{
    add_source(v, line->used, line->fresh_until, line->name, reason(line));
    v->answered = true;
    if (line->fresh_until < v->stale_at)
        v->stale_at = line->fresh_until;
}

/* One line that was consulted. Whatever its list revokes is revoked, also when the list is old or the line optional. */
static void add_line(struct view *v, const struct tn_revoke_line *line, bool fresh)
{
    bool must = line->control == TN_REQUIRED || line->control == TN_REQUISITE;
    if (fresh && line->control != TN_OPTIONAL) {
        bind(v, line);
        return;
    }
    if (line->used != NULL)
        add_source(v, line->used, INT64_MAX, line->name, NULL);
    if (!fresh && must)
        add_source(v, NULL, 0, line->name, reason(line));
    if (fresh && (v->last_resort == NULL || line->fresh_until > v->last_resort->fresh_until))
        v->last_resort = line;
}

static void finish(struct view *v, const struct tn_revoke *r)
{
    bool good = tn_chain_end(&v->chain, "a revocation list", NULL) == TENUO_OK;
    if (good && !v->answered && v->last_resort != NULL)
        bind(v, v->last_resort);
    else if (!good)
        add_source(v, NULL, 0, r->nlines != 0 ? r->lines[0].name : "every revocation line was left out",
                   r->nlines != 0 ? reason(&r->lines[0]) : NULL);
}

/* Asks the lines that are due, in order, until the chain ends. */
static void look(struct tn_revoke *r, struct view *v)
{
    *v = (struct view){ .stale_at = INT64_MAX, .due = UINT64_MAX };
    tn_chain_init(&v->chain, TN_CHAIN_RESOLVER);
    for (size_t i = 0; i < r->nlines; i++)
        r->lines[i].asked = false;
    for (size_t i = 0; i < r->nlines; i++) {
        struct tn_revoke_line *line = &r->lines[i];
        line->asked = true;
        bool ran_out = line->list != NULL && line->failures == 0 && !tn_revoke_line_fresh(line, wall_clock());
        if (tn_clock_ms() >= line->next_ms || ran_out)
            tn_revoke_line_refresh(line, &r->env);
        bool fresh = tn_revoke_line_fresh(line, wall_clock());
        add_line(v, line, fresh);
        if (line->next_ms < v->due)
            v->due = line->next_ms;
        if (tn_chain_feed(&v->chain, line->control, fresh ? TENUO_OK : TENUO_E_UNAVAILABLE, NULL))
            break;
    }
    finish(v, r);
}

static void swap(struct tn_revoke *r, struct tenuo_verifier *next)
{
    struct tenuo_verifier *old;
    tn_lock_acquire(&r->swapping);
    old = r->current;
    r->current = next;
    tn_lock_release(&r->swapping);
    tenuo_verifier_unref(old);
}

/* With `refreshing` held. Without memory the verifier that is there stays: it knows itself how long it may. */
static int refresh(struct tn_revoke *r, struct tenuo_error *err)
{
    struct tenuo_revocation *snapshot = NULL;
    struct tenuo_verifier *next = NULL;
    struct view v;
    look(r, &v);
    int e = tenuo_revocation_new(v.sources, v.n, &snapshot, err);
    if (e == TENUO_OK)
        e = tenuo_verifier_with_revocation(r->base, snapshot, &next, err);
    tenuo_revocation_unref(snapshot);
    if (e == TENUO_OK)
        swap(r, next);
    for (size_t i = 0; i < r->nlines; i++)
        if (r->lines[i].has_news)
            atomic_store(&r->has_news, true);
    atomic_store(&r->stale_at, e == TENUO_OK ? v.stale_at : INT64_MAX);
    atomic_store(&r->due, e == TENUO_OK ? v.due : tn_clock_ms() + TN_REVOKE_RETRY_MS);
    return e;
}

static bool is_due(struct tn_revoke *r)
{
    return tn_clock_ms() >= atomic_load(&r->due) || wall_clock() > atomic_load(&r->stale_at);
}

struct tenuo_verifier *tn_revoke_verifier(struct tn_revoke *r)
{
    struct tenuo_verifier *v;
    if (is_due(r) && tn_lock_acquire_until(&r->refreshing, 0)) {
        struct tenuo_error why = { 0 };
        if (is_due(r) && refresh(r, &why) != TENUO_OK) /* another thread may have been here just now */
            tn_log(r->env.log, TENUO_LOG_ERR, "revocation: %s", why.msg);
        tn_lock_release(&r->refreshing);
    }
    tn_lock_acquire(&r->swapping);
    v = tenuo_verifier_ref(r->current);
    tn_lock_release(&r->swapping);
    return v;
}

bool tn_revoke_take_news(struct tn_revoke *r, struct tn_revoke_news *ret_news)
{
    struct tn_revoke_line *line = NULL;
    if (!atomic_load(&r->has_news) || !tn_lock_acquire_until(&r->refreshing, 0))
        return false;
    for (size_t i = 0; i < r->nlines && line == NULL; i++)
        line = r->lines[i].has_news ? &r->lines[i] : NULL;
    if (line != NULL) {
        line->has_news = false;
        memcpy(ret_news->origin, line->instance->origin, sizeof ret_news->origin);
        ret_news->version = tenuo_srl_version(line->list);
        ret_news->count = tenuo_srl_count(line->list);
    } else {
        atomic_store(&r->has_news, false);
    }
    tn_lock_release(&r->refreshing);
    return line != NULL;
}

struct told {
    struct tn_revoke_told what;
    struct tenuo_error why;
};

static void tell_of(const struct tn_revoke_line *line, uint64_t max_issued_age, struct told *ret)
{
    struct tn_revoke_told *told = &ret->what;
    *told = (struct tn_revoke_told){ .instance = line->instance,
                                     .control = line->control,
                                     .name = tn_instance_name(line->instance) };
    ret->why = (struct tenuo_error){ 0 };
    if (!tn_revoke_line_fresh(line, wall_clock()) && line->failures != 0)
        ret->why = line->why;
    else if (!tn_revoke_line_fresh(line, wall_clock()))
        (void)tn_fail(&ret->why, TENUO_E_UNAVAILABLE, "%s: the list is too old", line->instance->origin);
    if (line->list == NULL)
        return;
    told->fetched_at = line->fetched_at > 0 ? (uint64_t)line->fetched_at : 0;
    told->issued_at = (uint64_t)tenuo_srl_issued_at(line->list);
    told->version = tenuo_srl_version(line->list);
    if (max_issued_age != 0)
        told->ends_at = told->issued_at + max_issued_age;
}

void tn_revoke_tell(struct tn_revoke *r, void (*each)(void *arg, const struct tn_revoke_told *told), void *arg)
{
    struct told *found = calloc(r->nlines + 1, sizeof *found);
    size_t n = 0;
    if (found != NULL && tn_lock_acquire_until(&r->refreshing, 0)) {
        for (size_t i = 0; i < r->nlines; i++)
            if (r->lines[i].asked)
                tell_of(&r->lines[i], r->env.set->revocation_max_age, &found[n++]);
        tn_lock_release(&r->refreshing); /* what is told may wait for others */
    }
    for (size_t i = 0; i < n; i++) {
        found[i].what.why = &found[i].why;
        each(arg, &found[i].what);
    }
    free(found);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_rule(const struct tn_rule *a, const struct tn_rule *b)
{
    if (strcmp(a->module, b->module) != 0 || a->nargs != b->nargs)
        return false;
    for (size_t i = 0; i < a->nargs; i++)
        if (strcmp(a->args[i].key, b->args[i].key) != 0 || !same_text(a->args[i].value, b->args[i].value))
            return false;
    return true;
}

static void inherit(struct tn_revoke *r, struct tn_revoke *old)
{
    if (!tn_lock_acquire_until(&old->refreshing, tn_clock_ms() + 2 * TN_REVOKE_RETRY_MS))
        return; /* the old context waits for a server: so will we */
    for (size_t i = 0; i < r->nlines; i++)
        for (size_t k = 0; k < old->nlines; k++)
            if (r->lines[i].list == NULL && same_rule(r->lines[i].instance->rule, old->lines[k].instance->rule))
                tn_revoke_line_inherit(&r->lines[i], &old->lines[k], &r->env);
    tn_lock_release(&old->refreshing);
}

/* Wrong arguments are the administrator's to mend now; a server that is away may come back. */
static int open_line(struct tn_revoke *r, const struct tn_line *from, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    int e = tn_revoke_line_init(&r->lines[r->nlines], from->instance, from->control, err);
    if (e != TENUO_OK)
        return e;
    r->nlines++;
    e = tn_instance_open(from->instance, &why);
    if (e == TENUO_E_CONF || e == TENUO_E_INVALID_ARGUMENT || e == TENUO_E_PLUGIN_PROTOCOL || e == TENUO_E_NOMEM)
        return tn_fail(err, e, "%s", why.msg);
    return TENUO_OK; /* any other reason is told by the first fetch */
}

static int fill(struct tn_revoke *r, const struct tn_line *lines, size_t n, struct tn_revoke *old,
                struct tenuo_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int e = open_line(r, &lines[i], err);
        if (e != TENUO_OK)
            return e;
    }
    if (old != NULL)
        inherit(r, old);
    return refresh(r, err);
}

int tn_revoke_new(const struct tn_line *lines, size_t nlines, struct tenuo_verifier *base,
                  const struct tn_revoke_env *env, struct tn_revoke *old, struct tn_revoke **ret,
                  struct tenuo_error *err)
{
    struct tn_revoke *r;
    bool refreshing, swapping;
    if (nlines > MOST_LINES)
        return tn_fail(err, TENUO_E_CONF, "more than %u revocation lines", MOST_LINES);
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    refreshing = tn_lock_init(&r->refreshing);
    swapping = refreshing && tn_lock_init(&r->swapping);
    r->lines = calloc(nlines + 1, sizeof *r->lines);
    if (!swapping || r->lines == NULL) {
        if (refreshing)
            tn_lock_destroy(&r->refreshing);
        if (swapping)
            tn_lock_destroy(&r->swapping);
        free(r->lines);
        free(r);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    r->env = *env;
    r->base = tenuo_verifier_ref(base);
    int e = fill(r, lines, nlines, old, err);
    if (e != TENUO_OK) {
        tn_revoke_free(r);
        return e;
    }
    *ret = r;
    return TENUO_OK;
}

void tn_revoke_free(struct tn_revoke *revoke)
{
    if (revoke == NULL)
        return;
    for (size_t i = 0; i < revoke->nlines; i++)
        tn_revoke_line_clear(&revoke->lines[i]);
    tenuo_verifier_unref(revoke->current);
    tenuo_verifier_unref(revoke->base);
    tn_lock_destroy(&revoke->refreshing);
    tn_lock_destroy(&revoke->swapping);
    free(revoke->lines);
    free(revoke);
}
