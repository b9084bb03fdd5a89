/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May one expression replace another? Only its own tokens may, or "(parent) && (more)". Compared is the spelling of
 * every token, so nothing inside a text can pass for a bracket or a blank (constraints.md H-1). Evaluates nothing.
 */
#include "cel.h"

#include <stdlib.h>

static bool same(struct tn_str a_text, const struct cel_token *a, struct tn_str b_text, const struct cel_token *b,
                 size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].kind != b[i].kind || !tn_str_eq((struct tn_str){ a_text.p + a[i].start, a[i].len },
                                                 (struct tn_str){ b_text.p + b[i].start, b[i].len }))
            return false;
    return true;
}

/* The reference counts every bracket of the second part, also those within texts: what it refuses is refused here. */
static bool counts_to(struct tn_str text, size_t from, size_t last)
{
    size_t open = 0;
    for (size_t i = from; i < last; i++) {
        if (text.p[i] == '(')
            open++;
        else if (text.p[i] == ')' && --open == 0)
            return false;
    }
    return open == 1;
}

/* ( parent ) && ( more ), where the last bracket of all closes the second one. */
static bool narrows(struct tn_str p_text, const struct cel_tokens *p, struct tn_str c_text, const struct cel_tokens *c)
{
    size_t second = p->n + 3;
    return c->n > second + 1 && c->v[0].kind == T_OPEN && c->v[0].mate == p->n + 1 &&
           same(p_text, p->v, c_text, c->v + 1, p->n) && c->v[p->n + 2].kind == T_AND &&
           c->v[second].kind == T_OPEN && c->v[second].mate == c->n - 1 &&
           counts_to(c_text, c->v[second].start, c->v[c->n - 1].start);
}

static bool refuse(struct cel_fault *fault, const char *why)
{
    *fault = (struct cel_fault){ 0, why, false };
    return false;
}

bool tn_cel_narrower(struct tn_str parent, struct tn_str child, struct cel_fault *fault)
{
    struct cel_tokens p = { 0 }, c = { 0 };
    struct cel_program *program = NULL;
    bool ok = false;
    if (!tn_cel_lex(parent, &p, fault) || !tn_cel_lex(child, &c, fault))
        goto out; /* brackets that do not pair are refused here */
    if (p.comments || c.comments)
        refuse(fault, "an expression with a comment can neither be narrowed nor narrow another");
    else if (p.n == c.n && same(parent, p.v, child, c.v, p.n))
        ok = true; /* also when neither compiles: such a pair is never true */
    else if (!narrows(parent, &p, child, &c))
        refuse(fault, "the child must be the parent's expression, or (parent) && (more)");
    else
        ok = (program = tn_cel_compile(child, NULL, fault)) != NULL;
out:
    tn_cel_free(program);
    free(p.v);
    free(c.v);
    return ok;
}
