/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: one line each, cut rather than lost, and nothing at all when nobody listens. */
#include "../../core/log.h"
#include "tap.h"

static int calls, level_seen;
static char seen[2048];
static void *arg_seen;

static void listen_to(void *arg, int level, const char *text)
{
    calls++;
    arg_seen = arg;
    level_seen = level;
    snprintf(seen, sizeof seen, "%s", text);
}

__attribute__((format(printf, 3, 4))) static void with_prefix(const struct tn_log *log, const char *prefix,
                                                              const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tn_vlog(log, 6, prefix, fmt, ap);
    va_end(ap);
}

int main(void)
{
    int mine;
    const struct tn_log log = { listen_to, &mine }, nobody = { NULL, NULL };
    static char long_text[4000];
    char text[] = "a\nb\x01\x7f\xc3\xa9\t";
    tn_log(&log, 4, "key '%s': %d", "agent", 7);
    is_str(seen, "key 'agent': 7", "formatted");
    is_int(level_seen, 4, "with its level");
    ok(arg_seen == &mine, "and the listener's argument");
    tn_log(&log, 6, "one\ntwo\r\x1b[31mred");
    is_str(seen, "one?two??[31mred", "never more than one line, nothing for a terminal");
    with_prefix(&log, "conf:3: ", "%s", "text");
    is_str(seen, "conf:3: text", "a prefix");
    memset(long_text, 'x', sizeof long_text - 1);
    tn_log(&log, 6, "%s", long_text);
    is_int((long long)strlen(seen), 1023, "a long line is cut");
    with_prefix(&log, long_text, "%s", "text");
    is_int((long long)strlen(seen), 1023, "a long prefix too");
    is_int(calls, 5, "one call a line");
    tn_log(&nobody, 3, "%s", "lost");
    tn_log(NULL, 3, "%s", "lost");
    is_int(calls, 5, "nobody listens: nothing happens");
    tn_log_clean(text);
    is_str(text, "a?b??\xc3\xa9?", "control characters alone are replaced");
    return done_testing();
}
