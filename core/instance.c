/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One opened line: open, close, and the one path by which anything of a plugin is called. Holds no lock but the
 * instance's own while a plugin runs. A code that the call may not answer, or an answer after the deadline, is a
 * failure here and never reaches a chain as a success.
 */
#include "instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "str.h"

struct life {
    int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
    void (*close)(void *self);
    int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
};

static struct life life_of(const struct tn_instance *i)
{
    const struct tenuo_resolver_ops *resolver = i->ops;
    const struct tenuo_trust_ops *trust = i->ops;
    const struct tenuo_audit_ops *audit = i->ops;
    const struct tenuo_revocation_ops *revocation = i->ops;
    const struct tenuo_replay_ops *replay = i->ops;
    const struct tenuo_matcher_ops *matcher = i->ops;
    switch (i->facility) {
    case TN_F_RESOLVER:
        return (struct life){ resolver->open, resolver->close, resolver->check };
    case TN_F_TRUST:
        return (struct life){ trust->open, trust->close, trust->check };
    case TN_F_AUDIT:
        return (struct life){ audit->open, audit->close, audit->check };
    case TN_F_REVOCATION:
        return (struct life){ revocation->open, revocation->close, revocation->check };
    case TN_F_REPLAY:
        return (struct life){ replay->open, replay->close, replay->check };
    case TN_F_MATCHER:
        return (struct life){ matcher->open, matcher->close, matcher->check };
    case TN_F_COUNT:
        break;
    }
    return (struct life){ NULL, NULL, NULL };
}

/* The last two parts of a long path say enough, and leave room for the sentence. */
static const char *short_file(const char *file)
{
    size_t n = strlen(file);
    return n > 100 ? file + n - 100 : file;
}

static bool flag_arg(const struct tn_rule *rule, const char *key)
{
    const struct tn_conf_arg *arg = tn_rule_arg(rule, key);
    return arg != NULL && (arg->value == NULL || strcmp(arg->value, "yes") == 0);
}

uint64_t tn_instance_duration(const struct tn_instance *i, const char *key, uint64_t missing)
{
    const struct tn_conf_arg *arg = tn_rule_arg(i->rule, key);
    uint64_t ms;
    if (arg == NULL || arg->value == NULL)
        return missing;
    if (strcmp(arg->value, "off") == 0)
        return 0;
    return tn_duration_ms(arg->value, &ms) ? ms : missing;
}

const char *tn_instance_name(const struct tn_instance *i)
{
    const struct tn_conf_arg *arg = tn_rule_arg(i->rule, "name");
    return arg != NULL && arg->value != NULL ? arg->value : i->plugin->desc.name;
}

static struct tn_opened *new_opened(const struct tn_instance *i)
{
    struct tn_opened *o = calloc(1, sizeof *o);
    if (o == NULL || !tn_lock_init(&o->lock)) {
        free(o);
        return NULL;
    }
    atomic_init(&o->refs, 1);
    atomic_init(&o->generation, tn_forkgen());
    if (i->log != NULL)
        o->log = *i->log;
    o->deadline_ms = i->deadline_ms;
    memcpy(o->origin, i->origin, sizeof o->origin);
    o->close = life_of(i).close;
    tn_host_init(&o->host, o);
    return o;
}

/* The place of the line and whose it is: the name that the administrator gave it, and the module. */
static void set_origin(struct tn_instance *i)
{
    const struct tn_conf_arg *name = tn_rule_arg(i->rule, "name");
    const char *file = short_file(i->rule->place.file), *module = i->plugin->desc.name;
    if (i->rule->place.line != 0)
        snprintf(i->place, sizeof i->place, "%s:%u", file, i->rule->place.line);
    else
        snprintf(i->place, sizeof i->place, "%s", file);
    if (name != NULL && name->value != NULL && strcmp(name->value, module) != 0)
        snprintf(i->origin, sizeof i->origin, "%s: %.64s (%.38s)", i->place, name->value, module);
    else
        snprintf(i->origin, sizeof i->origin, "%s: %.38s", i->place, module);
}

int tn_instance_new(const struct tn_rule *rule, const struct tn_plugin *plugin, struct tenuo_arg *args, size_t nargs,
                    uint32_t deadline_ms, const struct tn_log *log, struct tn_instance **ret, struct tenuo_error *err)
{
    struct tn_instance *i = calloc(1, sizeof *i);
    if (i == NULL) {
        free(args);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    i->facility = rule->facility;
    i->rule = rule;
    i->plugin = plugin;
    i->ops = tn_plugin_ops(plugin, rule->facility);
    i->args = args;
    i->nargs = nargs;
    i->log = log;
    i->trace = flag_arg(rule, "trace");
    i->deadline_ms = (uint32_t)tn_instance_duration(i, "timeout", deadline_ms);
    set_origin(i);
    i->opened = new_opened(i);
    if (i->opened == NULL) {
        tn_instance_free(i);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    *ret = i;
    return TENUO_OK;
}

static bool has_flag(const struct tn_instance *i, uint32_t flag)
{
    return (i->plugin->desc.flags & flag) != 0;
}

static bool is_legal(const int *legal, int code)
{
    static const int general[] = { TENUO_OK, TENUO_E_NOMEM, TENUO_E_INVALID_ARGUMENT, TENUO_E_SYSTEM,
                                   TENUO_E_UNAVAILABLE };
    for (size_t k = 0; k < TN_ARRAY_LEN(general); k++)
        if (general[k] == code)
            return true;
    for (; *legal != 0; legal++)
        if (*legal == code)
            return true;
    return false;
}

/* What the plugin's code means for us, and the sentence for it. */
static int judge(const struct tn_call *call, const char *what, const char *key_id, const int *legal, int code,
                 bool late, struct tenuo_error *err)
{
    const struct tn_instance *i = call->instance;
    if (late)
        return tn_fail(err, TENUO_E_UNAVAILABLE, "%s: %s " TN_LATE_WORDS " of %u ms", i->origin, what,
                       (unsigned)i->deadline_ms);
    if (!is_legal(legal, code))
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: %s answered %d, which it may not", i->origin, what, code);
    if (code == TENUO_OK)
        return TENUO_OK;
    if (call->sentence[0] == '\0' && i->facility == TN_F_RESOLVER && key_id[0] != '\0')
        return tn_fail(err, code, "%s: key '%s': %s", i->origin, key_id, tenuo_err_text(code));
    return tn_fail(err, code, "%s: %s", i->origin,
                   call->sentence[0] != '\0' ? call->sentence : tenuo_err_text(code));
}

/* `began`: tn_clock_ns. */
static void trace(const struct tn_instance *i, const char *what, const char *key_id, int code, uint64_t began)
{
    if (i->trace)
        tn_log(i->log, TENUO_LOG_DEBUG, "%s: trace: %s(%s) = %d (%s), %llu ms", i->origin, what, key_id, code,
               tenuo_err_name(code), (unsigned long long)((tn_clock_ns() - began) / 1000000));
}

/* With the lock held, or before anybody else knows the instance. */
static int open_now(struct tn_instance *i, struct tenuo_error *err)
{
    static const int legal[] = { TENUO_E_CONF, TENUO_E_KEY_DENIED, TENUO_E_KEY_INVALID, 0 };
    struct life life = life_of(i);
    uint64_t began = tn_clock_ns();
    struct tn_call call;
    void *self = NULL;
    int r, code;
    if (life.open == NULL)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: has no open", i->origin);
    tn_call_begin(&call, i);
    code = life.open(&i->opened->host, i->args, i->nargs, &self);
    r = judge(&call, "open", "", legal, code, tn_clock_ms() > call.ends, err);
    tn_call_end(&call);
    trace(i, "open", "", code, began);
    if (r != TENUO_OK) {
        if (code == TENUO_OK && life.close != NULL)
            life.close(self);
        return r;
    }
    i->opened->self = self;
    i->opened->open = true;
    atomic_store_explicit(&i->opened->generation, tn_forkgen(), memory_order_release);
    return TENUO_OK;
}

int tn_instance_check(struct tn_instance *i, struct tenuo_error *err)
{
    struct life life = life_of(i);
    struct tn_call call;
    int code;
    if (life.check == NULL)
        return TENUO_OK;
    tn_call_begin(&call, i);
    code = life.check(&i->opened->host, i->args, i->nargs);
    tn_call_end(&call);
    return code == TENUO_OK ? TENUO_OK
                            : tn_fail(err, code, "%s: %s", i->plugin->desc.name,
                                      call.sentence[0] != '\0' ? call.sentence : tenuo_err_text(code));
}

/* What a parent opened is the parent's: a child forgets it and opens its own. */
static bool is_ready(const struct tn_instance *i)
{
    return i->opened->open && (has_flag(i, TENUO_PLUGIN_FORK_SAFE) ||
                               atomic_load_explicit(&i->opened->generation, memory_order_acquire) == tn_forkgen());
}

int tn_instance_open(struct tn_instance *i, struct tenuo_error *err)
{
    int r = TENUO_OK;
    tn_lock_acquire(&i->opened->lock);
    if (!is_ready(i))
        r = open_now(i, err);
    tn_lock_release(&i->opened->lock);
    return r;
}

/* The lock is held afterwards, with an instance that is ready; or nothing is. */
static int enter(struct tn_instance *i, const char *what, struct tenuo_error *err)
{
    int r = TENUO_OK;
    if (!tn_lock_acquire_until(&i->opened->lock, tn_call_ends(i)))
        return tn_fail(err, TENUO_E_UNAVAILABLE, "%s: %s waited longer than %u ms for other calls on this line",
                       i->origin, what, (unsigned)i->deadline_ms);
    if (!is_ready(i)) {
        i->opened->open = false;
        r = open_now(i, err);
    }
    if (r != TENUO_OK)
        tn_lock_release(&i->opened->lock);
    return r;
}

int tn_instance_call(struct tn_instance *i, const char *what, const char *key_id, const int *legal, tn_call_fn *fn,
                     void *arg, struct tenuo_error *err)
{
    bool shared = has_flag(i, TENUO_PLUGIN_THREAD_SAFE);
    uint64_t began = tn_clock_ns();
    struct tn_call call;
    int r = enter(i, what, err), code;
    void *self;
    if (r != TENUO_OK)
        return r;
    self = i->opened->self;
    if (shared)
        tn_lock_release(&i->opened->lock);
    tn_call_begin(&call, i);
    code = fn(i->ops, self, arg);
    r = judge(&call, what, key_id, legal, code, tn_clock_ms() > call.ends, err);
    tn_call_end(&call);
    if (!shared)
        tn_lock_release(&i->opened->lock);
    if (i->facility == TN_F_RESOLVER)
        tn_counts_add(&i->counts, r, tn_clock_ns() - began);
    trace(i, what, key_id, r, began);
    return r;
}

void tn_instance_detach(struct tn_instance *i)
{
    free(i->args);
    i->args = NULL;
    i->nargs = 0;
    i->rule = NULL;
    i->log = NULL;
    i->opened->log = (struct tn_log){ 0 };
}

static void drop_opened(struct tn_instance *i)
{
    struct tn_opened *o = i->opened;
    if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (is_ready(i) && o->close != NULL) {
        struct tn_call call;
        tn_call_begin(&call, i);
        o->close(o->self);
        tn_call_end(&call);
    }
    tn_lock_destroy(&o->lock);
    free(o);
}

static bool same_args(const struct tn_instance *a, const struct tn_instance *b)
{
    if (a->nargs != b->nargs)
        return false;
    for (size_t k = 0; k < a->nargs; k++) {
        const char *x = a->args[k].value, *y = b->args[k].value;
        if (x == NULL || y == NULL ? x != y : strcmp(x, y) != 0)
            return false;
    }
    return true;
}

bool tn_instance_take_over(struct tn_instance *i, const struct tn_instance *old)
{
    if (i->facility != old->facility || i->plugin != old->plugin || !same_args(i, old))
        return false;
    drop_opened(i);
    i->opened = old->opened;
    atomic_fetch_add_explicit(&i->opened->refs, 1, memory_order_relaxed);
    return true;
}

void tn_instance_close(struct tn_instance *i)
{
    drop_opened(i);
    i->opened = NULL;
}

void tn_instance_free(struct tn_instance *i)
{
    if (i == NULL)
        return;
    drop_opened(i);
    free(i->args);
    free(i);
}
