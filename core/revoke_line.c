/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One revocation line: fetch, verify, compare with the floor, remember. A list that is refused changes nothing; the
 * last good one stays in force until it is too old. Failures are met less and less often, and each step is logged once.
 */
#include "revoke.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tenuo/key.h>

#include "err.h"
#include "limits.h"
#include "revoke_floor.h"
#include "srl.h"
#include "str.h"
#include "trust.h"

#define LATE_REFRESH "refresh is not shorter than max_age: between two looks the list would be too old"

static int64_t wall_clock(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec;
}

static const char *text_arg(const struct tn_rule *rule, const char *key, const char *missing)
{
    const struct tn_conf_arg *arg = tn_rule_arg(rule, key);
    return arg != NULL && arg->value != NULL ? arg->value : missing;
}

/* A key as text, or the file that holds one. */
static int read_issuer(const char *text, uint8_t ret_key[32], struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    uint8_t *data = NULL;
    size_t n = strlen(text);
    if (text[0] != '/')
        return tenuo_public_key_parse(text, n, ret_key, err);
    int r = tn_trust_read(text, TN_MAX_KEY_FILE, TENUO_E_CONF, &data, &n, &why);
    if (r != TENUO_OK)
        return tn_fail(err, TENUO_E_CONF, "issuer: %.240s", why.msg);
    while (n > 0 && (data[n - 1] == '\n' || data[n - 1] == '\r'))
        n--;
    if (tenuo_public_key_parse((const char *)data, n, ret_key, NULL) != TENUO_OK)
        r = tn_fail(err, TENUO_E_CONF, "issuer: %.180s: holds no usable Ed25519 public key", text);
    free(data);
    return r;
}

int tn_revoke_line_init(struct tn_revoke_line *line, struct tn_instance *instance, enum tn_control control,
                        struct tenuo_error *err)
{
    const struct tn_rule *rule = instance->rule;
    const char *issuer = text_arg(rule, "issuer", NULL), *slash = strrchr(rule->place.file, '/');
    struct tenuo_error why = { 0 };
    *line = (struct tn_revoke_line){ .instance = instance, .control = control, .has_issuer = issuer != NULL };
    line->refresh_ms = tn_instance_duration(instance, "refresh", TN_REVOKE_REFRESH_MS);
    line->max_age = tn_instance_duration(instance, "max_age", TN_REVOKE_MAX_AGE * 1000) / 1000;
    line->floor = text_arg(rule, "floor", TN_FLOOR_DEFAULT);
    snprintf(line->name, sizeof line->name, "%.30s:%u %.16s", slash != NULL ? slash + 1 : rule->place.file,
             rule->place.line, instance->plugin->desc.name);
    if (line->refresh_ms >= line->max_age * 1000)
        return tn_fail(err, TENUO_E_CONF, "%s: " LATE_REFRESH, instance->origin);
    if (issuer == NULL || read_issuer(issuer, line->issuer, &why) == TENUO_OK)
        return TENUO_OK;
    return tn_fail(err, TENUO_E_CONF, "%s: %.200s", instance->origin, why.msg);
}

void tn_revoke_line_clear(struct tn_revoke_line *line)
{
    tenuo_srl_unref(line->list);
    tenuo_srl_unref(line->used);
    *line = (struct tn_revoke_line){ 0 };
}

bool tn_revoke_line_fresh(const struct tn_revoke_line *line, int64_t now)
{
    return line->list != NULL && now <= line->fresh_until;
}

/* The keys that may sign the line's list at this time: the one that the line names, else every root that is trusted
 * now. *ret_keys is malloc'ed. */
static bool issuers_now(const struct tn_revoke_line *line, const struct tn_policy *policy, int64_t now,
                        uint8_t **ret_keys, size_t *ret_count)
{
    uint64_t when = now < 0 ? 0 : (uint64_t)now;
    size_t n = 0;
    uint8_t *keys = malloc(32 * (policy->nroots + 1));
    if (keys == NULL)
        return false;
    if (line->has_issuer)
        memcpy(keys + 32 * n++, line->issuer, 32);
    for (size_t i = 0; i < policy->nroots && !line->has_issuer; i++)
        if (policy->roots[i].not_before <= when && when < policy->roots[i].not_after)
            memcpy(keys + 32 * n++, policy->roots[i].key, 32);
    *ret_keys = keys;
    *ret_count = n;
    return true;
}

/* The rules of 10.3 at this time but for the floor, which *ret_next is to pass; NULL: the content is not looked at. */
static int judge_list(const struct tn_revoke_line *line, const struct tn_revoke_env *env, const struct tenuo_srl *list,
                      int64_t fetched_at, struct tenuo_srl_floor *ret_next, int64_t *ret_fresh_until,
                      struct tenuo_error *err)
{
    struct tenuo_srl_rules rules = { .size = sizeof rules,
                                     .clock_tolerance = env->set->clock_tolerance,
                                     .max_age = line->max_age,
                                     .max_issued_age = env->set->revocation_max_age };
    uint8_t *keys = NULL;
    int64_t now = wall_clock();
    if (!issuers_now(line, env->policy, now, &keys, &rules.issuer_count))
        return tn_fail_code(err, TENUO_E_NOMEM);
    rules.issuers = keys;
    int r = tenuo_srl_accept(list, &rules, NULL, fetched_at, now, ret_next, ret_fresh_until, err);
    free(keys);
    return r;
}

/* The store has what we have. Another process may have seen a newer list meanwhile: then this is no confirmation. */
static int confirm(struct tn_revoke_line *line, const struct tn_revoke_env *env, int64_t fetched_at,
                   struct tenuo_error *err)
{
    uint64_t floor = 0;
    int64_t fresh_until = 0;
    int r = tn_floor_version(line->floor, tenuo_srl_issuer(line->list), &floor, err);
    if (r == TENUO_OK && floor > tenuo_srl_version(line->list))
        r = tn_fail(err, TENUO_E_SRL_ROLLBACK, "the list is still version %llu where version %llu was seen",
                    (unsigned long long)tenuo_srl_version(line->list), (unsigned long long)floor);
    if (r == TENUO_OK)
        r = judge_list(line, env, line->list, fetched_at, NULL, &fresh_until, err);
    if (r != TENUO_OK)
        return r;
    line->fetched_at = fetched_at;
    line->fresh_until = fresh_until;
    return TENUO_OK;
}

struct dropped {
    char text[TN_REVOKE_SHOWN_IDS * 44];
    size_t len, shown;
};

static int note_dropped(void *arg, int added, const char *id, size_t len)
{
    struct dropped *d = arg;
    char quoted[44];
    if (added || d->shown == TN_REVOKE_SHOWN_IDS)
        return 0;
    tn_quote(quoted, sizeof quoted, id, len);
    d->len += (size_t)snprintf(d->text + d->len, sizeof d->text - d->len, "%s%s", d->shown++ == 0 ? "" : " ", quoted);
    return 0;
}

static void log_change(const struct tn_revoke_line *line, const struct tn_revoke_env *env, const struct tenuo_srl *list)
{
    struct dropped d = { .len = 0 };
    size_t added = 0, dropped = 0;
    tn_log(env->log, TENUO_LOG_INFO, "%s: revocation list version %llu with %zu ids is in force",
           line->instance->origin, (unsigned long long)tenuo_srl_version(list), tenuo_srl_count(list));
    if (line->list == NULL)
        return;
    (void)tenuo_srl_diff(line->list, list, note_dropped, &d, &added, &dropped);
    if (dropped != 0)
        tn_log(env->log, TENUO_LOG_WARNING,
               "%s: version %llu of the list leaves out %zu ids of version %llu, which %s: %s%s",
               line->instance->origin, (unsigned long long)tenuo_srl_version(list), dropped,
               (unsigned long long)tenuo_srl_version(line->list),
               env->set->revocation_union ? "stay revoked here (revocation_union)" : "are valid again", d.text,
               dropped > d.shown ? " ..." : "");
}

static int is_dropped(void *arg, int added, const char *id, size_t len)
{
    (void)arg, (void)id, (void)len;
    return !added;
}

/* With the ids that were revoked before, if the setting says so. A list that has them all is no second copy. */
static int unite(const struct tn_revoke_line *line, const struct tn_revoke_env *env, struct tenuo_srl *list,
                 struct tenuo_srl **ret_used, struct tenuo_error *err)
{
    struct tenuo_srl *used = NULL;
    int r = TENUO_OK;
    if (line->used == NULL || !env->set->revocation_union ||
        tenuo_srl_diff(line->used, list, is_dropped, NULL, NULL, NULL) == 0) {
        *ret_used = tenuo_srl_ref(list);
        return TENUO_OK;
    }
    r = tenuo_srl_union(list, line->used, &used, err);
    if (r == TENUO_OK && tenuo_srl_count(used) > TENUO_SRL_MAX_IDS) {
        tenuo_srl_unref(used);
        return tn_fail(err, TENUO_E_SRL_INVALID,
                       "more than %u revoked ids in all lists so far: restart the program, or set revocation_union no",
                       TENUO_SRL_MAX_IDS);
    }
    if (r == TENUO_OK)
        *ret_used = used;
    return r;
}

/* Same key, older version: refused also where the file of the floor was lost. */
static int check_against_ours(const struct tn_revoke_line *line, const struct tenuo_srl *list, struct tenuo_error *err)
{
    if (line->list == NULL || memcmp(tenuo_srl_issuer(line->list), tenuo_srl_issuer(list), 32) != 0)
        return TENUO_OK;
    return tenuo_srl_compare(line->list, list, err);
}

/*
 * The floor is raised before the list is used: what was in force once can never be followed by something older. The
 * lock is held for a moment only: the hash of the content, which takes long, is made before.
 */
static int pass_floor(const struct tn_revoke_line *line, const struct tenuo_srl_floor *next, struct tenuo_error *err)
{
    struct tn_floor floor;
    int r = tn_floor_open(line->floor, &floor, err);
    if (r != TENUO_OK)
        return r;
    const struct tenuo_srl_floor *now = tn_floor_find(&floor, next->issuer);
    if (now != NULL)
        r = tn_srl_check_floor(next, now, err);
    if (r == TENUO_OK && (now == NULL || memcmp(now, next, sizeof *next) != 0))
        r = tn_floor_store(&floor, next, err);
    tn_floor_close(&floor);
    return r;
}

static int accept(struct tn_revoke_line *line, const struct tn_revoke_env *env, struct tenuo_srl *list,
                  int64_t fetched_at, struct tenuo_error *err)
{
    struct tenuo_srl *used = NULL, *old_list = line->list, *old_used = line->used;
    struct tenuo_srl_floor next;
    int64_t fresh_until = 0;
    int r = check_against_ours(line, list, err);
    if (r == TENUO_OK) /* everything that can fail goes before the floor is raised */
        r = unite(line, env, list, &used, err);
    if (r == TENUO_OK)
        r = judge_list(line, env, list, fetched_at, &next, &fresh_until, err);
    if (r == TENUO_OK)
        r = pass_floor(line, &next, err);
    if (r != TENUO_OK) {
        tenuo_srl_unref(used);
        return r;
    }
    if (old_list == NULL || memcmp(tenuo_srl_sha256(old_list), tenuo_srl_sha256(list), 32) != 0) {
        line->has_news = old_list != NULL;
        log_change(line, env, list);
    }
    line->list = tenuo_srl_ref(list);
    line->used = used;
    line->fetched_at = fetched_at;
    line->fresh_until = fresh_until;
    line->handed = true;
    tenuo_srl_unref(old_list);
    tenuo_srl_unref(old_used);
    return TENUO_OK;
}

/* The plugin's own failures say already whose they are. */
static int fetch(struct tn_revoke_line *line, const struct tn_revoke_env *env, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    struct tenuo_srl *list = NULL;
    const uint8_t *bytes = NULL;
    size_t len = 0;
    int64_t fetched_at = 0;
    int r = tn_revocation_fetch(line->instance, &line->handed, &bytes, &len, &fetched_at, err);
    if (r != TENUO_OK)
        return r;
    if (bytes == NULL) {
        r = confirm(line, env, fetched_at, &why);
    } else {
        r = tenuo_srl_parse(bytes, len, line->has_issuer ? line->issuer : NULL, &list, &why);
        tn_revocation_release(line->instance, bytes, len);
        if (r == TENUO_OK)
            r = accept(line, env, list, fetched_at, &why);
        tenuo_srl_unref(list);
    }
    return r == TENUO_OK ? r : tn_fail(err, r, "%s: %.220s", line->instance->origin, why.msg);
}

/* Doubled with each failure, and never the same for two programs that lost one server together. */
static uint64_t retry_after(const struct tn_revoke_line *line)
{
    uint64_t most = line->refresh_ms > TN_REVOKE_RETRY_MAX_MS ? line->refresh_ms : TN_REVOKE_RETRY_MAX_MS;
    uint64_t step = TN_REVOKE_RETRY_MS;
    for (unsigned i = 1; i < line->failures && step < most; i++)
        step *= 2;
    if (step > most)
        step = most;
    return step - randombytes_uniform((uint32_t)(step / 4));
}

/* Each step while they grow, then now and then, and always when it is another failure. */
static bool worth_a_line(const struct tn_revoke_line *line, const struct tenuo_error *err)
{
    return line->failures <= 8 || line->failures % 64 == 0 || line->why.code != err->code;
}

static void failed(struct tn_revoke_line *line, const struct tn_revoke_env *env, const struct tenuo_error *err)
{
    line->failures++;
    uint64_t wait = retry_after(line);
    int64_t now = wall_clock();
    bool fresh = tn_revoke_line_fresh(line, now);
    line->next_ms = tn_clock_ms() + wait;
    if (worth_a_line(line, err)) {
        if (fresh)
            tn_log(env->log, TENUO_LOG_WARNING, "%s; version %llu stays in force for %lld s; asked again in %llu ms",
                   err->msg, (unsigned long long)tenuo_srl_version(line->list), (long long)(line->fresh_until - now),
                   (unsigned long long)wait);
        else
            tn_log(env->log, TENUO_LOG_ERR, "%s; there is no revocation list that may be used; asked again in %llu ms",
                   err->msg, (unsigned long long)wait);
    }
    line->why = *err;
}

/* A list that runs out before the next look is looked at in time. */
static void succeeded(struct tn_revoke_line *line, const struct tn_revoke_env *env)
{
    if (line->failures != 0)
        tn_log(env->log, TENUO_LOG_INFO, "%s: the revocation list is there again, after %u failures",
               line->instance->origin, line->failures);
    line->failures = 0;
    line->why = (struct tenuo_error){ 0 };
    line->next_ms = tn_clock_ms() + line->refresh_ms;
}

void tn_revoke_line_refresh(struct tn_revoke_line *line, const struct tn_revoke_env *env)
{
    struct tenuo_error err = { 0 };
    int r = fetch(line, env, &err);
    err.code = r;
    if (r == TENUO_OK)
        succeeded(line, env);
    else
        failed(line, env, &err);
}

void tn_revoke_line_inherit(struct tn_revoke_line *line, const struct tn_revoke_line *old,
                            const struct tn_revoke_env *env)
{
    int64_t fresh_until = 0;
    if (old->list == NULL || judge_list(line, env, old->list, old->fetched_at, NULL, &fresh_until, NULL) != TENUO_OK)
        return;
    line->list = tenuo_srl_ref(old->list);
    line->used = tenuo_srl_ref(env->set->revocation_union ? old->used : old->list);
    line->fetched_at = old->fetched_at;
    line->fresh_until = fresh_until;
}

void tn_revoke_check_rule(const struct tn_rule *rule, struct tn_diag *d)
{
    const char *issuer = text_arg(rule, "issuer", NULL), *floor = text_arg(rule, "floor", TN_FLOOR_DEFAULT);
    uint64_t refresh = TN_REVOKE_REFRESH_MS, max_age = TN_REVOKE_MAX_AGE * 1000;
    struct tenuo_error why = { 0 };
    uint8_t key[32];
    (void)tn_duration_ms(text_arg(rule, "refresh", ""), &refresh);
    (void)tn_duration_ms(text_arg(rule, "max_age", ""), &max_age);
    if (refresh >= max_age)
        tn_diag_error(d, &rule->place, LATE_REFRESH);
    if (issuer != NULL && read_issuer(issuer, key, &why) != TENUO_OK)
        tn_diag_error(d, &tn_rule_arg(rule, "issuer")->value_place, "%s", why.msg);
    if (tn_floor_check(floor, &why) != TENUO_OK)
        tn_diag_warning(d, &rule->place, "no list can be accepted by this user: %s", why.msg);
}
