/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens to a flat program in one pass, with a stack of open constructs of its own: operators by precedence, brackets,
 * conditionals. The grammar's nesting is counted as the reference counts it.
 */
#include "cel_parse.h"

#include <stdlib.h>

bool tn_cel_refuse(struct parser *p, const char *why)
{
    *p->fault = (struct cel_fault){ cel_token(p, 0)->start, why, false };
    return false;
}

bool tn_cel_emit(struct parser *p, struct cel_instr instr, int grows)
{
    if (p->program->ncode == p->cap)
        return tn_cel_refuse(p, "the expression is too large");
    p->program->code[p->program->ncode++] = instr;
    p->height = (size_t)((ptrdiff_t)p->height + grows);
    if (p->height > p->program->stack)
        p->program->stack = p->height;
    return true;
}

bool tn_cel_push(struct parser *p, struct frame frame)
{
    if (p->nframes == MAX_FRAMES)
        return tn_cel_refuse(p, "the expression nests too deep");
    frame.depth = p->depth;
    p->frames[p->nframes++] = frame;
    return true;
}

bool tn_cel_enter(struct parser *p, struct frame frame)
{
    if (!tn_cel_push(p, frame))
        return false;
    return ++p->depth <= TN_CEL_MAX_DEPTH || tn_cel_refuse(p, "the expression nests too deep");
}

/* ---- operators ---- */

static unsigned precedence(unsigned kind)
{
    switch (kind) {
    case T_OR:
        return 1;
    case T_AND:
        return 2;
    case T_IN:
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
        return 3;
    case T_PLUS:
    case T_MINUS:
        return 4;
    case T_STAR:
    case T_SLASH:
    case T_PERCENT:
        return 5;
    default:
        return 0;
    }
}

static unsigned frame_precedence(const struct frame *f)
{
    switch (f->kind) {
    case F_UNARY:
        return 6;
    case F_BINARY:
        return precedence(f->n);
    case F_AND:
        return 2;
    case F_OR:
        return 1;
    default:
        return 0;
    }
}

static bool finish_operator(struct parser *p, const struct frame *f)
{
    uint8_t op = f->kind == F_UNARY ? (f->n == T_NOT ? OP_NOT : OP_NEG)
                 : f->kind == F_AND ? OP_AND
                 : f->kind == F_OR  ? OP_OR
                                    : OP_BINARY;
    if (!tn_cel_emit(p, (struct cel_instr){ .op = op, .n = f->n }, f->kind == F_UNARY ? 0 : -1))
        return false;
    if (f->kind == F_AND || f->kind == F_OR)
        p->program->code[f->patch].a = cel_here(p);
    cel_operand_done(p);
    return true;
}

/* Completes open operators that bind at least as tightly as `least`, innermost first. */
static bool reduce(struct parser *p, unsigned least)
{
    while (p->nframes > 0 && frame_precedence(cel_top(p)) >= least) {
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
        if (p->nframes == 0 || cel_top(p)->kind != F_ELSE)
            return true;
        p->program->code[cel_top(p)->patch].a = cel_here(p);
        p->program->code[cel_top(p)->start].b = cel_here(p);
        p->depth = cel_top(p)->depth;
        p->nframes--;
        cel_operand_done(p);
    }
}

static bool binary(struct parser *p, unsigned kind)
{
    struct frame f = { .kind = kind == T_AND ? F_AND : kind == T_OR ? F_OR : F_BINARY, .n = (uint16_t)kind };
    if (!reduce(p, precedence(kind)))
        return false;
    f.patch = cel_here(p);
    if (kind == T_AND || kind == T_OR)
        if (!tn_cel_emit(p, (struct cel_instr){ .op = kind == T_AND ? OP_AND_LEFT : OP_OR_LEFT }, 0))
            return false;
    p->at++;
    return tn_cel_push(p, f);
}

static bool question(struct parser *p)
{
    struct frame f = { .kind = F_THEN };
    if (!reduce(p, 1))
        return false;
    if (p->nframes > 0 && cel_top(p)->kind == F_THEN)
        return tn_cel_refuse(p, "a conditional inside another one needs parentheses here");
    f.start = cel_here(p);
    if (!tn_cel_emit(p, (struct cel_instr){ .op = OP_TERNARY }, -1))
        return false;
    p->at++;
    return tn_cel_push(p, f);
}

static bool colon(struct parser *p)
{
    struct frame *f;
    if (!reduce_all(p))
        return false;
    f = cel_top(p);
    if (f != NULL && f->kind == F_KEY) {
        f->kind = F_VALUE;
        p->at++;
        return true;
    }
    if (f == NULL || f->kind != F_THEN)
        return tn_cel_refuse(p, "':' belongs to no '?' and to no map");
    f->kind = F_ELSE;
    f->patch = cel_here(p);
    if (!tn_cel_emit(p, (struct cel_instr){ .op = OP_JUMP }, -1))
        return false;
    p->program->code[f->start].a = cel_here(p);
    p->at++;
    return ++p->depth <= TN_CEL_MAX_DEPTH || tn_cel_refuse(p, "the expression nests too deep");
}

/* A construct whose last part is complete, or that is empty. */
static bool end_construct(struct parser *p, const struct frame *f)
{
    switch (f->kind) {
    case F_PAREN:
        return true;
    case F_HAS:
        return tn_cel_end_has(p);
    case F_CALL:
        return tn_cel_end_call(p, f);
    case F_MACRO:
        return tn_cel_end_macro(p, f);
    case F_INDEX:
        cel_operand_done(p);
        return tn_cel_emit(p, (struct cel_instr){ .op = OP_INDEX }, -1);
    case F_LIST:
        cel_operand_done(p);
        return tn_cel_emit(p, (struct cel_instr){ .op = OP_LIST, .a = f->count }, 1 - (int)f->count);
    default:
        cel_operand_done(p);
        return tn_cel_emit(p, (struct cel_instr){ .op = OP_MAP, .a = f->count }, 1 - 2 * (int)f->count);
    }
}

static unsigned closer_of(const struct frame *f)
{
    switch (f->kind) {
    case F_LIST:
    case F_INDEX:
        return T_LIST_END;
    case F_KEY:
    case F_VALUE:
        return T_MAP_END;
    case F_PAREN:
    case F_CALL:
    case F_HAS:
    case F_MACRO:
        return T_CLOSE;
    default:
        return T_END;
    }
}

static bool close_bracket(struct parser *p)
{
    struct frame f;
    if (!reduce_all(p))
        return false;
    if (p->nframes == 0 || closer_of(cel_top(p)) != cel_token(p, 0)->kind || cel_top(p)->kind == F_KEY)
        return tn_cel_refuse(p, "a bracket closes where something is missing");
    f = p->frames[--p->nframes];
    p->depth = f.depth;
    p->at++;
    f.count += f.kind == F_LIST || f.kind == F_VALUE || f.kind == F_CALL;
    return end_construct(p, &f);
}

/* After a comma that may be the last thing in a list or map. */
static bool maybe_end(struct parser *p)
{
    struct frame f = *cel_top(p);
    if (closer_of(&f) != cel_token(p, 0)->kind)
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
    f = cel_top(p);
    p->at++;
    if (f != NULL && f->kind == F_CALL) {
        f->count++;
        return tn_cel_begin_argument(p, f);
    }
    if (f != NULL && f->kind == F_MACRO)
        return tn_cel_macro_comma(p, f);
    if (f == NULL || (f->kind != F_LIST && f->kind != F_VALUE)) {
        p->at--;
        return tn_cel_refuse(p, "a comma is out of place");
    }
    f->count++;
    if (f->kind == F_VALUE)
        f->kind = F_KEY;
    *ret_operand = cel_token(p, 0)->kind == closer_of(f);
    return maybe_end(p);
}

/* '[' or '{' where an operand is due; [,] and {,} are empty too. */
static bool collection(struct parser *p, bool *ret_operand)
{
    bool list = cel_token(p, 0)->kind == T_LIST;
    unsigned closer = list ? T_LIST_END : T_MAP_END;
    struct frame f = { .kind = list ? F_LIST : F_KEY };
    size_t skip = cel_token(p, 1)->kind == T_COMMA && cel_token(p, 2)->kind == closer ? 2 : 1;
    if (cel_token(p, skip)->kind == closer) {
        p->at += skip + 1;
        *ret_operand = true;
        return end_construct(p, &f);
    }
    p->at++;
    return tn_cel_enter(p, f);
}

/* Where an operand is due. *ret_operand: it is complete. */
static bool want(struct parser *p, bool *ret_operand)
{
    size_t frames = p->nframes;
    switch (cel_token(p, 0)->kind) {
    case T_INT:
    case T_UINT:
    case T_DOUBLE:
    case T_STRING:
    case T_BYTES:
    case T_TRUE:
    case T_FALSE:
    case T_NULL:
        *ret_operand = true;
        return tn_cel_parse_literal(p, false);
    case T_MINUS:
    case T_NOT:
        if (!tn_cel_parse_sign(p))
            return false;
        *ret_operand = p->nframes == frames;
        return true;
    case T_OPEN:
        p->at++;
        return tn_cel_enter(p, (struct frame){ .kind = F_PAREN });
    case T_LIST:
    case T_MAP:
        return collection(p, ret_operand);
    case T_IDENT:
    case T_DOT:
        if (!tn_cel_parse_name(p))
            return false;
        *ret_operand = p->nframes == frames;
        return true;
    default:
        return tn_cel_refuse(p, "an operand is missing");
    }
}

/* Behind an operand. */
static bool after(struct parser *p, bool *ret_operand)
{
    size_t frames = p->nframes;
    unsigned kind = cel_token(p, 0)->kind;
    if (precedence(kind) > 0) {
        *ret_operand = false;
        return binary(p, kind);
    }
    switch (kind) {
    case T_DOT:
        if (!tn_cel_parse_member(p))
            return false;
        *ret_operand = p->nframes == frames;
        return true;
    case T_LIST:
        p->at++;
        *ret_operand = false;
        return tn_cel_enter(p, (struct frame){ .kind = F_INDEX });
    case T_QUESTION:
        *ret_operand = false;
        return question(p);
    case T_COLON:
        *ret_operand = false;
        return colon(p);
    case T_COMMA:
        *ret_operand = false;
        return comma(p, ret_operand);
    case T_CLOSE:
    case T_LIST_END:
    case T_MAP_END:
        return close_bracket(p);
    default:
        return tn_cel_refuse(p, "an operator is missing");
    }
}

static bool parse(struct parser *p)
{
    bool operand = false;
    p->depth = 1;
    while (!operand || cel_token(p, 0)->kind != T_END)
        if (!(operand ? after(p, &operand) : want(p, &operand)))
            return false;
    if (!reduce_all(p))
        return false;
    return p->nframes == 0 || tn_cel_refuse(p, "the expression ends too early");
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

struct cel_program *tn_cel_compile(struct tn_str text, const struct tn_regex_engine *regex, struct cel_fault *fault)
{
    struct cel_program *program = calloc(1, sizeof *program), *ret = NULL;
    struct parser *p = calloc(1, sizeof *p);
    if (program == NULL || p == NULL) {
        *fault = (struct cel_fault){ 0, "memory ran out", true };
        goto out;
    }
    tn_arena_init(&program->arena, 1024);
    p->program = program;
    p->regex = regex;
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
    tn_cel_drop_patterns(program);
    tn_arena_free(&program->arena);
    free(program);
}

size_t tn_cel_bytes(const struct cel_program *program)
{
    return sizeof *program + program->text.n + program->ncode * 2 * sizeof *program->code +
           program->nconsts * 2 * sizeof *program->consts + program->pattern_bytes;
}
