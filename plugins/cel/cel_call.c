/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the parser: functions, whose surplus arguments are parsed and jumped over, and macros, which are unfolded
 * into loops.
 */
#include "cel_parse.h"

static uint32_t needed_args(const struct frame *f)
{
    const struct cel_function *function = tn_cel_function(f->n);
    if (function == NULL)
        return 0;
    if (function->args == CEL_ANY_ARGS)
        return UINT32_MAX;
    return function->args - (function->method && f->receiver ? 1u : 0u);
}

/* Arguments beyond what the function takes are not evaluated, as in the reference. */
bool tn_cel_begin_argument(struct parser *p, struct frame *f)
{
    if (f->count != needed_args(f))
        return true;
    f->patch = cel_here(p);
    f->height = (uint32_t)p->height;
    return tn_cel_emit(p, (struct cel_instr){ .op = OP_JUMP }, 0);
}

/* The pattern of matches(), when it is a literal: what was emitted last. */
static bool keep_pattern(struct parser *p)
{
    struct cel_program *program = p->program;
    const struct cel_instr *last = &program->code[program->ncode - 1];
    if (last->op != OP_CONST || !cel_is(&program->consts[last->a], CEL_STRING))
        return true;
    return tn_cel_keep_pattern(program, p->regex, &program->consts[last->a], p->fault);
}

bool tn_cel_end_call(struct parser *p, const struct frame *f)
{
    const struct cel_function *function = tn_cel_function(f->n);
    uint32_t needed = needed_args(f), given = f->count;
    bool bad = function == NULL || (given < needed && function->args != CEL_ANY_ARGS);
    if (given > needed) {
        p->program->code[f->patch].a = cel_here(p);
        p->height = f->height;
        bad |= function != NULL && function->call == tn_cel_optional_none; /* which takes none at all */
        given = needed;
    }
    if (!bad && function->call == tn_cel_matches && f->count == needed && !keep_pattern(p))
        return false;
    given += f->receiver;
    cel_operand_done(p);
    return tn_cel_emit(p,
                       (struct cel_instr){ .op = bad ? OP_BAD_CALL : OP_CALL, .n = f->n, .a = given, .b = f->receiver },
                       1 - (int)given);
}

/* At the '(' of a call. */
static bool call(struct parser *p, size_t function, bool receiver)
{
    struct frame f = { .kind = F_CALL, .n = (uint16_t)function, .receiver = receiver, .patch = NO_TARGET };
    bool empty = cel_token(p, 0)->args == 0;
    p->at++;
    if (empty) {
        p->at++;
        return tn_cel_end_call(p, &f);
    }
    return tn_cel_enter(p, f) && tn_cel_begin_argument(p, cel_top(p));
}

static bool plain_call(struct parser *p, struct tn_str name, bool dotted)
{
    if (!dotted && tn_str_eq(name, tn_lit("has")) && cel_token(p, 0)->args == 1) {
        p->at++;
        return tn_cel_enter(p, (struct frame){ .kind = F_HAS });
    }
    return call(p, dotted ? CEL_NO_FUNCTION : tn_cel_find_function(name, false), false);
}

bool tn_cel_parse_name(struct parser *p)
{
    bool dotted = cel_token(p, 0)->kind == T_DOT;
    const struct cel_token *t = cel_token(p, dotted);
    if (t->kind != T_IDENT)
        return tn_cel_refuse(p, "a name must follow '.'");
    p->at += 1u + dotted;
    return cel_token(p, 0)->kind == T_OPEN ? plain_call(p, cel_spelling(p, t), dotted) : tn_cel_parse_variable(p, t);
}

/* ---- macros ---- */

static enum cel_macro find_macro(struct tn_str name, uint32_t args)
{
    static const struct {
        const char *name;
        uint8_t macro, least, most;
    } macros[] = {
        { "all", MACRO_ALL, 2, 2 },
        { "exists", MACRO_EXISTS, 2, 2 },
        { "exists_one", MACRO_EXISTS_ONE, 2, 2 },
        { "existsOne", MACRO_EXISTS_ONE, 2, 2 },
        { "map", MACRO_MAP, 2, 3 },
        { "filter", MACRO_FILTER, 2, 2 },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(macros); i++)
        if (tn_str_eq(name, tn_lit(macros[i].name)) && args >= macros[i].least && args <= macros[i].most)
            return macros[i].macro;
    return MACRO_NONE;
}

/* The name of the loop variable, which may stand in parentheses, and the comma behind it. */
static bool loop_variable(struct parser *p, struct tn_str *ret)
{
    size_t parens = 0;
    while (cel_token(p, 0)->kind == T_OPEN) {
        parens++;
        p->at++;
    }
    if (cel_token(p, 0)->kind != T_IDENT || p->depth + parens > TN_CEL_MAX_DEPTH)
        return tn_cel_refuse(p, "the first argument of a macro must be a simple name");
    *ret = cel_spelling(p, cel_token(p, 0));
    p->at++;
    for (; parens > 0 && cel_token(p, 0)->kind == T_CLOSE; parens--)
        p->at++;
    if (parens > 0 || cel_token(p, 0)->kind != T_COMMA)
        return tn_cel_refuse(p, "the first argument of a macro must be a simple name");
    p->at++;
    return true;
}

/* At the '(' of a macro, the range on the value stack. */
static bool macro(struct parser *p, enum cel_macro kind)
{
    struct frame f = { .kind = F_MACRO, .macro = (uint8_t)kind, .level = p->level, .count = 1 };
    f.patch = cel_here(p);
    if (!tn_cel_emit(p, (struct cel_instr){ .op = OP_ITER, .n = (uint16_t)kind, .a = f.level }, -1))
        return false;
    f.start = cel_here(p);
    if (!tn_cel_emit(p, (struct cel_instr){ .op = OP_NEXT, .n = (uint16_t)kind, .a = f.level }, 0) ||
        !tn_cel_enter(p, f))
        return false;
    p->at++;
    if (!loop_variable(p, &cel_top(p)->var))
        return false;
    if (++p->level > p->program->levels)
        p->program->levels = p->level;
    return true;
}

/* The filter of a map with three arguments is complete. */
bool tn_cel_macro_comma(struct parser *p, struct frame *f)
{
    if (f->macro != MACRO_MAP || f->count != 1)
        return tn_cel_refuse(p, "a macro has too many arguments");
    f->count = 2;
    return tn_cel_emit(p, (struct cel_instr){ .op = OP_FILTER, .n = MACRO_MAP, .a = f->level, .b = f->start }, -1);
}

bool tn_cel_end_macro(struct parser *p, const struct frame *f)
{
    struct cel_instr *code = p->program->code;
    if (!tn_cel_emit(p, (struct cel_instr){ .op = OP_STEP, .n = f->macro, .a = f->level, .b = f->start }, -1))
        return false;
    code[f->patch].b = code[f->start].b = cel_here(p);
    p->level = f->level;
    cel_operand_done(p);
    return tn_cel_emit(p, (struct cel_instr){ .op = OP_DONE, .n = f->macro, .a = f->level }, 1);
}

/* ---- what follows an operand ---- */

/* optional.of(...): the name before the dot is no variable then, whatever variables there are. */
static size_t optional_function(struct parser *p, struct tn_str name)
{
    const struct cel_instr *last = p->ident == NO_TARGET ? NULL : &p->program->code[p->ident];
    struct tn_str space = { 0 };
    if (last == NULL)
        return CEL_NO_FUNCTION;
    if (last->op == OP_GLOBAL)
        space = (struct tn_str){ p->program->text.p + last->a, last->b };
    else
        for (size_t i = 0; i < p->nframes; i++)
            if (p->frames[i].kind == F_MACRO && p->frames[i].level == last->a)
                space = p->frames[i].var;
    return tn_str_eq(space, tn_lit("optional")) ? tn_cel_find_function(name, true) : CEL_NO_FUNCTION;
}

static bool member_call(struct parser *p, struct tn_str name)
{
    enum cel_macro kind = find_macro(name, cel_token(p, 0)->args);
    size_t function = optional_function(p, name);
    if (kind != MACRO_NONE)
        return macro(p, kind);
    if (function == CEL_NO_FUNCTION)
        return call(p, tn_cel_find_function(name, false), true);
    p->program->ncode--;
    p->height--;
    return call(p, function, false);
}

bool tn_cel_parse_member(struct parser *p)
{
    const struct cel_token *t = cel_token(p, 1);
    if (t->kind != T_IDENT)
        return tn_cel_refuse(p, "a name must follow '.'");
    p->at += 2;
    if (cel_token(p, 0)->kind == T_OPEN)
        return member_call(p, cel_spelling(p, t));
    cel_operand_done(p);
    p->select = cel_here(p);
    return tn_cel_emit(p, (struct cel_instr){ .op = OP_SELECT, .a = t->start, .b = t->len }, 0);
}

bool tn_cel_end_has(struct parser *p)
{
    if (p->select == NO_TARGET)
        return tn_cel_refuse(p, "has() takes a member, as in has(a.b)");
    p->program->code[p->select].op = OP_TEST;
    return true;
}
