/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes: \d and its like with the meaning that the protocol gives them, and brackets in which every '-', '[' and '&'
 * has one meaning only.
 */
#include <string.h>

#include "parse.h"

/* White_Space as Unicode has it; RE2's own \s is ASCII, and without VT. */
static const char space[] = "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
                            "\\x{205f}\\x{3000}";
static const char not_space[] = "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-"
                                "\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
                                "\\x{3001}-\\x{10ffff}";

bool tn_is_class_escape(uint8_t c)
{
    return c != 0 && strchr("dDsSwWpP", c) != NULL;
}

static bool put_ranges(struct tn_parse *p, const char *ranges, bool in_class)
{
    return in_class ? tn_put(p, ranges) : tn_put(p, "[") && tn_put(p, ranges) && tn_put(p, "]");
}

/* General categories whose members do not depend on which characters are assigned; C and Cn do. */
static bool is_category(const char *name, size_t n)
{
    static const char known[] = "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl "
                                "Zp Cc Cf Co ";
    for (const char *s = known; *s != '\0'; s += strcspn(s, " ") + 1)
        if (strcspn(s, " ") == n && memcmp(s, name, n) == 0)
            return true;
    return false;
}

/* Scripts by their long names; one that RE2 does not know is refused when it is compiled. */
static bool is_script(const char *name, size_t n)
{
    if (n < 3 || n > 32 || name[0] < 'A' || name[0] > 'Z')
        return false;
    for (size_t i = 1; i < n; i++)
        if (!tn_is_letter((uint8_t)name[i]) && name[i] != '_')
            return false;
    return !(n == 3 && memcmp(name, "Any", 3) == 0);
}

/* Decimal digits are few: RE2 makes 90 instructions of them. */
static bool is_small(const char *name, size_t n)
{
    return n == 2 && memcmp(name, "Nd", 2) == 0;
}

/* \pL \p{Lu} \p{Greek}, \P likewise; \p{^Lu} is RE2's own. */
static bool property(struct tn_parse *p)
{
    size_t at = p->i, from = at + 2, n = 1, len = 3;
    if (from < p->n && p->in[from] == '{') {
        const uint8_t *end = memchr(p->in + from, '}', p->n - from);
        from++;
        n = end == NULL ? 0 : (size_t)(end - (p->in + from));
        len = n + 4;
    }
    const char *name = (const char *)p->in + from;
    if (from >= p->n || n == 0 || (!is_category(name, n) && !is_script(name, n)))
        return tn_refuse(p, at, "this \\p class");
    if (p->fold)
        return tn_refuse(p, at, "a \\p class under (?i)");
    p->tables = true;
    p->extra += is_small(name, n) ? 0 : TN_REGEX_CLASS_WEIGHT;
    p->i += len;
    return tn_put_bytes(p, (const char *)p->in + at, len);
}

bool tn_put_class_escape(struct tn_parse *p, bool in_class)
{
    uint8_t c = p->in[p->i + 1];
    if (c == 'p' || c == 'P')
        return property(p);
    p->i += 2;
    switch (c) {
    case 's':
        return put_ranges(p, space, in_class);
    case 'S':
        return put_ranges(p, not_space, in_class);
    case 'w':
    case 'W':
        p->ascii_only = true;
        p->extra += TN_REGEX_WORD_WEIGHT; /* ours are small, the reference's are not */
        return tn_put(p, c == 'w' ? "\\w" : "\\W");
    default:
        p->tables = true;
        return tn_put(p, c == 'd' ? "\\p{Nd}" : "\\P{Nd}");
    }
}

/* [:alpha:] and [:^alpha:], which both dialects read as ASCII. */
static bool posix(struct tn_parse *p)
{
    static const char names[] = "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit ";
    size_t at = p->i, from = at + 2 + (p->n - at > 2 && p->in[at + 2] == '^'), end = from;
    while (end < p->n && p->in[end] >= 'a' && p->in[end] <= 'z')
        end++;
    if (p->n - at < 5 || p->in[at + 1] != ':' || p->n - end < 2 || p->in[end] != ':' || p->in[end + 1] != ']')
        return tn_refuse(p, at, "a class within a class");
    for (const char *s = names; *s != '\0'; s += strcspn(s, " ") + 1)
        if (strcspn(s, " ") == end - from && memcmp(s, p->in + from, end - from) == 0) {
            p->i = end + 2;
            return tn_put_bytes(p, (const char *)p->in + at, end + 2 - at);
        }
    return tn_refuse(p, at, "this [:name:]");
}

/* One character of a class, as itself or escaped. */
static bool member(struct tn_parse *p, uint32_t *ret)
{
    uint8_t c = p->in[p->i];
    if (c == '[')
        return tn_refuse(p, p->i, "a class within a class");
    if ((c == '&' || c == '~' || c == '-') && p->n - p->i > 1 && p->in[p->i + 1] == c)
        return tn_refuse(p, p->i, c == '&' ? "&&" : c == '~' ? "~~" : "--");
    return c == '\\' ? tn_parse_escape(p, ret) : tn_parse_char(p, ret);
}

/* Is there a range's '-' here? Not when the class ends behind it. */
static bool at_range(const struct tn_parse *p)
{
    return p->n - p->i > 1 && p->in[p->i] == '-' && p->in[p->i + 1] != ']';
}

static bool range(struct tn_parse *p)
{
    size_t at = p->i;
    uint32_t low, high;
    if (!member(p, &low))
        return false;
    if (!at_range(p))
        return tn_put_literal(p, low);
    p->i++;
    if (p->in[p->i] == '-')
        return tn_refuse(p, p->i - 1, "--");
    if (p->in[p->i] == '\\' && p->n - p->i > 1 && tn_is_class_escape(p->in[p->i + 1]))
        return tn_refuse(p, at, "a range that ends in a class");
    if (!member(p, &high))
        return false;
    if (high < low)
        return tn_refuse(p, at, "a range that runs backwards");
    if (p->fold && high >= 0x80)
        return tn_refuse(p, at, "a range beyond ASCII under (?i)");
    if (at_range(p))
        return tn_refuse(p, p->i, "a '-' between two ranges");
    return tn_put_char(p, low) && tn_put(p, "-") && tn_put_char(p, high);
}

static bool part(struct tn_parse *p, bool first)
{
    uint8_t c = p->in[p->i];
    if (c == '[' && p->n - p->i > 1 && p->in[p->i + 1] == ':')
        return posix(p);
    if (c == '\\' && p->n - p->i > 1 && tn_is_class_escape(p->in[p->i + 1])) {
        if (!tn_put_class_escape(p, true))
            return false;
        return !at_range(p) || tn_refuse(p, p->i, "a range that begins with a class");
    }
    if (c == ']') { /* first: itself, and never the begin of a range */
        p->i++;
        return at_range(p) ? tn_refuse(p, p->i, "a '-' behind a first ]") : tn_put_char(p, c);
    }
    if (c == '-' && !first && !(p->n - p->i > 1 && p->in[p->i + 1] == ']'))
        return tn_refuse(p, p->i, "a '-' in the middle of a class");
    return range(p);
}

bool tn_parse_class(struct tn_parse *p)
{
    size_t at = p->i++;
    bool first = true;
    if (!tn_put(p, "["))
        return false;
    if (p->i < p->n && p->in[p->i] == '^') {
        p->i++;
        if (!tn_put(p, "^"))
            return false;
    }
    for (; p->i < p->n; first = false) {
        if (p->in[p->i] == ']' && !first) {
            p->i++;
            return tn_put(p, "]");
        }
        if (!part(p, first))
            return false;
    }
    return tn_refuse(p, at, "an unclosed class");
}
