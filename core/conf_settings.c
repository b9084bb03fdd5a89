/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of design.md 3: one row each with its default, what it wants and the function that reads it. Values are
 * checked for every service when their line is read, and laid over the defaults for one service at the end.
 */
#include <stdlib.h>
#include <string.h>

#include <tenuo/warrant.h>

#include "conf_parse.h"
#include "err.h"
#include "keycache.h"
#include "redact.h"
#include "str.h"

enum outcome { GOOD, BAD, NO_MEMORY };

struct setting {
    const char *name, *fallback, *wants;
    enum outcome (*read)(const char *value, struct tn_settings *set);
    bool top_only;
};

static bool number_between(const char *value, uint32_t min, uint32_t max, uint32_t *ret)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; tn_is_digit((uint8_t)value[i]); i++) {
        n = n * 10 + (uint64_t)(value[i] - '0');
        if (n > UINT32_MAX)
            return false;
    }
    if (i == 0 || value[i] != '\0' || n < min || n > max)
        return false;
    *ret = (uint32_t)n;
    return true;
}

/* Milliseconds between min and max. */
static bool duration_between(const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t ms;
    if (!tn_duration_ms(value, &ms) || ms < min || ms > max)
        return false;
    *ret = ms;
    return true;
}

/* Whole seconds, or "off" as 0. */
static enum outcome seconds_or_off(const char *value, uint64_t *ret)
{
    uint64_t ms = 0;
    if (strcmp(value, "off") != 0 && (!duration_between(value, 1000, UINT64_MAX, &ms) || ms % 1000 != 0))
        return BAD;
    *ret = ms / 1000;
    return GOOD;
}

static enum outcome yes_or_no(const char *value, bool *ret)
{
    bool yes = strcmp(value, "yes") == 0;
    if (!yes && strcmp(value, "no") != 0)
        return BAD;
    *ret = yes;
    return GOOD;
}

static enum outcome keep_text(const char *value, char **ret)
{
    char *copy = strdup(value);
    if (copy == NULL)
        return NO_MEMORY;
    free(*ret);
    *ret = copy;
    return GOOD;
}

static enum outcome read_plugin_dir(const char *value, struct tn_settings *set)
{
    return value[0] == '/' ? keep_text(value, &set->plugin_dir) : BAD;
}

static enum outcome read_deadline(const char *value, struct tn_settings *set)
{
    uint64_t ms;
    if (!duration_between(value, 1, 3600000, &ms))
        return BAD;
    set->deadline_ms = (uint32_t)ms;
    return GOOD;
}

static enum outcome read_clock_tolerance(const char *value, struct tn_settings *set)
{
    uint64_t ms;
    if (!duration_between(value, 0, 3600000, &ms) || ms % 1000 != 0)
        return BAD;
    set->clock_tolerance = (uint32_t)(ms / 1000);
    return GOOD;
}

static enum outcome read_pop_windows(const char *value, struct tn_settings *set)
{
    return number_between(value, 1, TN_POP_WINDOWS_MAX, &set->pop_windows) ? GOOD : BAD;
}

static enum outcome read_max_chain(const char *value, struct tn_settings *set)
{
    return number_between(value, 1, TN_MAX_CHAIN, &set->max_chain) ? GOOD : BAD;
}

static enum outcome read_max_lifetime(const char *value, struct tn_settings *set)
{
    return seconds_or_off(value, &set->max_lifetime);
}

static enum outcome read_key_cache(const char *value, struct tn_settings *set)
{
    uint64_t ms = 0;
    if (strcmp(value, "off") != 0 && !duration_between(value, 0, UINT32_MAX, &ms))
        return BAD;
    set->key_cache_ms = (uint32_t)ms;
    return GOOD;
}

static enum outcome read_link_cache(const char *value, struct tn_settings *set)
{
    uint32_t n = 0;
    if (strcmp(value, "off") != 0 && !number_between(value, 0, TN_LINK_CACHE_MAX, &n))
        return BAD;
    set->link_cache = n;
    return GOOD;
}

/* "TOOL=LEVEL", split at the last "=", since a tool name may hold one. 0: no pattern. */
static size_t clearance_pattern(const char *value)
{
    const char *eq = strrchr(value, '=');
    if (eq == NULL)
        return 0;
    size_t n = (size_t)(eq - value);
    const char *star = memchr(value, '*', n);
    return n > TN_MAX_TOOL_NAME || (star != NULL && star != eq - 1) ? 0 : n;
}

static bool has_pattern(const struct tn_settings *set, const char *pattern, size_t n)
{
    for (size_t i = 0; i < set->nclearance; i++)
        if (strncmp(set->clearance[i].pattern, pattern, n) == 0 && set->clearance[i].pattern[n] == '\0')
            return true;
    return false;
}

/* A pattern that is there already was set by the service and goes before the top's. */
static enum outcome read_clearance(const char *value, struct tn_settings *set)
{
    uint8_t level;
    size_t n = clearance_pattern(value);
    if (n == 0 || tenuo_clearance_parse(value + n + 1, strlen(value + n + 1), &level, NULL) != TENUO_OK)
        return BAD;
    if (has_pattern(set, value, n))
        return GOOD;
    struct tn_clearance_rule *bigger = realloc(set->clearance, (set->nclearance + 1) * sizeof *bigger);
    if (bigger == NULL)
        return NO_MEMORY;
    set->clearance = bigger;
    char *pattern = strndup(value, n);
    if (pattern == NULL)
        return NO_MEMORY;
    bigger[set->nclearance++] = (struct tn_clearance_rule){ .pattern = pattern, .level = level };
    return GOOD;
}

static enum outcome read_audit_args(const char *value, struct tn_settings *set)
{
    static const char *const words[] = { "hash", "mask", "full" };
    for (unsigned i = 0; i < TN_ARRAY_LEN(words); i++) {
        if (strcmp(value, words[i]) == 0) {
            set->audit_args = (enum tn_audit_args)i;
            return GOOD;
        }
    }
    return BAD;
}

static enum outcome read_audit_mask(const char *value, struct tn_settings *set)
{
    if (strcmp(value, "off") == 0) {
        free(set->audit_mask);
        set->audit_mask = NULL;
        return GOOD;
    }
    if (strcmp(value, "default") == 0)
        value = TN_MASK_DEFAULT;
    return tn_mask_valid(value) ? keep_text(value, &set->audit_mask) : BAD;
}

static enum outcome read_audit_hash_key(const char *value, struct tn_settings *set)
{
    return value[0] == '/' ? keep_text(value, &set->audit_hash_key) : BAD;
}

static enum outcome read_mode(const char *value, struct tn_settings *set)
{
    bool observe = strcmp(value, "observe") == 0;
    if (!observe && strcmp(value, "enforce") != 0)
        return BAD;
    set->observe = observe;
    return GOOD;
}

static enum outcome read_revocation_max_age(const char *value, struct tn_settings *set)
{
    return seconds_or_off(value, &set->revocation_max_age);
}

static enum outcome read_strict_gates(const char *value, struct tn_settings *set)
{
    return yes_or_no(value, &set->strict_gates);
}

static enum outcome read_strict_session(const char *value, struct tn_settings *set)
{
    return yes_or_no(value, &set->strict_session);
}

static enum outcome read_self_approval(const char *value, struct tn_settings *set)
{
    return yes_or_no(value, &set->self_approval);
}

static enum outcome read_revocation_union(const char *value, struct tn_settings *set)
{
    return yes_or_no(value, &set->revocation_union);
}

static enum outcome read_max_approval_lifetime(const char *value, struct tn_settings *set)
{
    uint64_t ms;
    if (!duration_between(value, 1000, UINT64_MAX, &ms) || ms % 1000 != 0)
        return BAD;
    set->max_approval_lifetime = ms / 1000;
    return GOOD;
}

static enum outcome read_receipt_key(const char *value, struct tn_settings *set)
{
    return tn_key_id_valid(value) ? keep_text(value, &set->receipt_key) : BAD;
}

static enum outcome read_receipt_authorizer(const char *value, struct tn_settings *set)
{
    size_t n = strlen(value);
    return n >= 1 && n <= TN_MAX_ATTRIBUTE_VALUE ? keep_text(value, &set->receipt_authorizer) : BAD;
}

/* In the order of tenuo.conf(5). The first row is compiled in elsewhere. */
static const struct setting table[] = {
    { "plugin_dir", NULL, "an absolute path", read_plugin_dir, true },
    { "deadline", "5s", "a duration from 1ms to 1h", read_deadline, false },
    { "clock_tolerance", "30s", "a duration of whole seconds up to 1h", read_clock_tolerance, false },
    { "pop_windows", "5", "a number from 1 to 10", read_pop_windows, false },
    { "max_chain", "65", "a number from 1 to 65", read_max_chain, false },
    { "max_lifetime", "off", "a duration of whole seconds, or 'off'", read_max_lifetime, false },
    { "key_cache", "300s", "a duration up to 49d, or 'off'", read_key_cache, false },
    { "link_cache", "4096", "a number of entries up to 1048576, or 'off'", read_link_cache, false },
    { "clearance", NULL, "TOOL=LEVEL: a tool name, PREFIX* or *, and a level name or a number up to 255",
      read_clearance, false },
    { "audit_args", "hash", "'hash', 'mask' or 'full'", read_audit_args, false },
    { "audit_mask", "default", "'default', 'off', or words of [a-z0-9_-] with a comma between them", read_audit_mask,
      false },
    { "audit_hash_key", NULL, "the absolute path of a file that only its owner can read", read_audit_hash_key, false },
    { "mode", "enforce", "'enforce' or 'observe'", read_mode, false },
    { "receipt_key", NULL, "a key id: 1 to 128 characters of [A-Za-z0-9._-]", read_receipt_key, false },
    { "receipt_authorizer", NULL, "a label of 1 to 256 characters", read_receipt_authorizer, false },
    { "revocation_max_age", "off", "a duration of whole seconds, or 'off'", read_revocation_max_age, false },
    { "strict_gates", "no", "'yes' or 'no'", read_strict_gates, false },
    { "self_approval", "no", "'yes' or 'no'", read_self_approval, false },
    { "strict_session", "no", "'yes' or 'no'", read_strict_session, false },
    { "max_approval_lifetime", "1h", "a duration of whole seconds", read_max_approval_lifetime, false },
    { "revocation_union", "yes", "'yes' or 'no'", read_revocation_union, false },
};

const char *tn_setting_name(size_t row, const char **ret_default)
{
    if (row >= TN_ARRAY_LEN(table))
        return NULL;
    *ret_default = table[row].fallback;
    return table[row].name;
}

static const struct setting *find_setting(const char *name)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static bool is_clearance(const char *key)
{
    return strcmp(key, "clearance") == 0;
}

static bool same_setting(const struct tn_set_line *a, const char *key, const char *value, const char *section)
{
    if (strcmp(a->key, key) != 0 || strcmp(a->section, section) != 0)
        return false;
    if (!is_clearance(key))
        return true;
    size_t n = clearance_pattern(value);
    return n == clearance_pattern(a->value) && strncmp(a->value, value, n) == 0;
}

static const struct tn_set_line *earlier_line(const struct tn_parsed *p, const char *key, const char *value,
                                              const char *section)
{
    for (size_t i = 0; i < p->nsets; i++)
        if (same_setting(&p->sets[i], key, value, section))
            return &p->sets[i];
    return NULL;
}

static void remember(struct tn_parsed *p, const struct tn_word *key, const struct tn_word *value, const char *section)
{
    struct tn_set_line *bigger = tn_parsed_grow(p, p->sets, p->nsets, sizeof *bigger);
    if (bigger == NULL)
        return;
    p->sets = bigger;
    bigger[p->nsets++] = (struct tn_set_line){ tn_parsed_dup(p, key->text), tn_parsed_dup(p, value->text),
                                               tn_parsed_dup(p, section), key->place };
}

static bool check_value(struct tn_parsed *p, const struct setting *row, const struct tn_word *value)
{
    struct tn_settings scratch = { 0 };
    enum outcome outcome = row->read(value->text, &scratch);
    tn_settings_free(&scratch);
    if (outcome == NO_MEMORY)
        p->nomem = true;
    if (outcome == BAD)
        tn_diag_error(p->d, &value->place, "setting '%s' wants %s", row->name, row->wants);
    return outcome == GOOD;
}

static const struct setting *known_setting(struct tn_parsed *p, const struct tn_word *key)
{
    const char *names[TN_ARRAY_LEN(table) + 1] = { NULL };
    const struct setting *row = find_setting(key->text);
    for (size_t i = 0; i < TN_ARRAY_LEN(table); i++)
        names[i] = table[i].name;
    if (row == NULL)
        tn_unknown_word(p, key, "setting", names);
    return row;
}

/* A policy that can never deny a call, or never meet one, is a mistake that would go unnoticed. */
static void warn_idle_clearance(struct tn_parsed *p, const struct setting *row, const struct tn_word *value)
{
    uint8_t level = 0;
    const char *text = strrchr(value->text, '=');
    if (!is_clearance(row->name) || text == NULL)
        return;
    if (strncmp(value->text, "tenuo:", 6) == 0)
        tn_diag_warning(p->d, &value->place,
                        "no warrant names a tool that starts with 'tenuo:': this clearance is never asked for");
    if (tenuo_clearance_parse(text + 1, strlen(text + 1), &level, NULL) == TENUO_OK && level == 0)
        tn_diag_warning(p->d, &value->place, "clearance level 0 is what a warrant without one has: this never denies");
}

void tn_parse_setting(struct tn_parsed *p, const struct tn_lex *lex, const char *section)
{
    const struct tn_word *key = &lex->words[1], *value = &lex->words[2];
    if (lex->nwords != 3) {
        tn_diag_error(p->d, lex->nwords < 3 ? &lex->words[0].place : &lex->words[3].place,
                      "a setting has one name and one value: set NAME VALUE");
        return;
    }
    const struct setting *row = tn_plain_word(p, key) ? known_setting(p, key) : NULL;
    if (row == NULL || !check_value(p, row, value))
        return;
    if (row->top_only && section[0] != '\0') {
        tn_diag_error(p->d, &key->place, "setting '%s' belongs above the first section", row->name);
        return;
    }
    const struct tn_set_line *earlier = earlier_line(p, key->text, value->text, section);
    warn_idle_clearance(p, row, value);
    if (earlier != NULL)
        tn_diag_error(p->d, &key->place, "setting '%s' was given before, at %s:%u:%u", row->name, earlier->place.file,
                      earlier->place.line, earlier->place.col);
    else if (p->nsets == TN_MAX_CLEARANCE_RULES)
        tn_diag_error(p->d, &key->place, "more than %d settings", TN_MAX_CLEARANCE_RULES);
    else
        remember(p, key, value, section);
}

static bool set_defaults(struct tn_settings *set)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(table); i++)
        if (table[i].fallback != NULL && table[i].read(table[i].fallback, set) != GOOD)
            return false;
    return true;
}

/* The lines of one section; `clearance` chooses between those and all others. */
static bool apply_section(const struct tn_parsed *p, const char *section, bool clearance, struct tn_settings *set)
{
    for (size_t i = 0; i < p->nsets; i++) {
        const struct tn_set_line *line = &p->sets[i];
        size_t before = set->nclearance;
        if (strcmp(line->section, section) != 0 || is_clearance(line->key) != clearance)
            continue;
        if (find_setting(line->key)->read(line->value, set) != GOOD)
            return false;
        if (set->nclearance != before)
            set->clearance[before].place = line->place;
    }
    return true;
}

int tn_settings_apply(const struct tn_parsed *p, const char *service, struct tn_settings *ret_set,
                      struct tenuo_error *err)
{
    struct tn_settings set = { 0 };
    bool good = set_defaults(&set) && apply_section(p, "", false, &set);
    if (service[0] != '\0')
        good = good && apply_section(p, service, false, &set) && apply_section(p, service, true, &set);
    good = good && apply_section(p, "", true, &set);
    if (!good) { /* every value was checked when its line was read */
        tn_settings_free(&set);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    *ret_set = set;
    return TENUO_OK;
}

void tn_settings_free(struct tn_settings *set)
{
    free(set->plugin_dir);
    free(set->audit_mask);
    free(set->audit_hash_key);
    free(set->receipt_key);
    free(set->receipt_authorizer);
    for (size_t i = 0; i < set->nclearance; i++)
        free(set->clearance[i].pattern);
    free(set->clearance);
    *set = (struct tn_settings){ 0 };
}
