/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the main file, its includes and drop-ins, every one through the trust walk, and keeps what one service needs.
 * All mistakes are reported before the first refuses everything: a part of a configuration is never used. Loads no
 * plugin, opens no store.
 */
#include "conf_parse.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "str.h"
#include "trust.h"

#define DEFAULT_CONF "/etc/tenuo.conf"
#define MAX_SERVICE_NAME 64

/* One file being read; an include puts the next on top. */
struct frame {
    struct tn_lex lex;
    uint8_t *bytes;
    char section[MAX_SERVICE_NAME + 1];
};

struct reader {
    struct tn_parsed p;
    const char *service;
    bool has_section, has_others; /* of the service; of any other */
    char alike[MAX_SERVICE_NAME + 1]; /* one of the others, or "" */
    struct frame frames[TN_MAX_CONF_DEPTH + 1];
    size_t depth;
};

char *tn_parsed_dup(struct tn_parsed *p, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        p->nomem = true;
    return copy;
}

void *tn_parsed_grow(struct tn_parsed *p, void *array, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return array;
    void *bigger = reallocarray(array, count == 0 ? 1 : count * 2, size);
    if (bigger == NULL)
        p->nomem = true;
    return bigger;
}

bool tn_plain_word(struct tn_parsed *p, const struct tn_word *w)
{
    if (w->quoted)
        tn_diag_error(p->d, &w->place, "only a value may be quoted");
    return !w->quoted;
}

void tn_unknown_word(struct tn_parsed *p, const struct tn_word *w, const char *what, const char *const *known)
{
    char shown[64];
    const char *meant = tn_did_you_mean(w->text, known);
    tn_quote(shown, sizeof shown, w->text, w->len);
    if (meant != NULL)
        tn_diag_error(p->d, &w->place, "unknown %s '%s' (did you mean '%s'?)", what, shown, meant);
    else
        tn_diag_error(p->d, &w->place, "unknown %s '%s'", what, shown);
}

static bool is_service_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!tn_is_alpha((uint8_t)s[i]) && !tn_is_digit((uint8_t)s[i]) && s[i] != '_' && s[i] != '-' && s[i] != '.')
            return false;
    return n >= 1 && n <= MAX_SERVICE_NAME;
}

/* Keeps the name of a file for as long as places point to it. */
static const char *remember_file(struct tn_parsed *p, const char *path)
{
    char **bigger = tn_parsed_grow(p, p->files, p->nfiles, sizeof *bigger);
    if (bigger == NULL)
        return NULL;
    p->files = bigger;
    bigger[p->nfiles] = tn_parsed_dup(p, path);
    return bigger[p->nfiles] != NULL ? bigger[p->nfiles++] : NULL;
}

/* Begins to read bytes that are in memory; they are freed with the frame. */
static void push_bytes(struct reader *r, const char *name, uint8_t *bytes, size_t len)
{
    struct frame *f = &r->frames[r->depth];
    const char *file = remember_file(&r->p, name);
    f->bytes = bytes;
    if (file == NULL || !tn_lex_init(&f->lex, file, f->bytes, len, r->p.d)) {
        r->p.nomem = true;
        free(f->bytes);
        return;
    }
    f->section[0] = '\0';
    r->depth++;
}

/* `from` is the include that names the file, or NULL. */
static void push_file(struct reader *r, const char *path, const struct tn_place *from)
{
    struct tn_place nowhere = { path, 0, 0 };
    struct tenuo_error why;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (r->p.nfiles == TN_MAX_CONF_FILES) {
        tn_diag_error(r->p.d, from != NULL ? from : &nowhere, "more than %d configuration files", TN_MAX_CONF_FILES);
        return;
    }
    if (tn_trust_read(path, TN_MAX_CONF_BYTES, TENUO_E_CONF, &bytes, &len, &why) != TENUO_OK) {
        if (from == NULL)
            from = &nowhere;
        tn_diag_error(r->p.d, from, "cannot be used: %s", why.msg);
        return;
    }
    push_bytes(r, path, bytes, len);
}

static void pop_file(struct reader *r)
{
    struct frame *f = &r->frames[--r->depth];
    tn_lex_done(&f->lex);
    free(f->bytes);
}

static bool is_open(const struct reader *r, const char *path)
{
    for (size_t i = 0; i < r->depth; i++)
        if (strcmp(r->frames[i].lex.place.file, path) == 0)
            return true;
    return false;
}

static void parse_include(struct reader *r, const struct tn_lex *lex)
{
    const struct tn_word *w = &lex->words[1];
    if (lex->nwords != 2) {
        tn_diag_error(r->p.d, lex->nwords < 2 ? &lex->words[0].place : &lex->words[2].place,
                      "an include names one file: include /PATH");
        return;
    }
    struct tn_place at = w->place;
    if (w->text[0] != '/')
        tn_diag_error(r->p.d, &at, "an include wants an absolute path");
    else if (is_open(r, w->text))
        tn_diag_error(r->p.d, &at, "the file includes itself");
    else if (r->depth == TN_MAX_CONF_DEPTH + 1)
        tn_diag_error(r->p.d, &at, "includes nest deeper than %d", TN_MAX_CONF_DEPTH);
    else
        push_file(r, w->text, &at);
}

/* A service needs no section, so a mistyped one is no error: what there is to be said of it is gathered here. */
static void note_section(struct reader *r, const char *name)
{
    const char *const names[] = { name, NULL };
    if (strcmp(name, r->service) == 0)
        r->has_section = true;
    else
        r->has_others = true;
    if (r->alike[0] == '\0' && tn_did_you_mean(r->service, names) != NULL)
        snprintf(r->alike, sizeof r->alike, "%s", name);
}

static void parse_section(struct reader *r, struct frame *f)
{
    const struct tn_word *w = &f->lex.words[0];
    if (f->lex.nwords != 1) {
        tn_diag_error(r->p.d, &f->lex.words[1].place, "nothing may follow [SERVICE] on its line");
    } else if (w->text[w->len - 1] != ']' || !is_service_name(w->text + 1, w->len - 2)) {
        tn_diag_error(r->p.d, &w->place, "a service is [NAME]: 1 to %d letters, digits, '.', '_' or '-'",
                      MAX_SERVICE_NAME);
    } else if (strcmp(w->text, "[other]") == 0) {
        tn_diag_error(r->p.d, &w->place,
                      "there is no service 'other': rules above the first section are for all services");
    } else {
        memcpy(f->section, w->text + 1, w->len - 2);
        f->section[w->len - 2] = '\0';
        note_section(r, f->section);
        return;
    }
    f->section[0] = '\0'; /* nothing of a file with an error is used: what follows is only checked */
}

static const char *const first_words[] = {
    "trust", "resolver", "matcher", "revocation", "replay", "audit", "set", "include", NULL,
};

static void parse_line(struct reader *r, struct frame *f)
{
    const struct tn_word *w = &f->lex.words[0];
    if (!tn_plain_word(&r->p, w))
        return;
    if (w->text[0] == '[') {
        parse_section(r, f);
        return;
    }
    size_t i = 0;
    while (first_words[i] != NULL && strcmp(first_words[i], w->text) != 0)
        i++;
    if (i < TN_F_COUNT)
        tn_parse_rule(&r->p, &f->lex, f->section);
    else if (first_words[i] == NULL)
        tn_unknown_word(&r->p, w, "facility", first_words);
    else if (strcmp(w->text, "set") == 0)
        tn_parse_setting(&r->p, &f->lex, f->section);
    else
        parse_include(r, &f->lex);
}

/* What was pushed and all that it includes, where the include stands. */
static void read_pushed(struct reader *r)
{
    while (r->depth != 0 && !r->p.nomem) {
        struct frame *f = &r->frames[r->depth - 1];
        if (!tn_lex_line(&f->lex))
            pop_file(r);
        else if (!f->lex.bad)
            parse_line(r, f);
    }
    while (r->depth != 0)
        pop_file(r);
}

static void read_file(struct reader *r, const char *path)
{
    push_file(r, path, NULL);
    read_pushed(r);
}

static void read_text(struct reader *r, struct tn_str text)
{
    struct tn_place nowhere = { TN_CONF_MEMORY, 0, 0 };
    uint8_t *copy;
    if (text.n > TN_MAX_CONF_BYTES) {
        tn_diag_error(r->p.d, &nowhere, "larger than %d bytes", TN_MAX_CONF_BYTES);
        return;
    }
    copy = malloc(text.n + 1);
    if (copy == NULL) {
        r->p.nomem = true;
        return;
    }
    memcpy(copy, text.p, text.n);
    push_bytes(r, TN_CONF_MEMORY, copy, text.n);
    read_pushed(r);
}

static bool is_drop_in(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".conf") == 0;
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static void add_drop_in(struct reader *r, const char *dir, const char *name, char ***names, size_t *count)
{
    char *path = NULL;
    char **bigger = tn_parsed_grow(&r->p, *names, *count, sizeof *bigger);
    if (bigger == NULL)
        return;
    *names = bigger;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        r->p.nomem = true;
    else
        bigger[(*count)++] = path;
}

static void list_drop_ins(struct reader *r, const char *dir, int fd, char ***names, size_t *count)
{
    struct tn_place place = { dir, 0, 0 };
    DIR *d = fdopendir(fd);
    if (d == NULL) {
        close(fd);
        tn_diag_error(r->p.d, &place, "cannot be listed: %s", strerror(errno));
        return;
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (e == NULL)
            break;
        if (is_drop_in(e->d_name) && *count <= TN_MAX_CONF_FILES)
            add_drop_in(r, dir, e->d_name, names, count);
    }
    if (errno != 0)
        tn_diag_error(r->p.d, &place, "cannot be listed: %s", strerror(errno));
    closedir(d);
}

/* Where TN_MAX_CONF_FILES is passed, push_file says so. */
static void read_drop_ins(struct reader *r, const char *main_file)
{
    struct tenuo_error why;
    char *dir = NULL, **names = NULL;
    size_t count = 0;
    int fd = -1;
    if (asprintf(&dir, "%s.d", main_file) < 0) {
        r->p.nomem = true;
        return;
    }
    int code = tn_trust_open(dir, TN_TRUST_DIR, TENUO_E_CONF, &fd, &why);
    if (code == TENUO_OK) {
        list_drop_ins(r, dir, fd, &names, &count);
    } else if (code != TENUO_E_SYSTEM) {
        struct tn_place place = { dir, 0, 0 };
        tn_diag_error(r->p.d, &place, "cannot be used: %s", why.msg);
    }
    if (count != 0)
        qsort(names, count, sizeof *names, by_bytes);
    for (size_t i = 0; i < count; i++) {
        read_file(r, names[i]);
        free(names[i]);
    }
    free(names);
    free(dir);
}

static bool has_rules(const struct tn_parsed *p, enum tn_facility facility, const char *section)
{
    for (size_t i = 0; i < p->nrules; i++)
        if (p->rules[i].rule.facility == facility && strcmp(p->rules[i].section, section) == 0)
            return true;
    return false;
}

/* Moves the rules of one service into the result: for each facility its own, else those of the top. */
static bool take_rules(struct tn_parsed *p, const char *service, struct tn_conf *conf)
{
    bool own[TN_F_COUNT];
    conf->rules = calloc(p->nrules + 1, sizeof *conf->rules);
    if (conf->rules == NULL)
        return false;
    for (unsigned f = 0; f < TN_F_COUNT; f++)
        own[f] = has_rules(p, (enum tn_facility)f, service);
    for (size_t i = 0; i < p->nrules; i++) {
        struct tn_rule *rule = &p->rules[i].rule;
        if (strcmp(p->rules[i].section, own[rule->facility] ? service : "") != 0)
            continue;
        conf->rules[conf->nrules++] = *rule;
        *rule = (struct tn_rule){ 0 };
    }
    return true;
}

static bool same_place(const struct tn_place *a, const struct tn_place *b)
{
    return a->file == b->file && a->line == b->line && a->col == b->col;
}

/* Is this line of the top hidden by one of the service? */
static bool hidden(const struct tn_parsed *p, const struct tn_set_line *line, const char *service,
                   const struct tn_settings *set)
{
    if (line->section[0] != '\0')
        return strcmp(line->section, service) != 0;
    for (size_t i = 0; i < set->nclearance && strcmp(line->key, "clearance") == 0; i++)
        if (same_place(&set->clearance[i].place, &line->place))
            return false;
    if (strcmp(line->key, "clearance") == 0)
        return true;
    for (size_t i = 0; i < p->nsets; i++)
        if (strcmp(p->sets[i].key, line->key) == 0 && p->sets[i].section[0] != '\0' &&
            strcmp(p->sets[i].section, service) == 0)
            return true;
    return false;
}

static bool take_settings(struct tn_parsed *p, const char *service, struct tn_conf *conf)
{
    if (tn_settings_apply(p, service, &conf->set, NULL) != TENUO_OK)
        return false;
    bool *keep = calloc(p->nsets + 1, sizeof *keep); /* decided for all before one is moved away */
    conf->set_lines = calloc(p->nsets + 1, sizeof *conf->set_lines);
    for (size_t i = 0; i < p->nsets && keep != NULL && conf->set_lines != NULL; i++)
        keep[i] = !hidden(p, &p->sets[i], service, &conf->set);
    for (size_t i = 0; i < p->nsets && keep != NULL && conf->set_lines != NULL; i++) {
        if (!keep[i])
            continue;
        conf->set_lines[conf->nset_lines++] = p->sets[i];
        p->sets[i] = (struct tn_set_line){ 0 };
    }
    bool good = keep != NULL && conf->set_lines != NULL;
    free(keep);
    return good;
}

static void free_set_line(struct tn_set_line *line)
{
    free(line->key);
    free(line->value);
    free(line->section);
}

static void free_parsed(struct tn_parsed *p)
{
    for (size_t i = 0; i < p->nrules; i++) {
        tn_rule_free(&p->rules[i].rule);
        free(p->rules[i].section);
    }
    for (size_t i = 0; i < p->nsets; i++)
        free_set_line(&p->sets[i]);
    for (size_t i = 0; i < p->nfiles; i++)
        free(p->files[i]);
    free(p->rules);
    free(p->sets);
    free(p->files);
}

void tn_conf_free(struct tn_conf *conf)
{
    if (conf == NULL)
        return;
    for (size_t i = 0; i < conf->nrules; i++)
        tn_rule_free(&conf->rules[i]);
    for (size_t i = 0; i < conf->nset_lines; i++)
        free_set_line(&conf->set_lines[i]);
    for (size_t i = 0; i < conf->nfiles; i++)
        free(conf->files[i]);
    tn_settings_free(&conf->set);
    free(conf->rules);
    free(conf->set_lines);
    free(conf->files);
    free(conf->service);
    free(conf);
}

static const char *name_of(const struct tn_rule *rule)
{
    const struct tn_conf_arg *arg = tn_rule_arg(rule, "name");
    if (rule->facility != TN_F_RESOLVER)
        return NULL;
    return arg != NULL ? arg->value : rule->module;
}

/* Answers are the same; only commands that name a store cannot tell the two apart. */
static void warn_of_names(const struct tn_conf *conf, struct tn_diag *d)
{
    for (size_t i = 0; i < conf->nrules; i++)
        for (size_t k = 0; k < i && name_of(&conf->rules[i]) != NULL; k++) {
            const struct tn_rule *other = &conf->rules[k];
            if (name_of(other) == NULL || strcmp(name_of(&conf->rules[i]), name_of(other)) != 0)
                continue;
            tn_diag_warning(d, &conf->rules[i].place,
                            "the name '%s' is that of %s:%u too: no command can name either; give them name=",
                            name_of(other), other->place.file, other->place.line);
            break;
        }
}

/* Others have a section and this one has none: meant, or mistyped. An empty section says that it is meant. */
static void warn_of_section(const struct reader *r, const struct tn_conf *conf, struct tn_diag *d)
{
    struct tn_place place = { conf->files[0], 0, 0 };
    if (r->service[0] == '\0' || r->has_section || !r->has_others)
        return;
    if (r->alike[0] != '\0')
        tn_diag_warning(d, &place,
                        "service '%s' has no section and gets the rules of the top (did you mean '%s'?); a line [%s] "
                        "says that this is meant",
                        r->service, r->alike, r->service);
    else
        tn_diag_warning(d, &place,
                        "service '%s' has no section and gets the rules of the top; a line [%s] says that "
                        "this is meant",
                        r->service, r->service);
}

static struct tn_conf *choose_service(struct tn_parsed *p, const char *service)
{
    struct tn_conf *conf = calloc(1, sizeof *conf);
    if (conf == NULL)
        return NULL;
    conf->service = strdup(service);
    if (conf->service == NULL || !take_rules(p, service, conf) || !take_settings(p, service, conf)) {
        tn_conf_free(conf);
        return NULL;
    }
    conf->files = p->files;
    conf->nfiles = p->nfiles;
    p->files = NULL;
    p->nfiles = 0;
    return conf;
}

int tn_conf_source(const struct tenuo_open_options *o, struct tn_conf_source *ret_from, struct tenuo_error *err)
{
    if (o->conf_text != NULL && o->conf != NULL)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a configuration is a file or a text, not both");
    *ret_from = o->conf_text != NULL
                    ? (struct tn_conf_source){ TN_CONF_MEMORY, { (const uint8_t *)o->conf_text, o->conf_text_len } }
                    : (struct tn_conf_source){ tn_conf_path(o->conf), { NULL, 0 } };
    return TENUO_OK;
}

const char *tn_conf_path(const char *explicit_path)
{
    if (explicit_path != NULL)
        return explicit_path;
    const char *named = secure_getenv("TENUO_CONF");
    return named != NULL && named[0] != '\0' ? named : DEFAULT_CONF;
}

/* The file that everything starts from; says what to do when there is none. */
static bool main_file_exists(const char *path, struct tn_diag *d)
{
    struct tn_place place = { path, 0, 0 };
    struct tenuo_error why;
    int fd = -1;
    int r = tn_trust_open(path, TN_TRUST_FILE, TENUO_E_CONF, &fd, &why);
    if (r == TENUO_OK)
        close(fd);
    if (r == TENUO_E_SYSTEM)
        tn_diag_error(d, &place,
                      "no such configuration file: create it (see tenuo.conf(5)), or name another with TENUO_CONF");
    return r != TENUO_E_SYSTEM;
}

int tn_conf_load(const struct tn_conf_source *from, const char *service, struct tn_diag *d, struct tn_conf **ret_conf,
                 struct tenuo_error *err)
{
    struct tn_conf *conf = NULL;
    unsigned before = d->errors;
    if (service[0] != '\0' && !is_service_name(service, strlen(service)))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a service name is 1 to %d letters, digits, '.', '_' or '-'",
                       MAX_SERVICE_NAME);
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    r->p.d = d;
    r->service = service;
    if (from->text.p != NULL) {
        read_text(r, from->text);
    } else if (main_file_exists(from->path, d)) {
        read_file(r, from->path);
        read_drop_ins(r, from->path);
    }
    bool wrong = d->errors != before, nomem = r->p.nomem;
    if (!wrong && !nomem) {
        conf = choose_service(&r->p, service);
        nomem = conf == NULL;
    }
    if (conf != NULL) {
        warn_of_section(r, conf, d);
        warn_of_names(conf, d);
    }
    free_parsed(&r->p);
    free(r);
    if (nomem)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (wrong)
        return tn_fail(err, TENUO_E_CONF, "%s", d->first.msg);
    *ret_conf = conf;
    return TENUO_OK;
}
