/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo doctor, the service: its configuration and plugins, then everything that it depends on, tried one after the
 * other. Replay stores are asked about a proof that nobody made; sinks record that they were tried. Makes no decision
 * and uses no key.
 */
#include "doctor.h"

#include <string.h>

#define SLOW_MS 100

/* ---- configuration ---- */

static void take_diagnostic(void *arg, int is_error, const char *line)
{
    doctor_say(arg, is_error ? DOCTOR_ERROR : DOCTOR_WARNING, "configuration", "", line, doctor_line_remedy(arg, line),
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
        doctor_say(d, DOCTOR_ERROR, "configuration", "", err.msg, doctor_remedy(d, code, err.msg), -1);
    if (!code)
        doctor_say(d, DOCTOR_OK, "configuration", o.conf ? o.conf : "/etc/tenuo.conf", "read, with its plugins", NULL,
                   -1);
    return !code;
}

static bool open_service(struct doctor *d, const char *service)
{
    struct tenuo_open_options o;
    struct tenuo_error err = { 0 };
    double began = doctor_now_ms();
    cli_open_options(d->cli, &o);
    o.diag = NULL;
    o.log = ignore_log;
    int code = tenuo_open(service, &o, &d->cli->ctx, &err);
    double took = doctor_now_ms() - began;
    if (code)
        doctor_say(d, DOCTOR_ERROR, "service", service, err.msg, doctor_remedy(d, code, err.msg), took);
    else
        doctor_say(d, DOCTOR_OK, "service", service[0] != '\0' ? service : "(top)", "opens", NULL, took);
    return !code;
}

/* ---- replay, sinks ---- */

static void tell_probe(struct doctor *d, const struct tenuo_probe *p, const char *area, const char *place,
                       const char *good)
{
    double ms = (double)p->duration_ns / 1e6;
    bool slow = ms > SLOW_MS;
    if (p->code)
        doctor_say(d, p->required ? DOCTOR_ERROR : DOCTOR_WARNING, area, place,
                   doctor_without_place(p->message, p->origin), doctor_remedy(d, p->code, p->message), ms);
    else
        doctor_say(d, slow ? DOCTOR_WARNING : DOCTOR_OK, area, place, good,
                   slow ? "slow: every decision waits for it" : NULL, ms);
}

static void take_replay(void *arg, const struct tenuo_probe *p)
{
    char place[DOCTOR_PLACE_BYTES];
    doctor_place(place, p->name, p->origin);
    tell_probe(arg, p, "replay", place, "remembers proofs");
}

static void take_sink(void *arg, const struct tenuo_probe *p)
{
    char place[DOCTOR_PLACE_BYTES];
    doctor_place(place, p->name, p->origin);
    tell_probe(arg, p, "audit", place, "takes records");
    if (!p->code && strcmp(p->module, "journald") == 0)
        doctor_journal(arg, place);
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
        doctor_say(d, DOCTOR_WARNING, "configuration", "", err.msg, doctor_remedy(d, err.code, err.msg), -1);
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
    doctor_trust(d);
    doctor_stores(d);
    tenuo_ctx_probe_replay(d->cli->ctx, take_replay, d);
    tenuo_ctx_probe_audit(d->cli->ctx, take_sink, d);
    check_lines(d, service);
    return true;
}
