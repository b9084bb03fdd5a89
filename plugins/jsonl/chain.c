/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One chain for all files of a log (design.md 9 rows 1 and 2): every record carries the hash of the one before, also
 * when that is in a file that was rotated away. What is found wrong is never mended silently: a record of its own says
 * it, and `tenuo audit verify` shows it.
 */
#include "jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_MAX (LINE_MAX_BYTES + TN_LINK_MAX + 1)
#define TAIL_USUAL 4096 /* has the last line, most times */
#define BEHIND_MAX 20000 /* records that a ledger may be behind its log, to be believed to be nothing else */

/* How a file ends, or how it did at an earlier size. */
struct tail {
    bool whole;          /* with a newline, or the file is empty */
    bool linked;         /* its last line is a record whose hash holds */
    size_t bytes;        /* of the last line */
    struct tn_link link; /* when linked */
};

/* Looks at so many bytes at most: false also where the last line may begin before them. */
static bool read_tail_in(int fd, off_t size, size_t most, struct tail *ret)
{
    size_t n = size < (off_t)most ? (size_t)size : most, end, begin = 0;
    char *buf = malloc(n + 1);
    struct tail t = { .whole = true };
    bool good = buf != NULL && pread(fd, buf, n, size - (off_t)n) == (ssize_t)n;
    if (good && n != 0) {
        t.whole = buf[n - 1] == '\n';
        end = t.whole ? n - 1 : n;
        for (begin = end; begin > 0 && buf[begin - 1] != '\n'; begin--)
            ;
        t.bytes = end - begin;
        t.linked = t.whole && tn_link_read(buf + begin, t.bytes, &t.link) &&
                   tn_link_holds(buf + begin, t.bytes, &t.link);
    }
    free(buf);
    if (!good || (begin == 0 && (off_t)n < size && most < TAIL_MAX))
        return false;
    *ret = t;
    return true;
}

static bool read_tail(int fd, off_t size, struct tail *ret)
{
    return read_tail_in(fd, size, TAIL_USUAL, ret) || read_tail_in(fd, size, TAIL_MAX, ret);
}

/* The ledger follows a record that ends at this size of its file, or at its end (-1). */
static void advance(struct jsonl *s, int fd, off_t size, const struct tn_link *link)
{
    struct stat st;
    s->ledger.seq = link->seq;
    memcpy(s->ledger.head, link->hash, sizeof link->hash);
    if (fstat(fd, &st) == 0) {
        s->ledger.ino = (uint64_t)st.st_ino;
        s->ledger.size = (uint64_t)(size < 0 ? st.st_size : size);
    }
    jsonl_ledger_store(s);
}

int jsonl_chain_append(struct jsonl *s, size_t n)
{
    struct tn_link link = { .seq = s->ledger.seq + 1 };
    struct stat st;
    memcpy(link.prev, s->ledger.head, sizeof link.prev);
    n = tn_link_close(s->line + 1, n, &link);
    off_t before = fstat(s->fd, &st) == 0 ? st.st_size : -1;
    bool torn = s->torn;
    int r = jsonl_append(s, n);
    if (r == TENUO_OK) {
        advance(s, s->fd, -1, &link);
        s->mine = link;
        return r;
    }
    /* Not all of it, and the lock is ours: what there is of it goes, so that the chain has no torn line. Where the disk
     * did not take it in time (fsync) the record stays, and counts. */
    if (before >= 0 && fstat(s->fd, &st) == 0 && st.st_size == before + (off_t)n + torn)
        advance(s, s->fd, -1, &link);
    else if (before >= 0 && ftruncate(s->fd, before) == 0)
        s->torn = torn;
    return r;
}

static int append_own(struct jsonl *s, const char *event, const struct member *members, size_t count)
{
    size_t n = 0;
    if (!jsonl_own_record(s->line + 1, event, members, count, &n))
        return TENUO_E_AUDIT_REFUSED;
    return jsonl_chain_append(s, n);
}

static int begin_chain(struct jsonl *s, const struct stat *st)
{
    uint8_t id[16];
    char text[33];
    s->host->random(id, sizeof id);
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    const struct member members[] = { { "log_id", text, 0 },
                                      { "path", s->path, 0 },
                                      { "bytes_before", NULL, (uint64_t)st->st_size } };
    return append_own(s, "start", members, sizeof members / sizeof members[0]);
}

/* The log goes on behind the last record that was written, and says what it found instead of that. */
static int recover(struct jsonl *s, const char *reason, const struct tail *t)
{
    const struct member members[] = { { "reason", reason, 0 },
                                      { "last_seq", NULL, t->linked ? t->link.seq : 0 },
                                      { "last_line_bytes", NULL, (uint64_t)t->bytes } };
    s->host->log(s->host, TENUO_LOG_WARNING, "%s: %s; the log goes on with record %llu", s->path, reason,
                 (unsigned long long)s->ledger.seq + 1);
    return append_own(s, "recovery", members, sizeof members / sizeof members[0]);
}

static bool is_last(const struct jsonl *s, const struct tn_link *link)
{
    return link->seq == s->ledger.seq && memcmp(link->hash, s->ledger.head, sizeof link->hash) == 0;
}

/* The lock's last holder died between the record and the ledger. */
static bool is_next(const struct jsonl *s, const struct tn_link *link)
{
    return link->seq == s->ledger.seq + 1 && memcmp(link->prev, s->ledger.head, sizeof link->prev) == 0;
}

/*
 * The ledger may be older than the log: after a power failure the disk has what it has of each. Then the records behind
 * the ledger's are one chain that begins with it; anything else was not written by us.
 */
static bool leads_back(struct jsonl *s, int fd, off_t size, struct tail t)
{
    if (!t.linked || t.link.seq <= s->ledger.seq || t.link.seq - s->ledger.seq > BEHIND_MAX)
        return false;
    while (!is_next(s, &t.link)) {
        struct tail before;
        size -= (off_t)t.bytes + 1;
        if (t.link.seq == s->ledger.seq + 1 || size <= 0 || s->host->deadline(s->host) == 0 ||
            !read_tail(fd, size, &before) || !before.linked || before.link.seq + 1 != t.link.seq ||
            memcmp(before.link.hash, t.link.prev, sizeof t.link.prev) != 0)
            return false;
        t = before;
    }
    return true;
}

/* Goes to the end of the file, where that is the ledger's record or follows from it. `*ret_why`: NULL, or what is worth
 * to be told. False: the file ends with something else. */
static bool catch_up(struct jsonl *s, int fd, off_t size, const struct tail *t, const char **ret_why)
{
    *ret_why = NULL;
    if (!t->linked || (s->ledger.seq != 0 && !is_last(s, &t->link) && !leads_back(s, fd, size, *t)))
        return false;
    if (s->ledger.seq == 0) /* the administrator's doing, maybe on our own advice */
        *ret_why = "its .head file was lost";
    else if (!is_last(s, &t->link) && !is_next(s, &t->link))
        *ret_why = "its .head file was behind";
    if (s->ledger.seq == 0 || !is_last(s, &t->link))
        advance(s, fd, size, &t->link);
    return true;
}

/* A new file: its first record has the head of the one before. That the ledger knows, but for what was written to the
 * rotated file without it. */
static int begin_file(struct jsonl *s, const struct stat *st, const struct tail *t)
{
    struct tail old = { 0 };
    struct stat old_st;
    const char *why = NULL;
    char *name = NULL;
    s->ledger.born = 0;
    int fd = asprintf(&name, "%s.1", s->path) < 0 ? -1 : open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &old_st) == 0 && S_ISREG(old_st.st_mode) && read_tail(fd, old_st.st_size, &old))
        (void)catch_up(s, fd, old_st.st_size, &old, &why);
    if (fd >= 0)
        close(fd);
    free(name);
    if (s->ledger.seq == 0)
        return begin_chain(s, st);
    return why == NULL ? TENUO_OK : recover(s, why, t);
}

static int compare(struct jsonl *s, const struct stat *st, const struct tail *t)
{
    const char *why = NULL;
    struct tail whole = *t;
    off_t size = st->st_size;
    if (size == 0)
        return begin_file(s, st, t);
    if (!t->whole) { /* what stands before the torn line */
        size -= (off_t)t->bytes;
        whole.linked = size > 0 && read_tail(s->fd, size, &whole) && whole.linked;
    }
    bool good = catch_up(s, s->fd, size, &whole, &why);
    if (s->ledger.seq == 0)
        return begin_chain(s, st);
    if (!t->whole)
        return recover(s, TN_LINK_TORN, t);
    if (good)
        return why == NULL ? TENUO_OK : recover(s, why, t);
    if (!t->linked)
        return recover(s, "the last line is no record of the chain", t);
    return recover(s, t->link.seq < s->ledger.seq ? "records are missing at the end" : "the last record is another one",
                   t);
}

static int heal_file(struct jsonl *s)
{
    struct stat st;
    struct tail t;
    if (fstat(s->fd, &st) != 0) {
        s->host->error(s->host, "%s cannot be examined: %s", s->path, strerror(errno));
        return TENUO_E_AUDIT_REFUSED;
    }
    if (s->ledger.seq != 0 && (uint64_t)st.st_ino == s->ledger.ino && (uint64_t)st.st_size == s->ledger.size) {
        s->torn = false; /* that was closed by somebody else */
        return TENUO_OK;
    }
    if (!read_tail(s->fd, st.st_size, &t)) {
        s->host->error(s->host, "the end of %s cannot be read, which its chain needs: %s", s->path, strerror(errno));
        return TENUO_E_AUDIT_REFUSED;
    }
    s->torn = !t.whole;
    return compare(s, &st, &t);
}

/* The file and its ledger can be cut or made anew so that they agree. A program that goes on knows better. */
static bool is_cut(const struct jsonl *s)
{
    return s->ledger.seq < s->mine.seq || (s->mine.seq != 0 && s->ledger.seq == s->mine.seq && !is_last(s, &s->mine));
}

int jsonl_chain_heal(struct jsonl *s)
{
    int r = heal_file(s);
    if (r != TENUO_OK || !is_cut(s))
        return r;
    const struct tail own = { .linked = true, .link = s->mine };
    return recover(s, TN_LINK_CUT, &own);
}

/* ---- checkpoints ---- */

static bool signs(const struct jsonl *s)
{
    return s->host->size >= offsetof(struct tenuo_host, sign_checkpoint) + sizeof s->host->sign_checkpoint &&
           s->host->sign_checkpoint != NULL;
}

static void put_hex(char *to, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        snprintf(to + 2 * i, 3, "%02x", p[i]);
}

/* A signature under the log as it was at one of its records. */
struct checkpoint {
    uint64_t count;
    char head[65], key[2 * TENUO_PUBKEY_BYTES + 1], signature[2 * TENUO_SIG_BYTES + 1];
};

static int sign(struct jsonl *s, const struct ledger *at, struct checkpoint *ret)
{
    uint8_t public_key[TENUO_PUBKEY_BYTES], signature[TENUO_SIG_BYTES];
    int r = !signs(s) ? TENUO_E_AUDIT_REFUSED
                      : s->host->sign_checkpoint(s->host, s->key, at->head, at->seq, public_key, signature);
    if (r != TENUO_OK)
        return r;
    ret->count = at->seq;
    tn_link_hex(at->head, ret->head);
    put_hex(ret->key, public_key, sizeof public_key);
    put_hex(ret->signature, signature, sizeof signature);
    return TENUO_OK;
}

static int append_checkpoint(struct jsonl *s, const struct checkpoint *c)
{
    const struct member members[] = { { "count", NULL, c->count },
                                      { "head", c->head, 0 },
                                      { "key_id", s->key, 0 },
                                      { "public_key", c->key, 0 },
                                      { "signature", c->signature, 0 } };
    int r = append_own(s, "checkpoint", members, sizeof members / sizeof members[0]);
    if (r == TENUO_OK && s->ledger.signed_seq < c->count) {
        s->ledger.signed_seq = c->count;
        jsonl_ledger_store(s);
    }
    return r;
}

static void signed_well(struct jsonl *s)
{
    s->written = 0;
    s->retry_at = 0;
    s->sign_failures = 0;
}

static void signed_badly(struct jsonl *s, int code, uint64_t unsigned_records)
{
    s->retry_at = s->host->now() + CHECKPOINT_RETRY_SECS;
    s->host->log(s->host, TENUO_LOG_WARNING,
                 "%s: no checkpoint: key '%s' cannot sign (%d), %llu times so far; %llu records are unsigned", s->path,
                 s->key, code, ++s->sign_failures, (unsigned long long)unsigned_records);
}

/* The signature first, without the lock: a store may take its time. The record that it stands for may have others
 * behind it by then; where another process has signed meanwhile, once is enough. */
static int sign_now(struct jsonl *s, const struct ledger *at, bool always)
{
    struct checkpoint c;
    int r = sign(s, at, &c);
    if (r == TENUO_OK)
        r = jsonl_ledger_lock(s);
    if (r != TENUO_OK)
        return r;
    if (s->ledger.signed_seq == at->signed_seq || always) {
        r = jsonl_follow(s);
        if (r == TENUO_OK)
            r = jsonl_chain_heal(s);
        if (r == TENUO_OK)
            r = append_checkpoint(s, &c);
    }
    jsonl_ledger_unlock(s);
    return r;
}

void jsonl_checkpoint_locked(struct jsonl *s)
{
    struct checkpoint c;
    int r;
    if (s->key == NULL || s->ledger.seq == 0 || s->ledger.seq == s->ledger.signed_seq)
        return;
    r = sign(s, &s->ledger, &c);
    if (r == TENUO_OK)
        r = append_checkpoint(s, &c);
    if (r == TENUO_OK)
        signed_well(s);
    else
        signed_badly(s, r, s->ledger.seq - s->ledger.signed_seq);
}

/* TENUO_OK also when another process is at it: one slow store need not slow all of them. */
static int sign_alone(struct jsonl *s, const struct ledger *at, bool always)
{
    uint64_t unsigned_records = at->seq - at->signed_seq;
    bool alone = jsonl_sign_lock(s);
    if (!alone && !always && unsigned_records < s->backlog)
        return TENUO_OK;
    int r = sign_now(s, at, always);
    if (r == TENUO_OK)
        signed_well(s);
    else
        signed_badly(s, r, unsigned_records);
    if (alone)
        jsonl_sign_unlock(s);
    return r;
}

int jsonl_checkpoint(struct jsonl *s, bool always)
{
    const struct ledger at = s->ledger; /* as of our own last record */
    uint64_t unsigned_records = at.seq - at.signed_seq;
    bool due = always || at.signed_seq == 0 || unsigned_records >= s->every; /* the first at once: can the key sign? */
    if (s->key == NULL || at.seq == 0 || unsigned_records == 0 || !due)
        return TENUO_OK;
    if ((always || !jsonl_too_soon(s, s->retry_at, CHECKPOINT_RETRY_SECS)) && sign_alone(s, &at, always) == TENUO_OK)
        return TENUO_OK;
    if (unsigned_records < s->backlog)
        return TENUO_OK;
    s->host->error(s->host, "%s: %llu records without a checkpoint: key '%s' cannot sign", s->path,
                   (unsigned long long)unsigned_records, s->key);
    return TENUO_E_AUDIT_REFUSED;
}
