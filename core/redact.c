/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names hide their values. Errs on the side of hiding: a name that only looks like a secret's loses its value in
 * the record, and nothing else changes.
 */
#include "redact.h"

#include "limits.h"

#define MASK_WORDS_MAX 64

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return is_lower(c) || is_upper(c) || is_digit(c);
}

static uint8_t small(uint8_t c)
{
    return is_upper(c) ? (uint8_t)(c - 'A' + 'a') : c;
}

bool tn_mask_valid(const char *list)
{
    size_t words = 0;
    for (;;) {
        size_t n = 0;
        for (; is_lower((uint8_t)list[n]) || is_digit((uint8_t)list[n]) || list[n] == '_' || list[n] == '-'; n++)
            ;
        if (n == 0 || n > 64 || ++words > MASK_WORDS_MAX)
            return false;
        if (list[n] == '\0')
            return true;
        if (list[n] != ',')
            return false;
        list += n + 1;
    }
}

/* Does a part of the name begin at i? The end of the name counts. */
static bool is_edge(struct tn_str name, size_t i)
{
    if (i == 0 || i == name.n || !is_letter(name.p[i]) || !is_letter(name.p[i - 1]))
        return true;
    return is_upper(name.p[i]) && !is_upper(name.p[i - 1]);
}

/* The word at i of the name, to an edge. An end of a part in the word may be no byte at all: "api_key", "apiKey". */
static bool stands_at(struct tn_str name, size_t i, const char *word, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (word[k] == '_' || word[k] == '-') {
            if (!is_edge(name, i))
                return false;
            if (i < name.n && !is_letter(name.p[i]))
                i++;
        } else if (i == name.n || small(name.p[i++]) != (uint8_t)word[k]) {
            return false;
        }
    }
    if (i < name.n && small(name.p[i]) == 's' && !is_edge(name, i)) /* "tokens" too, */
        i++;
    while (i < name.n && is_digit(name.p[i])) /* and "password2" */
        i++;
    return is_edge(name, i);
}

bool tn_mask_hides(const char *list, struct tn_str name)
{
    while (list != NULL && *list != '\0') {
        size_t n = strcspn(list, ",");
        for (size_t i = 0; i < name.n; i++)
            if (is_edge(name, i) && stands_at(name, i, list, n))
                return true;
        list += n + (list[n] == ',');
    }
    return false;
}
