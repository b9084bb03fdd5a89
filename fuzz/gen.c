/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random constraints and values from a byte source, as CBOR: every type of the protocol, texts from a small alphabet.
 *
 * Emits well-formed bytes only, nested at most GEN_DEPTH deep, and never more than GEN_MAX.
 */
#include "fuzz.h"

#define GEN_DEPTH 3

uint8_t source_byte(struct source *source)
{
    if (source->len == 0)
        return 0;
    source->len--;
    return *source->p++;
}

struct source source_part(struct source *source)
{
    size_t hi = source_byte(source), n = hi << 8 | source_byte(source);
    if (n > source->len)
        n = source->len;
    struct source part = { source->p, n };
    source->p += n;
    source->len -= n;
    return part;
}

static void emit(struct gen *out, const void *p, size_t n)
{
    REQUIRE(out->len + n <= GEN_MAX);
    memcpy(out->bytes + out->len, p, n);
    out->len += n;
}

static void emit_byte(struct gen *out, unsigned b)
{
    uint8_t byte = (uint8_t)b;
    emit(out, &byte, 1);
}

static void emit_text(struct gen *out, const char *text)
{
    size_t n = strlen(text);
    if (n > 23)
        emit_byte(out, 0x78);
    emit_byte(out, n > 23 ? (unsigned)n : 0x60 + (unsigned)n);
    emit(out, text, n);
}

static const char *pick(struct source *source, const char *const *table, size_t count)
{
    return table[source_byte(source) % count];
}
#define PICK(source, table) pick(source, table, sizeof(table) / sizeof(table)[0])

static const char *const texts[] = { "",
                                     "a",
                                     "b",
                                     "ab",
                                     "aab",
                                     "abb",
                                     "x",
                                     "/",
                                     "/data",
                                     "/data/x",
                                     "/data/x/y",
                                     "/data/../etc",
                                     "/DATA/x",
                                     "/data\\x",
                                     "data/x",
                                     "a?b",
                                     "[ab]",
                                     "10.0.0.1",
                                     "10.1.2.3",
                                     "::1",
                                     "::ffff:10.0.0.1",
                                     "127.0.0.1",
                                     "https://a.com",
                                     "https://a.com/",
                                     "https://a.com/x",
                                     "https://a.com/x/y",
                                     "https://A.com:443/x",
                                     "https://b.a.com/x",
                                     "http://a.com/x",
                                     "https://a.com@b.com/",
                                     "http://127.1/",
                                     "http://[::1]/",
                                     "http://169.254.169.254/",
                                     "ftp://a.com/",
                                     "ls",
                                     "ls -l",
                                     "ls -l; rm",
                                     "ls 'a b'",
                                     "\xc3\xa9" };
static const char *const patterns[] = { "*",   "a*",   "ab*",    "*b",      "*ab",      "a*b",  "ab",
                                        "a",   "",     "**",     "/data/*", "/data/x*", "*/x",  "a?",
                                        "a?b", "[ab]", "[a-c]*", "[!a]*",   "*.com",    "a*b*", "/**/x" };
static const char *const networks[] = { "10.0.0.0/8",  "10.0.0.0/16", "10.0.0.1", "10.0.0.1/32",
                                        "0.0.0.0/0",   "::/0",        "::1/128",  "::ffff:10.0.0.0/104",
                                        "127.0.0.0/8", "10.1.0.0/16" };
static const char *const urls[] = {
    "https://a.com",       "https://a.com/",    "https://a.com/*",   "https://a.com/x",
    "https://a.com/x/*",   "https://*.a.com/*", "https://*.a.com",   "*://a.com/*",
    "https://a.com:443/*", "http://a.com/x*",   "https://b.a.com/*", "https://a.com/x/y"
};
static const char *const roots[] = { "/", "/data", "/data/x", "/data/", "/data/../data", "data", "/DATA", "" };
static const char *const hosts[] = { "a.com", "*.a.com", "b.a.com", "127.0.0.1", "A.com", "com" };
static const char *const commands[] = { "ls", "cat", "/bin/ls" };
static const char *const regexes[] = { "a",   "^a",  "b$", "^ab?$",   "^[a-c]+$", "^(a|b)*$",
                                       "\\d", "\\w", "(",  "^/data/", "" };
static const char *const expressions[] = { "true",
                                           "value == 'a'",
                                           "value != 'ab'",
                                           "value.startsWith('a')",
                                           "size(value) < 3",
                                           "value in ['a', 'b', 'ab']",
                                           "value < 5",
                                           "value < 5 || value == 'x'",
                                           "k == 'a'",
                                           "value.exists(v, v == 'a')",
                                           "value == 'a b'",
                                           "value == 'ab' // or not",
                                           "value ==" };
static const char *const extras[] = { "(value == 'a')", "(value != 'b')", "(size(value) > 1)",       "(true)",
                                      "(false)",        "(k == 'a')",     "(true) || (value == 1)", "('(' == '')" };

static void gen_number(struct gen *out, struct source *source)
{
    static const uint8_t floats[][3] = { { 0xf9, 0x38, 0x00 }, { 0xf9, 0x3c, 0x00 }, { 0xf9, 0xbc, 0x00 },
                                         { 0xf9, 0x00, 0x00 }, { 0xf9, 0x80, 0x00 }, { 0xf9, 0x7c, 0x00 },
                                         { 0xf9, 0x7e, 0x00 }, { 0xf9, 0x49, 0x00 } };
    uint8_t choice = source_byte(source);
    if (choice & 1)
        emit(out, floats[choice >> 1 & 7], 3);
    else
        emit_byte(out, (choice & 2 ? 0x20u : 0u) + (choice >> 2) % 12);
}

static void gen_scalar(struct gen *out, struct source *source)
{
    uint8_t choice = source_byte(source) % 8;
    if (choice < 5)
        emit_text(out, PICK(source, texts));
    else if (choice < 7)
        gen_number(out, source);
    else
        emit_byte(out, 0xf4u + source_byte(source) % 3); /* false, true, null */
}

static void gen_list(struct gen *out, struct source *source)
{
    unsigned n = source_byte(source) % 4;
    emit_byte(out, 0x80 + n);
    while (n-- > 0)
        gen_scalar(out, source);
}

void gen_value(struct gen *out, struct source *source)
{
    uint8_t choice = source_byte(source) % 8;
    if (choice < 5) {
        gen_scalar(out, source);
    } else if (choice < 7) {
        gen_list(out, source);
    } else {
        emit_byte(out, 0xa1);
        emit_text(out, "k");
        gen_scalar(out, source);
    }
}

static void member_values(struct gen *out, struct source *source, const char *member)
{
    unsigned n = source_byte(source) % 4;
    emit_byte(out, 0xa1);
    emit_text(out, member);
    emit_byte(out, 0x80 + n);
    while (n-- > 0)
        gen_value(out, source);
}

static void gen_bound(struct gen *out, struct source *source)
{
    static const uint8_t bounds[][3] = {
        { 0xf9, 0x00, 0x00 }, { 0xf9, 0x3c, 0x00 }, { 0xf9, 0x49, 0x00 }, { 0xf9, 0xbc, 0x00 }
    };
    uint8_t choice = source_byte(source);
    if (choice & 1)
        emit(out, bounds[choice >> 1 & 3], 3);
    else
        emit_byte(out, 0xf6);
}

static void gen_range(struct gen *out, struct source *source)
{
    emit_byte(out, 0xa4);
    emit_text(out, "min");
    gen_bound(out, source);
    emit_text(out, "max");
    gen_bound(out, source);
    emit_text(out, "min_inclusive");
    emit_byte(out, 0xf4u + (source_byte(source) & 1));
    emit_text(out, "max_inclusive");
    emit_byte(out, 0xf4u + (source_byte(source) & 1));
}

static void gen_subpath(struct gen *out, struct source *source)
{
    emit_byte(out, 0xa3);
    emit_text(out, "root");
    emit_text(out, PICK(source, roots));
    emit_text(out, "case_sensitive");
    emit_byte(out, 0xf4u + (source_byte(source) & 1));
    emit_text(out, "allow_equal");
    emit_byte(out, 0xf4u + (source_byte(source) & 1));
}

static void gen_texts(struct gen *out, struct source *source, const char *const *table, size_t count)
{
    unsigned n = source_byte(source) % 4;
    emit_byte(out, 0x80 + n);
    while (n-- > 0)
        emit_text(out, pick(source, table, count));
}

static void gen_url_safe(struct gen *out, struct source *source)
{
    static const char *const flags[] = { "block_private", "block_loopback", "block_metadata", "block_reserved",
                                         "block_internal_tlds" };
    uint8_t choice = source_byte(source);
    emit_byte(out, 0xa0u + (choice & 1) + (choice >> 1 & 1) + (choice >> 2 & 1) + 1);
    if (choice & 1) {
        emit_text(out, "allow_domains");
        gen_texts(out, source, hosts, sizeof hosts / sizeof hosts[0]);
    }
    if (choice & 2) {
        emit_text(out, "deny_domains");
        gen_texts(out, source, hosts, sizeof hosts / sizeof hosts[0]);
    }
    if (choice & 4) {
        emit_text(out, "allow_ports");
        emit(out, "\x81\x19\x01\xbb", 4); /* [443] */
    }
    emit_text(out, PICK(source, flags));
    emit_byte(out, 0xf4u + (source_byte(source) & 1));
}

static void member_text(struct gen *out, const char *member, const char *text)
{
    emit_byte(out, 0xa1);
    emit_text(out, member);
    emit_text(out, text);
}

static void gen_shlex(struct gen *out, struct source *source)
{
    emit_byte(out, 0xa1);
    emit_text(out, "allow");
    gen_texts(out, source, commands, sizeof commands / sizeof commands[0]);
}

static void gen_at(struct gen *out, struct source *source, unsigned like, unsigned depth);

static void gen_combined(struct gen *out, struct source *source, unsigned type, unsigned depth)
{
    unsigned n = type == TENUO_C_NOT ? 1 : source_byte(source) % 4;
    emit_byte(out, 0xa1);
    emit_text(out, type == TENUO_C_NOT ? "constraint" : "constraints");
    if (type != TENUO_C_NOT)
        emit_byte(out, 0x80 + n);
    while (n-- > 0)
        gen_at(out, source, 0, depth + 1);
}

static void gen_payload(struct gen *out, struct source *source, unsigned type, unsigned depth)
{
    switch (type) {
    case TENUO_C_EXACT:
        emit_byte(out, 0xa1);
        emit_text(out, "value");
        gen_value(out, source);
        return;
    case TENUO_C_PATTERN:
        member_text(out, "pattern", PICK(source, patterns));
        return;
    case TENUO_C_REGEX:
        member_text(out, "pattern", PICK(source, regexes));
        return;
    case TENUO_C_CEL:
        member_text(out, "expression", PICK(source, expressions));
        return;
    case TENUO_C_RANGE:
        gen_range(out, source);
        return;
    case TENUO_C_ONE_OF:
        member_values(out, source, "values");
        return;
    case TENUO_C_NOT_ONE_OF:
        member_values(out, source, "excluded");
        return;
    case TENUO_C_CIDR:
        emit_text(out, PICK(source, networks));
        return;
    case TENUO_C_URL_PATTERN:
        emit_text(out, PICK(source, urls));
        return;
    case TENUO_C_CONTAINS:
        member_values(out, source, "required");
        return;
    case TENUO_C_SUBSET:
        member_values(out, source, "allowed");
        return;
    case TENUO_C_ALL:
    case TENUO_C_ANY:
    case TENUO_C_NOT:
        gen_combined(out, source, type, depth);
        return;
    case TENUO_C_SUBPATH:
        gen_subpath(out, source);
        return;
    case TENUO_C_URL_SAFE:
        gen_url_safe(out, source);
        return;
    case TENUO_C_SHLEX:
        gen_shlex(out, source);
        return;
    default:
        emit_byte(out, 0xf6);
        return;
    }
}

static void gen_at(struct gen *out, struct source *source, unsigned like, unsigned depth)
{
    static const uint8_t types[] = { 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 128 };
    uint8_t choice = source_byte(source);
    unsigned type = like != 0 && (choice & 0x80) ? like : types[choice % sizeof types];
    bool combined = type == TENUO_C_ALL || type == TENUO_C_ANY || type == TENUO_C_NOT;
    if (out->len > GEN_MAX / 2 || (combined && depth >= GEN_DEPTH))
        type = TENUO_C_WILDCARD;
    emit_byte(out, 0x82);
    if (type > 23)
        emit_byte(out, 0x18);
    emit_byte(out, type);
    gen_payload(out, source, type, depth);
}

void gen_constraint(struct gen *out, struct source *source, unsigned like)
{
    out->len = 0;
    gen_at(out, source, like, 0);
}

/* Offset of the items of a list payload {"member": [...]}, or of All and Any; 0 when the constraint has none. */
static size_t list_at(const struct gen *g)
{
    size_t at = g->bytes[1] == 0x18 ? 3 : 2;
    if (g->bytes[at] != 0xa1 || (g->bytes[at + 1] & 0xe0) != 0x60)
        return 0;
    at += 2u + (g->bytes[at + 1] & 0x1fu);
    return (g->bytes[at] & 0xe0) == 0x80 && g->bytes[at] < 0x97 ? at : 0;
}

/* The parent's list with one item more in front: narrower where the list forbids or demands, wider where it allows. */
static void lengthened(struct gen *out, const struct gen *parent, size_t at, struct source *source)
{
    emit(out, parent->bytes, at);
    emit_byte(out, parent->bytes[at] + 1u);
    if (parent->bytes[1] == TENUO_C_ALL || parent->bytes[1] == TENUO_C_ANY)
        gen_at(out, source, 0, GEN_DEPTH - 1);
    else
        gen_value(out, source);
    emit(out, parent->bytes + at + 1, parent->len - at - 1);
}

/* The parent's expression and one condition more, as issuers write it: (parent) && (extra). */
static bool conjoined(struct gen *out, const struct gen *parent, struct source *source)
{
    const size_t head = sizeof "\x82\x0f\xa1\x6a" "expression" - 1;
    unsigned first = parent->bytes[head], skip = first == 0x78 ? 2 : 1;
    size_t n = first == 0x78 ? parent->bytes[head + 1] : first & 0x1f;
    char text[256];
    int k;
    if (n > 180)
        return false;
    k = snprintf(text, sizeof text, "(%.*s) && %s", (int)n, (const char *)parent->bytes + head + skip,
                 PICK(source, extras));
    if (k < 0 || (size_t)k >= sizeof text)
        return false;
    emit_byte(out, 0x82);
    emit_byte(out, TENUO_C_CEL);
    member_text(out, "expression", text);
    return true;
}

void gen_narrowed(struct gen *out, const struct gen *parent, struct source *source)
{
    unsigned type = parent->bytes[1] == 0x18 ? parent->bytes[2] : parent->bytes[1];
    size_t at = list_at(parent);
    out->len = 0;
    switch (source_byte(source) % 8) {
    case 0:
    case 1:
    case 4:
        emit(out, parent->bytes, parent->len);
        return;
    case 2:
        emit_byte(out, 0x82);
        emit_byte(out, TENUO_C_EXACT);
        gen_payload(out, source, TENUO_C_EXACT, 0);
        return;
    case 3:
        if (type == TENUO_C_CEL && conjoined(out, parent, source))
            return;
        if (at == 0 || parent->len > GEN_MAX / 2)
            break;
        lengthened(out, parent, at, source);
        return;
    default:
        break;
    }
    gen_at(out, source, type, 0);
}

struct tenuo_matchers *gen_matchers(void)
{
    static struct tenuo_matchers *matchers;
    static bool asked;
    const char *folder = getenv("TENUO_FUZZ_PLUGINS");
    if (!asked && folder != NULL)
        REQUIRE(tenuo_matchers_open(folder, NULL, 0, &matchers, NULL) == 0);
    asked = true;
    return matchers;
}
