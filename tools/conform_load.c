/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name to an opened instance, as a context does it: trust walk, pre-scan and load through the library, the
 * arguments judged by the library in a configuration of one line. Nothing of the file runs before that walk. The layout
 * below only repeats what the library has accepted.
 */
#include "conform.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const conform_kind_names[CONFORM_KINDS] = {
    "resolver", "trust", "audit", "revocation", "replay", "matcher"
};

static void note_line(void *arg, const char *line)
{
    struct conform *c = arg;
    if (strncmp(line, "path: /", 7) == 0) {
        snprintf(c->shared->path, sizeof c->shared->path, "%s", line + 6);
        c->shared->kinds = 0;
    }
    for (unsigned k = 0; k < CONFORM_KINDS; k++)
        if (strncmp(line, "kind: ", 6) == 0 && strcmp(line + 6, conform_kind_names[k]) == 0)
            c->shared->kinds |= 1u << k;
}

void conform_check_load(struct conform *c, struct conform_verdict *v)
{
    struct tenuo_error err = { 0 };
    c->shared->load_code = tenuo_plugin_describe(c->name, c->plugin_dir, note_line, c, &err);
    if (c->shared->load_code != TENUO_OK)
        conform_fail(v, "%s (%d %s)", err.msg, err.code, tenuo_err_name(err.code));
    else if (c->shared->path[0] == '\0')
        conform_skip(v, "'%s' is built into the library: there is no file to test", c->name);
    else
        conform_good(v, "%s: trusted, loaded, the descriptor is in order", c->shared->path);
}

static void ignore_line(void *arg, const char *line)
{
    (void)arg, (void)line;
}

/* What the plugin was built with, zero beyond. */
static bool take_ops(struct conform *c, const struct tenuo_plugin_v1 *raw)
{
    memcpy(&c->plugin, raw, raw->size < sizeof c->plugin ? raw->size : sizeof c->plugin);
    const void *const kinds[CONFORM_KINDS] = { c->plugin.resolver,   c->plugin.trust,  c->plugin.audit,
                                               c->plugin.revocation, c->plugin.replay, c->plugin.matcher };
    static const size_t sizes[CONFORM_KINDS] = { sizeof(struct tenuo_resolver_ops), sizeof(struct tenuo_trust_ops),
                                                 sizeof(struct tenuo_audit_ops),    sizeof(struct tenuo_revocation_ops),
                                                 sizeof(struct tenuo_replay_ops),   sizeof(struct tenuo_matcher_ops) };
    const struct conform_head *head = kinds[c->kind];
    if (!head)
        return false;
    memcpy(&c->ops, head, head->size < sizes[c->kind] ? head->size : sizes[c->kind]);
    return true;
}

static const struct tenuo_arg_spec *schema_of(const struct conform *c)
{
    static const struct tenuo_arg_spec none[] = { { NULL, 0, 0, NULL } };
    return c->ops.head.args ? c->ops.head.args : c->plugin.args ? c->plugin.args : none;
}

static size_t rows_of(const struct tenuo_arg_spec *schema)
{
    size_t n = 0;
    while (schema[n].name)
        n++;
    return n;
}

/* The value behind NAME= among the words; "yes" for a bare word. NULL: absent. */
static const char *word_value(const struct conform *c, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < c->nwords; i++)
        if (strncmp(c->words[i], name, n) == 0 && (c->words[i][n] == '=' || c->words[i][n] == '\0'))
            return c->words[i][n] == '=' ? c->words[i] + n + 1 : "yes";
    return NULL;
}

static uint64_t number_of(int type, const char *value)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    char *end = NULL;
    if (type == TENUO_ARG_BOOL)
        return strcmp(value, "yes") == 0;
    if (type != TENUO_ARG_UINT && type != TENUO_ARG_DURATION)
        return 0;
    uint64_t n = strtoull(value, &end, 10);
    for (size_t i = 0; type == TENUO_ARG_DURATION && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0)
            return n * units[i].ms;
    return n;
}

static void lay_out(struct conform *c)
{
    const struct tenuo_arg_spec *schema = schema_of(c);
    c->nargs = rows_of(schema);
    c->args = cli_alloc(c->nargs + 1, sizeof *c->args);
    for (size_t i = 0; i < c->nargs; i++) {
        const char *value = word_value(c, schema[i].name);
        c->args[i].name = schema[i].name;
        c->args[i].value = value;
        c->args[i].number = value ? number_of(schema[i].type, value) : 0;
    }
}

bool conform_load(struct conform *c, struct conform_verdict *v)
{
    struct tenuo_error err = { 0 };
    const char *timeout = word_value(c, "timeout");
    if (tenuo_plugin_describe(c->shared->path, c->plugin_dir, ignore_line, NULL, &err)) {
        conform_fail(v, "%s", err.msg);
        return false;
    }
    void *object = dlopen(c->shared->path, RTLD_NOW | RTLD_LOCAL);
    const struct tenuo_plugin_v1 *raw = object ? dlsym(object, "tenuo_plugin_v1") : NULL;
    if (!raw || !take_ops(c, raw)) {
        conform_fail(v, "%s: the descriptor is gone", c->shared->path);
        return false;
    }
    lay_out(c);
    c->deadline_ms = timeout ? (uint32_t)number_of(TENUO_ARG_DURATION, timeout) : CONFORM_DEADLINE_MS;
    c->call_ms = c->deadline_ms;
    atomic_store(&c->shared->deadline_ms, c->deadline_ms);
    return true;
}

/* ---- the arguments, judged by the library ---- */

struct finding {
    char text[CONFORM_TEXT]; /* the first error */
    const char *wanted;
    bool seen; /* `wanted` stood in one */
};

static void note_finding(void *arg, int is_error, const char *line)
{
    struct finding *f = arg;
    const char *sentence = strstr(line, ".conf:");
    if (!is_error)
        return;
    sentence = sentence ? strstr(sentence, ": ") : NULL;
    if (f->text[0] == '\0')
        snprintf(f->text, sizeof f->text, "%s", sentence ? sentence + 2 : line);
    if (f->wanted && strstr(line, f->wanted))
        f->seen = true;
}

static void put_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putc('\\', out);
        putc(*text, out);
    }
    putc('"', out);
}

/* The line as it would stand in a configuration, without the argument `left_out`. */
static bool write_line(const struct conform *c, const char *path, const char *left_out)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!out)
        return false;
    if (c->kind == CONFORM_AUDIT)
        fputs("set receipt_key conform\n", out); /* a keeper of receipts wants one */
    fprintf(out, "%s required ", conform_kind_names[c->kind]);
    put_quoted(out, c->shared->path);
    for (size_t i = 0; i < c->nwords; i++) {
        size_t name = strcspn(c->words[i], "=");
        if (left_out && strlen(left_out) == name && strncmp(left_out, c->words[i], name) == 0)
            continue;
        fprintf(out, " %.*s", (int)name, c->words[i]);
        if (c->words[i][name] == '=') {
            putc('=', out);
            put_quoted(out, c->words[i] + name + 1);
        }
    }
    putc('\n', out);
    return fclose(out) == 0;
}

static bool host_accepts(const struct conform *c, const char *dir, const char *left_out, struct finding *f)
{
    char path[PATH_MAX];
    struct tenuo_error err = { 0 };
    snprintf(path, sizeof path, "%s/line.conf", dir);
    struct tenuo_open_options options = { .size = sizeof options, .conf = path, .diag = note_finding, .diag_arg = f };
    if (!write_line(c, path, left_out)) {
        snprintf(f->text, sizeof f->text, "%.200s: %s", path, strerror(errno));
        return false;
    }
    bool good = tenuo_conf_check("", &options, 1, &err) == TENUO_OK;
    if (!good && f->text[0] == '\0')
        snprintf(f->text, sizeof f->text, "%s", err.msg);
    unlink(path);
    return good;
}

static void judge_row(const struct conform *c, const char *dir, const struct tenuo_arg_spec *row,
                      struct conform_verdict *v)
{
    char wanted[128];
    struct finding f = { .wanted = wanted };
    if (!row->help || row->help[0] == '\0' || strchr(row->help, '\n'))
        conform_fail(v, "argument '%s' has no help: one line for `tenuo plugin info`", row->name);
    snprintf(wanted, sizeof wanted, "needs the argument '%.64s'", row->name);
    if (row->required && (host_accepts(c, dir, row->name, &f) || !f.seen))
        conform_fail(v, "a line without '%s' is not refused, though the schema says that it is required", row->name);
}

static const int open_codes[] = { TENUO_E_CONF, TENUO_E_KEY_DENIED, TENUO_E_KEY_INVALID, 0 };

int conform_open_self(struct conform *c, void **ret_self)
{
    static char untouched;
    struct conform_call call;
    void *self = &untouched;
    conform_begin(c, &call, "open");
    int code = conform_end(c, &call, open_codes, c->ops.head.open(&c->host, c->args, c->nargs, &self));
    if (code == TENUO_OK)
        *ret_self = self;
    else if (self != &untouched)
        conform_breach(c, CONFORM_OUTPUTS, "open failed and wrote its output: write it last, on success alone");
    return code;
}

static int ask_check(struct conform *c)
{
    static const int any[] = { TENUO_E_CONF,        TENUO_E_KEY_NOT_FOUND, TENUO_E_KEY_CONFLICT,  TENUO_E_KEY_DENIED,
                               TENUO_E_KEY_INVALID, TENUO_E_SRL_INVALID,   TENUO_E_AUDIT_REFUSED, 0 };
    struct conform_call call;
    conform_begin(c, &call, "check");
    return conform_end(c, &call, any, c->ops.head.check(&c->host, c->args, c->nargs));
}

static void close_self(struct conform *c, void *self)
{
    if (c->ops.head.close)
        c->ops.head.close(self);
}

/* The library asks the plugin's own check as well: is that of one mind with open? */
static void judge_refusal(struct conform *c, const char *why, struct conform_verdict *v)
{
    void *self = NULL;
    if (c->ops.head.check && ask_check(c) == TENUO_E_CONF && conform_open_self(c, &self) == TENUO_OK) {
        close_self(c, self);
        c->shared->load_code = TENUO_OK;
        conform_fail(v, "check refuses what open takes, both must judge the arguments alike: %s", why);
    }
    conform_fail(v, "the line is refused: %s", why);
}

void conform_check_schema(struct conform *c, struct conform_verdict *v)
{
    const char *tmp = secure_getenv("TMPDIR");
    char dir[PATH_MAX];
    struct finding f = { .wanted = NULL };
    snprintf(dir, sizeof dir, "%s/tenuo-conform-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
    if (!conform_load(c, v))
        return;
    if (!mkdtemp(dir)) {
        conform_fail(v, "%s: %s; set TMPDIR to a directory that you may write to", dir, strerror(errno));
        return;
    }
    c->shared->load_code = host_accepts(c, dir, NULL, &f) ? TENUO_OK : TENUO_E_CONF;
    if (c->shared->load_code != TENUO_OK)
        judge_refusal(c, f.text, v);
    const struct tenuo_arg_spec *schema = schema_of(c);
    for (size_t i = 0; schema[i].name; i++)
        judge_row(c, dir, &schema[i], v);
    rmdir(dir);
    conform_good(v, "%zu argument%s, each with its help; those given are accepted", c->nargs, c->nargs == 1 ? "" : "s");
}

/* ---- check and open ---- */

bool conform_open(struct conform *c, struct conform_verdict *v)
{
    uint8_t seed[TENUO_SEED_BYTES];
    if (!conform_load(c, v))
        return false;
    int code = conform_open_self(c, &c->self);
    if (code != TENUO_OK) {
        conform_fail(v, "open answered %s", conform_code(code));
        return false;
    }
    if (c->kind == CONFORM_RESOLVER)
        conform_drop_ops(c);
    if (c->kind == CONFORM_RESOLVER && c->ops.resolver.export_seed && c->shared->key_id[0] != '\0' &&
        conform_export(c, c->shared->key_id, 0, seed) == TENUO_OK)
        conform_learn(c, seed);
    tenuo_wipe(seed, sizeof seed);
    return true;
}

void conform_close(struct conform *c)
{
    static const int none[] = { 0 };
    struct conform_call call;
    conform_begin(c, &call, "close");
    if (c->ops.head.close)
        c->ops.head.close(c->self);
    conform_end(c, &call, none, TENUO_OK);
    free(c->args);
    c->args = NULL;
    c->self = NULL;
}

void conform_check_check(struct conform *c, struct conform_verdict *v)
{
    if (!conform_load(c, v))
        return;
    if (!c->ops.head.check) {
        conform_skip(v, "it has none: `tenuo conf check` cannot ask what it thinks of the arguments");
        return;
    }
    int code = ask_check(c);
    if (code != TENUO_OK)
        conform_warn(v, "check answered %s", conform_code(code));
    conform_good(v, "nothing is wrong with the arguments");
}

void conform_check_open(struct conform *c, struct conform_verdict *v)
{
    if (!conform_open(c, v))
        return;
    void *first = c->self, *second = NULL;
    int code = conform_open_self(c, &second);
    if (code != TENUO_OK)
        conform_fail(v, "a second instance beside the first: open answered %s", conform_code(code));
    else
        close_self(c, second);
    c->self = first;
    conform_close(c);
    conform_good(v, "opens, twice at a time as well");
}
