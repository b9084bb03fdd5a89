/* SPDX-License-Identifier: Apache-2.0 */
/* Files, includes, drop-ins, services and bounds of a configuration, and the small readers beside it. Messages:
 * tests/conf. */
#include "../../core/conf.h"

#include "../../core/limits.h"
#include "../../core/plugin_load.h"
#include "stage.h"
#include "tap.h"

static struct tenuo_error err;
static struct tn_diag diag;

const struct tenuo_plugin_v1 *tn_builtin_find(enum tn_facility facility, const char *name)
{
    (void)facility, (void)name;
    return NULL;
}

static int load(const char *path, const char *service, struct tn_conf **ret)
{
    struct tn_conf *conf = NULL;
    diag = (struct tn_diag){ 0 };
    err.msg[0] = '\0';
    int r = tn_conf_load(&(struct tn_conf_source){ .path = path }, service, &diag, &conf, &err);
    if (ret != NULL)
        *ret = conf;
    else
        tn_conf_free(conf);
    return r;
}

static void says(const char *part, const char *what)
{
    if (!ok(strstr(err.msg, part) != NULL, "%s: the sentence has '%s'", what, part))
        printf("#   sentence: %s\n", err.msg);
}

/* Writes `count` lines to a file of the stage, the number of each between two texts. */
static const char *many(const char *name, const char *before, const char *after, unsigned count)
{
    char *text = malloc((size_t)count * 64 + 1);
    size_t n = 0;
    if (text == NULL)
        stage_die("malloc");
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, 64, "%s%u%s\n", before, i, after);
    const char *path = stage_text(name, text);
    free(text);
    return path;
}

static void missing_and_untrusted(void)
{
    is_int(load(stage_path("absent.conf"), "", NULL), TENUO_E_CONF, "no main file");
    says(stage_path("absent.conf"), "no main file");
    says("create it (see tenuo.conf(5)), or name another with TENUO_CONF", "no main file");
    is_int(load("tenuo.conf", "", NULL), TENUO_E_CONF, "a relative main file");
    says("not an absolute path", "relative");
    const char *path = stage_write("loose.conf", "", 0, 0666);
    is_int(load(path, "", NULL), TENUO_E_CONF, "a main file that everybody may write");
    says("writable by everybody", "loose");
    path = stage_text("main.conf", "trust required file\n");
    stage_mkdir("main.conf.d", 0777);
    is_int(load(path, "", NULL), TENUO_E_CONF, "a drop-in directory that everybody may write");
    chmod(stage_path("main.conf.d"), 0755);
    is_int(load(path, "", NULL), TENUO_OK, "the same, closed");
    stage_write("main.conf.d/10.conf", "", 0, 0664);
    is_int(load(path, "", NULL), TENUO_E_CONF, "a drop-in that the group may write");
    chmod(stage_path("main.conf.d/10.conf"), 0644);
    is_int(load(path, "", NULL), TENUO_OK, "the same, closed");
    if (symlink(stage_path("loose.conf"), stage_path("main.conf.d/20.conf")) != 0)
        stage_die("symlink");
    is_int(load(path, "", NULL), TENUO_E_CONF, "a drop-in that is a link");
    says("main.conf.d/20.conf: a symbolic link", "link");
    is_int(load(path, "no/name", NULL), TENUO_E_INVALID_ARGUMENT, "a service name that no section can have");
    is_int((long long)diag.errors, 0, "is the caller's mistake, not the file's");
}

static void bounds(void)
{
    is_int(load(many("rules.conf", "trust required m", "", TN_MAX_RULES), "", NULL), TENUO_OK,
           "as many rules as allowed");
    is_int(load(many("rules.conf", "trust required m", "", TN_MAX_RULES + 1), "", NULL), TENUO_E_CONF, "one more");
    says("rules.conf:257:1: more than 256 rules", "rules");
    is_int(load(many("sets.conf", "set clearance tool", "=1", TN_MAX_CLEARANCE_RULES), "", NULL), TENUO_OK,
           "as many settings");
    is_int(load(many("sets.conf", "set clearance tool", "=1", TN_MAX_CLEARANCE_RULES + 1), "", NULL), TENUO_E_CONF,
           "one more");
    says("sets.conf:1025:5: more than 1024 settings", "settings");
    char *big = malloc(TN_MAX_CONF_BYTES + 1);
    if (big == NULL)
        stage_die("malloc");
    memset(big, '\n', TN_MAX_CONF_BYTES + 1);
    is_int(load(stage_write("big.conf", big, TN_MAX_CONF_BYTES, 0644), "", NULL), TENUO_OK, "a file of 64 KiB");
    is_int(load(stage_write("big.conf", big, TN_MAX_CONF_BYTES + 1, 0644), "", NULL), TENUO_E_CONF, "one byte more");
    says("larger than 65536 bytes", "big");
    free(big);
}

/* chain0 includes chain1 includes ... chainN. */
static void write_chain(unsigned depth)
{
    for (unsigned i = 0; i <= depth; i++) {
        char name[32], text[256];
        snprintf(name, sizeof name, "chain%u", i);
        if (i < depth)
            snprintf(text, sizeof text, "include %s/chain%u\ntrust required m%u\n", stage_root, i + 1, i);
        else
            snprintf(text, sizeof text, "trust required m%u\n", i);
        stage_text(name, text);
    }
}

static void includes(void)
{
    struct tn_conf *conf = NULL;
    write_chain(TN_MAX_CONF_DEPTH);
    is_int(load(stage_path("chain0"), "", &conf), TENUO_OK, "includes of depth 8");
    ok(conf != NULL && conf->nrules == 9 && strcmp(conf->rules[0].module, "m8") == 0,
       "an include stands where its line stands");
    is_int(conf != NULL ? (long long)conf->nfiles : 0, 9, "every file is known");
    tn_conf_free(conf);
    write_chain(TN_MAX_CONF_DEPTH + 1);
    is_int(load(stage_path("chain0"), "", NULL), TENUO_E_CONF, "of depth 9");
    says("chain8:1:9: includes nest deeper than 8", "depth");
    char text[256];
    snprintf(text, sizeof text, "include %s/loop2\n", stage_root);
    stage_text("loop1", text);
    snprintf(text, sizeof text, "include %s/loop1\n", stage_root);
    stage_text("loop2", text);
    is_int(load(stage_path("loop1"), "", NULL), TENUO_E_CONF, "a loop");
    says("the file includes itself", "loop");
    snprintf(text, sizeof text, "[web]\ninclude %s/part\nresolver required b\n", stage_root);
    stage_text("part", "resolver required a\n");
    is_int(load(stage_text("outer", text), "", &conf), TENUO_OK, "an include within a section");
    ok(conf != NULL && conf->nrules == 1 && strcmp(conf->rules[0].module, "a") == 0, "starts outside it");
    tn_conf_free(conf);
    is_int(load(stage_path("outer"), "web", &conf), TENUO_OK, "and the section goes on behind it");
    ok(conf != NULL && conf->nrules == 1 && strcmp(conf->rules[0].module, "b") == 0, "own rules hide the top's");
    tn_conf_free(conf);
    stage_text("part", "");
    snprintf(text, sizeof text, "include %s/part\n", stage_root);
    char *all = malloc(strlen(text) * TN_MAX_CONF_FILES + 1);
    if (all == NULL)
        stage_die("malloc");
    for (size_t i = 0; i < TN_MAX_CONF_FILES; i++)
        memcpy(all + i * strlen(text), text, strlen(text) + 1);
    is_int(load(stage_text("files", all), "", NULL), TENUO_E_CONF, "more files than allowed");
    says("more than 256 configuration files", "files");
    free(all);
}

static const char two_services[] =
    "set pop_windows 4\nset mode observe\nset clearance a=1\nset clearance b*=2\n"
    "trust required top\nresolver required top\naudit requisite top\n"
    "[web]\nresolver sufficient web\nset pop_windows 2\nset clearance a=9\nset clearance c=3\n"
    "[db]\ntrust optional db\nset key_cache off\n[web]\nresolver optional web2\n";

static void check_top(const char *path)
{
    struct tn_conf *conf = NULL;
    is_int(load(path, "", &conf), TENUO_OK, "the top");
    if (conf == NULL)
        return;
    is_int((long long)conf->nrules, 3, "its three rules");
    is_int(conf->set.pop_windows, 4, "its setting");
    ok(conf->set.observe && conf->set.deadline_ms == 5000 && conf->set.clock_tolerance == 30 &&
           conf->set.max_chain == 65 && conf->set.max_lifetime == 0 && conf->set.key_cache_ms == 300000 &&
           conf->set.link_cache == 4096,
       "given and defaults");
    ok(conf->set.audit_args == TN_AUDIT_HASH && conf->set.revocation_max_age == 0 && !conf->set.strict_gates &&
           !conf->set.self_approval && conf->set.revocation_union && conf->set.max_approval_lifetime == 3600,
       "more defaults");
    ok(conf->rules[2].control == TN_REQUIRED, "requisite is required on an audit line");
    is_int((long long)conf->set.nclearance, 2, "two clearances");
    tn_conf_free(conf);
}

static void services(void)
{
    struct tn_conf *conf = NULL;
    const char *path = stage_text("two.conf", two_services);
    check_top(path);
    is_int(load(path, "web", &conf), TENUO_OK, "a service");
    if (conf == NULL)
        return;
    ok(conf->nrules == 4 && strcmp(conf->rules[0].module, "top") == 0 && conf->rules[0].facility == TN_F_TRUST &&
           strcmp(conf->rules[2].module, "web") == 0 && strcmp(conf->rules[3].module, "web2") == 0,
       "own resolvers in file order, the top's trust and audit");
    is_int(conf->set.pop_windows, 2, "a setting of the section goes before the top's");
    ok(conf->set.observe, "what the section does not set is the top's");
    ok(conf->set.nclearance == 3 && strcmp(conf->set.clearance[0].pattern, "a") == 0 &&
           conf->set.clearance[0].level == 9 && strcmp(conf->set.clearance[2].pattern, "b*") == 0,
       "a clearance of the section replaces the top's of the same pattern");
    is_int(conf->set.clearance[0].place.line, 11, "and knows its line");
    tn_conf_free(conf);
    is_int(load(path, "nobody", &conf), TENUO_OK, "a service that no section names");
    ok(conf != NULL && conf->nrules == 3 && conf->set.pop_windows == 4, "is the top");
    tn_conf_free(conf);
}

static void durations(void)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t ms;
    } rows[] = {
        { "1ms", true, 1 },
        { "5s", true, 5000 },
        { "2m", true, 120000 },
        { "1h", true, 3600000 },
        { "90d", true, 7776000000 },
        { "0s", true, 0 },
        { "4294967295d", true, UINT64_C(371085174288000000) },
        { "4294967296ms", false, 0 },
        { "", false, 0 },
        { "s", false, 0 },
        { "5", false, 0 },
        { "-5s", false, 0 },
        { " 5s", false, 0 },
        { "5 s", false, 0 },
        { "5sec", false, 0 },
        { "5S", false, 0 },
        { "1.5s", false, 0 },
        { "99999999999999999999s", false, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ms = 77;
        is_int(tn_duration_ms(rows[i].text, &ms), rows[i].good, "duration '%s'", rows[i].text);
        ok(ms == (rows[i].good ? rows[i].ms : 77), "its milliseconds, or untouched");
    }
}

static void hints(void)
{
    static const char *const known[] = { "required", "requisite", "sufficient", "optional", NULL };
    is_str(tn_did_you_mean("suficient", known), "sufficient", "one letter missing");
    is_str(tn_did_you_mean("reqiured", known), "required", "two letters swapped");
    is_str(tn_did_you_mean("optionalll", known), "optional", "two letters too many");
    is_str(tn_did_you_mean("Optional", known), "optional", "another case");
    ok(tn_did_you_mean("opt", known) == NULL, "too far");
    ok(tn_did_you_mean("", known) == NULL, "nothing");
    ok(tn_did_you_mean("requiredrequiredrequiredrequiredrequired", known) == NULL, "too long to be a slip");
}

static void paths(void)
{
    unsetenv("TENUO_CONF");
    is_str(tn_conf_path(NULL), "/etc/tenuo.conf", "the default file");
    setenv("TENUO_CONF", "/tmp/x.conf", 1);
    is_str(tn_conf_path(NULL), "/tmp/x.conf", "TENUO_CONF");
    is_str(tn_conf_path("/y"), "/y", "the program's own goes before it");
    setenv("TENUO_CONF", "", 1);
    is_str(tn_conf_path(NULL), "/etc/tenuo.conf", "an empty TENUO_CONF is none");
}

int main(void)
{
    stage_begin();
    missing_and_untrusted();
    bounds();
    includes();
    services();
    durations();
    hints();
    paths();
    stage_end();
    return done_testing();
}
