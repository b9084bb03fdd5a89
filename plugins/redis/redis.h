/* SPDX-License-Identifier: Apache-2.0 */
/* The replay store redis: one line's state, and the connection that conn.c keeps for it. */
#ifndef TN_REDIS_H
#define TN_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <tenuo/plugin.h>

#define REDIS_TEXT_MAX 255

struct redis {
    const struct tenuo_host *host;
    /* the line's arguments */
    char address[REDIS_TEXT_MAX + 1], socket[REDIS_TEXT_MAX + 1]; /* one of them is empty */
    unsigned port, db, replicas;
    char username[REDIS_TEXT_MAX + 1], password_file[REDIS_TEXT_MAX + 1], credential[REDIS_TEXT_MAX + 1];
    char prefix[REDIS_TEXT_MAX + 1];
    bool strict_start;
    /* the connection; NULL: there is none */
    redisContext *c;
    redisReplyObjectFunctions fn;
    uint64_t checked;     /* when the server was last asked what it is, in ms of the monotonic clock */
    int64_t server_began; /* Unix seconds */
    /* what went wrong last */
    char why[200];
    uint32_t wait_ms; /* 0: all is well */
    uint64_t retry_at, logged;
};

/* conn.c. Each returns false with r->why, and drops the connection whose answers are not to be trusted any more. `ends`
 * is in milliseconds of redis_clock. */
uint64_t redis_clock(void);
/* A connection that is fit for use: made, authenticated, and to a server that keeps what it takes. */
bool redis_ready(struct redis *r, uint64_t ends);
/* One command and its one reply; an error reply is a failure. Free it with freeReplyObject. */
bool redis_talk(struct redis *r, uint64_t ends, int argc, const char *const argv[], redisReply **ret_reply);
void redis_drop(struct redis *r);
/* Sets r->why; returns false. */
bool redis_say(struct redis *r, const char *fmt, ...) TENUO_PRINTF(2, 3);

#endif
