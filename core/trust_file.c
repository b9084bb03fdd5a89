/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust `file`, built in: root public keys from a file, or from every file of a directory. A file holds SPKI PEM blocks
 * and lines KEY [name=WORD] [not_before=TIME] [not_after=TIME] with KEY in hex, base64url or base64, TIME as
 * 2030-01-31T12:00:00Z, and comments behind '#'. Every file passes the trust walk; one that cannot be read or
 * understood refuses them all. Never leaves out a key quietly.
 */
#include "builtin.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "limits.h"
#include "rfc3339.h"
#include "str.h"
#include "trust.h"
#include <tenuo/key.h>

struct trust_file {
    const struct tenuo_host *host;
    char path[];
};

/* One file while it is read. */
struct reading {
    const struct tenuo_host *host;
    const char *path;
    struct tn_str rest;
    unsigned line;
    int (*each)(void *arg, const struct tenuo_root *root);
    void *arg;
    size_t count;
};

static int refuse(const struct reading *r, const char *sentence)
{
    r->host->error(r->host, "%s:%u: %s", r->path, r->line, sentence);
    return TENUO_E_CONF;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct tn_str trim(struct tn_str s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Takes one line off the rest; false at the end. */
static bool next_line(struct reading *r, struct tn_str *ret_line)
{
    const uint8_t *end;
    if (r->rest.n == 0)
        return false;
    end = memchr(r->rest.p, '\n', r->rest.n);
    *ret_line = (struct tn_str){ r->rest.p, end == NULL ? r->rest.n : (size_t)(end - r->rest.p) };
    size_t used = ret_line->n + (end != NULL);
    r->rest = (struct tn_str){ r->rest.p + used, r->rest.n - used };
    r->line++;
    return true;
}

static struct tn_str next_word(struct tn_str *line)
{
    struct tn_str word = { line->p, 0 };
    while (word.n < line->n && !is_blank(line->p[word.n]))
        word.n++;
    *line = trim((struct tn_str){ line->p + word.n, line->n - word.n });
    return word;
}

/* Strips the prefix `key` ("name=") off a word. */
static bool option(struct tn_str word, const char *key, struct tn_str *ret_value)
{
    struct tn_str prefix = tn_lit(key);
    if (!tn_str_starts(word, prefix))
        return false;
    *ret_value = (struct tn_str){ word.p + prefix.n, word.n - prefix.n };
    return true;
}

static bool put_name(struct tenuo_root *root, struct tn_str text)
{
    if (text.n == 0 || text.n >= sizeof root->name)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x21 || text.p[i] > 0x7e)
            return false;
    memcpy(root->name, text.p, text.n);
    root->name[text.n] = '\0';
    return true;
}

static int read_option(struct reading *r, struct tn_str word, struct tenuo_root *root)
{
    struct tn_str value;
    if (option(word, "name=", &value))
        return put_name(root, value) ? TENUO_OK : refuse(r, "name= wants 1 to 63 printable ASCII characters");
    if (option(word, "not_before=", &value))
        return tn_rfc3339_parse(value, &root->not_before)
                   ? TENUO_OK
                   : refuse(r, "not_before= wants a time as 2030-01-31T12:00:00Z");
    if (option(word, "not_after=", &value))
        return tn_rfc3339_parse(value, &root->not_after) ? TENUO_OK
                                                         : refuse(r, "not_after= wants a time as 2030-01-31T12:00:00Z");
    return refuse(r, "unknown word after the key: name=, not_before= and not_after= are known");
}

static int give(struct reading *r, const struct tenuo_root *root)
{
    if (root->not_before >= root->not_after)
        return refuse(r, "not_before is not earlier than not_after: the key would never be trusted");
    if (r->each(r->arg, root) != 0)
        return TENUO_E_NOMEM;
    r->count++;
    return TENUO_OK;
}

static int read_key(struct reading *r, struct tn_str text, struct tenuo_root *root)
{
    *root = (struct tenuo_root){ .not_after = UINT64_MAX };
    if (tenuo_public_key_parse((const char *)text.p, text.n, root->key, NULL) == TENUO_OK)
        return TENUO_OK;
    return refuse(r, "not a usable Ed25519 public key (SPKI PEM, hex, base64url or base64)");
}

static int read_text_line(struct reading *r, struct tn_str line)
{
    struct tenuo_root root;
    int e = read_key(r, next_word(&line), &root);
    while (e == TENUO_OK && line.n > 0 && line.p[0] != '#')
        e = read_option(r, next_word(&line), &root);
    return e != TENUO_OK ? e : give(r, &root);
}

static int read_pem(struct reading *r, const uint8_t *start)
{
    struct tenuo_root root;
    struct tn_str line;
    while (next_line(r, &line)) {
        if (!tn_str_starts(trim(line), tn_lit("-----END ")))
            continue;
        int e = read_key(r, (struct tn_str){ start, (size_t)(line.p + line.n - start) }, &root);
        return e != TENUO_OK ? e : give(r, &root);
    }
    return refuse(r, "a PEM block does not end");
}

static int read_text(struct reading *r)
{
    struct tn_str line;
    int e = TENUO_OK;
    while (e == TENUO_OK && next_line(r, &line)) {
        line = trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        e = tn_str_starts(line, tn_lit("-----BEGIN ")) ? read_pem(r, line.p) : read_text_line(r, line);
    }
    if (e == TENUO_OK && r->count == 0)
        return refuse(r, "holds no public key");
    return e;
}

static int read_file(const struct trust_file *t, const char *path, int (*each)(void *, const struct tenuo_root *),
                     void *arg)
{
    struct reading r = { .host = t->host, .path = path, .each = each, .arg = arg };
    struct tenuo_error why;
    uint8_t *data;
    int e = tn_trust_read(path, TN_MAX_ROOT_FILE, TENUO_E_CONF, &data, &r.rest.n, &why);
    if (e != TENUO_OK) {
        t->host->error(t->host, "%s", why.msg);
        return e;
    }
    r.rest.p = data;
    e = read_text(&r);
    free(data);
    return e;
}

/* What editors and package managers leave behind: an old root in it must not come back. */
static bool is_leftover(const char *name)
{
    static const char *const endings[] = { "~",         ".bak",       ".orig",     ".rej",     ".swp",     ".dpkg-old",
                                           ".dpkg-new", ".dpkg-dist", ".dpkg-tmp", ".rpmsave", ".rpmorig", ".rpmnew" };
    if (name[0] == '.')
        return true;
    for (size_t i = 0; i < TN_ARRAY_LEN(endings); i++)
        if (tn_str_ends(tn_lit(name), tn_lit(endings[i])))
            return true;
    return false;
}

static int no_leftover(const struct dirent *entry)
{
    return !is_leftover(entry->d_name);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_entry(const struct trust_file *t, const char *name, int (*each)(void *, const struct tenuo_root *),
                      void *arg)
{
    char *path;
    if (asprintf(&path, "%s/%s", t->path, name) < 0)
        return TENUO_E_NOMEM;
    int e = read_file(t, path, each, arg);
    free(path);
    return e;
}

static int read_directory(const struct trust_file *t, int fd, int (*each)(void *, const struct tenuo_root *), void *arg)
{
    struct dirent **entries = NULL;
    int n = scandirat(fd, ".", &entries, no_leftover, by_bytes), e = TENUO_OK;
    if (n < 0) {
        t->host->error(t->host, "%s: cannot be listed: %s", t->path, strerror(errno));
        return TENUO_E_SYSTEM;
    }
    for (int i = 0; i < n; i++) {
        if (e == TENUO_OK)
            e = read_entry(t, entries[i]->d_name, each, arg);
        free(entries[i]);
    }
    free(entries);
    return e;
}

static int trust_file_roots(void *self, int (*each)(void *arg, const struct tenuo_root *root), void *arg)
{
    const struct trust_file *t = self;
    struct tenuo_error why;
    struct stat st;
    int fd, e;
    if (lstat(t->path, &st) != 0 || !S_ISDIR(st.st_mode))
        return read_file(t, t->path, each, arg);
    e = tn_trust_open(t->path, TN_TRUST_DIR, TENUO_E_CONF, &fd, &why);
    if (e != TENUO_OK) {
        t->host->error(t->host, "%s", why.msg);
        return e;
    }
    e = read_directory(t, fd, each, arg);
    close(fd);
    return e;
}

static int trust_file_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    size_t n = strlen(args[0].value) + 1;
    struct trust_file *t = malloc(sizeof *t + n);
    (void)nargs;
    if (t == NULL)
        return TENUO_E_NOMEM;
    t->host = host;
    memcpy(t->path, args[0].value, n);
    while (n > 2 && t->path[n - 2] == '/') /* "/etc/roots/" is as good as "/etc/roots" */
        t->path[--n - 1] = '\0';
    *ret_self = t;
    return TENUO_OK;
}

static void trust_file_close(void *self)
{
    free(self);
}

static int pass_over(void *arg, const struct tenuo_root *root)
{
    (void)arg, (void)root;
    return 0;
}

static int trust_file_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    void *self = NULL;
    int e = trust_file_open(host, args, nargs, &self);
    if (e == TENUO_OK && trust_file_roots(self, pass_over, NULL) != TENUO_OK)
        e = TENUO_E_UNAVAILABLE;
    trust_file_close(self);
    return e;
}

static const struct tenuo_arg_spec trust_file_args[] = {
    { "path", TENUO_ARG_PATH, 1, "file or directory of root public keys: PEM, hex or base64url" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_trust_ops trust_file_ops = {
    .size = sizeof trust_file_ops,
    .open = trust_file_open,
    .close = trust_file_close,
    .check = trust_file_check,
    .roots = trust_file_roots,
};

const struct tenuo_plugin_v1 tn_builtin_trust_file = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tn_builtin_trust_file,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "file",
    .version = "1.0",
    .summary = "root public keys from a file or directory",
    .args = trust_file_args,
    .trust = &trust_file_ops,
};
