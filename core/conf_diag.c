/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a configuration says what is wrong with it: "FILE:LINE:COL: sentence", counted, the first one kept. Also the
 * small readers that every part of the configuration shares. Never shows the value of an argument.
 */
#include "conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "limits.h"
#include "str.h"

const char *const tn_facility_names[TN_F_COUNT] = { "trust", "resolver", "matcher", "revocation", "replay", "audit" };
const char *const tn_control_names[TN_CONTROL_COUNT] = { "required", "requisite", "sufficient", "optional" };

static void hand_on(struct tn_diag *d, int is_error, const struct tn_place *place, const char *sentence)
{
    char file[512], line[1280];
    tn_quote(file, sizeof file, place->file, strlen(place->file));
    if (place->line == 0)
        snprintf(line, sizeof line, "%s: %s", file, sentence);
    else
        snprintf(line, sizeof line, "%s:%u:%u: %s", file, place->line, place->col, sentence);
    if (is_error && d->errors == 1)
        tn_fail(&d->first, TENUO_E_CONF, "%s", line);
    if (d->fn != NULL)
        d->fn(d->arg, is_error, line);
}

void tn_diag_error(struct tn_diag *d, const struct tn_place *place, const char *fmt, ...)
{
    char sentence[640];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    d->errors++;
    if (d->errors <= TN_MAX_CONF_ERRORS)
        hand_on(d, 1, place, sentence);
    else if (d->errors == TN_MAX_CONF_ERRORS + 1)
        hand_on(d, 1, place, "too many errors: no more are shown");
}

void tn_diag_warning(struct tn_diag *d, const struct tn_place *place, const char *fmt, ...)
{
    char sentence[640];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    d->warnings++;
    hand_on(d, 0, place, sentence);
}

#define MAX_HINT_WORD 32

/* Edit distance of two short words (insert, delete, replace), row by row. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t row[MAX_HINT_WORD + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}

const char *tn_did_you_mean(const char *word, const char *const *known)
{
    const char *found = NULL;
    size_t n = strlen(word), best = 3;
    if (n > MAX_HINT_WORD)
        return NULL;
    for (; *known != NULL; known++) {
        size_t nk = strlen(*known);
        size_t distance = nk > MAX_HINT_WORD ? best : edit_distance(word, n, *known, nk);
        if (distance < best && distance < nk && distance < n) {
            best = distance;
            found = *known;
        }
    }
    return found;
}

bool tn_duration_ms(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint32_t ms;
    } units[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    };
    uint64_t n = 0;
    size_t i = 0;
    for (; tn_is_digit((uint8_t)text[i]); i++) {
        n = n * 10 + (uint64_t)(text[i] - '0');
        if (n > UINT32_MAX)
            return false;
    }
    for (size_t k = 0; i != 0 && k < TN_ARRAY_LEN(units); k++) {
        if (strcmp(text + i, units[k].unit) == 0) {
            *ret_ms = n * units[k].ms;
            return true;
        }
    }
    return false;
}

static bool is_one_of(const char *key, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(key, *names) == 0)
            return true;
    return false;
}

bool tn_conf_is_core_arg(enum tn_facility facility, const char *key)
{
    static const char *const every[] = { "sha256", "trace", "timeout", "name", NULL };
    static const char *const resolver[] = { "cache_ttl", "stale_if_error", NULL };
    static const char *const revocation[] = { "issuer", "refresh", "max_age", "floor", NULL };
    return is_one_of(key, every) || (facility == TN_F_RESOLVER && is_one_of(key, resolver)) ||
           (facility == TN_F_REVOCATION && is_one_of(key, revocation));
}

const struct tn_conf_arg *tn_rule_arg(const struct tn_rule *rule, const char *key)
{
    for (size_t i = 0; i < rule->nargs; i++)
        if (strcmp(rule->args[i].key, key) == 0)
            return &rule->args[i];
    return NULL;
}
