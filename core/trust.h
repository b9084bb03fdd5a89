/* SPDX-License-Identifier: Apache-2.0 */
/* Could anybody but root (or ourselves) have changed this file? The walk of style.md 4.6, for conf files, plugins and
 * roots alike. */
#ifndef TN_TRUST_H
#define TN_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>

enum tn_trust_kind { TN_TRUST_FILE, TN_TRUST_DIR };

/*
 * Walks from "/" without following links; every directory and the end itself must be owned as required and writable by
 * nobody else. On success *ret_fd is an open descriptor of the end (O_RDONLY). `code` is the error to report (9200 for
 * plugins, 9100 for configuration); ENOENT is TENUO_E_SYSTEM so that callers can tell a missing file.
 */
int tn_trust_open(const char *path, enum tn_trust_kind kind, int code, int *ret_fd, struct tenuo_error *err);
/* The same, then reads the whole file, at most `max` bytes (more: error). *ret_data is malloc'ed, NUL-terminated beyond
 * len. */
int tn_trust_read(const char *path, size_t max, int code, uint8_t **ret_data, size_t *ret_len, struct tenuo_error *err);

#endif
