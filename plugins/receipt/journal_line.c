/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of a journal: {"written":SECONDS,"receipt":"HEX"}. Lines that are none are passed over, since a crash may
 * have left some; when no receipt can be found behind them, that is an error and never a new beginning.
 */
#include "journal.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_LOOK 16384 /* an ordinary receipt is in there */

static const char written[] = "{\"written\":", receipt[] = ",\"receipt\":\"";

char *journal_line(int64_t now, const uint8_t *bytes, size_t len, size_t *ret_len)
{
    size_t size = sizeof written + sizeof receipt + 32 + 2 * len;
    char *line = malloc(size);
    if (line == NULL)
        return NULL;
    int n = snprintf(line, size, "%s%lld%s", written, (long long)now, receipt);
    sodium_bin2hex(line + n, 2 * len + 1, bytes, len);
    memcpy(line + n + 2 * len, "\"}\n", 3);
    *ret_len = (size_t)n + 2 * len + 3;
    return line;
}

bool journal_begins(int fd)
{
    char text[sizeof written - 1];
    ssize_t n = pread(fd, text, sizeof text, 0);
    return n > 0 && memcmp(text, written, (size_t)n) == 0;
}

int64_t journal_first_time(int fd)
{
    char text[64] = "";
    int64_t when = 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    const char *p = text + sizeof written - 1;
    if (n <= (ssize_t)sizeof written || memcmp(text, written, sizeof written - 1) != 0)
        return -1;
    for (; *p >= '0' && *p <= '9' && when < INT64_MAX / 20; p++)
        when = when * 10 + (*p - '0');
    return *p == ',' ? when : -1;
}

/* The digest of a line's receipt; `line` without its newline. */
static bool digest_of(const char *line, size_t n, uint8_t ret_digest[32])
{
    static const char begins[] = "\xa4\x6freceipt_version\x01";
    const char *hex = memmem(line, n < 64 ? n : 64, receipt + 1, sizeof receipt - 2);
    uint8_t *bytes;
    size_t len = 0, room;
    bool good;
    if (hex == NULL || n < 2 || memcmp(line + n - 2, "\"}", 2) != 0)
        return false;
    hex += sizeof receipt - 2;
    if (line + n - 2 < hex)
        return false;
    room = (size_t)(line + n - 2 - hex);
    bytes = malloc(room / 2 + 1);
    good = bytes != NULL && room % 2 == 0 && sodium_hex2bin(bytes, room / 2, hex, room, NULL, &len, NULL) == 0 &&
           len == room / 2 && len >= sizeof begins && memcmp(bytes, begins, sizeof begins - 1) == 0;
    if (good)
        crypto_hash_sha256(ret_digest, bytes, len);
    free(bytes);
    return good;
}

enum look { FOUND, NOTHING, FARTHER };

/* From the last line of the window backwards; FARTHER when a line may begin before it. */
static enum look look_back(const char *text, size_t n, bool whole, uint8_t ret_digest[32])
{
    size_t end = n;
    while (end > 0) {
        const char *before;
        size_t start;
        if (text[end - 1] == '\n')
            end--;
        before = end > 0 ? memrchr(text, '\n', end) : NULL;
        start = before == NULL ? 0 : (size_t)(before - text) + 1;
        if (before == NULL && !whole)
            return FARTHER;
        if (digest_of(text + start, end - start, ret_digest))
            return FOUND;
        end = start;
    }
    return whole ? NOTHING : FARTHER;
}

static int look_at(struct journal *j, int fd, off_t size, size_t window, uint8_t ret_digest[32], enum look *ret_look)
{
    size_t n = size < (off_t)window ? (size_t)size : window, have = 0;
    char *text = malloc(n + 1);
    if (text == NULL)
        return TENUO_E_NOMEM;
    while (have < n) {
        ssize_t got = pread(fd, text + have, n - have, size - (off_t)(n - have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    if (have == n)
        *ret_look = look_back(text, n, (off_t)n == size, ret_digest);
    free(text);
    if (have == n)
        return TENUO_OK;
    j->host->error(j->host, "the end of %s cannot be read: %s", j->rules->path, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

int journal_tail(struct journal *j, int fd, off_t size, uint8_t ret_digest[32], bool *ret_has)
{
    enum look look = NOTHING;
    int r = look_at(j, fd, size, FIRST_LOOK, ret_digest, &look);
    if (r == TENUO_OK && look == FARTHER)
        r = look_at(j, fd, size, 2 * (size_t)JOURNAL_MAX_LINE, ret_digest, &look);
    if (r != TENUO_OK)
        return r;
    if (look != FOUND && size != 0) {
        j->host->error(j->host,
                       "no receipt is found at the end of %s, which is left as it is: name another file, or "
                       "move it away to begin a new run",
                       j->rules->path);
        return TENUO_E_AUDIT_REFUSED;
    }
    *ret_has = look == FOUND;
    return TENUO_OK;
}
