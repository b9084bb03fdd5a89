/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way out for log lines: the application's callback. The library never prints and never opens syslog. Nobody
 * may hand a key, a seed, a token, an argument value or a whole warrant to it: ids and lengths only.
 */
#ifndef TN_LOG_H
#define TN_LOG_H

#include <stdarg.h>
#include <tenuo/context.h>

struct tn_log {
    tenuo_log_fn *fn; /* NULL: nobody listens */
    void *arg;
};

void tn_log(const struct tn_log *log, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void tn_vlog(const struct tn_log *log, int level, const char *prefix, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));
/* Makes one line of it: control characters become '?'. */
void tn_log_clean(char *text);

#endif
