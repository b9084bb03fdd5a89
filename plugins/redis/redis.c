/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay store "redis": SET key NX PX, so that many programs on many hosts see each other's proofs. Whatever is not
 * plainly "new" or "seen" is unavailable, which denies. A server that fails is left alone for a while, so that calls
 * fail at once and not each after its deadline.
 */
#include "redis.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WAIT 100    /* ms after the first failure; doubles */
#define LONGEST_WAIT 5000
#define LOG_EVERY 60000   /* ms, once the waits have stopped to grow */
#define OPEN_TIME 1000    /* ms that a start may wait for the server */
#define MAX_SECONDS 1000000000000 /* 31 thousand years, which the server can still count in milliseconds */

enum { HOST, PORT, SOCKET, DB, USERNAME, PASSWORD_FILE, CREDENTIAL, PREFIX, REPLICAS, STRICT_START, INSECURE, ARGS };

static const char *place(const struct redis *r)
{
    return r->socket[0] != '\0' ? r->socket : r->address;
}

/* ---- failure and recovery ---- */

static int fail(struct redis *r)
{
    uint64_t now = redis_clock();
    uint32_t wait = r->wait_ms == 0 ? FIRST_WAIT : r->wait_ms * 2 > LONGEST_WAIT ? LONGEST_WAIT : r->wait_ms * 2;
    redis_drop(r);
    if (wait != r->wait_ms || now - r->logged >= LOG_EVERY) {
        r->host->log(r->host, TENUO_LOG_ERR, "%s %s; calls are denied, and it is tried again in %u ms", place(r),
                     r->why, wait);
        r->logged = now;
    }
    r->wait_ms = wait;
    r->retry_at = now + wait;
    r->host->error(r->host, "%s %s", place(r), r->why);
    return TENUO_E_UNAVAILABLE;
}

static void recover(struct redis *r)
{
    if (r->wait_ms != 0)
        r->host->log(r->host, TENUO_LOG_INFO, "%s answers again", place(r));
    r->wait_ms = 0;
}

static bool rests(struct redis *r)
{
    uint64_t now = redis_clock();
    if (r->wait_ms == 0 || now >= r->retry_at)
        return false;
    r->host->error(r->host, "%s %s; tried again in %u ms", place(r), r->why, (unsigned)(r->retry_at - now));
    return true;
}

/* ---- the question ---- */

static void write_hex(char *p, const uint8_t key[32])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        p[2 * i] = digits[key[i] >> 4];
        p[2 * i + 1] = digits[key[i] & 15];
    }
    p[64] = '\0';
}

/* Enough replicas must have it, or a failover would forget it. */
static bool await_replicas(struct redis *r, uint64_t ends)
{
    char number[16], ms[24];
    const char *const command[] = { "WAIT", number, ms };
    redisReply *reply = NULL;
    uint64_t now = redis_clock();
    if (r->replicas == 0)
        return true;
    snprintf(number, sizeof number, "%u", r->replicas);
    snprintf(ms, sizeof ms, "%" PRIu64, ends > now + 1 ? (ends - now) / 2 + 1 : 1);
    if (!redis_talk(r, ends, 3, command, &reply))
        return false;
    bool good = reply->type == REDIS_REPLY_INTEGER && reply->integer >= (long long)r->replicas;
    freeReplyObject(reply);
    return good || redis_say(r, "has too few replicas that keep up: want %u", r->replicas);
}

static int read_answer(struct redis *r, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0)
        return TENUO_OK;
    if (reply->type == REDIS_REPLY_NIL)
        return TENUO_E_REPLAYED;
    (void)redis_say(r, "answers SET as no redis does");
    return TENUO_E_UNAVAILABLE;
}

static int set(struct redis *r, const uint8_t key[32], int64_t seconds, uint64_t ends)
{
    char name[REDIS_TEXT_MAX + 1 + 64], ms[24];
    const char *const command[] = { "SET", name, "1", "NX", "PX", ms };
    redisReply *reply = NULL;
    size_t n = strlen(r->prefix);
    memcpy(name, r->prefix, n);
    write_hex(name + n, key);
    snprintf(ms, sizeof ms, "%" PRId64, seconds * 1000);
    if (!redis_talk(r, ends, 6, command, &reply))
        return TENUO_E_UNAVAILABLE;
    int code = read_answer(r, reply);
    freeReplyObject(reply);
    return code == TENUO_OK && !await_replicas(r, ends) ? TENUO_E_UNAVAILABLE : code;
}

/* What a server that lost its entries in a restart cannot know. */
static bool is_older(const struct redis *r, int64_t signed_at)
{
    if (!r->strict_start || signed_at > r->server_began)
        return false;
    r->host->error(r->host, "the proof was signed before %s started or within 30 s after, and may have been "
                            "used: sign the call again",
                   place(r));
    return true;
}

/* Some of the time is left for the answer to come back. */
static uint64_t end_of(const struct redis *r, uint32_t most)
{
    uint32_t ms = r->host->deadline(r->host);
    ms -= ms / 10;
    return redis_clock() + (ms > most ? most : ms);
}

static int redis_check_and_set(void *self, const uint8_t key[32], int64_t signed_at, int64_t expires_at)
{
    struct redis *r = self;
    int64_t now = r->host->now(), seconds;
    uint64_t ends = end_of(r, UINT32_MAX);
    if (expires_at < now) {
        r->host->error(r->host, "asked to remember a proof until a time that has passed");
        return TENUO_E_INVALID_ARGUMENT;
    }
    if (__builtin_sub_overflow(expires_at, now, &seconds) || seconds > MAX_SECONDS)
        seconds = MAX_SECONDS;
    if (rests(r))
        return TENUO_E_UNAVAILABLE;
    if (!redis_ready(r, ends))
        return fail(r);
    if (is_older(r, signed_at))
        return TENUO_E_UNAVAILABLE;
    int code = set(r, key, seconds + 1, ends); /* through the last second */
    if (code == TENUO_E_UNAVAILABLE)
        return fail(r);
    recover(r);
    return code;
}

/* ---- life ---- */

static void redis_close(void *self)
{
    struct redis *r = self;
    if (r != NULL)
        redis_drop(r);
    free(r);
}

static bool is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address, &v6) == 1)
        return memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
    return strcmp(address, "localhost") == 0;
}

/* What is wrong with the line, or NULL. */
static const char *judge(const struct tenuo_arg *a)
{
    static const int texts[] = { HOST, SOCKET, USERNAME, PASSWORD_FILE, CREDENTIAL, PREFIX };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (a[texts[i]].value != NULL && (a[texts[i]].value[0] == '\0' || strlen(a[texts[i]].value) > REDIS_TEXT_MAX))
            return "a text has 1 to 255 characters";
    if ((a[HOST].value == NULL) == (a[SOCKET].value == NULL))
        return "want host= or socket=, one of them";
    if (a[SOCKET].value != NULL && (a[PORT].value != NULL || strlen(a[SOCKET].value) > 107))
        return "a socket has no port, and a path of at most 107 characters";
    if (a[PORT].value != NULL && (a[PORT].number == 0 || a[PORT].number > 65535))
        return "port: want a number from 1 to 65535";
    if (a[DB].number > 65535 || a[REPLICAS].number > 100)
        return "db is at most 65535, replicas at most 100";
    if (a[PASSWORD_FILE].value != NULL && a[CREDENTIAL].value != NULL)
        return "want password_file= or credential=, not both";
    if (a[USERNAME].value != NULL && a[PASSWORD_FILE].value == NULL && a[CREDENTIAL].value == NULL)
        return "username= needs password_file= or credential=";
    if (a[CREDENTIAL].value != NULL && (strchr(a[CREDENTIAL].value, '/') != NULL || a[CREDENTIAL].value[0] == '.'))
        return "credential: want a name without '/'";
    if (a[HOST].value != NULL && !is_loopback(a[HOST].value) && a[INSECURE].number == 0)
        return "the connection to another host is not encrypted: use a tunnel with TLS on this host, or insecure=yes "
               "in a network where nobody else can read or answer";
    return NULL;
}

static void copy(char to[REDIS_TEXT_MAX + 1], const char *value)
{
    if (value != NULL)
        memcpy(to, value, strlen(value) + 1); /* judge has seen its length */
}

static struct redis *make(const struct tenuo_host *host, const struct tenuo_arg *a)
{
    struct redis *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->host = host;
    copy(r->address, a[HOST].value);
    copy(r->socket, a[SOCKET].value);
    copy(r->username, a[USERNAME].value);
    copy(r->password_file, a[PASSWORD_FILE].value);
    copy(r->credential, a[CREDENTIAL].value);
    copy(r->prefix, a[PREFIX].value != NULL ? a[PREFIX].value : "tenuo:replay:");
    r->port = a[PORT].value != NULL ? (unsigned)a[PORT].number : 6379;
    r->db = (unsigned)a[DB].number;
    r->replicas = (unsigned)a[REPLICAS].number;
    r->strict_start = a[STRICT_START].number != 0;
    return r;
}

static int redis_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    if (nargs < ARGS)
        return TENUO_E_INVALID_ARGUMENT;
    const char *wrong = judge(args);
    if (wrong == NULL)
        return TENUO_OK;
    host->error(host, "%s", wrong);
    return TENUO_E_CONF;
}

/* A server that is away now may come back: that is said, and each call finds out for itself. */
static int redis_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    int code = redis_check(host, args, nargs);
    if (code != TENUO_OK)
        return code;
    struct redis *r = make(host, args);
    if (r == NULL)
        return TENUO_E_NOMEM;
    if (!redis_ready(r, end_of(r, OPEN_TIME)))
        (void)fail(r);
    *ret_self = r;
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "host", TENUO_ARG_STRING, 0, "name or address of the server; want host or socket" },
    { "port", TENUO_ARG_UINT, 0, "its port (6379)" },
    { "socket", TENUO_ARG_PATH, 0, "its socket on this host" },
    { "db", TENUO_ARG_UINT, 0, "number of the database (0)" },
    { "username", TENUO_ARG_STRING, 0, "name to log in with (the server's default user)" },
    { "password_file", TENUO_ARG_PATH, 0, "file with the password, which nobody else can read" },
    { "credential", TENUO_ARG_STRING, 0, "the password is this credential of the service manager" },
    { "prefix", TENUO_ARG_STRING, 0, "what the names of entries begin with (tenuo:replay:)" },
    { "replicas", TENUO_ARG_UINT, 0, "how many replicas must have an entry before a call passes (0)" },
    { "strict_start", TENUO_ARG_BOOL, 0, "refuse proofs signed before the server started or within 30 s after (no)" },
    { "insecure", TENUO_ARG_BOOL, 0, "speak to another host without encryption (no)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_replay_ops ops = {
    .size = sizeof ops,
    .open = redis_open,
    .close = redis_close,
    .check = redis_check,
    .check_and_set = redis_check_and_set,
};

/* Not thread-safe: one connection, on which a call takes well under a decision's time. Not fork-safe: a child makes its
 * own. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .name = "redis",
    .version = "1.0",
    .summary = "proofs that any program accepted, in a redis server",
    .args = args,
    .replay = &ops,
};
