/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters of the sink prometheus, loaded as the library would: a file that is cut, replaced or removed while
 * programs use it, children of a program that counts, a umask that would hide the text. What Prometheus' own tools make
 * of the text is tested apart (tests/audit).
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_audit_ops *ops;
static struct tenuo_host host;
static uint64_t key_cache_hits;

static void must(int code, const char *what)
{
    if (code == 0)
        return;
    printf("Bail out! %s: %d %s\n", what, code, mock_said);
    exit(1);
}

/* What two lines of one name are told to have counted, as the library tells it: line by line. */
static const uint64_t lost[2] = { 5, 2 }, calls[2] = { 3, 1 }, fetched[2] = { 2000, 1000 };
static bool tells_lines, tells_keys;

static int tell_keys(int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    char id[16];
    struct tenuo_stat s = { .size = sizeof s, .what = TENUO_STAT_KEY_CREATED, .label = id, .value = 7 };
    int r = 0;
    for (int i = 0; i < 1024 && r == 0; i++) {
        snprintf(id, sizeof id, "key-%d", i);
        r = each(arg, &s);
    }
    return r;
}

static int tell_lines(int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    struct tenuo_stat s = { .size = sizeof s, .label = "file" };
    int r = 0;
    for (size_t i = 0; i < 2 && r == 0; i++) {
        s.what = TENUO_STAT_AUDIT_LOST, s.value = lost[i];
        r |= each(arg, &s);
        s.what = TENUO_STAT_RESOLVER_CALLS, s.value = calls[i];
        r |= each(arg, &s);
        s.what = TENUO_STAT_RESOLVER_BUCKET, s.bound_ns = 100000;
        r |= each(arg, &s);
        s.what = TENUO_STAT_REVOCATION_FETCHED, s.value = fetched[i];
        r |= each(arg, &s);
    }
    return r;
}

static int tell_stats(const struct tenuo_host *h, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    const struct tenuo_stat hits = {
        .size = sizeof hits, .what = TENUO_STAT_KEY_CACHE_HITS, .label = "", .value = key_cache_hits
    };
    (void)h;
    if (tells_keys)
        return tell_keys(each, arg);
    if (tells_lines)
        return tell_lines(each, arg);
    return each(arg, &hits);
}

static void *opened(void)
{
    struct tenuo_arg args[4] = {
        { "path", stage_root, 0 }, { "state", NULL, 0 }, { "interval", "1ms", 1 }, { "max_tools", NULL, 0 }
    };
    void *self = NULL;
    host = mock_host;
    host.stats = tell_stats;
    int code = ops->open(&host, args, 4, &self);
    if (code != TENUO_OK) {
        printf("Bail out! open: %d %s\n", code, mock_said);
        exit(1);
    }
    return self;
}

static int event_code;

static int put(void *self, const char *service, const char *tool)
{
    const struct tenuo_audit_event e = { .size = sizeof e,
                                         .time_ns = 1893456000000000007,
                                         .decision_id = "d",
                                         .service = service,
                                         .decision = event_code == 0 ? "allow" : "deny",
                                         .code = event_code,
                                         .code_name = "",
                                         .step = "done",
                                         .reason = "",
                                         .warrant_id = "",
                                         .root = "r",
                                         .holder = "",
                                         .tool = tool,
                                         .field = "",
                                         .args_sha256 = "",
                                         .args_json = "",
                                         .request_id = "",
                                         .message = "allowed",
                                         .duration_ns = 1000,
                                         .peer_uid = -1,
                                         .peer_pid = -1 };
    return ops->decision(self, &e);
}

/* The number behind `series` in the text; -1 where it does not stand. */
static long long shown(void *self, const char *service, const char *series)
{
    char name[300], wanted[300];
    size_t len = 0;
    long long value = -1;
    must(ops->flush(self), "flush");
    snprintf(name, sizeof name, "tenuo_%s.prom", service);
    char *text = stage_read(stage_path(name), &len);
    snprintf(wanted, sizeof wanted, "\n%s ", series);
    char *at = text == NULL ? NULL : strstr(text, wanted);
    if (at != NULL)
        value = strtoll(at + strlen(wanted), NULL, 10);
    free(text);
    return value;
}

#define ALLOWED(service, tool) \
    "tenuo_decisions_total{service=\"" service "\",tool=\"" tool "\",decision=\"allow\",code=\"0\"}"
#define KEY_HITS(service) "tenuo_cache_lookups_total{service=\"" service "\",cache=\"key\",result=\"hit\"}"

static void check_files_that_go(void)
{
    static const char *const what[] = { "cut to nothing", "cut short", "removed", "replaced by another layout" };
    char path[1100], other[1100];
    struct stat st;
    void *a = opened(), *b = opened();
    snprintf(path, sizeof path, "%s", stage_path("tenuo_shop.counters"));
    snprintf(other, sizeof other, "%s", stage_path("tenuo_shop.counters.other"));
    key_cache_hits = 3;
    must(put(a, "shop", "t"), "a");
    must(put(b, "shop", "t"), "b");
    is_int(shown(a, "shop", ALLOWED("shop", "t")), 2, "two programs add to one file");
    for (int i = 0; i < 4; i++) {
        must(i == 0 ? truncate(path, 0) : i == 1 ? truncate(path, 4096) : i == 2 ? unlink(path) : 0, "fault");
        if (i == 3) {
            (void)stage_write("tenuo_shop.counters.other", "not ours", 8, 0600);
            must(rename(other, path), "rename");
        }
        must(put(a, "shop", "u"), "a");
        must(put(b, "shop", "t"), "b");
        is_int(shown(a, "shop", ALLOWED("shop", "t")), 1, "counters %s: both begin anew", what[i]);
        is_int(shown(b, "shop", ALLOWED("shop", "u")), 1, "in one file");
    }
    is_int(stat(path, &st) == 0 && (st.st_mode & 0777) == 0660, 1,
           "which the group may write and others cannot");
    ops->close(a);
    ops->close(b);
    is_int(access(stage_path("tenuo_shop.prom.new"), F_OK), -1, "nothing is left beside the text");
}

static void check_children(void)
{
    int status = 0;
    void *self = opened();
    key_cache_hits = 7;
    must(put(self, "fork", "t"), "put");
    is_int(shown(self, "fork", KEY_HITS("fork")), 7, "what the host counted");
    key_cache_hits = 100; /* and has not shown */
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            key_cache_hits = 2; /* a host counts for its own process */
            _exit(put(self, "fork", "t") != TENUO_OK || ops->flush(self) != TENUO_OK);
        }
        (void)waitpid(pid, &status, 0);
        is_int(status, 0, "a child counts in the same file");
    }
    is_int(shown(self, "fork", ALLOWED("fork", "t")), 4, "once");
    is_int(shown(self, "fork", KEY_HITS("fork")), 106, "and adds what it counted itself");
    ops->close(self);
}

static void check_notices(void)
{
    struct tenuo_audit_notice n = { .size = sizeof n, .service = "told", .message = "m", .origin = "", .key_id = "" };
    void *self = opened();
    for (n.kind = TENUO_NOTICE_CONFIG_RELOAD; n.kind <= TENUO_NOTICE_PROBE + 2; n.kind++)
        must(ops->notice(self, &n), "notice");
    is_int(shown(self, "told", "tenuo_notices_total{service=\"told\",kind=\"probe\"}"), 1, "a notice by its kind");
    is_int(shown(self, "told", "tenuo_notices_total{service=\"told\",kind=\"other\"}"), 2,
           "kinds of a later host are one series");
    ops->close(self);
}

static void check_room(void)
{
    void *self = opened();
    tells_keys = true;
    must(put(self, "full", "t"), "put");
    is_int(shown(self, "full", "tenuo_key_created_time_seconds{service=\"full\",key=\"key-199\"}"), 7,
           "200 keys are shown");
    is_int(shown(self, "full", "tenuo_key_created_time_seconds{service=\"full\",key=\"key-200\"}"), -1, "no more");
    is_int(shown(self, "full", "tenuo_metrics_uncounted_total{service=\"full\"}"), -1, "which is no loss");
    tells_keys = false;
    for (event_code = 1; event_code <= 1000; event_code++)
        must(put(self, "full", "t"), "put");
    event_code = 0;
    is_int(shown(self, "full",
                 "tenuo_decisions_total{service=\"full\",tool=\"t\",decision=\"deny\",code=\"700\"}"),
           1, "and decisions have their room");
    /* There are also: the tool, its allow, times, the cache. */
    is_int(shown(self, "full", "tenuo_metrics_uncounted_total{service=\"full\"}"), 1000 - (1024 - 1 - 200 - 4),
           "what finds none is counted as such");
    ops->close(self);
}

static void check_names(void)
{
    void *self = opened();
    tells_lines = true;
    must(put(self, "two", "t"), "put");
    must(put(self, "two", "t"), "put");
    is_int(shown(self, "two", "tenuo_audit_lost_total{service=\"two\",sink=\"file\"}"), 7,
           "two lines of one name are counted together, and once");
    is_int(shown(self, "two", "tenuo_key_store_duration_seconds_count{service=\"two\",store=\"file\"}"), 4,
           "calls to two stores of one name");
    is_int(shown(self, "two", "tenuo_key_store_duration_seconds_bucket{service=\"two\",store=\"file\",le=\"0.0001\"}"),
           4, "and their classes");
    is_int(shown(self, "two", "tenuo_revocation_list_time_seconds{service=\"two\",list=\"file\"}"), 1000,
           "of two lists of one name the older");
    tells_lines = false;
    ops->close(self);
}

static void check_modes(void)
{
    struct stat st;
    void *self = opened();
    mode_t before = umask(0077);
    must(put(self, "web.1", "t"), "put");
    must(put(self, "web.1", "t"), "put");
    is_int(shown(self, "web.1", ALLOWED("web.1", "t")), 2, "a dot stays in a service's name");
    umask(before);
    is_int(stat(stage_path("tenuo_web.1.prom"), &st) == 0 && (st.st_mode & 0777) == 0644, 1,
           "the collector may read the text, whatever the umask");
    is_int(stat(stage_path("tenuo_web.1.counters"), &st) == 0 && (st.st_mode & 0777) == 0660, 1,
           "and the group count in the same file");
    ops->close(self);
}

int main(int argc, char **argv)
{
    ops = mock_load("prometheus", argc, argv)->audit;
    stage_begin();
    umask(0022);
    check_files_that_go();
    check_children();
    check_names();
    check_notices();
    check_room();
    check_modes();
    stage_end();
    return done_testing();
}
