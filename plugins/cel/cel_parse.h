/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the parser: cel_parse.c drives it and owns operators and brackets, cel_operand.c literals and
 * names, cel_call.c functions and macros. A function that returns false has filled the fault.
 */
#ifndef TN_CEL_PARSE_H
#define TN_CEL_PARSE_H

#include "cel.h"

enum frame_kind {
    F_UNARY,
    F_BINARY,
    F_AND,
    F_OR,
    F_THEN,
    F_ELSE, /* operators */
    F_PAREN,
    F_LIST,
    F_KEY,
    F_VALUE,
    F_INDEX,
    F_CALL,
    F_HAS,
    F_MACRO
};

#define NO_TARGET UINT32_MAX

struct frame {
    uint8_t kind;
    uint8_t macro;
    uint16_t n;      /* operator, or function */
    uint32_t depth;  /* nesting outside */
    uint32_t count;  /* parts that are complete */
    uint32_t patch;  /* jump to complete */
    uint32_t start;  /* OP_NEXT of a loop */
    uint32_t height; /* of the value stack where skipped arguments begin */
    bool receiver;
    struct tn_str var; /* of a loop */
    uint32_t level;
};

/* Per level of nesting: or, and, relation, sum, product, unary, ternary and the construct itself. */
#define MAX_FRAMES (TN_CEL_MAX_DEPTH * 8 + 8)

struct parser {
    struct cel_program *program;
    struct cel_tokens tokens;
    const struct tn_regex_engine *regex;
    size_t at;
    size_t cap;    /* instructions */
    size_t height; /* of the value stack here */
    uint32_t depth, level;
    uint32_t select; /* the operand just read is this OP_SELECT or OP_TEST */
    uint32_t ident;  /* the operand just read is this name */
    struct frame frames[MAX_FRAMES];
    size_t nframes;
    struct cel_fault *fault;
};

/* The token k further on; T_END beyond the last. */
static inline const struct cel_token *cel_token(const struct parser *p, size_t k)
{
    size_t i = p->at + k;
    return &p->tokens.v[i < p->tokens.n ? i : p->tokens.n];
}

static inline struct tn_str cel_spelling(const struct parser *p, const struct cel_token *t)
{
    return (struct tn_str){ p->program->text.p + t->start, t->len };
}

static inline uint32_t cel_here(const struct parser *p)
{
    return (uint32_t)p->program->ncode;
}

static inline struct frame *cel_top(struct parser *p)
{
    return p->nframes > 0 ? &p->frames[p->nframes - 1] : NULL;
}

/* An operand is complete that is neither a member nor a name. */
static inline void cel_operand_done(struct parser *p)
{
    p->select = p->ident = NO_TARGET;
}

bool tn_cel_refuse(struct parser *p, const char *why);
/* Appends; `grows` is what it does to the height of the value stack. */
bool tn_cel_emit(struct parser *p, struct cel_instr instr, int grows);
bool tn_cel_push(struct parser *p, struct frame frame);
/* Likewise, for a construct with an expression of its own inside. */
bool tn_cel_enter(struct parser *p, struct frame frame);

/* cel_operand.c, each at its first token */
bool tn_cel_parse_literal(struct parser *p, bool negative);
bool tn_cel_parse_sign(struct parser *p);
bool tn_cel_parse_variable(struct parser *p, const struct cel_token *t);

/* cel_call.c: names and what may follow them; the commas and ends of calls and macros */
bool tn_cel_parse_name(struct parser *p);
bool tn_cel_parse_member(struct parser *p);
bool tn_cel_begin_argument(struct parser *p, struct frame *f);
bool tn_cel_macro_comma(struct parser *p, struct frame *f);
bool tn_cel_end_call(struct parser *p, const struct frame *f);
bool tn_cel_end_macro(struct parser *p, const struct frame *f);
bool tn_cel_end_has(struct parser *p);

#endif
