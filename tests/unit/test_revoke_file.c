/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in revocation `file`: bytes as they are, changes seen and nothing read twice, owners and modes judged. */
#include "../../core/builtin.h"
#include "mock_host.h"
#include "stage.h"
#include "tap.h"

#include <sys/time.h>

static const struct tenuo_revocation_ops *ops;

static void *opened(const char *path)
{
    struct tenuo_arg args[] = { { "path", path, 0 } };
    void *self = NULL;
    if (ops->open(&mock_host, args, 1, &self) != TENUO_OK)
        exit(1);
    return self;
}

/* "" for unchanged, NULL for an error. */
static char *fetch(void *self, int unchanged_ok, int *ret_code)
{
    const uint8_t *list = NULL;
    size_t len = 0;
    int64_t at = 0;
    mock_said[0] = '\0';
    *ret_code = ops->fetch(self, unchanged_ok, &list, &len, &at);
    if (*ret_code != TENUO_OK)
        return NULL;
    ok(at >= mock_now() - 5 && at <= mock_now(), "fetched now");
    char *text = calloc(1, len + 1);
    if (list != NULL) {
        memcpy(text, list, len);
        ops->release(self, list, len);
    }
    return text;
}

static void fetch_is(void *self, int unchanged_ok, const char *want, const char *what)
{
    int code;
    char *text = fetch(self, unchanged_ok, &code);
    is_str(text, want, "%s (%d %s)", what, code, mock_said);
    free(text);
}

static void fails(void *self, int code, const char *sentence, const char *what)
{
    int got;
    free(fetch(self, 1, &got));
    is_int(got, code, "%s: %s", what, mock_said);
    ok(strstr(mock_said, sentence) != NULL, "%s: says '%s'", what, sentence);
    ok(strstr(mock_said, stage_root) != NULL, "%s: and where", what);
}

/* The change time cannot be set; a file that lies still for two seconds is known. */
static void check_change(void)
{
    const char *path = stage_text("list", "one");
    void *self = opened(path);
    fetch_is(self, 1, "one", "the first time");
    fetch_is(self, 1, "one", "a file that changed just now is read again");
    usleep(2100000);
    fetch_is(self, 1, "one", "once more");
    fetch_is(self, 1, "", "then it is unchanged");
    fetch_is(self, 0, "one", "whole when the host wants it");
    stage_text("list", "two");
    fetch_is(self, 1, "two", "same size, other bytes");
    stage_text("next", "three");
    ok(rename(stage_path("next"), path) == 0, "a new file under the old name");
    fetch_is(self, 1, "three", "is seen");
    ops->close(self);
}

static void check_faults(void)
{
    const char *path = stage_text("list", "one");
    void *self = opened(path);
    fetch_is(self, 1, "one", "there");
    chmod(path, 0666);
    fails(self, TENUO_E_CONF, "chmod", "writable by everybody");
    chmod(path, 0644);
    fetch_is(self, 1, "one", "mended");
    unlink(path);
    fails(self, TENUO_E_UNAVAILABLE, "no such file", "gone");
    ok(symlink("/dev/null", path) == 0, "a link");
    fails(self, TENUO_E_CONF, "symbolic link", "a link");
    unlink(path);
    stage_mkdir("list", 0755);
    fails(self, TENUO_E_CONF, "not a regular file", "a directory");
    rmdir(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ok(fd >= 0 && ftruncate(fd, TENUO_REVOCATION_LIST_MAX + 1) == 0, "too large");
    close(fd);
    fails(self, TENUO_E_SRL_INVALID, "larger", "too large");
    stage_text("list", "");
    fetch_is(self, 1, "", "an empty file is handed over as it is");
    ops->close(self);
}

int main(void)
{
    ops = tn_builtin_revocation_file.revocation;
    stage_begin();
    check_change();
    check_faults();
    stage_end();
    return done_testing();
}
