/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that Tenuo adds: time as the decision knows it, addresses, the whole object. Where the reference takes
 * an argument that it cannot read for "no", these are errors (constraints.md H-10).
 */
#include "cel.h"

#include "../../core/match.h"

struct cel_value tn_cel_time_now(struct cel_call *c)
{
    struct cel_value now = { .kind = CEL_TIME, .i = c->run->as_of };
    struct cel_call text = { c->run, &now, 1 };
    if (now.i < -62135596800 || now.i > 253402300799)
        return cel_error("the time of the decision has no RFC 3339 text");
    return tn_cel_string(&text);
}

static bool instant(const struct cel_call *c, struct cel_value *ret)
{
    tn_cel_charge(c->run, cel_is(&c->args[0], CEL_STRING) ? c->args[0].n / 16 : 0);
    return cel_is(&c->args[0], CEL_STRING) && tn_cel_parse_time(cel_str(&c->args[0]), ret);
}

static struct cel_value no_instant(void)
{
    return cel_error("time_is_expired() and time_since() take an RFC 3339 text");
}

struct cel_value tn_cel_time_is_expired(struct cel_call *c)
{
    struct cel_value t;
    return instant(c, &t) ? cel_bool(t.i < c->run->as_of) : no_instant();
}

/* Whole seconds, towards zero; negative for an instant that is still to come. */
struct cel_value tn_cel_time_since(struct cel_call *c)
{
    struct cel_value t;
    int64_t seconds;
    if (!instant(c, &t))
        return no_instant();
    if (__builtin_sub_overflow(c->run->as_of, t.i, &seconds))
        return cel_error("the time of the decision is out of range");
    return cel_int(seconds - (t.n > 0 && seconds > 0));
}

struct cel_value tn_cel_net_in_cidr(struct cel_call *c)
{
    struct tn_cidr net;
    enum tn_match m;
    if (!cel_is(&c->args[0], CEL_STRING) || !cel_is(&c->args[1], CEL_STRING) ||
        !tn_cidr_parse(cel_str(&c->args[1]), &net))
        return cel_error("net_in_cidr() takes an IP address and a network");
    m = tn_cidr_match(&net, cel_str(&c->args[0]));
    return m == TN_ERROR ? cel_error("net_in_cidr() takes an IP address and a network") : cel_bool(m == TN_TRUE);
}

/* The three networks of RFC 1918 and fc00::/7; nothing else is private here. */
struct cel_value tn_cel_net_is_private(struct cel_call *c)
{
    uint8_t a[16];
    int family = cel_is(&c->args[0], CEL_STRING) ? tn_ip_parse(cel_str(&c->args[0]), a) : 0;
    if (family == 0)
        return cel_error("net_is_private() takes an IP address");
    if (family == 6)
        return cel_bool((a[0] & 0xfe) == 0xfc);
    return cel_bool(a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168));
}

struct cel_value tn_cel_tenuo_object(struct cel_call *c)
{
    return cel_is(&c->run->value, CEL_MAP) ? c->run->value : cel_error("tenuo_object() needs an object as the value");
}
