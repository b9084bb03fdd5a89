/* SPDX-License-Identifier: Apache-2.0 */
/* The replay store redis, loaded as the library would, against a real server that is killed, stopped and misconfigured,
 * and against servers that lie. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_host.h"
#include "stage.h"
#include "tap.h"

enum { HOST, PORT, SOCKET, DB, USERNAME, PASSWORD_FILE, CREDENTIAL, PREFIX, REPLICAS, STRICT_START, INSECURE, ARGS };

static const struct tenuo_replay_ops *ops;
static struct tenuo_host host;
static char logged[4096];
static uint32_t deadline = 500;
static pid_t server;

static uint32_t test_deadline(const struct tenuo_host *h)
{
    (void)h;
    return deadline;
}

TENUO_PRINTF(3, 4) static void keep_log(const struct tenuo_host *h, int level, const char *fmt, ...)
{
    size_t n = strlen(logged);
    va_list ap;
    (void)h, (void)level;
    va_start(ap, fmt);
    vsnprintf(logged + n, sizeof logged - n, fmt, ap);
    va_end(ap);
    n = strlen(logged);
    snprintf(logged + n, sizeof logged - n, "\n");
}

static int lines(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static uint64_t ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void sleep_ms(unsigned n)
{
    struct timespec ts = { n / 1000, (long)(n % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

/* ---- the store ---- */

static void blank(struct tenuo_arg a[ARGS])
{
    memset(a, 0, ARGS * sizeof *a);
    mock_said[0] = logged[0] = '\0';
}

static void *opened(struct tenuo_arg a[ARGS], int *ret_code)
{
    void *self = NULL;
    int r = ops->open(&host, a, ARGS, &self);
    if (ret_code != NULL)
        *ret_code = r;
    return self;
}

static void *open_socket(const char *name)
{
    struct tenuo_arg a[ARGS];
    blank(a);
    a[SOCKET].value = stage_path(name);
    return opened(a, NULL);
}

static int use_until(void *self, unsigned n, int64_t expires)
{
    uint8_t key[32] = { 0 };
    memcpy(key, &n, sizeof n);
    return ops->check_and_set(self, key, host.now(), expires);
}

static int use(void *self, unsigned n)
{
    return use_until(self, n, host.now() + 180);
}

/* Tries until the answer is no longer "unavailable", for two seconds. */
static int use_again(void *self, unsigned n)
{
    uint64_t ends = ms() + 6000;
    int r = use(self, n);
    while (r == TENUO_E_UNAVAILABLE && ms() < ends) {
        sleep_ms(20);
        r = use(self, n);
    }
    return r;
}

/* ---- the real server ---- */

static bool answers(void)
{
    redisContext *c = redisConnectUnix(stage_path("s"));
    redisReply *reply = c == NULL || c->err != 0 ? NULL : redisCommand(c, "PING");
    bool good = reply != NULL && (reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    if (c != NULL)
        redisFree(c);
    return good;
}

static bool start_server(void)
{
    server = fork();
    if (server == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        if (chdir(stage_root) != 0)
            _exit(126);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", stage_path("s"), "--save", "",
               "--appendonly", "no", "--daemonize", "no", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        int status;
        if (answers())
            return true;
        if (waitpid(server, &status, WNOHANG) == server)
            return false;
        sleep_ms(10);
    }
    return false;
}

static void kill_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

/* One command for the administrator; the answer's number, or whether it went well. */
static long long admin(const char *password, const char *command)
{
    redisContext *c = redisConnectUnix(stage_path("s"));
    if (password != NULL)
        freeReplyObject(redisCommand(c, "AUTH %s", password));
    redisReply *reply = redisCommand(c, command);
    long long n = reply == NULL ? -100 : reply->type != REDIS_REPLY_ERROR;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
        n = reply->integer;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        printf("# %s: %s\n", command, reply->str);
    freeReplyObject(reply);
    redisFree(c);
    return n;
}

static void check_use(void)
{
    void *a = open_socket("s"), *b = open_socket("s");
    is_int(use(a, 1), TENUO_OK, "the first time: %s", mock_said);
    is_int(use(a, 1), TENUO_E_REPLAYED, "the second time");
    is_int(use(b, 1), TENUO_E_REPLAYED, "another line sees it");
    is_int(use(b, 2), TENUO_OK, "another proof");
    is_int(use(a, 2), TENUO_E_REPLAYED, "is seen by the first");
    is_str(logged, "", "nothing to log");
    is_int(use_until(a, 3, host.now() - 1), TENUO_E_INVALID_ARGUMENT, "a time that has passed: %s", mock_said);
    is_int(use_until(a, 3, INT64_MIN), TENUO_E_INVALID_ARGUMENT, "the smallest time");
    is_int(use_until(a, 3, INT64_MAX), TENUO_OK, "the largest time");
    is_int(use_until(a, 3, INT64_MAX), TENUO_E_REPLAYED, "is remembered");
    is_int(admin(NULL, "EXISTS tenuo:replay:0100000000000000000000000000000000000000000000000000000000000000"), 1,
           "under its name");
    long long left = admin(NULL, "PTTL tenuo:replay:0100000000000000000000000000000000000000000000000000000000000000");
    ok(left > 175000 && left <= 181000, "for the time asked for: %lld ms", left);
    uint64_t began = ms();
    for (unsigned n = 0; n < 2000; n++)
        (void)use(a, 100000 + n);
    printf("# %llu us a call\n", (unsigned long long)(ms() - began) / 2);
    is_int(use_until(a, 4, host.now()), TENUO_OK, "for a second");
    sleep_ms(1200);
    is_int(use(a, 4), TENUO_OK, "and no longer");
    ops->close(a);
    ops->close(b);
}

/* Each process has its own connection; the server decides between them. */
static void check_processes(void)
{
    enum { KEYS = 300 };
    int p[2], total = 0;
    if (pipe(p) != 0)
        exit(1);
    for (int k = 0; k < 2; k++) {
        if (fork() != 0)
            continue;
        void *self = open_socket("s");
        int count = 0;
        for (unsigned n = 0; n < KEYS; n++)
            count += use(self, 10000 + n) == TENUO_OK;
        _exit(write(p[1], &count, sizeof count) == sizeof count ? 0 : 1);
    }
    for (int k = 0; k < 2; k++) {
        int count = -100000;
        if (read(p[0], &count, sizeof count) == sizeof count)
            total += count;
        wait(NULL);
    }
    is_int(total, KEYS, "two processes at once: each proof passes once");
    close(p[0]);
    close(p[1]);
}

static void check_arguments_of_server(void)
{
    struct tenuo_arg a[ARGS];
    blank(a);
    a[SOCKET].value = stage_path("s");
    a[DB] = (struct tenuo_arg){ "db", "3", 3 };
    a[PREFIX].value = "p:";
    void *self = opened(a, NULL);
    is_int(use(self, 1), TENUO_OK, "another database and prefix: %s", mock_said);
    ops->close(self);
    self = opened(a, NULL);
    is_int(use(self, 1), TENUO_E_REPLAYED, "the same again");
    ops->close(self);
    a[DB] = (struct tenuo_arg){ "db", "99", 99 };
    self = opened(a, NULL);
    is_int(use(self, 1), TENUO_E_UNAVAILABLE, "a database that is not there: %s", mock_said);
    ops->close(self);
    blank(a);
    a[SOCKET].value = stage_path("s");
    a[REPLICAS] = (struct tenuo_arg){ "replicas", "1", 1 };
    self = opened(a, NULL);
    is_int(use(self, 77), TENUO_E_UNAVAILABLE, "a replica that is not there: %s", mock_said);
    ok(strstr(mock_said, "too few replicas") != NULL, "says so");
    ops->close(self);
    blank(a);
    a[SOCKET].value = stage_path("s");
    a[STRICT_START] = (struct tenuo_arg){ "strict_start", "yes", 1 };
    self = opened(a, NULL);
    uint8_t key[32] = { 200 };
    is_int(ops->check_and_set(self, key, host.now() - 60, host.now() + 180), TENUO_E_UNAVAILABLE,
           "strict_start: signed before the server was there: %s", mock_said);
    is_int(ops->check_and_set(self, key, host.now() + 30, host.now() + 180), TENUO_OK, "strict_start: after");
    ops->close(self);
}

static void check_passwords(void)
{
    struct tenuo_arg a[ARGS];
    const char *file = stage_write("password", "hunter2\n", 8, 0600);
    blank(a);
    a[SOCKET].value = stage_path("s");
    a[PASSWORD_FILE].value = file;
    is_int(admin(NULL, "ACL SETUSER tenuo on >hunter2 ~tenuo:* +set +info"), 1, "a user");
    is_int(admin(NULL, "CONFIG SET requirepass hunter2"), 1, "a password");
    void *self = opened(a, NULL);
    is_int(use(self, 20), TENUO_OK, "password: %s", mock_said);
    ops->close(self);
    a[USERNAME].value = "tenuo";
    self = opened(a, NULL);
    is_int(use(self, 21), TENUO_OK, "user and password, with the rights to SET and INFO alone: %s", mock_said);
    ops->close(self);
    a[USERNAME].value = "nobody";
    self = opened(a, NULL);
    is_int(use(self, 22), TENUO_E_UNAVAILABLE, "wrong user: %s", mock_said);
    ok(strstr(mock_said, "WRONGPASS") != NULL, "says so");
    ops->close(self);
    a[USERNAME].value = NULL;
    chmod(file, 0644);
    self = opened(a, NULL);
    is_int(use(self, 23), TENUO_E_UNAVAILABLE, "a password that others can read: %s", mock_said);
    chmod(file, 0600);
    is_int(use_again(self, 23), TENUO_OK, "until they cannot");
    ops->close(self);
    a[PASSWORD_FILE].value = NULL;
    a[CREDENTIAL].value = "password";
    setenv("CREDENTIALS_DIRECTORY", stage_root, 1);
    self = opened(a, NULL);
    is_int(use(self, 24), TENUO_OK, "as a credential: %s", mock_said);
    ops->close(self);
    self = open_socket("s");
    is_int(use(self, 25), TENUO_E_UNAVAILABLE, "without a password: %s", mock_said);
    ok(strstr(logged, "NOAUTH: it wants a login") != NULL && strstr(logged, "hunter2") == NULL, "logged: %s", logged);
    is_int(admin("hunter2", "ACL SETUSER default nopass"), 1, "no password any more");
    is_int(use_again(self, 25), TENUO_OK, "lets it in");
    ops->close(self);
}

/* Settings of the server under which it would forget. */
static void check_settings(void)
{
    static const struct {
        const char *set, *unset, *word;
    } rows[] = {
        { "CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction", "noeviction" },
        { "CONFIG SET maxmemory-policy volatile-ttl", "CONFIG SET maxmemory-policy noeviction", "noeviction" },
        { "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "replica" },
        { "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM" },
        { "CONFIG SET min-replicas-to-write 3", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        is_int(admin(NULL, rows[i].set), 1, "%s", rows[i].set);
        void *self = open_socket("s");
        is_int(use(self, 30 + i), TENUO_E_UNAVAILABLE, "denies: %s", mock_said);
        ok(strstr(mock_said, rows[i].word) != NULL, "says so: %s", rows[i].word);
        is_int(admin(NULL, rows[i].unset), 1, "%s", rows[i].unset);
        is_int(use_again(self, 30 + i), TENUO_OK, "and recovers");
        ok(strstr(logged, "answers again") != NULL, "with a word in the log");
        ops->close(self);
    }
    /* a master that becomes a replica while it is used */
    void *self = open_socket("s");
    is_int(use(self, 40), TENUO_OK, "a master");
    is_int(admin(NULL, "REPLICAOF 127.0.0.1 1"), 1, "that becomes a replica");
    is_int(use(self, 41), TENUO_E_UNAVAILABLE, "denies: %s", mock_said);
    ok(strstr(mock_said, "READONLY") != NULL, "says so");
    is_int(admin(NULL, "REPLICAOF NO ONE"), 1, "and a master again");
    is_int(use_again(self, 41), TENUO_OK, "recovers");
    is_int(admin(NULL, "CLIENT KILL TYPE normal SKIPME yes") > 0, 1, "the server closes its connections");
    is_int(use(self, 42), TENUO_OK, "the next call makes a new one at once: %s", mock_said);
    ops->close(self);
}

static void check_stopped(void)
{
    void *self = open_socket("s");
    is_int(use(self, 50), TENUO_OK, "before the server stops");
    kill(server, SIGSTOP);
    uint64_t began = ms();
    is_int(use(self, 51), TENUO_E_UNAVAILABLE, "a stopped server: %s", mock_said);
    ok(ms() - began >= 400 && ms() - began <= 500 + 300, "within the deadline: %llu ms",
       (unsigned long long)(ms() - began));
    began = ms();
    is_int(use(self, 51), TENUO_E_UNAVAILABLE, "the next call is denied at once: %s", mock_said);
    ok(ms() - began < 100, "in %llu ms", (unsigned long long)(ms() - began));
    is_int(lines(logged), 1, "logged once: %s", logged);
    kill(server, SIGCONT);
    int r = use_again(self, 52);
    is_int(r, TENUO_OK, "recovers when it goes on");
    is_int(use(self, 50), TENUO_E_REPLAYED, "and remembers");
    ops->close(self);
}

static void check_killed(void)
{
    struct tenuo_arg a[ARGS];
    blank(a);
    a[SOCKET].value = stage_path("s");
    a[STRICT_START] = (struct tenuo_arg){ "strict_start", "yes", 1 };
    void *self = open_socket("s"), *strict;
    is_int(use(self, 60), TENUO_OK, "before the server dies");
    strict = opened(a, NULL);
    kill_server();
    int denied = 0;
    uint64_t ends = ms() + 1600, calls = 0;
    for (; ms() < ends; calls++, sleep_ms(5))
        denied += use(self, 61) != TENUO_E_UNAVAILABLE;
    is_int(denied, 0, "a dead server: %llu calls denied: %s", (unsigned long long)calls, mock_said);
    ok(lines(logged) >= 4 && lines(logged) <= 6, "one line for each step of the waits: %d\n%s", lines(logged), logged);
    void *later = open_socket("s");
    ok(later != NULL && logged[0] != '\0', "opens without a server, and says so: %s", logged);
    ok(start_server(), "the server starts again");
    is_int(use_again(self, 61), TENUO_OK, "recovers");
    is_int(use_again(later, 62), TENUO_OK, "the late one too");
    is_int(use(self, 60), TENUO_OK, "a server without a disk has forgotten");
    uint8_t key[32] = { 60 };
    int r = TENUO_OK;
    for (ends = ms() + 6000; ms() < ends; sleep_ms(20)) {
        r = ops->check_and_set(strict, key, host.now() - 30, host.now() + 180);
        if (strstr(mock_said, "sign the call again") != NULL)
            break;
    }
    is_int(r, TENUO_E_UNAVAILABLE, "strict_start knows: %s", mock_said);
    ok(strstr(mock_said, "sign the call again") != NULL, "and says what to do");
    ops->close(self);
    ops->close(later);
    ops->close(strict);
}

/* ---- servers that lie ---- */

#define INFO_TEXT "# Server\r\nuptime_in_seconds:100\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n"
static const char *info_answer, *set_answer;
static bool dribble, endless;

static void put(int fd, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; dribble && i < n; i++) {
        if (send(fd, text + i, 1, MSG_NOSIGNAL) != 1)
            return;
        sleep_ms(100);
    }
    while (endless && send(fd, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32, MSG_NOSIGNAL) > 0)
        ;
    if (!dribble)
        (void)!send(fd, text, n, MSG_NOSIGNAL);
}

static void serve(int fd)
{
    char request[4096];
    for (;;) {
        ssize_t n = recv(fd, request, sizeof request - 1, 0);
        if (n <= 0)
            return;
        request[n] = '\0';
        const char *answer = strstr(request, "INFO") != NULL ? info_answer : set_answer;
        if (answer == NULL)
            return;
        put(fd, answer);
    }
}

static pid_t start_liar(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", stage_path("liar"));
    unlink(at.sun_path);
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0)
        stage_die("liar");
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        for (;;) {
            int one = accept(fd, NULL, NULL);
            serve(one);
            close(one);
        }
    }
    close(fd);
    return pid;
}

static int ask_liar(const char *info, const char *set)
{
    info_answer = info;
    set_answer = set;
    pid_t pid = start_liar();
    void *self = open_socket("liar");
    uint64_t began = ms();
    int r = use(self, 1);
    ok(ms() - began < deadline + 300, "answered in %llu ms", (unsigned long long)(ms() - began));
    if (r == TENUO_E_UNAVAILABLE)
        ok(lines(logged) == 1, "one line: %s", logged);
    ops->close(self);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return r;
}

static char good_info[256];

static void check_liars(void)
{
    static const char *const wrong[] = {
        ":1\r\n",
        ":0\r\n", "$2\r\nOK\r\n", "$0\r\n\r\n", "+\r\n", "+ok\r\n", "+QUEUED\r\n", "+OKAY\r\n", "*1\r\n+OK\r\n",
        "*0\r\n", "*1000000000\r\n", "-READONLY You can't write against a read only replica.\r\n", "-\r\n",
        "-ERR the password hunter2 is fine\r\n", "-hunter2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\r\n", "OK\r\n",
        "+O", "$5\r\nab", "$536870912\r\n", "$-2\r\n", ":", "*", "", "%1\r\n+a\r\n+b\r\n",
    };
    static const char *const strange[] = {
        "+OK\r\n", "$-1\r\n", "$0\r\n\r\n", ":1\r\n", "*0\r\n", "-ERR unknown command\r\n", "-NOPERM no\r\n", "+O", "",
        "$28\r\n# Replication\r\nrole:master\r\n\r\n",
        "$77\r\n# Server\r\nuptime_in_seconds:-1000\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n\r\n",
    };
    snprintf(good_info, sizeof good_info, "$%zu\r\n%s\r\n", sizeof INFO_TEXT - 1, INFO_TEXT);
    deadline = 300;
    is_int(ask_liar(good_info, "+OK\r\n"), TENUO_OK, "an honest one: %s", mock_said);
    is_int(ask_liar(good_info, "$-1\r\n"), TENUO_E_REPLAYED, "that has seen it");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        is_int(ask_liar(good_info, wrong[i]), TENUO_E_UNAVAILABLE, "SET %zu: %s", i, mock_said);
        ok(strstr(mock_said, "hunter2") == NULL && strstr(logged, "hunter2") == NULL, "its words are not repeated");
    }
    is_int(ask_liar(good_info, NULL), TENUO_E_UNAVAILABLE, "SET is hung up on: %s", mock_said);
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++)
        is_int(ask_liar(strange[i], "+OK\r\n"), TENUO_E_UNAVAILABLE, "INFO %zu: %s", i, mock_said);
    is_int(ask_liar(NULL, "+OK\r\n"), TENUO_E_UNAVAILABLE, "INFO is hung up on: %s", mock_said);
    dribble = true;
    is_int(ask_liar(good_info, "+OK\r\n"), TENUO_E_UNAVAILABLE, "a byte at a time: %s", mock_said);
    dribble = false;
    endless = true;
    is_int(ask_liar(good_info, "+OK\r\n"), TENUO_E_UNAVAILABLE, "without end: %s", mock_said);
    endless = false;
}

/* An answer too many must not be the answer to the next call. */
static void check_ahead(void)
{
    info_answer = good_info;
    set_answer = "+OK\r\n+OK\r\n";
    pid_t pid = start_liar();
    void *self = open_socket("liar");
    is_int(use(self, 1), TENUO_OK, "an answer and one too many");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    is_int(use(self, 2), TENUO_E_UNAVAILABLE, "is not taken for the next call's");
    ops->close(self);
}

static void check_arguments(void)
{
    struct tenuo_arg a[ARGS];
    static const struct {
        int row;
        const char *value;
        uint64_t number;
        int more;
        const char *more_value;
        int code;
    } rows[] = {
        { DB, "1", 1, DB, "1", TENUO_E_CONF },
        { HOST, "localhost", 0, SOCKET, "/x", TENUO_E_CONF },
        { SOCKET, "/x", 0, PORT, "1", TENUO_E_CONF },
        { HOST, "localhost", 0, PORT, "0", TENUO_E_CONF },
        { HOST, "", 0, DB, NULL, TENUO_E_CONF },
        { HOST, "192.0.2.1", 0, DB, NULL, TENUO_E_CONF },
        { HOST, "example.com", 0, DB, NULL, TENUO_E_CONF },
        { HOST, "127.0.0.1.example.com", 0, DB, NULL, TENUO_E_CONF },
        { HOST, "128.0.0.1", 0, DB, NULL, TENUO_E_CONF },
        { HOST, "127.1.2.3", 0, PORT, "1", TENUO_OK },
        { HOST, "::1", 0, PORT, "1", TENUO_OK },
        { HOST, "localhost", 0, PORT, "1", TENUO_OK },
        { SOCKET, "/x", 0, USERNAME, "u", TENUO_E_CONF },
        { SOCKET, "/x", 0, CREDENTIAL, "a/b", TENUO_E_CONF },
        { SOCKET, "/x", 0, CREDENTIAL, "..", TENUO_E_CONF },
        { SOCKET, "/x", 0, PREFIX, "", TENUO_E_CONF },
        { SOCKET, "/nowhere/x", 0, PREFIX, "p", TENUO_OK },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int r;
        blank(a);
        a[rows[i].row] = (struct tenuo_arg){ "", rows[i].value, rows[i].number };
        a[rows[i].more].value = rows[i].more_value;
        a[rows[i].more].number = rows[i].more_value != NULL ? strtoull(rows[i].more_value, NULL, 10) : 0;
        void *self = opened(a, &r);
        is_int(r, rows[i].code, "line %zu: %s", i, mock_said);
        if (self != NULL) {
            is_int(use(self, 1), TENUO_E_UNAVAILABLE, "without a server: %s", mock_said);
            ops->close(self);
        }
    }
    blank(a);
    a[HOST].value = "192.0.2.1";
    a[INSECURE] = (struct tenuo_arg){ "insecure", "yes", 1 };
    int r;
    deadline = 100;
    void *self = opened(a, &r);
    is_int(r, TENUO_OK, "insecure=yes: another host");
    is_int(use(self, 1), TENUO_E_UNAVAILABLE, "that is not there: %s", mock_said);
    ops->close(self);
    ops->close(NULL);
    deadline = 500;
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("redis", argc, argv);
    ops = plugin->replay;
    host = mock_host;
    host.log = keep_log;
    host.deadline = test_deadline;
    stage_begin();
    check_arguments();
    check_liars();
    check_ahead();
    deadline = 500;
    if (!start_server()) {
        skip_test("against a real server", "redis-server is not installed or does not start");
    } else {
        check_use();
        check_processes();
        check_arguments_of_server();
        check_passwords();
        check_settings();
        check_stopped();
        check_killed();
        kill_server();
    }
    stage_end();
    return done_testing();
}
