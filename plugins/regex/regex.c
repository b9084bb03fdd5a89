/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher for Regex constraints: the dialect filter, then RE2. A pattern or a text on which RE2's answer might not be
 * the reference's is refused, which denies in every context; it is never answered with no. Does no I/O and keeps no
 * state but what is compiled.
 */
#include <stdlib.h>
#include <string.h>
#include <tenuo/plugin.h>

#include "engine.h"

#define TYPE_REGEX 5

struct instance {
    const struct tenuo_host *host;
    struct tn_regex_engine *engine;
};

struct text {
    const char *p;
    size_t n;
};

static int regex_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct instance *in = calloc(1, sizeof *in);
    (void)args, (void)nargs;
    if (in == NULL)
        return TENUO_E_NOMEM;
    in->host = host;
    in->engine = tn_regex_engine_new();
    if (in->engine == NULL) {
        host->error(host, "RE2 does not start: memory ran out, or another version is installed");
        free(in);
        return TENUO_E_SYSTEM;
    }
    *ret_self = in;
    return TENUO_OK;
}

static void regex_close(void *self)
{
    struct instance *in = self;
    tn_regex_engine_free(in->engine);
    free(in);
}

/* A CBOR text that is all of the bytes; false when it is something else. */
static bool read_text(const uint8_t *p, size_t len, struct text *ret)
{
    size_t head = 1, n = 0;
    if (len == 0 || (p[0] & 0xe0) != 0x60 || (p[0] & 0x1f) > 27)
        return false;
    if ((p[0] & 0x1f) < 24) {
        n = p[0] & 0x1f;
    } else {
        head += (size_t)1 << ((p[0] & 0x1f) - 24);
        for (size_t i = 1; i < head && i < len; i++)
            n = n << 8 | p[i];
    }
    if (head > len || n != len - head)
        return false;
    *ret = (struct text){ (const char *)p + head, n };
    return true;
}

/* {"pattern": text}, as the host has checked it. */
static bool read_payload(const uint8_t *payload, size_t len, struct text *ret)
{
    static const uint8_t head[] = { 0xa1, 0x67, 'p', 'a', 't', 't', 'e', 'r', 'n' };
    return len > sizeof head && memcmp(payload, head, sizeof head) == 0 &&
           read_text(payload + sizeof head, len - sizeof head, ret);
}

/* The code for a result that is no answer. */
static int failed(const struct instance *in, enum tn_regex_result r, const char *why)
{
    if (r == TN_REGEX_NOMEM)
        return TENUO_E_NOMEM;
    in->host->error(in->host, "%s", why);
    return TENUO_E_INVALID_ARGUMENT;
}

static int regex_compile(void *self, uint8_t type, const uint8_t *payload, size_t len, void **ret_program,
                         size_t *ret_bytes)
{
    const struct instance *in = self;
    char why[TN_REGEX_WHY] = "";
    struct tn_regex *regex = NULL;
    struct text pattern;
    enum tn_regex_result r;
    if (type != TYPE_REGEX || !read_payload(payload, len, &pattern))
        return failed(in, TN_REGEX_REFUSED, "this is no payload of a Regex");
    r = tn_regex_compile(in->engine, pattern.p, pattern.n, &regex, ret_bytes, why);
    if (r != TN_REGEX_YES)
        return failed(in, r, why);
    *ret_program = regex;
    return TENUO_OK;
}

static void regex_release(void *self, void *program)
{
    (void)self;
    tn_regex_free(program);
}

static int regex_match(void *self, const void *program, const uint8_t *value, size_t len, int64_t as_of,
                       uint64_t *work, int *ret_match)
{
    const struct instance *in = self;
    char why[TN_REGEX_WHY] = "a text as long for a pattern as large";
    enum tn_regex_result r = TN_REGEX_NO; /* for another kind of value */
    struct text t;
    (void)as_of;
    if (read_text(value, len, &t)) {
        uint64_t cost = tn_regex_cost(program, t.n);
        if (cost > *work)
            return failed(in, TN_REGEX_REFUSED, why);
        *work -= cost;
        r = tn_regex_search(in->engine, program, t.p, t.n, why);
    }
    if (r != TN_REGEX_YES && r != TN_REGEX_NO)
        return failed(in, r, why);
    *ret_match = r == TN_REGEX_YES;
    return TENUO_OK;
}

/* Two patterns: the same one. What an Exact child says is matched by the host. */
static int regex_attenuates(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len,
                            uint8_t child_type, const uint8_t *child, size_t child_len, int *ret_ok)
{
    const struct instance *in = self;
    struct text p, c;
    *ret_ok = parent_type == TYPE_REGEX && child_type == TYPE_REGEX && read_payload(parent, parent_len, &p) &&
              read_payload(child, child_len, &c) && p.n == c.n && memcmp(p.p, c.p, p.n) == 0;
    if (*ret_ok == 0)
        in->host->error(in->host, "below a Regex goes the same pattern, or an Exact that it matches");
    return TENUO_OK;
}

static const uint8_t types[] = { TYPE_REGEX, 0 };
static const struct tenuo_matcher_ops matcher = {
    .size = sizeof(struct tenuo_matcher_ops),
    .open = regex_open,
    .close = regex_close,
    .types = types,
    .compile = regex_compile,
    .release = regex_release,
    .match = regex_match,
    .attenuates = regex_attenuates,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof(struct tenuo_plugin_v1),
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "regex",
    .version = "0.1.0",
    .summary = "regular expressions (constraint type 5) on RE2",
    .matcher = &matcher,
};
