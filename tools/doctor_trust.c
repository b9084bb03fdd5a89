/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo doctor, what is trusted: roots and their times, revocation lists and their age. */
#include "doctor.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <tenuo/plugin.h>

#define OLD_LIST_SECS (30 * 86400)

#define RENEW "the issuer signs a list anew before that, also an unchanged one: `tenuo srl create`"

static void take_list_stat(struct doctor *d, const struct tenuo_stat *stat, int64_t now, int64_t when)
{
    char text[160];
    if (stat->what == TENUO_STAT_REVOCATION_ISSUED && when > now) {
        d->list_issued = when;
        snprintf(text, sizeof text, "a list is in force, signed %" PRId64 " s ahead of this host's clock", when - now);
        doctor_say(d, DOCTOR_WARNING, "revocation", stat->label, text, DOCTOR_COMPARE_CLOCKS, -1);
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
    else if (stat->what == TENUO_STAT_ROOT_ENDS && when - now < DOCTOR_SOON_SECS)
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

/* Any line that must have a list and has none denies, and so do all together when none has one. */
static void take_list(void *arg, const struct tenuo_probe *p)
{
    struct lists *l = arg;
    char place[DOCTOR_PLACE_BYTES], text[400];
    bool denies = p->required || l->good == 0;
    if (p->code == 0)
        return; /* told with its age */
    doctor_place(place, p->name, p->origin);
    snprintf(text, sizeof text, "there is no list that may be used%s: %.260s",
             denies ? ", so every call is denied" : "", doctor_without_place(p->message, p->origin));
    doctor_say(l->d, denies ? DOCTOR_ERROR : DOCTOR_WARNING, "revocation", place, text, doctor_list_remedy(l->d, p),
               -1);
}

static void check_lists(struct doctor *d)
{
    struct lists l = { d, 0 };
    tenuo_ctx_probe_revocation(d->cli->ctx, count_list, &l);
    tenuo_ctx_probe_revocation(d->cli->ctx, take_list, &l);
}

void doctor_trust(struct doctor *d)
{
    check_roots(d);
    check_lists(d);
}
