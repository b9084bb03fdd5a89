/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose name the requests are signed in. In the order of the vendor's own tools: what the line names, the environment,
 * the shared file, the container's service, the instance's. Environment and file are read at each use; what a service
 * gave is kept in guarded memory until shortly before it ends.
 */
#include "aws.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_S 300 /* before the end, new ones are asked for; the old ones are good meanwhile */
#define PAUSE_S 30  /* before a service that gave none is asked again, while they are good */

static struct aws_creds *new_creds(void)
{
    struct aws_creds *c = sodium_malloc(sizeof *c);
    if (c != NULL)
        sodium_memzero(c, sizeof *c);
    return c;
}

void aws_credentials_forget(struct aws_creds *c)
{
    sodium_free(c); /* wipes */
}

static bool copy_word(char *ret, size_t most, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] > 0x7e)
            return false;
    if (n > most)
        return false;
    memcpy(ret, text, n + 1);
    return true;
}

/* Not for a program that runs with more rights than its caller: secure_getenv finds nothing then. */
static int from_environment(struct aws *a, struct aws_creds *ret)
{
    const char *id = secure_getenv("AWS_ACCESS_KEY_ID"), *secret = secure_getenv("AWS_SECRET_ACCESS_KEY"),
               *token = secure_getenv("AWS_SESSION_TOKEN");
    if (id == NULL || id[0] == '\0')
        return TENUO_E_KEY_NOT_FOUND;
    if (secret == NULL || secret[0] == '\0' || !copy_word(ret->id, AWS_ID_MAX, id) ||
        !copy_word(ret->secret, AWS_ID_MAX, secret) ||
        !copy_word(ret->token, AWS_TOKEN_MAX, token != NULL ? token : ""))
        return aws_fail(a, TENUO_E_KEY_DENIED,
                        "the environment has AWS_ACCESS_KEY_ID, and no usable AWS_SECRET_ACCESS_KEY or "
                        "AWS_SESSION_TOKEN: set all of them, or none");
    snprintf(ret->source, sizeof ret->source, "environment");
    return TENUO_OK;
}

static int from_services(struct aws *a, struct aws_creds *ret)
{
    char why[TN_WEB_WHY] = "";
    int r = aws_cred_container(a, ret, why);
    if (r == TENUO_E_KEY_NOT_FOUND)
        r = aws_cred_instance(a, ret, why);
    if (r == TENUO_E_KEY_NOT_FOUND)
        return aws_fail(a, TENUO_E_KEY_DENIED,
                        "no AWS credentials: set credentials_file=, or give this machine or container a role");
    if (r != TENUO_OK && why[0] != '\0')
        (void)aws_fail(a, r, "no AWS credentials in the environment or a file, and no role: %s", why);
    return r;
}

static bool good_until(const struct aws *a, const struct aws_creds *c, int64_t before)
{
    return c != NULL && (c->ends_at == 0 || a->host->now() + before < c->ends_at);
}

/* Copies what is kept when it is good. *ret_soon: it ends soon, and newer ones should be asked for. */
static bool copy_kept(struct aws *a, struct aws_creds *ret, bool *ret_soon)
{
    pthread_mutex_lock(&a->lock);
    const bool good = good_until(a, a->kept, 0);
    *ret_soon = good && !good_until(a, a->kept, EARLY_S) && a->host->now() >= a->ask_after;
    if (good)
        *ret = *a->kept;
    pthread_mutex_unlock(&a->lock);
    return good;
}

static int ask(struct aws *a, struct aws_creds *ret)
{
    struct aws_creds *got = new_creds();
    int r = got == NULL ? TENUO_E_NOMEM : from_services(a, got);
    pthread_mutex_lock(&a->lock);
    if (r == TENUO_OK) {
        *ret = *got;
        aws_credentials_forget(a->kept);
        a->kept = got;
        got = NULL;
    } else {
        a->ask_after = a->host->now() + PAUSE_S;
    }
    pthread_mutex_unlock(&a->lock);
    aws_credentials_forget(got);
    return r;
}

/* One call asks for all. While what is kept is good the others go on with it, and so does the one when it got none. */
static int from_kept(struct aws *a, bool fresh, struct aws_creds *ret)
{
    bool soon = false;
    if (!fresh && copy_kept(a, ret, &soon)) {
        if (soon && pthread_mutex_trylock(&a->asking) == 0) {
            (void)ask(a, ret);
            pthread_mutex_unlock(&a->asking);
        }
        return TENUO_OK;
    }
    pthread_mutex_lock(&a->asking);
    int r = !fresh && copy_kept(a, ret, &soon) ? TENUO_OK : ask(a, ret);
    pthread_mutex_unlock(&a->asking);
    return r;
}

static int find(struct aws *a, bool fresh, struct aws_creds *ret)
{
    int r = TENUO_E_KEY_NOT_FOUND;
    if (a->profile == NULL && a->credentials_file == NULL)
        r = from_environment(a, ret);
    if (r == TENUO_E_KEY_NOT_FOUND)
        r = aws_cred_file(a, ret);
    return r == TENUO_E_KEY_NOT_FOUND ? from_kept(a, fresh, ret) : r;
}

int aws_credentials(struct aws *a, bool fresh, struct aws_creds **ret)
{
    struct aws_creds *c = new_creds();
    int r = c == NULL ? TENUO_E_NOMEM : find(a, fresh, c);
    if (r != TENUO_OK) {
        aws_credentials_forget(c);
        return r;
    }
    *ret = c;
    return TENUO_OK;
}
