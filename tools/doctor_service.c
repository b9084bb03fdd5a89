/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo doctor, the service: its configuration and plugins, then everything that it depends on, tried one after the
 * other. Stores are asked what they hold or for a key that nobody has; sinks record that they were tried. Makes no
 * decision and uses no key.
 */
#include "doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tenuo/plugin.h>

#define PROBE_KEY "tenuo-doctor-probe" /* asked for where a store does not list */
#define SOON_SECS (14 * 86400)
#define OLD_LIST_SECS (30 * 86400)
#define OLD_KEY_SECS (365 * 86400)
#define POLICY_WORDS "the policy needs" /* of a store that knows who asks */
#define LATE_WORDS "answered after its deadline"
#define COMPARE_CLOCKS "compare this host's clock with the issuer's: `date -u` on both"

static double now_ms(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static bool has_word(const char *message, const char *const *words)
{
    for (; *words; words++)
        if (strstr(message, *words))
            return true;
    return false;
}

/* What the message itself asks for, or names well enough; NULL: neither. */
static const char *remedy_in(const struct doctor *d, const char *message)
{
    static const char *const told[] = { "chmod ", "chown ", "make it with: ", "readlink -f", "give them name=",
                                        POLICY_WORDS, NULL };
    static const char *const missing[] = { "o such file", "cannot be created in", NULL };
    static const char *const refused[] = { "Operation not permitted", "Permission denied", "may not look", NULL };
    static const char *const sockets[] = { "cannot be reached", "cannot connect", "cannot send to", "running?", NULL };
    if (strstr(message, "no list can be accepted by this user") && !strstr(message, ": damaged: "))
        return "give the line a floor of the service's own, floor=/var/lib/NAME/srl.floor, or every call is denied";
    if (has_word(message, told))
        return "do what the line says, and look again";
    if (strstr(message, "Operation not permitted") && d->confined)
        return "this process is confined (see above): let the unit's filter or the profile allow it";
    if (strstr(message, "in the future"))
        return COMPARE_CLOCKS;
    if (strstr(message, "a syslog daemon") || strstr(message, "no journal listens"))
        return "start the daemon or mend the path; until then `required` denies every call, `optional` loses records";
    if (has_word(message, missing) && !has_word(message, sockets))
        return "make the file or directory, or mend the path on the line";
    if (strstr(message, "o space left") || strstr(message, "uota exceeded"))
        return "make room: `required` lines deny every call until there is some";
    if (strstr(message, "ead-only file system"))
        return "let it be written: ReadWritePaths= of the unit, or mount it so; or name another path";
    if (strstr(message, "Permission denied") && d->confined)
        return "look at owner, group and mode on the way there; if this user may, it is the confinement (see above)";
    if (has_word(message, refused))
        return "look at owner, group and mode on the way there, and at the user that the service runs as";
    return NULL;
}

/* What to do about a code, in a sentence. */
static const char *remedy_of(const struct doctor *d, int code, const char *message)
{
    const char *known = code == TENUO_E_KEY_NOT_FOUND ? NULL : remedy_in(d, message);
    if (known)
        return known;
    switch (code) {
    case TENUO_E_UNAVAILABLE:
        return "is its server running, and reachable from here? `timeout=` on the line is how long it is waited for";
    case TENUO_E_KEY_NOT_FOUND:
        return "make it, `tenuo keygen --to STORE:ID`, or name a key that there is: `tenuo key list`";
    case TENUO_E_INVALID_ARGUMENT:
        return "say it as the sentence asks for";
    case TENUO_E_KEY_DENIED:
        return "the store answers and refuses: look at the token, role or policy that the line uses";
    case TENUO_E_KEY_INVALID:
        return "what is stored under this id is no usable key: import it again, or remove it";
    case TENUO_E_AUDIT_REFUSED:
        return "no record is stored there: mend it, or make the line optional and lose records knowingly";
    case TENUO_E_CONF:
        return "mend it there: tenuo.conf(5) has the words, `tenuo plugin info MODULE` a plugin's options";
    case TENUO_E_PLUGIN_PROTOCOL:
    case TENUO_E_PLUGIN_ABI:
        return "the plugin does not fit this library: install the one of the same version";
    case TENUO_E_NOMEM:
        return "memory is short: look at the unit's MemoryMax= and at the host";
    default:
        return "the sentence names the place: its manual page, tenuo_MODULE(8), lists what it means";
    }
}

/* The library's sentences begin with the place of the line, which stands in front already. */
static const char *without_place(const char *message, const char *origin)
{
    size_t n = strlen(origin);
    return strncmp(message, origin, n) == 0 && strncmp(message + n, ": ", 2) == 0 ? message + n + 2 : message;
}

/* ---- configuration ---- */

/* What a finding says by itself is more than what its code does; most of these have none. */
static const char *remedy_of_line(const struct doctor *d, const char *line)
{
    if (strstr(line, ": no ") && strstr(line, " line: "))
        return "add one, or go without it knowingly: tenuo.conf(5) has examples";
    if (strstr(line, "revocation_max_age is off"))
        return "set revocation_max_age to somewhat more than the time between two lists of the issuer";
    if (strstr(line, "has no section and gets"))
        return "is the name the one that the program uses? else it is well: the section is not needed";
    return remedy_of(d, TENUO_E_CONF, line);
}

static void take_diagnostic(void *arg, int is_error, const char *line)
{
    doctor_say(arg, is_error ? DOCTOR_ERROR : DOCTOR_WARNING, "configuration", "", line, remedy_of_line(arg, line),
               -1);
}

static void ignore_log(void *arg, int level, const char *line)
{
    (void)arg, (void)level, (void)line; /* what matters is found again below, with its remedy */
}

static bool check_configuration(struct doctor *d, const char *service)
{
    struct tenuo_open_options o;
    struct tenuo_error err = { 0 };
    unsigned before = d->count[DOCTOR_ERROR];
    cli_open_options(d->cli, &o);
    o.diag = take_diagnostic;
    o.diag_arg = d;
    o.log = ignore_log;
    int code = tenuo_conf_check(service, &o, 1, &err);
    if (code && d->count[DOCTOR_ERROR] == before)
        doctor_say(d, DOCTOR_ERROR, "configuration", "", err.msg, remedy_of(d, code, err.msg), -1);
    if (!code)
        doctor_say(d, DOCTOR_OK, "configuration", o.conf ? o.conf : "/etc/tenuo.conf", "read, with its plugins", NULL,
                   -1);
    return !code;
}

static bool open_service(struct doctor *d, const char *service)
{
    struct tenuo_open_options o;
    struct tenuo_error err = { 0 };
    double began = now_ms();
    cli_open_options(d->cli, &o);
    o.diag = NULL;
    o.log = ignore_log;
    int code = tenuo_open(service, &o, &d->cli->ctx, &err);
    if (code)
        doctor_say(d, DOCTOR_ERROR, "service", service, err.msg, remedy_of(d, code, err.msg), now_ms() - began);
    else
        doctor_say(d, DOCTOR_OK, "service", service[0] != '\0' ? service : "(top)", "opens", NULL, now_ms() - began);
    return !code;
}

/* ---- stores ---- */

struct listing {
    struct doctor *d;
    const char *store, *origin;
    size_t keys, unusable;
    bool refused; /* to list them */
    char first[TENUO_KEY_ID_BYTES]; /* that is a key */
};

#define MOST_REASONS 16 /* each may be a question to a server */

/* A list says that something is no key; asked for it alone the store says why. */
static void tell_unusable(struct listing *l, const struct tenuo_stored_key *key, const char *place)
{
    struct tenuo_stored_key again = { .size = sizeof again };
    struct tenuo_error err = { 0 };
    int code = l->unusable++ < MOST_REASONS
                   ? tenuo_store_describe(l->d->cli->ctx, l->origin, key->id, &again, &err)
                   : TENUO_OK;
    if (code)
        doctor_say(l->d, DOCTOR_WARNING, "key", place, without_place(err.msg, l->origin),
                   remedy_of(l->d, code, err.msg), -1);
    else
        doctor_say(l->d, DOCTOR_WARNING, "key", place, key->note[0] != '\0' ? key->note : "is no usable key",
                   "import it again, or remove it", -1);
}

static int take_key(void *arg, const struct tenuo_stored_key *key)
{
    struct listing *l = arg;
    int64_t now = (int64_t)time(NULL);
    char place[200], text[160];
    snprintf(place, sizeof place, "%.60s:%s", l->store, key->id);
    l->keys++;
    if (key->expires_at && key->expires_at <= now)
        doctor_say(l->d, DOCTOR_ERROR, "key", place, "has expired", "rotate it: tenuo key rotate", -1);
    else if (key->expires_at && key->expires_at - now < SOON_SECS)
        doctor_say(l->d, DOCTOR_WARNING, "key", place, "expires within two weeks", "rotate it: tenuo key rotate", -1);
    if (key->created_at && now - key->created_at > OLD_KEY_SECS) {
        snprintf(text, sizeof text, "is %" PRId64 " days old", (now - key->created_at) / 86400);
        doctor_say(l->d, DOCTOR_WARNING, "key", place, text, "rotate it: tenuo key rotate", -1);
    }
    if (!key->has_public_key)
        tell_unusable(l, key, place);
    else if (l->first[0] == '\0')
        memcpy(l->first, key->id, sizeof l->first);
    return 0;
}

/* "Not there" is an answer. */
static int ask_for_key(struct doctor *d, const char *origin, struct tenuo_error *err)
{
    struct tenuo_stored_key key = { .size = sizeof key };
    int code = tenuo_store_describe(d->cli->ctx, origin, PROBE_KEY, &key, err);
    return code == TENUO_E_KEY_NOT_FOUND ? TENUO_OK : code;
}

/* No service wants the list: a store that has none for this user, or not in time, may serve keys all the same. One that
 * is away is not waited for twice. */
static bool serves_keys(const struct listing *l, int code, const char *message)
{
    struct tenuo_error other = { 0 };
    if (code == TENUO_E_UNAVAILABLE && !strstr(message, LATE_WORDS))
        return false;
    return !ask_for_key(l->d, l->origin, &other) || (code == TENUO_E_KEY_DENIED && strstr(message, POLICY_WORDS));
}

static int ask_store(struct listing *l, const char *place, unsigned can, struct tenuo_error *err)
{
    int code = can & TENUO_STORE_LISTS ? tenuo_store_list(l->d->cli->ctx, l->origin, take_key, l, err)
                                       : ask_for_key(l->d, l->origin, err);
    if (!code || !(can & TENUO_STORE_LISTS) || !serves_keys(l, code, err->msg))
        return code;
    l->refused = true;
    doctor_say(l->d, DOCTOR_WARNING, "store", place, without_place(err->msg, l->origin),
               "the service needs no list; but no key was looked at: `tenuo key test` tries one", -1);
    return TENUO_OK;
}

/* What lists keys may be files, and what opens one a TPM or a server that is away. Whether this user may open this very
 * key is no question of the store. */
static int open_first(const struct listing *l, struct tenuo_error *err)
{
    struct tenuo_signer *signer = NULL;
    int code = l->first[0] != '\0' ? tenuo_store_signer(l->d->cli->ctx, l->origin, l->first, &signer, err) : TENUO_OK;
    tenuo_signer_free(signer);
    return code >= TENUO_E_KEY_NOT_FOUND && code != TENUO_E_UNAVAILABLE ? TENUO_OK : code;
}

static void check_store(struct doctor *d, size_t index)
{
    const char *module = "", *origin = "", *store = tenuo_ctx_store_name(d->cli->ctx, index, &module, &origin);
    struct listing l = { .d = d, .store = store, .origin = origin };
    struct tenuo_error err = { 0 };
    unsigned can = 0;
    char place[300], text[120];
    double began = now_ms();
    snprintf(place, sizeof place, "%.120s %.120s", store, origin);
    int code = tenuo_store_abilities(d->cli->ctx, origin, &can, &err);
    if (!code)
        code = ask_store(&l, place, can, &err);
    if (!code)
        code = open_first(&l, &err);
    double took = now_ms() - began;
    if (code) {
        enum doctor_level level = tenuo_ctx_store_required(d->cli->ctx, index) ? DOCTOR_ERROR : DOCTOR_WARNING;
        doctor_say(d, level, "store", place, without_place(err.msg, origin), remedy_of(d, code, err.msg), took);
        return;
    }
    if (can & TENUO_STORE_LISTS && !l.refused)
        snprintf(text, sizeof text, "answers: %zu key%s", l.keys, l.keys == 1 ? "" : "s");
    else
        snprintf(text, sizeof text, "answers");
    doctor_say(d, took > 500 ? DOCTOR_WARNING : DOCTOR_OK, "store", place, text,
               took > 500 ? "slow: each key that is not cached waits for it" : NULL, took);
}

/* ---- roots, lists ---- */

#define RENEW "the issuer signs a list anew before that, also an unchanged one: `tenuo srl create`"

static void take_list_stat(struct doctor *d, const struct tenuo_stat *stat, int64_t now, int64_t when)
{
    char text[160];
    if (stat->what == TENUO_STAT_REVOCATION_ISSUED && when > now) {
        d->list_issued = when;
        snprintf(text, sizeof text, "a list is in force, signed %" PRId64 " s ahead of this host's clock", when - now);
        doctor_say(d, DOCTOR_WARNING, "revocation", stat->label, text, COMPARE_CLOCKS, -1);
    } else if (stat->what == TENUO_STAT_REVOCATION_ISSUED && when != 0) {
        bool old = now - when > OLD_LIST_SECS;
        d->list_issued = when;
        snprintf(text, sizeof text, "a list is in force, signed %" PRId64 " s ago", now - when);
        doctor_say(d, old ? DOCTOR_WARNING : DOCTOR_OK, "revocation", stat->label, text,
                   old ? "is the issuer still at work? with revocation_max_age an old list is noticed by itself" : NULL,
                   -1);
    }
    if (stat->what == TENUO_STAT_REVOCATION_ENDS && when - now <= (when - d->list_issued) / 4) {
        snprintf(text, sizeof text, "the list is too old in %" PRId64 " s, and then not used any more", when - now);
        doctor_say(d, DOCTOR_WARNING, "revocation", stat->label, text, RENEW, -1);
    }
}

static int take_stat(void *arg, const struct tenuo_stat *stat)
{
    struct doctor *d = arg;
    int64_t now = (int64_t)time(NULL), when = stat->value > INT64_MAX ? INT64_MAX : (int64_t)stat->value;
    d->idle_roots += (stat->what == TENUO_STAT_ROOT_ENDS && when <= now) ||
                     (stat->what == TENUO_STAT_ROOT_BEGINS && when > now);
    if (stat->what == TENUO_STAT_ROOT_BEGINS && when > now)
        doctor_say(d, DOCTOR_NOTE, "root", stat->label, "is not trusted yet: its time begins later",
                   "is not_before= right, and this host's clock?", -1);
    else if (stat->what == TENUO_STAT_ROOT_ENDS && when <= now)
        doctor_say(d, DOCTOR_ERROR, "root", stat->label, "is no longer trusted: its time is over",
                   "warrants under it are denied (1406): replace the root's key", -1);
    else if (stat->what == TENUO_STAT_ROOT_ENDS && when - now < SOON_SECS)
        doctor_say(d, DOCTOR_WARNING, "root", stat->label, "trust in it ends within two weeks",
                   "add the next root now, so that new warrants can be made under it", -1);
    else
        take_list_stat(d, stat, now, when);
    return 0;
}

static void check_roots(struct doctor *d)
{
    char text[64];
    size_t n = tenuo_ctx_root_count(d->cli->ctx);
    tenuo_ctx_stats(d->cli->ctx, take_stat, d);
    snprintf(text, sizeof text, "trusted roots: %zu", n - d->idle_roots);
    if (n > d->idle_roots)
        doctor_say(d, DOCTOR_OK, "root", "", text, NULL, -1);
    else
        doctor_say(d, DOCTOR_ERROR, "root", "", "none is trusted now, so every warrant is denied (1406)",
                   "add a root whose time it is, or mend not_before= and not_after=", -1);
}

struct lists {
    struct doctor *d;
    size_t good;
};

static void count_list(void *arg, const struct tenuo_probe *p)
{
    struct lists *l = arg;
    l->good += p->code == 0;
}

static const char *list_remedy(const struct doctor *d, const struct tenuo_probe *p)
{
    const char *known = remedy_in(d, p->message);
    if (known)
        return known;
    switch (p->code) {
    case TENUO_E_UNAVAILABLE:
        return "is its server running, and reachable from here, or its list too old? the issuer signs one anew with "
               "`tenuo srl create`";
    case TENUO_E_SRL_ROLLBACK:
    case TENUO_E_SRL_CHANGED:
        return "whoever serves the list serves an old or another one: ask the issuer, and do not remove the floor";
    case TENUO_E_CONF:
        return remedy_of(d, p->code, p->message);
    default:
        return "`tenuo srl verify` judges the list: its issuer has to be a root, or the issuer= of the line";
    }
}

/* Any line that must have a list and has none denies, and so do all together when none has one. */
static void take_list(void *arg, const struct tenuo_probe *p)
{
    struct lists *l = arg;
    char place[300], text[400];
    bool denies = p->required || l->good == 0;
    if (p->code == 0)
        return; /* told with its age */
    snprintf(place, sizeof place, "%.120s %.120s", p->name, p->origin);
    snprintf(text, sizeof text, "there is no list that may be used%s: %.260s",
             denies ? ", so every call is denied" : "", without_place(p->message, p->origin));
    doctor_say(l->d, denies ? DOCTOR_ERROR : DOCTOR_WARNING, "revocation", place, text, list_remedy(l->d, p), -1);
}

static void check_lists(struct doctor *d)
{
    struct lists l = { d, 0 };
    tenuo_ctx_probe_revocation(d->cli->ctx, count_list, &l);
    tenuo_ctx_probe_revocation(d->cli->ctx, take_list, &l);
}

/* ---- replay ---- */

static void take_replay(void *arg, const struct tenuo_probe *p)
{
    struct doctor *d = arg;
    double ms = (double)p->duration_ns / 1e6;
    char place[300];
    snprintf(place, sizeof place, "%.120s %.120s", p->name, p->origin);
    if (p->code)
        doctor_say(d, DOCTOR_ERROR, "replay", place, without_place(p->message, p->origin),
                   remedy_of(d, p->code, p->message), ms);
    else
        doctor_say(d, ms > 100 ? DOCTOR_WARNING : DOCTOR_OK, "replay", place, "remembers proofs",
                   ms > 100 ? "slow: every decision waits for it" : NULL, ms);
}

/* ---- sinks ---- */

static void take_probe(void *arg, const struct tenuo_probe *p)
{
    struct doctor *d = arg;
    double ms = (double)p->duration_ns / 1e6;
    char place[300];
    snprintf(place, sizeof place, "%.120s %.120s", p->name, p->origin);
    if (p->code)
        doctor_say(d, p->required ? DOCTOR_ERROR : DOCTOR_WARNING, "audit", place, without_place(p->message, p->origin),
                   remedy_of(d, p->code, p->message), ms);
    else
        doctor_say(d, ms > 100 ? DOCTOR_WARNING : DOCTOR_OK, "audit", place, "takes records",
                   ms > 100 ? "slow: every decision waits for it" : NULL, ms);
    if (!p->code && strcmp(p->module, "journald") == 0)
        doctor_journal(d, place);
}

/* A line of `conf show`: what only its arguments tell. */
static void take_line(void *arg, const char *line)
{
    const char *place = strstr(line, "  # ");
    if (strncmp(line, "audit ", 6) == 0 && strstr(line, " syslog ") && strstr(line, " server=udp://") && place)
        doctor_say(arg, DOCTOR_NOTE, "audit", place + 4, "what is lost on the way to a server by UDP is lost unseen",
                   "server=tcp://... waits until the server's machine has each record", -1);
}

static void check_lines(struct doctor *d, const char *service)
{
    struct tenuo_open_options o;
    struct tenuo_error err = { 0 };
    cli_open_options(d->cli, &o);
    o.diag = NULL;
    if (tenuo_conf_show(service, &o, take_line, d, &err))
        doctor_say(d, DOCTOR_WARNING, "configuration", "", err.msg, remedy_of(d, err.code, err.msg), -1);
}

bool doctor_service(struct doctor *d)
{
    const char *service = d->cli->service ? d->cli->service : "";
    if (!check_configuration(d, service))
        return false;
    if (!doctor_user(d))
        return true; /* told; the rest is not looked at */
    if (!open_service(d, service))
        return false;
    check_roots(d);
    for (size_t i = 0; i < tenuo_ctx_store_count(d->cli->ctx); i++)
        check_store(d, i);
    check_lists(d);
    tenuo_ctx_probe_replay(d->cli->ctx, take_replay, d);
    tenuo_ctx_probe_audit(d->cli->ctx, take_probe, d);
    check_lines(d, service);
    return true;
}
