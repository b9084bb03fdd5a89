/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a record: one datagram to a Unix socket or by UDP, or a frame with its length in front by TCP (RFC 6587,
 * octet counting). Nothing here waits longer than the call may take. A frame that went out in part ends its connection:
 * the server cannot take what follows for the rest of it.
 */
#include "syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REFUSAL_MS 50       /* longest wait for word that nobody listens */
#define DISCARD_MAX 1048576 /* bytes of what a server says, in front of one record */

/* ---- addresses ---- */

static bool read_port(const char *text, uint16_t *ret)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n == 0 || n > 65535)
        return false;
    *ret = htons((uint16_t)n);
    return true;
}

/* Addresses as numbers alone: a name would have to be looked up, without a bound, when a record is waiting. */
static bool read_host(struct syslog *s, const char *host, uint16_t port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&s->to;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&s->to;
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = port;
        s->to_len = sizeof *four;
        return true;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
        return false;
    six->sin6_family = AF_INET6;
    six->sin6_port = port;
    s->to_len = sizeof *six;
    return true;
}

static bool read_server(struct syslog *s, const char *server)
{
    char host[80];
    uint16_t port;
    s->type = strncmp(server, "udp://", 6) == 0 ? SOCK_DGRAM : SOCK_STREAM;
    if (s->type == SOCK_STREAM && strncmp(server, "tcp://", 6) != 0)
        return false;
    const char *p = server + 6, *colon = strrchr(p, ':');
    if (colon == NULL || !read_port(colon + 1, &port))
        return false;
    size_t n = (size_t)(colon - p);
    if (n >= 2 && p[0] == '[' && p[n - 1] == ']')
        p++, n -= 2;
    if (n == 0 || n >= sizeof host)
        return false;
    memcpy(host, p, n);
    host[n] = '\0';
    return read_host(s, host, port);
}

int syslog_address(struct syslog *s, const char *server, const char *path)
{
    struct sockaddr_un *local = (struct sockaddr_un *)&s->to;
    snprintf(s->place, sizeof s->place, "%s", server != NULL ? server : path);
    if (server != NULL && read_server(s, server))
        return TENUO_OK;
    if (server != NULL) {
        s->host->error(
            s->host, "server: want udp:// or tcp:// with an address in numbers and a port, as in tcp://192.0.2.7:601");
        return TENUO_E_CONF;
    }
    if (strlen(path) >= sizeof local->sun_path) {
        s->host->error(s->host, "socket: a path of at most %zu bytes", sizeof local->sun_path - 1);
        return TENUO_E_CONF;
    }
    s->type = SOCK_DGRAM;
    local->sun_family = AF_UNIX;
    strcpy(local->sun_path, path);
    s->to_len = sizeof *local;
    return TENUO_OK;
}

/* ---- connections ---- */

void syslog_disconnect(struct syslog *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* Waits for the socket, a while at most. False when the time of the call is over. */
static bool wait_for(const struct syslog *s, short events)
{
    struct pollfd p = { .fd = s->fd, .events = events };
    uint32_t left = s->host->deadline(s->host);
    if (left == 0)
        return false;
    (void)poll(&p, 1, left > 100 ? 100 : (int)left);
    return true;
}

static int finish_connect(const struct syslog *s)
{
    int failed = 0;
    socklen_t n = sizeof failed;
    struct pollfd p = { .fd = s->fd, .events = POLLOUT };
    while (poll(&p, 1, 0) == 0)
        if (!wait_for(s, POLLOUT))
            return ETIMEDOUT;
    return getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &n) == 0 ? failed : errno;
}

/* Where nobody listens, on this machine and on a port that the system gives away, a connection may meet itself: it
 * would acknowledge its own records. */
static bool is_own_end(const struct syslog *s)
{
    struct sockaddr_storage here = { 0 }, there = { 0 };
    socklen_t n = sizeof here, m = sizeof there;
    return s->type == SOCK_STREAM && getsockname(s->fd, (struct sockaddr *)&here, &n) == 0 &&
           getpeername(s->fd, (struct sockaddr *)&there, &m) == 0 && n == m && memcmp(&here, &there, n) == 0;
}

static int connect_now(struct syslog *s)
{
    const int on = 1;
    int failed = 0;
    s->fd = socket(s->to.ss_family, s->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return errno;
    s->pid = getpid();
    if (s->type == SOCK_STREAM)
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(s->fd, (const struct sockaddr *)&s->to, s->to_len) != 0)
        failed = errno == EINPROGRESS ? finish_connect(s) : errno;
    if (failed == 0 && is_own_end(s))
        failed = ECONNREFUSED;
    if (failed != 0)
        syslog_disconnect(s);
    return failed;
}

/* A server that went away has sent its end. What it says else is thrown away, and not for longer than a moment: it may
 * never stop. */
static bool is_alive(const struct syslog *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };
    if (s->fd < 0 || s->pid != getpid())
        return false;
    if (s->type == SOCK_DGRAM)
        return true;
    if (poll(&p, 1, 0) > 0)
        return false;
    (void)recv(s->fd, NULL, DISCARD_MAX, MSG_DONTWAIT | MSG_TRUNC);
    return true;
}

/* ---- sending ---- */

static int send_datagram(struct syslog *s, size_t n)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    for (;;) {
        if (send(s->fd, s->text, n, MSG_NOSIGNAL) == (ssize_t)n)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
            return errno;
        if (!wait_for(s, POLLOUT))
            return EAGAIN;
        (void)nanosleep(&pause, NULL);
    }
}

static int send_all(struct syslog *s, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = send(s->fd, p, n, MSG_NOSIGNAL);
        if (done >= 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(s, POLLOUT))
                return EAGAIN;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/* Until the other machine has acknowledged every byte: what still waits here would be lost with the connection. */
static int wait_for_receipt(struct syslog *s)
{
    struct timespec pause = { .tv_nsec = 20000 };
    int queued = 0;
    while (ioctl(s->fd, SIOCOUTQ, &queued) == 0 && queued > 0) {
        struct pollfd p = { .fd = s->fd };
        if (poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0)
            return ECONNRESET;
        if (s->host->deadline(s->host) == 0)
            return EAGAIN;
        (void)nanosleep(&pause, NULL);
        if (pause.tv_nsec < 2000000)
            pause.tv_nsec *= 2;
    }
    return 0;
}

static int send_frame(struct syslog *s, size_t n)
{
    char lead[24];
    int failed = send_all(s, lead, (size_t)snprintf(lead, sizeof lead, "%zu ", n));
    if (failed == 0)
        failed = send_all(s, s->text, n);
    return failed == 0 ? wait_for_receipt(s) : failed;
}

static int send_once(struct syslog *s, size_t n)
{
    int failed = is_alive(s) ? 0 : (syslog_disconnect(s), connect_now(s));
    if (failed == 0)
        failed = s->type == SOCK_DGRAM ? send_datagram(s, n) : send_frame(s, n);
    if (failed != 0)
        syslog_disconnect(s);
    return failed;
}

int syslog_send(struct syslog *s, size_t n)
{
    bool held = s->fd >= 0;
    int failed = send_once(s, n);
    /* A connection of before may have ended without our noticing; a fresh one tells the truth. */
    if (held && failed != 0 && failed != EAGAIN && failed != ETIMEDOUT)
        failed = send_once(s, n);
    if (failed == 0)
        return TENUO_OK;
    if (failed == EAGAIN || failed == ETIMEDOUT)
        s->host->error(s->host, "%s takes no records: it is stopped, overloaded or far away", s->place);
    else if (failed == EPROTOTYPE)
        s->host->error(s->host, "%s is a stream socket: name a datagram socket, or server=tcp://...", s->place);
    else
        s->host->error(s->host, "cannot send to %s: %s: is a syslog daemon listening there?", s->place,
                       strerror(failed));
    return TENUO_E_AUDIT_REFUSED;
}

/* Who sends a datagram to a machine where nobody listens may hear of it, but only afterwards. */
int syslog_await_no(struct syslog *s)
{
    const uint32_t left = s->host->deadline(s->host);
    const int wait = left > 2 * REFUSAL_MS ? REFUSAL_MS : (int)left / 2;
    int failed = 0;
    socklen_t n = sizeof failed;
    struct pollfd p = { .fd = s->fd };
    if (s->type != SOCK_DGRAM || s->to.ss_family == AF_UNIX || poll(&p, 1, wait) <= 0 ||
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &n) != 0 || failed == 0)
        return TENUO_OK;
    s->host->error(s->host, "cannot send to %s: %s: is a syslog daemon listening there?", s->place, strerror(failed));
    return TENUO_E_AUDIT_REFUSED;
}
