/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names an old key, so that people know what to make again: warrants from files, and the configuration of this
 * service. Looks and tells; changes nothing, and says nothing about trust.
 */
#include "key.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void add(json_t *found, const char *kind, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void add(json_t *found, const char *kind, const char *where, const char *fmt, ...)
{
    char text[256];
    json_t *entry = json_object();
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!entry)
        cli_no_memory();
    cli_set(entry, "kind", json_string(kind));
    cli_set(entry, "where", cli_text(where, strlen(where)));
    cli_set(entry, "text", cli_text(text, strlen(text)));
    cli_append(found, entry);
}

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, TENUO_PUBLIC_KEY_BYTES) == 0;
}

static void names_in_warrant(const char *file, const struct tenuo_stack *stack, size_t index, const uint8_t *old,
                             json_t *found)
{
    const struct tenuo_warrant *w = tenuo_stack_warrant(stack, index);
    char id[TENUO_WARRANT_ID_TEXT_BYTES], *where = NULL;
    tenuo_warrant_id_text(tenuo_warrant_id(w), id);
    if (asprintf(&where, "%s, warrant %zu of %zu (%s)", file, index + 1, tenuo_stack_length(stack), id) < 0)
        cli_no_memory();
    if (same(tenuo_warrant_holder(w), old))
        add(found, "holder", where, "the old key is its holder: make it again with --holder and the new key");
    if (same(tenuo_warrant_issuer(w), old))
        add(found, "signer", where,
            index ? "the old key signed it: attenuate or issue it again with the new key, from a parent that names it"
                  : "the old key signed it as root: mint it again with the new key, once verifiers trust that");
    for (size_t i = 0; i < tenuo_warrant_approver_count(w); i++)
        if (same(tenuo_warrant_approver(w, i), old))
            add(found, "approver", where, "the old key is one of its approvers: make it again with --approver");
    free(where);
}

int key_names_in_warrants(const struct cli_words *files, const struct key_old *old, json_t *found, size_t *ret_expired,
                          struct tenuo_error *err)
{
    uint64_t now = (uint64_t)time(NULL);
    size_t expired = 0;
    for (size_t i = 0; i < files->n; i++) {
        struct tenuo_stack *stack = NULL;
        struct tenuo_error why = { 0 };
        int code = cli_read_stack(files->v[i], &stack, &why);
        if (code)
            return strncmp(why.msg, files->v[i], strlen(files->v[i])) == 0
                       ? cli_set_error(err, code, "%s", why.msg)
                       : cli_set_error(err, code, "%.128s: %s", files->v[i], why.msg);
        if (tenuo_warrant_expires_at(tenuo_stack_leaf(stack)) <= now) /* nobody misses it */
            expired++;
        for (size_t k = 0; k < tenuo_stack_length(stack); k++)
            if (tenuo_warrant_expires_at(tenuo_stack_leaf(stack)) > now)
                names_in_warrant(files->v[i], stack, k, old->key, found);
        tenuo_stack_free(stack);
    }
    *ret_expired = expired;
    return TENUO_OK;
}

struct scan {
    const struct key_old *old;
    json_t *found;
    char *trust; /* the places of the trust lines */
};

/* "FILE:LINE", as the line ends with it. */
static const char *place_of(const char *line)
{
    const char *place = strstr(line, "  # ");
    for (const char *next = place; next; next = strstr(next + 1, "  # "))
        place = next;
    return place ? place + 4 : "";
}

static void scan_issuer(const struct scan *s, const char *word, const char *line)
{
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    struct tenuo_error err;
    if (strncmp(word, "issuer=", 7) == 0 && cli_public_key("issuer", word + 7, key, &err) == TENUO_OK &&
        same(key, s->old->key))
        add(s->found, "revocation-issuer", place_of(line),
            "issuer= is the old key: change it when the new key has signed the list (tenuo srl add --issuer)");
}

static void scan_setting(const struct scan *s, const char *name, const char *value, const char *line)
{
    size_t n = strcspn(value, "@");
    if (strcmp(name, "receipt_key") != 0 || strlen(s->old->id) != n || strncmp(value, s->old->id, n) != 0 ||
        (value[n] == '\0' && !s->old->newest))
        return;
    if (value[n] == '\0')
        add(s->found, "receipt-key", place_of(line),
            "receipts are signed by the new key from now on: give it to who checks them (tenuo receipt --signer)");
    else
        add(s->found, "receipt-key", place_of(line), "it names a version of this id, and stays with that");
}

static void scan_trust(struct scan *s, const char *line)
{
    char *longer = NULL;
    if (asprintf(&longer, "%s%s%s", s->trust ? s->trust : "", s->trust ? ", " : "", place_of(line)) < 0)
        cli_no_memory();
    free(s->trust);
    s->trust = longer;
}

static void scan_line(void *arg, const char *line)
{
    struct scan *s = arg;
    const char *rest = line;
    char *first = cli_next_word(&rest), *second = first ? cli_next_word(&rest) : NULL,
         *third = second ? cli_next_word(&rest) : NULL;
    if (third && strcmp(first, "set") == 0)
        scan_setting(s, second, third, line);
    if (third && strcmp(first, "trust") == 0)
        scan_trust(s, line);
    if (third && strcmp(first, "revocation") == 0)
        for (char *word; (word = cli_next_word(&rest)); free(word))
            scan_issuer(s, word, line);
    free(first);
    free(second);
    free(third);
}

/* The roots, for which the whole service is opened; where that fails, nobody can say whether the old key is one. */
static void names_in_roots(struct cli *cli, const struct key_old *old, json_t *found, const char *trust)
{
    struct tenuo_open_options options;
    struct tenuo_error err = { 0 };
    struct tenuo_ctx *ctx = NULL;
    cli_open_options(cli, &options);
    options.diag = NULL;
    options.log = NULL;
    options.keys_only = 0;
    if (tenuo_open(cli->service ? cli->service : "", &options, &ctx, &err)) {
        cli_warn(cli, "whether the old key is a trusted root is not known: %s", err.msg);
        return;
    }
    for (size_t i = 0; i < tenuo_ctx_root_count(ctx); i++)
        if (same(tenuo_ctx_root(ctx, i), old->key))
            add(found, "root", trust,
                "the old key is a trusted root: add the new one, and take the old one out when nothing is under it");
    tenuo_ctx_unref(ctx);
}

int key_names_in_conf(struct cli *cli, const struct key_old *old, json_t *found, struct tenuo_error *err)
{
    struct tenuo_open_options options;
    struct scan s = { .old = old, .found = found };
    cli_open_options(cli, &options);
    options.diag = NULL; /* said when it was opened */
    int code = tenuo_conf_show(cli->service ? cli->service : "", &options, scan_line, &s, err);
    if (!code)
        names_in_roots(cli, old, found, s.trust ? s.trust : "trust");
    free(s.trust);
    return code;
}
