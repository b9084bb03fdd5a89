/* SPDX-License-Identifier: Apache-2.0 */
/* optional.none, optional.of and what is asked of an optional. Their arguments are evaluated in any case. */
#include "cel.h"

static struct cel_value none(void)
{
    return (struct cel_value){ .kind = CEL_OPTIONAL };
}

struct cel_value tn_cel_optional_none(struct cel_call *c)
{
    (void)c;
    return none();
}

struct cel_value tn_cel_optional_of(struct cel_call *c)
{
    struct cel_value *inner = tn_cel_array(c->run, 1);
    if (inner == NULL)
        return cel_error(c->run->fatal);
    *inner = c->args[0];
    return (struct cel_value){ .kind = CEL_OPTIONAL, .items = inner };
}

static bool is_zero(const struct cel_value *v)
{
    switch (v->kind) {
    case CEL_NULL: return true;
    case CEL_BOOL: return !v->b;
    case CEL_INT: case CEL_UINT: return v->u == 0;
    case CEL_DOUBLE: return v->d == 0;
    case CEL_STRING: case CEL_BYTES: case CEL_LIST: case CEL_MAP: return v->n == 0;
    case CEL_DURATION: return v->i == 0 && v->n == 0;
    default: return false;
    }
}

struct cel_value tn_cel_optional_of_non_zero(struct cel_call *c)
{
    return is_zero(&c->args[0]) ? none() : tn_cel_optional_of(c);
}

static struct cel_value no_optional(void)
{
    return cel_error("a function of optionals takes an optional");
}

struct cel_value tn_cel_optional_value(struct cel_call *c)
{
    if (!cel_is(&c->args[0], CEL_OPTIONAL))
        return no_optional();
    return c->args[0].items == NULL ? cel_error("an optional holds no value") : *c->args[0].items;
}

struct cel_value tn_cel_optional_has_value(struct cel_call *c)
{
    return cel_is(&c->args[0], CEL_OPTIONAL) ? cel_bool(c->args[0].items != NULL) : no_optional();
}

struct cel_value tn_cel_optional_or(struct cel_call *c)
{
    if (!cel_is(&c->args[0], CEL_OPTIONAL))
        return no_optional();
    if (c->args[0].items != NULL)
        return c->args[0];
    return cel_is(&c->args[1], CEL_OPTIONAL) ? c->args[1] : no_optional();
}

struct cel_value tn_cel_optional_or_value(struct cel_call *c)
{
    if (!cel_is(&c->args[0], CEL_OPTIONAL))
        return no_optional();
    return c->args[0].items != NULL ? *c->args[0].items : c->args[1];
}
