/* SPDX-License-Identifier: Apache-2.0 */
/* Names of key versions: text and small numbers alone; asks no store. */
#include "versions.h"

#include <stdio.h>
#include <string.h>

static bool is_id(const char *id, size_t n)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (n == 0 || n > TENUO_KEY_ID_MAX || (n == 1 && id[0] == '.'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (id[i] == '\0' || strchr(allowed, id[i]) == NULL || (i > 0 && id[i] == '.' && id[i - 1] == '.'))
            return false;
    return true;
}

void tn_version_name(const char *key_id, uint32_t version, char ret_name[TN_VERSION_NAME_BYTES])
{
    if (version == 0)
        snprintf(ret_name, TN_VERSION_NAME_BYTES, "%.*s", TENUO_KEY_ID_MAX, key_id);
    else
        snprintf(ret_name, TN_VERSION_NAME_BYTES, "%.*s@%lu", TENUO_KEY_ID_MAX, key_id, (unsigned long)version);
}

static bool read_number(const char *text, size_t n, uint32_t *ret)
{
    uint64_t value = 0;
    if (n == 0 || n > 10 || text[0] == '0')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (value >= UINT32_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

bool tn_version_parse(const char *name, size_t len, char ret_id[TENUO_KEY_ID_MAX + 1], uint32_t *ret_version)
{
    const char *at = memchr(name, '@', len);
    size_t n = at == NULL ? len : (size_t)(at - name);
    uint32_t version = 0;
    if (!is_id(name, n) || (at != NULL && !read_number(at + 1, len - n - 1, &version)))
        return false;
    memcpy(ret_id, name, n);
    ret_id[n] = '\0';
    *ret_version = version;
    return true;
}

static void insert(struct tn_versions *v, uint32_t version)
{
    size_t i = v->count;
    while (i > 0 && v->n[i - 1] > version)
        i--;
    if (i > 0 && v->n[i - 1] == version)
        return;
    if (v->count == TENUO_KEY_VERSIONS_MAX) {
        v->full = true; /* the lowest goes, since the highest gives the newest its number */
        if (i == 0)
            return;
        memmove(v->n, v->n + 1, (i - 1) * sizeof v->n[0]);
        v->n[i - 1] = version;
        return;
    }
    memmove(v->n + i + 1, v->n + i, (v->count - i) * sizeof v->n[0]);
    v->n[i] = version;
    v->count++;
}

void tn_versions_note(struct tn_versions *v, const char *key_id, const char *name, size_t len)
{
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version;
    if (!tn_version_parse(name, len, id, &version) || strcmp(id, key_id) != 0)
        return;
    if (version == 0) {
        v->plain = true;
        return;
    }
    insert(v, version);
    v->highest = version > v->highest ? version : v->highest;
}

void tn_versions_note_removed(struct tn_versions *v, const char *key_id, const char *name, size_t len)
{
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version;
    if (tn_version_parse(name, len, id, &version) && strcmp(id, key_id) == 0 && version > v->highest)
        v->highest = version;
}

uint32_t tn_versions_newest(const struct tn_versions *v)
{
    if (!v->plain)
        return 0;
    return v->highest + 1;
}

uint32_t tn_versions_oldest(const struct tn_versions *v)
{
    return v->count != 0 ? v->n[0] : tn_versions_newest(v);
}

bool tn_versions_find(const struct tn_versions *v, uint32_t version, uint32_t *ret_suffix)
{
    if (version == 0 || version == tn_versions_newest(v)) {
        *ret_suffix = 0;
        return v->plain;
    }
    for (size_t i = 0; i < v->count; i++)
        if (v->n[i] == version) {
            *ret_suffix = version;
            return true;
        }
    return false;
}
