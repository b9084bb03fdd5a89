/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A constraint judged without regard to the order of its branches: the yardstick that recognises the one known
 * exception to monotone attenuation (constraints.md H-11), where an error in an earlier branch of Any, or of an All
 * under Not, hides an answer that a later branch has.
 */
#ifndef TENUO_FUZZ_ORDER_FREE_H
#define TENUO_FUZZ_ORDER_FREE_H

#include <tenuo/constraint.h>
#include <tenuo/request.h>

enum free_match { FREE_NO, FREE_YES, FREE_ERROR };

/* Any: yes when any branch says yes, whatever else failed. All: no when any clause says no. Errors otherwise win. */
enum free_match order_free_match(const struct tenuo_constraint *c, const struct tenuo_value *value,
                                 const struct tenuo_matchers *matchers);

#endif
