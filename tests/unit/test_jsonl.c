/* SPDX-License-Identifier: Apache-2.0 */
/* The audit sink jsonl, loaded as the library would: content and escaping, full disks, torn lines, rotation, many
 * processes. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../common/audit_ids.h"
#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_audit_ops *ops;

static void *open_sink(const char *path, const char *mode, int sync, int *ret_code)
{
    struct tenuo_arg args[10] = { { "path", path, 0 },
                                  { "mode", mode, 0 },
                                  { "fsync", sync ? "yes" : NULL, sync ? 1u : 0u } };
    void *self = NULL;
    mock_said[0] = '\0';
    *ret_code = ops->open(&mock_host, args, 10, &self);
    return self;
}

static struct tenuo_audit_event event(const char *id)
{
    static const char *const chain[] = { "tnu_wrt_1", "tnu_wrt_2" };
    static const struct tenuo_audit_attr attrs[] = { { "workflow_id", "w\"1" } };
    static const char *const approvers[] = { "0123456789abcdef", "fedcba9876543210" };
    return (struct tenuo_audit_event){
        .size = sizeof(struct tenuo_audit_event),
        .time_ns = 1893456000000000007,
        .decision_id = id,
        .service = "shop",
        .decision = "deny",
        .code = 1501,
        .code_name = "constraint-violation",
        .step = "constraint",
        .reason = "argument 'path' is outside",
        .warrant_id = "tnu_wrt_2",
        .chain_ids = chain,
        .chain_len = 2,
        .root = "0011223344556677",
        .holder = "8899aabbccddeeff",
        .tool = "read_file",
        .field = "path",
        .args_sha256 = "ab",
        .args_json = "{\"path\":\"<string>\"}",
        .request_id = "r1",
        .conf_generation = 3,
        .attrs = attrs,
        .nattrs = 1,
        .approvers = approvers,
        .napprovers = 2,
        .message = "denied tool \"read_file\"",
        .priority = 4,
        .has_srl_version = 1,
        .srl_version = 12,
        .duration_ns = 71000,
        .peer_uid = 1000,
        .peer_pid = -1,
    };
}

static json_t *line_of(const char *path, size_t index)
{
    size_t len = 0;
    char *text = stage_read(path, &len), *save = NULL;
    json_t *found = NULL;
    char *p = text == NULL ? NULL : strtok_r(text, "\n", &save);
    for (size_t i = 0; p != NULL; i++, p = strtok_r(NULL, "\n", &save))
        if (i == index)
            found = json_loads(p, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    return found;
}

static void member_is(const json_t *o, const char *name, const char *want)
{
    is_str(json_string_value(json_object_get(o, name)), want, "member %s", name);
}

static void check_members(void)
{
    const char *path = stage_path("members.jsonl");
    struct tenuo_audit_event e = event("id-1");
    struct stat st;
    int code;
    void *self = open_sink(path, NULL, 1, &code);
    is_int(code, TENUO_OK, "opens: %s", mock_said);
    is_int(ops->decision(self, &e), TENUO_OK, "stores");
    is_int(ops->flush(self), TENUO_OK, "flushes");
    json_t *o = line_of(path, 0);
    ok(o != NULL, "the line is JSON");
    static const char *const want[][2] = {
        { "time", "2030-01-01T00:00:00.000000007Z" },
        { "decision_id", "id-1" },
        { "service", "shop" },
        { "decision", "deny" },
        { "code_name", "constraint-violation" },
        { "step", "constraint" },
        { "message", "denied tool \"read_file\"" },
        { "message_id", TN_MESSAGE_ID_DENY },
        { "reason", "argument 'path' is outside" },
        { "warrant_id", "tnu_wrt_2" },
        { "root", "0011223344556677" },
        { "holder", "8899aabbccddeeff" },
        { "tool", "read_file" },
        { "args_sha256", "ab" },
        { "arg", "path" },
        { "request_id", "r1" },
        { "attr_workflow_id", "w\"1" },
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        member_is(o, want[i][0], want[i][1]);
    is_int(json_integer_value(json_object_get(o, "code")), 1501, "code");
    is_int(json_integer_value(json_object_get(o, "priority")), 4, "priority");
    is_int(json_integer_value(json_object_get(o, "srl_version")), 12, "srl_version");
    is_int(json_integer_value(json_object_get(o, "duration_us")), 71, "duration_us");
    is_int(json_integer_value(json_object_get(o, "peer_uid")), 1000, "peer_uid");
    ok(json_object_get(o, "peer_pid") == NULL, "no peer_pid, which is unknown");
    is_int(json_integer_value(json_object_get(o, "conf_generation")), 3, "conf_generation");
    is_int((long long)json_array_size(json_object_get(o, "approvers")), 2, "approvers");
    is_int((long long)json_array_size(json_object_get(o, "chain_ids")), 2, "chain_ids");
    is_str(json_string_value(json_array_get(json_object_get(o, "chain_ids"), 0)), "tnu_wrt_1", "root first");
    member_is(json_object_get(o, "args"), "path", "<string>");
    json_decref(o);
    ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640, "0640 by default");
    ops->close(self);
}

/* Any bytes give one line of valid JSON. */
static void check_escaping(void)
{
    const char *path = stage_path("escape.jsonl");
    char bytes[256];
    struct tenuo_audit_event e = event("x");
    int code;
    void *self = open_sink(path, "0600", 0, &code);
    for (int i = 1; i < 256; i++)
        bytes[i - 1] = (char)i;
    bytes[255] = '\0';
    e.tool = bytes;
    is_int(ops->decision(self, &e), TENUO_OK, "every byte there is");
    e.tool = "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80|\xed\xa0\x80|\xc0\xaf|\xf4\x90\x80\x80|\xe4\xb8";
    is_int(ops->decision(self, &e), TENUO_OK, "good and bad UTF-8");
    ops->close(self);
    json_t *first = line_of(path, 0), *second = line_of(path, 1);
    ok(first != NULL, "line of all bytes is JSON");
    ok(strncmp(json_string_value(json_object_get(first, "tool")), "\x01\x02\x03", 3) == 0,
       "control characters come back");
#define BAD "\xef\xbf\xbd"
    member_is(second, "tool",
              "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80|" BAD BAD BAD "|" BAD BAD "|" BAD BAD BAD BAD "|" BAD BAD);
    json_decref(first);
    json_decref(second);
}

/* A record is cut member by member, never within a line. */
static void check_long(void)
{
    static char args[70000] = "{\"a\":\"", text[70000];
    const char *path = stage_path("long.jsonl");
    struct tenuo_audit_event e = event("long");
    int code;
    void *self = open_sink(path, NULL, 0, &code);
    memset(args + strlen(args), 'x', 66000);
    memcpy(args + strlen(args), "\"}", 3);
    e.args_json = args;
    is_int(ops->decision(self, &e), TENUO_OK, "arguments beyond 64 KiB");
    memset(text, '\x01', 66000);
    e.tool = e.reason = text;
    is_int(ops->decision(self, &e), TENUO_OK, "every text beyond it");
    e = event("last");
    is_int(ops->decision(self, &e), TENUO_OK, "a short one");
    ops->close(self);
    json_t *first = line_of(path, 0), *second = line_of(path, 1), *third = line_of(path, 2);
    ok(json_is_true(json_object_get(first, "truncated")) && json_object_get(first, "args") == NULL,
       "without arguments, and says so");
    member_is(first, "attr_workflow_id", "w\"1");
    ok(json_is_true(json_object_get(second, "truncated")), "shortened, and says so");
    member_is(second, "decision_id", "long");
    is_int((long long)json_string_length(json_object_get(second, "tool")), 259, "256 bytes of a text and three dots");
    ok(json_object_get(third, "truncated") == NULL, "others are whole");
    json_decref(first);
    json_decref(second);
    json_decref(third);
}

static void check_refusals(void)
{
    struct tenuo_audit_event e = event("x");
    int code;
    void *self = open_sink("/dev/full", NULL, 0, &code);
    is_int(code, TENUO_OK, "/dev/full opens: %s", mock_said);
    is_int(ops->decision(self, &e), TENUO_E_AUDIT_REFUSED, "a full disk refuses");
    ok(strstr(mock_said, "/dev/full") != NULL && strstr(mock_said, strerror(ENOSPC)) != NULL, "and says so: %s",
       mock_said);
    ops->close(self);
    ok(symlink(stage_text("target", ""), stage_path("link")) == 0 &&
           open_sink(stage_path("link"), NULL, 0, &code) == NULL,
       "a link is not followed");
    is_int(code, TENUO_E_SYSTEM, "link: code");
    open_sink(stage_path("none/x.jsonl"), NULL, 0, &code);
    is_int(code, TENUO_E_SYSTEM, "a missing folder: %s", mock_said);
    ok(mkfifo(stage_path("fifo"), 0600) == 0 && open_sink(stage_path("fifo"), NULL, 0, &code) == NULL,
       "a pipe is refused");
    static const char *const modes[] = { "0666", "0777", "40", "0x40", "00640", "0440" };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        open_sink(stage_path("mode.jsonl"), modes[i], 0, &code);
        is_int(code, TENUO_E_CONF, "mode=%s is refused", modes[i]);
    }
}

/* A short write, by a file size limit; the next record stands on a line of its own. */
static void check_torn(void)
{
    const char *path = stage_text("torn.jsonl", "{\"half\":");
    struct tenuo_audit_event e = event("after");
    struct rlimit old, small;
    int code;
    void *self = open_sink(path, NULL, 0, &code);
    is_int(ops->decision(self, &e), TENUO_OK, "stores behind a torn line");
    json_t *o = line_of(path, 1);
    member_is(o, "decision_id", "after");
    json_decref(o);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    struct stat st;
    stat(path, &st);
    small = (struct rlimit){ (rlim_t)st.st_size + 10, old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &small);
    code = ops->decision(self, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    is_int(code, TENUO_E_AUDIT_REFUSED, "a record of which a part fits is refused: %s", mock_said);
    e.decision_id = "later";
    is_int(ops->decision(self, &e), TENUO_OK, "and the next one stored");
    o = line_of(path, 3);
    member_is(o, "decision_id", "later");
    json_decref(o);
    ops->close(self);
}

static void check_rotation(void)
{
    const char *path = stage_path("rotate.jsonl"), *kept = stage_path("rotate.1");
    struct tenuo_audit_event e = event("before");
    int code;
    void *self = open_sink(path, NULL, 0, &code);
    (void)ops->decision(self, &e);
    ok(rename(path, kept) == 0, "rotated");
    e.decision_id = "after";
    is_int(ops->decision(self, &e), TENUO_OK, "stores after rotation");
    json_t *o = line_of(path, 0);
    member_is(o, "decision_id", "after");
    json_decref(o);
    ok(line_of(kept, 1) == NULL, "the old file has nothing more");
    ok(unlink(path) == 0, "removed");
    is_int(ops->decision(self, &e), TENUO_OK, "stores after removal");
    o = line_of(path, 0);
    member_is(o, "decision_id", "after");
    json_decref(o);
    ops->close(self);
}

#define WRITERS 4
#define EACH 200

static void check_processes(void)
{
    const char *path = stage_path("many.jsonl");
    int code, good = 0;
    for (int w = 0; w < WRITERS; w++) {
        if (fork() != 0)
            continue;
        void *self = open_sink(path, NULL, 0, &code);
        char id[32];
        for (int i = 0; i < EACH; i++) {
            struct tenuo_audit_event e = event(id);
            snprintf(id, sizeof id, "%d-%d", w, i);
            if (ops->decision(self, &e) != TENUO_OK)
                _exit(1);
        }
        _exit(0);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 1;
        wait(&status);
        good += status == 0;
    }
    is_int(good, WRITERS, "all writers finish");
    size_t len = 0, lines = 0, valid = 0;
    char *text = stage_read(path, &len), *save = NULL;
    for (char *p = strtok_r(text, "\n", &save); p != NULL; p = strtok_r(NULL, "\n", &save)) {
        json_t *o = json_loads(p, 0, NULL);
        lines++;
        valid += o != NULL;
        json_decref(o);
    }
    free(text);
    is_int((long long)lines, WRITERS * EACH, "one line a record");
    is_int((long long)valid, WRITERS * EACH, "each whole");
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("jsonl", argc, argv);
    ops = plugin->audit;
    is_str(plugin->name, "jsonl", "name");
    stage_begin();
    check_members();
    check_escaping();
    check_long();
    check_refusals();
    check_torn();
    check_rotation();
    check_processes();
    stage_end();
    return done_testing();
}
