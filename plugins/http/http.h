/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the http plugin: one configured server, and the form of its answer. */
#ifndef TN_HTTP_H
#define TN_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenuo/plugin.h>

/* body.c: takes a list out of its JSON form {"srl": base64, "version": number}; raw lists stay as they are. *body is
 * malloc'ed and is replaced. On failure *ret_why is a phrase. */
bool http_unwrap(uint8_t **body, size_t *len, const char **ret_why);

#endif
