/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the sink "jsonl": text of records (record.c), the file that is written (file.c), the lock and memory of
 * a log that is chained or rotated here (ledger.c), its chain (chain.c), its rotation (rotate.c).
 */
#ifndef TN_JSONL_H
#define TN_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <tenuo/plugin.h>

#include "../../common/audit_link.h"

#define LINE_MAX_BYTES 65536 /* of one record with its newline, the chain's members not counted */
#define CHECKPOINT_EVERY 1000
#define CHECKPOINT_BACKLOG 10 /* times `checkpoint_every` */
#define CHECKPOINT_RETRY_SECS 10
#define ROTATED_KEEP 10
#define ROTATE_RETRY_SECS 60

/* What is known of the log as a whole, in the file PATH.head: read under its lock. */
struct ledger {
    uint64_t seq;                     /* of the last record; 0: none yet */
    uint8_t head[TN_LINK_HASH_BYTES]; /* its hash */
    uint64_t signed_seq;              /* last record that a checkpoint stands for */
    uint64_t ino, size;               /* of the log after that record */
    int64_t born;                     /* Unix time at which the log's present file was begun */
};

struct jsonl {
    const struct tenuo_host *host;
    char *path;
    mode_t mode;
    bool sync, chained;
    uint64_t max_size, max_age, keep; /* bytes, seconds, files; 0: no rotation of ours for that reason */
    char *key;                        /* signs checkpoints; NULL: nobody does */
    uint64_t every, backlog;          /* records */
    int fd;                           /* -1: open has not come that far */
    bool torn;                        /* the file ends within a line */
    /* Only with a ledger. */
    char *head_path;
    int head_fd;          /* -1: a child could not open it yet */
    pid_t head_pid;       /* who opened it: a lock belongs to the open file, which a child would share */
    struct ledger ledger; /* while the lock is held */
    struct tn_link mine;  /* last record of this instance; seq 0: none yet */
    uint64_t written;     /* records of this instance since its last checkpoint */
    int64_t retry_at;     /* signing failed: not again before */
    int64_t rotate_at;    /* and rotation */
    unsigned long long sign_failures;
    char line[1 + LINE_MAX_BYTES + TN_LINK_MAX]; /* a place for the newline that ends a torn line, then the record */
};

/* record.c: objects without their closing brace, at most LINE_MAX_BYTES - 2 bytes. False when it does not fit. */
bool jsonl_record(char *p, const struct tenuo_audit_event *event, size_t *ret_len);
bool jsonl_notice_record(char *p, const struct tenuo_audit_notice *notice, size_t *ret_len);
/* One member of a record of the chain itself: text, or a number when that is NULL. */
struct member {
    const char *name, *text;
    uint64_t number;
};
bool jsonl_own_record(char *p, const char *event, const struct member *members, size_t n, size_t *ret_len);

/* file.c */
/* Opens for appending; makes the file when it is missing. TENUO_E_SYSTEM, TENUO_E_CONF. */
int jsonl_open_file(struct jsonl *s);
/* After rotation the path names another file, or none: goes there. */
int jsonl_follow(struct jsonl *s);
/* Appends s->line + 1, n bytes with the newline; all of it, or TENUO_E_AUDIT_REFUSED. */
int jsonl_append(struct jsonl *s, size_t n);
int jsonl_sync_disk(struct jsonl *s);

/* ledger.c */
int jsonl_ledger_open(struct jsonl *s);
/* Waits no longer than the call may take. On success s->ledger is what the log's last writer left. */
int jsonl_ledger_lock(struct jsonl *s);
/* After each record, so that whoever dies next leaves the log at most one record ahead. */
void jsonl_ledger_store(struct jsonl *s);
void jsonl_ledger_unlock(struct jsonl *s);
/* Never waits: false when another process is signing. */
bool jsonl_sign_lock(struct jsonl *s);
void jsonl_sign_unlock(struct jsonl *s);
void jsonl_ledger_close(struct jsonl *s);

/* chain.c, all with the lock held */
/* Is the log what the ledger says? Begins a new chain, closes a torn line, notes what is missing. */
int jsonl_chain_heal(struct jsonl *s);
/* Appends the n bytes at s->line + 1, an object without its closing brace, as the next record. */
int jsonl_chain_append(struct jsonl *s, size_t n);
/* Without the lock: signs a checkpoint when one is due, or at all (`always`). TENUO_E_AUDIT_REFUSED when the backlog is
 * full and still nobody signs. */
int jsonl_checkpoint(struct jsonl *s, bool always);

/* With the lock, before a file is rotated away. Failures are logged. */
void jsonl_checkpoint_locked(struct jsonl *s);

/* Is `at`, which was to be so many seconds ahead at most, still to come? The clock may have been set back since. */
static inline bool jsonl_too_soon(const struct jsonl *s, int64_t at, int64_t secs)
{
    const int64_t now = s->host->now();
    return now < at && at - now <= secs;
}

/* rotate.c, with the lock held: when the log is too large for n bytes more, or too old. True when s->line may have been
 * used. A failure is logged and the log goes on as it is. */
bool jsonl_rotate(struct jsonl *s, size_t n);

#endif
