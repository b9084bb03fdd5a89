/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file of any bytes. Nothing is opened: every include is a missing file. Properties: one error refuses
 * everything, every rule and setting has a place within the file, and a second reading says the same.
 */
#include "../core/conf_parse.c"

#include "fuzz.h"

/* Stand in for core/trust.c. */
int tn_trust_open(const char *path, enum tn_trust_kind kind, int code, int *ret_fd, struct tenuo_error *err)
{
    (void)path, (void)kind, (void)code, (void)ret_fd;
    return tn_fail(err, TENUO_E_SYSTEM, "missing");
}

int tn_trust_read(const char *path, size_t max, int code, uint8_t **ret_data, size_t *ret_len, struct tenuo_error *err)
{
    (void)max, (void)ret_data, (void)ret_len;
    return tn_trust_open(path, TN_TRUST_FILE, code, NULL, err);
}

static void check_place(const struct tn_place *place, size_t size)
{
    REQUIRE(place->line >= 1 && place->line <= size + 1 && place->col >= 1 && place->col <= size + 1);
}

static void check_conf(const struct tn_conf *conf, size_t size)
{
    for (size_t i = 0; i < conf->nrules; i++) {
        check_place(&conf->rules[i].place, size);
        REQUIRE(conf->rules[i].facility != TN_F_AUDIT || conf->rules[i].control == TN_REQUIRED ||
                conf->rules[i].control == TN_OPTIONAL);
    }
    for (size_t i = 0; i < conf->nset_lines; i++)
        check_place(&conf->set_lines[i].place, size);
    REQUIRE(conf->set.pop_windows >= 1 && conf->set.pop_windows <= TN_POP_WINDOWS_MAX);
    REQUIRE(conf->set.max_chain >= 1 && conf->set.max_chain <= TN_MAX_CHAIN);
}

/* As tn_conf_load, with the bytes for the main file. Returns the number of errors. */
static unsigned read_once(const uint8_t *data, size_t size, const char *service)
{
    struct tn_diag d = { 0 };
    struct reader *r = calloc(1, sizeof *r);
    uint8_t *copy = malloc(size + 1);
    REQUIRE(r != NULL && copy != NULL);
    memcpy(copy, data, size);
    r->p.d = &d;
    r->service = service;
    const char *file = remember_file(&r->p, "/fuzz");
    REQUIRE(tn_lex_init(&r->frames[0].lex, file, copy, size, &d));
    r->frames[0].bytes = copy;
    r->depth = 1;
    while (r->depth != 0) {
        struct frame *f = &r->frames[r->depth - 1];
        if (!tn_lex_line(&f->lex))
            pop_file(r);
        else if (!f->lex.bad)
            parse_line(r, f);
    }
    if (d.errors == 0) {
        struct tn_conf *conf = choose_service(&r->p, service);
        REQUIRE(conf != NULL);
        check_conf(conf, size);
        tn_conf_free(conf);
    }
    REQUIRE((d.errors != 0) == (d.first.code == TENUO_E_CONF));
    free_parsed(&r->p);
    free(r);
    return d.errors;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TN_MAX_CONF_BYTES)
        return 0;
    unsigned errors = read_once(data, size, "");
    REQUIRE(read_once(data, size, "web") == errors);
    return 0;
}
