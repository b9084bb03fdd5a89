/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to the server: made, judged and used within a deadline, whatever the server does. What it sends is
 * bounded, in order, and never repeated in a message but for the one word that names an error. The password is read
 * for each connection and wiped.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../common/keyfile.h"
#include "../../core/trust.h"
#include "redis.h"

#define ANSWER_MAX 262144 /* bytes of one reply; INFO has about 6000 */
#define CHECK_EVERY 60000 /* ms after which a server is asked again what it is */

uint64_t redis_clock(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool redis_say(struct redis *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return false;
}

void redis_drop(struct redis *r)
{
    if (r->c != NULL)
        redisFree(r->c);
    r->c = NULL;
}

static bool wait_for(struct redis *r, short events, uint64_t ends)
{
    for (;;) {
        uint64_t now = redis_clock();
        struct pollfd p = { .fd = r->c->fd, .events = events };
        int n = now >= ends ? 0 : poll(&p, 1, ends - now > 3600000 ? 3600000 : (int)(ends - now));
        if (n > 0)
            return true;
        if (n == 0)
            return redis_say(r, "does not answer in time");
        if (errno != EINTR)
            return redis_say(r, "cannot be waited for: %s", strerror(errno));
    }
}

/* ---- commands ---- */

static bool send_all(struct redis *r, const char *p, size_t n, uint64_t ends)
{
    while (n > 0) {
        ssize_t done = send(r->c->fd, p, n, MSG_NOSIGNAL);
        if (done < 0 && errno != EAGAIN && errno != EINTR)
            return redis_say(r, "does not take a command: %s", strerror(errno));
        if (done < 0 && errno == EAGAIN && !wait_for(r, POLLOUT, ends))
            return false;
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return true;
}

static bool receive(struct redis *r, uint64_t ends, redisReply **ret_reply)
{
    void *reply = NULL;
    while (redisGetReplyFromReader(r->c, &reply) == REDIS_OK && reply == NULL) {
        if (r->c->reader->len > ANSWER_MAX)
            return redis_say(r, "answers without end");
        if (!wait_for(r, POLLIN, ends))
            return false;
        if (redisBufferRead(r->c) != REDIS_OK)
            break;
    }
    if (reply == NULL)
        return redis_say(r, "breaks off: %.100s",
                         r->c->err == REDIS_ERR_OOM ? "a list, or memory ran out" : r->c->errstr);
    *ret_reply = reply;
    return true;
}

/* "READONLY You can't write ..." is READONLY; what is no word of capitals is not repeated. */
static bool say_error(struct redis *r, const redisReply *reply)
{
    char word[25] = "";
    size_t n = strspn(reply->str, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (n > 0 && n < sizeof word)
        memcpy(word, reply->str, n);
    const char *remedy = strcmp(word, "NOAUTH") == 0 ? ": it wants a login: password_file= or credential="
                         : strcmp(word, "WRONGPASS") == 0 ? ": the password, or username=, is not the server's"
                         : strcmp(word, "NOPERM") == 0    ? ": its user may not do this: see tenuo_redis(8)"
                                                          : "";
    return word[0] != '\0' ? redis_say(r, "refuses with the error %s%s", word, remedy)
                           : redis_say(r, "refuses with an error");
}

/* An answer that nobody asked for would be taken for that of the next command. */
static bool is_quiet(const struct redis *r)
{
    char byte;
    ssize_t n = recv(r->c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && r->c->reader->pos == r->c->reader->len;
}

static bool exchange(struct redis *r, uint64_t ends, char *command, size_t n, redisReply **ret_reply)
{
    redisReply *reply = NULL;
    if (!send_all(r, command, n, ends) || !receive(r, ends, &reply))
        return false;
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)say_error(r, reply);
        freeReplyObject(reply);
        return false;
    }
    *ret_reply = reply;
    return true;
}

bool redis_talk(struct redis *r, uint64_t ends, int argc, const char *const argv[], redisReply **ret_reply)
{
    const char *words[8];
    char *command = NULL;
    for (int i = 0; i < argc; i++)
        words[i] = argv[i];
    int n = redisFormatCommandArgv(&command, argc, words, NULL);
    if (n < 0)
        return redis_say(r, "memory ran out");
    bool good = exchange(r, ends, command, (size_t)n, ret_reply);
    r->host->wipe(command, (size_t)n); /* it may hold the password */
    redisFreeCommand(command);
    if (!good)
        redis_drop(r);
    return good;
}

static bool expect_ok(struct redis *r, uint64_t ends, int argc, const char *const argv[])
{
    redisReply *reply = NULL;
    if (!redis_talk(r, ends, argc, argv, &reply))
        return false;
    bool good = reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0;
    freeReplyObject(reply);
    if (good)
        return true;
    redis_drop(r);
    return redis_say(r, "answers %s with something else than OK", argv[0]);
}

/* ---- is this server fit? ---- */

/* "\nNAME:VALUE\r\n" of INFO's answer; false when there is none or it is too long. */
static bool info_field(const char *text, const char *name, char value[32])
{
    char start[40];
    snprintf(start, sizeof start, "\n%s:", name);
    const char *p = strstr(text, start);
    if (p == NULL)
        return false;
    p += strlen(start);
    size_t n = strcspn(p, "\r\n");
    if (n >= 32)
        return false;
    memcpy(value, p, n);
    value[n] = '\0';
    return true;
}

static bool judge(struct redis *r, const redisReply *info)
{
    char role[32], policy[32], uptime[32];
    if (info->type != REDIS_REPLY_STRING || !info_field(info->str, "role", role) ||
        !info_field(info->str, "maxmemory_policy", policy) || !info_field(info->str, "uptime_in_seconds", uptime))
        return redis_say(r, "does not tell by INFO what it is; want role, maxmemory_policy and uptime_in_seconds");
    if (strcmp(role, "master") != 0)
        return redis_say(r, "is a replica: name the master");
    if (strcmp(policy, "noeviction") != 0)
        return redis_say(r, "may drop entries early: set its maxmemory-policy to noeviction");
    if (uptime[0] == '\0' || uptime[strspn(uptime, "0123456789")] != '\0' || strlen(uptime) > 12)
        return redis_say(r, "tells no sensible uptime");
    r->server_began = r->host->now() - strtoll(uptime, NULL, 10);
    r->checked = redis_clock();
    return true;
}

static bool ask_info(struct redis *r, uint64_t ends)
{
    static const char *const command[] = { "INFO" };
    redisReply *info = NULL;
    if (!redis_talk(r, ends, 1, command, &info))
        return false;
    bool good = judge(r, info);
    freeReplyObject(info);
    if (!good)
        redis_drop(r);
    return good;
}

/* ---- connecting ---- */

/* Never wanted: no command that we send is answered by one, and a lying server could claim any size. */
#if HIREDIS_MAJOR >= 1
static void *no_array(const redisReadTask *task, size_t elements)
#else
static void *no_array(const redisReadTask *task, int elements)
#endif
{
    (void)task, (void)elements;
    return NULL;
}

static void limit_reader(struct redis *r)
{
    r->fn = *r->c->reader->fn;
    r->fn.createArray = no_array;
    r->c->reader->fn = &r->fn;
}

static bool read_password(struct redis *r, const char *dir, const char *name, unsigned flags,
                          char text[TN_KEYFILE_MAX + 1])
{
    struct tenuo_error err = { 0 };
    size_t n = 0;
    char why[160];
    int fd = -1;
    if (tn_trust_open(dir, TN_TRUST_DIR, TENUO_E_KEY_DENIED, &fd, &err) != TENUO_OK)
        return redis_say(r, "cannot be logged in to: %.150s", err.msg);
    enum tn_keyfile_result k = tn_keyfile_read(fd, name, flags, (uint8_t *)text, &n, why);
    close(fd);
    if (k != TN_KEYFILE_OK)
        return redis_say(r, "cannot be logged in to: the password file: %s", why);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = '\0';
    if (n > 0 && strlen(text) == n && strpbrk(text, "\r\n") == NULL)
        return true;
    return redis_say(r, "cannot be logged in to: the password file does not hold one line of text");
}

static bool find_password(struct redis *r, char text[TN_KEYFILE_MAX + 1])
{
    char dir[REDIS_TEXT_MAX + 1];
    if (r->credential[0] != '\0') {
        const char *from = secure_getenv("CREDENTIALS_DIRECTORY");
        if (from == NULL)
            return redis_say(r, "cannot be logged in to: the service manager passed no credentials");
        return read_password(r, from, r->credential, TN_KEYFILE_CREDENTIAL, text);
    }
    memcpy(dir, r->password_file, sizeof dir);
    char *slash = strrchr(dir, '/');
    *slash = '\0';
    return read_password(r, dir[0] != '\0' ? dir : "/", slash + 1, 0, text);
}

static bool log_in(struct redis *r, uint64_t ends)
{
    if (r->password_file[0] == '\0' && r->credential[0] == '\0')
        return true;
    char *password = calloc(1, TN_KEYFILE_MAX + 1);
    if (password == NULL)
        return redis_say(r, "memory ran out");
    bool named = r->username[0] != '\0';
    const char *const command[] = { "AUTH", named ? r->username : password, password };
    bool good = find_password(r, password) && expect_ok(r, ends, named ? 3 : 2, command);
    r->host->wipe(password, TN_KEYFILE_MAX + 1);
    free(password);
    return good;
}

static bool reach(struct redis *r, uint64_t ends)
{
    int error = 0;
    socklen_t n = sizeof error;
    r->c = r->socket[0] != '\0' ? redisConnectUnixNonBlock(r->socket) : redisConnectNonBlock(r->address, (int)r->port);
    if (r->c == NULL)
        return redis_say(r, "memory ran out");
    if (r->c->err != 0)
        return redis_say(r, "cannot be reached: %.100s", r->c->errstr);
    (void)fcntl(r->c->fd, F_SETFD, FD_CLOEXEC);
    if (!wait_for(r, POLLOUT, ends))
        return false;
    if (getsockopt(r->c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0)
        return redis_say(r, "cannot be reached: %s", strerror(error));
    limit_reader(r);
    return true;
}

static bool choose_db(struct redis *r, uint64_t ends)
{
    char number[16];
    const char *const command[] = { "SELECT", number };
    snprintf(number, sizeof number, "%u", r->db);
    return r->db == 0 || expect_ok(r, ends, 2, command);
}

bool redis_ready(struct redis *r, uint64_t ends)
{
    if (r->c != NULL && !is_quiet(r))
        redis_drop(r);
    if (r->c != NULL)
        return redis_clock() - r->checked < CHECK_EVERY || ask_info(r, ends);
    if (reach(r, ends) && log_in(r, ends) && choose_db(r, ends) && ask_info(r, ends))
        return true;
    redis_drop(r);
    return false;
}
