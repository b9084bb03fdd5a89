/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo doctor, what to do about it: from what a sentence names, else from its code. */
#include "doctor.h"

#include <string.h>

static bool has_word(const char *message, const char *const *words)
{
    for (; *words; words++)
        if (strstr(message, *words))
            return true;
    return false;
}

/* What the message itself asks for, or names well enough; NULL: neither. */
const char *doctor_known_remedy(const struct doctor *d, const char *message)
{
    static const char *const told[] = { "chmod ", "chown ", "make it with: ", "readlink -f", "give them name=",
                                        DOCTOR_POLICY_WORDS, NULL };
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
        return DOCTOR_COMPARE_CLOCKS;
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
const char *doctor_remedy(const struct doctor *d, int code, const char *message)
{
    const char *known = code == TENUO_E_KEY_NOT_FOUND ? NULL : doctor_known_remedy(d, message);
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

/* What a finding of the configuration says by itself is more than what its code does; most of these have none. */
const char *doctor_line_remedy(const struct doctor *d, const char *line)
{
    if (strstr(line, ": no ") && strstr(line, " line: "))
        return "add one, or go without it knowingly: tenuo.conf(5) has examples";
    if (strstr(line, "revocation_max_age is off"))
        return "set revocation_max_age to somewhat more than the time between two lists of the issuer";
    if (strstr(line, "has no section and gets"))
        return "is the name the one that the program uses? then an empty section, [NAME], says that this is meant";
    return doctor_remedy(d, TENUO_E_CONF, line);
}

const char *doctor_list_remedy(const struct doctor *d, const struct tenuo_probe *p)
{
    const char *known = doctor_known_remedy(d, p->message);
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
        return doctor_remedy(d, p->code, p->message);
    default:
        return "`tenuo srl verify` judges the list: its issuer has to be a root, or the issuer= of the line";
    }
}

const char *doctor_without_place(const char *message, const char *origin)
{
    size_t n = strlen(origin);
    return strncmp(message, origin, n) == 0 && strncmp(message + n, ": ", 2) == 0 ? message + n + 2 : message;
}
