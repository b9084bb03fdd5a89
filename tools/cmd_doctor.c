/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo doctor. Everything that a service depends on, tried, with a remedy for what does not work. Changes nothing but
 * what the service changes when it starts, and that sinks record the visit. */
#include "doctor.h"

#include <string.h>
#include <time.h>

enum { OPT_STRICT = CLI_OPT_FIRST, OPT_USER };

static const char *const levels[] = { "ok", "note", "warning", "error" };

static void print(enum doctor_level level, const char *area, const char *place, const char *message, const char *remedy,
                  double ms)
{
    char took[32] = "";
    if (ms >= 0)
        snprintf(took, sizeof took, " (%.1f ms)", ms);
    cli_line(stdout, "%-8s %-13s %s%s%s%s", levels[level], area, place, place[0] != '\0' ? ": " : "", message, took);
    if (remedy)
        cli_line(stdout, "%-8s %-13s -> %s", "", "", remedy);
}

static void collect(struct doctor *d, enum doctor_level level, const char *area, const char *place, const char *message,
                    const char *remedy, double ms)
{
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "level", json_string(levels[level]));
    cli_set(entry, "area", json_string(area));
    cli_set(entry, "place", cli_text(place, strlen(place)));
    cli_set(entry, "message", cli_text(message, strlen(message)));
    if (remedy)
        cli_set(entry, "remedy", json_string(remedy));
    if (ms >= 0)
        cli_set(entry, "milliseconds", json_real(ms));
    cli_append(d->findings, entry);
}

void doctor_say(struct doctor *d, enum doctor_level level, const char *area, const char *place, const char *message,
                const char *remedy, double ms)
{
    d->count[level]++;
    if (d->findings)
        collect(d, level, area, place, message, remedy, ms);
    else
        print(level, area, place, message, remedy, ms);
}

void doctor_place(char ret[DOCTOR_PLACE_BYTES], const char *name, const char *origin)
{
    snprintf(ret, DOCTOR_PLACE_BYTES, "%.120s %.120s", name, origin);
}

double doctor_now_ms(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct doctor *d = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = d->cli;
        return 0;
    case OPT_STRICT:
        d->strict = true;
        return 0;
    case OPT_USER:
        return cli_once(d->cli, &d->user, arg);
    case ARGP_KEY_ARG:
        return cli_usage(d->cli, "'%.64s': doctor takes options alone", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "strict", OPT_STRICT, NULL, 0, "Warnings count as errors", 10 },
    { "user", OPT_USER, "NAME", 0, "The user that the service runs as; root must name one", 10 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "",
    "Look over a service and its host: configuration, plugins, roots, key stores with their latency, revocation lists, "
    "audit sinks, clock, confinement, memory. It looks as the service's user. Each finding has its remedy.\v"
    "Exit status: 0 nothing wrong, 1 something is, 2 usage, 3 the service cannot be opened.\n"
    "Examples:\n"
    "  tenuo doctor --service shop --user shop --strict\n",
    children,
    cli_help_filter,
    NULL
};

static int answer(struct doctor *d, bool opened)
{
    bool good = opened && !d->count[DOCTOR_ERROR] && !(d->strict && d->count[DOCTOR_WARNING]);
    if (d->cli->json) {
        json_t *object = cli_object(d->cli, good);
        cli_set(object, "errors", json_integer(d->count[DOCTOR_ERROR]));
        cli_set(object, "warnings", json_integer(d->count[DOCTOR_WARNING]));
        cli_set(object, "findings", json_incref(d->findings));
        cli_emit(d->cli, object);
    } else {
        printf("%u error%s, %u warning%s\n", d->count[DOCTOR_ERROR], d->count[DOCTOR_ERROR] == 1 ? "" : "s",
               d->count[DOCTOR_WARNING], d->count[DOCTOR_WARNING] == 1 ? "" : "s");
    }
    return good ? CLI_YES : opened ? CLI_NO : CLI_UNDECIDED;
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
    struct doctor d = { .cli = cli };
    int status;
    if (!cli_parse(cli, &parser, argc, argv, &d, &status) || !doctor_become(&d, &status))
        return status;
    d.findings = cli->json ? json_array() : NULL;
    if (cli->json && !d.findings)
        cli_no_memory();
    doctor_host(&d);
    status = answer(&d, doctor_service(&d));
    json_decref(d.findings);
    return status;
}
