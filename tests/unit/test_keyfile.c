/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: which are read, which are refused and with what words, and that a write is whole or did not happen. */
#include <signal.h>
#include <sys/resource.h>

#include "../../common/keyfile.h"
#include "stage.h"
#include "tap.h"

#define TEXT "seed bytes"

static uint8_t buf[TN_KEYFILE_MAX];
static char why[160];

static enum tn_keyfile_result read_it(const char *name, unsigned flags, size_t *ret_len)
{
    why[0] = '\0';
    memset(buf, 0, sizeof buf);
    return tn_keyfile_read(AT_FDCWD, stage_path(name), flags, buf, ret_len, why);
}

static void result_is(const char *name, unsigned flags, enum tn_keyfile_result want, const char *phrase)
{
    size_t len = 77;
    is_int(read_it(name, flags, &len), want, "%s", name);
    if (want == TN_KEYFILE_OK)
        return;
    ok(strstr(why, phrase) != NULL, "and why: %s", why);
    is_int((long long)len, 77, "length untouched");
}

/* Every mode there is: a secret is its owner's alone; a credential of root may show a group read bit; a public key may
 * be read. */
static void modes(void)
{
    unsigned wrong = 0;
    stage_write("m", TEXT, sizeof TEXT - 1, 0600);
    for (unsigned mode = 0400; mode <= 0777; mode++) {
        size_t len;
        if ((mode & 0400) == 0 || chmod(stage_path("m"), mode) != 0)
            continue;
        bool root = geteuid() == 0;
        wrong += (read_it("m", 0, &len) == TN_KEYFILE_OK) != ((mode & 0077) == 0);
        wrong += (read_it("m", TN_KEYFILE_CREDENTIAL, &len) == TN_KEYFILE_OK) != ((mode & (root ? 0037 : 0077)) == 0);
        wrong += (read_it("m", TN_KEYFILE_PUBLIC, &len) == TN_KEYFILE_OK) != ((mode & 0022) == 0);
    }
    is_int(wrong, 0, "256 modes, three kinds");
    chmod(stage_path("m"), 0644);
    result_is("m", 0, TN_KEYFILE_DENIED, "mode 0644 gives others access: chmod 600 it");
    chmod(stage_path("m"), 0666);
    result_is("m", TN_KEYFILE_PUBLIC, TN_KEYFILE_DENIED, "chmod go-w it");
}

static void sizes(void)
{
    static uint8_t big[TN_KEYFILE_MAX + 1];
    size_t len = 1;
    stage_write("empty", "", 0, 0600);
    is_int(read_it("empty", 0, &len), TN_KEYFILE_OK, "an empty file");
    is_int((long long)len, 0, "has no bytes");
    memset(big, 'x', sizeof big);
    stage_write("full", big, TN_KEYFILE_MAX, 0600);
    is_int(read_it("full", 0, &len), TN_KEYFILE_OK, "the largest file");
    is_int((long long)len, TN_KEYFILE_MAX, "has all its bytes");
    ok(memcmp(buf, big, TN_KEYFILE_MAX) == 0, "and these");
    stage_write("over", big, sizeof big, 0600);
    result_is("over", 0, TN_KEYFILE_INVALID, "larger than 4096 bytes");
}

static void kinds(void)
{
    stage_write("plain", TEXT, sizeof TEXT - 1, 0600);
    result_is("plain", 0, TN_KEYFILE_OK, "");
    ok(memcmp(buf, TEXT, sizeof TEXT - 1) == 0, "its bytes");
    result_is("none", 0, TN_KEYFILE_MISSING, "no such file");
    ok(symlink(stage_path("plain"), stage_path("link")) == 0, "a link to a good file");
    result_is("link", 0, TN_KEYFILE_DENIED, "symbolic link");
    ok(symlink(stage_path("nowhere"), stage_path("dangling")) == 0, "a link to nothing");
    result_is("dangling", 0, TN_KEYFILE_DENIED, "symbolic link");
    ok(mkfifo(stage_path("fifo"), 0600) == 0, "a pipe that nobody writes");
    result_is("fifo", 0, TN_KEYFILE_INVALID, "not a regular file");
    stage_mkdir("dir", 0700);
    result_is("dir", 0, TN_KEYFILE_INVALID, "not a regular file");
    result_is("plain/x", 0, TN_KEYFILE_SYSTEM, "cannot be opened");
    if (geteuid() != 0) {
        skip_test("a foreign file", "needs root");
        return;
    }
    stage_write("foreign", TEXT, sizeof TEXT - 1, 0600);
    ok(chown(stage_path("foreign"), 12345, 12345) == 0, "a file of another user");
    result_is("foreign", 0, TN_KEYFILE_DENIED, "owned by uid 12345, and must belong to root");
    result_is("foreign", TN_KEYFILE_CREDENTIAL, TN_KEYFILE_DENIED, "owned by uid 12345");
    result_is("foreign", TN_KEYFILE_PUBLIC, TN_KEYFILE_DENIED, "owned by uid 12345");
}

static unsigned entries(const char *name)
{
    unsigned n = 0;
    char command[1200];
    snprintf(command, sizeof command, "ls -A %s | wc -l", stage_path(name));
    FILE *p = popen(command, "r");
    if (p == NULL || fscanf(p, "%u", &n) != 1)
        n = 999;
    if (p != NULL)
        pclose(p);
    return n;
}

static void writes(void)
{
    struct stat st;
    size_t len = 0;
    int dir = open(stage_mkdir("w", 0700), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    umask(0277);
    is_int(tn_keyfile_write(dir, "k", "one", 3, 0600, false, why), TN_KEYFILE_OK, "a new file");
    umask(022);
    ok(fstatat(dir, "k", &st, 0) == 0 && (st.st_mode & 07777) == 0600, "with its mode, whatever the umask");
    is_int(tn_keyfile_write(dir, "k", "two", 3, 0600, false, why), TN_KEYFILE_DENIED, "an existing one is left alone");
    ok(strstr(why, "exists already") != NULL, "and why: %s", why);
    is_int(read_it("w/k", 0, &len), TN_KEYFILE_OK, "it is still there");
    ok(len == 3 && memcmp(buf, "one", 3) == 0, "as it was");
    is_int(tn_keyfile_write(dir, "k", "three", 5, 0644, true, why), TN_KEYFILE_OK, "replaced when asked to");
    is_int(read_it("w/k", TN_KEYFILE_PUBLIC, &len), TN_KEYFILE_OK, "the new one");
    ok(len == 5 && memcmp(buf, "three", 5) == 0, "is whole");
    ok(symlinkat("/nonexistent/target", dir, "l") == 0, "a link where the file should go");
    is_int(tn_keyfile_write(dir, "l", "x", 1, 0600, false, why), TN_KEYFILE_DENIED, "is not written through");
    is_int(entries("w"), 2, "nothing unfinished stays");
    close(dir);
}

/* A file size limit stands for the full disk. */
static void full_disk(void)
{
    struct rlimit old, none;
    int dir = open(stage_mkdir("full-disk", 0700), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok(tn_keyfile_write(dir, "k", "old", 3, 0600, false, why) == TN_KEYFILE_OK, "a file before");
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    none = (struct rlimit){ 2, old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &none);
    enum tn_keyfile_result replaced = tn_keyfile_write(dir, "k", "newer", 5, 0600, true, why);
    setrlimit(RLIMIT_FSIZE, &old);
    is_int(replaced, TN_KEYFILE_SYSTEM, "no room: %s", why);
    size_t len = 0;
    ok(read_it("full-disk/k", 0, &len) == TN_KEYFILE_OK && len == 3 && memcmp(buf, "old", 3) == 0,
       "the old file is whole");
    is_int(entries("full-disk"), 1, "nothing unfinished stays");
    close(dir);
}

int main(void)
{
    stage_begin();
    modes();
    sizes();
    kinds();
    writes();
    full_disk();
    stage_end();
    return done_testing();
}
