/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "jsonl": one JSON object a line, appended to a file with one write() an event, so that many processes can share the file. Survives
 * rotation by name. A record counts as stored only when all of it was written (and, with fsync=yes, is on disk); anything less is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <tenuo/plugin.h>

struct jsonl {
    const struct tenuo_host *host;
    int fd;
    mode_t mode;
    bool sync;
    bool torn; /* the file ends within a line */
    char path[];
};

/* ---- one line of JSON ---- */

struct line {
    char *p;
    size_t n, cap;
    bool failed;
};

static void put(struct line *l, const char *s, size_t n)
{
    if (l->failed || n > SIZE_MAX / 4 - l->n) {
        l->failed = true;
        return;
    }
    if (l->n + n > l->cap) {
        size_t cap = (l->n + n) * 2;
        char *p = realloc(l->p, cap);
        if (p == NULL) {
            l->failed = true;
            return;
        }
        l->p = p;
        l->cap = cap;
    }
    memcpy(l->p + l->n, s, n);
    l->n += n;
}

static void put_text(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* Length of the UTF-8 sequence at s, 0 when it is none: no overlong form, no surrogate, nothing above U+10FFFF. */
static size_t utf8_length(const unsigned char *s)
{
    unsigned char lo = 0x80, hi = 0xbf;
    size_t n = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : s[0] >= 0xe0 && s[0] <= 0xef ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] == 0xe0)
        lo = 0xa0;
    else if (s[0] == 0xed)
        hi = 0x9f;
    else if (s[0] == 0xf0)
        lo = 0x90;
    else if (s[0] == 0xf4)
        hi = 0x8f;
    for (size_t i = 1; i < n; i++, lo = 0x80, hi = 0xbf)
        if (s[i] < lo || s[i] > hi) /* the NUL at the end stops here too */
            return 0;
    return n;
}

/* One character, escaped where JSON wants it or a terminal would mind; returns the bytes used. */
static size_t put_character(struct line *l, const unsigned char *s)
{
    char escaped[8];
    size_t n = utf8_length(s);
    if (n == 0) {
        put_text(l, "\\ufffd");
        return 1;
    }
    if (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) {
        snprintf(escaped, sizeof escaped, "\\u%04x", s[0]);
        put_text(l, escaped);
        return 1;
    }
    if (s[0] == '"' || s[0] == '\\')
        put(l, "\\", 1);
    put(l, (const char *)s, n);
    return n;
}

static void put_string(struct line *l, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    put(l, "\"", 1);
    while (*s != '\0')
        s += put_character(l, s);
    put(l, "\"", 1);
}

static void put_name(struct line *l, const char *name)
{
    if (l->n > 1)
        put(l, ",", 1);
    put_string(l, name);
    put(l, ":", 1);
}

static void member(struct line *l, const char *name, const char *value)
{
    put_name(l, name);
    put_string(l, value);
}

/* Left out when there is nothing to say. */
static void optional_member(struct line *l, const char *name, const char *value)
{
    if (value[0] != '\0')
        member(l, name, value);
}

static void number(struct line *l, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    put_name(l, name);
    put_text(l, text);
}

/* RFC 3339 in UTC with nanoseconds. */
static void put_time(struct line *l, int64_t ns)
{
    char date[48], text[64];
    int64_t part = ns % 1000000000;
    time_t secs = (time_t)(ns / 1000000000 - (part < 0));
    struct tm tm;
    if (gmtime_r(&secs, &tm) == NULL)
        memset(&tm, 0, sizeof tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm); /* numbers only: no locale in it */
    snprintf(text, sizeof text, "%s.%09" PRId64 "Z", date, part < 0 ? part + 1000000000 : part);
    member(l, "time", text);
}

static void put_chain(struct line *l, const struct tenuo_audit_event *e)
{
    put_name(l, "chain_ids");
    put(l, "[", 1);
    for (size_t i = 0; i < e->chain_len; i++) {
        if (i != 0)
            put(l, ",", 1);
        put_string(l, e->chain_ids[i]);
    }
    put(l, "]", 1);
}

static void put_attributes(struct line *l, const struct tenuo_audit_event *e)
{
    char name[80];
    for (size_t i = 0; i < e->nattrs; i++) {
        snprintf(name, sizeof name, "attr_%s", e->attrs[i].name);
        member(l, name, e->attrs[i].value);
    }
}

static int priority(const char *decision)
{
    return strcmp(decision, "allow") == 0 ? 6 : strcmp(decision, "would_deny") == 0 ? 5 : 4;
}

static void put_event(struct line *l, const struct tenuo_audit_event *e)
{
    put(l, "{", 1);
    put_time(l, e->time_ns);
    member(l, "decision_id", e->decision_id);
    member(l, "service", e->service);
    member(l, "decision", e->decision);
    number(l, "code", e->code);
    optional_member(l, "code_name", e->code_name);
    member(l, "step", e->step);
    member(l, "message", e->reason[0] != '\0' ? e->reason : e->decision);
    number(l, "priority", priority(e->decision));
    member(l, "warrant_id", e->warrant_id);
    put_chain(l, e);
    member(l, "root", e->root);
    member(l, "holder", e->holder);
    member(l, "tool", e->tool);
    member(l, "args_sha256", e->args_sha256);
    optional_member(l, "arg", e->field);
    if (e->args_json[0] != '\0') { /* JSON already, made by the host */
        put_name(l, "args");
        put_text(l, e->args_json);
    }
    optional_member(l, "request_id", e->request_id);
    number(l, "conf_generation", (int64_t)e->conf_generation);
    put_attributes(l, e);
    put(l, "}\n", 2);
}

/* ---- the file ---- */

static int refuse(const struct jsonl *j, int code, const char *what, int error)
{
    j->host->error(j->host, "%s: %s: %s", j->path, what, strerror(error));
    return code;
}

/* Opens for appending; makes the file when it is not there. -1 with errno. */
static int open_file(const struct jsonl *j)
{
    const int flags = O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    for (int attempt = 0; attempt < 8; attempt++) {
        int fd = open(j->path, O_RDWR | flags);
        if (fd < 0 && errno == EACCES) /* may append but not read: then a torn end is not seen */
            fd = open(j->path, O_WRONLY | flags);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = open(j->path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd >= 0 && fchmod(fd, j->mode) == 0)
            return fd;
        if (fd >= 0 || errno != EEXIST) { /* else another process was faster: take its file */
            int error = errno;
            if (fd >= 0)
                close(fd);
            errno = error;
            return -1;
        }
    }
    return -1;
}

/* A process that died or a full disk may have left half a line: the next record must not be glued to it. */
static bool ends_torn(int fd, const struct stat *st)
{
    char last;
    return S_ISREG(st->st_mode) && st->st_size > 0 && pread(fd, &last, 1, st->st_size - 1) == 1 && last != '\n';
}

/* Takes the descriptor; a pipe or socket would lose records without a word. */
static int adopt(struct jsonl *j, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int error = errno;
        close(fd);
        return refuse(j, TENUO_E_SYSTEM, "cannot be examined", error);
    }
    if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
        close(fd);
        j->host->error(j->host, "%s: not a regular file", j->path);
        return TENUO_E_CONF;
    }
    if (j->fd >= 0)
        close(j->fd);
    j->fd = fd;
    j->torn = ends_torn(fd, &st);
    return TENUO_OK;
}

/* After rotation the name stands for another file, or for none. */
static int follow_name(struct jsonl *j)
{
    struct stat named, held;
    if (fstat(j->fd, &held) != 0)
        return refuse(j, TENUO_E_AUDIT_REFUSED, "cannot be examined", errno);
    if (lstat(j->path, &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino) {
        j->torn = j->torn || ends_torn(j->fd, &held); /* another process may have met the full disk */
        return TENUO_OK;
    }
    int fd = open_file(j);
    if (fd >= 0)
        return adopt(j, fd) == TENUO_OK ? TENUO_OK : TENUO_E_AUDIT_REFUSED;
    if (held.st_nlink > 0) /* renamed, and the new one is not ours to make: the record still lands in a file that somebody keeps */
        return TENUO_OK;
    return refuse(j, TENUO_E_AUDIT_REFUSED, "was removed and cannot be made again", errno);
}

static int store(struct jsonl *j, const struct line *l)
{
    ssize_t n;
    do
        n = write(j->fd, l->p, l->n);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return refuse(j, TENUO_E_AUDIT_REFUSED, "record not stored", errno);
    j->torn = (size_t)n != l->n && (n > 0 || j->torn);
    if ((size_t)n != l->n) {
        j->host->error(j->host, "%s: record not stored: only %zd of %zu bytes fit (disk full or file size limit)", j->path, n, l->n);
        return TENUO_E_AUDIT_REFUSED;
    }
    if (j->sync && fdatasync(j->fd) != 0)
        return refuse(j, TENUO_E_AUDIT_REFUSED, "record not on disk", errno);
    return TENUO_OK;
}

static int jsonl_decision(void *self, const struct tenuo_audit_event *event)
{
    struct jsonl *j = self;
    struct line event_line = { 0 }, l = { 0 };
    int r = follow_name(j);
    if (r != TENUO_OK)
        return r;
    put_event(&event_line, event);
    if (j->torn)
        put(&l, "\n", 1);
    put(&l, event_line.p != NULL ? event_line.p : "", event_line.n);
    r = event_line.failed || l.failed ? TENUO_E_NOMEM : store(j, &l);
    free(event_line.p);
    free(l.p);
    return r;
}

static int jsonl_flush(void *self)
{
    struct jsonl *j = self;
    if (fdatasync(j->fd) != 0 && errno != EINVAL && errno != EROFS) /* a device has nothing to sync */
        return refuse(j, TENUO_E_AUDIT_REFUSED, "records not on disk", errno);
    return TENUO_OK;
}

/* "640" or "0640"; others may never write. */
static bool read_mode(const char *text, mode_t *ret_mode)
{
    mode_t mode = 0;
    size_t n = strlen(text);
    if (n < 3 || n > 4)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '7')
            return false;
        mode = mode * 8 + (mode_t)(text[i] - '0');
    }
    if ((mode & ~(mode_t)0664) != 0 || (mode & 0600) != 0600)
        return false;
    *ret_mode = mode;
    return true;
}

enum { ARG_PATH, ARG_MODE, ARG_FSYNC };

static int jsonl_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    size_t n = strlen(args[ARG_PATH].value) + 1;
    struct jsonl *j = calloc(1, sizeof *j + n);
    int r = TENUO_E_CONF, fd;
    (void)nargs;
    if (j == NULL)
        return TENUO_E_NOMEM;
    j->host = host;
    j->fd = -1;
    j->mode = 0640;
    j->sync = args[ARG_FSYNC].number != 0;
    memcpy(j->path, args[ARG_PATH].value, n);
    if (args[ARG_MODE].value != NULL && !read_mode(args[ARG_MODE].value, &j->mode)) {
        host->error(host, "mode= wants three or four octal digits, at least 600 and at most 664, as in mode=0640");
        goto out;
    }
    fd = open_file(j);
    if (fd < 0) {
        r = refuse(j, TENUO_E_SYSTEM, errno == ELOOP ? "a symbolic link" : "cannot be opened for appending", errno);
        goto out;
    }
    r = adopt(j, fd);
    if (r != TENUO_OK)
        goto out;
    *ret_self = j;
    j = NULL;
out:
    free(j);
    return r;
}

static void jsonl_close(void *self)
{
    struct jsonl *j = self;
    close(j->fd);
    free(j);
}

static const struct tenuo_arg_spec jsonl_args[] = {
    [ARG_PATH] = { "path", TENUO_ARG_PATH, 1, "file to append to; made when it is missing" },
    [ARG_MODE] = { "mode", TENUO_ARG_STRING, 0, "permissions of a new file in octal (0640)" },
    [ARG_FSYNC] = { "fsync", TENUO_ARG_BOOL, 0, "wait for the disk after every record (no)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_audit_ops jsonl_ops = {
    .size = sizeof jsonl_ops,
    .open = jsonl_open,
    .close = jsonl_close,
    .decision = jsonl_decision,
    .flush = jsonl_flush,
};

/* Appending works on in a forked child: nothing but the descriptor is shared. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "jsonl",
    .version = "1.0",
    .summary = "audit records as lines of JSON in a file",
    .args = jsonl_args,
    .audit = &jsonl_ops,
};
