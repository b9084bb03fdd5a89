/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected-output tests of configurations: CASES/NAME.conf is checked (plugins loaded), and every line that comes must
 * be that of NAME.err; NAME.out is what `conf show` must print. The file is copied to a fresh directory, which its text
 * calls DIR, with NAME.conf.d beside it and the mocks in DIR/plugins. A first line "# service NAME" names the service.
 *
 * usage: test_conf_files MOCKS CASES; with TENUO_TEST_UPDATE set the expected files are written anew.
 */
#include <dirent.h>
#include <errno.h>
#include <tenuo/context.h>

#include "../../core/builtin.h"
#include "../../core/plugin_load.h"
#include "stage.h"
#include "tap.h"

static const char *mocks, *cases;

const struct tenuo_plugin_v1 *tn_builtin_find(enum tn_facility facility, const char *name)
{
    return facility == TN_F_REVOCATION && strcmp(name, "file") == 0 ? &tn_builtin_revocation_file : NULL;
}

struct text {
    char *p;
    size_t n;
};

static void add(struct text *t, const char *s, size_t n)
{
    t->p = realloc(t->p, t->n + n + 1);
    if (t->p == NULL)
        stage_die("realloc");
    memcpy(t->p + t->n, s, n);
    t->n += n;
    t->p[t->n] = '\0';
}

/* Appends text with every `from` made `to`. */
static void add_replaced(struct text *t, const char *s, size_t n, const char *from, const char *to)
{
    size_t len = strlen(from);
    while (n != 0) {
        if (n >= len && memcmp(s, from, len) == 0) {
            add(t, to, strlen(to));
            s += len;
            n -= len;
        } else {
            add(t, s++, 1);
            n--;
        }
    }
}

static void add_line(void *arg, const char *line)
{
    add_replaced(arg, line, strlen(line), stage_root, "DIR");
    add(arg, "\n", 1);
}

static void add_diag(void *arg, int is_error, const char *line)
{
    if (!is_error)
        add(arg, "warning: ", 9);
    add_line(arg, line);
}

/* A case file into the stage, DIR made the stage's path. */
static void stage_case_file(const char *from, const char *name)
{
    struct text t = { NULL, 0 };
    size_t len;
    char *bytes = stage_read(from, &len);
    if (bytes == NULL)
        stage_die(from);
    add_replaced(&t, bytes, len, "DIR", stage_root);
    stage_write(name, t.p != NULL ? t.p : "", t.n, 0644);
    free(t.p);
    free(bytes);
}

static int is_case_file(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && strcmp(e->d_name + n - 5, ".conf") == 0;
}

static void stage_drop_ins(const char *name)
{
    struct dirent **list;
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/%s.conf.d", cases, name);
    int n = scandir(from, &list, is_case_file, alphasort);
    if (n < 0)
        return;
    snprintf(to, sizeof to, "%s.conf.d", name);
    stage_mkdir(to, 0755);
    for (int i = 0; i < n; i++) {
        char file[1024];
        snprintf(file, sizeof file, "%s/%s", from, list[i]->d_name);
        snprintf(to, sizeof to, "%s.conf.d/%s", name, list[i]->d_name);
        stage_case_file(file, to);
        free(list[i]);
    }
    free(list);
}

static void read_service(const char *path, char service[65])
{
    size_t len;
    char *bytes = stage_read(path, &len);
    service[0] = '\0';
    if (bytes != NULL && sscanf(bytes, "# service %64s", service) != 1)
        service[0] = '\0';
    free(bytes);
}

static void compare(const char *name, const char *suffix, const struct text *got)
{
    char path[512];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s.%s", cases, name, suffix);
    if (getenv("TENUO_TEST_UPDATE") != NULL) {
        FILE *f = fopen(path, "we");
        if (f == NULL || fwrite(got->p != NULL ? got->p : "", 1, got->n, f) != got->n || fclose(f) != 0)
            stage_die(path);
    }
    char *want = stage_read(path, &len);
    is_str(got->p != NULL ? got->p : "", want, "%s.%s", name, suffix);
    free(want);
}

static bool expects(const char *name, const char *suffix)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s", cases, name, suffix);
    return access(path, F_OK) == 0;
}

static void check_show(const char *name, const char *service, const struct tenuo_open_options *o)
{
    struct text out = { NULL, 0 };
    is_int(tenuo_conf_show(service, o, add_line, &out, NULL), TENUO_OK, "%s: shown", name);
    compare(name, "out", &out);
    free(out.p);
}

static void check_findings(const char *name, const char *service, const struct tenuo_open_options *options)
{
    struct text err = { NULL, 0 };
    struct tenuo_open_options o = *options;
    bool wrong = false;
    o.diag = add_diag;
    o.diag_arg = &err;
    int r = tenuo_conf_check(service, &o, 1, NULL);
    for (const char *line = err.p; line != NULL && *line != '\0' && !wrong; line = strchr(line, '\n') + 1)
        wrong = strncmp(line, "warning: ", 9) != 0;
    is_int(r, wrong ? TENUO_E_CONF : TENUO_OK, "%s: code", name);
    compare(name, "err", &err);
    free(err.p);
}

static void run_case(const char *name)
{
    char path[512], file[128], service[65];
    struct tenuo_open_options o = { .size = sizeof o };
    snprintf(path, sizeof path, "%s/%s.conf", cases, name);
    snprintf(file, sizeof file, "%s.conf", name);
    stage_case_file(path, file);
    stage_drop_ins(name);
    read_service(path, service);
    char *conf = strdup(stage_path(file)), *plugins = strdup(stage_path("plugins"));
    o.conf = conf;
    o.plugin_dir = plugins;
    bool show = expects(name, "out");
    if (show)
        check_show(name, service, &o);
    if (!show || expects(name, "err"))
        check_findings(name, service, &o);
    free(conf);
    free(plugins);
}

static void stage_mocks(void)
{
    struct dirent **list;
    int n = scandir(mocks, &list, NULL, alphasort);
    stage_mkdir("plugins", 0755);
    for (int i = 0; i < n; i++) {
        char from[1024], to[512], name[256];
        if (sscanf(list[i]->d_name, "mock_%200[a-z_].so", name) == 1 && strstr(list[i]->d_name, ".so") != NULL &&
            strlen(list[i]->d_name) == strlen(name) + 8) {
            snprintf(from, sizeof from, "%s/%s", mocks, list[i]->d_name);
            snprintf(to, sizeof to, "plugins/tenuo_%s.so", name);
            stage_copy(from, to, 0755);
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

int main(int argc, char **argv)
{
    struct dirent **list;
    if (argc != 3)
        return fprintf(stderr, "usage: %s MOCKS CASES\n", argv[0]), 2;
    mocks = argv[1];
    cases = argv[2];
    stage_begin();
    stage_mocks();
    int n = scandir(cases, &list, is_case_file, alphasort);
    for (int i = 0; i < n; i++) {
        list[i]->d_name[strlen(list[i]->d_name) - 5] = '\0';
        run_case(list[i]->d_name);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    stage_end();
    return done_testing();
}
