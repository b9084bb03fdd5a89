/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo doctor, the host: whether its clock can be believed, what confines this process, and what could carry a key out
 * of it. Reads what the kernel says and changes nothing.
 */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>

#define POP_WINDOW_SECS 30
#define BUILT_AFTER 1767225600 /* 2026-01-01: no clock is right before */

extern char **environ;

/* The first line of a small file, without its newline; false when it cannot be read. */
static bool first_line(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "re");
    bool good = f && fgets(buf, (int)size, f);
    if (f)
        fclose(f);
    if (good)
        buf[strcspn(buf, "\n")] = '\0';
    return good;
}

static void check_clock(struct doctor *d)
{
    struct timex t = { 0 };
    char text[160];
    if (time(NULL) < BUILT_AFTER) {
        doctor_say(d, DOCTOR_ERROR, "clock", "", "the clock shows a time before this program was made",
                   "set it: every warrant is judged by it", -1);
        return;
    }
    if (adjtimex(&t) < 0) {
        doctor_say(d, DOCTOR_NOTE, "clock", "", "the kernel does not say whether the clock is synchronised", NULL, -1);
        return;
    }
    if (t.status & STA_UNSYNC) {
        doctor_say(d, DOCTOR_WARNING, "clock", "", "the clock is not synchronised",
                   "run an NTP client (systemd-timesyncd, chrony with `rtcsync`): a proof of possession holds for "
                   "30-second windows",
                   -1);
        return;
    }
    snprintf(text, sizeof text, "synchronised, off by at most %.3f s", (double)t.maxerror / 1e6);
    doctor_say(d, t.maxerror > POP_WINDOW_SECS * 1000000L ? DOCTOR_WARNING : DOCTOR_OK, "clock", "", text,
               t.maxerror > POP_WINDOW_SECS * 1000000L ? "look at the NTP client: this is more than a window of 30 s"
                                                       : NULL,
               -1);
}

static int seccomp_mode(void)
{
    char line[256];
    int mode = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Seccomp: %d", &mode) == 1)
            break;
    if (f)
        fclose(f);
    return mode;
}

/* Not what only has a name: "unconfined" and "NAME (unconfined)", "NAME (complain)", SELinux's unconfined_t. */
static bool confines(const char *profile)
{
    return profile[0] != '\0' && strcmp(profile, "unconfined") != 0 && !strstr(profile, "(unconfined)") &&
           !strstr(profile, "(complain)") && !strstr(profile, ":unconfined_t:");
}

static void check_confinement(struct doctor *d)
{
    char profile[160] = "", text[240];
    if (seccomp_mode() != 0) {
        d->confined = true;
        doctor_say(d, DOCTOR_NOTE, "confinement", "seccomp", "a seccomp filter confines this process",
                   "an \"Operation not permitted\" below may be the filter's: look at SystemCallFilter= of the unit",
                   -1);
    }
    if (!first_line("/proc/self/attr/current", profile, sizeof profile) || !confines(profile))
        return;
    d->confined = true;
    snprintf(text, sizeof text, "the profile \"%.140s\" confines this process", profile);
    doctor_say(d, DOCTOR_NOTE, "confinement", "security module", text,
               "a \"Permission denied\" below may be the profile's: look for DENIED in the kernel's log", -1);
}

static void check_dumps(struct doctor *d)
{
    char text[160] = "";
    if (first_line("/proc/sys/fs/suid_dumpable", text, sizeof text) && strcmp(text, "1") == 0)
        doctor_say(d, DOCTOR_WARNING, "memory", "fs.suid_dumpable", "programs that changed their user dump core",
                   "set fs.suid_dumpable to 0 or 2: a dump may hold what a key store's library left in memory", -1);
    struct rlimit lock;
    if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0 && lock.rlim_cur < 65536)
        doctor_say(d, DOCTOR_WARNING, "memory", "RLIMIT_MEMLOCK", "less than 64 KiB of memory can be locked",
                   "raise it (LimitMEMLOCK=): keys could be written to swap", -1);
}

/* Swap is only told of: its encryption does not show here. */
static void check_swap(struct doctor *d)
{
    char line[256];
    unsigned n = 0;
    FILE *f = fopen("/proc/swaps", "re");
    while (f && fgets(line, sizeof line, f))
        n++;
    if (f)
        fclose(f);
    if (n > 1)
        doctor_say(d, DOCTOR_NOTE, "memory", "/proc/swaps", "this host swaps",
                   "keys are in locked memory; encrypt the swap for what client libraries copy", -1);
}

static void check_environment(struct doctor *d)
{
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "TENUO_KEY_", 10) == 0) {
            char name[80];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
            doctor_say(d, DOCTOR_WARNING, "environment", name, "a secret key is in the environment",
                       "keep it for tests: every child inherits it and /proc shows it to the user's processes", -1);
        }
}

void doctor_host(struct doctor *d)
{
    check_clock(d);
    check_confinement(d);
    check_dumps(d);
    check_swap(d);
    check_environment(d);
}
