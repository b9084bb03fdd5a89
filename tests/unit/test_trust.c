/* SPDX-License-Identifier: Apache-2.0 */
/* The trust walk: every way in which somebody else could have changed a file is refused, and the sentence says where
 * and what to do. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../core/trust.h"
#include "stage.h"
#include "tap.h"

static struct tenuo_error err;

static int open_file(const char *path)
{
    int fd = -1;
    err.msg[0] = '\0';
    int r = tn_trust_open(path, TN_TRUST_FILE, TENUO_E_PLUGIN_UNTRUSTED, &fd, &err);
    if (r == TENUO_OK && close(fd) != 0)
        return -1;
    return r;
}

static int open_dir(const char *path)
{
    int fd = -1;
    int r = tn_trust_open(path, TN_TRUST_DIR, TENUO_E_CONF, &fd, &err);
    if (r == TENUO_OK && close(fd) != 0)
        return -1;
    return r;
}

static void says(const char *part, const char *what)
{
    if (!ok(strstr(err.msg, part) != NULL, "%s: the sentence has '%s'", what, part))
        printf("#   sentence: %s\n", err.msg);
}

static void modes(void)
{
    const char *good = stage_text("good", "x");
    is_int(open_file(good), TENUO_OK, "our own file");
    chmod(good, 0664);
    is_int(open_file(good), TENUO_E_PLUGIN_UNTRUSTED, "a group-writable file");
    says("mode 0664, writable by its group: chmod g-w it", "group");
    says(good, "group");
    chmod(good, 0646);
    is_int(open_file(good), TENUO_E_PLUGIN_UNTRUSTED, "a world-writable file");
    says("writable by everybody: chmod go-w it", "world");
    chmod(good, 01646);
    is_int(open_file(good), TENUO_E_PLUGIN_UNTRUSTED, "the sticky bit does not help a file");
    chmod(good, 0644);
}

static void directories(void)
{
    const char *sub = stage_mkdir("sub", 0755), *file = stage_text("sub/file", "x");
    is_int(open_file(file), TENUO_OK, "in a directory of ours");
    is_int(open_dir(sub), TENUO_OK, "that directory itself");
    chmod(sub, 0775);
    is_int(open_file(file), TENUO_E_PLUGIN_UNTRUSTED, "in a group-writable directory");
    says(sub, "the directory is named");
    chmod(sub, 01777);
    is_int(open_file(file), TENUO_OK, "in a sticky directory: nobody else can replace what is ours");
    is_int(open_dir(sub), TENUO_E_CONF, "a sticky directory as the end of the walk");
    chmod(sub, 0755);
    is_int(open_file(sub), TENUO_E_PLUGIN_UNTRUSTED, "a directory where a file must be");
    says("not a regular file", "directory");
    is_int(open_dir(file), TENUO_E_CONF, "a file where a directory must be");
    is_int(open_dir("/"), TENUO_OK, "the root directory");
}

static void links(void)
{
    const char *file = stage_text("real", "x"), *link = stage_path("link"), *dirlink = stage_path("dirlink");
    stage_mkdir("realdir", 0755);
    stage_text("realdir/file", "x");
    if (symlink(file, link) != 0 || symlink(stage_path("realdir"), dirlink) != 0)
        stage_die("symlink");
    is_int(open_file(link), TENUO_E_PLUGIN_UNTRUSTED, "a link to a good file");
    says("a symbolic link", "link");
    says("readlink -f", "link");
    is_int(open_file(stage_path("dirlink/file")), TENUO_E_PLUGIN_UNTRUSTED, "through a link to a good directory");
    says(dirlink, "the link is named");
    mkfifo(stage_path("fifo"), 0600);
    is_int(open_file(stage_path("fifo")), TENUO_E_PLUGIN_UNTRUSTED, "a FIFO does not block, it is refused");
    is_int(open_file("/dev/null"), TENUO_E_PLUGIN_UNTRUSTED, "a device");
}

static void names(void)
{
    char path[512];
    const char *bad[] = { "relative", "", "./x" };
    stage_text("name", "x");
    for (size_t i = 0; i < 3; i++) {
        is_int(open_file(bad[i]), TENUO_E_PLUGIN_UNTRUSTED, "not absolute: '%s'", bad[i]);
        says("not an absolute path", bad[i]);
    }
    const char *tails[] = { "/./name", "/../name", "//name", "/." };
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", stage_root, tails[i]);
        ok(open_file(path) == TENUO_E_PLUGIN_UNTRUSTED, "refused component: ...%s", tails[i]);
        says("no empty, '.' or '..' component", tails[i]);
    }
    is_int(open_file(stage_path("absent")), TENUO_E_SYSTEM, "a missing file is told apart");
    says("no such file", "missing");
    is_int(open_file(stage_path("absent/file")), TENUO_E_SYSTEM, "so is a missing directory");
    snprintf(path, sizeof path, "%s/a\nb", stage_root);
    is_int(open_file(path), TENUO_E_SYSTEM, "a name with a newline");
    ok(strchr(err.msg, '\n') == NULL, "the sentence stays one line");
}

static void owners(void)
{
    if (geteuid() != 0) {
        skip_test("foreign owners", "needs root");
        is_int(open_file("/etc/passwd"), TENUO_OK, "root's file is good for everybody");
        return;
    }
    const char *file = stage_text("foreign", "x"), *dir = stage_mkdir("foreigndir", 0755),
               *in = stage_text("foreigndir/file", "x");
    if (chown(file, 12345, 0) != 0 || chown(dir, 65534, 0) != 0)
        stage_die("chown");
    is_int(open_file(file), TENUO_E_PLUGIN_UNTRUSTED, "a file of somebody else");
    says("owned by uid 12345, mode 0644, and must belong to root: chown root it, or run this as its owner", "owner");
    is_int(open_file(in), TENUO_E_PLUGIN_UNTRUSTED, "root's file in somebody else's directory");
    says("user namespace does not map", "65534");
    chmod(stage_root, 0777 | S_ISVTX);
    is_int(open_file(file), TENUO_E_PLUGIN_UNTRUSTED, "a sticky directory does not make a stranger's file good");
    chmod(stage_root, 0755);
    if (chown(file, 12345, 0) != 0 || seteuid(12345) != 0)
        stage_die("seteuid");
    is_int(open_file(file), TENUO_OK, "our own file while we are not root");
    is_int(open_file(in), TENUO_E_PLUGIN_UNTRUSTED, "but not through a third party's directory");
    if (seteuid(0) != 0)
        stage_die("seteuid");
    chmod(stage_root, 0700);
}

static void reading(void)
{
    uint8_t *data = NULL;
    size_t len = 77;
    const char *path = stage_write("data", "a\0b", 3, 0600);
    is_int(tn_trust_read(path, 3, TENUO_E_CONF, &data, &len, &err), TENUO_OK, "a file of exactly the limit");
    ok(data != NULL && len == 3 && memcmp(data, "a\0b", 4) == 0, "all bytes, and a NUL behind them");
    free(data);
    data = NULL;
    len = 77;
    is_int(tn_trust_read(path, 2, TENUO_E_CONF, &data, &len, &err), TENUO_E_CONF, "one byte too many");
    says("larger than 2 bytes", "limit");
    ok(data == NULL && len == 77, "outputs untouched on failure");
    is_int(tn_trust_read(stage_text("none", ""), 2, TENUO_E_CONF, &data, &len, NULL), TENUO_OK, "an empty file");
    ok(data != NULL && len == 0 && data[0] == '\0', "no bytes and a NUL");
    free(data);
}

int main(void)
{
    stage_begin();
    modes();
    directories();
    links();
    names();
    owners();
    reading();
    stage_end();
    return done_testing();
}
