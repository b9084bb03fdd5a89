/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "receipt": signed receipts in journals, one for what was allowed and one for what was denied, so that no
 * flood of denials can push out an allow. The host signs; no key ever comes here.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal.h"

#define DEFAULT_MIB 64
#define DEFAULT_KEPT_DENIALS 8
#define DENIALS ".denied"

#define PATIENCE_MS 50 /* of a denial that nobody waits for */

/* Allows and denials have a queue each, so that denials hold up no allow either. */
struct lane {
    struct journal_rules rules;
    pthread_mutex_t queue;
    struct journal_seen seen; /* under `queue` */
};

struct receipts {
    const struct tenuo_host *host;
    struct lane allows, denials;
    bool with_denials;
};

/* Threads queue here, in order, before they ask for the file's lock. */
static int enter(const struct tenuo_host *host, struct lane *lane, uint32_t patience_ms)
{
    struct timespec until = { 0 };
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(patience_ms / 1000);
    until.tv_nsec += (long)(patience_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (pthread_mutex_timedlock(&lane->queue, &until) == 0)
        return TENUO_OK;
    host->error(host, "too many receipts are waiting for %s", lane->rules.path);
    return TENUO_E_UNAVAILABLE;
}

static int open_journal(struct journal *j, const struct tenuo_host *host, struct lane *lane, uint32_t patience_ms)
{
    int r = journal_open(j, host, &lane->rules, patience_ms);
    if (r == TENUO_OK)
        journal_watch(j, &lane->seen);
    return r;
}

static int keep_now(const struct tenuo_host *host, struct lane *lane, uint32_t patience_ms,
                    const struct tenuo_receipt_job *job)
{
    struct journal j;
    const uint8_t *bytes = NULL;
    uint8_t prev[32];
    size_t len = 0;
    bool has_prev = false;
    int r = open_journal(&j, host, lane, patience_ms);
    if (r == TENUO_OK)
        r = journal_last(&j, prev, &has_prev);
    if (r == TENUO_OK)
        r = job->make(job, has_prev ? prev : NULL, &bytes, &len);
    if (r == TENUO_OK && (len == 0 || len > JOURNAL_MAX_RECEIPT)) {
        host->error(host, "a receipt of %zu bytes has no place in %s", len, lane->rules.path);
        r = TENUO_E_AUDIT_REFUSED;
    }
    if (r == TENUO_OK)
        r = journal_append(&j, bytes, len);
    if (r == TENUO_OK)
        journal_watch(&j, &lane->seen);
    journal_close(&j);
    return r == TENUO_E_CONF ? TENUO_E_AUDIT_REFUSED : r; /* legal when opening alone */
}

static int keep(const struct tenuo_host *host, struct lane *lane, const struct tenuo_receipt_job *job)
{
    uint32_t patience_ms = host->deadline(host);
    int r;
    if (!job->must && !job->allow && patience_ms > PATIENCE_MS)
        patience_ms = PATIENCE_MS;
    r = enter(host, lane, patience_ms);
    if (r != TENUO_OK)
        return r;
    r = keep_now(host, lane, patience_ms, job);
    pthread_mutex_unlock(&lane->queue);
    return r;
}

static int receipts_receipt(void *self, const struct tenuo_receipt_job *job)
{
    struct receipts *s = self;
    const uint8_t *bytes = NULL;
    size_t len = 0;
    if (job->allow)
        return keep(s->host, &s->allows, job);
    if (s->with_denials)
        return keep(s->host, &s->denials, job);
    return job->make(job, NULL, &bytes, &len); /* made and let go: the administrator wants none */
}

static void receipts_close(void *self)
{
    struct receipts *s = self;
    if (s == NULL)
        return;
    free(s->allows.rules.path);
    free(s->denials.rules.path);
    pthread_mutex_destroy(&s->allows.queue);
    pthread_mutex_destroy(&s->denials.queue);
    free(s);
}

enum { ARG_PATH, ARG_DENIALS, ARG_FSYNC, ARG_MAX_SIZE, ARG_MAX_AGE, ARG_KEEP, ARG_KEEP_DENIALS, ARG_COUNT };

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 1, "journal of allowed calls" },
    { "denials", TENUO_ARG_STRING, 0, "journal of denied calls, or 'no' (PATH" DENIALS ")" },
    { "fsync", TENUO_ARG_BOOL, 0, "wait for the disk after every allow (yes)" },
    { "max_size", TENUO_ARG_UINT, 0, "MiB at which a new file is begun, 0 never (64)" },
    { "max_age", TENUO_ARG_DURATION, 0, "age at which a new file is begun (none)" },
    { "keep", TENUO_ARG_UINT, 0, "full files of allowed calls to keep, 0 all (0)" },
    { "keep_denials", TENUO_ARG_UINT, 0, "full files of denied calls to keep, 0 all (8)" },
    { NULL, 0, 0, NULL },
};

static uint64_t number(const struct tenuo_arg *arg, uint64_t missing)
{
    return arg->value != NULL ? arg->number : missing;
}

static bool fill(struct receipts *s, const struct tenuo_arg *given)
{
    const char *denials = given[ARG_DENIALS].value;
    size_t n = strlen(given[ARG_PATH].value) + sizeof DENIALS;
    struct journal_rules rules = { .max_size = number(&given[ARG_MAX_SIZE], DEFAULT_MIB) << 20,
                                   .max_age = number(&given[ARG_MAX_AGE], 0) / 1000 };
    struct journal_rules *allows = &s->allows.rules, *denied = &s->denials.rules;
    *allows = *denied = rules;
    allows->sync = number(&given[ARG_FSYNC], 1) != 0;
    allows->keep = (uint32_t)number(&given[ARG_KEEP], 0);
    denied->keep = (uint32_t)number(&given[ARG_KEEP_DENIALS], DEFAULT_KEPT_DENIALS);
    s->with_denials = denials == NULL || strcmp(denials, "no") != 0;
    allows->path = strdup(given[ARG_PATH].value);
    denied->path = denials != NULL ? strdup(denials) : calloc(n, 1);
    if (allows->path == NULL || denied->path == NULL)
        return false;
    if (denials == NULL) {
        memcpy(denied->path, allows->path, n - sizeof DENIALS);
        memcpy(denied->path + n - sizeof DENIALS, DENIALS, sizeof DENIALS);
    }
    return true;
}

static int check_paths(const struct receipts *s)
{
    const char *a = s->allows.rules.path, *d = s->denials.rules.path;
    if (a[strlen(a) - 1] == '/' || (s->with_denials && (d[0] != '/' || d[strlen(d) - 1] == '/'))) {
        s->host->error(s->host, "path and denials want absolute names of files");
        return TENUO_E_CONF;
    }
    if (s->with_denials && strcmp(a, d) == 0) {
        s->host->error(s->host, "path and denials must be two files: denials must not push out allows");
        return TENUO_E_CONF;
    }
    return TENUO_OK;
}

/* Whether it can work now: the same way that each receipt goes, without one. */
static int try_out(const struct tenuo_host *host, struct lane *lane)
{
    struct journal j;
    int r = open_journal(&j, host, lane, host->deadline(host));
    journal_close(&j);
    return r == TENUO_E_AUDIT_REFUSED ? TENUO_E_SYSTEM : r;
}

static int make(const struct tenuo_host *host, const struct tenuo_arg *given, size_t nargs, struct receipts **ret)
{
    struct receipts *s;
    int r;
    if (nargs < ARG_COUNT || given[ARG_PATH].value == NULL)
        return TENUO_E_INVALID_ARGUMENT;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    (void)pthread_mutex_init(&s->allows.queue, NULL); /* cannot fail without attributes */
    (void)pthread_mutex_init(&s->denials.queue, NULL);
    r = fill(s, given) ? check_paths(s) : TENUO_E_NOMEM;
    if (r != TENUO_OK) {
        receipts_close(s);
        return r;
    }
    *ret = s;
    return TENUO_OK;
}

/* Not tried out: that would make the journals, as whoever runs the check. */
static int receipts_check(const struct tenuo_host *host, const struct tenuo_arg *given, size_t nargs)
{
    struct receipts *s = NULL;
    int r = make(host, given, nargs, &s);
    if (r != TENUO_OK)
        return r;
    if (journal_check(host, &s->allows.rules) != TENUO_OK ||
        (s->with_denials && journal_check(host, &s->denials.rules) != TENUO_OK))
        r = TENUO_E_UNAVAILABLE;
    receipts_close(s);
    return r;
}

static int receipts_open(const struct tenuo_host *host, const struct tenuo_arg *given, size_t nargs, void **ret_self)
{
    struct receipts *s = NULL;
    int r = make(host, given, nargs, &s);
    if (r == TENUO_OK)
        r = try_out(host, &s->allows);
    if (r == TENUO_OK && s->with_denials)
        r = try_out(host, &s->denials);
    if (r != TENUO_OK) {
        receipts_close(s);
        return r;
    }
    *ret_self = s;
    return TENUO_OK;
}

static const struct tenuo_audit_ops ops = {
    .size = sizeof ops,
    .open = receipts_open,
    .close = receipts_close,
    .check = receipts_check,
    .receipt = receipts_receipt,
};

/* Threads of both kinds may come at once. Not fork-safe: a queue may be held by a thread that the child has not. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "receipt",
    .version = "1.0",
    .summary = "signed receipts in chained journals",
    .args = args,
    .audit = &ops,
};
