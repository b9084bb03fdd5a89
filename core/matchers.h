/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher plugins by constraint type id, what they compiled, and the calls on them. Filled before anybody else
 * knows it, never changed afterwards but for the cache of programs. Owns the plugins' instances, so that a verifier may
 * outlive the context that opened them.
 */
#ifndef TN_MATCHERS_H
#define TN_MATCHERS_H

#include <stdatomic.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/matchers.h>
#include <tenuo/plugin.h>

#include "instance.h"
#include "match.h"
#include "programs.h"

struct tenuo_matchers {
    atomic_uint refs;
    struct tn_instance *by_type[256]; /* borrowed from the list below; NULL: no plugin claims the type */
    struct tn_instance **instances;
    size_t n;
    struct tn_programs *programs;
};

/* An empty one with one reference. */
int tn_matchers_new(struct tenuo_matchers **ret, struct tenuo_error *err);
/*
 * Opens the instance and claims every type of its plugin; takes it also on failure. 9203 for a type that no plugin may
 * claim, 9100 when another line has it. The rule and the log of the instance are not used any more afterwards.
 */
int tn_matchers_add(struct tenuo_matchers *matchers, struct tn_instance *instance, struct tenuo_error *err);
/* Is a plugin loaded for the type? `matchers` may be NULL. */
bool tn_matchers_have(const struct tenuo_matchers *matchers, unsigned type);

/* The error for a type without one: 1504 for Regex and Cel, 1501 for others, with the remedy. */
int tn_matchers_missing(unsigned type, struct tenuo_error *err);

struct tn_match_env;

/* The calls, for a type that a plugin has. TN_ERROR: *ret_code and the sentence are set. */
enum tn_match tn_matchers_match(const struct tenuo_matchers *matchers, uint8_t type, struct tn_str payload,
                                struct tn_str value, struct tn_match_env *env, int *ret_code, struct tenuo_error *err);
/* Does the payload compile? 0, 1501, or 9xxx. */
int tn_matchers_check(const struct tenuo_matchers *matchers, uint8_t type, struct tn_str payload,
                      struct tenuo_error *err);
/* 0, 1502 for a refusal with or without an error, or 9000. */
int tn_matchers_attenuates(struct tn_match_env *env, uint8_t parent_type, struct tn_str parent, uint8_t child_type,
                           struct tn_str child, struct tenuo_error *err);

#endif
