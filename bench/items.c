/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured: chains, calls, constraints and builder inputs, made once with fixed keys and written out as bytes,
 * so that both sides read the same. Nothing here is timed.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_MAX 65
#define TTL 100000

static struct tenuo_signer *key(unsigned n)
{
    uint8_t seed[TENUO_SECRET_SEED_BYTES] = "benchmark key number ........";
    struct tenuo_signer *signer = NULL;
    seed[30] = (uint8_t)(n >> 8);
    seed[31] = (uint8_t)n;
    must(tenuo_signer_from_seed(seed, &signer, NULL), "key");
    return signer;
}

static void key_seed(unsigned n, uint8_t seed[32])
{
    uint8_t text[TENUO_SECRET_SEED_BYTES] = "benchmark key number ........";
    memcpy(seed, text, sizeof text);
    seed[30] = (uint8_t)(n >> 8);
    seed[31] = (uint8_t)n;
}

static struct blob from_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    struct blob b = { malloc(n + 1), n };
    must(b.p == NULL ? TENUO_E_NOMEM : 0, "memory");
    for (size_t i = 0; i < n; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        b.p[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return b;
}

static void put(struct tenuo_constraint_set *set, const char *name, struct tenuo_constraint *c)
{
    must(tenuo_constraint_set_put(set, name, strlen(name), c, NULL), name);
    tenuo_constraint_free(c);
}

/* path under /data, size within bounds: the constraints of an ordinary read. */
static struct tenuo_constraint_set *read_set(void)
{
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_constraint *path = NULL, *size = NULL;
    double low = 0, high = 1048576;
    must(tenuo_constraint_set_new(&set, NULL), "set");
    must(tenuo_constraint_subpath("/data", 5, 1, 1, &path, NULL), "subpath");
    must(tenuo_constraint_range(&low, &high, 1, 1, &size, NULL), "range");
    put(set, "path", path);
    put(set, "max_size", size);
    return set;
}

/* {"path": "/data/report.txt", "max_size": 4096} */
static struct blob read_args(void)
{
    return from_hex("a26470617468702f646174612f7265706f72742e747874686d61785f73697a65191000");
}

static void add_tools(struct tenuo_mint *mint, unsigned tools)
{
    struct tenuo_constraint_set *set = read_set();
    must(tenuo_mint_add_tool(mint, "read_file", 9, set, NULL), "tool");
    for (unsigned i = 1; i < tools; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "tool_number_%03u", i);
        must(tenuo_mint_add_tool(mint, name, (size_t)n, set, NULL), "tool");
    }
    tenuo_constraint_set_free(set);
}

/* An approval gate on the calls of a chain: paths outside `exempt` need `min` of `approvers`, keys 500 and up. */
struct gating {
    const char *exempt;
    unsigned approvers, min;
};

static void add_gate(struct tenuo_mint *mint, const struct gating *g)
{
    struct tenuo_constraint *exempt = NULL;
    must(tenuo_constraint_subpath(g->exempt, strlen(g->exempt), 1, 1, &exempt, NULL), "subpath");
    must(tenuo_mint_add_arg_gate(mint, "read_file", 9, "path", 4, TENUO_GATE_EXEMPT, exempt, NULL), "gate");
    for (unsigned i = 0; i < g->approvers; i++) {
        struct tenuo_signer *approver = key(500 + i);
        must(tenuo_mint_add_approver(mint, tenuo_signer_public_key(approver), NULL), "approver");
        tenuo_signer_free(approver);
    }
    tenuo_mint_set_min_approvals(mint, g->min);
    tenuo_constraint_free(exempt);
}

/* A chain of `links` warrants with `tools` tools each; link i is held by key i + 1. `agent` bytes of agent id pad the
 * root; `gate` (NULL: none) is the root's, and inherited. */
static struct tenuo_stack *chain(unsigned links, unsigned tools, unsigned agent, const struct gating *gate, int64_t now)
{
    static const char filler[] =
        "agent-0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqrstuvwxyz-0123456789"
        "abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmn";
    struct tenuo_stack *stack = NULL;
    for (unsigned i = 0; i < links; i++) {
        struct tenuo_mint *mint = NULL;
        struct tenuo_stack *next = NULL;
        struct tenuo_signer *signer = key(i), *holder = key(i + 1);
        uint8_t id[TENUO_WARRANT_ID_BYTES] = {
            1, (uint8_t)links, (uint8_t)i, (uint8_t)(tools >> 8), (uint8_t)tools, (uint8_t)agent
        };
        must(i == 0 ? tenuo_mint_root(&mint, NULL) : tenuo_mint_attenuate(stack, &mint, NULL), "builder");
        add_tools(mint, tools);
        if (gate != NULL && i == 0)
            add_gate(mint, gate);
        tenuo_mint_set_id(mint, id);
        must(tenuo_mint_set_holder(mint, tenuo_signer_public_key(holder), NULL), "holder");
        tenuo_mint_set_expires_at(mint, (uint64_t)now + TTL);
        if (agent != 0)
            must(tenuo_mint_set_agent_id(mint, filler, agent, NULL), "agent id");
        must(tenuo_mint_sign(mint, signer, (uint64_t)now - 60, &next, NULL), "sign");
        tenuo_mint_free(mint);
        tenuo_signer_free(signer);
        tenuo_signer_free(holder);
        tenuo_stack_free(stack);
        stack = next;
    }
    return stack;
}

static struct blob encoded(const struct tenuo_stack *stack, enum tenuo_text_form form)
{
    size_t len = 0;
    must(tenuo_stack_encode(stack, form, NULL, &len, NULL), "encode");
    struct blob b = { malloc(len + 1), len };
    must(b.p == NULL ? TENUO_E_NOMEM : 0, "memory");
    must(tenuo_stack_encode(stack, form, b.p, &b.len, NULL), "encode");
    return b;
}

static struct item *new_item(struct item *items, size_t *count, enum bench_kind kind, const char *name,
                             uint32_t iterations)
{
    must(*count == BENCH_MAX_ITEMS ? TENUO_E_NOMEM : 0, "room for items");
    struct item *item = &items[(*count)++];
    *item = (struct item){
        .kind = kind, .iterations = iterations, .peer_us = -1, .allow = true, .now = BENCH_NOW, .tool = "read_file"
    };
    (void)snprintf(item->name, sizeof item->name, "%s", name);
    return item;
}

static void sign_call(struct item *item, const struct tenuo_stack *stack, unsigned signer_number)
{
    struct tenuo_signer *signer = key(signer_number);
    struct tenuo_args *args = NULL;
    uint8_t *preimage = NULL;
    size_t len = 0;
    must(tenuo_args_parse(item->args.p, item->args.len, &args, NULL), "arguments");
    must(tenuo_pop_preimage(tenuo_stack_leaf(stack), "read_file", 9, args, BENCH_NOW, &preimage, &len, NULL),
         "preimage");
    must(tenuo_signer_sign(signer, preimage, len, item->pop, NULL),
         "sign"); /* also with a key that is not the holder's */
    tenuo_bytes_free(preimage, len);
    tenuo_args_free(args);
    tenuo_signer_free(signer);
}

/* `wrong`: the PoP is made by a key that is not the holder's. */
static void add_call(struct item *items, size_t *count, const char *name, unsigned links, unsigned tools, bool warm,
                     bool wrong)
{
    struct item *item = new_item(items, count, BENCH_AUTHORIZE, name, links > 16 || tools > 16 ? 20 : 100);
    struct tenuo_stack *stack = chain(links, tools, 0, NULL, BENCH_NOW);
    item->warm = warm;
    item->allow = !wrong;
    item->bytes = encoded(stack, TENUO_FORM_STACK);
    item->args = read_args();
    sign_call(item, stack, wrong ? 999 : links);
    memcpy(item->root, tenuo_warrant_issuer(tenuo_stack_warrant(stack, 0)), sizeof item->root);
    tenuo_stack_free(stack);
}

/* The first `n` approvers approve the call of `item`. */
static struct blob approvals_of(const struct item *item, const struct tenuo_stack *stack, unsigned n)
{
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    struct tenuo_args *args = NULL;
    struct blob all = { malloc(1 + n * (size_t)512), 1 };
    uint8_t hash[TENUO_REQUEST_HASH_BYTES];
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(stack);
    must(all.p == NULL ? TENUO_E_NOMEM : 0, "memory");
    all.p[0] = (uint8_t)(0x80 + n);
    tenuo_warrant_id_text(tenuo_warrant_id(leaf), id);
    must(tenuo_args_parse(item->args.p, item->args.len, &args, NULL), "arguments");
    must(tenuo_request_hash(id, item->tool, strlen(item->tool), args, tenuo_warrant_holder(leaf), hash, NULL), "hash");
    for (unsigned i = 0; i < n; i++) {
        struct tenuo_signer *approver = key(500 + i);
        struct tenuo_approve *approve = NULL;
        struct tenuo_approval *made = NULL;
        size_t len = 0;
        must(tenuo_approve_new(hash, &approve, NULL), "approval");
        must(tenuo_approve_sign(approve, approver, BENCH_NOW, &made, NULL), "approval");
        const uint8_t *bytes = tenuo_approval_bytes(made, &len);
        must(len > 512 ? TENUO_E_TOO_LARGE : 0, "approval");
        memcpy(all.p + all.len, bytes, len);
        all.len += len;
        tenuo_approval_free(made);
        tenuo_approve_free(approve);
        tenuo_signer_free(approver);
    }
    tenuo_args_free(args);
    return all;
}

/* A gated chain of two with a warm link cache, so that the gate and the approvals are most of the work. */
static void add_gated(struct item *items, size_t *count, const char *name, const struct gating *gate, unsigned given,
                      bool allow)
{
    struct item *item = new_item(items, count, BENCH_AUTHORIZE, name, 100);
    struct tenuo_stack *stack = chain(2, 1, 0, gate, BENCH_NOW);
    item->warm = true;
    item->allow = allow;
    item->bytes = encoded(stack, TENUO_FORM_STACK);
    item->args = read_args();
    sign_call(item, stack, 2);
    if (given != 0)
        item->approvals = approvals_of(item, stack, given);
    memcpy(item->root, tenuo_warrant_issuer(tenuo_stack_warrant(stack, 0)), sizeof item->root);
    tenuo_stack_free(stack);
}

static void add_approvals(struct item *items, size_t *count)
{
    const struct gating exempt = { "/data", 3, 2 }, fires = { "/public", 3, 2 }, single = { "/public", 1, 1 };
    add_gated(items, count, "warm_2_gate_exempt", &exempt, 0, true);
    add_gated(items, count, "warm_2_gate_fires", &fires, 0, false);
    add_gated(items, count, "warm_2_approved_1of1", &single, 1, true);
    add_gated(items, count, "warm_2_approved_2of3", &fires, 2, true);
}

/* A chain of two with a warm link cache, each looked up among so many revoked ids; and loading such a list. */
static void add_lists(struct item *items, size_t *count)
{
    static const struct {
        const char *name;
        uint32_t ids, iterations;
    } lists[] = { { "warm_2_srl_1e4", 10000, 50 }, { "warm_2_srl_1e6", 1000000, 2 } };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        add_call(items, count, lists[i].name, 2, 1, true, false);
        struct item *item = &items[*count - 1];
        item->revoked = lists[i].ids;
        item->iterations = lists[i].iterations;
        key_seed(600, item->seed);
    }
    struct item *item = new_item(items, count, BENCH_SRL, "srl_load_1e5", 1);
    item->revoked = 100000;
    key_seed(600, item->seed);
}

/* A warrant of exactly 499 bytes with a signature whose scalar is out of range: refused right after the payload was
 * read. */
static void add_parse(struct item *items, size_t *count)
{
    struct item *item = new_item(items, count, BENCH_PARSE, "parse_499", 2000);
    for (unsigned agent = 1; agent < 170 && item->bytes.len != 499; agent++) {
        struct tenuo_stack *stack = chain(1, 2, agent, NULL, BENCH_NOW);
        free(item->bytes.p);
        item->bytes = encoded(stack, TENUO_FORM_CBOR);
        tenuo_stack_free(stack);
    }
    must(item->bytes.len == 499 ? 0 : TENUO_E_INVALID_ARGUMENT, "a warrant of 499 bytes");
    memset(item->bytes.p + item->bytes.len - 32, 0xff, 32);
}

static struct blob set_bytes(void)
{
    /* {"constraints": {"max_size": Range 0..1048576, "path": Subpath "/data"}} */
    return from_hex(
        "a16b636f6e73747261696e7473a2686d61785f73697a658203a4636d696ef90000636d6178fa498000006d6d696e5f696e63"
        "6c7573697665f56d6d61785f696e636c7573697665f564706174688211a364726f6f74652f646174616e636173655f73656e"
        "736974697665f56b616c6c6f775f657175616cf5");
}

static void add_builders(struct item *items, size_t *count)
{
    struct tenuo_signer *holder = key(1), *next = key(2);
    int64_t now =
        (int64_t)time(NULL); /* the reference reads the clock when it makes a child, so the parent must be current */
    struct tenuo_stack *parent = chain(1, 1, 0, NULL, now);
    struct item *item = new_item(items, count, BENCH_MINT, "mint", 100);
    key_seed(0, item->seed);
    memcpy(item->holder, tenuo_signer_public_key(holder), 32);
    item->args = set_bytes();
    item = new_item(items, count, BENCH_ATTENUATE, "attenuate", 100);
    key_seed(1, item->seed);
    memcpy(item->holder, tenuo_signer_public_key(next), 32);
    item->now = now;
    item->bytes = encoded(parent, TENUO_FORM_CBOR);
    item->args = set_bytes();
    item = new_item(items, count, BENCH_SIGN, "pop_sign", 200);
    key_seed(1, item->seed);
    item->bytes = encoded(parent, TENUO_FORM_CBOR);
    item->args = read_args();
    tenuo_stack_free(parent);
    tenuo_signer_free(holder);
    tenuo_signer_free(next);
}

/* Constraint and a value that it matches, as CBOR. */
static const struct {
    const char *name, *constraint, *value;
} matches[] = {
    { "match_exact", "8201a16576616c75656770726f64756374", "6770726f64756374" },
    { "match_pattern", "8202a1677061747465726e6973746167696e672d2a", "6e73746167696e672d7765622d3033" },
    { "match_range", "8203a4636d696ef90000636d6178f956406d6d696e5f696e636c7573697665f56d6d61785f696e636c7573697665f5",
      "182a" },
    { "match_one_of", "8204a16676616c75657383647265616465777269746565746f756368", "65746f756368" },
    { "match_not_one_of", "8207a1686578636c756465648264726f6f746561646d696e", "656775657374" },
    { "match_cidr", "82086a31302e302e302e302f38", "6831302e312e322e33" },
    { "match_url_pattern", "8209781968747470733a2f2f6170692e6578616d706c652e636f6d2f2a",
      "782068747470733a2f2f6170692e6578616d706c652e636f6d2f76312f7573657273" },
    { "match_contains", "820aa16872657175697265648261616162", "83616161626163" },
    { "match_subset", "820ba167616c6c6f77656483616161626163", "8261616162" },
    { "match_all",
      "820ca16b636f6e73747261696e7473828202a1677061747465726e6973746167696e672d2a8207a1686578636c756465648164726f6f74",
      "6e73746167696e672d7765622d3033" },
    { "match_any",
      "820da16b636f6e73747261696e7473828201a16576616c756564726f6f748202a1677061747465726e6973746167696e672d2a",
      "6e73746167696e672d7765622d3033" },
    { "match_not", "820ea16a636f6e73747261696e748201a16576616c756564726f6f74", "656775657374" },
    { "match_wildcard", "8210f6", "656775657374" },
    { "match_subpath", "8211a364726f6f74652f646174616e636173655f73656e736974697665f56b616c6c6f775f657175616cf5",
      "702f646174612f7265706f72742e747874" },
    { "match_url_safe", "8212a0", "782068747470733a2f2f6170692e6578616d706c652e636f6d2f76312f7573657273" },
    { "match_regex",
      "8205a1677061747465726e775e2f646174612f5b612d7a302d395f5d2b5c2e74787424",
      "722f646174612f7265706f72745f372e747874" },
    { "match_cel",
      "820fa16a65787072657373696f6e781976616c7565203e20302026262076616c7565203c3d20313030",
      "182a" },
    { "match_cel_object",
      "820fa16a65787072657373696f6e784c616d6f756e74203c3d203130302026262063757272656e637920696e205b2745"
      "5552272c2027555344275d20262620216861732874656e756f5f6f626a65637428292e6f7665727269646529",
      "a366616d6f756e7418326863757272656e637963455552646e6f7465656c756e6368" },
    { "match_cel_list",
      "820fa16a65787072657373696f6e783976616c75652e616c6c28702c20702e7374617274735769746828272f64617461"
      "2f27292026262021702e636f6e7461696e7328272e2e272929",
      "8a672f646174612f30672f646174612f31672f646174612f32672f646174612f33672f646174612f34672f646174612f"
      "35672f646174612f36672f646174612f37672f646174612f38672f646174612f39" },
    { "match_shlex", "821880a165616c6c6f7782626c7363636174", "656c73202d6c" },
};

static void add_matches(struct item *items, size_t *count, const struct tenuo_matchers *matchers)
{
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        unsigned type = strncmp(matches[i].constraint, "820f", 4) == 0   ? TENUO_C_CEL
                        : strncmp(matches[i].constraint, "8205", 4) == 0 ? TENUO_C_REGEX
                                                                         : 0;
        if (type != 0 && !tenuo_matchers_has(matchers, type))
            continue;
        struct item *item = new_item(items, count, BENCH_MATCH, matches[i].name, 5000);
        item->bytes = from_hex(matches[i].constraint);
        item->args = from_hex(matches[i].value);
        item->matchers = type != 0 ? matchers : NULL;
        if (type != TENUO_C_REGEX)
            continue;
        struct item *cold = new_item(items, count, BENCH_MATCH, "match_regex_cold", 500);
        cold->bytes = from_hex(matches[i].constraint);
        cold->args = from_hex(matches[i].value);
        cold->matchers = matchers;
        cold->cold = true;
    }
}

size_t make_items(struct item items[BENCH_MAX_ITEMS], const struct tenuo_matchers *matchers)
{
    static const struct {
        const char *name;
        unsigned links, tools;
        bool warm, wrong;
    } calls[] = {
        { "cold_chain_1", 1, 1, false, false },  { "cold_chain_2", 2, 1, false, false },
        { "cold_chain_4", 4, 1, false, false },  { "cold_chain_8", 8, 1, false, false },
        { "warm_chain_1", 1, 1, true, false },   { "warm_chain_2", 2, 1, true, false },
        { "warm_chain_4", 4, 1, true, false },   { "warm_chain_64", 64, 1, true, false },
        { "tools_256", 1, 256, false, false },   { "deny_wrong_pop", 1, 1, false, true },
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        add_call(items, &count, calls[i].name, calls[i].links, calls[i].tools, calls[i].warm, calls[i].wrong);
    add_approvals(items, &count);
    add_lists(items, &count);
    add_builders(items, &count);
    add_parse(items, &count);
    add_matches(items, &count, matchers);
    return count;
}

static void write_hex(FILE *f, const uint8_t *p, size_t len)
{
    (void)fputc('\t', f);
    for (size_t i = 0; i < len; i++)
        (void)fprintf(f, "%02x", p[i]);
    if (len == 0)
        (void)fputc('-', f);
}

/* KIND NAME TOOL NOW ALLOW ROOT SEED HOLDER POP BYTES ARGS APPROVALS REVOKED, separated by tabs. */
void write_items(FILE *f, const struct item *items, size_t count)
{
    static const char *const kinds[] = { "authorize", "match", "parse", "mint", "attenuate", "sign", "srl" };
    for (size_t i = 0; i < count; i++) {
        const struct item *it = &items[i];
        (void)fprintf(f, "%s\t%s\t%s\t%lld\t%d", kinds[it->kind], it->name, it->tool, (long long)it->now, it->allow);
        write_hex(f, it->root, sizeof it->root);
        write_hex(f, it->seed, sizeof it->seed);
        write_hex(f, it->holder, sizeof it->holder);
        write_hex(f, it->pop, sizeof it->pop);
        write_hex(f, it->bytes.p, it->kind == BENCH_SRL ? 0 : it->bytes.len); /* the peer makes its own */
        write_hex(f, it->args.p, it->args.len);
        write_hex(f, it->approvals.p, it->approvals.len);
        (void)fprintf(f, "\t%u\n", (unsigned)it->revoked);
    }
}

void free_items(struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct item *it = &items[i];
        tenuo_verifier_unref(it->verifier);
        tenuo_request_free(it->request);
        tenuo_stack_free(it->stack);
        tenuo_signer_free(it->signer);
        tenuo_args_free(it->call_args);
        tenuo_constraint_free(it->constraint);
        tenuo_constraint_set_free(it->set);
        tenuo_value_free(it->value);
        free(it->bytes.p);
        free(it->args.p);
        free(it->approvals.p);
    }
}
