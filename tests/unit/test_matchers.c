/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matchers: which constraint types one may claim, how answers and errors of a plugin come out, what is compiled once
 * and for how long. The plugin is this file's; it works on text payloads and says what it is told.
 */
#include "../../core/matchers.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <tenuo/constraint.h>
#include <tenuo/request.h>
#include <unistd.h>

#include "../../core/limits.h"
#include "tap.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static long fail_at = -1, count; /* -1: never */

static int fails(void)
{
    return fail_at >= 0 && count++ == fail_at;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return fails() ? NULL : __real_strdup(s); }

static struct {
    int compile_code, match_code, match_answer, attenuates_code, attenuates_answer;
    const char *sentence;
    size_t bytes;
    _Atomic int64_t as_of;
    atomic_int compiled, made, released, closed;
} world;

static int w_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)args, (void)nargs;
    const struct tenuo_host **self = malloc(sizeof *self);
    if (self == NULL)
        return TENUO_E_NOMEM;
    *self = host;
    *ret_self = self;
    return TENUO_OK;
}

static void w_close(void *self)
{
    atomic_fetch_add(&world.closed, 1);
    free(self);
}

static int answer(void *self, int code)
{
    const struct tenuo_host *const *host = self;
    if (world.sentence != NULL)
        (*host)->error(*host, "%s", world.sentence);
    return code;
}

static int w_compile(void *self, uint8_t type, const uint8_t *payload, size_t len, void **ret_program,
                     size_t *ret_bytes)
{
    atomic_fetch_add(&world.compiled, 1);
    if (world.compile_code != TENUO_OK)
        return answer(self, world.compile_code);
    uint8_t *p = malloc(len + 1);
    if (p == NULL)
        return TENUO_E_NOMEM;
    p[0] = type;
    memcpy(p + 1, payload, len);
    atomic_fetch_add(&world.made, 1);
    *ret_program = p;
    *ret_bytes = world.bytes;
    return TENUO_OK;
}

static void w_release(void *self, void *program)
{
    (void)self;
    atomic_fetch_add(&world.released, 1);
    free(program);
}

static int w_match(void *self, const void *program, const uint8_t *value, size_t len, int64_t as_of, uint64_t *work,
                   int *ret_match)
{
    const uint8_t *p = program;
    (void)value, (void)len, (void)work;
    world.as_of = as_of;
    if (world.match_code != TENUO_OK)
        return answer(self, world.match_code);
    *ret_match = p[0] == 0 ? 7 : world.match_answer;
    return TENUO_OK;
}

static int w_attenuates(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len, uint8_t child_type,
                        const uint8_t *child, size_t child_len, int *ret_ok)
{
    (void)parent_type, (void)parent, (void)parent_len, (void)child_type, (void)child, (void)child_len;
    *ret_ok = world.attenuates_answer;
    return answer(self, world.attenuates_code);
}

#define OPS(list) \
    { .size = sizeof(struct tenuo_matcher_ops), .open = w_open, .close = w_close, .types = (list), \
      .compile = w_compile, .release = w_release, .match = w_match, .attenuates = w_attenuates }

/* A line of these ops; its texts live here. */
static struct tn_plugin plugin = { .desc = { .name = "mine",
                                             .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE } };
static struct tn_instance *line(const struct tenuo_matcher_ops *ops, unsigned number)
{
    struct tn_rule rule = { .facility = TN_F_MATCHER, .place = { "a.conf", number, 1 } };
    struct tn_instance *i = NULL;
    plugin.desc.matcher = ops;
    if (tn_instance_new(&rule, &plugin, NULL, 0, 1000, NULL, &i, NULL) != TENUO_OK)
        exit(1);
    return i; /* the rule ends here: an added instance must not look at it any more */
}

static struct tenuo_matchers *fresh(void)
{
    struct tenuo_matchers *m = NULL;
    if (tn_matchers_new(&m, NULL) != TENUO_OK)
        exit(1);
    return m;
}

static const uint8_t own_types[] = { TENUO_C_REGEX, 200, 0 };
static const struct tenuo_matcher_ops own = OPS(own_types);

static struct tenuo_matchers *with_own(void)
{
    struct tenuo_matchers *m = fresh();
    memset(&world, 0, sizeof world);
    if (tn_matchers_add(m, line(&own, 3), NULL) != TENUO_OK)
        exit(1);
    return m;
}

static bool open_type(unsigned type)
{
    return type == TENUO_C_REGEX || type == TENUO_C_CEL || (type >= 128 && type <= 255 && type != TENUO_C_SHLEX);
}

static void test_every_type(void)
{
    unsigned wrong = 0;
    for (unsigned type = 1; type < 256; type++) {
        struct tenuo_matchers *m = fresh();
        const uint8_t types[] = { (uint8_t)type, 0 };
        const struct tenuo_matcher_ops ops = OPS(types);
        int code = tn_matchers_add(m, line(&ops, 1), NULL);
        wrong += code != (open_type(type) ? TENUO_OK : TENUO_E_PLUGIN_PROTOCOL) ||
                 tn_matchers_have(m, type) != open_type(type);
        tenuo_matchers_unref(m);
    }
    is_int(wrong, 0, "255 types");
}

static void test_claims(void)
{
    static const uint8_t second_types[] = { 201, 200, 0 }, none[] = { 0 };
    const struct tenuo_matcher_ops second = OPS(second_types), empty = OPS(none), missing = OPS(NULL);
    struct tenuo_matchers *m = fresh();
    struct tenuo_error err = { 0 };
    ok(!tn_matchers_have(NULL, 200) && !tn_matchers_have(m, 200), "no matcher");
    is_int(tn_matchers_add(m, line(&own, 3), &err), TENUO_OK, "two types of one plugin");
    ok(tenuo_matchers_has(m, TENUO_C_REGEX) && tenuo_matchers_has(m, 200) && !tenuo_matchers_has(m, 300), "both its");
    is_int(tn_matchers_add(m, line(&second, 9), &err), TENUO_E_CONF, "a type that is taken");
    ok(strstr(err.msg, "a.conf:3") != NULL && strstr(err.msg, "a.conf:9") != NULL && strstr(err.msg, "200") != NULL,
       "says: %s", err.msg);
    is_int(tn_matchers_add(m, line(&empty, 1), &err), TENUO_E_PLUGIN_PROTOCOL, "no type at all");
    is_int(tn_matchers_add(m, line(&missing, 1), &err), TENUO_E_PLUGIN_PROTOCOL, "no list of types");
    tenuo_matchers_unref(m);
}

/* [200, "..."], optionally below Not. */
static struct tenuo_constraint *custom(const char *text)
{
    uint8_t cbor[64] = { 0x82, 0x18, 200 };
    size_t n = strlen(text);
    struct tenuo_constraint *c = NULL;
    cbor[3] = (uint8_t)(0x60 + n);
    memcpy(cbor + 4, text, n);
    if (tenuo_constraint_parse(cbor, 4 + n, &c, NULL) != TENUO_OK)
        exit(1);
    return c;
}

static int ask(const struct tenuo_matchers *m, const struct tenuo_constraint *c, int *ret, struct tenuo_error *err)
{
    struct tenuo_value *v = NULL;
    int r = tenuo_value_string("x", 1, &v, NULL);
    if (r == TENUO_OK)
        r = tenuo_constraint_match(c, v, m, 1234, ret, err);
    tenuo_value_free(v);
    return r;
}

static void test_answers(void)
{
    static const struct {
        int compile, match, answer, code;
        const char *sentence;
    } t[] = {
        { 0, 0, 1, TENUO_OK, NULL },
        { 0, 0, 0, TENUO_OK, NULL },
        { 0, 0, 2, TENUO_E_PLUGIN_PROTOCOL, "neither yes nor no" },
        { 0, 0, -1, TENUO_E_PLUGIN_PROTOCOL, "neither yes nor no" },
        { 0, TENUO_E_INVALID_ARGUMENT, 1, TENUO_E_CONSTRAINT_VIOLATION, "matcher 'mine': no such thing at 3" },
        { TENUO_E_INVALID_ARGUMENT, 0, 1, TENUO_E_CONSTRAINT_VIOLATION, "matcher 'mine': no such thing at 3" },
        { TENUO_E_NOMEM, 0, 1, TENUO_E_NOMEM, NULL },
        { 0, TENUO_E_NOMEM, 1, TENUO_E_NOMEM, NULL },
        { TENUO_E_SYSTEM, 0, 1, TENUO_E_SYSTEM, "no such thing" },
        { 0, TENUO_E_UNAVAILABLE, 1, TENUO_E_UNAVAILABLE, "no such thing" },
        { TENUO_E_KEY_DENIED, 0, 1, TENUO_E_PLUGIN_PROTOCOL, "compile answered 9304" },
        { 0, -1, 1, TENUO_E_PLUGIN_PROTOCOL, "match answered -1" },
    };
    struct tenuo_constraint *c = custom("a");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct tenuo_matchers *m = with_own();
        struct tenuo_error err = { 0 };
        int match = 9;
        world.compile_code = t[i].compile;
        world.match_code = t[i].match;
        world.match_answer = t[i].answer;
        world.sentence = "no such thing at 3";
        is_int(ask(m, c, &match, &err), t[i].code, "case %zu", i);
        ok(match == (t[i].code == TENUO_OK ? t[i].answer : 9), "its answer");
        ok(t[i].sentence == NULL || strstr(err.msg, t[i].sentence) != NULL, "says: %s", err.msg);
        is_int(world.as_of, t[i].compile == TENUO_OK ? 1234 : 0, "the time is the decision's");
        tenuo_matchers_unref(m);
        is_int(world.released, t[i].compile == TENUO_OK, "what was compiled is released");
        is_int(world.closed, 1, "and the plugin closed");
    }
    tenuo_constraint_free(c);
}

static void test_below_not(void)
{
    struct tenuo_matchers *m = with_own();
    struct tenuo_constraint *c = custom("a"), *not = NULL;
    int match = 9;
    if (tenuo_constraint_combine(TENUO_C_NOT, (const struct tenuo_constraint *const[]){ c }, 1, &not, NULL) != 0)
        exit(1);
    world.match_code = TENUO_E_INVALID_ARGUMENT;
    is_int(ask(m, not, &match, NULL), TENUO_E_CONSTRAINT_VIOLATION, "an error denies below a Not too");
    world.match_code = TENUO_OK;
    ok(ask(m, not, &match, NULL) == TENUO_OK && match == TENUO_MATCH, "a no becomes a yes");
    is_int(tenuo_constraint_needs_matcher(not), 200, "it needs a matcher");
    is_int(tenuo_constraint_check(not, m, NULL), TENUO_OK, "it compiles");
    is_int(tenuo_constraint_check(not, NULL, NULL), TENUO_E_CONSTRAINT_VIOLATION, "not without a matcher");
    tenuo_constraint_free(not);
    tenuo_constraint_free(c);
    tenuo_matchers_unref(m);
}

static void test_attenuates(void)
{
    struct tenuo_matchers *m = with_own();
    struct tenuo_constraint *p = custom("a"), *c = custom("b");
    struct tenuo_error err = { 0 };
    world.attenuates_answer = 1;
    is_int(tenuo_constraint_attenuates(p, c, m, 0, NULL), TENUO_OK, "the plugin agrees");
    is_int(tenuo_constraint_attenuates(p, c, NULL, 0, NULL), TENUO_E_INVALID_ATTENUATION, "nobody is there to agree");
    world.sentence = "b is wider";
    world.attenuates_answer = 0;
    is_int(tenuo_constraint_attenuates(p, c, m, 0, &err), TENUO_E_INVALID_ATTENUATION, "it does not");
    is_str(err.msg, "matcher 'mine': b is wider", "says why");
    world.attenuates_answer = 2;
    is_int(tenuo_constraint_attenuates(p, c, m, 0, NULL), TENUO_E_INVALID_ATTENUATION, "neither yes nor no");
    world.attenuates_answer = 1;
    world.attenuates_code = TENUO_E_KEY_DENIED;
    is_int(tenuo_constraint_attenuates(p, c, m, 0, NULL), TENUO_E_INVALID_ATTENUATION, "an error refuses");
    world.attenuates_code = TENUO_E_NOMEM;
    is_int(tenuo_constraint_attenuates(p, c, m, 0, NULL), TENUO_E_NOMEM, "but for memory");
    tenuo_constraint_free(p);
    tenuo_constraint_free(c);
    tenuo_matchers_unref(m);
}

static void test_compiled_once(void)
{
    struct tenuo_matchers *m = with_own();
    struct tenuo_constraint *a = custom("a"), *same = custom("a"), *b = custom("b");
    int match;
    for (int i = 0; i < 10; i++)
        if (ask(m, a, &match, NULL) != 0 || ask(m, same, &match, NULL) != 0 || ask(m, b, &match, NULL) != 0)
            exit(1);
    is_int(world.compiled, 2, "thirty matches, two payloads");
    tenuo_matchers_unref(m);
    is_int(world.released, 2, "both released in the end");
    m = with_own();
    world.compile_code = TENUO_E_INVALID_ARGUMENT;
    is_int(ask(m, a, &match, NULL), TENUO_E_CONSTRAINT_VIOLATION, "does not compile");
    is_int(ask(m, a, &match, NULL), TENUO_E_CONSTRAINT_VIOLATION, "still not");
    is_int(world.compiled, 1, "and was asked once");
    world.compile_code = TENUO_E_NOMEM;
    is_int(ask(m, b, &match, NULL), TENUO_E_NOMEM, "memory ran out");
    world.compile_code = TENUO_OK;
    is_int(ask(m, b, &match, NULL), TENUO_OK, "and came back: that is not kept");
    tenuo_matchers_unref(m);
    tenuo_constraint_free(a);
    tenuo_constraint_free(same);
    tenuo_constraint_free(b);
}

static void many(const struct tenuo_matchers *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char text[16];
        int match;
        (void)snprintf(text, sizeof text, "p%u", i);
        struct tenuo_constraint *c = custom(text);
        if (ask(m, c, &match, NULL) != TENUO_OK)
            exit(1);
        tenuo_constraint_free(c);
    }
}

static void test_bounds(void)
{
    struct tenuo_matchers *m = with_own();
    size_t bytes = 0;
    many(m, TN_PROGRAM_CACHE_ENTRIES + 10);
    is_int((long long)tn_programs_count(m->programs, &bytes), TN_PROGRAM_CACHE_ENTRIES, "no more entries than allowed");
    is_int(world.released, 10, "the rest is released");
    tenuo_matchers_unref(m);
    is_int(world.released, TN_PROGRAM_CACHE_ENTRIES + 10, "and all in the end");
    m = with_own();
    world.bytes = TN_PROGRAM_CACHE_BYTES / 8;
    many(m, 20);
    is_int((long long)tn_programs_count(m->programs, &bytes), 7, "no more bytes than allowed");
    ok(bytes <= TN_PROGRAM_CACHE_BYTES, "%zu", bytes);
    world.compiled = 0;
    many(m, 1);
    is_int(world.compiled, 1, "the oldest went first");
    many(m, 1);
    is_int(world.compiled, 1, "the newest stayed");
    world.bytes = TN_PROGRAM_CACHE_BYTES / 2 + 1;
    world.released = 0;
    many(m, 21);
    is_int(world.released, 14, "what is larger than half of it is not kept");
    tenuo_matchers_unref(m);
}

static void test_fork(void)
{
    struct tenuo_matchers *m = with_own();
    int status = 0;
    many(m, 3);
    pid_t pid = fork();
    if (pid == 0) {
        world.compiled = 0;
        many(m, 3);
        many(m, 3);
        _exit(world.compiled == 3 ? 0 : 1); /* its own programs, once */
    }
    ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
       "a child compiles for itself");
    world.compiled = 0;
    many(m, 3);
    is_int(world.compiled, 0, "the parent keeps what it had");
    tenuo_matchers_unref(m);
}

/* A plugin's constraint counts eight times the value: eight of them on a megabyte are judged, nine are not. */
static void test_cost(void)
{
    struct tenuo_matchers *m = with_own();
    struct tenuo_constraint *c = custom("a"), *any = NULL;
    const struct tenuo_constraint *inner[] = { c, c, c, c, c, c, c, c, c };
    struct tenuo_value *v = NULL;
    char *text = malloc(1000000);
    int match;
    if (text == NULL)
        exit(1);
    memset(text, 'x', 1000000);
    if (tenuo_value_string(text, 1000000, &v, NULL) != 0)
        exit(1);
    for (size_t n = 8; n <= 9; n++) {
        if (tenuo_constraint_combine(TENUO_C_ANY, inner, n, &any, NULL) != 0)
            exit(1);
        is_int(tenuo_constraint_match(any, v, m, 0, &match, NULL), n == 8 ? TENUO_OK : TENUO_E_CONSTRAINT_VIOLATION,
               "%zu on a megabyte", n);
        tenuo_constraint_free(any);
    }
    tenuo_value_free(v);
    free(text);
    tenuo_constraint_free(c);
    tenuo_matchers_unref(m);
}

/* When all steps of a link are spent, nothing more is compiled, however many pairs there still are. */
static void test_spent(void)
{
    enum { N = 40 };
    struct tenuo_matchers *m = with_own();
    struct tenuo_constraint *regexes[N], *exacts[N], *parent = NULL, *child = NULL;
    world.bytes = 24 << 20; /* five of them are the budget */
    for (int i = 0; i < N; i++) {
        char text[8];
        struct tenuo_value *v = NULL;
        int n = snprintf(text, sizeof text, "%d", i);
        if (tenuo_constraint_text(TENUO_C_REGEX, text, (size_t)n, &regexes[i], NULL) != 0 ||
            tenuo_value_string(text, (size_t)n, &v, NULL) != 0 || tenuo_constraint_exact(v, &exacts[i], NULL) != 0)
            exit(1);
        tenuo_value_free(v);
    }
    if (tenuo_constraint_combine(TENUO_C_ANY, (const struct tenuo_constraint *const *)regexes, N, &parent, NULL) != 0 ||
        tenuo_constraint_combine(TENUO_C_ANY, (const struct tenuo_constraint *const *)exacts, N, &child, NULL) != 0)
        exit(1);
    ok(tenuo_constraint_attenuates(parent, child, m, 0, NULL) != TENUO_OK, "no pair narrows");
    ok(world.compiled <= 6, "compiled %d times", world.compiled);
    tenuo_constraint_free(parent);
    tenuo_constraint_free(child);
    for (int i = 0; i < N; i++) {
        tenuo_constraint_free(regexes[i]);
        tenuo_constraint_free(exacts[i]);
    }
    tenuo_matchers_unref(m);
}

static void *work(void *arg)
{
    for (int i = 0; i < 300; i++)
        many(arg, 11);
    return NULL;
}

static void test_threads(void)
{
    struct tenuo_matchers *m = with_own();
    pthread_t t[4];
    world.bytes = TN_PROGRAM_CACHE_BYTES / 8; /* seven fit, eleven are wanted: programs go while they are used */
    for (size_t i = 0; i < 4; i++)
        if (pthread_create(&t[i], NULL, work, tenuo_matchers_ref(m)) != 0)
            exit(1);
    for (size_t i = 0; i < 4; i++) {
        (void)pthread_join(t[i], NULL);
        tenuo_matchers_unref(m);
    }
    tenuo_matchers_unref(m);
    is_int(world.compiled, world.released, "everything that was compiled is released");
}

/* One match by a fresh set of matchers, with every allocation failing in turn. */
static int match_once(const struct tenuo_constraint *c, const struct tenuo_value *v, struct tn_instance *i,
                      int *ret_match)
{
    struct tenuo_matchers *m = NULL;
    int r = tn_matchers_new(&m, NULL);
    if (r != TENUO_OK) {
        tn_instance_free(i);
        return r;
    }
    r = tn_matchers_add(m, i, NULL);
    r = r != TENUO_OK ? r : tenuo_constraint_match(c, v, m, 0, ret_match, NULL);
    tenuo_matchers_unref(m);
    return r;
}

static void test_no_memory(int compile_code, int want)
{
    struct tenuo_constraint *c = custom("a");
    struct tenuo_value *v = NULL;
    unsigned wrong = 0;
    int r = TENUO_E_NOMEM;
    if (tenuo_value_string("x", 1, &v, NULL) != TENUO_OK)
        exit(1);
    memset(&world, 0, sizeof world);
    world.compile_code = compile_code;
    world.sentence = "no";
    for (long at = 0; r == TENUO_E_NOMEM && at < 1000; at++) {
        struct tn_instance *i = line(&own, 1);
        int match = 9;
        count = 0;
        fail_at = at;
        r = match_once(c, v, i, &match);
        fail_at = -1;
        wrong += (r != TENUO_E_NOMEM && r != want) || (match != 9) != (r == TENUO_OK);
    }
    is_int(r, want, "in the end there is memory");
    is_int(wrong, 0, "and before that an error each time, and no answer");
    is_int(world.made, world.released, "nothing is left behind");
    tenuo_value_free(v);
    tenuo_constraint_free(c);
}

static void test_open(const char *mock_dir)
{
    char path[512];
    const char *names[] = { path, path };
    struct tenuo_matchers *m = NULL;
    struct tenuo_error err = { 0 };
    (void)snprintf(path, sizeof path, "%s/mock_matcher.so", mock_dir);
    is_int(tenuo_matchers_open(NULL, names, 1, &m, &err), TENUO_OK, "by path %s", err.msg);
    ok(m != NULL && tenuo_matchers_has(m, TENUO_C_REGEX) && !tenuo_matchers_has(m, TENUO_C_CEL), "has its type");
    tenuo_matchers_unref(m);
    is_int(tenuo_matchers_open(NULL, names, 2, &m, &err), TENUO_E_CONF, "one twice");
    ok(strstr(err.msg, "matcher: matcher: claims constraint type 5") != NULL, "says: %s", err.msg);
    names[0] = "nosuch";
    is_int(tenuo_matchers_open(mock_dir, names, 1, &m, &err), TENUO_E_SYSTEM, "not installed");
    ok(strstr(err.msg, "tenuo_nosuch.so") != NULL, "says: %s", err.msg);
    names[0] = "../x";
    is_int(tenuo_matchers_open(mock_dir, names, 1, &m, &err), TENUO_E_INVALID_ARGUMENT, "no name");
    is_int(tenuo_matchers_open("/nonexistent", NULL, 0, &m, &err), TENUO_OK, "the shipped ones, none installed");
    ok(!tenuo_matchers_has(m, TENUO_C_REGEX), "none there");
    tenuo_matchers_unref(m);
    (void)snprintf(path, sizeof path, "%s/mock_unflagged.so", mock_dir);
    names[0] = path;
    is_int(tenuo_matchers_open(NULL, names, 1, &m, &err), TENUO_E_PLUGIN_ABI, "not for threads and forks");
    ok(strstr(err.msg, "THREAD_SAFE and FORK_SAFE") != NULL, "says: %s", err.msg);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    test_every_type();
    test_claims();
    test_answers();
    test_below_not();
    test_attenuates();
    test_compiled_once();
    test_bounds();
    test_cost();
    test_spent();
    test_no_memory(TENUO_OK, TENUO_OK);
    test_no_memory(TENUO_E_INVALID_ARGUMENT, TENUO_E_CONSTRAINT_VIOLATION);
    test_fork();
    test_threads();
    test_open(argv[1]);
    return done_testing();
}
