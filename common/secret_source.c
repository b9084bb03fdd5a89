/* SPDX-License-Identifier: Apache-2.0 */
/* Finds, judges and reads a secret. Every copy is in guarded memory, and goes with sodium_free. */
#include "secret_source.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/trust.h"

#define NAME_MAX_BYTES 255

static int refuse(char why[TN_SECRET_WHY], const char *name, const char *rest)
{
    snprintf(why, TN_SECRET_WHY, "%.60s%s", name, rest);
    return TENUO_E_CONF;
}

static bool is_credential_name(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX_BYTES && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

int tn_secret_set(struct tn_secret_source *s, const char *name, const char *file, const char *credential,
                  char why[TN_SECRET_WHY])
{
    const char *text = file != NULL ? file : credential;
    if (file != NULL && credential != NULL)
        return refuse(why, name, "_file and its _credential exclude each other: give one of them");
    if (file != NULL && file[0] != '/')
        return refuse(why, name, "_file wants an absolute path");
    if (credential != NULL && !is_credential_name(credential))
        return refuse(why, name, "_credential wants the name of a credential, without '/'");
    if (text == NULL)
        return TENUO_OK;
    char *copy = strdup(text);
    if (copy == NULL) {
        snprintf(why, TN_SECRET_WHY, "out of memory");
        return TENUO_E_NOMEM;
    }
    *(file != NULL ? &s->file : &s->credential) = copy;
    return TENUO_OK;
}

bool tn_secret_given(const struct tn_secret_source *s)
{
    return s->file != NULL || s->credential != NULL;
}

void tn_secret_clear(struct tn_secret_source *s)
{
    free(s->file);
    free(s->credential);
    s->file = s->credential = NULL;
}

void tn_secret_free(char *text)
{
    sodium_free(text); /* wipes */
}

static int open_folder(const char *path, int *ret_fd, char why[TN_SECRET_WHY])
{
    struct tenuo_error err;
    int r = tn_trust_open(path, TN_TRUST_DIR, TENUO_E_KEY_DENIED, ret_fd, &err);
    if (r == TENUO_OK)
        return r;
    snprintf(why, TN_SECRET_WHY, "%s", err.msg);
    return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

/* The folder, opened, and the name within it. *ret_fd stays -1 for a path that needs no walk. */
static int locate(const struct tn_secret_source *s, char *path, int *ret_fd, const char **ret_name,
                  char why[TN_SECRET_WHY])
{
    if (s->credential != NULL) {
        const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
        *ret_name = s->credential;
        if (folder != NULL)
            return open_folder(folder, ret_fd, why);
        snprintf(why, TN_SECRET_WHY,
                 "credential %.100s: CREDENTIALS_DIRECTORY is not set: the service manager passed no credential",
                 s->credential);
        return TENUO_E_UNAVAILABLE;
    }
    char *slash = strrchr(path, '/');
    *ret_name = slash + 1;
    if (slash == path)
        return open_folder("/", ret_fd, why);
    *slash = '\0';
    return open_folder(path, ret_fd, why);
}

static int judge(const struct tn_secret_source *s, enum tn_keyfile_result result, const char *phrase,
                 char why[TN_SECRET_WHY])
{
    if (result == TN_KEYFILE_OK)
        return TENUO_OK;
    snprintf(why, TN_SECRET_WHY, "%s%.140s: %s", s->file != NULL ? "" : "credential ",
             s->file != NULL ? s->file : s->credential, phrase);
    return result == TN_KEYFILE_MISSING || result == TN_KEYFILE_SYSTEM ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
}

static int read_private(const struct tn_secret_source *s, char *buf, size_t *ret_len, char why[TN_SECRET_WHY])
{
    /* What shows its ACL mask as group read is the service manager's, and nobody else's. */
    const unsigned flags = s->credential != NULL ? TN_KEYFILE_CREDENTIAL : 0;
    char *path = strdup(s->file != NULL ? s->file : "");
    const char *name = NULL;
    char phrase[160];
    int fd = -1, r = path == NULL ? TENUO_E_NOMEM : locate(s, path, &fd, &name, why);
    if (r == TENUO_OK)
        r = judge(s, tn_keyfile_read(fd, name, flags, (uint8_t *)buf, ret_len, phrase), phrase, why);
    if (fd >= 0)
        close(fd);
    free(path);
    return r;
}

static int read_shared(const struct tn_secret_source *s, char *buf, size_t *ret_len, char why[TN_SECRET_WHY])
{
    char phrase[160] = "no such file", *real = realpath(s->file, NULL);
    enum tn_keyfile_result k = TN_KEYFILE_MISSING;
    if (real != NULL)
        k = tn_keyfile_read(AT_FDCWD, real, TN_KEYFILE_PUBLIC, (uint8_t *)buf, ret_len, phrase);
    free(real);
    return judge(s, k, phrase, why);
}

int tn_secret_read(const struct tn_secret_source *s, char **ret_text, size_t *ret_len, char why[TN_SECRET_WHY])
{
    char *buf = sodium_malloc(TN_KEYFILE_MAX + 1);
    size_t n = 0;
    int r;
    if (buf == NULL) {
        snprintf(why, TN_SECRET_WHY, "out of memory");
        return TENUO_E_NOMEM;
    }
    r = s->shared && s->file != NULL ? read_shared(s, buf, &n, why) : read_private(s, buf, &n, why);
    if (r != TENUO_OK) {
        sodium_free(buf);
        return r;
    }
    buf[n] = '\0';
    *ret_text = buf;
    *ret_len = n;
    return TENUO_OK;
}

static bool is_word(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] > 0x7e)
            return false;
    return n != 0;
}

int tn_secret_read_word(const struct tn_secret_source *s, char **ret_text, size_t *ret_len, char why[TN_SECRET_WHY])
{
    char *text = NULL;
    size_t n = 0;
    int r = tn_secret_read(s, &text, &n, why);
    if (r != TENUO_OK)
        return r;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        text[--n] = '\0';
    if (!is_word(text, n)) {
        sodium_free(text);
        return judge(s, TN_KEYFILE_INVALID, "holds no token: one line of printable characters without blanks", why);
    }
    *ret_text = text;
    *ret_len = n;
    return TENUO_OK;
}
