/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a control plane answers: the list itself, or JSON with the list in base64. The number beside it is not signed
 * and counts for nothing. Hostile JSON is refused before it is taken apart, so that no answer makes a large tree.
 */
#include "http.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MEMBERS 256 /* commas, braces and brackets; base64 has none */

static bool is_json(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n'))
        i++;
    return i < n && p[i] == '{';
}

static bool is_small_tree(const uint8_t *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if ((p[i] == ',' || p[i] == '{' || p[i] == '[') && ++count > MOST_MEMBERS)
            return false;
    return true;
}

static bool decode(const char *text, size_t n, uint8_t **ret_list, size_t *ret_len)
{
    size_t len = 0;
    uint8_t *list = malloc(n / 4 * 3 + 1);
    if (list == NULL)
        return false;
    if (sodium_base642bin(list, n / 4 * 3 + 1, text, n, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(list);
        return false;
    }
    *ret_list = list;
    *ret_len = len;
    return true;
}

/* The body goes before the list comes: never three copies of a long list at once. */
static bool unwrap(json_t *root, uint8_t **body, size_t *len, const char **ret_why)
{
    const json_t *srl = json_object_get(root, "srl"), *version = json_object_get(root, "version");
    uint8_t *list = NULL;
    if (!json_is_string(srl) || (version != NULL && !json_is_integer(version))) {
        *ret_why = "the answer is JSON without the members \"srl\" (base64) and \"version\" (a number)";
        return false;
    }
    if (!decode(json_string_value(srl), json_string_length(srl), &list, len)) {
        *ret_why = "the member \"srl\" of the answer is not base64";
        return false;
    }
    *body = list;
    return true;
}

bool http_unwrap(uint8_t **body, size_t *len, const char **ret_why)
{
    json_t *root;
    if (!is_json(*body, *len))
        return true;
    if (!is_small_tree(*body, *len)) {
        *ret_why = "the answer is JSON with far more members than \"srl\" and \"version\"";
        return false;
    }
    root = json_loadb((const char *)*body, *len, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) {
        *ret_why = "the answer begins as JSON and is none";
        return false;
    }
    free(*body);
    *body = NULL;
    *len = 0;
    bool good = unwrap(root, body, len, ret_why);
    json_decref(root);
    return good;
}
