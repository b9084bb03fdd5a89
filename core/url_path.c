/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path of a URL as the WHATWG parser serialises it: dot segments removed, a fixed set of bytes percent-encoded,
 * existing escapes left alone. Must stay linear, and must never decode: "%2e" is a dot only when it stands for a
 * whole dot segment.
 */
#include "url.h"

struct path {
    uint8_t *p;
    size_t n;
    bool file;
};

size_t tn_url_escape(uint8_t c, uint8_t *ret)
{
    static const char hex[] = "0123456789ABCDEF";
    ret[0] = '%';
    ret[1] = (uint8_t)hex[c >> 4];
    ret[2] = (uint8_t)hex[c & 15];
    return 3;
}

static bool is_control(uint8_t c) { return c < 0x20 || c >= 0x7f; }

static bool must_escape(uint8_t c)
{
    static const char list[] = " \"#<>?`{}";
    return is_control(c) || memchr(list, c, sizeof list - 1) != NULL;
}

/* A letter and ':' or '|'. */
bool tn_url_is_drive(struct tn_str s)
{
    return s.n == 2 && tn_is_alpha(s.p[0]) && (s.p[1] == ':' || s.p[1] == '|');
}

/* Skips one '.', plain or escaped; 0 when there is none. */
static size_t dot_length(struct tn_str s, size_t at)
{
    if (at < s.n && s.p[at] == '.')
        return 1;
    return s.n - at >= 3 && s.p[at] == '%' && s.p[at + 1] == '2' && tn_lower(s.p[at + 2]) == 'e' ? 3 : 0;
}

/* 1 for ".", 2 for "..", in any spelling, else 0. */
static unsigned dots(struct tn_str segment)
{
    size_t first = dot_length(segment, 0);
    if (first == 0)
        return 0;
    if (first == segment.n)
        return 1;
    size_t second = dot_length(segment, first);
    return second != 0 && first + second == segment.n ? 2 : 0;
}

/* Where the segment begins that ends at `end`: behind the last '/' before it. */
static size_t segment_start(const struct path *out, size_t end)
{
    while (end > 0 && out->p[end - 1] != '/')
        end--;
    return end;
}

/*
 * ".." behind a '/'. The reference keeps a segment that looks like a drive letter, under every scheme; so does this,
 * for a path that differs from the reference's could match where its does not.
 */
static void pop_segment(struct path *out)
{
    size_t end = out->n - 1, start = segment_start(out, end);
    struct tn_str last = { out->p + start, end - start };
    if (start == 0 || tn_url_is_drive(last))
        return;
    out->n = start;
}

static void push_segment(struct path *out, struct tn_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (must_escape(s.p[i]))
            out->n += tn_url_escape(s.p[i], out->p + out->n);
        else
            out->p[out->n++] = s.p[i];
    }
}

/* "//" at the start of a file path, in any number, counts as one. */
static void trim_slashes(struct path *out)
{
    size_t extra = 0;
    while (extra + 1 < out->n && out->p[extra + 1] == '/')
        extra++;
    out->n -= extra;
    memmove(out->p, out->p + extra, out->n);
}

/* One segment; out ends with '/' before it, and again behind it when `slash` is set. */
static void take_segment(struct path *out, struct tn_str s, bool slash, bool *ret_drive)
{
    unsigned d = dots(s);
    if (d == 2)
        pop_segment(out);
    if (d != 0)
        return;
    size_t start = out->n;
    push_segment(out, s);
    if (out->file && start == 1 && tn_url_is_drive(s)) {
        out->p[2] = ':';
        *ret_drive = true;
    }
    if (slash)
        out->p[out->n++] = '/';
}

size_t tn_url_path(struct tn_str in, bool file, uint8_t *ret, bool *ret_drive)
{
    struct path out = { ret, 1, file };
    bool drive = false;
    ret[0] = '/';
    for (size_t at = 0; at <= in.n;) {
        size_t end = at;
        while (end < in.n && in.p[end] != '/')
            end++;
        take_segment(&out, (struct tn_str){ in.p + at, end - at }, end < in.n, &drive);
        at = end + 1;
    }
    if (file)
        trim_slashes(&out);
    *ret_drive = drive;
    return out.n;
}

size_t tn_url_opaque_path(struct tn_str in, uint8_t *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (is_control(in.p[i]))
            n += tn_url_escape(in.p[i], ret + n);
        else
            ret[n++] = in.p[i];
    }
    return n;
}
