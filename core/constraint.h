/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constraints as parsed: a tree of nodes in an arena, borrowed bytes below (spec constraints.md). Nodes are written
 * once, by the parser, and never again.
 */
#ifndef TN_CONSTRAINT_H
#define TN_CONSTRAINT_H

#include "limits.h"
#include "match.h"
#include "value.h"
#include <tenuo/constraint.h>

/* A list of constants: sorted by bytes and without repetition, so that membership is a binary search. */
struct tn_values {
    struct tn_val *v;
    size_t n;
};

struct tn_texts {
    struct tn_str *v;
    size_t n;
};

struct tn_range {
    double min, max;
    bool has_min, has_max, min_inclusive, max_inclusive;
};

struct tenuo_constraint {
    unsigned type;
    bool known;             /* false: payload kept, matching is an error */
    struct tn_str raw;      /* [type, payload] */
    struct tn_str payload;
    struct tenuo_constraint *child, *next; /* All, Any, Not: first inner; next of the same parent */
    union {
        struct tn_val value;       /* Exact */
        struct tn_values values;   /* OneOf, NotOneOf, Contains, Subset */
        struct tn_str text;        /* Pattern, Regex, Cel */
        struct tn_range range;
        struct tn_cidr cidr;
        struct tn_url_pattern url;
        struct tn_url_safe *url_safe;
        struct tn_subpath subpath;
        struct tn_texts shlex;
    } u;
    struct tn_arena *own; /* for constraints that stand alone: where all of it lives */
};

struct tn_named {
    struct tn_str name;
    struct tenuo_constraint *constraint;
};

struct tenuo_constraint_set {
    struct tn_named *items; /* sorted by name */
    size_t n, cap;
    bool allow_unknown;
    bool standalone; /* made by the public constructor: owns its constraints */
};

/* Parsing out of a warrant. `depth` of the tree is checked (1202). */
bool tn_constraint_read(struct tn_reader *r, struct tn_arena *arena, struct tenuo_constraint **ret);
bool tn_constraint_set_read(struct tn_reader *r, struct tn_arena *arena, struct tenuo_constraint_set *ret);
const struct tenuo_constraint *tn_set_find(const struct tenuo_constraint_set *set, struct tn_str name);
/* The form that builders emit (constraint_write.c). */
void tn_constraint_write(struct tn_buf *b, const struct tenuo_constraint *c);
void tn_constraint_set_write(struct tn_buf *b, const struct tenuo_constraint_set *set);

/* What one decision, or one link, may still cost: counts down, and at 0 the answer is a refusal. */
struct tn_budget {
    uint32_t pairs; /* comparisons of a parent's entry with a child's */
    uint64_t bytes; /* looked at by constraints */
    uint64_t work;  /* steps of matchers */
};

struct tn_fault;

/* What matching and comparing need beside the constraints: one for a decision, one for each link. */
struct tn_match_env {
    const struct tenuo_matchers *matchers; /* NULL: none */
    int64_t as_of;                         /* time of the decision, Unix seconds; for matchers alone */
    struct tn_budget budget;
    struct tn_fault *fault; /* explain.h: what a failing link compared; NULL: nobody asks */
};
#define TN_MATCH_ENV(matchers, as_of) \
    { \
        (matchers), (as_of), { TN_SUBSET_BUDGET, TN_MATCH_BUDGET, TN_MATCHER_WORK }, NULL \
    }

/* Takes n * m pairs; false when there are not so many left. */
bool tn_budget_pairs(struct tn_budget *budget, size_t n, size_t m);

/*
 * Matching one argument. TN_ERROR leaves the code (1501, 1504, 9000) in *ret_code and the sentence in err.
 */
enum tn_match tn_constraint_match(const struct tenuo_constraint *c, const struct tn_arg *arg,
                                  struct tn_match_env *env, int *ret_code, struct tenuo_error *err);

/* Narrowing. */
int tn_constraint_narrower(const struct tenuo_constraint *parent, const struct tenuo_constraint *child,
                           struct tn_match_env *env, struct tenuo_error *err);
int tn_constraint_set_narrower(const struct tenuo_constraint_set *parent, const struct tenuo_constraint_set *child,
                               struct tn_match_env *env, struct tenuo_error *err);

/* Is the value one of the list? */
bool tn_values_have(const struct tn_values *list, struct tn_str eq);
const char *tn_constraint_type_name(unsigned type);

#endif
