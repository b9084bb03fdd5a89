/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack machine. An error is a value, so that && and || can absorb it; running out of the budget is not: it ends
 * the run. Macros over maps, whose order the reference leaves to chance, answer only what no order could change.
 */
#include "cel.h"

#include <tenuo/error.h>

struct loop {
    struct cel_value range, var, result;
    uint32_t at, n, stride;
    uint32_t found;         /* exists_one: matches; map and filter: elements of the result */
    uint32_t cap;
    struct cel_value *list; /* map and filter */
};

struct machine {
    const struct cel_program *program;
    struct cel_run *run;
    struct cel_value *stack;
    size_t n;
    struct loop *loops;
};

struct cel_value tn_cel_fatal(struct cel_run *run, const char *why)
{
    if (run->fatal == NULL)
        run->fatal = why;
    return cel_error(why);
}

bool tn_cel_charge(struct cel_run *run, uint64_t steps)
{
    if (run->fatal != NULL)
        return false;
    if (steps > run->steps) {
        tn_cel_fatal(run, "the expression takes too many steps");
        return false;
    }
    run->steps -= steps;
    return true;
}

void *tn_cel_alloc(struct cel_run *run, size_t size)
{
    void *p;
    if (size > run->bytes) {
        tn_cel_fatal(run, "the expression takes too much memory");
        return NULL;
    }
    run->bytes -= size;
    p = tn_arena_alloc(&run->arena, size == 0 ? 1 : size);
    if (p == NULL) {
        run->nomem = true;
        tn_cel_fatal(run, "memory ran out");
    }
    return p;
}

struct cel_value *tn_cel_array(struct cel_run *run, size_t n)
{
    size_t size;
    if (!tn_mul_size(n, sizeof(struct cel_value), &size)) {
        tn_cel_fatal(run, "the expression takes too much memory");
        return NULL;
    }
    return tn_cel_alloc(run, size);
}

static struct tn_str name_of(const struct machine *m, const struct cel_instr *i)
{
    return (struct tn_str){ m->program->text.p + i->a, i->b };
}

/* The parser has counted how high the stack gets; a wrong count must not write beyond it. */
static void push(struct machine *m, struct cel_value v)
{
    if (m->n > m->program->stack)
        tn_cel_fatal(m->run, "the value stack is too low");
    else
        m->stack[m->n++] = v;
}

static struct cel_value *top(struct machine *m)
{
    return &m->stack[m->n - 1];
}

/* The keys of an object are the variables; any other value is the one variable "value". */
static struct cel_value global(const struct machine *m, struct tn_str name)
{
    const struct cel_value *v = &m->run->value;
    if (!cel_is(v, CEL_MAP))
        return tn_str_eq(name, tn_lit("value")) ? *v : cel_error("a variable is not defined");
    v = tn_cel_lookup_name(v, name);
    return v == NULL ? cel_error("a variable is not defined") : *v;
}

/* The first error among the topmost n, or NULL. */
static const struct cel_value *error_among(const struct machine *m, size_t n)
{
    for (size_t i = m->n - n; i < m->n; i++)
        if (cel_is(&m->stack[i], CEL_ERROR))
            return &m->stack[i];
    return NULL;
}

static struct cel_value make_list(struct machine *m, const struct cel_value *items, size_t n)
{
    struct cel_value *copy = tn_cel_array(m->run, n);
    if (copy == NULL || !tn_cel_charge(m->run, n))
        return cel_error(m->run->fatal);
    if (n > 0)
        memcpy(copy, items, n * sizeof *copy);
    return (struct cel_value){ .kind = CEL_LIST, .n = (uint32_t)n, .items = copy };
}

static void collect(struct machine *m, const struct cel_instr *i)
{
    size_t n = i->op == OP_MAP ? (size_t)i->a * 2 : i->a;
    const struct cel_value *bad = error_among(m, n);
    struct cel_value v;
    if (bad != NULL) {
        v = *bad;
    } else {
        v = make_list(m, m->stack + m->n - n, n);
        if (i->op == OP_MAP && cel_is(&v, CEL_LIST))
            v = tn_cel_map(m->run, (struct cel_value *)(uintptr_t)v.items, i->a);
    }
    m->n -= n;
    push(m, v);
}

static void call(struct machine *m, const struct cel_instr *i)
{
    const struct cel_function *function = tn_cel_function(i->n);
    const struct cel_value *bad = error_among(m, i->a);
    struct cel_value v;
    if (i->op == OP_BAD_CALL || function == NULL) {
        v = cel_error("a call of no function, or with too few arguments");
    } else if (bad != NULL) {
        v = *bad;
    } else {
        size_t skip = i->b != 0 && !function->method; /* its receiver is evaluated and forgotten */
        struct cel_call c = { m->run, m->stack + m->n - i->a + skip, i->a - skip };
        v = function->call(&c);
    }
    m->n -= i->a;
    push(m, v);
}

/* false && x is false whatever x is, and so is x && false; the same with true for ||. */
static struct cel_value join(const struct cel_value *a, const struct cel_value *b, bool absorbing)
{
    bool a_bool = cel_is(a, CEL_BOOL), b_bool = cel_is(b, CEL_BOOL);
    if ((a_bool && a->b == absorbing) || (b_bool && b->b == absorbing))
        return cel_bool(absorbing);
    if (a_bool && b_bool)
        return cel_bool(!absorbing);
    return cel_is(a, CEL_ERROR) ? *a : cel_is(b, CEL_ERROR) ? *b : cel_error("&& and || join truth values only");
}

/* Returns the next instruction. */
static size_t logic(struct machine *m, const struct cel_instr *i, size_t next)
{
    struct cel_value v = *top(m);
    switch (i->op) {
    case OP_AND_LEFT: return cel_is(&v, CEL_BOOL) && !v.b ? i->a : next;
    case OP_OR_LEFT: return cel_is(&v, CEL_BOOL) && v.b ? i->a : next;
    case OP_TERNARY:
        m->n--;
        if (cel_is(&v, CEL_BOOL))
            return v.b ? next : i->a;
        push(m, cel_is(&v, CEL_ERROR) ? v : cel_error("the condition of ?: is no truth value"));
        return i->b;
    default:
        m->n--;
        *top(m) = join(top(m), &v, i->op == OP_OR);
        return next;
    }
}

/* ---- macros ---- */

static size_t begin_loop(struct machine *m, const struct cel_instr *i, size_t next)
{
    struct loop *l = &m->loops[i->a];
    *l = (struct loop){ .range = *top(m), .stride = 1 };
    m->n--;
    l->result = cel_bool(i->n == MACRO_ALL);
    if (cel_is(&l->range, CEL_MAP)) {
        l->stride = 2;
        l->range.unordered = l->range.n > 1;
    } else if (!cel_is(&l->range, CEL_LIST)) {
        l->result = cel_is(&l->range, CEL_ERROR) ? l->range : cel_error("a macro runs over lists and maps only");
        return i->b;
    }
    l->n = l->range.n;
    return next;
}

static size_t next_element(struct machine *m, const struct cel_instr *i, size_t next)
{
    struct loop *l = &m->loops[i->a];
    if (l->at == l->n)
        return i->b;
    l->var = l->range.items[(size_t)l->at * l->stride];
    l->at++;
    return next;
}

/* Ends the loop unless the reference may have looked at other elements first; an error there would have won. */
static size_t decide(struct loop *l, struct cel_value result, size_t again)
{
    if (!cel_is(&l->result, CEL_ERROR))
        l->result = result;
    if (!l->range.unordered || cel_is(&result, CEL_ERROR))
        l->at = l->n;
    return again;
}

static void append(struct machine *m, struct loop *l, struct cel_value v)
{
    if (l->found == l->cap) {
        uint32_t cap = l->cap == 0 ? 8 : l->cap * 2;
        struct cel_value *more = tn_cel_array(m->run, cap);
        if (more == NULL)
            return;
        if (l->found > 0)
            memcpy(more, l->list, l->found * sizeof *more);
        l->list = more;
        l->cap = cap;
    }
    l->list[l->found++] = v;
}

static struct cel_value no_truth(const struct cel_value *v)
{
    return cel_is(v, CEL_ERROR) ? *v : cel_error("a macro's condition is no truth value");
}

static size_t step(struct machine *m, const struct cel_instr *i)
{
    struct loop *l = &m->loops[i->a];
    struct cel_value v = *top(m);
    m->n--;
    if (i->n == MACRO_MAP) {
        if (cel_is(&v, CEL_ERROR))
            return decide(l, v, i->b);
        append(m, l, v);
        return i->b;
    }
    if (!cel_is(&v, CEL_BOOL))
        return decide(l, no_truth(&v), i->b);
    switch (i->n) {
    case MACRO_ALL: return v.b ? i->b : decide(l, v, i->b);
    case MACRO_EXISTS: return v.b ? decide(l, v, i->b) : i->b;
    case MACRO_EXISTS_ONE: l->found += v.b; return i->b;
    default:
        if (v.b)
            append(m, l, l->var);
        return i->b;
    }
}

static size_t filter(struct machine *m, const struct cel_instr *i, size_t next)
{
    struct loop *l = &m->loops[i->a];
    struct cel_value v = *top(m);
    m->n--;
    if (!cel_is(&v, CEL_BOOL))
        return decide(l, no_truth(&v), i->b);
    return v.b ? next : i->b;
}

static void end_loop(struct machine *m, const struct cel_instr *i)
{
    struct loop *l = &m->loops[i->a];
    struct cel_value v = l->result;
    if (!cel_is(&v, CEL_ERROR) && i->n == MACRO_EXISTS_ONE)
        v = cel_bool(l->found == 1);
    else if (!cel_is(&v, CEL_ERROR) && (i->n == MACRO_MAP || i->n == MACRO_FILTER))
        v = (struct cel_value){ .kind = CEL_LIST, .n = l->found, .items = l->list,
                                .unordered = l->range.unordered && l->found > 1 };
    push(m, v);
}

/* ---- the machine ---- */

static void two_operands(struct machine *m, const struct cel_instr *i)
{
    struct cel_value b = *top(m), *a;
    m->n--;
    a = top(m);
    if (cel_is(a, CEL_ERROR))
        return;
    if (cel_is(&b, CEL_ERROR))
        *a = b;
    else
        *a = i->op == OP_INDEX ? tn_cel_index(m->run, a, &b) : tn_cel_binary(m->run, i->n, a, &b);
}

static void one_operand(struct machine *m, const struct cel_instr *i)
{
    struct cel_value *v = top(m);
    if (cel_is(v, CEL_ERROR))
        return;
    if (i->op == OP_NOT)
        *v = cel_is(v, CEL_BOOL) ? cel_bool(!v->b) : cel_error("! takes a truth value");
    else if (i->op == OP_NEG)
        *v = tn_cel_negate(m->run, v);
    else
        *v = tn_cel_select(v, name_of(m, i), i->op == OP_TEST);
}

static size_t execute(struct machine *m, size_t at)
{
    const struct cel_instr *i = &m->program->code[at];
    size_t next = at + 1;
    switch ((enum cel_op)i->op) {
    case OP_CONST: push(m, m->program->consts[i->a]); return next;
    case OP_LOCAL: push(m, m->loops[i->a].var); return next;
    case OP_GLOBAL: push(m, global(m, name_of(m, i))); return next;
    case OP_SELECT: case OP_TEST: case OP_NEG: case OP_NOT: one_operand(m, i); return next;
    case OP_INDEX: case OP_BINARY: two_operands(m, i); return next;
    case OP_LIST: case OP_MAP: collect(m, i); return next;
    case OP_AND_LEFT: case OP_AND: case OP_OR_LEFT: case OP_OR: case OP_TERNARY: return logic(m, i, next);
    case OP_JUMP: return i->a;
    case OP_CALL: case OP_BAD_CALL: call(m, i); return next;
    case OP_ITER: return begin_loop(m, i, next);
    case OP_NEXT: return next_element(m, i, next);
    case OP_FILTER: return filter(m, i, next);
    case OP_STEP: return step(m, i);
    case OP_DONE: end_loop(m, i); return next;
    }
    return next;
}

struct cel_value tn_cel_run(const struct cel_program *program, struct cel_run *run)
{
    struct machine m = { program, run, NULL, 0, NULL };
    size_t at = 0;
    run->program = program;
    m.stack = tn_cel_array(run, program->stack + 1);
    m.loops = tn_cel_alloc(run, program->levels * sizeof *m.loops);
    if (m.stack == NULL || m.loops == NULL)
        return cel_error(run->fatal);
    while (at < program->ncode && tn_cel_charge(run, 1))
        at = execute(&m, at);
    return run->fatal != NULL ? cel_error(run->fatal) : m.stack[0];
}
