/* SPDX-License-Identifier: Apache-2.0 */
/* The shared credentials file: [profile] and name = value lines. A secret file, judged as such at each use; keys that
 * would start a program or take over a role are not for a library inside other programs. */
#include "aws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/secret_source.h"

struct reader {
    struct aws_creds *creds;
    const char *profile;
    bool inside, seen, role, broken;
};

static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\r'))
        text[--n] = '\0';
    return text;
}

static bool keep(char *ret, size_t most, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] > 0x7e)
            return false;
    if (n == 0 || n > most)
        return false;
    memcpy(ret, text, n + 1);
    return true;
}

static void take_value(struct reader *r, const char *name, const char *value)
{
    struct aws_creds *c = r->creds;
    if (strcmp(name, "aws_access_key_id") == 0)
        r->broken |= !keep(c->id, AWS_ID_MAX, value);
    else if (strcmp(name, "aws_secret_access_key") == 0)
        r->broken |= !keep(c->secret, AWS_ID_MAX, value);
    else if (strcmp(name, "aws_session_token") == 0)
        r->broken |= !keep(c->token, AWS_TOKEN_MAX, value);
    else if (strcmp(name, "role_arn") == 0 || strcmp(name, "credential_process") == 0 || strncmp(name, "sso_", 4) == 0)
        r->role = true;
}

static void take_line(struct reader *r, char *line)
{
    line = trim(line);
    if (line[0] == '[') {
        char *end = strchr(line, ']');
        if (end != NULL)
            *end = '\0';
        r->inside = end != NULL && strcmp(trim(line + 1), r->profile) == 0;
        r->seen |= r->inside;
        return;
    }
    char *equals = strchr(line, '=');
    if (!r->inside || line[0] == '#' || line[0] == ';' || equals == NULL)
        return;
    *equals = '\0';
    take_value(r, trim(line), trim(equals + 1));
}

/* In place: what is read is thrown away after. */
static void take_text(struct reader *r, char *text)
{
    char *rest = text;
    while (rest != NULL) {
        char *line = rest;
        rest = strchr(line, '\n');
        if (rest != NULL)
            *rest++ = '\0';
        take_line(r, line);
    }
}

static int judge(const struct aws *a, const struct reader *r, const char *path, bool asked)
{
    const char *what = NULL;
    if (!r->seen && !asked)
        return TENUO_E_KEY_NOT_FOUND;
    if (!r->seen)
        what = "is not in it";
    else if (r->role)
        what = "names a role, a program or a sign-on: put keys there (aws_access_key_id, aws_secret_access_key)";
    else if (r->broken || r->creds->id[0] == '\0' || r->creds->secret[0] == '\0')
        what = "has no usable aws_access_key_id and aws_secret_access_key";
    if (what != NULL)
        return aws_fail(a, TENUO_E_KEY_DENIED, "%s: profile [%s] %s", path, r->profile, what);
    snprintf(r->creds->source, sizeof r->creds->source, "[%.40s] in %.140s", r->profile, path);
    return TENUO_OK;
}

static int read_profile(const struct aws *a, const char *path, const char *profile, bool asked, struct aws_creds *ret)
{
    struct tn_secret_source source = { 0 };
    struct reader reader = { .creds = ret, .profile = profile };
    char why[TN_SECRET_WHY] = "", *text = NULL;
    size_t n = 0;
    int r = tn_secret_set(&source, "credentials", path, NULL, why);
    if (r == TENUO_OK)
        r = tn_secret_read(&source, &text, &n, why);
    tn_secret_clear(&source);
    if (r == TENUO_OK) {
        take_text(&reader, text);
        r = judge(a, &reader, path, asked);
    } else if (r == TENUO_E_UNAVAILABLE && !asked) {
        r = TENUO_E_KEY_NOT_FOUND;
    } else {
        (void)aws_fail(a, r, "%s", why);
    }
    tn_secret_free(text);
    return r;
}

int aws_cred_file(struct aws *a, struct aws_creds *ret)
{
    const char *path = a->credentials_file, *profile = a->profile, *home = secure_getenv("HOME");
    char *made = NULL;
    bool asked = path != NULL || profile != NULL;
    if (path == NULL)
        path = secure_getenv("AWS_SHARED_CREDENTIALS_FILE");
    if (path == NULL && home != NULL && home[0] == '/') {
        if (asprintf(&made, "%s/.aws/credentials", home) < 0)
            return TENUO_E_NOMEM;
        path = made;
    }
    if (profile == NULL) {
        profile = secure_getenv("AWS_PROFILE");
        asked |= profile != NULL;
    }
    int r = TENUO_E_KEY_NOT_FOUND;
    if (path != NULL && path[0] == '/')
        r = read_profile(a, path, profile != NULL ? profile : "default", asked, ret);
    else if (asked)
        r = aws_fail(a, TENUO_E_KEY_DENIED, "no credentials file: there is no HOME; set credentials_file=");
    free(made);
    return r;
}
