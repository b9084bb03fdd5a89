/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher cel, loaded as the library would: what the reference answered to some thousand expressions
 * (tests/cel/measured.jsonl), the vectors of type 15, the bounds, and what one expression may be replaced by.
 */
#include <jansson.h>
#include <pthread.h>

#include "mock_host.h"
#include "tap.h"

#define NOW 1893456000 /* 2030-01-01T00:00:00Z */

static const struct tenuo_matcher_ops *ops;
static void *self;

struct bytes {
    uint8_t p[262144];
    size_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void put_head(struct bytes *b, unsigned major, size_t n)
{
    uint8_t head[5] = { (uint8_t)(major << 5 | 26), (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                        (uint8_t)n };
    size_t len = n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5;
    if (len < 5)
        head[0] = (uint8_t)(major << 5 | (len == 1 ? n : len == 2 ? 24u : 25u));
    put(b, head, 1);
    if (len > 1)
        put(b, head + 6 - len, len - 1);
}

static void put_text(struct bytes *b, const char *text, size_t n)
{
    put_head(b, 3, n);
    put(b, text, n);
}

static void payload_of(struct bytes *b, const char *text, size_t n)
{
    b->n = 0;
    put_head(b, 5, 1);
    put_text(b, "expression", 10);
    put_text(b, text, n);
}

static void from_hex(struct bytes *b, const char *hex)
{
    for (b->n = 0; hex[0] != 0 && hex[1] != 0 && b->n < sizeof b->p; hex += 2) {
        unsigned v = 0;
        sscanf(hex, "%2x", &v);
        b->p[b->n++] = (uint8_t)v;
    }
}

/* 'T', 'F', 'E', or '!' for a code that no matcher may return. */
static char answer_at(const struct bytes *payload, const struct bytes *value, int64_t as_of)
{
    void *program = NULL;
    uint64_t work = UINT64_MAX;
    size_t held = 0;
    int matched = 7, r;
    mock_said[0] = '\0';
    r = ops->compile(self, 15, payload->p, payload->n, &program, &held);
    if (r == TENUO_OK) {
        r = ops->match(self, program, value->p, value->n, as_of, &work, &matched);
        ops->release(self, program);
        if (held == 0)
            return '!';
    }
    if (r == TENUO_OK)
        return matched == 1 ? 'T' : matched == 0 ? 'F' : '!';
    return r == TENUO_E_INVALID_ARGUMENT && matched == 7 && mock_said[0] != '\0' ? 'E' : '!';
}

static struct bytes payload, value;

static char answer(const char *expression, size_t n, const char *value_hex)
{
    payload_of(&payload, expression, n);
    from_hex(&value, value_hex);
    return answer_at(&payload, &value, NOW);
}

static void is(const char *expression, const char *value_hex, char want)
{
    char got = answer(expression, strlen(expression), value_hex);
    if (!ok(got == want, "%.120s", expression))
        printf("#   got: %c (%s), want: %c\n", got, mock_said, want);
}

static char letter(const json_t *j)
{
    return json_is_true(j) ? 'T' : json_is_false(j) ? 'F' : 'E';
}

/* Without RE2 matches() is an error, which is right for every answer. */
static bool allowed(char got, const json_t *want)
{
    size_t i;
    const json_t *one;
    if (got == 'E' && strstr(mock_said, "RE2") != NULL && strcmp(TEST_RE2, "no") == 0)
        return true;
    if (!json_is_array(want))
        return got == letter(want);
    json_array_foreach(want, i, one) if (letter(one) == got) return true;
    return false;
}

/* Calls each(case) for every line; the number of lines it took. */
static int each_line(const char *path, int (*each)(const json_t *line))
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;
    int taken = 0;
    while (f != NULL && getline(&text, &cap, f) > 0) {
        json_t *line = json_loads(text, JSON_ALLOW_NUL, NULL);
        if (line == NULL)
            ok(false, "%s is JSON", path);
        else
            taken += each(line);
        json_decref(line);
    }
    if (f != NULL)
        fclose(f);
    free(text);
    return taken;
}

static int wrong;

static void compare(char got, const json_t *line, const char *expression)
{
    const json_t *want = json_object_get(line, "ours");
    if (want == NULL)
        want = json_object_get(line, "expect");
    if (allowed(got, want))
        return;
    wrong++;
    printf("#   %s: got %c (%s)\n", expression, got, mock_said);
}

static int measured(const json_t *line)
{
    const json_t *e = json_object_get(line, "expression");
    compare(answer(json_string_value(e), json_string_length(e), json_string_value(json_object_get(line, "value"))),
            line, json_string_value(e));
    return 1;
}

/* The payload of a constraint [15, payload] in hex, or NULL. */
static const char *cel_payload(const json_t *line, const char *member)
{
    const char *hex = json_string_value(json_object_get(line, member));
    return hex != NULL && strncmp(hex, "820f", 4) == 0 ? hex + 4 : NULL;
}

static int vector(const json_t *line)
{
    const char *kind = json_string_value(json_object_get(line, "kind")),
               *id = json_string_value(json_object_get(line, "id"));
    const char *constraint = cel_payload(line, "constraint"), *parent = cel_payload(line, "parent");
    const char *child = cel_payload(line, "child"), *stage = json_string_value(json_object_get(line, "stage"));
    static struct bytes other;
    int narrower = 0;
    if (strcmp(kind, "match") == 0 && constraint != NULL && (stage == NULL || strcmp(stage, "decode") != 0)) {
        from_hex(&payload, constraint);
        from_hex(&value, json_string_value(json_object_get(line, "value")));
        compare(answer_at(&payload, &value, NOW), line, id);
        return 1;
    }
    if (strcmp(kind, "attenuate") != 0 || parent == NULL || child == NULL)
        return 0;
    const char *want = json_string_value(json_object_get(line, json_object_get(line, "ours") ? "ours" : "expect"));
    from_hex(&payload, parent);
    from_hex(&other, child);
    mock_said[0] = '\0';
    if (ops->attenuates(self, 15, payload.p, payload.n, 15, other.p, other.n, &narrower) != TENUO_OK ||
        narrower != (strcmp(want, "ok") == 0)) {
        wrong++;
        printf("#   %s: got %d (%s)\n", id, narrower, mock_said);
    }
    return 1;
}

static void test_files(const char *table, const char *vectors)
{
    static const char *const names[] = { "match", "attenuate", "strict", "questionable" };
    char path[4096];
    int n = each_line(table, measured);
    ok(n > 5000 && wrong == 0, "%d measured answers of the reference, %d wrong", n, wrong);
    n = wrong = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s.jsonl", vectors, names[i]);
        n += each_line(path, vector);
    }
    ok(n > 150 && wrong == 0, "%d vectors of type 15, %d wrong", n, wrong);
}

/* "prefix", n times `unit`, "suffix". */
static char repeated(const char *prefix, const char *unit, size_t n, const char *suffix, const char *close)
{
    static char text[262144];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", prefix);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", unit);
    at += (size_t)snprintf(text + at, sizeof text - at, "%s", suffix);
    for (size_t i = 0; i < n && *close != '\0'; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", close);
    return answer(text, at, "01");
}

static void test_bounds(void)
{
    static const char *const ten = "[1,2,3,4,5,6,7,8,9,0]";
    char text[1024];
    ok(repeated("", "(", 95, "true", ")") == 'T', "95 parentheses");
    ok(repeated("", "(", 96, "true", ")") == 'E' && strstr(mock_said, "deep") != NULL, "96 are too many");
    ok(repeated("", "!(", 95, "true", ")") == 'F', "95 negations in parentheses");
    ok(repeated("1 in ", "[", 95, "1", "]") == 'F' && repeated("1 in ", "[", 96, "1", "]") == 'E', "lists in lists");
    ok(repeated("", "false ? false : ", 95, "true", "") == 'T', "95 conditionals in a row");
    ok(repeated("", "false ? false : ", 96, "true", "") == 'E', "96 are too many");
    ok(repeated("", "true && ", 7000, "true", "") == 'T', "a row of operators has no nesting");
    ok(repeated("0 < 1", "+1", 20000, "", "") == 'T', "20000 sums in a row");
    ok(repeated("tenuo_object", ".a", 20000, "", "") == 'E', "20000 members in a row");
    ok(repeated("", "-", 60000, "1 < 0", "") == 'T', "60000 signs count as one");
    ok(repeated("", " ", 65532, "true", "") == 'T', "64 KiB of expression");
    ok(repeated("", " ", 65533, "true", "") == 'E' && strstr(mock_said, "long") != NULL, "a byte more is too long");
    snprintf(text, sizeof text, "%s.all(a, %s.all(b, %s.all(c, %s.all(d, a < 10))))", ten, ten, ten, ten);
    is(text, "01", 'T');
    snprintf(text, sizeof text, "%s.all(a, %s.all(b, %s.all(c, %s.all(d, %s.all(e, a < 10)))))", ten, ten, ten, ten,
             ten);
    is(text, "01", 'E');
    ok(strstr(mock_said, "steps") != NULL, "a loop in a loop in a loop runs out of steps: %s", mock_said);
    snprintf(text, sizeof text, "true || %s.all(a, %s.all(b, %s.all(c, %s.all(d, %s.all(e, a < 10)))))", ten, ten, ten,
             ten, ten);
    is(text, "01", 'T');
    snprintf(text, sizeof text, "%s.all(a, %s.all(b, %s.all(c, %s.all(d, %s.all(e, a < 10))))) || true", ten, ten, ten,
             ten, ten);
    is(text, "01", 'E'); /* no operator absorbs an exhausted budget */
    strcpy(text, "['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']");
    for (int i = 0; i < 18; i++)
        strcat(text, ".map(x, x + x)");
    strcat(text, ".size() == 1");
    is(text, "01", 'E');
    ok(strstr(mock_said, "memory") != NULL, "text that doubles and doubles runs out of memory: %s", mock_said);
}

static void test_value_bounds(void)
{
    static const char expression[] = "size(value) >= 0";
    payload_of(&payload, expression, strlen(expression));
    value.n = 0;
    put_head(&value, 4, 200000);
    memset(value.p + value.n, 0, 200000);
    value.n += 200000;
    ok(answer_at(&payload, &value, NOW) == 'T', "a list of 200000");
    for (unsigned depth = 64; depth <= 65; depth++) {
        memset(value.p, 0x81, depth);
        value.p[depth] = 0;
        value.n = depth + 1;
        ok(answer_at(&payload, &value, NOW) == (depth == 64 ? 'T' : 'E'), "a value of %u lists in lists", depth);
    }
    is("value == value", "a26161016161f6", 'E');                   /* a key twice */
    is("tenuo_object() == tenuo_object()", "a26162016161f6", 'E'); /* keys not in order */
    is("true", "a10102", 'E');
    is("true", "41aa", 'E');
    is("true", "c100", 'E');
    is("true", "1bffffffffffffffff", 'E');
    is("true", "0000", 'E');
    is("true", "", 'E');
    is("1.0 / value < 0.0", "f98000", 'T'); /* a negative zero stays one */
}

/* A long text costs its length wherever it is compared, and a pattern what its program takes. */
static void test_long_texts(void)
{
    static const struct {
        const char *expression;
        char want;
    } cases[] = {
        { "size(value) == 150000", 'T' },
        { "value == value && value <= value", 'T' },
        { "max(value, value) == value", 'T' },
        { "[1,2,3,4,5,6,7].all(n, size(max(value, value, value, value, value, value, value, value)) > 0)", 'E' },
        { "[1,2,3].all(n, {value: 1, value: 2, value: 3, value: 4, value: 5, value: 6, value: 7}.size() == 1)", 'E' },
        { "[1,2,3,4,5,6,7,8].all(n, [1,2,3,4,5,6,7,8].all(m, {value: n} == {value: n}))", 'E' },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        payload_of(&payload, cases[i].expression, strlen(cases[i].expression));
        value.n = 0;
        put_head(&value, 3, 150000);
        memset(value.p + value.n, 'a', 150000);
        value.n += 150000;
        ok(answer_at(&payload, &value, NOW) == cases[i].want, "a long text: %s", cases[i].expression);
    }
    is("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].all(n, value.matches('\\\\P{Lu}{2' + string(n + 10) + '}') || true)",
       "6161", 'E');
}

static void test_payloads(void)
{
    static const struct {
        const char *hex, *what;
        char want;
    } cases[] = {
        { "a16a65787072657373696f6e6474727565", "an expression", 'T' },
        { "a26a65787072657373696f6e647472756571706172656e745f65787072657373696f6ef6", "a parent of null", 'T' },
        { "a26a65787072657373696f6e647472756571706172656e745f65787072657373696f6e6178", "a parent's text", 'T' },
        { "a26a65787072657373696f6e647472756571706172656e745f65787072657373696f6e01", "a parent's number", 'E' },
        { "a26a65787072657373696f6e647472756564766172736178", "another member", 'E' },
        { "a26a65787072657373696f6e64747275656a65787072657373696f6e6474727565", "an expression twice", 'E' },
        { "a0", "no expression", 'E' },
        { "6474727565", "a text", 'E' },
        { "a16a65787072657373696f6e647472756500", "bytes behind it", 'E' },
        { "a16a65787072657373696f6e01", "a number for the expression", 'E' },
        { "", "nothing", 'E' },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        from_hex(&payload, cases[i].hex);
        from_hex(&value, "01");
        ok(answer_at(&payload, &value, NOW) == cases[i].want, "payload: %s", cases[i].what);
    }
}

static void test_time(void)
{
    static const struct {
        const char *expression;
        int64_t as_of;
        char want;
    } cases[] = {
        { "time_is_expired('2030-01-01T00:00:00Z')", NOW, 'F' },
        { "time_is_expired('2030-01-01T00:00:00Z')", NOW + 1, 'T' },
        { "time_is_expired('2030-01-01T00:00:00.5Z')", NOW, 'F' },
        { "time_is_expired('2029-12-31T23:59:59.999Z')", NOW, 'T' },
        { "time_is_expired('2030-01-01T02:00:00+02:00')", NOW + 1, 'T' },
        { "time_since('2030-01-01T00:00:00Z') == 60", NOW + 60, 'T' },
        { "time_since('2030-01-01T00:00:00Z') == -60", NOW - 60, 'T' },
        { "time_since('2030-01-01T00:00:00.5Z') == 59", NOW + 60, 'T' },
        { "time_since('2030-01-01T00:00:00.5Z') == 0", NOW, 'T' },
        { "time_since('2030-01-01T00:00:01.5Z') == -1", NOW, 'T' },
        { "time_now(null) == '2030-01-01T00:00:00+00:00'", NOW, 'T' },
        { "timestamp(time_now(null)).getFullYear() == 1969", -1, 'T' },
        { "time_now(null) == ''", INT64_MAX, 'E' },
        { "time_since('2030-01-01T00:00:00Z') > 0", INT64_MIN, 'E' },
        { "time_now()  == ''", NOW, 'E' },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        payload_of(&payload, cases[i].expression, strlen(cases[i].expression));
        from_hex(&value, "01");
        ok(answer_at(&payload, &value, cases[i].as_of) == cases[i].want, "%s at %lld", cases[i].expression,
           (long long)cases[i].as_of);
    }
}

/* Literal patterns are compiled once; computed ones at every call, which is charged. */
static void test_patterns(void)
{
    static const char literal[] = "value.all(x, string(x).matches('^[0-9]$') && !string(x).matches(r'^\\s'))";
    static const char computed[] = "value.all(x, string(x).matches('^[0-9]' + '$'))";
    if (strcmp(TEST_RE2, "no") == 0) {
        skip_test("patterns", "built without RE2");
        return;
    }
    value.n = 0;
    put_head(&value, 4, 1000);
    memset(value.p + value.n, 7, 1000);
    value.n += 1000;
    payload_of(&payload, literal, sizeof literal - 1);
    ok(answer_at(&payload, &value, NOW) == 'T', "a literal pattern, 1000 times");
    payload_of(&payload, computed, sizeof computed - 1);
    ok(answer_at(&payload, &value, NOW) == 'E' && strstr(mock_said, "steps") != NULL, "a computed one takes too many");
    is("value.all(x, string(x).matches('^[0-9]' + '$'))", "8a01020304050607080900", 'T');
    is("'x-prod-y'.matches('prod')", "01", 'T');
    is("'a'.matches('(')", "01", 'E');
    is("'a'.matches('(') || true", "01", 'T');
    is("'a'.matches('x*+') && false", "01", 'F');
    is("'a'.matches('x*+')", "01", 'E');
    is("'\\u00e9'.matches(r'\\w')", "01", 'E');
    is("matches('a', '') && ''.matches('^$')", "01", 'T');
    is("['a', 'b'].exists(p, 'b'.matches(p))", "01", 'T');
    ok(repeated("", "'a'.matches('^a$') && ", 40, "true", "") == 'T', "more literal patterns than are kept");
}

/* Refusals say why without any of the values that they are about. */
static void test_sentences(void)
{
    is("value + 1 == 2", "6673656372657421", 'E');
    ok(strstr(mock_said, "secret") == NULL, "no value: %s", mock_said);
    is("value == 'secret", "01", 'E');
    ok(strstr(mock_said, "secret") == NULL && strstr(mock_said, "byte 9") != NULL, "no text, but its place: %s",
       mock_said);
    is("duration(value) == 1", "6673656372657421", 'E');
    ok(strstr(mock_said, "secret") == NULL, "no text: %s", mock_said);
}

static void narrower(const char *parent, const char *child, int want)
{
    static struct bytes p, c;
    int got = 7;
    payload_of(&p, parent, strlen(parent));
    payload_of(&c, child, strlen(child));
    mock_said[0] = '\0';
    ok(ops->attenuates(self, 15, p.p, p.n, 15, c.p, c.n, &got) == TENUO_OK && got == want &&
           (want || mock_said[0] != '\0'),
       "%s -> %s: %s", parent, child, want ? "yes" : mock_said);
}

static void test_attenuation(void)
{
    static const char *const p = "value < 10";
    int got = 7;
    narrower(p, p, 1);
    narrower(p, " value<10\n", 1);
    narrower(p, "(value < 10) && (true)", 1);
    narrower(p, "(value<10)&&(value > 1 || value < 0)", 1);
    narrower(p, "(value < 10) && ((value > 1) && (value > 2))", 1);
    narrower(p, "(value < 10) && (value in ['()'])", 1);
    narrower(p, "(value < 10) && (value in [')', '('])", 0); /* the reference refuses it: it counts them */
    narrower(p, "(value < 10) && (value != '(')", 0);
    narrower("(a) && (b)", "((a) && (b)) && (c)", 1);
    narrower("(a) && (b)", "(a) && (b)", 1);
    narrower(p, "((value < 10) && (true))", 0);
    narrower(p, "(value < 10)", 0);
    narrower(p, "(value < 10) && true", 0);
    narrower(p, "(true) && (value < 10)", 0);
    narrower(p, "((value < 10)) && (true)", 0);
    narrower(p, "(value < 10) || (true)", 0);
    narrower(p, "(value < 10) && (true) || (true)", 0);
    narrower(p, "(value < 10) && (true) ? (true) : (true)", 0);
    narrower(p, "(value < 10) && (true) && (true)", 0);
    narrower(p, "(value < 10) && ('(' == '') || (true || ')' == '')", 0);
    narrower(p, "(value < 10) && (true)(false)", 0);
    narrower(p, "(value < 10) && ()", 0);
    narrower(p, "(value < 10) && (1 +)", 0);
    narrower(p, "(value < 10) && (true))", 0);
    narrower(p, "(value < 1 0) && (true)", 0);
    narrower(p, "value < 0xa", 0);
    narrower(p, "value < 10 // same", 0);
    narrower(p, "(value < 10) && (true) // more", 0);
    narrower("value < 10 // limit", "value < 10 // limit", 0);
    narrower("value < 10 // limit", "(value < 10 // limit) && (\n || true)", 0);
    narrower("value == 'a b'", "value == 'ab'", 0);
    narrower("value == 'a b'", "value == \"a b\"", 0);
    narrower("value == '//'", "(value == '//') && (value == '// x')", 1);
    narrower("value < 10) || (value > 100", "(value < 10) || (value > 100) && (true)", 0);
    narrower("value < 10) || (value > 100", "value < 10) || (value > 100", 0);
    narrower("", "", 1);
    narrower("", "() && (true)", 0);
    narrower("value ==", "value ==", 1); /* never true, so no harm; the reference takes it too */
    narrower("value ==", "(value ==) && (true)", 0);
    narrower("value == |", "value == |", 0);
    narrower("a.b", "(a.b) && (c)", 1);
    narrower("1.e3", "1 .e3", 1);
    narrower("1.5", "1 .5", 0);
    ok(ops->attenuates(self, 15, payload.p, payload.n, 1, payload.p, payload.n, &got) == TENUO_OK && got == 0,
       "no other type is narrower");
    ok(ops->attenuates(self, 15, (const uint8_t *)"", 0, 15, (const uint8_t *)"", 0, &got) == TENUO_OK && got == 0,
       "no payload is narrower");
}

/* A program serves any number of values and does not change. */
static void test_shared_program(void)
{
    void *program = NULL;
    uint64_t work = UINT64_MAX;
    size_t held = 0;
    int a = 7, b = 7, c = 7;
    payload_of(&payload, "value.all(x, x > 1)", 19);
    ops->compile(self, 15, payload.p, payload.n, &program, &held);
    memset(payload.p, 'x', payload.n); /* the payload was lent */
    ok(ops->match(self, program, (const uint8_t *)"\x82\x02\x03", 3, NOW, &work, &a) == 0 && a == 1 &&
           ops->match(self, program, (const uint8_t *)"\x82\x01\x03", 3, NOW, &work, &b) == 0 && b == 0 &&
           ops->match(self, program, (const uint8_t *)"\x61x", 2, NOW, &work, &c) == TENUO_E_INVALID_ARGUMENT && c == 7,
       "three values");
    ops->release(self, program);
    ops->release(self, NULL);
}

/* One program, many threads: values, texts, and a literal pattern. */
static void *run_shared(void *program)
{
    intptr_t good = 0;
    for (int i = 0; i < 500; i++) {
        const uint8_t list[] = { 0x82, 0x61, (uint8_t)('a' + i % 2), 0x61, 'a' };
        uint64_t work = UINT64_MAX;
        int matched = 7;
        int r = ops->match(self, program, list, sizeof list, NOW, &work, &matched);
        good += r == TENUO_OK && matched == (i % 2 == 0);
    }
    return (void *)good;
}

static void test_threads(void)
{
    static const char with[] = "value.all(x, (x + x).matches('^a+$') && {'k': x}.k == 'a')";
    static const char without[] = "value.all(x, (x + x).startsWith('aa') && {'k': x}.k == 'a')";
    const char *text = strcmp(TEST_RE2, "no") == 0 ? without : with;
    pthread_t threads[4];
    void *program = NULL;
    size_t held = 0;
    intptr_t good = 0;
    payload_of(&payload, text, strlen(text));
    ok(ops->compile(self, 15, payload.p, payload.n, &program, &held) == TENUO_OK, "a program for four threads");
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, run_shared, program);
    for (int i = 0; i < 4; i++) {
        void *part = NULL;
        pthread_join(threads[i], &part);
        good += (intptr_t)part;
    }
    is_int(good, 2000, "2000 answers");
    ops->release(self, program);
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("cel", argc, argv);
    ops = plugin->matcher;
    ok(ops != NULL && ops->types[0] == 15 && ops->types[1] == 0, "claims type 15");
    ok((plugin->flags & (TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE)) ==
           (TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE),
       "safe in threads and after a fork");
    ok(ops->open(&mock_host, NULL, 0, &self) == TENUO_OK, "opens");
    test_files(argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : "");
    test_bounds();
    test_value_bounds();
    test_long_texts();
    test_payloads();
    test_time();
    test_patterns();
    test_sentences();
    test_attenuation();
    test_shared_program();
    test_threads();
    ops->close(self);
    return done_testing();
}
