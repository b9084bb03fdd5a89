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

/* doctor_host.c: the clock, what confines this process, what could leak a key. */
void doctor_host(struct doctor *d);
/* doctor_journal.c: how much of what a journald sink hands over may be dropped there. */
void doctor_journal(struct doctor *d, const char *place);
/* doctor_user.c: becomes that user, when there is one. False with the error reported and *ret_status. */
bool doctor_become(struct doctor *d, int *ret_status);
/* A finding about who looks. False: root, who must not open what the service will use. */
bool doctor_user(struct doctor *d);
/* doctor_service.c: configuration, plugins, roots, stores, lists, sinks. False when the service cannot be opened. */
bool doctor_service(struct doctor *d);

#endif
