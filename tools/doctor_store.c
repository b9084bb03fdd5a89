/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo doctor, key stores: each is asked what it holds, or for a key that nobody has, and for one that it has. No key
 * is used.
 */
#include "doctor.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define PROBE_KEY "tenuo-doctor-probe" /* asked for where a store does not list */
#define OLD_KEY_SECS (365 * 86400)
#define LATE_WORDS "answered after its deadline"

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
        doctor_say(l->d, DOCTOR_WARNING, "key", place, doctor_without_place(err.msg, l->origin),
                   doctor_remedy(l->d, code, err.msg), -1);
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
    else if (key->expires_at && key->expires_at - now < DOCTOR_SOON_SECS)
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
    return !ask_for_key(l->d, l->origin, &other) ||
           (code == TENUO_E_KEY_DENIED && strstr(message, DOCTOR_POLICY_WORDS));
}

static int ask_store(struct listing *l, const char *place, unsigned can, struct tenuo_error *err)
{
    int code = can & TENUO_STORE_LISTS ? tenuo_store_list(l->d->cli->ctx, l->origin, take_key, l, err)
                                       : ask_for_key(l->d, l->origin, err);
    if (!code || !(can & TENUO_STORE_LISTS) || !serves_keys(l, code, err->msg))
        return code;
    l->refused = true;
    doctor_say(l->d, DOCTOR_WARNING, "store", place, doctor_without_place(err->msg, l->origin),
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
    char place[DOCTOR_PLACE_BYTES], text[120];
    double began = doctor_now_ms();
    doctor_place(place, store, origin);
    int code = tenuo_store_abilities(d->cli->ctx, origin, &can, &err);
    if (!code)
        code = ask_store(&l, place, can, &err);
    if (!code)
        code = open_first(&l, &err);
    double took = doctor_now_ms() - began;
    if (code) {
        enum doctor_level level = tenuo_ctx_store_required(d->cli->ctx, index) ? DOCTOR_ERROR : DOCTOR_WARNING;
        doctor_say(d, level, "store", place, doctor_without_place(err.msg, origin), doctor_remedy(d, code, err.msg),
                   took);
        return;
    }
    if (can & TENUO_STORE_LISTS && !l.refused)
        snprintf(text, sizeof text, "answers: %zu key%s", l.keys, l.keys == 1 ? "" : "s");
    else
        snprintf(text, sizeof text, "answers");
    doctor_say(d, took > 500 ? DOCTOR_WARNING : DOCTOR_OK, "store", place, text,
               took > 500 ? "slow: each key that is not cached waits for it" : NULL, took);
}

void doctor_stores(struct doctor *d)
{
    for (size_t i = 0; i < tenuo_ctx_store_count(d->cli->ctx); i++)
        check_store(d, i);
}
