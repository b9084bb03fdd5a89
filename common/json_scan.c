/* SPDX-License-Identifier: Apache-2.0 */
/* Over jsmn, whose strict mode lets some broken texts through: what its tokens mean is checked once, after parsing. */
#include "json_scan.h"

#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS /* closing a brace is found without searching */
#include <jsmn.h>

#define SECONDS_MOST INT64_C(999999999999999)

struct tn_json {
    const char *text;
    size_t len;
    int count;
    jsmntok_t *part;
};

static bool is_node(const struct tn_json *j, int node)
{
    return node >= 0 && node < j->count;
}

/* The part behind a value and all that is in it. */
static int behind(const struct tn_json *j, int node)
{
    int end = j->part[node].end, next = node + 1;
    while (next < j->count && j->part[next].start < end)
        next++;
    return next;
}

static bool is_container(const struct tn_json *j, int node)
{
    return j->part[node].type == JSMN_OBJECT || j->part[node].type == JSMN_ARRAY;
}

static bool is_number(const char *p, size_t n)
{
    size_t i = n > 0 && p[0] == '-' ? 1 : 0, digits = i;
    while (i < n && p[i] >= '0' && p[i] <= '9')
        i++;
    if (i == digits || (p[digits] == '0' && i - digits > 1))
        return false;
    if (i < n && p[i] == '.') {
        digits = ++i;
        while (i < n && p[i] >= '0' && p[i] <= '9')
            i++;
        if (i == digits)
            return false;
    }
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        i += i + 1 < n && (p[i + 1] == '+' || p[i + 1] == '-') ? 2 : 1;
        digits = i;
        while (i < n && p[i] >= '0' && p[i] <= '9')
            i++;
        if (i == digits)
            return false;
    }
    return i == n;
}

static bool is_word(const char *p, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

static bool is_primitive(const struct tn_json *j, int node)
{
    const char *p = j->text + j->part[node].start;
    size_t n = (size_t)(j->part[node].end - j->part[node].start);
    return is_word(p, n, "true") || is_word(p, n, "false") || is_word(p, n, "null") || is_number(p, n);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What stands between two parts: blanks and, exactly once, the character that belongs there (NUL: nothing). */
static bool gap_is(const struct tn_json *j, size_t from, size_t to, char want)
{
    bool seen = false;
    for (size_t i = from; i < to; i++) {
        if (is_blank(j->text[i]))
            continue;
        if (want == '\0' || seen || j->text[i] != want)
            return false;
        seen = true;
    }
    return seen || want == '\0';
}

/* Outer bounds of a part: a string's token leaves out its quotes. */
static size_t first_of(const struct tn_json *j, int node)
{
    return (size_t)j->part[node].start - (j->part[node].type == JSMN_STRING ? 1 : 0);
}

static size_t last_of(const struct tn_json *j, int node)
{
    return (size_t)j->part[node].end + (j->part[node].type == JSMN_STRING ? 1 : 0);
}

/* One open object or array while the parts are gone through in order. */
struct level {
    int node;
    size_t at; /* behind what was read of it so far */
    bool begun, named;
};

/* The next part belongs to this level: is what stands before it right? */
static bool step_in(const struct tn_json *j, struct level *l, int node)
{
    bool object = j->part[l->node].type == JSMN_OBJECT;
    char want = l->named ? ':' : l->begun ? ',' : '\0';
    if (!gap_is(j, l->at, first_of(j, node), want))
        return false;
    if (object && !l->named && j->part[node].type != JSMN_STRING)
        return false;
    l->named = object && !l->named;
    l->begun = true;
    l->at = last_of(j, node);
    return true;
}

static bool step_out(const struct tn_json *j, const struct level *l)
{
    size_t end = (size_t)j->part[l->node].end;
    return !l->named && end > l->at && gap_is(j, l->at, end - 1, '\0');
}

/* Every part in order, against the grammar; a stack of bounded depth in place of recursion. */
static bool is_sound(const struct tn_json *j)
{
    struct level stack[TN_JSON_DEPTH_MAX];
    size_t depth = 0;
    if (!gap_is(j, 0, first_of(j, 0), '\0') || !gap_is(j, last_of(j, 0), j->len, '\0'))
        return false;
    for (int i = 0; i < j->count; i++) {
        while (depth > 0 && j->part[i].start >= j->part[stack[depth - 1].node].end)
            if (!step_out(j, &stack[--depth]))
                return false;
        if (depth == 0 ? i != 0 : !step_in(j, &stack[depth - 1], i))
            return false;
        if (j->part[i].type == JSMN_PRIMITIVE && !is_primitive(j, i))
            return false;
        if (!is_container(j, i))
            continue;
        if (depth == TN_JSON_DEPTH_MAX)
            return false;
        stack[depth++] = (struct level){ .node = i, .at = (size_t)j->part[i].start + 1 };
    }
    while (depth > 0)
        if (!step_out(j, &stack[--depth]))
            return false;
    return true;
}

static int count_parts(const char *text, size_t len)
{
    jsmn_parser parser;
    jsmn_init(&parser);
    return jsmn_parse(&parser, text, len, NULL, 0);
}

struct tn_json *tn_json_parse(const void *text, size_t len, bool *ret_nomem)
{
    jsmn_parser parser;
    struct tn_json *j = NULL;
    *ret_nomem = false;
    if (len == 0 || len > TN_JSON_TEXT_MAX || memchr(text, '\0', len) != NULL)
        return NULL;
    int count = count_parts(text, len);
    if (count <= 0 || count > TN_JSON_PARTS_MAX)
        return NULL;
    j = calloc(1, sizeof *j);
    if (j != NULL)
        j->part = calloc((size_t)count, sizeof *j->part);
    if (j == NULL || j->part == NULL) {
        tn_json_free(j);
        *ret_nomem = true;
        return NULL;
    }
    j->text = text;
    j->len = len;
    jsmn_init(&parser);
    j->count = jsmn_parse(&parser, text, len, j->part, (unsigned)count);
    if (j->count == count && is_sound(j))
        return j;
    tn_json_free(j);
    return NULL;
}

void tn_json_free(struct tn_json *j)
{
    if (j == NULL)
        return;
    free(j->part);
    free(j);
}

enum tn_json_type tn_json_type(const struct tn_json *j, int node)
{
    if (!is_node(j, node))
        return TN_JSON_MISSING;
    switch (j->part[node].type) {
    case JSMN_OBJECT:
        return TN_JSON_OBJECT;
    case JSMN_ARRAY:
        return TN_JSON_ARRAY;
    case JSMN_STRING:
        return TN_JSON_STRING;
    case JSMN_PRIMITIVE:
    case JSMN_UNDEFINED:
        break;
    }
    return TN_JSON_OTHER;
}

bool tn_json_next(const struct tn_json *j, int parent, int *at, int *ret_name, int *ret_value)
{
    if (!is_node(j, parent) || !is_container(j, parent))
        return false;
    int next = *at == TN_JSON_NONE ? parent + 1 : behind(j, *at);
    if (next >= j->count || j->part[next].start >= j->part[parent].end)
        return false;
    int name = TN_JSON_NONE;
    if (j->part[parent].type == JSMN_OBJECT)
        name = next++;
    if (ret_name != NULL)
        *ret_name = name;
    *ret_value = *at = next;
    return true;
}

size_t tn_json_count(const struct tn_json *j, int parent)
{
    size_t n = 0;
    int at = TN_JSON_NONE, value;
    while (tn_json_next(j, parent, &at, NULL, &value))
        n++;
    return n;
}

int tn_json_get(const struct tn_json *j, int object, const char *name)
{
    int at = TN_JSON_NONE, key, value, found = TN_JSON_NONE;
    if (tn_json_type(j, object) != TN_JSON_OBJECT)
        return TN_JSON_NONE;
    while (tn_json_next(j, object, &at, &key, &value)) {
        if (!tn_json_is(j, key, name))
            continue;
        if (found != TN_JSON_NONE)
            return TN_JSON_NONE;
        found = value;
    }
    return found;
}

int tn_json_path(const struct tn_json *j, int object, const char *const *names)
{
    for (; *names != NULL && object != TN_JSON_NONE; names++)
        object = tn_json_get(j, object, *names);
    return object;
}

/* A string while it is decoded, byte by byte. */
struct reader {
    const char *p, *end;
    uint8_t utf8[4];
    int have, given;
};

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    uint32_t v = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return false;
        v = v << 4 | digit;
    }
    *ret = v;
    return true;
}

static void put_utf8(struct reader *r, uint32_t c)
{
    r->given = 0;
    if (c < 0x80) {
        r->utf8[0] = (uint8_t)c;
        r->have = 1;
    } else if (c < 0x800) {
        r->utf8[0] = (uint8_t)(0xc0 | c >> 6);
        r->utf8[1] = (uint8_t)(0x80 | (c & 0x3f));
        r->have = 2;
    } else if (c < 0x10000) {
        r->utf8[0] = (uint8_t)(0xe0 | c >> 12);
        r->utf8[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        r->utf8[2] = (uint8_t)(0x80 | (c & 0x3f));
        r->have = 3;
    } else {
        r->utf8[0] = (uint8_t)(0xf0 | c >> 18);
        r->utf8[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        r->utf8[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        r->utf8[3] = (uint8_t)(0x80 | (c & 0x3f));
        r->have = 4;
    }
}

/* \uXXXX, or a pair of them; a lone surrogate is no character. */
static bool read_unicode(struct reader *r)
{
    uint32_t c = 0, low = 0;
    if (!hex4(r->p, r->end, &c))
        return false;
    r->p += 4;
    if (c >= 0xdc00 && c <= 0xdfff)
        return false;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u' || !hex4(r->p + 2, r->end, &low) || low < 0xdc00 ||
            low > 0xdfff)
            return false;
        r->p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(r, c);
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return false;
    char c = *r->p++;
    if (c == 'u')
        return read_unicode(r);
    const char *at = c != '\0' ? strchr(from, c) : NULL;
    if (at == NULL)
        return false;
    put_utf8(r, (uint8_t)to[at - from]);
    return true;
}

/* 1 with a byte, 0 at the end, -1 for a broken escape or a bare control character. */
static int read_byte(struct reader *r, uint8_t *ret)
{
    if (r->given == r->have) {
        if (r->p == r->end)
            return 0;
        uint8_t c = (uint8_t)*r->p++;
        if (c < 0x20)
            return -1;
        if (c != '\\') {
            *ret = c;
            return 1;
        }
        if (!read_escape(r))
            return -1;
    }
    *ret = r->utf8[r->given++];
    return 1;
}

static bool begin(const struct tn_json *j, int node, struct reader *r)
{
    if (tn_json_type(j, node) != TN_JSON_STRING)
        return false;
    *r = (struct reader){ .p = j->text + j->part[node].start, .end = j->text + j->part[node].end };
    return true;
}

bool tn_json_string(const struct tn_json *j, int node, char *ret, size_t size, size_t *ret_len)
{
    struct reader r;
    size_t n = 0;
    uint8_t c = 0;
    int more;
    if (size == 0 || !begin(j, node, &r))
        return false;
    while ((more = read_byte(&r, &c)) == 1) {
        if (c == '\0' || n + 1 >= size)
            return false;
        ret[n++] = (char)c;
    }
    if (more < 0)
        return false;
    ret[n] = '\0';
    if (ret_len != NULL)
        *ret_len = n;
    return true;
}

bool tn_json_is(const struct tn_json *j, int node, const char *text)
{
    struct reader r;
    uint8_t c = 0;
    int more;
    if (!begin(j, node, &r))
        return false;
    while ((more = read_byte(&r, &c)) == 1)
        if (c == '\0' || (uint8_t)*text++ != c)
            return false;
    return more == 0 && *text == '\0';
}

bool tn_json_slice(const struct tn_json *j, int node, const char **ret_text, size_t *ret_len)
{
    if (tn_json_type(j, node) != TN_JSON_STRING)
        return false;
    const char *p = j->text + j->part[node].start;
    size_t n = (size_t)(j->part[node].end - j->part[node].start);
    if (memchr(p, '\\', n) != NULL)
        return false;
    *ret_text = p;
    *ret_len = n;
    return true;
}

static const char *word_of(const struct tn_json *j, int node, size_t *ret_len)
{
    *ret_len = 0;
    if (tn_json_type(j, node) != TN_JSON_OTHER)
        return "";
    *ret_len = (size_t)(j->part[node].end - j->part[node].start);
    return j->text + j->part[node].start;
}

bool tn_json_uint(const struct tn_json *j, int node, uint64_t *ret)
{
    size_t n;
    const char *p = word_of(j, node, &n);
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(p[i] - '0'), &v))
            return false;
    if (n == 0)
        return false;
    *ret = v;
    return true;
}

/* The number that follows an "e", or 0. False beyond what a time can have. */
static bool read_exponent(const char *p, size_t n, int *ret)
{
    bool minus = n > 1 && p[1] == '-';
    size_t i = n > 1 && (p[1] == '-' || p[1] == '+') ? 2 : 1;
    int v = 0;
    if (n == 0) {
        *ret = 0;
        return true;
    }
    for (; i < n; i++) {
        v = v * 10 + (p[i] - '0');
        if (v > 99)
            return false;
    }
    *ret = minus ? -v : v;
    return true;
}

bool tn_json_seconds(const struct tn_json *j, int node, int64_t *ret)
{
    size_t n, i = 0;
    const char *p = word_of(j, node, &n);
    int64_t v = 0;
    int exponent = 0, behind_point = 0;
    bool point = false;
    if (n == 0 || p[0] < '0' || p[0] > '9' || !is_number(p, n))
        return false;
    for (; i < n && p[i] != 'e' && p[i] != 'E'; i++) {
        if (p[i] == '.') {
            point = true;
            continue;
        }
        if (v > SECONDS_MOST / 10) { /* more digits of a fraction than a time needs */
            if (!point)
                return false;
            continue;
        }
        v = v * 10 + (p[i] - '0');
        behind_point += point ? 1 : 0;
    }
    if (!read_exponent(p + i, n - i, &exponent))
        return false;
    for (exponent -= behind_point; exponent > 0; exponent--) {
        if (v > SECONDS_MOST / 10)
            return false;
        v *= 10;
    }
    for (; exponent < 0; exponent++)
        v /= 10;
    *ret = v;
    return true;
}

bool tn_json_true(const struct tn_json *j, int node)
{
    size_t n;
    const char *p = word_of(j, node, &n);
    return is_word(p, n, "true");
}

bool tn_json_null(const struct tn_json *j, int node)
{
    size_t n;
    const char *p = word_of(j, node, &n);
    return is_word(p, n, "null");
}
