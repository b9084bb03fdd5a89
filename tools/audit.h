/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tenuo audit` share: options, and the lines of logs. */
#ifndef TENUO_TOOLS_AUDIT_H
#define TENUO_TOOLS_AUDIT_H

#include "../common/audit_link.h"
#include "cli.h"

#define AUDIT_MAX_LINE 131072u /* of a record; the sink writes half of it at most */

/* Which records `show` shows; NULL or false: whatever. */
struct audit_filter {
    bool has_since, has_until, has_code;
    int64_t since, until;
    uint64_t code;
    const char *tool, *decision, *warrant, *service, *event;
};

struct audit_run {
    struct cli *cli;
    struct cli_words files;
    struct audit_filter filter;
    bool raw, from_start, has_max_unsigned;
    uint64_t max_unsigned; /* records behind a checkpoint */
    uint8_t (*keys)[TENUO_PUBLIC_KEY_BYTES]; /* that may sign checkpoints */
    size_t nkeys;
};

/* audit_lines.c: each line of a file without its newline; `torn`: the file ends within it; a line that is too long has
 * len AUDIT_MAX_LINE + 1 and is cut. False stops. 0, or 9002. */
struct audit_line {
    const char *text;
    size_t len;
    uint64_t number;
    bool torn;
};
typedef bool audit_line_fn(void *arg, const struct audit_line *line);
int audit_each_line(const char *path, audit_line_fn *each, void *arg, struct tenuo_error *err);

/* audit_files.c: the files of a log as they were at one moment, oldest records first. */
struct audit_file {
    const char *path;
    int fd;
    off_t size;           /* what is behind it was written later; -1: can be read once, to its end */
    size_t place;         /* on the command line */
    bool regular;         /* by its name; opening it never waits */
    bool has_link;        /* there is a record of a chain in it */
    struct tn_link first; /* the first of them */
};
/* The writers' memory of the log's end: without it nobody sees that the end was cut off. */
struct audit_head {
    char *path;
    int fd;
    bool known;
    uint64_t seq;
    uint8_t hash[TN_LINK_HASH_BYTES];
};
struct audit_files {
    struct audit_file *v;
    struct audit_head *heads; /* beside a file, or named themselves */
    size_t n, nheads;
};
bool audit_is_head(const char *path);
/* To be closed whatever the answer: 0, or 9002. */
int audit_files_open(const struct cli_words *paths, struct audit_files *all, struct tenuo_error *err);
void audit_files_close(struct audit_files *all);
int audit_file_lines(const struct audit_file *file, audit_line_fn *each, void *arg, struct tenuo_error *err);

/* audit_verify.c, audit_show.c */
int audit_verify_run(struct audit_run *r);
int audit_show_run(struct audit_run *r);

#endif
