/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin aws as built, over a mock host whose deadline the test sets, on lines that name moto or its front. */
#ifndef TN_TEST_AWS_ENV_H
#define TN_TEST_AWS_ENV_H

#include <ctype.h>
#include <time.h>

#include "../services/moto.h"
#include "mock_host.h"

static const struct tenuo_resolver_ops *ops;
static struct tenuo_host host;
static uint32_t deadline_ms = 10000;
static uint64_t deadline_at;

static inline uint64_t now_ms(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline uint32_t aws_deadline(const struct tenuo_host *h)
{
    uint64_t now = now_ms();
    (void)h;
    return deadline_at > now ? (uint32_t)(deadline_at - now) : 0;
}

/* Before each call: its time begins, and nothing has been said. */
static inline void begin(void)
{
    deadline_at = now_ms() + deadline_ms;
    mock_said[0] = '\0';
}

/* NAME=VALUE words, as a line has them; valid until the next line. */
static inline size_t aws_line(const char *line, struct tenuo_arg args[32])
{
    static char text[2048];
    size_t n = 0;
    for (const struct tenuo_arg_spec *s = ops->args; s->name != NULL; s++)
        args[n++] = (struct tenuo_arg){ .name = s->name };
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        for (size_t i = 0; i < n; i++)
            if (strcmp(args[i].name, word) == 0)
                args[i] = (struct tenuo_arg){ args[i].name, value, strtoull(value, NULL, 10) };
    }
    return n;
}

static inline int aws_open_line(const char *line, void **ret)
{
    struct tenuo_arg args[32];
    size_t n = aws_line(line, args);
    begin();
    return ops->open(&host, args, n, ret);
}

static inline void *aws_opened(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void *aws_opened(const char *fmt, ...)
{
    char line[2048];
    void *self = NULL;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (aws_open_line(line, &self) != TENUO_OK) {
        printf("Bail out! %s: %s\n", line, mock_said);
        exit(1);
    }
    return self;
}

/* A line over the front. */
static inline void *over_front(const char *more)
{
    return aws_opened("region=eu-west-1 endpoint=http://127.0.0.1:%d %s", moto_port("front"), more);
}

static inline void public_of(const uint8_t seed[32], uint8_t key[32])
{
    uint8_t secret[64];
    crypto_sign_seed_keypair(key, secret, seed);
}

/* Sentences are for people: printable, and never with a secret of the environment. */
static inline void sentence(const char *part)
{
    bool printable = mock_said[0] != '\0';
    for (const char *p = mock_said; *p != '\0'; p++)
        printable &= isprint((unsigned char)*p) != 0;
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY");
    ok(printable && (secret == NULL || strstr(mock_said, secret) == NULL) && strstr(mock_said, part) != NULL,
       "says '%s': %s", part, mock_said);
}

static inline int public_key(void *self, const char *id, uint32_t version, uint8_t key[32], uint32_t *ret_version)
{
    begin();
    return ops->public_key(self, id, version, key, ret_version);
}

/* The public key of what export_seed gives. */
static inline int exported(void *self, const char *id, uint32_t version, uint8_t key[32])
{
    uint8_t seed[32], untouched[32];
    memset(seed, 0x5a, sizeof seed);
    memcpy(untouched, seed, sizeof seed);
    begin();
    int r = ops->export_seed(self, id, version, seed);
    if (r == TENUO_OK)
        public_of(seed, key);
    else if (memcmp(seed, untouched, sizeof seed) != 0)
        ok(false, "a failed export left something in its output");
    return r;
}

static inline int generate(void *self, const char *id, unsigned flags, uint8_t key[32], uint32_t *version)
{
    begin();
    return ops->generate(self, id, flags, key, version);
}

static inline bool aws_env_begin(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("aws", argc, argv);
    ops = plugin->resolver;
    host = mock_host;
    host.deadline = aws_deadline;
    if (sodium_init() < 0)
        exit(1);
    stage_begin();
    moto_clean_environment();
    if (!moto_begin(argv[2])) {
        stage_end();
        return false;
    }
    setenv("HOME", stage_root, 1);
    return true;
}

static inline int aws_env_end(void)
{
    moto_end();
    stage_end();
    return done_testing();
}

#endif
