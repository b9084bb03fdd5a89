/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher "semver", a complete plugin to start from: constraint type 200, a range of version numbers as CBOR text such
 * as ">=1.4.0 <2.0.0". An argument "1.9.3" is in it; a child may narrow it.
 *
 *   cc -std=c17 -D_GNU_SOURCE -fPIC -shared -fvisibility=hidden -Wl,-z,defs,-z,nodelete,-z,relro,-z,now \
 *      $(pkg-config --cflags tenuo-plugin) -o tenuo_semver.so matcher_semver.c
 *   install -o root -g root -m 0755 tenuo_semver.so "$(pkg-config --variable=plugindir tenuo-plugin)/"
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tenuo/plugin.h>

#define TYPE_SEMVER 200
#define TYPE_EXACT 1

/* A version as one number: three parts of 20 bits. Both ends are in the range. */
struct range {
    uint64_t low, high;
};

struct text {
    const char *p;
    size_t n;
};

struct semver {
    const struct tenuo_host *host;
};

/* Called once, before any decision; "keep no globals" is kept by keeping the host in the instance. */
static int semver_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)args, (void)nargs;
    struct semver *s = calloc(1, sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    *ret_self = s;
    return TENUO_OK;
}

static void semver_close(void *self)
{
    free(self);
}

/* A CBOR text that is all of the bytes. Payloads and values come from outside: every length is checked. */
static bool read_text(const uint8_t *p, size_t len, struct text *ret)
{
    size_t head = 1, n;
    if (len == 0 || p[0] < 0x60 || p[0] > 0x78)
        return false; /* another kind, or longer than any range */
    n = p[0] - 0x60u;
    if (p[0] == 0x78) {
        if (len < 2)
            return false;
        n = p[1];
        head = 2;
    }
    if (n != len - head)
        return false;
    *ret = (struct text){ (const char *)p + head, n };
    return true;
}

/* MAJOR.MINOR.PATCH at the start of t, which moves on; plain numbers without leading zeros. */
static bool take_version(struct text *t, uint64_t *ret)
{
    uint64_t version = 0;
    for (int part = 0; part < 3; part++) {
        uint64_t n = 0;
        size_t digits = 0;
        if (part > 0 && (t->n == 0 || *t->p != '.'))
            return false;
        if (part > 0)
            t->p++, t->n--;
        for (; t->n > 0 && *t->p >= '0' && *t->p <= '9' && digits < 7; digits++, t->p++, t->n--)
            n = n * 10 + (uint64_t)(*t->p - '0');
        if (digits == 0 || (digits > 1 && t->p[-(ptrdiff_t)digits] == '0') || n >= 1u << 20)
            return false;
        version = version << 20 | n;
    }
    *ret = version;
    return true;
}

/* ">=", ">", "<=", "<" or "=" and a version: makes the range smaller. */
static bool take_comparison(struct text *t, struct range *r)
{
    char op = t->n > 0 ? *t->p : '\0';
    bool equal = op == '=' || (t->n > 1 && t->p[1] == '=');
    size_t skip = op == '=' || !equal ? 1 : 2;
    uint64_t v, low, high;
    if ((op != '>' && op != '<' && op != '=') || t->n < skip)
        return false;
    t->p += skip;
    t->n -= skip;
    if (!take_version(t, &v))
        return false;
    low = op == '<' ? 0 : equal ? v : v + 1;
    high = op == '>' ? UINT64_MAX : equal ? v : v == 0 ? 0 : v - 1;
    if (op == '<' && !equal && v == 0)
        return false; /* nothing is below 0.0.0 */
    r->low = low > r->low ? low : r->low;
    r->high = high < r->high ? high : r->high;
    return true;
}

/* Comparisons with one space between them; a range that holds nothing is refused. */
static bool parse_range(struct text t, struct range *ret)
{
    struct range r = { 0, UINT64_MAX };
    for (;;) {
        if (!take_comparison(&t, &r))
            return false;
        if (t.n == 0)
            break;
        if (*t.p != ' ')
            return false;
        t.p++, t.n--;
    }
    *ret = r;
    return r.low <= r.high;
}

static bool read_range(const uint8_t *payload, size_t len, struct range *ret)
{
    struct text t;
    return read_text(payload, len, &t) && parse_range(t, ret);
}

/* The host keeps the program for every later match of this payload, so this is where the work belongs. */
static int semver_compile(void *self, uint8_t type, const uint8_t *payload, size_t len, void **ret_program,
                          size_t *ret_bytes)
{
    const struct semver *s = self;
    struct range r, *program;
    (void)type; /* the only one of this plugin */
    if (!read_range(payload, len, &r)) {
        s->host->error(s->host, "a range is written like \">=1.4.0 <2.0.0\"");
        return TENUO_E_INVALID_ARGUMENT; /* denies, also below a Not */
    }
    program = malloc(sizeof *program);
    if (program == NULL)
        return TENUO_E_NOMEM;
    *program = r;
    *ret_program = program;
    *ret_bytes = sizeof *program;
    return TENUO_OK;
}

static void semver_release(void *self, void *program)
{
    (void)self;
    free(program);
}

/* Any thread, no I/O, no clock: the same input gives the same answer. What cannot be judged is an error and never "no",
 * which a Not would turn into "yes". */
static int semver_match(void *self, const void *program, const uint8_t *value, size_t len, int64_t as_of,
                        uint64_t *work, int *ret_match)
{
    const struct semver *s = self;
    const struct range *r = program;
    struct text t;
    uint64_t v;
    (void)as_of, (void)work; /* as long as the value, which the host has counted */
    if (!read_text(value, len, &t) || !take_version(&t, &v) || t.n != 0) {
        s->host->error(s->host, "the argument is no version of the form 1.4.0"); /* never the value itself */
        return TENUO_E_INVALID_ARGUMENT;
    }
    *ret_match = v >= r->low && v <= r->high;
    return TENUO_OK;
}

/* {"value": text} of an Exact child. */
static bool read_exact(const uint8_t *payload, size_t len, uint64_t *ret)
{
    static const uint8_t head[] = { 0xa1, 0x65, 'v', 'a', 'l', 'u', 'e' };
    struct text t;
    return len > sizeof head && memcmp(payload, head, sizeof head) == 0 &&
           read_text(payload + sizeof head, len - sizeof head, &t) && take_version(&t, ret) && t.n == 0;
}

/* Everything that the child allows must be allowed by the parent. In doubt: no. */
static int semver_attenuates(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len,
                             uint8_t child_type, const uint8_t *child, size_t child_len, int *ret_ok)
{
    const struct semver *s = self;
    struct range p, c;
    bool known = false;
    (void)parent_type;
    if (child_type == TYPE_SEMVER) {
        known = read_range(child, child_len, &c);
    } else if (child_type == TYPE_EXACT) {
        known = read_exact(child, child_len, &c.low);
        c.high = known ? c.low : 0;
    }
    *ret_ok = known && read_range(parent, parent_len, &p) && c.low >= p.low && c.high <= p.high;
    if (*ret_ok == 0)
        s->host->error(s->host, "the child's range is not within its parent's");
    return TENUO_OK;
}

static const uint8_t types[] = { TYPE_SEMVER, 0 };
static const struct tenuo_matcher_ops matcher = {
    .size = sizeof(struct tenuo_matcher_ops),
    .open = semver_open,
    .close = semver_close,
    .types = types,
    .compile = semver_compile,
    .release = semver_release,
    .match = semver_match,
    .attenuates = semver_attenuates,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof(struct tenuo_plugin_v1),
    /* a matcher needs the first two */
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "semver",
    .version = "1.0",
    .summary = "ranges of version numbers (constraint type 200)",
    .matcher = &matcher,
};
