/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "prometheus": counts instead of records. Many processes add to one file; whoever finds the text too old
 * and gets the lock writes it anew beside the old one and renames it. Labels are bounded: the name of a tool is one
 * only when a verified warrant grants it, and only for so many tools.
 */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH, STATE, INTERVAL, TOOLS, NARGS };

static uint64_t clock_ms(void)
{
    struct timespec ts = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void add_to(struct metrics *m, struct slot *s, size_t i, uint64_t n)
{
    if (s == NULL)
        s = metrics_slot(m, S_UNCOUNTED, "", 0, 0), i = 0, n = 1;
    if (s != NULL)
        atomic_fetch_add_explicit(&s->value[i], n, memory_order_relaxed);
}

/* ---- what the host counts ---- */

static struct slot *slot_of(struct metrics *m, const struct tenuo_stat *stat, size_t *ret_i, bool *ret_gauge)
{
    *ret_i = 0;
    *ret_gauge = false;
    switch (stat->what) {
    case TENUO_STAT_LINK_CACHE_HITS:
        return metrics_slot(m, S_CACHE, "", 1, 0);
    case TENUO_STAT_LINK_CACHE_MISSES:
        *ret_i = 1;
        return metrics_slot(m, S_CACHE, "", 1, 0);
    case TENUO_STAT_KEY_CACHE_HITS:
        return metrics_slot(m, S_CACHE, "", 2, 0);
    case TENUO_STAT_KEY_CACHE_MISSES:
        *ret_i = 1;
        return metrics_slot(m, S_CACHE, "", 2, 0);
    case TENUO_STAT_RESOLVER_CALLS:
        *ret_i = BUCKETS + 1;
        return metrics_slot(m, S_STORE_CALLS, stat->label, 0, 0);
    case TENUO_STAT_RESOLVER_NS:
        *ret_i = BUCKETS;
        return metrics_slot(m, S_STORE_CALLS, stat->label, 0, 0);
    case TENUO_STAT_RESOLVER_FAILURES:
        return metrics_slot(m, S_STORE_FAILED, stat->label, 0, 0);
    case TENUO_STAT_AUDIT_LOST:
        return metrics_slot(m, S_AUDIT_LOST, stat->label, 0, 0);
    default:
        break;
    }
    *ret_gauge = true;
    switch (stat->what) {
    case TENUO_STAT_REVOCATION_VERSION:
        *ret_i = 1;
        return metrics_slot(m, S_LIST, stat->label, 0, 0);
    case TENUO_STAT_REVOCATION_ISSUED:
        *ret_i = 2;
        return metrics_slot(m, S_LIST, stat->label, 0, 0);
    case TENUO_STAT_REVOCATION_FETCHED:
        return metrics_slot(m, S_LIST, stat->label, 0, 0);
    case TENUO_STAT_KEY_CREATED:
        return metrics_slot(m, S_KEY, stat->label, 0, 0);
    case TENUO_STAT_ROOT_ENDS:
        return metrics_slot(m, S_ROOT, stat->label, 0, 0);
    default:
        return NULL;
    }
}

/* One look at what the host counts. Lines of one name share a series: counters of both are summed, and of two times the
 * one that an alert is about counts. */
struct walk {
    struct metrics *m;
    uint64_t below; /* the class before, of the same store: the host's classes are cumulative, ours are not */
    unsigned long long now[SLOTS][VALUES];
    uint16_t told[SLOTS]; /* bits: values that were told */
};

static void take_number(struct walk *w, const struct slot *s, size_t i, unsigned long long value)
{
    size_t k = (size_t)(s - w->m->map->slot);
    w->told[k] |= (uint16_t)(1u << i);
    w->now[k][i] += value;
}

static void take_gauge(struct walk *w, const struct slot *s, size_t i, unsigned long long value)
{
    size_t k = (size_t)(s - w->m->map->slot);
    if ((w->told[k] & 1u << i) != 0 && w->now[k][i] < value)
        value = w->now[k][i]; /* the list that is older, the trust that ends first */
    w->told[k] |= (uint16_t)(1u << i);
    w->now[k][i] = value;
}

static void take_bucket(struct walk *w, const struct tenuo_stat *stat)
{
    const struct slot *s = metrics_slot(w->m, S_STORE_CALLS, stat->label, 0, 0);
    if (stat->bound_ns == metrics_bounds_ns[0])
        w->below = 0;
    for (size_t i = 0; s != NULL && i < BUCKETS; i++)
        if (metrics_bounds_ns[i] == stat->bound_ns)
            take_number(w, s, i, stat->value - w->below);
    w->below = stat->value;
}

static int take_stat(void *arg, const struct tenuo_stat *stat)
{
    struct walk *w = arg;
    size_t i;
    bool gauge;
    if (stat->what == TENUO_STAT_RESOLVER_BUCKET) {
        take_bucket(w, stat);
        return 0;
    }
    const struct slot *s = slot_of(w->m, stat, &i, &gauge);
    if (s != NULL)
        (gauge ? take_gauge : take_number)(w, s, i, stat->value);
    return 0;
}

static bool is_gauge(const struct slot *s)
{
    return s->kind == S_LIST || s->kind == S_KEY || s->kind == S_ROOT;
}

static void add_told(struct walk *w, size_t k)
{
    struct slot *s = &w->m->map->slot[k];
    for (size_t i = 0; i < VALUES; i++) {
        unsigned long long now = w->now[k][i], *last = &w->m->last[k][i];
        if ((w->told[k] & 1u << i) == 0)
            continue;
        if (is_gauge(s))
            atomic_store_explicit(&s->value[i], now, memory_order_relaxed);
        else
            add_to(w->m, s, i, now >= *last ? now - *last : 0);
        *last = now;
    }
}

/* Without memory nothing is lost: the next look finds it. */
static void take_stats(struct metrics *m)
{
    struct walk *w;
    if (m->host->size < offsetof(struct tenuo_host, stats) + sizeof m->host->stats || m->host->stats == NULL)
        return;
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return;
    w->m = m;
    (void)m->host->stats(m->host, take_stat, w);
    for (size_t k = 0; k < SLOTS; k++)
        if (w->told[k] != 0)
            add_told(w, k);
    free(w);
}

/* ---- the text ---- */

static int fail(struct metrics *m, const char *path)
{
    m->host->error(m->host, "%s cannot be written: %s", path, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

static bool write_beside(struct metrics *m, const char *beside)
{
    (void)unlink(beside); /* of one who died here */
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    metrics_write(m, out);
    bool good =
        fflush(out) == 0 && !ferror(out) && fchmod(fd, 0644) == 0; /* another user collects it, whatever the umask */
    return fclose(out) == 0 && good;
}

/* Whole or not at all: written beside, then renamed. With the lock. */
static int render(struct metrics *m)
{
    char *beside = NULL;
    int r = TENUO_OK;
    if (asprintf(&beside, "%s.new", m->text_path) < 0)
        return TENUO_E_NOMEM;
    if (!write_beside(m, beside) || rename(beside, m->text_path) != 0) {
        r = fail(m, m->text_path);
        (void)unlink(beside);
    }
    free(beside);
    return r;
}

/* By whoever comes first after the interval; the others go on meanwhile. */
static int render_when_due(struct metrics *m, bool always)
{
    uint64_t now = clock_ms(), last = atomic_load_explicit(&m->map->rendered_ms, memory_order_relaxed);
    int r;
    if (!always && now - last < m->interval_ms && now >= last)
        return TENUO_OK;
    take_stats(m);
    if (!metrics_lock(m, always))
        return TENUO_OK;
    atomic_store_explicit(&m->map->rendered_ms, now, memory_order_relaxed);
    r = render(m);
    metrics_unlock(m);
    return r;
}

/* ---- events ---- */

/* Behind the step "tool" the tool is one that the warrant grants. */
static bool is_granted(const struct tenuo_audit_event *e)
{
    static const char *const steps[] = { "constraint", "gate", "replay", "audit", "done" };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (strcmp(e->step, steps[i]) == 0)
            return e->root[0] != '\0' && strlen(e->tool) <= TOOL_MAX;
    return false;
}

/* One of the tools with a label of their own, or there is room for one more. */
static bool is_known(struct metrics *m, const char *tool)
{
    uint32_t others = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &m->map->slot[i];
        if (atomic_load_explicit(&s->used, memory_order_acquire) == 0)
            break;
        if (s->kind == S_TOOL && strncmp(s->label, tool, LABEL_MAX - 1) == 0)
            return true;
        others += s->kind == S_TOOL;
    }
    return others < m->max_tools && metrics_slot(m, S_TOOL, tool, 0, 0) != NULL;
}

static void observe_duration(struct metrics *m, uint64_t ns)
{
    struct slot *s = metrics_slot(m, S_LATENCY, "", 0, 0);
    for (size_t i = 0; s != NULL && i < BUCKETS; i++) {
        if (ns <= metrics_bounds_ns[i]) {
            add_to(m, s, i, 1);
            break;
        }
    }
    add_to(m, s, BUCKETS, ns);
    add_to(m, s, BUCKETS + 1, 1);
}

static int metrics_decision(void *self, const struct tenuo_audit_event *e)
{
    struct metrics *m = self;
    uint32_t word = strcmp(e->decision, "allow") == 0 ? 0 : strcmp(e->decision, "deny") == 0 ? 1 : 2;
    int r = metrics_open(m, e->service);
    if (r != TENUO_OK)
        return r;
    const char *tool = is_granted(e) && is_known(m, e->tool) ? e->tool : "other";
    add_to(m, metrics_slot(m, S_DECISIONS, tool, (uint32_t)e->code, word), 0, 1);
    if (e->size >= offsetof(struct tenuo_audit_event, duration_ns) + sizeof e->duration_ns && e->duration_ns != 0)
        observe_duration(m, e->duration_ns);
    return render_when_due(m, false);
}

static int metrics_notice(void *self, const struct tenuo_audit_notice *n)
{
    struct metrics *m = self;
    int r = metrics_open(m, n->service);
    if (r != TENUO_OK)
        return r;
    bool known = n->kind >= TENUO_NOTICE_CONFIG_RELOAD && n->kind <= TENUO_NOTICE_PROBE;
    add_to(m, metrics_slot(m, S_NOTICES, "", known ? (uint32_t)n->kind : 0, 0), 0, 1);
    return render_when_due(m, false);
}

static int metrics_flush(void *self)
{
    struct metrics *m = self;
    if (m->map == NULL)
        return TENUO_OK;
    int r = metrics_open(m, m->service);
    return r == TENUO_OK ? render_when_due(m, true) : r;
}

/* ---- life ---- */

static void free_sink(struct metrics *m)
{
    metrics_close(m);
    free(m->directory);
    free(m->state);
    free(m);
}

static void prometheus_close(void *self)
{
    struct metrics *m = self;
    if (m == NULL)
        return;
    if (m->map != NULL && metrics_open(m, m->service) == TENUO_OK)
        (void)render_when_due(m, true);
    free_sink(m);
}

static int check_directory(const struct tenuo_host *host, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(path, W_OK) == 0)
        return TENUO_OK;
    host->error(host, "%s: %s: make the directory, writable for this program", path,
                errno != 0 ? strerror(errno) : "no directory");
    return TENUO_E_UNAVAILABLE;
}

static int check_args(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    if (nargs < NARGS || args[PATH].value == NULL)
        return TENUO_E_INVALID_ARGUMENT;
    if (args[TOOLS].value == NULL || (args[TOOLS].number >= 1 && args[TOOLS].number <= 500))
        return TENUO_OK;
    host->error(host, "max_tools: want 1 to 500");
    return TENUO_E_CONF;
}

static int prometheus_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    int r = check_args(host, args, nargs);
    errno = 0;
    if (r == TENUO_OK)
        r = check_directory(host, args[PATH].value);
    if (r == TENUO_OK && args[STATE].value != NULL)
        r = check_directory(host, args[STATE].value);
    return r;
}

static int prometheus_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct metrics *m = NULL;
    int r = check_args(host, args, nargs);
    if (r != TENUO_OK)
        return r;
    m = calloc(1, sizeof *m);
    if (m == NULL)
        return TENUO_E_NOMEM;
    m->host = host;
    m->fd = -1;
    m->directory = strdup(args[PATH].value);
    m->state = strdup(args[STATE].value != NULL ? args[STATE].value : args[PATH].value);
    m->interval_ms = args[INTERVAL].value != NULL ? args[INTERVAL].number : 10000;
    m->max_tools = args[TOOLS].value != NULL ? (uint32_t)args[TOOLS].number : MAX_TOOLS;
    if (m->directory == NULL || m->state == NULL) {
        free_sink(m);
        return TENUO_E_NOMEM;
    }
    *ret_self = m;
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 1, "directory of the textfile collector: tenuo_SERVICE.prom goes there" },
    { "state", TENUO_ARG_PATH, 0, "directory of the counters (the same)" },
    { "interval", TENUO_ARG_DURATION, 0, "how old the text may get (10s)" },
    { "max_tools", TENUO_ARG_UINT, 0, "tools with a label of their own, 1 to 500; others are \"other\" (50)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_audit_ops ops = {
    .size = sizeof ops,
    .open = prometheus_open,
    .close = prometheus_close,
    .check = prometheus_check,
    .decision = metrics_decision,
    .flush = metrics_flush,
    .notice = metrics_notice,
};

/* Not thread-safe: what the host counted is compared with the last time. Fork-safe: a child adds to the same map. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "prometheus",
    .version = "1.0",
    .summary = "counts of decisions for Prometheus' textfile collector",
    .args = args,
    .audit = &ops,
};
