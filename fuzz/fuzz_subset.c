/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promise of attenuation: when a child may replace its parent and the child matches a value, the parent matches it
 * too. The one exception is H-11 (constraints.md 9), where the parent errs in an earlier branch than the one that says
 * yes: it is recognised by judging the parent without regard to order, and counted apart.
 */
#include "fuzz.h"
#include "order_free.h"

static struct {
    bool started;
    unsigned long judged, accepted, matched, exceptions;
} count;

static void report(void)
{
    (void)printf("%lu pairs, %lu accepted, %lu of them matched by the child, %lu exceptions by order\n", count.judged,
                 count.accepted, count.matched, count.exceptions);
}

static void show(const char *what, const uint8_t *p, size_t len)
{
    (void)fprintf(stderr, "%s ", what);
    for (size_t i = 0; i < len; i++)
        (void)fprintf(stderr, "%02x", p[i]);
    (void)fputc('\n', stderr);
}

static void show_case(const struct tenuo_constraint *parent, const struct tenuo_constraint *child,
                      const struct tenuo_value *value)
{
    size_t n = 0;
    const uint8_t *p = tenuo_constraint_cbor(parent, &n);
    show("parent", p, n);
    p = tenuo_constraint_cbor(child, &n);
    show("child", p, n);
    p = tenuo_value_cbor(value, &n);
    show("value", p, n);
}

static void require_monotone(const struct tenuo_constraint *parent, const struct tenuo_constraint *child,
                             const struct tenuo_value *value)
{
    const struct tenuo_matchers *matchers = gen_matchers();
    int in_child = TENUO_NO_MATCH, in_parent = TENUO_NO_MATCH;
    count.judged++;
    if (tenuo_constraint_attenuates(parent, child, matchers, 0, NULL) != 0)
        return;
    count.accepted++;
    if (tenuo_constraint_match(child, value, matchers, 0, &in_child, NULL) != 0 || in_child != TENUO_MATCH)
        return;
    count.matched++;
    int rc = tenuo_constraint_match(parent, value, matchers, 0, &in_parent, NULL);
    if (rc == 0 && in_parent == TENUO_MATCH)
        return;
    if (rc != 0 && order_free_match(parent, value, matchers) == FREE_YES) {
        count.exceptions++;
        return;
    }
    show_case(parent, child, value);
    bool child_matches_what_its_parent_does_not = true;
    REQUIRE(!child_matches_what_its_parent_does_not);
}

static void judge(struct source p, struct source c, struct source v)
{
    struct tenuo_constraint *parent = NULL, *child = NULL;
    struct tenuo_value *value = NULL;
    if (tenuo_constraint_parse(p.p, p.len, &parent, NULL) == 0 &&
        tenuo_constraint_parse(c.p, c.len, &child, NULL) == 0 && tenuo_value_parse(v.p, v.len, &value, NULL) == 0)
        require_monotone(parent, child, value);
    tenuo_value_free(value);
    tenuo_constraint_free(child);
    tenuo_constraint_free(parent);
}

/* First byte even: three raw parts. Odd: the bytes choose among related constraints (gen.c). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source source = { data, size };
    if (!count.started)
        (void)atexit(report);
    count.started = true;
    if ((source_byte(&source) & 1) == 0) {
        struct source parent = source_part(&source), child = source_part(&source);
        judge(parent, child, source);
        return 0;
    }
    struct gen parent, child, value = { .len = 0 };
    gen_constraint(&parent, &source, 0);
    gen_narrowed(&child, &parent, &source);
    gen_value(&value, &source);
    judge((struct source){ parent.bytes, parent.len }, (struct source){ child.bytes, child.len },
          (struct source){ value.bytes, value.len });
    return 0;
}
