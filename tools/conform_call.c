/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What surrounds every call of a plugin under test: the host table that it gets, the clock, and the rules that hold
 * whatever is called. What breaks a rule is kept once, for the end of the report; seeds that the suite knows are looked
 * for in everything that the plugin says, and never said themselves.
 */
#include "conform.h"

#include <ctype.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECRETS_MAX 8
#define PIECE 18 /* bytes of a seed that are looked for: 24 characters of base64 */

/* A seed's beginning in the forms that people print. */
struct conform_secret {
    size_t count;
    struct {
        uint8_t raw[PIECE];
        char hex[2 * PIECE + 1], base64[PIECE / 3 * 4 + 1], base64url[PIECE / 3 * 4 + 1];
    } of[SECRETS_MAX];
};

static _Thread_local struct conform_call *current;
static _Thread_local char last[CONFORM_TEXT];

uint64_t conform_clock_ms(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void conform_say(struct conform_verdict *v, enum conform_result result, const char *fmt, ...)
{
    static const int weight[] = { [CONFORM_OK] = 1, [CONFORM_SKIP] = 2, [CONFORM_WARN] = 3, [CONFORM_FAIL] = 4 };
    va_list ap;
    if (v->text[0] != '\0' && weight[v->result] >= weight[result])
        return;
    v->result = result;
    va_start(ap, fmt);
    vsnprintf(v->text, sizeof v->text, fmt, ap);
    va_end(ap);
}

void conform_breach(struct conform *c, enum conform_rule rule, const char *fmt, ...)
{
    va_list ap;
    if (atomic_exchange(&c->shared->rules[rule].taken, true))
        return;
    va_start(ap, fmt);
    vsnprintf(c->shared->rules[rule].text, CONFORM_TEXT, fmt, ap);
    va_end(ap);
    atomic_store(&c->shared->rules[rule].broken, true);
}

void conform_learn(struct conform *c, const uint8_t seed[TENUO_SEED_BYTES])
{
    if (!c->secrets && !(c->secrets = calloc(1, sizeof *c->secrets)))
        cli_no_memory();
    for (size_t i = 0; i < c->secrets->count; i++)
        if (memcmp(c->secrets->of[i].raw, seed, PIECE) == 0)
            return;
    if (c->secrets->count == SECRETS_MAX)
        return;
    size_t i = c->secrets->count++;
    memcpy(c->secrets->of[i].raw, seed, PIECE);
    sodium_bin2hex(c->secrets->of[i].hex, sizeof c->secrets->of[i].hex, seed, PIECE);
    sodium_bin2base64(c->secrets->of[i].base64, sizeof c->secrets->of[i].base64, seed, PIECE,
                      sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2base64(c->secrets->of[i].base64url, sizeof c->secrets->of[i].base64url, seed, PIECE,
                      sodium_base64_VARIANT_URLSAFE);
}

void conform_forget(struct conform *c)
{
    if (c->secrets)
        tenuo_wipe(c->secrets, sizeof *c->secrets);
    free(c->secrets);
    c->secrets = NULL;
}

void conform_scan(struct conform *c, const char *what, const char *text)
{
    for (size_t i = 0; c->secrets && i < c->secrets->count; i++)
        if (memmem(text, strlen(text), c->secrets->of[i].raw, PIECE) || strcasestr(text, c->secrets->of[i].hex) ||
            strstr(text, c->secrets->of[i].base64) || strstr(text, c->secrets->of[i].base64url))
            conform_breach(c, CONFORM_SECRETS,
                           "%s put the seed into a sentence, a log line or a note: name the key and the place, never "
                           "what stands there",
                           what);
}

/* ---- the host ---- */

static const char *what_now(void)
{
    return current ? current->what : "a thread of the plugin";
}

TENUO_PRINTF(3, 4) static void host_log(const struct tenuo_host *host, int level, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    (void)level;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    conform_scan(host->priv, what_now(), line);
    tenuo_wipe(line, sizeof line);
}

TENUO_PRINTF(2, 3) static void host_error(const struct tenuo_host *host, const char *fmt, ...)
{
    char whole[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(whole, sizeof whole, fmt, ap);
    va_end(ap);
    conform_scan(host->priv, what_now(), whole);
    if (current)
        snprintf(current->sentence, sizeof current->sentence, "%.*s", CONFORM_TEXT - 1, whole);
    tenuo_wipe(whole, sizeof whole);
}

static void host_wipe(void *p, size_t len)
{
    tenuo_wipe(p, len);
}

static void host_random(void *p, size_t len)
{
    randombytes_buf(p, len);
}

static int64_t host_now(void)
{
    return (int64_t)time(NULL);
}

static uint32_t host_deadline(const struct tenuo_host *host)
{
    const struct conform *c = host->priv;
    uint64_t now = conform_clock_ms();
    if (!current)
        return c->deadline_ms;
    return current->ends > now ? (uint32_t)(current->ends - now) : 0;
}

/* There is no service here, and no key of one. */
static int host_sign_checkpoint(const struct tenuo_host *host, const char *key_id, const uint8_t head[32],
                                uint64_t count, uint8_t ret_public_key[TENUO_PUBKEY_BYTES],
                                uint8_t ret_signature[TENUO_SIG_BYTES])
{
    (void)key_id, (void)head, (void)count, (void)ret_public_key, (void)ret_signature;
    host_error(host, "a test has no keys to sign with");
    return TENUO_E_KEY_NOT_FOUND;
}

/* One of each, with a kind that nobody knows. */
static int host_stats(const struct tenuo_host *host, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    (void)host;
    for (int what = TENUO_STAT_LINK_CACHE_HITS; what <= TENUO_STAT_ROOT_ENDS + 1; what++) {
        const struct tenuo_stat stat = {
            .size = sizeof stat, .what = what, .label = "conform", .value = 7, .bound_ns = UINT64_MAX
        };
        if (each(arg, &stat) != 0)
            break;
    }
    return TENUO_OK;
}

void conform_host_init(struct conform *c)
{
    c->host = (struct tenuo_host){
        .size = sizeof c->host,
        .abi_major = TENUO_PLUGIN_ABI_MAJOR,
        .abi_minor = TENUO_PLUGIN_ABI_MINOR,
        .log = host_log,
        .error = host_error,
        .wipe = host_wipe,
        .random = host_random,
        .now = host_now,
        .deadline = host_deadline,
        .sign_checkpoint = host_sign_checkpoint,
        .stats = host_stats,
        .priv = c,
    };
}

/* ---- one call ---- */

void conform_begin(struct conform *c, struct conform_call *call, const char *what)
{
    call->outer = current;
    call->what = what;
    call->sentence[0] = '\0';
    call->began = conform_clock_ms();
    call->ends = call->began + c->call_ms;
    current = call;
    if (atomic_fetch_add(&c->shared->active, 1) == 0)
        snprintf(c->shared->what, sizeof c->shared->what, "%s", what);
    atomic_store(&c->shared->moved, call->began);
}

static bool is_legal(const int *legal, int code)
{
    static const int general[] = { TENUO_OK,       TENUO_E_NOMEM,       TENUO_E_INVALID_ARGUMENT,
                                   TENUO_E_SYSTEM, TENUO_E_UNAVAILABLE, -1 };
    for (size_t i = 0; general[i] != -1; i++)
        if (general[i] == code)
            return true;
    for (; *legal != 0; legal++)
        if (*legal == code)
            return true;
    return false;
}

/* Codes that say all there is to say; every other failure is an administrator's riddle without a sentence. */
static bool speaks_for_itself(int code)
{
    return code == TENUO_OK || code == TENUO_E_NOMEM || code == TENUO_E_INVALID_ARGUMENT ||
           code == TENUO_E_KEY_NOT_FOUND || code == TENUO_E_WOULD_BLOCK || code == TENUO_E_REPLAYED;
}

int conform_end(struct conform *c, struct conform_call *call, const int *legal, int code)
{
    uint64_t now = conform_clock_ms();
    current = call->outer;
    atomic_fetch_sub(&c->shared->active, 1);
    atomic_store(&c->shared->moved, now);
    snprintf(last, sizeof last, "%s", code == TENUO_OK ? "" : call->sentence);
    if (!is_legal(legal, code))
        conform_breach(c, CONFORM_CODES,
                       "%s answered %d, which it may not: the host calls that 9203, see tenuo-plugin(3)", call->what,
                       code);
    else if (!speaks_for_itself(code) && call->sentence[0] == '\0')
        conform_breach(c, CONFORM_SENTENCES, "%s answered %d without a word: say place and remedy with host->error()",
                       call->what, code);
    if (c->call_ms == c->deadline_ms && now > call->ends)
        conform_breach(c, CONFORM_IN_TIME,
                       "%s took %llu ms of %u: the host takes that for no answer; keep to host->deadline()", call->what,
                       (unsigned long long)(now - call->began), (unsigned)c->deadline_ms);
    return code;
}

const char *conform_last(void)
{
    return last;
}

const char *conform_code(int code)
{
    static _Thread_local char text[CONFORM_TEXT];
    if (code == TENUO_OK)
        return "0 (success)";
    snprintf(text, sizeof text, "%d %s%s%.300s", code, tenuo_err_name(code), last[0] != '\0' ? ": " : "", last);
    return text;
}
