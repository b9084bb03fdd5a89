/* SPDX-License-Identifier: Apache-2.0 */
/* The policy that receipts name: what decides is in it, what does not is not, and its hash is that of what is printed.
 */
#include <jansson.h>
#include <tenuo/tenuo.h>

#include "../../core/conf.h"
#include "stage.h"
#include "tap.h"

static char printed[8192];

static void keep(void *arg, const char *text)
{
    (void)arg;
    snprintf(printed, sizeof printed, "%s", text);
}

static json_t *policy_of(const char *conf, const char *service)
{
    struct tenuo_open_options o = { .size = sizeof o, .conf = stage_text("tenuo.conf", conf) };
    printed[0] = '\0';
    is_int(tenuo_conf_policy(service, &o, keep, NULL, NULL), 0, "a policy");
    return json_loads(printed, JSON_REJECT_DUPLICATES, NULL);
}

static void hash_of(const char *conf, const char *service, uint8_t ret[32])
{
    struct tn_diag d = { 0 };
    struct tn_conf *c = NULL;
    int r = tn_conf_load(&(struct tn_conf_source){ .path = stage_text("tenuo.conf", conf) }, service, &d, &c, NULL);
    r = r != 0 ? r : tn_conf_policy_hash(c, ret, NULL);
    is_int(r, 0, "a hash");
    tn_conf_free(c);
}

static const char conf[] = "set max_chain 3\nset clearance read*=20\nset clearance a_b=system\nset link_cache off\n"
                           "[web]\nset max_chain 4\nset mode observe\nset clearance read*=30\n";

static void check_members(void)
{
    json_t *p = policy_of(conf, "");
    const json_t *levels = json_object_get(p, "clearance");
    is_str(json_string_value(json_object_get(p, "max_chain")), "3", "a setting as it is given");
    is_str(json_string_value(json_object_get(p, "mode")), "enforce", "a default");
    ok(json_object_get(p, "link_cache") == NULL && json_object_get(p, "receipt_key") == NULL, "nothing aside");
    is_int(json_integer_value(json_object_get(levels, "read*")), 20, "clearance by pattern");
    is_int(json_integer_value(json_object_get(levels, "a_b")), 50, "names of levels as numbers");
    json_decref(p);
    p = policy_of(conf, "web");
    is_str(json_string_value(json_object_get(p, "max_chain")), "4", "a service's own");
    is_str(json_string_value(json_object_get(p, "mode")), "observe", "setting");
    is_int(json_integer_value(json_object_get(json_object_get(p, "clearance"), "read*")), 30, "and clearance");
    json_decref(p);
}

static void check_hash(void)
{
    uint8_t a[32], b[32];
    hash_of("set link_cache off\nset max_chain 3\n", "", a);
    hash_of("set max_chain 3\nset deadline 1s\n", "", b);
    ok(memcmp(a, b, 32) == 0, "the same policy has one hash");
    hash_of("set max_chain 4\n", "", b);
    ok(memcmp(a, b, 32) != 0, "another one another");
}

int main(void)
{
    stage_begin();
    check_members();
    check_hash();
    stage_end();
    return done_testing();
}
