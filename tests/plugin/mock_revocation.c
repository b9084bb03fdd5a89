/* SPDX-License-Identifier: Apache-2.0 */
/* A source of revocation lists that is wrong in the way that `fault` names; without one it hands over a file. `second`:
 * late the second time, and from then on unchanged if that may be. */
#include <stdio.h>
#include <time.h>

#include "mock.h"

struct source {
    const struct tenuo_host *host;
    char path[256], fault[32];
    int calls;
};

static int source_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)nargs;
    struct source *s = calloc(1, sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    snprintf(s->path, sizeof s->path, "%s", args[0].value);
    snprintf(s->fault, sizeof s->fault, "%s", args[1].value != NULL ? args[1].value : "");
    *ret_self = s;
    return TENUO_OK;
}

static int is(const struct source *s, const char *fault)
{
    return strcmp(s->fault, fault) == 0;
}

static int fetch(void *self, int unchanged_ok, const uint8_t **ret_list, size_t *ret_len, int64_t *ret_fetched_at)
{
    struct source *s = self;
    const struct timespec late = { .tv_nsec = 300000000 };
    FILE *f = fopen(s->path, "rb");
    uint8_t *bytes = malloc(65536);
    int again = is(s, "second") && ++s->calls > 2 && unchanged_ok;
    if (f == NULL || bytes == NULL)
        return TENUO_E_UNAVAILABLE;
    *ret_len = fread(bytes, 1, 65536, f);
    *ret_list = bytes;
    *ret_fetched_at = s->host->now();
    fclose(f);
    if (is(s, "future"))
        *ret_fetched_at += 3600;
    if (is(s, "old"))
        *ret_fetched_at -= 3600;
    if (is(s, "long"))
        *ret_len = (size_t)TENUO_REVOCATION_LIST_MAX + 1;
    if (is(s, "late") || (is(s, "second") && s->calls == 2))
        nanosleep(&late, NULL);
    if (is(s, "null") || again) {
        free(bytes);
        *ret_list = NULL;
    }
    return is(s, "code") ? 42 : TENUO_OK;
}

static void release(void *self, const uint8_t *list, size_t len)
{
    (void)self, (void)len;
    free((void *)(uintptr_t)list);
}

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 1, "file to hand over" },
    { "fault", TENUO_ARG_STRING, 0, "what is wrong" },
    { NULL, 0, 0, NULL },
};
static const struct tenuo_revocation_ops ops = { .size = sizeof(struct tenuo_revocation_ops),
                                                 .args = args,
                                                 .open = source_open,
                                                 .close = mock_close,
                                                 .fetch = fetch,
                                                 .release = release };

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = { MOCK_DESCRIPTOR("revocation"),
                                                                     .revocation = &ops };
