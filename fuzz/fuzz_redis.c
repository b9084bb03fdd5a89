/* SPDX-License-Identifier: Apache-2.0 */
/* What a redis server may send, any bytes. Properties: a server counts as fit only when it said so; a reply is no error
 * and no list; after a failure there is a reason, and no connection. */
#include "../plugins/redis/conn.c"

#include "fuzz.h"

#define SIZE_MAX_SENT 65536 /* what a socket takes without a reader */

static int64_t now(void)
{
    return 1893456000;
}

static void wipe(void *p, size_t len)
{
    memset(p, 0, len);
}

static const struct tenuo_host host = { .size = sizeof host, .now = now, .wipe = wipe };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const command[] = { "SET", "k", "1", "NX", "PX", "1000" };
    struct redis r = { .host = &host };
    redisReply *reply = NULL;
    int s[2];
    if (size > SIZE_MAX_SENT)
        return 0;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) == 0);
    REQUIRE(send(s[1], data, size, 0) == (ssize_t)size && shutdown(s[1], SHUT_WR) == 0);
    r.c = redisConnectFd(s[0]);
    REQUIRE(r.c != NULL);
    limit_reader(&r);
    if (ask_info(&r, UINT64_MAX)) {
        REQUIRE(memmem(data, size, "\nrole:master", 12) != NULL && memmem(data, size, ":noeviction", 11) != NULL);
        if (redis_talk(&r, UINT64_MAX, 6, command, &reply)) {
            REQUIRE(reply->type != REDIS_REPLY_ERROR && reply->type != REDIS_REPLY_ARRAY);
            freeReplyObject(reply);
        }
    }
    REQUIRE((r.c == NULL) == (r.why[0] != '\0'));
    redis_drop(&r);
    close(s[1]);
    return 0;
}
