/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of instants and durations. Months, days of the year and getDayOfMonth() count from 0, getDate() from 1,
 * all in the zone the instant was written with.
 */
#include "cel.h"

struct cel_value tn_cel_duration_of(struct cel_call *c)
{
    struct cel_value v;
    if (!cel_is(&c->args[0], CEL_STRING))
        return cel_error("duration() takes a text");
    tn_cel_charge(c->run, c->args[0].n / 16);
    return tn_cel_parse_duration(cel_str(&c->args[0]), &v) ? v : cel_error("a text is no duration");
}

struct cel_value tn_cel_time_of(struct cel_call *c)
{
    struct cel_value v;
    if (!cel_is(&c->args[0], CEL_STRING))
        return cel_error("timestamp() takes a text");
    tn_cel_charge(c->run, c->args[0].n / 16);
    return tn_cel_parse_time(cel_str(&c->args[0]), &v) ? v : cel_error("a text is no timestamp");
}

static bool civil_of(const struct cel_call *c, struct cel_civil *ret)
{
    const struct cel_value *v = &c->args[0];
    if (!cel_is(v, CEL_TIME))
        return false;
    *ret = tn_cel_civil(v->i + v->zone * 60);
    return true;
}

static struct cel_value no_time(void)
{
    return cel_error("a function of times takes a timestamp");
}

struct cel_value tn_cel_get_year(struct cel_call *c)
{
    struct cel_civil d;
    return civil_of(c, &d) ? cel_int(d.year) : no_time();
}

struct cel_value tn_cel_get_month(struct cel_call *c)
{
    struct cel_civil d;
    return civil_of(c, &d) ? cel_int(d.month - 1) : no_time();
}

struct cel_value tn_cel_get_day_of_year(struct cel_call *c)
{
    struct cel_civil d;
    return civil_of(c, &d) ? cel_int(d.day_of_year) : no_time();
}

struct cel_value tn_cel_get_day_of_month(struct cel_call *c)
{
    struct cel_civil d;
    return civil_of(c, &d) ? cel_int(d.day - 1) : no_time();
}

struct cel_value tn_cel_get_date(struct cel_call *c)
{
    struct cel_civil d;
    return civil_of(c, &d) ? cel_int(d.day) : no_time();
}

struct cel_value tn_cel_get_day_of_week(struct cel_call *c)
{
    struct cel_civil d;
    return civil_of(c, &d) ? cel_int(d.weekday) : no_time();
}

/* Whole units of a duration, towards zero, cut to 32 bits as the reference cuts them. */
static struct cel_value whole(const struct cel_value *d, int64_t seconds)
{
    int64_t s = d->i + (d->i < 0 && d->n > 0);
    return cel_int((int32_t)(uint32_t)(s / seconds));
}

struct cel_value tn_cel_get_hours(struct cel_call *c)
{
    struct cel_civil d;
    if (cel_is(&c->args[0], CEL_DURATION))
        return whole(&c->args[0], 3600);
    return civil_of(c, &d) ? cel_int(d.hour) : no_time();
}

struct cel_value tn_cel_get_minutes(struct cel_call *c)
{
    struct cel_civil d;
    if (cel_is(&c->args[0], CEL_DURATION))
        return whole(&c->args[0], 60);
    return civil_of(c, &d) ? cel_int(d.minute) : no_time();
}

struct cel_value tn_cel_get_seconds(struct cel_call *c)
{
    struct cel_civil d;
    if (cel_is(&c->args[0], CEL_DURATION))
        return whole(&c->args[0], 1);
    return civil_of(c, &d) ? cel_int(d.second) : no_time();
}

struct cel_value tn_cel_get_milliseconds(struct cel_call *c)
{
    const struct cel_value *v = &c->args[0];
    int64_t ms;
    if (cel_is(v, CEL_TIME))
        return cel_int(v->n / 1000000);
    if (!cel_is(v, CEL_DURATION))
        return no_time();
    ms = v->i * 1000 + v->n / 1000000; /* rounded down so far */
    ms += ms < 0 && v->n % 1000000 != 0;
    return cel_int((int32_t)(uint32_t)ms);
}
