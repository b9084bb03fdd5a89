/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a line's secret S comes from: `S_file=`, a file that nobody else reads, or `S_credential=`, a name among the
 * service manager's credentials. Read and judged at each use, so that it can be rotated; never kept, never shown.
 * Plugins compile this in, with keyfile.c and the path walk of core.
 */
#ifndef TN_SECRET_SOURCE_H
#define TN_SECRET_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include <tenuo/plugin.h>

#include "keyfile.h"

#define TN_SECRET_WHY 320 /* bytes of a sentence */

struct tn_secret_source {
    char *file;       /* absolute path, or NULL */
    char *credential; /* name of a credential, or NULL */
    /* Handed out by an orchestrator, which swaps it by links and lets this container's other users read it: links are
     * followed, and only who may write it is judged. */
    bool shared;
};

/* Any of the two values may be NULL. `name` is S, for the sentence. TENUO_E_CONF when both are given or a name is
 * none. Zero-initialise `s` before, and clear it in the end. */
int tn_secret_set(struct tn_secret_source *s, const char *name, const char *file, const char *credential,
                  char why[TN_SECRET_WHY]);
bool tn_secret_given(const struct tn_secret_source *s);
void tn_secret_clear(struct tn_secret_source *s);

/*
 * The bytes with a NUL behind them, in guarded memory; end with tn_secret_free. TENUO_E_UNAVAILABLE when the source is
 * not there or does not answer (it may still come), TENUO_E_KEY_DENIED when this user may not read it or others may.
 */
int tn_secret_read(const struct tn_secret_source *s, char **ret_text, size_t *ret_len, char why[TN_SECRET_WHY]);
/* The same for a token or a password: the newline at its end is taken off, what is left is printable without blanks.
 * Anything else is TENUO_E_KEY_DENIED. */
int tn_secret_read_word(const struct tn_secret_source *s, char **ret_text, size_t *ret_len, char why[TN_SECRET_WHY]);
void tn_secret_free(char *text);

#endif
