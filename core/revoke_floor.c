/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line an issuer: key in hex, version, content hash in hex. A file that cannot be read to its end as such lines is
 * damaged and refuses, since guessing would let an old list back in; nothing is repaired here. The lock is a file
 * beside it, because the file itself is replaced.
 */
#include "revoke_floor.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../common/keyfile.h"
#include "err.h"
#include "forkgen.h"
#include "limits.h"
#include "str.h"
#include "trust.h"

#define HEADER "# tenuo: version floor of revocation lists; see tenuo.conf(5)\n"
#define WAIT_MS 2000

static int damaged(const char *path, size_t line, struct tenuo_error *err)
{
    return tn_fail(err, TENUO_E_CONF,
                   "%.140s:%zu: damaged: put back a copy, or remove it once you are sure that no older list is served",
                   path, line);
}

/* 64 lower-case digits. */
static bool read_hex(struct tn_str *rest, uint8_t ret[32])
{
    size_t n = 0;
    if (rest->n < 64 || sodium_hex2bin(ret, 32, (const char *)rest->p, 64, NULL, &n, NULL) != 0 || n != 32)
        return false;
    for (size_t i = 0; i < 64; i++)
        if (tn_is_upper(rest->p[i]))
            return false;
    *rest = (struct tn_str){ rest->p + 64, rest->n - 64 };
    return true;
}

static bool read_number(struct tn_str *rest, uint64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < rest->n && tn_is_digit(rest->p[i]); i++) {
        uint64_t digit = (uint64_t)(rest->p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    bool plain = i == 1 || (i > 1 && rest->p[0] != '0'); /* one text for one number */
    *ret = v;
    *rest = (struct tn_str){ rest->p + i, rest->n - i };
    return plain;
}

static bool read_space(struct tn_str *rest)
{
    if (rest->n == 0 || rest->p[0] != ' ')
        return false;
    *rest = (struct tn_str){ rest->p + 1, rest->n - 1 };
    return true;
}

static bool read_entry(struct tn_str line, struct tenuo_srl_floor *ret)
{
    return read_hex(&line, ret->issuer) && read_space(&line) && read_number(&line, &ret->version) &&
           read_space(&line) && read_hex(&line, ret->content_hash) && line.n == 0;
}

static size_t count_lines(const uint8_t *p, size_t n)
{
    size_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += p[i] == '\n';
    return lines;
}

/* A file that was cut off lacks its last newline. */
static int parse(struct tn_floor *f, const uint8_t *data, size_t len, struct tenuo_error *err)
{
    struct tn_str rest = { data, len };
    size_t line = 2, lines = count_lines(data, len);
    if (!tn_str_starts(rest, tn_lit(HEADER)) || data[len - 1] != '\n')
        return damaged(f->path, lines + 1, err);
    f->v = calloc(lines, sizeof *f->v);
    if (f->v == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    rest = (struct tn_str){ data + strlen(HEADER), len - strlen(HEADER) };
    for (; rest.n != 0; line++) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        struct tenuo_srl_floor *entry = &f->v[f->n];
        size_t n = (size_t)(end - rest.p);
        if (!read_entry((struct tn_str){ rest.p, n }, entry) || tn_floor_find(f, entry->issuer) != NULL)
            return damaged(f->path, line, err);
        f->n++;
        rest = (struct tn_str){ rest.p + n + 1, rest.n - n - 1 };
    }
    return TENUO_OK;
}

static int read_file(struct tn_floor *f, struct tenuo_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    int r = tn_trust_read(f->path, TN_MAX_FLOOR_FILE, TENUO_E_CONF, &data, &len, err);
    if (r == TENUO_E_SYSTEM) /* not there yet */
        return TENUO_OK;
    if (r == TENUO_OK)
        r = len == 0 ? damaged(f->path, 1, err) : parse(f, data, len, err);
    free(data);
    return r;
}

static int open_dir(const char *path, int *ret_dir, struct tenuo_error *err)
{
    struct tenuo_error why;
    const char *slash = strrchr(path, '/');
    char *dir = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (dir == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    int r = tn_trust_open(dir, TN_TRUST_DIR, TENUO_E_CONF, ret_dir, &why);
    free(dir);
    if (r == TENUO_OK)
        return r;
    return tn_fail(
        err, r, "%s: make the directory of the version floor for this program's user, or name it by floor=", why.msg);
}

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static int open_lock(const struct tn_floor *f, int *ret_fd, struct tenuo_error *err)
{
    char *name = NULL;
    struct stat st;
    if (asprintf(&name, "%s.lock", base_name(f->path)) < 0)
        return tn_fail_code(err, TENUO_E_NOMEM);
    int fd = openat(f->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    int error = errno;
    free(name);
    if (fd < 0)
        return tn_fail(err, TENUO_E_SYSTEM, "%.180s.lock: cannot be opened: %s", f->path, strerror(error));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return tn_fail(err, TENUO_E_CONF, "%.180s.lock: not a regular file", f->path);
    }
    *ret_fd = fd;
    return TENUO_OK;
}

static bool set_lock(int fd, short type)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static int take_lock(struct tn_floor *f, struct tenuo_error *err)
{
    const struct timespec pause = { .tv_nsec = 10000000 };
    uint64_t end = tn_clock_ms() + WAIT_MS;
    while (!set_lock(f->lock, F_WRLCK)) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return tn_fail(err, TENUO_E_SYSTEM, "%.180s.lock: cannot be locked: %s", f->path, strerror(errno));
        if (tn_clock_ms() >= end)
            return tn_fail(err, TENUO_E_UNAVAILABLE, "%.180s.lock: another process holds it", f->path);
        nanosleep(&pause, NULL);
    }
    return TENUO_OK;
}

int tn_floor_open(const char *path, struct tn_floor *ret_floor, struct tenuo_error *err)
{
    struct tn_floor f = { .path = path, .dir = -1, .lock = -1 };
    int r = open_dir(path, &f.dir, err);
    if (r == TENUO_OK)
        r = open_lock(&f, &f.lock, err);
    if (r == TENUO_OK)
        r = take_lock(&f, err);
    if (r == TENUO_OK)
        r = read_file(&f, err);
    if (r != TENUO_OK) {
        tn_floor_close(&f);
        return r;
    }
    *ret_floor = f;
    return TENUO_OK;
}

const struct tenuo_srl_floor *tn_floor_find(const struct tn_floor *floor, const uint8_t issuer[32])
{
    for (size_t i = 0; i < floor->n; i++)
        if (memcmp(floor->v[i].issuer, issuer, 32) == 0)
            return &floor->v[i];
    return NULL;
}

static int put_entry(struct tn_floor *f, const struct tenuo_srl_floor *entry, struct tenuo_error *err)
{
    struct tenuo_srl_floor *grown;
    for (size_t i = 0; i < f->n; i++) {
        if (memcmp(f->v[i].issuer, entry->issuer, 32) == 0) {
            f->v[i] = *entry;
            return TENUO_OK;
        }
    }
    if (f->n == TN_MAX_ROOTS)
        return tn_fail(err, TENUO_E_CONF, "%.160s: remembers more than %d issuers", f->path, TN_MAX_ROOTS);
    grown = realloc(f->v, (f->n + 1) * sizeof *grown);
    if (grown == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    f->v = grown;
    f->v[f->n++] = *entry;
    return TENUO_OK;
}

static char *print_all(const struct tn_floor *f, size_t *ret_len)
{
    size_t cap = sizeof HEADER + f->n * 160, n = strlen(HEADER);
    char *text = malloc(cap), issuer[65], hash[65];
    if (text == NULL)
        return NULL;
    memcpy(text, HEADER, sizeof HEADER);
    for (size_t i = 0; i < f->n; i++) {
        sodium_bin2hex(issuer, sizeof issuer, f->v[i].issuer, 32);
        sodium_bin2hex(hash, sizeof hash, f->v[i].content_hash, 32);
        n += (size_t)snprintf(text + n, cap - n, "%s %llu %s\n", issuer, (unsigned long long)f->v[i].version, hash);
    }
    *ret_len = n;
    return text;
}

int tn_floor_store(struct tn_floor *floor, const struct tenuo_srl_floor *entry, struct tenuo_error *err)
{
    char why[160];
    size_t len = 0;
    int r = put_entry(floor, entry, err);
    if (r != TENUO_OK)
        return r;
    char *text = print_all(floor, &len);
    if (text == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (tn_keyfile_write(floor->dir, base_name(floor->path), text, len, 0600, true, why) != TN_KEYFILE_OK)
        r = tn_fail(err, TENUO_E_SYSTEM, "%.120s: the version floor %.100s", floor->path, why);
    free(text);
    return r;
}

/* Unlocked by name: a child that was forked meanwhile has the same open file. */
void tn_floor_close(struct tn_floor *floor)
{
    if (floor->lock >= 0) {
        (void)set_lock(floor->lock, F_UNLCK);
        close(floor->lock);
    }
    if (floor->dir >= 0)
        close(floor->dir);
    free(floor->v);
    *floor = (struct tn_floor){ .dir = -1, .lock = -1 };
}

int tn_floor_version(const char *path, const uint8_t issuer[32], uint64_t *ret_version, struct tenuo_error *err)
{
    struct tn_floor f = { .path = path, .dir = -1, .lock = -1 };
    int r = read_file(&f, err);
    if (r == TENUO_OK) {
        const struct tenuo_srl_floor *entry = tn_floor_find(&f, issuer);
        *ret_version = entry == NULL ? 0 : entry->version;
    }
    tn_floor_close(&f);
    return r;
}

int tn_floor_check(const char *path, struct tenuo_error *err)
{
    struct tn_floor f = { .path = path, .dir = -1, .lock = -1 };
    int r = open_dir(path, &f.dir, err);
    if (r == TENUO_OK)
        r = read_file(&f, err);
    if (r == TENUO_OK && faccessat(f.dir, ".", W_OK | X_OK, AT_EACCESS) != 0)
        r = tn_fail(err, TENUO_E_SYSTEM, "%.180s: its directory cannot be written to: %s", path, strerror(errno));
    tn_floor_close(&f);
    return r;
}
