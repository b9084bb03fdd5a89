/* SPDX-License-Identifier: Apache-2.0 */
/* The other kinds of plugins: one check each that makes the calls of the kind, beside what is asked of every plugin. */
#include "conform.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECORDS 50
#define PAYLOADS 2000

/* ---- trust ---- */

struct roots {
    struct conform_verdict *v;
    size_t count;
    bool stop, stopped;
};

static int take_root(void *arg, const struct tenuo_root *root)
{
    struct roots *r = arg;
    if (r->stopped)
        conform_fail(r->v, "roots went on after it was told to stop: answer 9000 then");
    r->count++;
    if (tenuo_public_key_check(root->key))
        conform_fail(r->v, "a root is no usable Ed25519 key");
    if (root->not_before >= root->not_after)
        conform_fail(r->v, "a root is never valid: not_after is UINT64_MAX when it never ends");
    if (!memchr(root->name, '\0', sizeof root->name))
        conform_fail(r->v, "the name of a root has no end");
    r->stopped = r->stop;
    return r->stop;
}

static int ask_roots(struct conform *c, struct roots *r)
{
    static const int legal[] = { TENUO_E_CONF, TENUO_E_KEY_INVALID, 0 };
    struct conform_call call;
    conform_begin(c, &call, "roots");
    return conform_end(c, &call, legal, c->ops.trust.roots(c->self, take_root, r));
}

void conform_check_roots(struct conform *c, struct conform_verdict *v)
{
    struct roots all = { .v = v }, one = { .v = v, .stop = true };
    if (!conform_open(c, v))
        return;
    int code = ask_roots(c, &all);
    if (code != TENUO_OK)
        conform_fail(v, "roots answered %s", conform_code(code));
    else if (all.count > 0 && ask_roots(c, &one) != TENUO_E_NOMEM)
        conform_fail(v, "roots was told to stop and did not answer 9000");
    conform_close(c);
    conform_good(v, "%zu root%s, and it stops when it is told to", all.count, all.count == 1 ? "" : "s");
}

/* ---- audit ---- */

/* `full`: every member has something in it. */
static struct tenuo_audit_event event_of(bool full)
{
    static const char *const ids[] = { "tnu_wrt_0192f000000070008000000000000001",
                                       "tnu_wrt_0192f000000070008000000000000002" };
    static const struct tenuo_audit_attr attrs[] = { { "client", "conform" }, { "quote", "\"\\ \n\t" } };
    static const char *const approvers[] = { "0011223344556677" };
    struct tenuo_audit_event e = { .size = sizeof e,
                                   .decision_id = "00000000000000000000000000000000",
                                   .service = "conform",
                                   .decision = "deny",
                                   .code = 1501,
                                   .code_name = "",
                                   .step = "",
                                   .reason = "",
                                   .warrant_id = "",
                                   .root = "",
                                   .holder = "",
                                   .tool = "",
                                   .field = "",
                                   .args_sha256 = "",
                                   .args_json = "",
                                   .request_id = "",
                                   .message = "",
                                   .priority = 4,
                                   .peer_uid = -1,
                                   .peer_pid = -1 };
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    e.time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (!full)
        return e;
    e.code_name = "constraint-violation";
    e.step = "constraints";
    e.reason = "a record of `tenuo plugin test`, \"quoted\", \xc3\xa9";
    e.warrant_id = ids[1];
    e.chain_ids = ids;
    e.chain_len = 2;
    e.root = e.holder = "0011223344556677";
    e.tool = "read_file";
    e.field = "path";
    e.args_sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
    e.args_json = "{\"path\":\"/data\"}";
    e.request_id = "conform";
    e.attrs = attrs;
    e.nattrs = 2;
    e.approvers = approvers;
    e.napprovers = 1;
    e.message = "denied tool \"read_file\": a record of `tenuo plugin test`";
    e.has_srl_version = 1;
    e.srl_version = 3;
    e.duration_ns = 71000;
    e.peer_uid = e.peer_pid = 1;
    return e;
}

/* Every kind, and one that a later minor may bring: that is passed over, not refused. */
static int give_notices(struct conform *c, const int *legal)
{
    static const int kinds[] = { TENUO_NOTICE_CONFIG_RELOAD, TENUO_NOTICE_REVOCATION_UPDATE, TENUO_NOTICE_KEY_RETIRED,
                                 TENUO_NOTICE_PROBE, 99 };
    struct conform_call call;
    int code = TENUO_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && code == TENUO_OK; i++) {
        struct tenuo_audit_notice n = { .size = sizeof n,
                                        .kind = kinds[i],
                                        .time_ns = event_of(false).time_ns,
                                        .service = "conform",
                                        .message = "a notice of `tenuo plugin test`",
                                        .priority = 5,
                                        .origin = "",
                                        .key_id = "" };
        conform_begin(c, &call, "notice");
        code = conform_end(c, &call, legal, c->ops.audit.notice(c->self, &n));
    }
    return code;
}

void conform_check_decision(struct conform *c, struct conform_verdict *v)
{
    static const int legal[] = { TENUO_E_AUDIT_REFUSED, 0 };
    struct conform_call call;
    int code = TENUO_OK;
    if (!conform_open(c, v))
        return;
    if (!c->ops.audit.decision) {
        conform_skip(v, "it keeps receipts: only a service with a receipt key can hand it one");
        conform_close(c);
        return;
    }
    for (int i = 0; i < RECORDS && code == TENUO_OK; i++) {
        struct tenuo_audit_event e = event_of(i % 2 == 0);
        conform_begin(c, &call, "decision");
        code = conform_end(c, &call, legal, c->ops.audit.decision(c->self, &e));
    }
    if (code != TENUO_OK)
        conform_fail(v, "decision answered %s", conform_code(code));
    if (code == TENUO_OK && c->ops.audit.notice && (code = give_notices(c, legal)) != TENUO_OK)
        conform_fail(v, "notice answered %s", conform_code(code));
    if (c->ops.audit.flush) {
        conform_begin(c, &call, "flush");
        code = conform_end(c, &call, legal, c->ops.audit.flush(c->self));
        if (code != TENUO_OK)
            conform_fail(v, "flush answered %s", conform_code(code));
    }
    conform_close(c);
    conform_good(v, "%d records were taken, full and empty ones", RECORDS);
}

/* ---- revocation ---- */

static int fetch(struct conform *c, int unchanged_ok, const uint8_t **ret_list, size_t *ret_len, int64_t *ret_at)
{
    static const int legal[] = { TENUO_E_SRL_INVALID, TENUO_E_CONF, TENUO_E_KEY_DENIED, 0 };
    struct conform_call call;
    conform_begin(c, &call, "fetch");
    return conform_end(c, &call, legal, c->ops.revocation.fetch(c->self, unchanged_ok, ret_list, ret_len, ret_at));
}

void conform_check_fetch(struct conform *c, struct conform_verdict *v)
{
    const uint8_t *list = NULL;
    size_t len = 0;
    int64_t at = 0;
    if (!conform_open(c, v))
        return;
    int code = fetch(c, 0, &list, &len, &at);
    if (code != TENUO_OK)
        conform_fail(v, "fetch answered %s", conform_code(code));
    else if (!list || len == 0 || len > TENUO_REVOCATION_LIST_MAX)
        conform_fail(v, "fetch without unchanged_ok handed over no list, or too large a one");
    else if (at < 1500000000 || at > (int64_t)time(NULL) + 60)
        conform_fail(v, "fetched_at is not the time at which the store said that this is its list");
    if (code == TENUO_OK && list)
        c->ops.revocation.release(c->self, list, len);
    if (code == TENUO_OK) {
        list = NULL;
        code = fetch(c, 1, &list, &len, &at);
        if (code != TENUO_OK)
            conform_fail(v, "the second fetch answered %s", conform_code(code));
        else if (list)
            c->ops.revocation.release(c->self, list, len);
    }
    conform_close(c);
    conform_good(v, "a list was handed over, and again");
}

/* ---- replay ---- */

static int check_and_set(struct conform *c, const uint8_t key[32], int64_t now)
{
    static const int legal[] = { TENUO_E_REPLAYED, 0 };
    struct conform_call call;
    conform_begin(c, &call, "check_and_set");
    return conform_end(c, &call, legal, c->ops.replay.check_and_set(c->self, key, now / 30 * 30, now + 30));
}

void conform_check_replay(struct conform *c, struct conform_verdict *v)
{
    uint8_t key[32];
    int64_t now = (int64_t)time(NULL);
    if (!conform_open(c, v))
        return;
    randombytes_buf(key, sizeof key);
    int first = check_and_set(c, key, now), second = check_and_set(c, key, now);
    key[31] ^= 1;
    int other = check_and_set(c, key, now);
    if (first == TENUO_E_UNAVAILABLE)
        conform_warn(v, "it cannot tell yet: %s", conform_last());
    else if (first != TENUO_OK || other != TENUO_OK)
        conform_fail(v, "a key that was never seen: %d and %d, instead of 0", first, other);
    else if (second != TENUO_E_REPLAYED)
        conform_fail(v, "a key that was seen: %s, instead of 9401", conform_code(second));
    conform_close(c);
    conform_good(v, "the first time passes, the second does not");
}

/* ---- matcher ---- */

static const int matcher_codes[] = { 0 };

static int compile(struct conform *c, uint8_t type, const uint8_t *payload, size_t len, void **ret_program)
{
    struct conform_call call;
    size_t bytes = 0;
    conform_begin(c, &call, "compile");
    return conform_end(c, &call, matcher_codes,
                       c->ops.matcher.compile(c->self, type, payload, len, ret_program, &bytes));
}

static int match(struct conform *c, const void *program, const uint8_t *value, size_t len, int *ret_match)
{
    struct conform_call call;
    uint64_t work = 1000000;
    conform_begin(c, &call, "match");
    return conform_end(c, &call, matcher_codes,
                       c->ops.matcher.match(c->self, program, value, len, 1893456000, &work, ret_match));
}

/* A CBOR text of what expressions are made of, or any bytes. */
static size_t make_payload(uint8_t bytes[64])
{
    static const char letters[] = "abc019.*+?()[]{}|^$<>=!-_ \"'&/\\";
    size_t n = randombytes_uniform(40);
    if (randombytes_uniform(4) == 0) {
        randombytes_buf(bytes, n);
        return n;
    }
    bytes[0] = (uint8_t)(n < 24 ? 0x60 + n : 0x78);
    bytes[1] = (uint8_t)n;
    size_t head = n < 24 ? 1 : 2;
    for (size_t i = 0; i < n; i++)
        bytes[head + i] = (uint8_t)letters[randombytes_uniform(sizeof letters - 1)];
    return head + n;
}

static void match_twice(struct conform *c, const void *program, struct conform_verdict *v)
{
    uint8_t value[64];
    size_t len = make_payload(value);
    int first = 2, second = 2;
    int code = match(c, program, value, len, &first), again = match(c, program, value, len, &second);
    if (code != again || first != second)
        conform_fail(v, "the same value matched differently the second time: no clock, no state, no I/O");
    if (code == TENUO_OK && first != 0 && first != 1)
        conform_fail(v, "match succeeded with %d: 1 or 0", first);
    if (code != TENUO_OK && first != 2)
        conform_breach(c, CONFORM_OUTPUTS, "match failed and wrote its output: write it last, on success alone");
}

static void try_payload(struct conform *c, struct conform_verdict *v)
{
    const uint8_t *types = c->ops.matcher.types;
    size_t ntypes = strlen((const char *)types), len;
    uint8_t payload[64], type = types[randombytes_uniform((uint32_t)ntypes)];
    static char untouched;
    void *program = &untouched;
    int ok = 2;
    len = make_payload(payload);
    int code = compile(c, type, payload, len, &program);
    if (code != TENUO_OK && program != &untouched)
        conform_breach(c, CONFORM_OUTPUTS, "compile failed and wrote its output: write it last, on success alone");
    if (code != TENUO_OK)
        return;
    match_twice(c, program, v);
    c->ops.matcher.release(c->self, program);
    code = c->ops.matcher.attenuates(c->self, type, payload, len, type, payload, len, &ok);
    if (code == TENUO_OK && ok != 0 && ok != 1)
        conform_fail(v, "attenuates succeeded with %d: 1 or 0", ok);
    else if (code == TENUO_OK && ok == 0)
        conform_warn(v, "a constraint is wider than itself by attenuates: nothing can be handed on then");
}

void conform_check_matcher(struct conform *c, struct conform_verdict *v)
{
    if (!conform_open(c, v))
        return;
    for (int i = 0; i < PAYLOADS; i++)
        try_payload(c, v);
    conform_close(c);
    conform_good(v, "%d payloads of all sorts, and values, are judged or refused", PAYLOADS);
}
