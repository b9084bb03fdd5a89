/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Negotiation and sanity of a plugin's descriptor: magic, ABI, sizes, name, schemas, the calls that a kind cannot do
 * without. Reads a member only where it lies within the size that the plugin gives; calls nothing.
 */
#include "plugin_check.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "limits.h"
#include "str.h"

/* Where ABI 1.0 ends; members that a later minor appends come after. */
#define V1_0_SIZE (offsetof(struct tenuo_plugin_v1, matcher) + sizeof(const struct tenuo_matcher_ops *))

/* A decision is pure: it waits for no lock of ours and opens nothing again. */
#define MATCHER_FLAGS (TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE)

struct check {
    const char *who;
    struct tenuo_error *err;
};

/* Both sides' numbers, so that it is plain which one to change. */
static int wrong_major(const struct check *c, const struct tenuo_plugin_v1 *raw)
{
    char ours[32];
    unsigned minor = TENUO_PLUGIN_ABI_MINOR;
    if (minor == 0)
        snprintf(ours, sizeof ours, "%u.0", TENUO_PLUGIN_ABI_MAJOR);
    else
        snprintf(ours, sizeof ours, "%u.0-%u.%u", TENUO_PLUGIN_ABI_MAJOR, TENUO_PLUGIN_ABI_MAJOR, minor);
    return tn_fail(c->err, TENUO_E_PLUGIN_ABI,
                   "plugin '%s' speaks ABI %u.%u, this libtenuo speaks %s: install a plugin built for %u.x", c->who,
                   raw->abi_major, raw->abi_minor, ours, TENUO_PLUGIN_ABI_MAJOR);
}

static int check_abi(const struct check *c, const struct tenuo_plugin_v1 *raw, size_t limit)
{
    if (limit < V1_0_SIZE || raw->magic != TENUO_PLUGIN_MAGIC)
        return tn_fail(c->err, TENUO_E_PLUGIN_ABI,
                       "plugin '%s' has no valid descriptor (wrong magic number or too short)", c->who);
    if (raw->abi_major != TENUO_PLUGIN_ABI_MAJOR)
        return wrong_major(c, raw);
    if (raw->size < V1_0_SIZE || raw->size > limit)
        return tn_fail(c->err, TENUO_E_PLUGIN_ABI,
                       "plugin '%s' (ABI %u.%u) says that its descriptor has %u bytes, where ABI %u.0 has %zu and the "
                       "object %zu: rebuild it",
                       c->who, raw->abi_major, raw->abi_minor, raw->size, TENUO_PLUGIN_ABI_MAJOR, V1_0_SIZE, limit);
    return TENUO_OK;
}

static bool is_name(const char *s, bool letter_first)
{
    size_t i = 0;
    for (; (s[i] >= 'a' && s[i] <= 'z') || (!(letter_first && i == 0) && (tn_is_digit((uint8_t)s[i]) || s[i] == '_'));
         i++)
        if (i == 64)
            return false;
    return i != 0 && s[i] == '\0';
}

/* What resolver lines have of the core is refused in every schema. */
static bool is_core_name(enum tn_facility facility, const char *s)
{
    return tn_conf_is_core_arg(TN_F_RESOLVER, s) || tn_conf_is_core_arg(facility, s);
}

static bool repeats(const struct tenuo_arg_spec *schema, size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(schema[i].name, schema[row].name) == 0)
            return true;
    return false;
}

static int check_schema(const struct check *c, enum tn_facility facility, const struct tenuo_arg_spec *schema)
{
    for (size_t i = 0; schema != NULL && schema[i].name != NULL; i++) {
        if (i == TN_MAX_RULE_ARGS)
            return tn_fail(c->err, TENUO_E_PLUGIN_PROTOCOL,
                           "plugin '%s': its argument schema has more than %d rows, or no end", c->who,
                           TN_MAX_RULE_ARGS);
        if (!is_name(schema[i].name, true) || repeats(schema, i))
            return tn_fail(c->err, TENUO_E_PLUGIN_PROTOCOL,
                           "plugin '%s': row %zu of its argument schema has a bad or repeated name", c->who, i);
        if (is_core_name(facility, schema[i].name))
            return tn_fail(c->err, TENUO_E_PLUGIN_PROTOCOL,
                           "plugin '%s': its argument schema names '%s', which is the core's own", c->who,
                           schema[i].name);
        if (schema[i].type < TENUO_ARG_STRING || schema[i].type > TENUO_ARG_URL)
            return tn_fail(c->err, TENUO_E_PLUGIN_PROTOCOL,
                           "plugin '%s': argument '%s' has type %d, which ABI %u.%u does not know", c->who,
                           schema[i].name, schema[i].type, TENUO_PLUGIN_ABI_MAJOR, TENUO_PLUGIN_ABI_MINOR);
    }
    return TENUO_OK;
}

static int missing(const struct check *c, enum tn_facility facility, const char *what)
{
    return tn_fail(c->err, TENUO_E_PLUGIN_PROTOCOL, "plugin '%s': its %s lacks %s", c->who, tn_facility_names[facility],
                   what);
}

/* Copies what lies within both sizes. Every member after `size` has a pointer's size: a half one is not copied. */
static void copy_ops(void *to, const void *from, size_t size)
{
    uint32_t given;
    memcpy(&given, from, sizeof given);
    size_t n = given < size ? given : size;
    memcpy(to, from, n - n % sizeof(void *));
}

static const char *lacks_resolver(const struct tenuo_resolver_ops *o)
{
    if (o->open == NULL || o->close == NULL)
        return "open or close";
    if (o->sign == NULL && o->export_seed == NULL)
        return "both sign and export_seed: one is needed";
    return o->sign != NULL && o->public_key == NULL ? "public_key, which sign needs" : NULL;
}

static const char *lacks_matcher(const struct tenuo_matcher_ops *o)
{
    if (o->open == NULL || o->close == NULL)
        return "open or close";
    if (o->types == NULL || o->types[0] == 0)
        return "types";
    return o->compile == NULL || o->release == NULL || o->match == NULL || o->attenuates == NULL
               ? "one of compile, release, match, attenuates"
               : NULL;
}

/* What a kind cannot do without, or NULL when all is there. */
static const char *lacks(const struct tn_ops *o, enum tn_facility facility)
{
    switch (facility) {
    case TN_F_TRUST:
        return o->trust.open == NULL || o->trust.close == NULL || o->trust.roots == NULL ? "one of open, close, roots"
                                                                                         : NULL;
    case TN_F_RESOLVER:
        return lacks_resolver(&o->resolver);
    case TN_F_MATCHER:
        return lacks_matcher(&o->matcher);
    case TN_F_REVOCATION:
        return o->revocation.open == NULL || o->revocation.close == NULL || o->revocation.fetch == NULL ||
                       o->revocation.release == NULL
                   ? "one of open, close, fetch, release"
                   : NULL;
    case TN_F_REPLAY:
        return o->replay.open == NULL || o->replay.close == NULL || o->replay.check_and_set == NULL
                   ? "one of open, close, check_and_set"
                   : NULL;
    case TN_F_AUDIT:
        return o->audit.open == NULL || o->audit.close == NULL ||
                       (o->audit.decision == NULL && o->audit.receipt == NULL)
                   ? "one of open, close, decision"
                   : NULL;
    case TN_F_COUNT:
        break;
    }
    return NULL;
}

/* Takes one kind into ops: copy, required calls, schema (`common` is the descriptor's). */
static int take_kind(const struct check *c, enum tn_facility facility, const void *from, void *to, size_t size,
                     struct tn_ops *ops, const struct tenuo_arg_spec *common)
{
    if (from == NULL)
        return TENUO_OK;
    copy_ops(to, from, size);
    const char *what = lacks(ops, facility);
    if (what != NULL)
        return missing(c, facility, what);
    const struct tenuo_arg_spec *schema;
    memcpy(&schema, (const char *)to + offsetof(struct tenuo_trust_ops, args),
           sizeof schema); /* the same place in every kind */
    return check_schema(c, facility, schema != NULL ? schema : common);
}

static int take_kinds(const struct check *c, struct tenuo_plugin_v1 *desc, struct tn_ops *ops)
{
    const struct {
        enum tn_facility facility;
        const void *from;
        void *to;
        size_t size;
    } kinds[] = {
        { TN_F_RESOLVER, desc->resolver, &ops->resolver, sizeof ops->resolver },
        { TN_F_TRUST, desc->trust, &ops->trust, sizeof ops->trust },
        { TN_F_AUDIT, desc->audit, &ops->audit, sizeof ops->audit },
        { TN_F_REVOCATION, desc->revocation, &ops->revocation, sizeof ops->revocation },
        { TN_F_REPLAY, desc->replay, &ops->replay, sizeof ops->replay },
        { TN_F_MATCHER, desc->matcher, &ops->matcher, sizeof ops->matcher },
    };
    bool any = false;
    for (size_t i = 0; i < TN_ARRAY_LEN(kinds); i++) {
        int r = take_kind(c, kinds[i].facility, kinds[i].from, kinds[i].to, kinds[i].size, ops,
                          desc->args);
        if (r != TENUO_OK)
            return r;
        any = any || kinds[i].from != NULL;
    }
    return any ? TENUO_OK
               : tn_fail(c->err, TENUO_E_PLUGIN_PROTOCOL,
                         "plugin '%s' offers nothing: no resolver, no audit, no other kind", c->who);
}

/* The private descriptor shows the private copies. */
static void point_to_copies(struct tenuo_plugin_v1 *desc, const struct tn_ops *ops)
{
    desc->resolver = desc->resolver != NULL ? &ops->resolver : NULL;
    desc->trust = desc->trust != NULL ? &ops->trust : NULL;
    desc->audit = desc->audit != NULL ? &ops->audit : NULL;
    desc->revocation = desc->revocation != NULL ? &ops->revocation : NULL;
    desc->replay = desc->replay != NULL ? &ops->replay : NULL;
    desc->matcher = desc->matcher != NULL ? &ops->matcher : NULL;
}

int tn_plugin_check(const struct tenuo_plugin_v1 *raw, size_t limit, const char *who, struct tenuo_plugin_v1 *ret_desc,
                    struct tn_ops *ret_ops, struct tenuo_error *err)
{
    const struct check c = { who, err };
    struct tenuo_plugin_v1 desc = { 0 };
    int r = check_abi(&c, raw, limit);
    if (r != TENUO_OK)
        return r;
    memcpy(&desc, raw, raw->size < sizeof desc ? raw->size : sizeof desc);
    if (desc.name == NULL || !is_name(desc.name, false))
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "plugin '%s' has no valid name (a-z, 0-9 and '_')", who);
    if (desc.matcher != NULL && (desc.flags & MATCHER_FLAGS) != MATCHER_FLAGS)
        return tn_fail(err, TENUO_E_PLUGIN_ABI,
                       "plugin '%s' is a matcher and not flagged THREAD_SAFE and FORK_SAFE: a decision calls it from "
                       "any thread and process",
                       who);
    r = check_schema(&c, TN_F_RESOLVER, desc.args);
    if (r == TENUO_OK)
        r = take_kinds(&c, &desc, ret_ops);
    if (r != TENUO_OK)
        return r;
    point_to_copies(&desc, ret_ops);
    desc.version = desc.version != NULL ? desc.version : "";
    desc.summary = desc.summary != NULL ? desc.summary : "";
    *ret_desc = desc;
    return TENUO_OK;
}
