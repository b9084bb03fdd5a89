/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner of JSON with secrets, beside jansson. Properties: what jansson takes is taken, with the same members and
 * strings; what is taken and plain ASCII, jansson takes too; every node can be walked and asked anything. */
#include "../common/json_scan.c"

#include <jansson.h>

#include "fuzz.h"

struct walk {
    const struct tn_json *j;
    bool odd; /* holds what jansson judges otherwise: broken strings, numbers beyond its range */
};

static void look(struct walk *w, int node)
{
    static char text[65536];
    const char *slice;
    uint64_t number;
    size_t n = 0, m = 0;
    if (tn_json_type(w->j, node) == TN_JSON_STRING) {
        if (!tn_json_string(w->j, node, text, sizeof text, &n))
            w->odd = true;
        else
            REQUIRE(tn_json_is(w->j, node, text) && strlen(text) == n);
        if (tn_json_slice(w->j, node, &slice, &m))
            REQUIRE(w->odd || (m == n && memcmp(slice, text, n) == 0));
    }
    if (tn_json_type(w->j, node) == TN_JSON_OTHER && !tn_json_true(w->j, node) && !tn_json_null(w->j, node))
        w->odd = w->odd || w->j->part[node].end - w->j->part[node].start > 15 || !tn_json_uint(w->j, node, &number);
}

static void walk_all(struct walk *w)
{
    for (int node = 0; node < w->j->count; node++) {
        int at = TN_JSON_NONE, name, value;
        size_t n = 0;
        look(w, node);
        while (tn_json_next(w->j, node, &at, &name, &value)) {
            REQUIRE(value > node && value < w->j->count && value == at);
            n++;
        }
        REQUIRE(n == tn_json_count(w->j, node));
    }
}

static void same_root(const struct tn_json *j, json_t *theirs)
{
    static char text[65536];
    const char *key;
    json_t *value;
    size_t n = 0;
    if (!json_is_object(theirs))
        return;
    REQUIRE(tn_json_count(j, 0) == json_object_size(theirs));
    json_object_foreach(theirs, key, value)
    {
        int node = tn_json_get(j, 0, key);
        REQUIRE(node != TN_JSON_NONE);
        REQUIRE((tn_json_type(j, node) == TN_JSON_STRING) == json_is_string(value));
        if (json_is_string(value) && tn_json_string(j, node, text, sizeof text, &n))
            REQUIRE(strcmp(text, json_string_value(value)) == 0);
    }
}

static bool is_ascii(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] >= 0x80 || p[i] == 0)
            return false;
    return true;
}

static size_t depth_of(const uint8_t *p, size_t n)
{
    size_t depth = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        depth += p[i] == '{' || p[i] == '[';
        most = depth > most ? depth : most;
        depth -= depth > 0 && (p[i] == '}' || p[i] == ']');
    }
    return most;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool nomem = false;
    json_error_t error;
    json_t *theirs = NULL;
    struct tn_json *j;
    if (size > TN_JSON_PARTS_MAX || depth_of(data, size) >= TN_JSON_DEPTH_MAX)
        return 0;
    j = tn_json_parse(data, size, &nomem);
    theirs = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &error);
    REQUIRE(!nomem);
    REQUIRE(theirs == NULL || j != NULL ||
            memchr(data, '\0', size) != NULL); /* which jansson overlooks here and there */
    if (j != NULL) {
        struct walk w = { .j = j };
        walk_all(&w);
        REQUIRE(theirs != NULL || w.odd || !is_ascii(data, size) || tn_json_type(j, 0) > TN_JSON_ARRAY ||
                json_error_code(&error) == json_error_duplicate_key);
        if (theirs != NULL)
            same_root(j, theirs);
    }
    json_decref(theirs);
    tn_json_free(j);
    return 0;
}
