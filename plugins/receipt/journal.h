/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One journal of receipts on disk: PATH, the full ones before it PATH.00000001, PATH.00000002 ..., PATH.lock, and
 * PATH.torn.1 ... with what a process left that died over the first line of a file.
 * Everything is opened anew for each receipt: nothing is left open between two, and what is remembered only serves a
 * warning.
 */
#ifndef TENUO_RECEIPT_JOURNAL_H
#define TENUO_RECEIPT_JOURNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tenuo/plugin.h>

#define JOURNAL_MAX_RECEIPT 270336u                            /* as in tenuo/receipt.h */
#define JOURNAL_MAX_LINE (2u * JOURNAL_MAX_RECEIPT + 128u)     /* {"written":N,"receipt":"HEX"} */

/* How a journal is kept, from the configuration. */
struct journal_rules {
    char *path;
    uint64_t max_size; /* bytes; 0: never a new file */
    uint64_t max_age;  /* seconds; 0: likewise */
    uint32_t keep;     /* full files; 0: all */
    bool sync;
};

/* What this process saw of the journal last, to notice another program that took it away. */
struct journal_seen {
    ino_t inode;
    off_t size;      /* 0: it held no receipt */
    uint64_t newest; /* full file then */
};

/* One receipt's time with the journal. */
struct journal {
    const struct tenuo_host *host;
    const struct journal_rules *rules;
    const char *name; /* last component of the path */
    int dir, lock, fd;
    uint32_t patience_ms;
    off_t size;
    uint8_t last[32]; /* SHA-256 of its last receipt, when it has one */
    bool has_last;
};

/* Whether its directory is there and nobody else's, and its file, as far as this user may read it, a journal; with a
 * sentence. Makes and changes nothing. */
int journal_check(const struct tenuo_host *host, const struct journal_rules *rules);
/* Takes the journal for itself against threads and processes, until the call's deadline or until patience ends; opens
 * it, mends its end, and begins a new file when it is time. A file that is no journal is refused and left as it is.
 * Ends with journal_close, also on failure. */
int journal_open(struct journal *j, const struct tenuo_host *host, const struct journal_rules *rules,
                 uint32_t patience_ms);
/* Warns, once, when the journal is not the one that was seen last and no new file was begun; takes down what is there
 * now. After journal_open, and after each receipt. */
void journal_watch(struct journal *j, struct journal_seen *seen);
/* SHA-256 of the last receipt, of this file or of the full one before it. *ret_has false: there is none. */
int journal_last(struct journal *j, uint8_t ret_digest[32], bool *ret_has);
/* All of it is there, or nothing is and the code says so. */
int journal_append(struct journal *j, const uint8_t *receipt, size_t len);
void journal_close(struct journal *j);

/* journal_files.c: the full files by number; 0 when there is none. */
int journal_newest(struct journal *j, uint64_t *ret_number);
/* Whether full file `number` is the file with this inode. */
bool journal_is_full(const struct journal *j, uint64_t number, ino_t inode);
/* Moves PATH to the next number, and removes what is more than `keep`. */
int journal_retire(struct journal *j);
/* Moves PATH to a name that is free, PATH.torn.1 and so on. */
int journal_set_aside(struct journal *j);
/* Opens full file `number` for reading; -1 with errno. */
int journal_open_full(const struct journal *j, uint64_t number);
/* journal_line.c: the last receipt of an open file of `size` bytes; *ret_has false: it holds no line. */
int journal_tail(struct journal *j, int fd, off_t size, uint8_t ret_digest[32], bool *ret_has);
/* Whether the file begins as a line of a journal does, as far as it goes. */
bool journal_begins(int fd);
/* Seconds in the first line, or -1 when it does not say. */
int64_t journal_first_time(int fd);
/* The line of a receipt, malloc'ed. NULL when memory is out. */
char *journal_line(int64_t now, const uint8_t *receipt, size_t len, size_t *ret_len);

#endif
