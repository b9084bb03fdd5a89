/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the sink "syslog": what a record looks like (text.c), and the way it takes (send.c). */
#ifndef TN_SYSLOG_H
#define TN_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <tenuo/plugin.h>

#define SYSLOG_LOCAL_MAX 8000  /* what syslogd, rsyslogd and journald all take as one line */
#define SYSLOG_SERVER_MAX 32768
#define SYSLOG_UDP_MAX 32768

struct syslog {
    const struct tenuo_host *host;
    int facility;
    bool structured; /* RFC 5424, else the local form */
    char hostname[256];
    /* Where to. */
    int type;                   /* SOCK_DGRAM or SOCK_STREAM */
    struct sockaddr_storage to; /* a Unix socket, IPv4 or IPv6 */
    socklen_t to_len;
    char place[300]; /* for sentences */
    int fd;          /* -1: not connected */
    pid_t pid;       /* who connected: a stream is not shared with a child */
    char text[SYSLOG_SERVER_MAX + 16];
};

/* text.c: a whole message in s->text; false when the fixed part does not fit. Fields that do not fit are left out, and
 * the record says so. */
bool syslog_event(struct syslog *s, const struct tenuo_audit_event *event, size_t *ret_len);
bool syslog_notice(struct syslog *s, const struct tenuo_audit_notice *notice, size_t *ret_len);

/* send.c */
/* "udp://127.0.0.1:514", "tcp://[::1]:601" or the path of a Unix socket. TENUO_E_CONF with a sentence. */
int syslog_address(struct syslog *s, const char *server, const char *path);
/* All of the n bytes at s->text, or TENUO_E_AUDIT_REFUSED with a sentence. Connects when it must. */
int syslog_send(struct syslog *s, size_t n);
/* After a datagram to a server: TENUO_E_AUDIT_REFUSED when word comes that nobody listens there. */
int syslog_await_no(struct syslog *s);
void syslog_disconnect(struct syslog *s);

#endif
