/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher "semver", a complete plugin to start from: constraint type 200, a version as CBOR text. "1.4.0" allows it and
 * what is compatible with it: 1.4.0 and later, and not 2.0.0. A child may demand more, or one version (Exact).
 *   cc -std=c17 -D_GNU_SOURCE -fPIC -shared -fvisibility=hidden -Wl,-z,defs,-z,nodelete,-z,relro,-z,now \
 *      $(pkg-config --cflags tenuo-plugin) -o tenuo_semver.so matcher_semver.c
 *   install -o root -g root -m 0755 tenuo_semver.so "$(pkg-config --variable=plugindir tenuo-plugin)/"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenuo/plugin.h>
struct version { unsigned major, minor, patch; };
static int semver_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)args, (void)nargs;
    *ret_self = (void *)(uintptr_t)host; /* all that an instance needs here: it keeps no state */
    return TENUO_OK;
}
static void semver_close(void *self) { (void)self; }
static int refuse(const struct tenuo_host *host)
{
    host->error(host, "not a version of the form 1.4.0"); /* never what stands there */
    return TENUO_E_INVALID_ARGUMENT; /* denies, also below a Not, which would turn a "no" into "yes" */
}
/* From outside: every length is checked, and what was read is written again: no sign, space or leading zero passes. */
static int read_version(const uint8_t *p, size_t len, struct version *v)
{
    char text[24] = "", again[40];
    if (len == 0 || len - 1 >= sizeof text || p[0] != 0x60 + len - 1)
        return 0;
    memcpy(text, p + 1, len - 1);
    int n = sscanf(text, "%u.%u.%u", &v->major, &v->minor, &v->patch);
    snprintf(again, sizeof again, "%u.%u.%u", v->major, v->minor, v->patch);
    return n == 3 && strlen(again) == len - 1 && memcmp(text, again, len - 1) == 0;
}
static int compatible(const struct version *v, const struct version *s)
{
    return v->major == s->major && (v->minor > s->minor || (v->minor == s->minor && v->patch >= s->patch));
}
/* The host keeps the program for every later match of this payload: this is where the work belongs. */
static int semver_compile(void *self, uint8_t type, const uint8_t *p, size_t len, void **ret_program, size_t *ret_bytes)
{
    struct version v, *program;
    if (type != 200 || !read_version(p, len, &v))
        return refuse(self);
    if ((program = malloc(sizeof v)) == NULL)
        return TENUO_E_NOMEM;
    *ret_program = memcpy(program, &v, sizeof v);
    *ret_bytes = sizeof v;
    return TENUO_OK;
}
static void semver_release(void *self, void *program) { (void)self, free(program); }
/* Any thread, no I/O, no clock: the same input gives the same answer. It takes no more steps than the host counted. */
static int semver_match(void *self, const void *program, const uint8_t *p, size_t len, int64_t t, uint64_t *w, int *ret)
{
    struct version v;
    (void)t, (void)w;
    if (!read_version(p, len, &v))
        return refuse(self);
    *ret = compatible(&v, program);
    return TENUO_OK;
}
/* Everything that the child allows must be allowed by the parent. In doubt: no. Exact is {"value": text}. */
static int semver_attenuates(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len,
                             uint8_t child_type, const uint8_t *child, size_t child_len, int *ret_ok)
{
    struct version p, c;
    size_t skip = child_type == 1 && child_len > 7 && memcmp(child, "\xa1\x65value", 7) == 0 ? 7 : 0;
    *ret_ok = self && parent_type == 200 && (child_type == 200 || skip == 7) && read_version(parent, parent_len, &p) &&
              read_version(child + skip, child_len - skip, &c) && compatible(&c, &p);
    return TENUO_OK;
}
static const struct tenuo_matcher_ops ops = { sizeof ops, NULL, semver_open, semver_close, NULL,
    (const uint8_t[]){ 200, 0 }, semver_compile, semver_release, semver_match, semver_attenuates };
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC, .abi_major = TENUO_PLUGIN_ABI_MAJOR, .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1, .name = "semver", .version = "1.0", .summary = "compatible versions (type 200)",
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK, .matcher = &ops };
