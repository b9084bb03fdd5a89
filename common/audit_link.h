/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash chain of an audit log (tenuo_jsonl(8), "Chain"): how a line ends, and what it says. Shared by the sink that
 * writes and the command that verifies, so that the two cannot differ.
 *
 * A line is a JSON object whose last members are "seq", "prev" and "hash", in this order and without blanks. `hash` is
 * the SHA-256 of the line's bytes in front of `,"hash":`; `prev` is the hash of the record before, in whichever file it
 * stands, or 64 zeros in front of the first.
 */
#ifndef TN_AUDIT_LINK_H
#define TN_AUDIT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_LINK_HASH_BYTES 32
/* Of PATH.head: the first bytes are locked by who writes or looks at the log, the one behind them by who is signing. */
#define TN_HEAD_LOCK_BYTES 1024
/* Reasons of recovery records that mean something to who verifies. */
#define TN_LINK_TORN "a torn line was closed"
#define TN_LINK_CUT "a record that this program had written is not there"
#define TN_LINK_MAX 192 /* bytes that tn_link_close adds, with brace and newline */

struct tn_link {
    uint64_t seq; /* from 1 */
    uint8_t prev[TN_LINK_HASH_BYTES], hash[TN_LINK_HASH_BYTES];
};

/* Ends the object of n bytes, which has members and no closing brace; `line` has TN_LINK_MAX bytes more. Takes seq and
 * prev, sets hash. The new length, with a newline. */
size_t tn_link_close(char *line, size_t n, struct tn_link *link);
/* What the line (without its newline) says about itself; false when it does not end as a record does. */
bool tn_link_read(const char *line, size_t n, struct tn_link *ret);
/* Is the hash that of the line? */
bool tn_link_holds(const char *line, size_t n, const struct tn_link *link);

/* 64 hex digits and a NUL; and back, false for anything but 64 small hex digits. */
void tn_link_hex(const uint8_t hash[TN_LINK_HASH_BYTES], char ret[65]);
bool tn_link_unhex(const char *text, uint8_t ret[TN_LINK_HASH_BYTES]);

#endif
