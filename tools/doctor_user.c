/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo doctor, who looks: the user that the service runs as. What root sees says nothing about what that user may do,
 * and what root opens (a log, counters) would be root's, so that the service could not write it any more.
 */
#include "doctor.h"

#include <errno.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not with root's session keyring, which stays attached; a kernel without keyrings has none. */
static bool become(const struct passwd *user)
{
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    return initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0 &&
           (user->pw_uid == 0 || setuid(0) != 0);
}

/* As the service manager sets them. What a client library finds in a home directory is not to be root's. */
static bool take_home(const struct passwd *user)
{
    return setenv("HOME", user->pw_dir, 1) == 0 && setenv("USER", user->pw_name, 1) == 0 &&
           setenv("LOGNAME", user->pw_name, 1) == 0 && setenv("SHELL", user->pw_shell, 1) == 0;
}

bool doctor_become(struct doctor *d, int *ret_status)
{
    const struct passwd *user;
    if (!d->user)
        return true;
    errno = 0;
    user = getpwnam(d->user);
    if (!user)
        *ret_status = cli_failf(d->cli, TENUO_E_INVALID_ARGUMENT, "--user: %s '%.64s'",
                                errno != 0 && errno != ENOENT && errno != ESRCH ? "cannot look up" : "there is no user",
                                d->user);
    else if (geteuid() != 0 && user->pw_uid != geteuid())
        *ret_status = cli_failf(d->cli, TENUO_E_INVALID_ARGUMENT, "--user: only root can become '%.64s'", d->user);
    else if (geteuid() == 0 && (!take_home(user) || !become(user)))
        *ret_status = cli_failf(d->cli, TENUO_E_INVALID_ARGUMENT, "--user: cannot become '%.64s': %s", d->user,
                                strerror(errno));
    else
        return true;
    return false;
}

bool doctor_user(struct doctor *d)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *name = user ? user->pw_name : "(no name)";
    if (geteuid() == 0 && !d->user) {
        doctor_say(d, DOCTOR_ERROR, "user", name,
                   "nothing is opened as root: what root may do says little, and files that root makes are root's",
                   "name the service's own user, --user NAME (--user root for a service that runs as root)", -1);
        return false;
    }
    doctor_say(d, DOCTOR_OK, "user", name, "looks, as the service would", NULL, -1);
    return true;
}
