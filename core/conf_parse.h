/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the configuration parser share: everything read so far, of all services, before one is chosen. */
#ifndef TN_CONF_PARSE_H
#define TN_CONF_PARSE_H

#include "conf.h"
#include "conf_lex.h"

struct tn_parsed_rule {
    struct tn_rule rule;
    char *section; /* "" = top */
};

struct tn_parsed {
    struct tn_diag *d;
    struct tn_parsed_rule *rules;
    size_t nrules;
    struct tn_set_line *sets;
    size_t nsets;
    char **files;
    size_t nfiles;
    bool nomem;
};

/* A copy, or NULL with p->nomem set. */
char *tn_parsed_dup(struct tn_parsed *p, const char *text);
/* Room for one more item of `size` bytes at array[count]; capacity grows in powers of two. NULL with p->nomem set. */
void *tn_parsed_grow(struct tn_parsed *p, void *array, size_t count, size_t size);

/* conf_rule.c: a line that begins with a facility. */
void tn_parse_rule(struct tn_parsed *p, const struct tn_lex *lex, const char *section);
void tn_rule_free(struct tn_rule *rule);

/* conf_settings.c: `set KEY VALUE`, checked and remembered; later laid over the defaults: the top's, then the
 * service's. */
void tn_parse_setting(struct tn_parsed *p, const struct tn_lex *lex, const char *section);
int tn_settings_apply(const struct tn_parsed *p, const char *service, struct tn_settings *ret_set,
                      struct tenuo_error *err);
void tn_settings_free(struct tn_settings *set);
/* Name and default of the setting of that row, for `conf show`; NULL past the end. */
const char *tn_setting_name(size_t row, const char **ret_default);

/* Shared sentences. */
bool tn_plain_word(struct tn_parsed *p, const struct tn_word *w);
void tn_unknown_word(struct tn_parsed *p, const struct tn_word *w, const char *what, const char *const *known);

#endif
