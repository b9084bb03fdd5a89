/* SPDX-License-Identifier: Apache-2.0 */
/* A fresh 0700 directory for one test program: a checkout may be group-writable or foreign-owned, and the trust walk
 * would refuse it. */
#ifndef TN_STAGE_H
#define TN_STAGE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char stage_root[64];

static inline void stage_die(const char *what)
{
    perror(what);
    printf("Bail out! cannot prepare the test directory\n");
    exit(1);
}

static inline void stage_begin(void)
{
    snprintf(stage_root, sizeof stage_root, "/tmp/tenuo-test-XXXXXX");
    umask(022);
    if (mkdtemp(stage_root) == NULL)
        stage_die(stage_root);
}

/* ROOT/NAME in one of a few static buffers. */
static inline const char *stage_path(const char *name)
{
    static char buf[8][1024];
    static unsigned next;
    char *p = buf[next++ % 8];
    snprintf(p, sizeof buf[0], "%s/%s", stage_root, name);
    return p;
}

static inline const char *stage_write(const char *name, const void *bytes, size_t len, mode_t mode)
{
    const char *path = stage_path(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || fchmod(fd, mode) != 0)
        stage_die(path);
    close(fd);
    return path;
}

static inline const char *stage_text(const char *name, const char *text)
{
    return stage_write(name, text, strlen(text), 0644);
}

static inline const char *stage_mkdir(const char *name, mode_t mode)
{
    const char *path = stage_path(name);
    if (mkdir(path, 0700) != 0 || chmod(path, mode) != 0)
        stage_die(path);
    return path;
}

/* Whole file, malloc'ed, NUL behind it; NULL when there is none. */
static inline char *stage_read(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rbe");
    size_t cap = 16u << 20;
    char *bytes = f != NULL ? malloc(cap + 1) : NULL;
    if (bytes == NULL)
        return NULL;
    *ret_len = fread(bytes, 1, cap, f);
    bytes[*ret_len] = '\0';
    fclose(f);
    return bytes;
}

static inline const char *stage_copy(const char *from, const char *name, mode_t mode)
{
    size_t len;
    char *bytes = stage_read(from, &len);
    if (bytes == NULL)
        stage_die(from);
    const char *path = stage_write(name, bytes, len, mode);
    free(bytes);
    return path;
}

static inline int stage_remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static inline void stage_end(void)
{
    nftw(stage_root, stage_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
