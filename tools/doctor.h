/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tenuo doctor` share: findings, and where they are looked for. */
#ifndef TENUO_TOOLS_DOCTOR_H
#define TENUO_TOOLS_DOCTOR_H

#include "cli.h"

enum doctor_level { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor {
    struct cli *cli;
    bool strict, confined; /* confined: under seccomp or a security module's profile */
    const char *user;      /* --user, whom this process became; else NULL */
    int64_t list_issued; /* of the revocation list that is being told of */
    size_t idle_roots; /* that are not trusted now */
    json_t *findings;
    unsigned count[DOCTOR_ERROR + 1];
};

/* One finding. `remedy` may be NULL; `ms` below 0: not measured. All texts may come from outside. */
void doctor_say(struct doctor *d, enum doctor_level level, const char *area, const char *place, const char *message,
                const char *remedy, double ms);

#define DOCTOR_PLACE_BYTES 300
/* NAME FILE:LINE */
void doctor_place(char ret[DOCTOR_PLACE_BYTES], const char *name, const char *origin);
double doctor_now_ms(void);

#define DOCTOR_SOON_SECS (14 * 86400)
#define DOCTOR_POLICY_WORDS "the policy needs" /* of a store that knows who asks */
#define DOCTOR_COMPARE_CLOCKS "compare this host's clock with the issuer's: `date -u` on both"

/* doctor_remedy.c: what to do, in a sentence. By what the message names, or NULL: */
const char *doctor_known_remedy(const struct doctor *d, const char *message);
/* and else by the code. */
const char *doctor_remedy(const struct doctor *d, int code, const char *message);
/* Of a finding of the configuration, and of a revocation line without a list. */
const char *doctor_line_remedy(const struct doctor *d, const char *line);
const char *doctor_list_remedy(const struct doctor *d, const struct tenuo_probe *p);
/* The library's sentences begin with the place of the line, which stands in front already. */
const char *doctor_without_place(const char *message, const char *origin);

/* doctor_host.c: the clock, what confines this process, what could leak a key. */
void doctor_host(struct doctor *d);
/* doctor_journal.c: how much of what a journald sink hands over may be dropped there. */
void doctor_journal(struct doctor *d, const char *place);
/* doctor_user.c: becomes that user, when there is one. False with the error reported and *ret_status. */
bool doctor_become(struct doctor *d, int *ret_status);
/* A finding about who looks. False: root, who must not open what the service will use. */
bool doctor_user(struct doctor *d);
/* doctor_trust.c: roots and revocation lists. doctor_store.c: key stores and keys. */
void doctor_trust(struct doctor *d);
void doctor_stores(struct doctor *d);
/* doctor_service.c: configuration, plugins, all that the service depends on. False when it cannot be opened. */
bool doctor_service(struct doctor *d);

#endif
