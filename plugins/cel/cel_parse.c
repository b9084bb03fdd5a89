/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens to a flat program in one pass, with a stack of open constructs of its own: operators by precedence, macros
 * unfolded into loops, names of loop variables resolved. The grammar's nesting is counted as the reference counts it.
 */
#include "cel.h"

#include <stdlib.h>

enum frame_kind {
    F_UNARY, F_BINARY, F_AND, F_OR, F_THEN, F_ELSE, /* operators */
    F_PAREN, F_LIST, F_KEY, F_VALUE, F_INDEX, F_CALL, F_HAS, F_MACRO
};

#define NO_TARGET UINT32_MAX

struct frame {
    uint8_t kind;
    uint8_t macro;
    uint16_t n;        /* operator, or function */
    uint32_t depth;    /* nesting outside */
    uint32_t count;    /* parts that are complete */
    uint32_t patch;    /* jump to complete */
    uint32_t start;    /* OP_NEXT of a loop */
    uint32_t height;   /* of the value stack where skipped arguments begin */
    bool receiver;
    struct tn_str var; /* of a loop */
    uint32_t level;
};

/* Per level of nesting: or, and, relation, sum, product, unary, ternary and the construct itself. */
#define MAX_FRAMES (TN_CEL_MAX_DEPTH * 8 + 8)

struct parser {
    struct cel_program *program;
    struct cel_tokens tokens;
    size_t at;
    size_t cap;         /* instructions */
    size_t height;      /* of the value stack here */
    uint32_t depth, level;
    uint32_t select;    /* the operand just read is this OP_SELECT or OP_TEST */
    uint32_t ident;     /* the operand just read is this name */
    struct frame frames[MAX_FRAMES];
    size_t nframes;
    struct cel_fault *fault;
};

static const struct cel_token *token(const struct parser *p, size_t k)
{
    size_t i = p->at + k;
    return &p->tokens.v[i < p->tokens.n ? i : p->tokens.n];
}

static struct tn_str spelling(const struct parser *p, const struct cel_token *t)
{
    return (struct tn_str){ p->program->text.p + t->start, t->len };
}

static bool refuse(struct parser *p, const char *why)
{
    *p->fault = (struct cel_fault){ token(p, 0)->start, why, false };
    return false;
}

static uint32_t here(const struct parser *p)
{
    return (uint32_t)p->program->ncode;
}

/* Appends; `grows` is what it does to the height of the value stack. */
static bool emit(struct parser *p, struct cel_instr instr, int grows)
{
    if (p->program->ncode == p->cap)
        return refuse(p, "the expression is too large");
    p->program->code[p->program->ncode++] = instr;
    p->height = (size_t)((ptrdiff_t)p->height + grows);
    if (p->height > p->program->stack)
        p->program->stack = p->height;
    return true;
}

static bool push(struct parser *p, struct frame frame)
{
    if (p->nframes == MAX_FRAMES)
        return refuse(p, "the expression nests too deep");
    frame.depth = p->depth;
    p->frames[p->nframes++] = frame;
    return true;
}

/* A construct with an expression of its own inside. */
static bool enter(struct parser *p, struct frame frame)
{
    if (!push(p, frame))
        return false;
    return ++p->depth <= TN_CEL_MAX_DEPTH || refuse(p, "the expression nests too deep");
}

static struct frame *top(struct parser *p)
{
    return p->nframes > 0 ? &p->frames[p->nframes - 1] : NULL;
}

static void operand_done(struct parser *p)
{
    p->select = p->ident = NO_TARGET;
}

/* ---- operators ---- */

static unsigned precedence(unsigned kind)
{
    switch (kind) {
    case T_OR: return 1;
    case T_AND: return 2;
    case T_IN: case T_EQ: case T_NE: case T_LT: case T_LE: case T_GT: case T_GE: return 3;
    case T_PLUS: case T_MINUS: return 4;
    case T_STAR: case T_SLASH: case T_PERCENT: return 5;
    default: return 0;
    }
}

static unsigned frame_precedence(const struct frame *f)
{
    switch (f->kind) {
    case F_UNARY: return 6;
    case F_BINARY: return precedence(f->n);
    case F_AND: return 2;
    case F_OR: return 1;
    default: return 0;
    }
}

static bool finish_operator(struct parser *p, const struct frame *f)
{
    uint8_t op = f->kind == F_UNARY ? (f->n == T_NOT ? OP_NOT : OP_NEG)
                 : f->kind == F_AND ? OP_AND : f->kind == F_OR ? OP_OR : OP_BINARY;
    if (!emit(p, (struct cel_instr){ .op = op, .n = f->n }, f->kind == F_UNARY ? 0 : -1))
        return false;
    if (f->kind == F_AND || f->kind == F_OR)
        p->program->code[f->patch].a = here(p);
    operand_done(p);
    return true;
}

/* Completes open operators that bind at least as tightly as `least`, innermost first. */
static bool reduce(struct parser *p, unsigned least)
{
    while (p->nframes > 0 && frame_precedence(top(p)) >= least) {
        struct frame f = p->frames[--p->nframes];
        if (!finish_operator(p, &f))
            return false;
    }
    return true;
}

/* Completes everything up to the innermost construct, the else branches of conditionals included. */
static bool reduce_all(struct parser *p)
{
    for (;;) {
        if (!reduce(p, 1))
            return false;
        if (p->nframes == 0 || top(p)->kind != F_ELSE)
            return true;
        p->program->code[top(p)->patch].a = here(p);
        p->program->code[top(p)->start].b = here(p);
        p->depth = top(p)->depth;
        p->nframes--;
        operand_done(p);
    }
}

static bool binary(struct parser *p, unsigned kind)
{
    struct frame f = { .kind = kind == T_AND ? F_AND : kind == T_OR ? F_OR : F_BINARY, .n = (uint16_t)kind };
    if (!reduce(p, precedence(kind)))
        return false;
    f.patch = here(p);
    if (kind == T_AND || kind == T_OR)
        if (!emit(p, (struct cel_instr){ .op = kind == T_AND ? OP_AND_LEFT : OP_OR_LEFT }, 0))
            return false;
    p->at++;
    return push(p, f);
}

static bool question(struct parser *p)
{
    struct frame f = { .kind = F_THEN };
    if (!reduce(p, 1))
        return false;
    if (p->nframes > 0 && top(p)->kind == F_THEN)
        return refuse(p, "a conditional inside another one needs parentheses here");
    f.start = here(p);
    if (!emit(p, (struct cel_instr){ .op = OP_TERNARY }, -1))
        return false;
    p->at++;
    return push(p, f);
}

static bool colon(struct parser *p)
{
    struct frame *f;
    if (!reduce_all(p))
        return false;
    f = top(p);
    if (f != NULL && f->kind == F_KEY) {
        f->kind = F_VALUE;
        p->at++;
        return true;
    }
    if (f == NULL || f->kind != F_THEN)
        return refuse(p, "':' belongs to no '?' and to no map");
    f->kind = F_ELSE;
    f->patch = here(p);
    if (!emit(p, (struct cel_instr){ .op = OP_JUMP }, -1))
        return false;
    p->program->code[f->start].a = here(p);
    p->at++;
    return ++p->depth <= TN_CEL_MAX_DEPTH || refuse(p, "the expression nests too deep");
}

/* ---- operands ---- */

static bool constant(struct parser *p, struct cel_value v)
{
    struct cel_instr instr = { .op = OP_CONST, .a = (uint32_t)p->program->nconsts };
    p->program->consts[p->program->nconsts++] = v;
    operand_done(p);
    return emit(p, instr, 1);
}

static bool literal(struct parser *p, bool negative)
{
    const struct cel_token *t = token(p, 0);
    struct cel_value v = { 0 };
    switch (t->kind) {
    case T_TRUE: case T_FALSE: v = cel_bool(t->kind == T_TRUE); break;
    case T_NULL: v = cel_null(); break;
    default:
        if (!tn_cel_literal(t->kind, spelling(p, t), negative, &p->program->arena, &v, p->fault)) {
            p->fault->at = t->start;
            return false;
        }
    }
    p->at++;
    return constant(p, v);
}

/* All signs of a run count as one: the reference takes --x for -x. A lone minus belongs to the number behind it. */
static bool sign(struct parser *p)
{
    unsigned kind = token(p, 0)->kind;
    size_t run = 0;
    while (token(p, run)->kind == kind)
        run++;
    p->at += run;
    if (kind == T_MINUS && run == 1 && (token(p, 0)->kind == T_INT || token(p, 0)->kind == T_DOUBLE))
        return literal(p, true);
    if (token(p, 0)->kind == T_MINUS || token(p, 0)->kind == T_NOT)
        return refuse(p, "'-' and '!' do not mix: use parentheses");
    return push(p, (struct frame){ .kind = F_UNARY, .n = (uint16_t)kind });
}

/* The loop variable of this name, innermost first; NULL when it is none. */
static const struct frame *find_local(const struct parser *p, struct tn_str name)
{
    for (size_t i = p->nframes; i > 0; i--)
        if (p->frames[i - 1].kind == F_MACRO && tn_str_eq(p->frames[i - 1].var, name))
            return &p->frames[i - 1];
    return NULL;
}

static bool variable(struct parser *p, const struct cel_token *t)
{
    const struct frame *local = find_local(p, spelling(p, t));
    struct cel_instr instr = { .op = OP_GLOBAL, .a = t->start, .b = t->len };
    if (local != NULL)
        instr = (struct cel_instr){ .op = OP_LOCAL, .a = local->level };
    operand_done(p);
    p->ident = here(p);
    return emit(p, instr, 1);
}

/* ---- calls ---- */

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
static bool begin_argument(struct parser *p, struct frame *f)
{
    if (f->count != needed_args(f))
        return true;
    f->patch = here(p);
    f->height = (uint32_t)p->height;
    return emit(p, (struct cel_instr){ .op = OP_JUMP }, 0);
}

static bool end_call(struct parser *p, const struct frame *f)
{
    const struct cel_function *function = tn_cel_function(f->n);
    uint32_t needed = needed_args(f), given = f->count;
    bool bad = function == NULL || (given < needed && function->args != CEL_ANY_ARGS);
    if (given > needed) {
        p->program->code[f->patch].a = here(p);
        p->height = f->height;
        bad |= function != NULL && function->call == tn_cel_optional_none; /* which takes none at all */
        given = needed;
    }
    given += f->receiver;
    operand_done(p);
    return emit(p, (struct cel_instr){ .op = bad ? OP_BAD_CALL : OP_CALL, .n = f->n, .a = given, .b = f->receiver },
                1 - (int)given);
}

/* At the '(' of a call. */
static bool call(struct parser *p, size_t function, bool receiver)
{
    struct frame f = { .kind = F_CALL, .n = (uint16_t)function, .receiver = receiver, .patch = NO_TARGET };
    bool empty = token(p, 0)->args == 0;
    p->at++;
    if (empty) {
        p->at++;
        return end_call(p, &f);
    }
    return enter(p, f) && begin_argument(p, top(p));
}

static bool plain_call(struct parser *p, struct tn_str name, bool dotted)
{
    if (!dotted && tn_str_eq(name, tn_lit("has")) && token(p, 0)->args == 1) {
        p->at++;
        return enter(p, (struct frame){ .kind = F_HAS });
    }
    return call(p, dotted ? CEL_NO_FUNCTION : tn_cel_find_function(name, false), false);
}

static bool name(struct parser *p)
{
    bool dotted = token(p, 0)->kind == T_DOT;
    const struct cel_token *t = token(p, dotted);
    if (t->kind != T_IDENT)
        return refuse(p, "a name must follow '.'");
    p->at += 1u + dotted;
    return token(p, 0)->kind == T_OPEN ? plain_call(p, spelling(p, t), dotted) : variable(p, t);
}

/* ---- macros ---- */

static enum cel_macro find_macro(struct tn_str name, uint32_t args)
{
    static const struct {
        const char *name;
        uint8_t macro, least, most;
    } macros[] = {
        { "all", MACRO_ALL, 2, 2 }, { "exists", MACRO_EXISTS, 2, 2 }, { "exists_one", MACRO_EXISTS_ONE, 2, 2 },
        { "existsOne", MACRO_EXISTS_ONE, 2, 2 }, { "map", MACRO_MAP, 2, 3 }, { "filter", MACRO_FILTER, 2, 2 },
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
    while (token(p, 0)->kind == T_OPEN) {
        parens++;
        p->at++;
    }
    if (token(p, 0)->kind != T_IDENT || p->depth + parens > TN_CEL_MAX_DEPTH)
        return refuse(p, "the first argument of a macro must be a simple name");
    *ret = spelling(p, token(p, 0));
    p->at++;
    for (; parens > 0 && token(p, 0)->kind == T_CLOSE; parens--)
        p->at++;
    if (parens > 0 || token(p, 0)->kind != T_COMMA)
        return refuse(p, "the first argument of a macro must be a simple name");
    p->at++;
    return true;
}

/* At the '(' of a macro, the range on the value stack. */
static bool macro(struct parser *p, enum cel_macro kind)
{
    struct frame f = { .kind = F_MACRO, .macro = kind, .level = p->level, .count = 1 };
    f.patch = here(p);
    if (!emit(p, (struct cel_instr){ .op = OP_ITER, .n = kind, .a = f.level }, -1))
        return false;
    f.start = here(p);
    if (!emit(p, (struct cel_instr){ .op = OP_NEXT, .n = kind, .a = f.level }, 0) || !enter(p, f))
        return false;
    p->at++;
    if (!loop_variable(p, &top(p)->var))
        return false;
    if (++p->level > p->program->levels)
        p->program->levels = p->level;
    return true;
}

/* The filter of a map with three arguments is complete. */
static bool macro_comma(struct parser *p, struct frame *f)
{
    if (f->macro != MACRO_MAP || f->count != 1)
        return refuse(p, "a macro has too many arguments");
    f->count = 2;
    return emit(p, (struct cel_instr){ .op = OP_FILTER, .n = MACRO_MAP, .a = f->level, .b = f->start }, -1);
}

static bool end_macro(struct parser *p, const struct frame *f)
{
    struct cel_instr *code = p->program->code;
    if (!emit(p, (struct cel_instr){ .op = OP_STEP, .n = f->macro, .a = f->level, .b = f->start }, -1))
        return false;
    code[f->patch].b = code[f->start].b = here(p);
    p->level = f->level;
    operand_done(p);
    return emit(p, (struct cel_instr){ .op = OP_DONE, .n = f->macro, .a = f->level }, 1);
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
    enum cel_macro kind = find_macro(name, token(p, 0)->args);
    size_t function = optional_function(p, name);
    if (kind != MACRO_NONE)
        return macro(p, kind);
    if (function == CEL_NO_FUNCTION)
        return call(p, tn_cel_find_function(name, false), true);
    p->program->ncode--;
    p->height--;
    return call(p, function, false);
}

static bool member(struct parser *p)
{
    const struct cel_token *t = token(p, 1);
    if (t->kind != T_IDENT)
        return refuse(p, "a name must follow '.'");
    p->at += 2;
    if (token(p, 0)->kind == T_OPEN)
        return member_call(p, spelling(p, t));
    operand_done(p);
    p->select = here(p);
    return emit(p, (struct cel_instr){ .op = OP_SELECT, .a = t->start, .b = t->len }, 0);
}

static bool end_has(struct parser *p)
{
    if (p->select == NO_TARGET)
        return refuse(p, "has() takes a member, as in has(a.b)");
    p->program->code[p->select].op = OP_TEST;
    return true;
}

/* A construct whose last part is complete, or that is empty. */
static bool end_construct(struct parser *p, const struct frame *f)
{
    switch (f->kind) {
    case F_PAREN: return true;
    case F_HAS: return end_has(p);
    case F_CALL: return end_call(p, f);
    case F_MACRO: return end_macro(p, f);
    case F_INDEX: operand_done(p); return emit(p, (struct cel_instr){ .op = OP_INDEX }, -1);
    case F_LIST:
        operand_done(p);
        return emit(p, (struct cel_instr){ .op = OP_LIST, .a = f->count }, 1 - (int)f->count);
    default:
        operand_done(p);
        return emit(p, (struct cel_instr){ .op = OP_MAP, .a = f->count }, 1 - 2 * (int)f->count);
    }
}

static unsigned closer_of(const struct frame *f)
{
    switch (f->kind) {
    case F_LIST: case F_INDEX: return T_LIST_END;
    case F_KEY: case F_VALUE: return T_MAP_END;
    case F_PAREN: case F_CALL: case F_HAS: case F_MACRO: return T_CLOSE;
    default: return T_END;
    }
}

static bool close_bracket(struct parser *p)
{
    struct frame f;
    if (!reduce_all(p))
        return false;
    if (p->nframes == 0 || closer_of(top(p)) != token(p, 0)->kind || top(p)->kind == F_KEY)
        return refuse(p, "a bracket closes where something is missing");
    f = p->frames[--p->nframes];
    p->depth = f.depth;
    p->at++;
    f.count += f.kind == F_LIST || f.kind == F_VALUE || f.kind == F_CALL;
    return end_construct(p, &f);
}

/* After a comma that may be the last thing in a list or map. */
static bool maybe_end(struct parser *p)
{
    struct frame f = *top(p);
    if (closer_of(&f) != token(p, 0)->kind)
        return true;
    p->nframes--;
    p->depth = f.depth;
    p->at++;
    return end_construct(p, &f);
}

static bool comma(struct parser *p, bool *ret_operand)
{
    struct frame *f;
    if (!reduce_all(p))
        return false;
    f = top(p);
    p->at++;
    if (f != NULL && f->kind == F_CALL) {
        f->count++;
        return begin_argument(p, f);
    }
    if (f != NULL && f->kind == F_MACRO)
        return macro_comma(p, f);
    if (f == NULL || (f->kind != F_LIST && f->kind != F_VALUE)) {
        p->at--;
        return refuse(p, "a comma is out of place");
    }
    f->count++;
    if (f->kind == F_VALUE)
        f->kind = F_KEY;
    *ret_operand = token(p, 0)->kind == closer_of(f);
    return maybe_end(p);
}

/* '[' or '{' where an operand is due; [,] and {,} are empty too. */
static bool collection(struct parser *p, bool *ret_operand)
{
    bool list = token(p, 0)->kind == T_LIST;
    unsigned closer = list ? T_LIST_END : T_MAP_END;
    struct frame f = { .kind = list ? F_LIST : F_KEY };
    size_t skip = token(p, 1)->kind == T_COMMA && token(p, 2)->kind == closer ? 2 : 1;
    if (token(p, skip)->kind == closer) {
        p->at += skip + 1;
        *ret_operand = true;
        return end_construct(p, &f);
    }
    p->at++;
    return enter(p, f);
}

/* Where an operand is due. *ret_operand: it is complete. */
static bool want(struct parser *p, bool *ret_operand)
{
    size_t frames = p->nframes;
    switch (token(p, 0)->kind) {
    case T_INT: case T_UINT: case T_DOUBLE: case T_STRING: case T_BYTES: case T_TRUE: case T_FALSE: case T_NULL:
        *ret_operand = true;
        return literal(p, false);
    case T_MINUS: case T_NOT:
        if (!sign(p))
            return false;
        *ret_operand = p->nframes == frames;
        return true;
    case T_OPEN:
        p->at++;
        return enter(p, (struct frame){ .kind = F_PAREN });
    case T_LIST: case T_MAP:
        return collection(p, ret_operand);
    case T_IDENT: case T_DOT:
        if (!name(p))
            return false;
        *ret_operand = p->nframes == frames;
        return true;
    default:
        return refuse(p, "an operand is missing");
    }
}

/* Behind an operand. */
static bool after(struct parser *p, bool *ret_operand)
{
    size_t frames = p->nframes;
    unsigned kind = token(p, 0)->kind;
    if (precedence(kind) > 0) {
        *ret_operand = false;
        return binary(p, kind);
    }
    switch (kind) {
    case T_DOT:
        if (!member(p))
            return false;
        *ret_operand = p->nframes == frames;
        return true;
    case T_LIST:
        p->at++;
        *ret_operand = false;
        return enter(p, (struct frame){ .kind = F_INDEX });
    case T_QUESTION:
        *ret_operand = false;
        return question(p);
    case T_COLON:
        *ret_operand = false;
        return colon(p);
    case T_COMMA:
        *ret_operand = false;
        return comma(p, ret_operand);
    case T_CLOSE: case T_LIST_END: case T_MAP_END:
        return close_bracket(p);
    default:
        return refuse(p, "an operator is missing");
    }
}

static bool parse(struct parser *p)
{
    bool operand = false;
    p->depth = 1;
    while (!operand || token(p, 0)->kind != T_END)
        if (!(operand ? after(p, &operand) : want(p, &operand)))
            return false;
    if (!reduce_all(p))
        return false;
    return p->nframes == 0 || refuse(p, "the expression ends too early");
}

/* At most two instructions a token, see macro() and call(). */
static bool make_room(struct parser *p, struct tn_str text)
{
    struct cel_program *program = p->program;
    uint8_t *copy = tn_arena_alloc(&program->arena, text.n + 1);
    p->cap = p->tokens.n * 2 + 8;
    program->code = tn_arena_array(&program->arena, p->cap, sizeof *program->code);
    program->consts = tn_arena_array(&program->arena, p->tokens.n + 1, sizeof *program->consts);
    if (copy == NULL || program->code == NULL || program->consts == NULL)
        return false;
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    program->text = (struct tn_str){ copy, text.n };
    return true;
}

struct cel_program *tn_cel_compile(struct tn_str text, struct cel_fault *fault)
{
    struct cel_program *program = calloc(1, sizeof *program), *ret = NULL;
    struct parser *p = calloc(1, sizeof *p);
    if (program == NULL || p == NULL) {
        *fault = (struct cel_fault){ 0, "memory ran out", true };
        goto out;
    }
    tn_arena_init(&program->arena, 1024);
    p->program = program;
    p->fault = fault;
    if (!tn_cel_lex(text, &p->tokens, fault))
        goto out;
    if (!make_room(p, text)) {
        *fault = (struct cel_fault){ 0, "memory ran out", true };
        goto out;
    }
    if (!parse(p))
        goto out;
    ret = program;
    program = NULL;
out:
    if (p != NULL)
        free(p->tokens.v);
    free(p);
    tn_cel_free(program);
    return ret;
}

void tn_cel_free(struct cel_program *program)
{
    if (program == NULL)
        return;
    tn_arena_free(&program->arena);
    free(program);
}

size_t tn_cel_bytes(const struct cel_program *program)
{
    return sizeof *program + program->text.n + program->ncode * 2 * sizeof *program->code +
           program->nconsts * 2 * sizeof *program->consts;
}
