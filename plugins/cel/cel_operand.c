/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of the parser: literals, signs, and variables, of which those of loops are resolved here. */
#include "cel_parse.h"

static bool constant(struct parser *p, struct cel_value v)
{
    struct cel_instr instr = { .op = OP_CONST, .a = (uint32_t)p->program->nconsts };
    p->program->consts[p->program->nconsts++] = v;
    cel_operand_done(p);
    return tn_cel_emit(p, instr, 1);
}

bool tn_cel_parse_literal(struct parser *p, bool negative)
{
    const struct cel_token *t = cel_token(p, 0);
    struct cel_value v = { 0 };
    switch (t->kind) {
    case T_TRUE:
    case T_FALSE:
        v = cel_bool(t->kind == T_TRUE);
        break;
    case T_NULL:
        v = cel_null();
        break;
    default:
        if (!tn_cel_literal(t->kind, cel_spelling(p, t), negative, &p->program->arena, &v, p->fault)) {
            p->fault->at = t->start;
            return false;
        }
    }
    p->at++;
    return constant(p, v);
}

/* All signs of a run count as one: the reference takes --x for -x. A lone minus belongs to the number behind it. */
bool tn_cel_parse_sign(struct parser *p)
{
    unsigned kind = cel_token(p, 0)->kind;
    size_t run = 0;
    while (cel_token(p, run)->kind == kind)
        run++;
    p->at += run;
    if (kind == T_MINUS && run == 1 && (cel_token(p, 0)->kind == T_INT || cel_token(p, 0)->kind == T_DOUBLE))
        return tn_cel_parse_literal(p, true);
    if (cel_token(p, 0)->kind == T_MINUS || cel_token(p, 0)->kind == T_NOT)
        return tn_cel_refuse(p, "'-' and '!' do not mix: use parentheses");
    return tn_cel_push(p, (struct frame){ .kind = F_UNARY, .n = (uint16_t)kind });
}

/* The loop variable of this name, innermost first; NULL when it is none. */
static const struct frame *find_local(const struct parser *p, struct tn_str name)
{
    for (size_t i = p->nframes; i > 0; i--)
        if (p->frames[i - 1].kind == F_MACRO && tn_str_eq(p->frames[i - 1].var, name))
            return &p->frames[i - 1];
    return NULL;
}

bool tn_cel_parse_variable(struct parser *p, const struct cel_token *t)
{
    const struct frame *local = find_local(p, cel_spelling(p, t));
    struct cel_instr instr = { .op = OP_GLOBAL, .a = t->start, .b = t->len };
    if (local != NULL)
        instr = (struct cel_instr){ .op = OP_LOCAL, .a = local->level };
    cel_operand_done(p);
    p->ident = cel_here(p);
    return tn_cel_emit(p, instr, 1);
}
