/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule line: facility, control, module, arguments. Checks everything that can be checked without the plugin: the
 * words, the module's form, argument names, and the core's own arguments. The plugin's arguments are checked against
 * its schema when it is loaded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tenuo/key.h>

#include "conf_parse.h"
#include "str.h"

static int find_word(const char *word, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    return -1;
}

static bool read_control(struct tn_parsed *p, const struct tn_word *w, struct tn_rule *rule)
{
    const char *names[TN_CONTROL_COUNT + 1] = { NULL };
    memcpy(names, tn_control_names, sizeof tn_control_names);
    if (!tn_plain_word(p, w))
        return false;
    int i = find_word(w->text, names, TN_CONTROL_COUNT);
    if (i < 0) {
        tn_unknown_word(p, w, "control", names);
        return false;
    }
    rule->control = (enum tn_control)i;
    if (rule->facility != TN_F_AUDIT)
        return true;
    if (rule->control == TN_SUFFICIENT) {
        tn_diag_error(p->d, &w->place,
                      "an audit line cannot be sufficient, since every sink gets every event: required or optional");
        return false;
    }
    if (rule->control == TN_REQUISITE)
        rule->control = TN_REQUIRED;
    return true;
}

static bool is_module_name(const char *s)
{
    size_t i = 0;
    for (; (s[i] >= 'a' && s[i] <= 'z') || tn_is_digit((uint8_t)s[i]) || s[i] == '_'; i++)
        ;
    return i != 0 && s[i] == '\0';
}

static bool read_module(struct tn_parsed *p, const struct tn_word *w, struct tn_rule *rule)
{
    if (w->text[0] != '/' && (w->quoted || !is_module_name(w->text))) {
        tn_diag_error(p->d, &w->place, "a module is a name of a-z, 0-9 and '_', or an absolute path");
        return false;
    }
    rule->module = tn_parsed_dup(p, w->text);
    rule->module_place = w->place;
    return rule->module != NULL;
}

static bool is_arg_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(s[i] >= 'a' && s[i] <= 'z') && (i == 0 || (!tn_is_digit((uint8_t)s[i]) && s[i] != '_')))
            return false;
    return n != 0;
}

static const char *bad_sha256(const char *v)
{
    size_t i = 0;
    for (; tn_is_digit((uint8_t)v[i]) || (v[i] >= 'a' && v[i] <= 'f'); i++)
        ;
    return i == 64 && v[i] == '\0' ? NULL : "64 lower-case hexadecimal digits";
}

static const char *bad_trace(const char *v)
{
    return strcmp(v, "yes") == 0 || strcmp(v, "no") == 0 ? NULL : "'yes' or 'no'";
}

static const char *bad_timeout(const char *v)
{
    uint64_t ms;
    return tn_duration_ms(v, &ms) && ms >= 1 && ms <= 3600000 ? NULL : "a duration from 1ms to 1h";
}

static const char *bad_ttl(const char *v)
{
    uint64_t ms;
    return strcmp(v, "off") == 0 || (tn_duration_ms(v, &ms) && ms <= UINT32_MAX) ? NULL
                                                                                 : "a duration up to 49d, or 'off'";
}

static const char *bad_name(const char *v)
{
    size_t i = 0;
    for (; tn_is_alpha((uint8_t)v[i]) || tn_is_digit((uint8_t)v[i]) || v[i] == '_' || v[i] == '-' || v[i] == '.'; i++)
        ;
    return i != 0 && i <= 64 && v[i] == '\0' ? NULL : "1 to 64 letters, digits, '.', '_' or '-'";
}

static const char *bad_issuer(const char *v)
{
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    return v[0] == '/' || tenuo_public_key_parse(v, strlen(v), key, NULL) == TENUO_OK
               ? NULL
               : "a public key (hex, base64url or base64), or the absolute path of its file";
}

static const char *bad_refresh(const char *v)
{
    uint64_t ms;
    return tn_duration_ms(v, &ms) && ms >= 100 && ms <= 86400000 ? NULL : "a duration from 100ms to 1d";
}

static const char *bad_max_age(const char *v)
{
    uint64_t ms;
    return tn_duration_ms(v, &ms) && ms >= 1000 && ms % 1000 == 0 && ms <= 315360000000
               ? NULL
               : "a duration of whole seconds from 1s to 3650d";
}

static const char *bad_floor(const char *v)
{
    return v[0] == '/' ? NULL : "an absolute path";
}

static const struct core_arg {
    const char *name;
    const char *(*wants)(const char *value); /* NULL when the value is good */
} core_args[] = {
    { "sha256", bad_sha256 },   { "trace", bad_trace },        { "timeout", bad_timeout }, { "name", bad_name },
    { "cache_ttl", bad_ttl },   { "stale_if_error", bad_ttl }, { "issuer", bad_issuer },   { "refresh", bad_refresh },
    { "max_age", bad_max_age }, { "floor", bad_floor },
};

/* The core's own arguments. Those of resolvers are refused elsewhere; those of revocation may be a plugin's elsewhere.
 */
static bool check_core_arg(struct tn_parsed *p, enum tn_facility facility, const struct tn_conf_arg *arg)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(core_args); i++) {
        if (strcmp(arg->key, core_args[i].name) != 0)
            continue;
        if (!tn_conf_is_core_arg(facility, arg->key) && tn_conf_is_core_arg(TN_F_REVOCATION, arg->key))
            return true;
        if (!tn_conf_is_core_arg(facility, arg->key)) {
            tn_diag_error(p->d, &arg->place, "argument '%s' belongs on resolver lines", arg->key);
            return false;
        }
        const char *value = arg->value == NULL && strcmp(arg->key, "trace") == 0 ? "yes" : arg->value;
        const char *wants = core_args[i].wants(value == NULL ? "" : value);
        if (wants != NULL)
            tn_diag_error(p->d, &arg->value_place, "argument '%s' wants %s", arg->key, wants);
        return wants == NULL;
    }
    return true;
}

/* One "key" or "key=value" into *ret_arg. */
static bool read_arg(struct tn_parsed *p, const struct tn_word *w, const struct tn_rule *rule,
                     struct tn_conf_arg *ret_arg)
{
    struct tn_conf_arg arg = { .place = w->place, .value_place = w->value_place };
    if (w->quoted || !is_arg_name(w->text, w->eq)) {
        tn_diag_error(p->d, &w->place, "an argument is KEY or KEY=VALUE, the key of a-z, 0-9 and '_'");
        return false;
    }
    w->text[w->eq] = '\0';
    if (tn_rule_arg(rule, w->text) != NULL) {
        char key[64];
        snprintf(key, sizeof key, "%s", w->text);
        tn_diag_error(p->d, &w->place, "argument '%s' is given twice", key);
        return false;
    }
    arg.key = tn_parsed_dup(p, w->text);
    if (arg.key != NULL && w->eq < w->len)
        arg.value = tn_parsed_dup(p, w->text + w->eq + 1);
    if (arg.key == NULL || (w->eq < w->len && arg.value == NULL) || !check_core_arg(p, rule->facility, &arg)) {
        free(arg.key);
        free(arg.value);
        return false;
    }
    *ret_arg = arg;
    return true;
}

static bool read_args(struct tn_parsed *p, const struct tn_lex *lex, struct tn_rule *rule)
{
    bool good = true;
    if (lex->nwords == 3)
        return true;
    rule->args = calloc(lex->nwords - 3, sizeof *rule->args);
    if (rule->args == NULL) {
        p->nomem = true;
        return false;
    }
    for (size_t i = 3; i < lex->nwords; i++) {
        if (read_arg(p, &lex->words[i], rule, &rule->args[rule->nargs]))
            rule->nargs++;
        else
            good = false;
    }
    return good;
}

static void keep(struct tn_parsed *p, const struct tn_rule *rule, const char *section)
{
    struct tn_parsed_rule *bigger = tn_parsed_grow(p, p->rules, p->nrules, sizeof *bigger);
    char *copy = bigger != NULL ? tn_parsed_dup(p, section) : NULL;
    if (bigger != NULL)
        p->rules = bigger;
    if (copy != NULL)
        bigger[p->nrules++] = (struct tn_parsed_rule){ *rule, copy };
}

void tn_parse_rule(struct tn_parsed *p, const struct tn_lex *lex, const char *section)
{
    struct tn_rule rule = { .facility = (enum tn_facility)find_word(lex->words[0].text, tn_facility_names, TN_F_COUNT),
                            .place = lex->words[0].place };
    if (lex->nwords < 3) {
        tn_diag_error(p->d, &rule.place, "a rule has at least three words: %s CONTROL MODULE", lex->words[0].text);
        return;
    }
    bool good = read_control(p, &lex->words[1], &rule);
    good = read_module(p, &lex->words[2], &rule) && good;
    good = read_args(p, lex, &rule) && good;
    size_t before = p->nrules;
    if (good && p->nrules == TN_MAX_RULES)
        tn_diag_error(p->d, &rule.place, "more than %d rules", TN_MAX_RULES);
    else if (good)
        keep(p, &rule, section);
    if (p->nrules == before)
        tn_rule_free(&rule);
}

void tn_rule_free(struct tn_rule *rule)
{
    for (size_t i = 0; i < rule->nargs; i++) {
        free(rule->args[i].key);
        free(rule->args[i].value);
    }
    free(rule->args);
    free(rule->module);
}
