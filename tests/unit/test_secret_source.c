/* SPDX-License-Identifier: Apache-2.0 */
/* common/secret_source.c: files and credentials of secrets, who may read them, and what is a word. */
#include "../../common/secret_source.h"

#include <sodium.h>

#include "stage.h"
#include "tap.h"

static char said[TN_SECRET_WHY];

static int read_of(const char *file, const char *credential, bool shared, bool word, const char *want)
{
    struct tn_secret_source s = { 0 };
    char *text = NULL;
    size_t n = 99;
    said[0] = '\0';
    int r = tn_secret_set(&s, "token", file, credential, said);
    s.shared = shared;
    if (r == TENUO_OK)
        r = word ? tn_secret_read_word(&s, &text, &n, said) : tn_secret_read(&s, &text, &n, said);
    if (r == TENUO_OK)
        ok(n == strlen(want) && strcmp(text, want) == 0, "what is read is what is there");
    else
        ok(text == NULL && n == 99 && said[0] != '\0' && strstr(said, "s3cret") == NULL, "says why, and not what: %s",
           said);
    tn_secret_free(text);
    tn_secret_clear(&s);
    return r;
}

static void check_files(void)
{
    const char *good = stage_write("token", "s3cret\n", 7, 0600), *open = stage_write("open", "s3cret", 6, 0644);
    const char *two = stage_write("two", "s3cret two", 10, 0600), *empty = stage_write("empty", "\n", 1, 0600);
    const char *dir = stage_mkdir("group", 0777), *missing = stage_path("missing"), *link = stage_path("link");
    char within[256];
    snprintf(within, sizeof within, "%s/token", dir);
    is_int(read_of(good, NULL, false, false, "s3cret\n"), TENUO_OK, "all of a file");
    is_int(read_of(good, NULL, false, true, "s3cret"), TENUO_OK, "its word");
    is_int(read_of(open, NULL, false, true, ""), TENUO_E_KEY_DENIED, "others may read it");
    is_int(read_of(two, NULL, false, true, ""), TENUO_E_KEY_DENIED, "two words");
    is_int(read_of(empty, NULL, false, true, ""), TENUO_E_KEY_DENIED, "no word");
    is_int(read_of(missing, NULL, false, true, ""), TENUO_E_UNAVAILABLE, "not there yet");
    is_int(read_of(within, NULL, false, true, ""), TENUO_E_KEY_DENIED, "in a folder that anybody writes to");
    if (symlink(good, link) != 0)
        stage_die(link);
    is_int(read_of(link, NULL, false, true, ""), TENUO_E_KEY_DENIED, "a link");
    is_int(read_of(link, NULL, true, true, "s3cret"), TENUO_OK, "a link of an orchestrator");
    is_int(read_of(open, NULL, true, true, "s3cret"), TENUO_OK, "a shared one others may read");
    is_int(read_of(stage_write("loose", "s3cret", 6, 0666), NULL, true, true, ""), TENUO_E_KEY_DENIED, "but not write");
}

static void check_credentials(void)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    is_int(read_of(NULL, "token", false, true, ""), TENUO_E_UNAVAILABLE, "no service manager");
    setenv("CREDENTIALS_DIRECTORY", stage_root, 1);
    is_int(read_of(NULL, "token", false, true, "s3cret"), TENUO_OK, "a credential");
    is_int(read_of(NULL, "nix", false, true, ""), TENUO_E_UNAVAILABLE, "one that is not there");
    is_int(read_of(NULL, "../token", false, true, ""), TENUO_E_CONF, "a path");
    is_int(read_of(NULL, "..", false, true, ""), TENUO_E_CONF, "a folder");
    is_int(read_of("/x", "token", false, true, ""), TENUO_E_CONF, "both");
    is_int(read_of("x", NULL, false, true, ""), TENUO_E_CONF, "a relative path");
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    stage_begin();
    check_files();
    check_credentials();
    stage_end();
    return done_testing();
}
