/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question and its answer over the agent's socket. Each call has a connection of its own, so that threads do not
 * wait for each other and nothing is left behind in a child. Whoever is at the other end must be this user or root.
 */
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MARGIN_MS 20 /* for what comes after the answer */
#define BUSY_PAUSE_MS 5

const char *agent_socket(const struct agent *a)
{
    return a->socket != NULL ? a->socket : secure_getenv("SSH_AUTH_SOCK");
}

static int away(const struct agent *a, const char *what)
{
    a->host->error(a->host, "%s: %s: is the ssh-agent running?", agent_socket(a), what);
    return TENUO_E_UNAVAILABLE;
}

/* Waits until the socket is ready; false when the time is over. */
static bool ready(const struct agent *a, int fd, short events)
{
    for (;;) {
        uint32_t left = a->host->deadline(a->host);
        struct pollfd p = { .fd = fd, .events = events };
        if (left <= MARGIN_MS)
            return false;
        int n = poll(&p, 1, left - MARGIN_MS > 3600000 ? 3600000 : (int)(left - MARGIN_MS));
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

static int judge_peer(const struct agent *a, int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
        return away(a, strerror(errno));
    if (peer.uid == 0 || peer.uid == geteuid())
        return TENUO_OK;
    a->host->error(a->host,
                   "%s: the agent belongs to user %lu, who is neither this user nor root: use an agent of your own",
                   agent_socket(a), (unsigned long)peer.uid);
    return TENUO_E_KEY_DENIED;
}

/* An agent whose queue is full says EAGAIN at once: it is busy, not away. */
static bool connect_in_time(const struct agent *a, int fd, const struct sockaddr_un *to)
{
    while (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        if ((errno != EAGAIN && errno != EINTR) || a->host->deadline(a->host) <= MARGIN_MS)
            return false;
        (void)poll(NULL, 0, BUSY_PAUSE_MS);
    }
    return true;
}

static int connect_to(const struct agent *a, int *ret_fd)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    const char *path = agent_socket(a);
    if (path == NULL || path[0] != '/') {
        a->host->error(a->host,
                       "SSH_AUTH_SOCK is not set to an absolute path: start an ssh-agent, or name its socket= here");
        return TENUO_E_UNAVAILABLE;
    }
    if (strlen(path) >= sizeof to.sun_path) {
        a->host->error(a->host, "the path of the agent's socket is longer than %zu bytes", sizeof to.sun_path - 1);
        return TENUO_E_UNAVAILABLE;
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return away(a, strerror(errno));
    int r = TENUO_OK;
    if (!connect_in_time(a, fd, &to)) {
        const bool forbidden = errno == EACCES || errno == EPERM;
        r = away(a, strerror(errno));
        if (forbidden) {
            a->host->error(a->host, "%s: this user may not connect to it", path);
            r = TENUO_E_KEY_DENIED;
        }
    } else {
        r = judge_peer(a, fd);
    }
    if (r != TENUO_OK) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return TENUO_OK;
}

static int send_all(const struct agent *a, int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        if (!ready(a, fd, POLLOUT))
            return away(a, "it takes no question in time");
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (w <= 0)
            return away(a, strerror(errno));
        p += w;
        n -= (size_t)w;
    }
    return TENUO_OK;
}

static int receive_all(const struct agent *a, int fd, uint8_t *p, size_t n)
{
    while (n > 0) {
        if (!ready(a, fd, POLLIN))
            return away(a, "it gives no answer in time");
        ssize_t r = recv(fd, p, n, 0);
        if (r < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (r == 0)
            return away(a, "it closed the connection in the middle of an answer");
        if (r < 0)
            return away(a, strerror(errno));
        p += r;
        n -= (size_t)r;
    }
    return TENUO_OK;
}

static int receive_reply(const struct agent *a, int fd, uint8_t **ret_reply, size_t *ret_len)
{
    uint8_t head[4];
    struct agent_in in = { head, sizeof head };
    uint32_t n = 0;
    int r = receive_all(a, fd, head, sizeof head);
    if (r != TENUO_OK)
        return r;
    if (!agent_get_u32(&in, &n) || n == 0 || n > AGENT_MESSAGE_MAX)
        return away(a, "its answer has a length that no agent sends");
    uint8_t *reply = malloc(n);
    if (reply == NULL)
        return TENUO_E_NOMEM;
    r = receive_all(a, fd, reply, n);
    if (r != TENUO_OK) {
        free(reply);
        return r;
    }
    *ret_reply = reply;
    *ret_len = n;
    return TENUO_OK;
}

int agent_ask(const struct agent *a, struct agent_out *out, uint8_t **ret_reply, size_t *ret_len)
{
    int fd = -1, r;
    if (out->too_long) {
        a->host->error(a->host, "what is to be signed is longer than an agent takes (%u bytes)", AGENT_MESSAGE_MAX);
        return TENUO_E_INVALID_ARGUMENT;
    }
    if (!out->ok)
        return TENUO_E_NOMEM;
    const size_t n = out->n - 4;
    for (int i = 0; i < 4; i++)
        out->bytes[i] = (uint8_t)(n >> (24 - 8 * i));
    r = connect_to(a, &fd);
    if (r != TENUO_OK)
        return r;
    r = send_all(a, fd, out->bytes, out->n);
    if (r == TENUO_OK)
        r = receive_reply(a, fd, ret_reply, ret_len);
    close(fd);
    return r;
}
