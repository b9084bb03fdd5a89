/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `tenuo conf check` and `tenuo conf show` say: findings of a configuration, and the merged result for one service
 * with the place of every line. Opens no store; with `load` it loads plugins and asks them about their arguments.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parse.h"
#include "ctx.h"
#include "err.h"
#include "instance.h"
#include "plugin_load.h"
#include "revoke.h"
#include "str.h"

/* The caller's structure may be of another age: only what lies within its size is read. */
static struct tenuo_open_options read_options(const struct tenuo_open_options *options)
{
    struct tenuo_open_options o = { 0 };
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    return o;
}

static bool has_facility(const struct tn_conf *conf, enum tn_facility facility)
{
    for (size_t i = 0; i < conf->nrules; i++)
        if (conf->rules[i].facility == facility)
            return true;
    return false;
}

/* Nothing here is wrong, but an administrator should know it. */
static void warn_of_gaps(const struct tn_conf *conf, struct tn_diag *d)
{
    static const struct {
        enum tn_facility facility;
        const char *sentence;
    } gaps[] = {
        { TN_F_TRUST, "no trust line: every warrant will be denied" },
        { TN_F_REVOCATION, "no revocation line: revoked warrants are not looked for" },
        { TN_F_REPLAY, "no replay line: a proof of possession can be used again while it is fresh" },
        { TN_F_AUDIT, "no audit line: decisions are recorded nowhere" },
    };
    struct tn_place place = { conf->files[0], 0, 0 };
    for (size_t i = 0; i < TN_ARRAY_LEN(gaps); i++)
        if (!has_facility(conf, gaps[i].facility))
            tn_diag_warning(d, &place, "%s", gaps[i].sentence);
    if (conf->set.receipt_key != NULL && !has_facility(conf, TN_F_RESOLVER))
        tn_diag_warning(d, &place, "receipt_key is set and there is no resolver line: no receipt can be signed");
    if (has_facility(conf, TN_F_REVOCATION) && conf->set.revocation_max_age == 0)
        tn_diag_warning(d, &place, "revocation_max_age is off: an old list that is served for ever is not noticed");
    if (conf->set.observe)
        tn_diag_warning(d, &place, "mode observe: denials are recorded and let through");
}

struct claims {
    const struct tn_rule *by[256]; /* constraint type id -> the matcher line that claims it */
};

static void claim_types(const struct tn_rule *rule, const uint8_t *types, struct claims *claims, struct tn_diag *d)
{
    for (; *types != 0; types++) {
        const struct tn_rule *first = claims->by[*types];
        if (first != NULL)
            tn_diag_error(d, &rule->place, "constraint type %u is claimed by the line at %s:%u too", (unsigned)*types,
                          first->place.file, first->place.line);
        else
            claims->by[*types] = rule;
    }
}

/* What the plugin's own rules say of the arguments; takes them. */
static void ask_plugin(const struct tn_conf *conf, const struct tn_rule *rule, const struct tn_plugin *plugin,
                       struct tenuo_arg *args, size_t nargs, struct tn_diag *d)
{
    struct tn_instance *instance = NULL;
    struct tenuo_error why = { 0 };
    int r = tn_instance_new(rule, plugin, args, nargs, conf->set.deadline_ms, NULL, &instance, &why);
    if (r == TENUO_OK)
        r = tn_instance_check(instance, &why);
    if (r == TENUO_E_CONF || r == TENUO_E_INVALID_ARGUMENT || r == TENUO_E_NOMEM)
        tn_diag_error(d, &rule->place, "%s", why.msg);
    else if (r != TENUO_OK)
        tn_diag_warning(d, &rule->place, "%s", why.msg);
    tn_instance_free(instance);
}

/* Two sinks of one file: each decision would stand there twice. */
static void look_for_twin(const struct tn_conf *conf, size_t i, struct tn_diag *d)
{
    const struct tn_rule *rule = &conf->rules[i];
    const struct tn_conf_arg *path = tn_rule_arg(rule, "path");
    if (rule->facility != TN_F_AUDIT || path == NULL || path->value == NULL)
        return;
    for (size_t k = 0; k < i; k++) {
        const struct tn_rule *first = &conf->rules[k];
        const struct tn_conf_arg *other = tn_rule_arg(first, "path");
        if (first->facility != TN_F_AUDIT || other == NULL || other->value == NULL ||
            strcmp(other->value, path->value) != 0)
            continue;
        tn_diag_warning(d, &path->place, "the line at %s:%u writes to this file too", first->place.file,
                        first->place.line);
        return;
    }
}

/* A key that signs nothing: whoever set it believes that there are receipts. */
static void warn_of_idle_key(const struct tn_conf *conf, struct tn_diag *d)
{
    for (size_t i = 0; i < conf->nset_lines; i++)
        if (strcmp(conf->set_lines[i].key, "receipt_key") == 0)
            tn_diag_warning(d, &conf->set_lines[i].place,
                            "receipt_key is set and no audit line keeps receipts: none is made; add "
                            "'audit required receipt path=/PATH'");
}

/* Only a warning: the service may be another user. */
static void look_at_hash_key(const struct tn_conf *conf, struct tn_diag *d)
{
    struct tenuo_error why = { 0 };
    uint8_t key[32];
    if (conf->set.audit_hash_key == NULL)
        return;
    int r = tn_hash_key_read(conf->set.audit_hash_key, key, &why);
    sodium_memzero(key, sizeof key);
    for (size_t i = 0; r != TENUO_OK && i < conf->nset_lines; i++)
        if (strcmp(conf->set_lines[i].key, "audit_hash_key") == 0)
            tn_diag_warning(d, &conf->set_lines[i].place, "%s", why.msg);
}

static void load_rules(const struct tn_conf *conf, const char *plugin_dir, struct tn_diag *d)
{
    struct claims claims = { { NULL } };
    bool receipts = false;
    for (size_t i = 0; i < conf->nrules; i++) {
        const struct tn_rule *rule = &conf->rules[i];
        const struct tn_plugin *plugin = NULL;
        struct tenuo_arg *args = NULL;
        size_t nargs = 0;
        look_for_twin(conf, i, d);
        if (tn_rule_load(rule, plugin_dir, d, &plugin, &args, &nargs) != TN_LOAD_OK) {
            receipts = receipts || rule->facility == TN_F_AUDIT; /* or it would have kept them */
            continue;
        }
        receipts = receipts || (rule->facility == TN_F_AUDIT && plugin->desc.audit->receipt != NULL);
        ask_plugin(conf, rule, plugin, args, nargs, d);
        (void)tn_rule_has_receipt_key(rule, plugin, &conf->set, d);
        if (rule->facility == TN_F_REVOCATION)
            tn_revoke_check_rule(rule, d);
        if (rule->facility == TN_F_MATCHER)
            claim_types(rule, plugin->desc.matcher->types, &claims, d);
    }
    if (conf->set.receipt_key != NULL && !receipts)
        warn_of_idle_key(conf, d);
}

int tenuo_conf_check(const char *service, const struct tenuo_open_options *options, int load,
                     struct tenuo_error *reterr)
{
    struct tenuo_open_options o = read_options(options);
    struct tn_diag d = { .fn = o.diag, .arg = o.diag_arg };
    struct tn_conf *conf = NULL;
    struct tn_conf_source from;
    int r = tn_conf_source(&o, &from, reterr);
    if (r == TENUO_OK)
        r = tn_conf_load(&from, service, &d, &conf, reterr);
    if (r != TENUO_OK)
        return r;
    warn_of_gaps(conf, &d);
    if (load) {
        look_at_hash_key(conf, &d);
        load_rules(conf, conf->set.plugin_dir != NULL ? conf->set.plugin_dir : o.plugin_dir, &d);
    }
    tn_conf_free(conf);
    return d.errors == 0 ? TENUO_OK : tn_fail(reterr, TENUO_E_CONF, "%s", d.first.msg);
}

/* Text that grows; `bad` once memory ran out. */
struct text {
    char *p;
    size_t n, cap;
    bool bad;
};

static void add(struct text *t, const char *s, size_t n)
{
    if (t->bad || n >= SIZE_MAX / 4 - t->n) {
        t->bad = true;
        return;
    }
    if (t->n + n + 1 > t->cap) {
        size_t cap = (t->n + n + 1) * 2;
        char *p = realloc(t->p, cap);
        if (p == NULL) {
            t->bad = true;
            return;
        }
        t->p = p;
        t->cap = cap;
    }
    memcpy(t->p + t->n, s, n);
    t->n += n;
    t->p[t->n] = '\0';
}

static void add_text(struct text *t, const char *s)
{
    add(t, s, strlen(s));
}

/* A column of at least `width`, then one blank. */
static void add_column(struct text *t, const char *s, size_t width)
{
    add_text(t, s);
    for (size_t n = strlen(s); n < width; n++)
        add_text(t, " ");
    add_text(t, " ");
}

/*
 * How many bytes at `v` are a secret that no plugin takes here (a PIN in a PKCS #11 URI, a password in a URL) and that
 * stands in the line all the same: what is shown goes into tickets. `start` is the beginning of the value.
 */
static size_t secret_at(const char *start, const char *v)
{
    static const char pin[] = "pin-value=";
    size_t before = (size_t)(v - start);
    if (before >= sizeof pin - 1 && memcmp(v - (sizeof pin - 1), pin, sizeof pin - 1) == 0)
        return strcspn(v, "&;");
    const char *host = strstr(start, "://");
    if (host == NULL || v <= host + 3 || v[-1] != ':')
        return 0;
    size_t n = strcspn(v, "/?#");
    const char *at = memrchr(v, '@', n);
    for (const char *p = host + 3; p < v - 1; p++)
        if (strchr("/?#:", *p) != NULL)
            return 0; /* not the user's part, or its second colon */
    return at != NULL ? (size_t)(at - v) : 0;
}

/* As the grammar takes it back, but for secrets, which are shown as ***. */
static void add_value(struct text *t, const char *v)
{
    bool bare = v[0] != '\0' && v[0] != '#' && strpbrk(v, " \t\"'\\") == NULL;
    const char *start = v, *quote = bare ? "" : "\"";
    add_text(t, quote);
    while (*v != '\0') {
        size_t secret = secret_at(start, v);
        if (secret > 0) {
            add_text(t, "***");
            v += secret;
            continue;
        }
        if (!bare && (*v == '"' || *v == '\\'))
            add_text(t, "\\");
        add(t, v++, 1);
    }
    add_text(t, quote);
}

static void add_origin(struct text *t, const struct tn_place *place)
{
    char line[16];
    snprintf(line, sizeof line, ":%u", place->line);
    add_text(t, "  # ");
    add_text(t, place->file);
    add_text(t, line);
}

struct show {
    void (*line)(void *arg, const char *text);
    void *arg;
    struct text text;
};

static void emit(struct show *s)
{
    if (!s->text.bad)
        s->line(s->arg, s->text.p);
    s->text.n = 0;
}

static void show_rule(struct show *s, const struct tn_rule *rule)
{
    struct text *t = &s->text;
    add_column(t, tn_facility_names[rule->facility], 10);
    add_column(t, tn_control_names[rule->control], 10);
    add_value(t, rule->module);
    for (size_t i = 0; i < rule->nargs; i++) {
        add_text(t, " ");
        add_text(t, rule->args[i].key);
        if (rule->args[i].value != NULL) {
            add_text(t, "=");
            add_value(t, rule->args[i].value);
        }
    }
    add_origin(t, &rule->place);
    emit(s);
}

static void show_setting(struct show *s, const char *key, const char *value, const struct tn_place *place)
{
    add_column(&s->text, "set", 10);
    add_column(&s->text, key, 21);
    add_value(&s->text, value);
    if (place != NULL)
        add_origin(&s->text, place);
    else
        add_text(&s->text, "  # default");
    emit(s);
}

/* Every setting in force: the lines that give it, else its default. */
static void show_settings(struct show *s, const struct tn_conf *conf, const char *plugin_dir)
{
    const char *fallback = NULL;
    for (size_t row = 0; tn_setting_name(row, &fallback) != NULL; row++) {
        const char *name = tn_setting_name(row, &fallback);
        bool given = false;
        for (size_t i = 0; i < conf->nset_lines; i++) {
            const struct tn_set_line *line = &conf->set_lines[i];
            if (strcmp(line->key, name) != 0)
                continue;
            show_setting(s, name, line->value, &line->place);
            given = true;
        }
        if (strcmp(name, "plugin_dir") == 0)
            fallback = plugin_dir;
        if (!given && fallback != NULL)
            show_setting(s, name, fallback, NULL);
    }
}

int tenuo_conf_show(const char *service, const struct tenuo_open_options *options,
                    void (*line)(void *arg, const char *text), void *arg, struct tenuo_error *reterr)
{
    struct tenuo_open_options o = read_options(options);
    struct tn_diag d = { .fn = o.diag, .arg = o.diag_arg };
    struct show s = { .line = line, .arg = arg };
    struct tn_conf *conf = NULL;
    struct tn_conf_source from;
    int r = tn_conf_source(&o, &from, reterr);
    if (r == TENUO_OK)
        r = tn_conf_load(&from, service, &d, &conf, reterr);
    if (r != TENUO_OK)
        return r;
    show_settings(&s, conf, o.plugin_dir != NULL ? o.plugin_dir : tenuo_default_plugin_dir());
    for (size_t i = 0; i < conf->nrules; i++)
        show_rule(&s, &conf->rules[i]);
    if (s.text.bad)
        r = tn_fail_code(reterr, TENUO_E_NOMEM);
    free(s.text.p);
    tn_conf_free(conf);
    return r;
}
