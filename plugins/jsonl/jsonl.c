/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "jsonl": one JSON object a line, appended to a file that other processes write too and that may be rotated
 * away at any time. One write() an event, so that lines never mix; a record counts as stored only when all of it was
 * written. Never waits for a reader, never follows a link, never cuts a record in the middle of a member.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tenuo/plugin.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536 /* of one record with its newline */
#define SHORT_TEXT 256       /* bytes of a text when a record must be made to fit */
#define DEFAULT_MODE 0640u

struct jsonl {
    const struct tenuo_host *host;
    char *path;
    mode_t mode;
    bool sync;
    int fd;                        /* -1: open has not come that far */
    bool torn;                     /* the file ends within a line */
    char line[1 + LINE_MAX_BYTES]; /* a place for the newline that ends a torn line, then the record */
};

/* How much of an event is told. Each is smaller than the one before; the last fits always. */
enum detail { WHOLE, WITHOUT_ARGS, SHORT };

struct out {
    char *p;
    size_t n, text_max;
    bool full;
};

/* ---- text ---- */

static void put(struct out *o, const char *p, size_t n)
{
    if (o->full || n > LINE_MAX_BYTES - o->n) {
        o->full = true;
        return;
    }
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static void put_str(struct out *o, const char *s)
{
    put(o, s, strlen(s));
}

/* Length of the well-formed UTF-8 sequence that s begins with, 0 when it is none: no overlong form, no surrogate,
 * nothing past U+10FFFF. */
static size_t utf8_len(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n = s[0] < 0x80                    ? 1
               : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
               : (s[0] & 0xf0) == 0xe0        ? 3
               : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                              : 0;
    if (n < 2)
        return n;
    if (s[0] == 0xe0)
        low = 0xa0;
    if (s[0] == 0xed)
        high = 0x9f;
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) /* a NUL is no continuation byte: never reads past the end */
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static void put_control(struct out *o, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
    char text[6] = { '\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15] };
    if (c < sizeof letters && letters[c] != '\0') {
        text[1] = letters[c];
        put(o, text, 2);
        return;
    }
    put(o, text, sizeof text);
}

static void put_json_string(struct out *o, const char *s)
{
    const unsigned char *begin = (const unsigned char *)s, *p = begin;
    put_str(o, "\"");
    while (*p != '\0' && (size_t)(p - begin) < o->text_max) {
        size_t n = utf8_len(p);
        if (n == 0)
            put_str(o, "\xef\xbf\xbd"); /* U+FFFD */
        else if (*p < 0x20 || *p == 0x7f)
            put_control(o, *p);
        else if (*p == '"' || *p == '\\')
            put(o, (const char[]){ '\\', (char)*p }, 2);
        else
            put(o, (const char *)p, n);
        p += n == 0 ? 1 : n;
    }
    put_str(o, *p != '\0' ? "...\"" : "\"");
}

/* The host's own JSON. Bytes that could end the line or the encoding have no place in it, and are made harmless all the
 * same. */
static void put_raw_json(struct out *o, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p != '\0') {
        size_t n = utf8_len(p);
        if (n == 0)
            put_str(o, "\xef\xbf\xbd");
        else
            put(o, *p < 0x20 ? " " : (const char *)p, n);
        p += n == 0 ? 1 : n;
    }
}

/* ---- members ---- */

static void put_name(struct out *o, const char *prefix, const char *name)
{
    put_str(o, o->n == 1 ? "\"" : ",\"");
    put_str(o, prefix);
    put_str(o, name); /* [a-z0-9_] alone: ours, or checked by the host */
    put_str(o, "\":");
}

static void put_text(struct out *o, const char *name, const char *value)
{
    put_name(o, "", name);
    put_json_string(o, value);
}

static void put_number(struct out *o, const char *name, int64_t value)
{
    char text[32];
    put_name(o, "", name);
    put(o, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

/* Days since 1970-01-01 to a date, by the proleptic Gregorian calendar: eras of 400 years, years that begin in March.
 */
static void put_date(struct out *o, int64_t days)
{
    char text[40];
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100), m = (5 * in_year + 2) / 153;
    int64_t day = in_year - (153 * m + 2) / 5 + 1, month = m < 10 ? m + 3 : m - 9;
    int n = snprintf(text, sizeof text, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year + era * 400 + (month <= 2),
                     month, day);
    put(o, text, (size_t)n);
}

/* RFC 3339 in UTC; without the C library's calendar, which looks at the time zone. */
static void put_time(struct out *o, int64_t time_ns)
{
    int64_t second = time_ns / 1000000000, ns = time_ns % 1000000000;
    char text[40];
    if (ns < 0) {
        second--;
        ns += 1000000000;
    }
    int64_t days = second >= 0 ? second / 86400 : -((-second + 86399) / 86400), in_day = second - days * 86400;
    put_name(o, "", "time");
    put_str(o, "\"");
    put_date(o, days);
    int n = snprintf(text, sizeof text, "T%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%09" PRId64 "Z\"", in_day / 3600,
                     in_day / 60 % 60, in_day % 60, ns);
    put(o, text, (size_t)n);
}

static void put_list(struct out *o, const char *name, const char *const *texts, size_t count)
{
    put_name(o, "", name);
    put_str(o, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            put_str(o, ",");
        put_json_string(o, texts[i]);
    }
    put_str(o, "]");
}

/* Not of a host that is older than the member. */
static bool has_approvers(const struct tenuo_audit_event *e)
{
    return e->size >= offsetof(struct tenuo_audit_event, napprovers) + sizeof e->napprovers && e->napprovers > 0;
}

static void put_attrs(struct out *o, const struct tenuo_audit_event *e)
{
    for (size_t i = 0; i < e->nattrs; i++) {
        put_name(o, "attr_", e->attrs[i].name);
        put_json_string(o, e->attrs[i].value);
    }
}

/* As in syslog: informational, notice, warning. */
static int priority(const char *decision)
{
    return strcmp(decision, "allow") == 0 ? 6 : strcmp(decision, "would_deny") == 0 ? 5 : 4;
}

/* False when it does not fit. */
static bool write_record(char *p, const struct tenuo_audit_event *e, enum detail detail, size_t *ret_len)
{
    struct out o = { .p = p, .text_max = detail == SHORT ? SHORT_TEXT : SIZE_MAX };
    put_str(&o, "{");
    put_time(&o, e->time_ns);
    put_text(&o, "decision_id", e->decision_id);
    put_text(&o, "service", e->service);
    put_text(&o, "decision", e->decision);
    put_number(&o, "code", e->code);
    put_text(&o, "code_name", e->code_name);
    put_text(&o, "step", e->step);
    put_text(&o, "message", e->reason[0] != '\0' ? e->reason : e->decision);
    put_number(&o, "priority", priority(e->decision));
    put_text(&o, "warrant_id", e->warrant_id);
    put_list(&o, "chain_ids", e->chain_ids, e->chain_len);
    put_text(&o, "root", e->root);
    put_text(&o, "holder", e->holder);
    put_text(&o, "tool", e->tool);
    put_text(&o, "arg", e->field);
    put_text(&o, "args_sha256", e->args_sha256);
    if (detail == WHOLE && e->args_json[0] != '\0') {
        put_name(&o, "", "args");
        put_raw_json(&o, e->args_json);
    }
    if (detail != SHORT && has_approvers(e))
        put_list(&o, "approvers", e->approvers, e->napprovers);
    put_text(&o, "request_id", e->request_id);
    put_name(&o, "", "conf_generation");
    char text[32];
    put(&o, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, e->conf_generation));
    if (detail != SHORT)
        put_attrs(&o, e);
    put_number(&o, "pid", getpid());
    put_str(&o, detail == WHOLE ? "}\n" : ",\"truncated\":true}\n");
    *ret_len = o.n;
    return !o.full;
}

/* ---- the file ---- */

/* Opens for appending, without waiting for the reader of a FIFO; makes the file when it is not there. -1 with errno. */
static int open_fd(const struct jsonl *s)
{
    const int flags = O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    for (int attempt = 0; attempt < 8; attempt++) {
        int fd = open(s->path, O_RDWR | flags);
        if (fd < 0 && errno == EACCES) /* may append and not read: then a torn end is not seen */
            fd = open(s->path, O_WRONLY | flags);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd >= 0) {
            (void)fchmod(fd, s->mode); /* the umask has no say; where modes do not exist, so be it */
            return fd;
        }
        if (errno != EEXIST) /* else another process was faster: take its file */
            return -1;
    }
    return -1;
}

static bool ends_within_line(int fd, off_t size)
{
    char last;
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/*
 * A full disk or a process that died may have left half a line: the next record must not be glued to it. Another
 * process's write under way looks the same for a moment, and is told apart by looking again.
 */
static bool ends_torn(int fd, const struct stat *st)
{
    static const struct timespec moment = { .tv_nsec = 500000 };
    struct stat now = *st;
    off_t seen = -1;
    if (!S_ISREG(now.st_mode))
        return false;
    for (int look = 0; look < 8; look++) {
        if (!ends_within_line(fd, now.st_size))
            return false;
        if (now.st_size == seen)
            return true;
        seen = now.st_size;
        (void)nanosleep(&moment, NULL);
        if (fstat(fd, &now) != 0)
            break;
    }
    return true;
}

/* Takes the descriptor. */
static int adopt(struct jsonl *s, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        s->host->error(s->host, "%s cannot be examined: %s", s->path, strerror(errno));
        close(fd);
        return TENUO_E_SYSTEM;
    }
    if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
        s->host->error(s->host, "%s is no regular file: a pipe or socket would lose records", s->path);
        close(fd);
        return TENUO_E_CONF;
    }
    if (s->fd >= 0)
        close(s->fd);
    s->fd = fd;
    s->torn = ends_torn(fd, &st);
    return TENUO_OK;
}

static int open_file(struct jsonl *s)
{
    int fd = open_fd(s);
    if (fd >= 0)
        return adopt(s, fd);
    s->host->error(s->host, "%s cannot be opened for appending: %s", s->path,
                   errno == ELOOP ? "it is a symbolic link: name the file itself" : strerror(errno));
    return TENUO_E_SYSTEM;
}

/* After rotation the path names another file, or none. Where that one is not ours to make, the renamed file still keeps
 * records. */
static int follow_path(struct jsonl *s)
{
    struct stat named, held;
    if (fstat(s->fd, &held) != 0) {
        s->host->error(s->host, "%s cannot be examined: %s", s->path, strerror(errno));
        return TENUO_E_AUDIT_REFUSED;
    }
    if (lstat(s->path, &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino) {
        s->torn = s->torn || ends_torn(s->fd, &held); /* another process may have met the full disk */
        return TENUO_OK;
    }
    int fd = open_fd(s);
    if (fd >= 0)
        return adopt(s, fd) == TENUO_OK ? TENUO_OK : TENUO_E_AUDIT_REFUSED;
    if (held.st_nlink > 0)
        return TENUO_OK;
    s->host->error(s->host, "%s was removed and cannot be made again: %s", s->path, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

static int append(struct jsonl *s, const char *p, size_t n)
{
    ssize_t done;
    do
        done = write(s->fd, p, n);
    while (done < 0 && errno == EINTR);
    if (done == (ssize_t)n)
        return TENUO_OK;
    if (done < 0)
        s->host->error(s->host, "cannot write to %s: %s", s->path, strerror(errno));
    else
        s->host->error(s->host, "%s took %zd of %zu bytes: is the disk full, or a limit reached?", s->path, done,
                       n);
    if (done > 0)
        s->torn = p[done - 1] != '\n';
    return TENUO_E_AUDIT_REFUSED;
}

static int write_line(struct jsonl *s, size_t n)
{
    bool torn = s->torn;
    s->line[0] = '\n';
    int r = torn ? append(s, s->line, n + 1) : append(s, s->line + 1, n);
    if (r == TENUO_OK)
        s->torn = false;
    if (r == TENUO_OK && s->sync && fdatasync(s->fd) != 0 && errno != EINVAL &&
        errno != EROFS) { /* those two: a device */
        s->host->error(s->host, "cannot bring %s to the disk: %s", s->path, strerror(errno));
        r = TENUO_E_AUDIT_REFUSED;
    }
    return r;
}

static int jsonl_decision(void *self, const struct tenuo_audit_event *event)
{
    struct jsonl *s = self;
    size_t n = 0;
    int r = follow_path(s);
    if (r != TENUO_OK)
        return r;
    for (int detail = WHOLE; detail <= SHORT; detail++)
        if (write_record(s->line + 1, event, (enum detail)detail, &n))
            return write_line(s, n);
    s->host->error(s->host, "the record does not fit into %d bytes", LINE_MAX_BYTES);
    return TENUO_E_AUDIT_REFUSED;
}

static int jsonl_flush(void *self)
{
    struct jsonl *s = self;
    if (fdatasync(s->fd) == 0 || errno == EINVAL || errno == EROFS)
        return TENUO_OK;
    s->host->error(s->host, "cannot bring %s to the disk: %s", s->path, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

/* ---- life ---- */

static void jsonl_close(void *self)
{
    struct jsonl *s = self;
    if (s == NULL)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s);
}

/* "640" or "0640": the owner reads and writes, nobody executes, others never write. */
static bool read_mode(const char *text, mode_t *ret_mode)
{
    size_t n = strlen(text);
    mode_t mode = 0;
    if (n < 3 || n > 4 || strspn(text, "01234567") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        mode = mode * 8 + (mode_t)(text[i] - '0');
    if ((mode & ~(mode_t)0664) != 0 || (mode & 0600) != 0600)
        return false;
    *ret_mode = mode;
    return true;
}

static int read_args(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, mode_t *ret_mode)
{
    if (nargs < 3 || args[0].value == NULL)
        return TENUO_E_INVALID_ARGUMENT;
    if (args[1].value != NULL && !read_mode(args[1].value, ret_mode)) {
        host->error(host, "mode: want three or four octal digits from 0600 to 0664, as in mode=0640");
        return TENUO_E_CONF;
    }
    return TENUO_OK;
}

/* The file is made when it is missing; its directory is not. */
static int jsonl_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    mode_t mode = DEFAULT_MODE;
    struct stat st;
    int r = read_args(host, args, nargs, &mode);
    if (r != TENUO_OK)
        return r;
    const char *path = args[0].value, *slash = strrchr(path, '/');
    char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (dir == NULL)
        return TENUO_E_NOMEM;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        host->error(host, "%s cannot be written to: its directory is not there", path);
        r = TENUO_E_UNAVAILABLE;
    }
    free(dir);
    return r;
}

static int jsonl_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    mode_t mode = DEFAULT_MODE;
    int r = read_args(host, args, nargs, &mode);
    if (r != TENUO_OK)
        return r;
    struct jsonl *s = calloc(1, sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    s->mode = mode;
    s->sync = args[2].value != NULL && args[2].number != 0;
    s->fd = -1;
    s->path = strdup(args[0].value);
    r = s->path == NULL ? TENUO_E_NOMEM : open_file(s);
    if (r != TENUO_OK) {
        jsonl_close(s);
        return r;
    }
    *ret_self = s;
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 1, "file to append to; made when it is missing" },
    { "mode", TENUO_ARG_STRING, 0, "permissions of a new file in octal, 0600 to 0664 (0640)" },
    { "fsync", TENUO_ARG_BOOL, 0, "wait for the disk after every record (no)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_audit_ops ops = {
    .size = sizeof ops,
    .open = jsonl_open,
    .close = jsonl_close,
    .check = jsonl_check,
    .decision = jsonl_decision,
    .flush = jsonl_flush,
};

/* Not thread-safe: one line buffer. Fork-safe: a child appends through the same open file, whole lines like everybody.
 */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "jsonl",
    .version = "1.0",
    .summary = "audit records as lines of JSON in a file",
    .args = args,
    .audit = &ops,
};
