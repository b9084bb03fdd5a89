/* SPDX-License-Identifier: Apache-2.0 */
/* Which constraint types a matcher may claim: all 256, one claim each, and never two answers for one type. */
#include "../../core/matchers.h"
#include "tap.h"

#include <tenuo/constraint.h>

static bool open_type(unsigned type)
{
    return type == TENUO_C_REGEX || type == TENUO_C_CEL || (type >= 128 && type <= 255 && type != TENUO_C_SHLEX);
}

static void every_type(void)
{
    unsigned wrong = 0;
    for (unsigned type = 1; type < 256; type++) {
        struct tenuo_matchers m = { 0 };
        const uint8_t types[] = { (uint8_t)type, 0 };
        const struct tenuo_matcher_ops ops = { .size = sizeof ops, .types = types };
        int self, code = tn_matchers_add(&m, &ops, &self, "conf:1", NULL);
        void *found = NULL;
        bool claimed = tn_matchers_find(&m, (uint8_t)type, &found) == &ops && found == &self;
        wrong += code != (open_type(type) ? TENUO_OK : TENUO_E_PLUGIN_PROTOCOL) || claimed != open_type(type);
    }
    is_int(wrong, 0, "255 types");
}

int main(void)
{
    struct tenuo_matchers m = { 0 };
    struct tenuo_error err = { 0 };
    static const uint8_t first_types[] = { TENUO_C_REGEX, 200, 0 }, second_types[] = { 201, 200, 0 }, none[] = { 0 };
    const struct tenuo_matcher_ops first = { .size = sizeof first, .types = first_types },
                                   second = { .types = second_types };
    const struct tenuo_matcher_ops empty = { .types = none }, missing = { .types = NULL };
    int one, two;
    void *self = &m;
    every_type();
    ok(tn_matchers_find(NULL, 200, &self) == NULL && tn_matchers_find(&m, 200, &self) == NULL, "no matcher");
    ok(self == &m, "output untouched");
    is_int(tn_matchers_add(&m, &first, &one, "a.conf:3", &err), TENUO_OK, "two types of one plugin");
    ok(tn_matchers_find(&m, TENUO_C_REGEX, &self) == &first && self == &one, "the first is its");
    ok(tn_matchers_find(&m, 200, &self) == &first && self == &one, "the second too");
    is_int(tn_matchers_add(&m, &second, &two, "b.conf:9", &err), TENUO_E_CONF, "a type that is taken");
    ok(strstr(err.msg, "a.conf:3") != NULL && strstr(err.msg, "b.conf:9") != NULL && strstr(err.msg, "200") != NULL,
       "says: %s", err.msg);
    ok(tn_matchers_find(&m, 200, &self) == &first && self == &one, "stays with who had it");
    is_int(tn_matchers_add(&m, &empty, &two, "c:1", &err), TENUO_E_PLUGIN_PROTOCOL, "no type at all");
    is_int(tn_matchers_add(&m, &missing, &two, "c:1", &err), TENUO_E_PLUGIN_PROTOCOL, "no list of types");
    return done_testing();
}
