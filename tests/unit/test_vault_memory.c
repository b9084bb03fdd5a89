/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a seed leaves behind: a process makes a key in a real Vault, reads it and wipes what it was handed, and another
 * one, which knows the seed, looks through all of its memory. The line is open then, with its connection and buffers.
 */
#include <sys/uio.h>

#include "vault_env.h"

#define CHUNK (1u << 20)
#define OVERLAP 64
#define MOST (1ul << 30) /* beyond it is what a sanitizer reserves */

static struct vault_server dev;

/* ---- the process that is looked at ---- */

static uint8_t kept[32];

static int use(void *self, char what)
{
    uint8_t seed[32] = { 0 }, key[32];
    uint32_t v = 0;
    int r = TENUO_OK;
    begin_call();
    if (what == 'g')
        r = ops->generate(self, "scanned", 0, key, &v);
    if (what == 'r')
        r = ops->export_seed(self, "scanned", 1, seed);
    if (what == 'p')
        r = ops->public_key(self, "scanned", 0, key, &v);
    if (what == 'k') {
        r = ops->export_seed(self, "scanned", 1, seed);
        memcpy(kept, seed, sizeof kept);
    }
    if (what == 'w')
        sodium_memzero(kept, sizeof kept);
    sodium_memzero(seed, sizeof seed);
    return r;
}

static void serve(int in, int out)
{
    char what, status;
    void *self = OPEN("url", dev.url, "ca", dev.ca, "token_file", stage_path("token"));
    while (read(in, &what, 1) == 1) {
        status = 0;
        if (what == 'c') {
            ops->close(self);
        } else {
            status = use(self, what) == TENUO_OK ? 0 : 1;
        }
        if (write(out, &status, 1) != 1)
            break;
    }
    _exit(0);
}

static int to_child, from_child;
static pid_t child;

static bool start_child(void)
{
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0)
        return false;
    child = fork();
    if (child == 0) {
        close(in[1]);
        close(out[0]);
        serve(in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    to_child = in[1];
    from_child = out[0];
    return child > 0;
}

static bool ask_child(char what)
{
    char status = 1;
    return write(to_child, &what, 1) == 1 && read(from_child, &status, 1) == 1 && status == 0;
}

/* ---- the one that looks ---- */

struct form {
    const char *name;
    char bytes[80];
    size_t len;
};

static struct form forms[8];
static size_t nforms;

static void add_form(const char *name, const void *bytes, size_t len)
{
    struct form *f = &forms[nforms++];
    f->name = name;
    f->len = len;
    memcpy(f->bytes, bytes, len);
}

static bool learn(void)
{
    char answer[4096], text[256], other[80];
    uint8_t seed[32];
    size_t len = 0;
    if (vault_admin(&dev, "GET", "secret/data/tenuo/keys/scanned", NULL, answer, sizeof answer) != 200)
        return false;
    vault_member(answer, "key", text);
    if (sodium_base642bin(seed, sizeof seed, text, strlen(text), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    add_form("raw", seed, 32);
    add_form("half of it, raw", seed + 16, 16);
    add_form("base64", text, 43);
    add_form("a part of the base64", text + 20, 20);
    sodium_bin2base64(other, sizeof other, seed, 32, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    if (memcmp(other, text, 43) != 0)
        add_form("base64url", other, 43);
    sodium_bin2hex(other, sizeof other, seed, 32);
    add_form("hex", other, 64);
    return true;
}

static int look_at(const char *bytes, size_t n, unsigned long at, const char *where)
{
    int found = 0;
    for (size_t i = 0; i < nforms; i++) {
        const char *p = memmem(bytes, n, forms[i].bytes, forms[i].len);
        if (p == NULL)
            continue;
        printf("# %s at %lx in %s", forms[i].name, at + (unsigned long)(p - bytes), where);
        found++;
    }
    return found;
}

/* How many forms of the seed are in readable memory; -1: it cannot be read. */
static int scan(void)
{
    static char buf[CHUNK + OVERLAP];
    char path[64], line[512];
    int found = 0;
    size_t all = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)child);
    FILE *maps = fopen(path, "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx r", &from, &to) != 2 || strstr(line, "[v") != NULL || to - from > MOST)
            continue;
        for (unsigned long at = from; at < to; at += CHUNK) {
            size_t want = to - at < CHUNK + OVERLAP ? to - at : CHUNK + OVERLAP;
            struct iovec here = { buf, want }, there = { (void *)(uintptr_t)at, want };
            ssize_t n = process_vm_readv(child, &here, 1, &there, 1, 0);
            if (n <= 0)
                break;
            all += (size_t)n;
            found += look_at(buf, (size_t)n, at, line);
        }
    }
    if (maps != NULL)
        fclose(maps);
    return all == 0 ? -1 : found;
}

static void look(const char *what)
{
    int found = scan();
    if (found < 0)
        skip_test(what, "the memory of another process may not be read here");
    else
        is_int(found, 0, "%s: the seed is nowhere", what);
}

static void check(void)
{
    stage_write("token", "root", 4, 0600);
    if (!ok(start_child(), "a process") || !ok(ask_child('g'), "makes a key"))
        return;
    if (!ok(learn(), "which the other one knows"))
        return;
    look("after making it");
    ok(ask_child('p') && ask_child('r') && ask_child('r'), "it is read, and wiped");
    look("after reading it");
    ok(ask_child('k') && scan() != 0, "a seed that is kept would be seen");
    ok(ask_child('w') && ask_child('c'), "the line is closed");
    look("after closing");
    close(to_child);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    char program[PATH_MAX];
    env_begin(argc, argv);
    if (!vault_find(program)) {
        skip_test("a real Vault", "tests/services/install_vault.sh has not built one: ./dev test does");
    } else if (!ok(vault_start_dev(&dev, program), "Vault")) {
        vault_stop(&dev);
    } else {
        check();
        vault_stop(&dev);
    }
    stage_end();
    return done_testing();
}
