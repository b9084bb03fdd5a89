/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the CEL matcher. Text becomes tokens (cel_lex.c), tokens become one flat program (cel_parse.c), a
 * program runs over one argument value on a stack machine (cel_eval.c) within a budget of steps and bytes. Nothing here
 * recurses on its input, reads a clock or does I/O. The language is that of the reference's interpreter, oddities
 * included (spec constraints.md 5.15); what is not reproduced is an error, never another answer.
 */
#ifndef TN_CEL_H
#define TN_CEL_H

#include "../../core/limits.h"
#include "../../core/mem.h"
#include "../../core/str.h"

struct tn_regex;
struct tn_regex_engine;

/* ---- tokens ---- */

enum cel_tok {
    T_END, T_IDENT, T_INT, T_UINT, T_DOUBLE, T_STRING, T_BYTES, T_TRUE, T_FALSE, T_NULL,
    T_OR, T_AND, T_IN, T_EQ, T_NE, T_LT, T_LE, T_GT, T_GE, T_PLUS, T_MINUS, T_STAR, T_SLASH, T_PERCENT,
    T_NOT, T_QUESTION, T_COLON, T_COMMA, T_DOT, T_OPEN, T_CLOSE, T_LIST, T_LIST_END, T_MAP, T_MAP_END
};

struct cel_token {
    uint8_t kind;
    uint32_t start, len;
    uint32_t mate; /* of T_OPEN: index of its T_CLOSE */
    uint32_t args; /* of T_OPEN: how many parts commas make of what is inside; 0 when nothing is */
};

struct cel_tokens {
    struct cel_token *v; /* ends with T_END; free() */
    size_t n;            /* without T_END */
    bool comments;
};

/* Where and why an expression is refused. */
struct cel_fault {
    size_t at; /* byte */
    const char *why;
    bool nomem;
};

bool tn_cel_lex(struct tn_str text, struct cel_tokens *ret, struct cel_fault *fault);

/* ---- values: 16 bytes, shared freely, never changed once made ---- */

enum cel_kind {
    CEL_ERROR, CEL_NULL, CEL_BOOL, CEL_INT, CEL_UINT, CEL_DOUBLE, CEL_STRING, CEL_BYTES, CEL_LIST, CEL_MAP,
    CEL_DURATION, CEL_TIME, CEL_OPTIONAL
};

struct cel_value {
    uint8_t kind;
    bool unordered; /* LIST: the reference would have the elements in a random order */
    int16_t zone;   /* TIME: minutes east of UTC */
    uint32_t n;     /* STRING, BYTES: length; LIST: elements; MAP: entries; DURATION, TIME: nanoseconds */
    union {
        bool b;
        int64_t i; /* INT; DURATION, TIME: seconds, rounded down */
        uint64_t u;
        double d;
        const uint8_t *p;
        const struct cel_value *items; /* MAP: key, value, key, ... ascending keys; OPTIONAL: the value or NULL */
        const char *why;               /* ERROR: a sentence without any value in it */
    };
};

static inline struct cel_value cel_null(void) { return (struct cel_value){ .kind = CEL_NULL }; }
static inline struct cel_value cel_bool(bool b) { return (struct cel_value){ .kind = CEL_BOOL, .b = b }; }
static inline struct cel_value cel_int(int64_t i) { return (struct cel_value){ .kind = CEL_INT, .i = i }; }
static inline struct cel_value cel_uint(uint64_t u) { return (struct cel_value){ .kind = CEL_UINT, .u = u }; }
static inline struct cel_value cel_double(double d) { return (struct cel_value){ .kind = CEL_DOUBLE, .d = d }; }
static inline struct cel_value cel_error(const char *why)
{
    return (struct cel_value){ .kind = CEL_ERROR, .why = why };
}
static inline struct cel_value cel_text(const uint8_t *p, size_t n)
{
    return (struct cel_value){ .kind = CEL_STRING, .n = (uint32_t)n, .p = p };
}
static inline struct tn_str cel_str(const struct cel_value *v) { return (struct tn_str){ v->p, v->n }; }
static inline bool cel_is(const struct cel_value *v, enum cel_kind kind) { return v->kind == kind; }

/* ---- programs ---- */

enum cel_op {
    OP_CONST,    /* a: index of the constant */
    OP_LOCAL,    /* a: loop level */
    OP_GLOBAL,   /* a, b: name in the text */
    OP_SELECT,   /* a, b: name */
    OP_TEST,     /* a, b: name; has() */
    OP_INDEX,
    OP_LIST,     /* a: elements */
    OP_MAP,      /* a: entries */
    OP_NEG, OP_NOT,
    OP_BINARY,   /* n: enum cel_tok */
    OP_AND_LEFT, /* a: where to go on when the left side is false */
    OP_AND,
    OP_OR_LEFT,
    OP_OR,
    OP_TERNARY,  /* a: else branch, b: end */
    OP_JUMP,     /* a */
    OP_CALL,     /* n: function, a: arguments, b: 1 when the first of them is a receiver */
    OP_BAD_CALL, /* a: values to drop */
    OP_ITER,     /* n: macro, a: level, b: its OP_DONE */
    OP_NEXT,     /* a, b as above */
    OP_FILTER,   /* a: level, b: its OP_NEXT */
    OP_STEP,     /* n, a, b: its OP_NEXT */
    OP_DONE,     /* n, a */
};

struct cel_instr {
    uint8_t op;
    uint16_t n;
    uint32_t a, b;
};

enum cel_macro { MACRO_NONE, MACRO_ALL, MACRO_EXISTS, MACRO_EXISTS_ONE, MACRO_MAP, MACRO_FILTER };

/* A literal pattern of matches(), compiled with the program. */
struct cel_pattern {
    const uint8_t *text; /* of its constant */
    struct tn_regex *regex;
};

struct cel_program {
    struct tn_arena arena; /* everything below */
    struct tn_str text;
    struct cel_instr *code;
    struct cel_value *consts;
    size_t ncode, nconsts, stack, levels;
    struct cel_pattern patterns[TN_CEL_PATTERNS];
    size_t npatterns, pattern_bytes;
    size_t ntried; /* also those that were refused, since that takes as long */
};

/* cel_parse.c: NULL with *fault filled. The text is copied. `regex` NULL: patterns are not compiled beforehand; else it
 * is the one that programs run with. */
struct cel_program *tn_cel_compile(struct tn_str text, const struct tn_regex_engine *regex, struct cel_fault *fault);
void tn_cel_free(struct cel_program *program);
size_t tn_cel_bytes(const struct cel_program *program);

/* cel_literal.c: the value of a literal token, by its spelling. Decoded text lies in the arena. */
bool tn_cel_literal(enum cel_tok kind, struct tn_str spelling, bool negative, struct tn_arena *arena,
                    struct cel_value *ret, struct cel_fault *fault);

/* ---- running ---- */

struct cel_run {
    struct tn_arena arena;
    size_t bytes;      /* still to be had */
    uint64_t steps;    /* likewise */
    int64_t as_of;     /* Unix seconds */
    const struct tn_regex_engine *regex; /* for matches(); NULL: none in this build */
    const struct cel_program *program;
    struct cel_value value;
    const char *fatal; /* set: the whole answer is an error, whatever && and || would make of it */
    bool nomem;
};

/* cel_eval.c. `run` has value, as_of, bytes and steps set and its arena initialised. */
struct cel_value tn_cel_run(const struct cel_program *program, struct cel_run *run);
struct cel_value tn_cel_fatal(struct cel_run *run, const char *why);
/* False when the budget is used up; the run is over then. */
bool tn_cel_charge(struct cel_run *run, uint64_t steps);
/* What looking at all of a value that holds no others costs. */
static inline uint64_t cel_weight(const struct cel_value *v)
{
    return 1 + (cel_is(v, CEL_STRING) || cel_is(v, CEL_BYTES) ? v->n / 64 : 0);
}
/* NULL likewise. */
void *tn_cel_alloc(struct cel_run *run, size_t size);
struct cel_value *tn_cel_array(struct cel_run *run, size_t n);

/* cel_value.c */
bool tn_cel_from_cbor(struct tn_str cbor, struct cel_run *run, struct cel_value *ret);
/* Sorts n entries in place and keeps the last of equal keys; false for a key that is none. Returns the map. */
struct cel_value tn_cel_map(struct cel_run *run, struct cel_value *entries, size_t n);
/* NULL when absent; a name is a string key. */
const struct cel_value *tn_cel_lookup(const struct cel_value *map, const struct cel_value *key);
const struct cel_value *tn_cel_lookup_name(const struct cel_value *map, struct tn_str name);
/* Takes a key out of optionals; false when the value cannot be a key. */
bool tn_cel_key(const struct cel_value *v, struct cel_value *ret);

/* cel_compare.c. `loose` compares numbers of different kinds by value and looks into optionals, as contains() does. */
struct cel_value tn_cel_equal(struct cel_run *run, const struct cel_value *a, const struct cel_value *b, bool loose);
#define CEL_UNORDERED 2
int tn_cel_order(const struct cel_value *a, const struct cel_value *b); /* -1, 0, 1 or CEL_UNORDERED */

/* cel_ops.c */
struct cel_value tn_cel_binary(struct cel_run *run, unsigned op, const struct cel_value *a,
                               const struct cel_value *b);
struct cel_value tn_cel_negate(struct cel_run *run, const struct cel_value *v);
struct cel_value tn_cel_index(struct cel_run *run, const struct cel_value *v, const struct cel_value *key);
struct cel_value tn_cel_select(const struct cel_value *v, struct tn_str name, bool test);

/* cel_func.c: functions by number. */
#define CEL_ANY_ARGS 0xffffu
#define CEL_NO_FUNCTION 0xffffu
struct cel_call {
    struct cel_run *run;
    const struct cel_value *args;
    size_t n;
};
struct cel_function {
    const char *name;
    uint16_t args;   /* evaluated arguments, with the receiver for a method; the reference ignores further ones */
    bool method;     /* the receiver, or else the first argument, is the subject */
    struct cel_value (*call)(struct cel_call *c);
};
const struct cel_function *tn_cel_function(size_t number);
/* `optional`: in the name space of optional.none and its sisters. CEL_NO_FUNCTION when there is none. */
size_t tn_cel_find_function(struct tn_str name, bool optional);

/* The functions, by file: cel_convert.c, cel_calendar.c, cel_optional.c, cel_host.c */
struct cel_value tn_cel_string(struct cel_call *c);
struct cel_value tn_cel_bytes_of(struct cel_call *c);
struct cel_value tn_cel_double_of(struct cel_call *c);
struct cel_value tn_cel_int_of(struct cel_call *c);
struct cel_value tn_cel_uint_of(struct cel_call *c);
struct cel_value tn_cel_duration_of(struct cel_call *c);
struct cel_value tn_cel_time_of(struct cel_call *c);
struct cel_value tn_cel_get_year(struct cel_call *c);
struct cel_value tn_cel_get_month(struct cel_call *c);
struct cel_value tn_cel_get_day_of_year(struct cel_call *c);
struct cel_value tn_cel_get_day_of_month(struct cel_call *c);
struct cel_value tn_cel_get_date(struct cel_call *c);
struct cel_value tn_cel_get_day_of_week(struct cel_call *c);
struct cel_value tn_cel_get_hours(struct cel_call *c);
struct cel_value tn_cel_get_minutes(struct cel_call *c);
struct cel_value tn_cel_get_seconds(struct cel_call *c);
struct cel_value tn_cel_get_milliseconds(struct cel_call *c);
struct cel_value tn_cel_optional_none(struct cel_call *c);
struct cel_value tn_cel_optional_of(struct cel_call *c);
struct cel_value tn_cel_optional_of_non_zero(struct cel_call *c);
struct cel_value tn_cel_optional_value(struct cel_call *c);
struct cel_value tn_cel_optional_has_value(struct cel_call *c);
struct cel_value tn_cel_optional_or(struct cel_call *c);
struct cel_value tn_cel_optional_or_value(struct cel_call *c);
struct cel_value tn_cel_time_now(struct cel_call *c);
struct cel_value tn_cel_time_is_expired(struct cel_call *c);
struct cel_value tn_cel_time_since(struct cel_call *c);
struct cel_value tn_cel_net_in_cidr(struct cel_call *c);
struct cel_value tn_cel_net_is_private(struct cel_call *c);
struct cel_value tn_cel_tenuo_object(struct cel_call *c);

/* cel_regex.c. A pattern that cannot be kept is compiled, or refused, when it is used; false: memory ran out. */
struct cel_value tn_cel_matches(struct cel_call *c);
bool tn_cel_keep_pattern(struct cel_program *program, const struct tn_regex_engine *regex,
                         const struct cel_value *pattern, struct cel_fault *fault);
void tn_cel_drop_patterns(struct cel_program *program);

/* cel_number.c: decimal text, without the C library's locale. */
/* How much of s is a number, [+-]digits[.digits][e[+-]digits], and whether an e without digits follows. */
size_t tn_cel_float_prefix(struct tn_str s, bool *ret_broken_exponent);
/* Of a text that is all such a number. */
bool tn_cel_parse_double(struct tn_str text, double *ret);
bool tn_cel_parse_u64(struct tn_str digits, unsigned base, uint64_t *ret);
#define CEL_DOUBLE_TEXT 1100
size_t tn_cel_format_double(double d, char ret[CEL_DOUBLE_TEXT]);

/* cel_time.c: the calendar. */
struct cel_civil {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second, weekday; /* weekday: Sunday is 0 */
    unsigned day_of_year; /* from 0 */
};
struct cel_civil tn_cel_civil(int64_t local_seconds);
bool tn_cel_parse_time(struct tn_str text, struct cel_value *ret);
bool tn_cel_parse_duration(struct tn_str text, struct cel_value *ret);
#define CEL_TIME_TEXT 64
size_t tn_cel_format_time(const struct cel_value *t, char ret[CEL_TIME_TEXT]);
size_t tn_cel_format_duration(const struct cel_value *d, char ret[CEL_TIME_TEXT]); /* 0: out of range */
/* seconds and nanoseconds of a + sign * b; false when they leave the range. */
bool tn_cel_add_time(const struct cel_value *a, const struct cel_value *b, int sign, struct cel_value *ret);

/* cel_tokens.c: may the child replace the parent (constraints.md 7, Cel -> Cel, with H-1)? */
bool tn_cel_narrower(struct tn_str parent, struct tn_str child, struct cel_fault *fault);

#endif
