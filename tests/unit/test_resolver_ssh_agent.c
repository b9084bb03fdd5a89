/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver ssh_agent, loaded as the library would, against the real ssh-agent, and against one that lies. */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_resolver_ops *ops;
static struct tenuo_host host;
static uint32_t deadline = 3000;
static pid_t server;
static uint32_t version;

static uint32_t test_deadline(const struct tenuo_host *h)
{
    static struct timespec began;
    struct timespec now;
    (void)h;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (deadline == 0) { /* the next call starts the clock */
        began = now;
        deadline = 400;
    }
    if (deadline != 400)
        return deadline;
    int64_t gone = (now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
    return gone >= 400 ? 0 : (uint32_t)(400 - gone);
}

static void start_agent(const char *socket)
{
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        execlp("ssh-agent", "ssh-agent", "-D", "-a", socket, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && access(socket, F_OK) != 0; i++)
        usleep(20000);
}

static void stop_server(void)
{
    if (server > 0) {
        kill(server, SIGCONT);
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    server = 0;
}

static void *open_line(const char *socket)
{
    const struct tenuo_arg args[] = { { .name = "socket", .value = socket } };
    void *self = NULL;
    is_int(ops->open(&host, args, 1, &self), TENUO_OK, "opens");
    return self;
}

static int shell(const char *command)
{
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void signature_is_good(void *self, const char *id, uint32_t v, const uint8_t key[32])
{
    static uint8_t message[200000];
    const size_t sizes[] = { 0, 1, 64, 4096, 200000 };
    randombytes_buf(message, sizeof message);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t signature[64];
        is_int(ops->sign(self, id, v, message, sizes[i], signature), TENUO_OK, "signs %zu bytes with %s: %s", sizes[i],
               id, mock_said);
        ok(crypto_sign_verify_detached(signature, message, sizes[i], key) == 0, "a signature of that key");
    }
}

static void life(void *self)
{
    uint8_t seed[32], again[32], key[32], second[32], signature[64];
    struct tenuo_key_entry entry = { 0 };
    randombytes_buf(seed, sizeof seed);
    is_int(ops->public_key(self, "agent", 0, key, &version), TENUO_E_KEY_NOT_FOUND, "an empty agent: not found");
    ok(strstr(mock_said, "empty, or locked") != NULL, "said: %s", mock_said);
    is_int(ops->import(self, "agent", 0, seed, &version), TENUO_OK, "import: %s", mock_said);
    is_int((int)version, 1, "is version 1");
    is_int(ops->import(self, "agent", 0, seed, &version), TENUO_E_KEY_CONFLICT, "an id that is taken");
    is_int(ops->public_key(self, "agent", 0, key, &version), TENUO_OK, "public_key");
    is_int((int)version, 1, "of version 1");
    signature_is_good(self, "agent", 1, key);
    is_int(ops->sign(self, "agent", 0, seed, SIZE_MAX / 2, signature), TENUO_E_INVALID_ARGUMENT,
           "no message beyond bounds");
    is_int(ops->import(self, "other", 0, seed, &version), TENUO_E_KEY_CONFLICT, "a key that has another id");
    ok(strstr(mock_said, "under another comment") != NULL, "said: %s", mock_said);
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_E_KEY_CONFLICT,
           "a rotation to the same key");
    is_int(ops->public_key(self, "agent", 1, key, &version), TENUO_OK, "it keeps its id");
    randombytes_buf(again, sizeof again);
    is_int(ops->import(self, "nobody", TENUO_STORE_NEW_VERSION, again, &version), TENUO_E_KEY_NOT_FOUND,
           "nothing to rotate");
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, again, &version), TENUO_OK, "rotate");
    is_int((int)version, 2, "is version 2");
    is_int(ops->public_key(self, "agent", 0, second, &version), TENUO_OK, "the newest");
    ok(version == 2 && memcmp(key, second, 32) != 0, "is another key");
    signature_is_good(self, "agent", 1, key);
    signature_is_good(self, "agent", 2, second);
    is_int(ops->describe(self, "agent", 1, &entry), TENUO_OK, "describe");
    ok(entry.version == 1 && entry.oldest == 1 && entry.newest == 2 && memcmp(entry.public_key, key, 32) == 0,
       "says so");
    is_int(ops->describe(self, "agent", 3, &entry), TENUO_E_KEY_NOT_FOUND, "no version 3");
    is_int(ops->remove(self, "agent", 2), TENUO_E_INVALID_ARGUMENT, "the newest stays while there is an older one");
    is_int(ops->remove(self, "agent", 1), TENUO_OK, "the old one goes");
    is_int(ops->sign(self, "agent", 1, seed, 32, signature), TENUO_E_KEY_NOT_FOUND, "and signs no more");
    is_int(ops->remove(self, "agent", 0), TENUO_OK, "all go");
    is_int(ops->remove(self, "agent", 0), TENUO_E_KEY_NOT_FOUND, "once");
}

static int count_entries(void *arg, const struct tenuo_key_entry *entry)
{
    char *seen = arg;
    strcat(seen, entry->id);
    strcat(seen, entry->has_public_key ? " " : "! ");
    return 0;
}

/* Keys that ssh-keygen made, by comment and by fingerprint; other types; two of one comment. */
static void foreign(void *self)
{
    char seen[4096] = "", fingerprint[80] = "", command[2048];
    uint8_t key[32], same[32];
    snprintf(
        command, sizeof command,
        "cd %s && ssh-keygen -q -t ed25519 -N '' -C deploy -f e1 && ssh-keygen -q -t ed25519 -N '' -C twice -f e2 && "
        "ssh-keygen -q -t ed25519 -N '' -C twice -f e3 && ssh-keygen -q -t rsa -b 2048 -N '' -C old -f r1 && "
        "ssh-keygen -q -t ed25519 -N '' -C 'me@host with blanks' -f e4 && "
        "ssh-keygen -q -s e2 -I id -n me e1.pub && "
        "SSH_AUTH_SOCK=%s/agent.sock ssh-add -q e1 e2 e3 e4 r1 2>ssh-add.log && "
        "awk '{print $2}' e4.pub | base64 -d | sha256sum | cut -c1-64 >fingerprint",
        stage_root, stage_root);
    is_int(shell(command), 0, "ssh-keygen and ssh-add");
    is_int(ops->public_key(self, "deploy", 0, key, &version), TENUO_OK, "by comment, beside its certificate: %s",
           mock_said);
    signature_is_good(self, "deploy", 1, key);
    is_int(ops->public_key(self, "twice", 0, key, &version), TENUO_E_KEY_CONFLICT, "two of one comment");
    ok(strstr(mock_said, "two identities") != NULL, "said: %s", mock_said);
    is_int(ops->public_key(self, "old", 0, key, &version), TENUO_E_KEY_INVALID, "a key of another type");
    size_t n = 0;
    char *text = stage_read(stage_path("fingerprint"), &n);
    snprintf(fingerprint, sizeof fingerprint, "%.64s", text);
    free(text);
    is_int(ops->public_key(self, fingerprint, 0, same, &version), TENUO_OK, "by fingerprint: %s", mock_said);
    signature_is_good(self, fingerprint, 1, same);
    is_int(ops->import(self, fingerprint, 0, key, &version), TENUO_E_INVALID_ARGUMENT, "no id that looks like one");
    is_int(ops->list(self, count_entries, seen), TENUO_OK, "list");
    const char *twice = strstr(seen, "twice! ");
    ok(twice != NULL && strstr(twice + 1, "twice") == NULL, "each id once");
    ok(strstr(seen, "deploy ") != NULL && strstr(seen, "twice! ") != NULL && strstr(seen, "old") == NULL, "shows: %s",
       seen);
}

/* Whoever comes first wins, or nobody does: never two identities of one comment. */
static void at_once(void *self)
{
    uint8_t seed[32], key[32];
    int pipes[2], good = 0, failed = 0;
    char one;
    if (pipe(pipes) != 0)
        stage_die("pipe");
    fflush(stdout);
    for (int p = 0; p < 6; p++)
        if (fork() == 0) {
            randombytes_buf(seed, sizeof seed);
            int r = ops->import(self, "race", 0, seed, &version);
            one = r == TENUO_OK ? 'y' : r == TENUO_E_KEY_CONFLICT ? 'n' : 'x';
            _exit(write(pipes[1], &one, 1) == 1 ? 0 : 1);
        }
    close(pipes[1]);
    while (read(pipes[0], &one, 1) == 1) {
        good += one == 'y';
        failed += one == 'x';
    }
    close(pipes[0]);
    for (int p = 0; p < 6; p++)
        wait(NULL);
    ok(good <= 1 && failed == 0, "of six imports at once %d succeeded", good);
    is_int(ops->public_key(self, "race", 0, key, &version), good == 1 ? TENUO_OK : TENUO_E_KEY_NOT_FOUND,
           "and the id can be used: %s", mock_said);
}

/* Locked; declined; gone; stopped; back. */
static void outages(void *self, const char *socket)
{
    uint8_t key[32], signature[64];
    char command[512];
    snprintf(command, sizeof command,
             "python3 -c \"\nimport socket,struct,sys\ns=socket.socket(socket.AF_UNIX)\n"
             "s.connect('%s')\nm=bytes([int(sys.argv[1])])+struct.pack('>I',2)+b'pw'\n"
             "s.sendall(struct.pack('>I',len(m))+m)\nsys.exit(s.recv(5)[4]!=6)\n\" ",
             socket);
    char lock[600], unlock[600];
    snprintf(lock, sizeof lock, "%s 22", command);
    snprintf(unlock, sizeof unlock, "%s 23", command);
    is_int(shell(lock), 0, "locks it");
    is_int(ops->public_key(self, "deploy", 0, key, &version), TENUO_E_KEY_NOT_FOUND, "a locked agent shows nothing");
    is_int(shell(unlock), 0, "unlocks it");
    is_int(ops->public_key(self, "deploy", 0, key, &version), TENUO_OK, "and all is back");
    kill(server, SIGSTOP);
    deadline = 0;
    is_int(ops->sign(self, "deploy", 0, key, 32, signature), TENUO_E_UNAVAILABLE, "a stopped agent");
    ok(strstr(mock_said, "in time") != NULL, "said: %s", mock_said);
    deadline = 3000;
    kill(server, SIGCONT);
    is_int(ops->sign(self, "deploy", 0, key, 32, signature), TENUO_OK, "goes on");
    stop_server();
    is_int(ops->sign(self, "deploy", 0, key, 32, signature), TENUO_E_UNAVAILABLE, "a killed agent");
    unlink(socket);
    is_int(ops->public_key(self, "deploy", 0, key, &version), TENUO_E_UNAVAILABLE, "no socket");
    ok(strstr(mock_said, "is the ssh-agent running?") != NULL, "said: %s", mock_said);
    start_agent(socket);
    snprintf(command, sizeof command, "cd %s && SSH_AUTH_SOCK=%s ssh-add -q e1 2>/dev/null", stage_root, socket);
    is_int(shell(command), 0, "a new agent");
    is_int(ops->sign(self, "deploy", 0, key, 32, signature), TENUO_OK, "signs for the line of before");
}

/* A fake agent: answers each question with the bytes it is given, then closes. */
static void fake(const char *path, const uint8_t *answer, size_t len)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    memcpy(to.sun_path, path, strlen(path) + 1);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&to, sizeof to) != 0 || listen(fd, 8) != 0)
        stage_die("fake agent");
    server = fork();
    if (server != 0) {
        close(fd);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (;;) {
        uint8_t question[4096];
        int c = accept(fd, NULL, NULL);
        if (read(c, question, sizeof question) > 0 && len > 0 && write(c, answer, len) < 0)
            _exit(1);
        close(c);
    }
}

static size_t with_length(uint8_t *out, const uint8_t *body, size_t n)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(n >> (24 - 8 * i));
    memcpy(out + 4, body, n);
    return n + 4;
}

#define BLOB \
    0, 0, 0, 51, 0, 0, 0, 11, 's', 's', 'h', '-', 'e', 'd', '2', '5', '5', '1', '9', 0, 0, 0, 32, 1, 2, 3, 4, 5, 6, 7, \
        8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32

static void lies(void)
{
    static const struct {
        const char *what;
        uint8_t body[96];
        size_t len;
    } rows[] = {
        { "an empty answer", { 0 }, 0 },
        { "another type", { 6 }, 1 },
        { "a list without a count", { 12, 0, 0 }, 3 },
        { "two thousand million identities", { 12, 0x7f, 0xff, 0xff, 0xff }, 5 },
        { "one identity, and none there", { 12, 0, 0, 0, 1 }, 5 },
        { "a blob longer than the answer", { 12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff }, 9 },
        { "a blob without a type", { 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 }, 13 },
        { "a key of 31 bytes",
          { 12,  0,   0,   0,   1,   0,   0,   0,   19, 0, 0, 0, 11, 's', 's', 'h',
            '-', 'e', 'd', '2', '5', '5', '1', '9', 0,  0, 0, 0, 0,  0,   0,   0 },
          32 },
        { "no comment", { 12, 0, 0, 0, 1, BLOB }, 60 },
        { "bytes behind the list", { 12, 0, 0, 0, 1, BLOB, 0, 0, 0, 0, 9 }, 65 },
    };
    const char *path = stage_path("fake.sock");
    uint8_t key[32], answer[128];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake(path, answer, with_length(answer, rows[i].body, rows[i].len));
        void *self = open_line(path);
        is_int(ops->public_key(self, "a", 0, key, &version), TENUO_E_UNAVAILABLE, "%s", rows[i].what);
        ops->close(self);
        stop_server();
    }
    memcpy(answer, (const uint8_t[]){ 0, 0, 0, 9, 12 }, 5);
    fake(path, answer, 5);
    void *self = open_line(path);
    is_int(ops->public_key(self, "a", 0, key, &version), TENUO_E_UNAVAILABLE, "closes in the middle");
    ok(strstr(mock_said, "in the middle") != NULL, "said: %s", mock_said);
    ops->close(self);
    stop_server();
    memcpy(answer, (const uint8_t[]){ 0xff, 0xff, 0xff, 0xff }, 4);
    fake(path, answer, 4);
    self = open_line(path);
    is_int(ops->public_key(self, "a", 0, key, &version), TENUO_E_UNAVAILABLE, "four thousand million bytes");
    ops->close(self);
    stop_server();
}

/* A queue with room for one, and nobody who takes anything from it for a while: busy, not away. */
static void busy(void)
{
    static const uint8_t body[] = { 12, 0, 0, 0, 1, BLOB, 0, 0, 0, 1, 'k' };
    const char *path = stage_path("busy.sock");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    uint8_t answer[128], question[64], key[32];
    size_t n = with_length(answer, body, sizeof body);
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), full[4];
    if (fd < 0 || bind(fd, (const struct sockaddr *)&to, sizeof to) != 0 || listen(fd, 0) != 0)
        stage_die("busy agent");
    for (int i = 0; i < 4; i++) { /* until it is full */
        full[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(full[i], (const struct sockaddr *)&to, sizeof to);
    }
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        for (int i = 0; i < 4; i++)
            close(full[i]);
        usleep(200000);
        for (;;) {
            int c = accept(fd, NULL, NULL);
            if (read(c, question, sizeof question) > 0 && write(c, answer, n) < 0)
                _exit(1);
            close(c);
        }
    }
    close(fd);
    for (int i = 0; i < 4; i++)
        close(full[i]);
    void *self = open_line(path);
    is_int(ops->public_key(self, "k", 0, key, &version), TENUO_OK, "an agent whose queue is full is waited for: %s",
           mock_said);
    ops->close(self);
    stop_server();
}

/* root and this user are trusted with signatures, nobody else. */
static void stranger(void)
{
    uint8_t key[32], answer[8] = { 0 };
    const char *path = stage_path("stranger.sock");
    if (geteuid() != 0) {
        skip_test("an agent of another user", "only root can be another user");
        return;
    }
    chmod(stage_root, 0777);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        fake(path, answer, 8);
        pause();
        _exit(0);
    }
    for (int i = 0; i < 100 && access(path, F_OK) != 0; i++)
        usleep(20000);
    usleep(50000);
    void *self = open_line(path);
    is_int(ops->public_key(self, "a", 0, key, &version), TENUO_E_KEY_DENIED, "an agent of another user");
    ok(strstr(mock_said, "65534") != NULL, "said: %s", mock_said);
    ops->close(self);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    chmod(stage_root, 0700);
}

static void environment(const char *socket)
{
    uint8_t key[32];
    void *self = open_line(NULL);
    unsetenv("SSH_AUTH_SOCK");
    is_int(ops->public_key(self, "deploy", 0, key, &version), TENUO_E_UNAVAILABLE, "no SSH_AUTH_SOCK");
    setenv("SSH_AUTH_SOCK", "relative", 1);
    is_int(ops->public_key(self, "deploy", 0, key, &version), TENUO_E_UNAVAILABLE, "a relative one");
    setenv("SSH_AUTH_SOCK", socket, 1);
    is_int(ops->public_key(self, "deploy", 0, key, &version), TENUO_OK, "the agent of the environment");
    ops->close(self);
}

int main(int argc, char **argv)
{
    ops = mock_load("ssh_agent", argc, argv)->resolver;
    host = mock_host;
    host.deadline = test_deadline;
    if (sodium_init() < 0)
        return 1;
    stage_begin();
    lies();
    busy();
    stranger();
    if (shell("command -v ssh-agent ssh-add ssh-keygen >/dev/null") != 0) {
        skip_test("the real ssh-agent", "openssh-client is not installed");
    } else {
        char socket[128];
        snprintf(socket, sizeof socket, "%s", stage_path("agent.sock"));
        start_agent(socket);
        void *self = open_line(socket);
        life(self);
        foreign(self);
        at_once(self);
        outages(self, socket);
        ops->close(self);
        environment(socket);
        stop_server();
    }
    stage_end();
    return done_testing();
}
