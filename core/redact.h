/* SPDX-License-Identifier: Apache-2.0 */
/* Names whose values no record shows, whatever else it shows (tenuo.conf(5), audit_mask). */
#ifndef TN_REDACT_H
#define TN_REDACT_H

#include "str.h"

#define TN_MASK_DEFAULT \
    "password,passwd,passphrase,secret,token,api_key,apikey,authorization,cookie,private_key,credential,credentials"
#define TN_MASKED "[masked]"

/* Words with a comma between them, each [a-z0-9_-]{1,64}, at most 64 of them. */
bool tn_mask_valid(const char *list);
/*
 * Is one of the words of the list in the name, from the beginning of a part of the name to the end of one, or to an "s"
 * or a number at its end? Parts end at
 * everything but letters and digits, and where a small letter or a digit meets a capital: "db_password", "X-Api-Key",
 * "accessToken". Letters of ASCII without regard to case; "_" and "-" of the list stand for any one such end. NULL
 * list: never.
 */
bool tn_mask_hides(const char *list, struct tn_str name);

#endif
