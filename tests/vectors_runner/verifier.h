/* SPDX-License-Identifier: Apache-2.0 */
/* A verifier with the roots and settings that a case names. */
#ifndef VERIFIER_H
#define VERIFIER_H

#include <jansson.h>
#include <tenuo/tenuo.h>

/* 0, or the code with which the configuration is refused. */
int verifier_of_case(const json_t *json, struct tenuo_verifier **ret_verifier);

#endif
