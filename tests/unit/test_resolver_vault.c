/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver vault against a real Vault: keys in KV v2, KV v1 and transit from making to removing, what is no key, who
 * may do what, and calls signed and decided by the library. Logins and outages are in test_vault_login.c, what the
 * server cannot do wrong in test_vault_faults.c.
 */
#include <pthread.h>
#include <tenuo/tenuo.h>

#include "vault_env.h"

#define NOW 1893456000
#define THREADS 100

static struct vault_server dev;
static char root_token[PATH_MAX];

/* ---- lines ---- */

static void *line_of(const char *engine, const char *mount, const char *token)
{
    return OPEN("url", dev.url, "ca", dev.ca, "engine", engine, "mount", mount, "token_file", token);
}

/* A token of one policy, in a file. */
static const char *token_with(const char *name, const char *policy)
{
    char path[256], body[2048], answer[4096], token[256], escaped[1536];
    size_t n = 0;
    for (const char *p = policy; *p != '\0' && n < sizeof escaped - 3; p++) {
        if (*p == '"')
            escaped[n++] = '\\';
        escaped[n++] = *p;
    }
    escaped[n] = '\0';
    snprintf(path, sizeof path, "sys/policies/acl/%s", name);
    snprintf(body, sizeof body, "{\"policy\":\"%s\"}", escaped);
    vault_must(&dev, "PUT", path, body);
    snprintf(body, sizeof body, "{\"policies\":[\"%s\"],\"ttl\":\"1h\"}", name);
    if (vault_admin(&dev, "POST", "auth/token/create", body, answer, sizeof answer) != 200)
        stage_die("token");
    vault_member(answer, "client_token", token);
    snprintf(path, sizeof path, "token.%s", name);
    return stage_write(path, token, strlen(token), 0600);
}

/* ---- one key's life ---- */

static char listed[4096];

static int note_entry(void *arg, const struct tenuo_key_entry *e)
{
    size_t n = strlen(listed);
    (void)arg;
    snprintf(listed + n, sizeof listed - n, "%s@%u(%u-%u)%s ", e->id, (unsigned)e->version, (unsigned)e->oldest,
             (unsigned)e->newest, e->has_public_key ? "+" : "-");
    return 0;
}

static int list(void *self)
{
    listed[0] = '\0';
    begin_call();
    return ops->list(self, note_entry, NULL);
}

static int generate(void *self, const char *id, unsigned flags, uint8_t key[32], uint32_t *version)
{
    begin_call();
    return ops->generate(self, id, flags, key, version);
}

static int remove_key(void *self, const char *id, uint32_t version)
{
    begin_call();
    return ops->remove(self, id, version);
}

static int describe(void *self, const char *id, uint32_t version, struct tenuo_key_entry *e)
{
    *e = (struct tenuo_key_entry){ .size = sizeof *e };
    begin_call();
    return ops->describe(self, id, version, e);
}

static void making(void *self, const char *what, uint8_t first[32], uint8_t second[32])
{
    uint32_t v = 0;
    struct tenuo_key_entry e;
    is_int(reading(self, "web"), TENUO_E_KEY_NOT_FOUND, "%s: nothing yet", what);
    is_int(generate(self, "web", TENUO_STORE_NEW_VERSION, first, &v), TENUO_E_KEY_NOT_FOUND, "%s: nothing to rotate",
           what);
    is_int(list(self), TENUO_OK, "%s: lists: %s", what, said);
    is_str(listed, "", "nothing");
    is_int(generate(self, "web", 0, first, &v), TENUO_OK, "%s: generate: %s", what, said);
    is_int(v, 1, "version 1");
    ok(is_key(self, "web", 0, 1, first), "%s: usable", what);
    is_int(generate(self, "web", 0, second, &v), TENUO_E_KEY_CONFLICT, "%s: taken: %s", what, said);
    is_int(generate(self, "web", TENUO_STORE_NEW_VERSION, second, &v), TENUO_OK, "%s: rotate: %s", what, said);
    is_int(v, 2, "version 2");
    ok(memcmp(first, second, 32) != 0, "another key");
    ok(is_key(self, "web", 0, 2, second) && is_key(self, "web", 2, 2, second), "%s: the new one", what);
    ok(is_key(self, "web", 1, 1, first), "%s: the old one by its number", what);
    is_int(describe(self, "web", 0, &e), TENUO_OK, "%s: describe: %s", what, said);
    ok(e.version == 2 && e.oldest == 1 && e.newest == 2 && e.has_public_key && memcmp(e.public_key, second, 32) == 0,
       "%s: all of it (%u, %u-%u, %s)", what, (unsigned)e.version, (unsigned)e.oldest, (unsigned)e.newest, e.note);
    if (strcmp(what, "kv1") != 0) /* which keeps no times */
        ok(e.created_at > 1700000000, "%s: when it was made", what);
    is_int(list(self), TENUO_OK, "%s: lists", what);
    is_str(listed, "web@2(1-2)+ ", "one id");
}

static void removing(void *self, const char *what)
{
    uint8_t key[32];
    uint32_t v = 0;
    is_int(public_key(self, "web", 7, key, &v), TENUO_E_KEY_NOT_FOUND, "%s: no version 7: %s", what, said);
    is_int(remove_key(self, "web", 7), TENUO_E_KEY_NOT_FOUND, "%s: nor to remove: %s", what, said);
    is_int(remove_key(self, "web", 2), TENUO_E_INVALID_ARGUMENT, "%s: not the newest alone: %s", what, said);
    is_int(remove_key(self, "web", 1), TENUO_OK, "%s: the old one: %s", what, said);
    is_int(public_key(self, "web", 1, key, &v), TENUO_E_KEY_NOT_FOUND, "%s: is gone: %s", what, said);
    ok(is_key(self, "web", 0, 2, NULL), "%s: the newest stays", what);
    is_int(remove_key(self, "web", 0), TENUO_OK, "%s: all: %s", what, said);
    is_int(reading(self, "web"), TENUO_E_KEY_NOT_FOUND, "%s: nothing is left", what);
    is_int(remove_key(self, "web", 0), TENUO_E_KEY_NOT_FOUND, "%s: nothing to remove: %s", what, said);
    is_int(generate(self, "web", 0, key, &v), TENUO_OK, "%s: the id is free again: %s", what, said);
    is_int(remove_key(self, "web", v), TENUO_OK, "%s: the only version may go: %s", what, said);
    is_int(list(self), TENUO_OK, "%s: lists", what);
    is_str(listed, "", "nothing");
    is_int(public_key(self, "../web", 0, key, &v), TENUO_E_INVALID_ARGUMENT, "%s: a path", what);
    is_int(public_key(self, "web@1", 0, key, &v), TENUO_E_INVALID_ARGUMENT, "%s: a version's name", what);
    is_int(generate(self, "web", 6, key, &v), TENUO_E_INVALID_ARGUMENT, "%s: unknown flags", what);
}

static void importing(void *self, const char *what)
{
    uint8_t seed[32], key[32], secret[64];
    uint32_t v = 0;
    memset(seed, 9, sizeof seed);
    crypto_sign_seed_keypair(key, secret, seed);
    begin_call();
    is_int(ops->import(self, "given", 0, seed, &v), TENUO_OK, "%s: import: %s", what, said);
    ok(is_key(self, "given", 0, v, key), "%s: that key", what);
    begin_call();
    is_int(ops->import(self, "given", 0, seed, &v), TENUO_E_KEY_CONFLICT, "%s: again: %s", what, said);
    is_int(remove_key(self, "given", 0), TENUO_OK, "%s: remove", what);
}

static void life(const char *engine, const char *mount)
{
    uint8_t first[32], second[32], seed[32] = { 1 };
    uint32_t v = 0;
    void *self = line_of(engine, mount, root_token);
    making(self, engine, first, second);
    removing(self, engine);
    if (ops->can(self) == TENUO_RESOLVER_EXPORTS) {
        importing(self, engine);
    } else {
        is_int(ops->can(self), TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_NO_IMPORT, "signs, and says that it takes none");
        begin_call();
        is_int(ops->import(self, "given", 0, seed, &v), TENUO_E_INVALID_ARGUMENT, "transit takes no seed");
        ok(says("vault transit import"), "and says who does");
    }
    ops->close(self);
}

/* ---- what is no key ---- */

static void put_kv2(const char *id, const char *data)
{
    char path[128], body[1024];
    snprintf(path, sizeof path, "secret/data/tenuo/keys/%s", id);
    snprintf(body, sizeof body, "{\"data\":%s}", data);
    vault_must(&dev, "POST", path, body);
}

static void is_bad(void *self, const char *id, int code, const char *sentence)
{
    is_int(reading(self, id), code, "%s", id);
    ok(says(sentence), "%s: says '%s'", id, sentence);
}

static void corrupt_kv(void)
{
    void *self = line_of("kv2", NULL, root_token);
    put_kv2("hex", "{\"key\":\"0101010101010101010101010101010101010101010101010101010101010101\"}");
    put_kv2("other", "{\"Key\":\"x\"}");
    put_kv2("number", "{\"key\":7}");
    put_kv2("short", "{\"key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\"}");
    put_kv2("junk", "{\"key\":\"hello\"}");
    put_kv2("empty", "{\"key\":\"\"}");
    put_kv2("pair", "{\"key\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\",\"public_key\":"
                    "\"gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q=\"}");
    put_kv2("nopair", "{\"key\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\",\"public_key\":\"x\"}");
    ok(is_key(self, "hex", 0, 1, NULL), "hex will do");
    is_bad(self, "other", TENUO_E_KEY_INVALID, "has no text in field key");
    is_bad(self, "number", TENUO_E_KEY_INVALID, "has no text in field key");
    is_bad(self, "short", TENUO_E_KEY_INVALID, "holds no Ed25519 secret key");
    is_bad(self, "junk", TENUO_E_KEY_INVALID, "holds no Ed25519 secret key");
    is_bad(self, "empty", TENUO_E_KEY_INVALID, "holds no Ed25519 secret key");
    is_bad(self, "pair", TENUO_E_KEY_INVALID, "one of them was replaced");
    is_bad(self, "nopair", TENUO_E_KEY_INVALID, "holds no Ed25519 public key");
    is_int(list(self), TENUO_OK, "they are listed: %s", said);
    ok(strstr(listed, "junk@1(1-1)- ") != NULL && strstr(listed, "hex@1(1-1)+ ") != NULL, "as what they are: %s",
       listed);
    vault_must(&dev, "DELETE", "secret/data/tenuo/keys/hex", NULL);
    is_bad(self, "hex", TENUO_E_KEY_NOT_FOUND, "nothing at secret/data/tenuo/keys/hex");
    uint8_t key[32];
    uint32_t v = 0;
    is_int(generate(self, "hex", 0, key, &v), TENUO_OK, "a deleted id is free: %s", said);
    is_int(v, 2, "its numbers go on");
    vault_must(&dev, "POST", "secret/undelete/tenuo/keys/hex", "{\"versions\":[1]}");
    ok(is_key(self, "hex", 1, 1, NULL), "an old version that was brought back");
    vault_must(&dev, "PUT", "secret/destroy/tenuo/keys/hex", "{\"versions\":[1]}");
    is_int(public_key(self, "hex", 1, key, &v), TENUO_E_KEY_NOT_FOUND, "a destroyed one: %s", said);
    ops->close(self);
}

static void wrong_transit(void)
{
    uint8_t sig[64];
    void *self = line_of("transit", NULL, root_token);
    vault_must(&dev, "POST", "transit/keys/aes", "{\"type\":\"aes256-gcm96\"}");
    vault_must(&dev, "POST", "transit/keys/p256", "{\"type\":\"ecdsa-p256\"}");
    vault_must(&dev, "POST", "transit/keys/derived", "{\"type\":\"ed25519\",\"derived\":true}");
    vault_must(&dev, "POST", "transit/keys/good", "{\"type\":\"ed25519\"}");
    is_bad(self, "aes", TENUO_E_KEY_INVALID, "not of type ed25519");
    is_bad(self, "p256", TENUO_E_KEY_INVALID, "not of type ed25519");
    is_bad(self, "derived", TENUO_E_KEY_INVALID, "is derived");
    is_int(sign(self, "p256", 1, "x", sig), TENUO_E_KEY_INVALID, "a signature of another kind: %s", said);
    is_int(sign(self, "nix", 1, "x", sig), TENUO_E_KEY_NOT_FOUND, "a key that is not there: %s", said);
    is_int(sign(self, "good", 9, "x", sig), TENUO_E_KEY_NOT_FOUND, "a version that is not there: %s", said);
    is_int(sign(self, "good", 0, "", sig), TENUO_OK, "the newest, an empty text: %s", said);
    vault_must(&dev, "POST", "transit/keys/good/rotate", "{}");
    vault_must(&dev, "POST", "transit/keys/good/config", "{\"min_encryption_version\":2}");
    is_int(sign(self, "good", 1, "x", sig), TENUO_E_KEY_DENIED, "a version that may not sign any more: %s", said);
    ok(is_key(self, "good", 0, 2, NULL), "the newest does");
    is_int(list(self), TENUO_OK, "lists: %s", said);
    ok(strstr(listed, "p256@0(0-0)- ") != NULL && strstr(listed, "good@2(1-2)+ ") != NULL, "all: %s", listed);
    ops->close(self);
}

static void wrong_places(void)
{
    void *self = line_of("kv2", "nowhere", root_token);
    is_bad(self, "web", TENUO_E_UNAVAILABLE, "no secrets engine is mounted at nowhere");
    ops->close(self);
    self = line_of("transit", "nowhere", root_token);
    is_bad(self, "web", TENUO_E_UNAVAILABLE, "no secrets engine is mounted at nowhere");
    ops->close(self);
    self = line_of("kv1", "secret", root_token);
    is_bad(self, "web", TENUO_E_UNAVAILABLE, "engine=kv2");
    ops->close(self);
    self = line_of("transit", "secret", root_token);
    is_bad(self, "web", TENUO_E_UNAVAILABLE, "");
    ops->close(self);
}

/* ---- who may do what ---- */

static void permissions(void)
{
    uint8_t key[32], sig[64];
    uint32_t v = 0;
    struct tenuo_key_entry e;
    void *admin = line_of("kv2", NULL, root_token);
    is_int(generate(admin, "own", 0, key, &v), TENUO_OK, "a key");
    void *self =
        line_of("kv2", NULL, token_with("reader", "path \"secret/data/tenuo/keys/own\" { capabilities = [\"read\"] }"));
    ok(is_key(self, "own", 0, 1, key), "to read, reading is enough");
    is_bad(self, "hex", TENUO_E_KEY_DENIED, "path \"secret/data/tenuo/keys/hex\" { capabilities = [\"read\"] }");
    is_int(generate(self, "own", TENUO_STORE_NEW_VERSION, key, &v), TENUO_E_KEY_DENIED, "not to rotate: %s", said);
    is_int(list(self), TENUO_E_KEY_DENIED, "nor to list: %s", said);
    is_int(remove_key(self, "own", 0), TENUO_E_KEY_DENIED, "nor to remove: %s", said);
    ops->close(self);
    self = line_of("kv2", NULL,
                   token_with("keeper",
                              "path \"secret/data/tenuo/keys/*\" { capabilities = [\"create\",\"update\"] } "
                              "path \"secret/metadata/tenuo/keys/*\" { capabilities = [\"read\",\"list\",\"delete\"] } "
                              "path \"secret/metadata/tenuo/keys/\" { capabilities = [\"list\"] } "
                              "path \"secret/destroy/tenuo/keys/*\" { capabilities = [\"update\"] }"));
    is_int(generate(self, "own", TENUO_STORE_NEW_VERSION, key, &v), TENUO_OK, "a keeper rotates: %s", said);
    is_int(describe(self, "own", 0, &e), TENUO_OK, "and looks: %s", said);
    ok(e.newest == 2 && !e.has_public_key && strstr(e.note, "may not be read") != NULL, "without reading: %s", e.note);
    is_int(list(self), TENUO_OK, "lists: %s", said);
    ok(strstr(listed, "own@2(1-2)- ") != NULL, "likewise: %s", listed);
    is_int(remove_key(self, "own", 1), TENUO_OK, "and removes: %s", said);
    is_int(remove_key(self, "own", 0), TENUO_OK, "all: %s", said);
    ops->close(self);
    ops->close(admin);
    self = line_of("transit", NULL,
                   token_with("signer", "path \"transit/keys/good\" { capabilities = [\"read\"] } "
                                        "path \"transit/sign/good\" { capabilities = [\"update\"] }"));
    ok(is_key(self, "good", 0, 2, NULL), "to sign in transit, two rights are enough");
    is_int(sign(self, "p256", 1, "x", sig), TENUO_E_KEY_DENIED, "for that key: %s", said);
    ok(says("path \"transit/sign/p256\" { capabilities = [\"update\"] }"), "says which are missing");
    ops->close(self);
    vault_must(&dev, "POST", "kv/tenuo/keys/plain", "{\"key\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}");
    self = line_of("kv1", "kv", token_with("oldreader", "path \"kv/tenuo/keys/*\" { capabilities = [\"read\"] }"));
    ok(is_key(self, "plain", 0, 0, NULL), "KV v1 without the right to list has no versions");
    is_int(public_key(self, "plain", 1, key, &v), TENUO_E_KEY_NOT_FOUND, "none at all: %s", said);
    ops->close(self);
}

/* ---- arguments ---- */

#define REFUSED(sentence, ...) \
    do { \
        void *none_ = NULL; \
        is_int(open_pairs((const char *const[]){ "url", "https://vault.example:8200", __VA_ARGS__, NULL }, &none_), \
               TENUO_E_CONF, "refused: %s", sentence); \
        ok(none_ == NULL && says(sentence), "and says so"); \
    } while (0)

static void arguments(void)
{
    void *self = NULL;
    REFUSED("auth=token wants", "engine", "kv2");
    REFUSED("want kv2, kv1 or transit", "engine", "kv3", "token_file", "/t");
    REFUSED("want token, approle", "auth", "ldap", "token_file", "/t");
    REFUSED("exclude each other", "token_file", "/t", "token_credential", "t");
    REFUSED("{key_id}", "path_template", "keys/web", "token_file", "/t");
    REFUSED("{key_id}", "path_template", "keys/{key_id}/{key_id}", "token_file", "/t");
    REFUSED("{key_id}", "path_template", "../{key_id}", "token_file", "/t");
    REFUSED("{key_id}", "path_template", "keys//{key_id}", "token_file", "/t");
    REFUSED("have no '/'", "path_template", "keys/{key_id}", "engine", "transit", "token_file", "/t");
    REFUSED("mount: want", "mount", "a/../b", "token_file", "/t");
    REFUSED("role_id_file=", "auth", "approle");
    REFUSED("are for auth=approle", "token_file", "/t", "secret_id_file", "/s");
    REFUSED("wants cert=", "auth", "cert");
    REFUSED("belong together", "token_file", "/t", "cert", "/c");
    REFUSED("wants role=", "auth", "kubernetes");
    REFUSED("are two fields", "token_file", "/t", "field", "public_key");
    REFUSED("use https", "url", "http://vault.example", "token_file", "/t");
    REFUSED("a query", "url", "https://vault.example/?a=b", "token_file", "/t");
    REFUSED("token_file=", "url", "https://me:pw@vault.example/", "token_file", "/t");
    REFUSED("connect_timeout", "token_file", "/t", "connect_timeout", "0");
    self =
        OPEN("url", "https://vault.example:8200/", "token_file", "/nonexistent/t", "path_template", "a/x-{key_id}.k");
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "a token that is not there yet");
    ok(says("/nonexistent"), "says where it looked");
    is_int(ops->can(self), TENUO_RESOLVER_EXPORTS, "can all with keys");
    ops->close(self);
    self = OPEN("url", "https://vault.example/", "token_file", "/t", "path_template", "keys/{key_id}/seed");
    is_int(ops->can(self), TENUO_RESOLVER_EXPORTS | TENUO_RESOLVER_NO_LIST, "ids amid a path cannot be listed");
    ops->close(self);
}

/* ---- through the library ---- */

static void must(int r, const struct tenuo_error *err, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d %s\n", what, r, err->msg);
    exit(1);
}

static struct tenuo_ctx *open_ctx(const char *engine)
{
    char conf[4 * PATH_MAX];
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err = { 0 };
    snprintf(conf, sizeof conf,
             "set plugin_dir %s\ntrust required file path=%s\nresolver required vault url=%s ca=%s engine=%s "
             "token_file=%s timeout=10s\n",
             stage_path("plugins"), stage_path("roots.pub"), dev.url, dev.ca, engine, root_token);
    stage_text("tenuo.conf", conf);
    struct tenuo_open_options options = { .size = sizeof options, .conf = stage_path("tenuo.conf") };
    must(tenuo_open("test", &options, &ctx, &err), &err, "open");
    return ctx;
}

static struct tenuo_stack *warrant_for(const struct tenuo_signer *root, const uint8_t holder[32])
{
    struct tenuo_mint *mint = NULL;
    struct tenuo_stack *stack = NULL;
    struct tenuo_error err = { 0 };
    must(tenuo_mint_root(&mint, &err), &err, "mint");
    must(tenuo_mint_add_tool(mint, "read_file", 9, NULL, &err), &err, "tool");
    must(tenuo_mint_set_holder(mint, holder, &err), &err, "holder");
    tenuo_mint_set_ttl(mint, 86400);
    must(tenuo_mint_sign(mint, root, NOW - 60, &stack, &err), &err, "sign");
    tenuo_mint_free(mint);
    return stack;
}

/* Signs a call with the context's key and asks the context: the decision's code. */
static int decide(struct tenuo_ctx *ctx, const char *id, const struct tenuo_stack *stack, const uint8_t *holder)
{
    struct tenuo_signer *signer = NULL;
    struct tenuo_request *q = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_decision *d = NULL;
    struct tenuo_error err = { 0 };
    uint8_t pop[64], wire[4096];
    size_t len = sizeof wire;
    int r = tenuo_ctx_signer(ctx, id, 0, holder, &signer, &err);
    if (r != TENUO_OK)
        return r;
    must(tenuo_args_new(&args, &err), &err, "args");
    r = tenuo_pop_sign(signer, tenuo_stack_leaf(stack), "read_file", 9, args, NOW, pop, &err);
    tenuo_signer_free(signer);
    must(tenuo_request_new("read_file", 9, &q, &err), &err, "request");
    must(tenuo_request_set_args(q, args, &err), &err, "set args");
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &len, &err), &err, "encode");
    if (r == TENUO_OK) {
        tenuo_request_set_pop(q, pop);
        r = tenuo_ctx_authorize_at(ctx, wire, len, q, NOW, &d, &err);
        r = r != TENUO_OK ? r : tenuo_decision_code(d);
    }
    tenuo_decision_free(d);
    tenuo_request_free(q);
    tenuo_args_free(args);
    return r;
}

static int decide_in_child(struct tenuo_ctx *ctx, const struct tenuo_stack *stack)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(decide(ctx, "agent", stack, NULL) == TENUO_OK ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void *resolve(void *arg)
{
    struct tenuo_signer *signer = NULL;
    struct tenuo_error err = { 0 };
    int r = tenuo_ctx_signer(arg, "agent", 0, NULL, &signer, &err);
    tenuo_signer_free(signer);
    return r == TENUO_OK ? arg : NULL;
}

/* Requests that Vault's own audit device wrote down for a path. */
static int audited(const char *path)
{
    char want[256];
    size_t len = 0;
    int n = 0;
    char *text = stage_read(stage_path("audit.log"), &len);
    snprintf(want, sizeof want, "\"path\":\"%s\"", path);
    for (char *line = text != NULL ? strtok(text, "\n") : NULL; line != NULL; line = strtok(NULL, "\n"))
        n += strstr(line, want) != NULL && strstr(line, "\"type\":\"request\"") != NULL;
    free(text);
    return n;
}

/* A hundred threads of a program that has just started. */
static void single_flight(struct tenuo_ctx *ctx, const char *path)
{
    pthread_t threads[THREADS];
    int good = 0, before = audited(path);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, resolve, ctx) != 0)
            exit(1);
    for (int i = 0; i < THREADS; i++) {
        void *got = NULL;
        pthread_join(threads[i], &got);
        good += got != NULL;
    }
    is_int(good, THREADS, "a hundred threads get the key");
    is_int(audited(path) - before, 1, "for what one costs: requests of %s", path);
}

static void in_the_library(const char *engine, const char *path, const struct tenuo_signer *root)
{
    uint8_t first[32], second[32];
    uint32_t v = 0;
    struct tenuo_signer *signer = NULL;
    struct tenuo_error err = { 0 };
    struct tenuo_ctx *ctx = open_ctx(engine);
    is_int(tenuo_store_generate(ctx, "vault", "agent", first, &v, &err), TENUO_OK, "%s: generate: %s", engine, err.msg);
    struct tenuo_stack *old = warrant_for(root, first);
    tenuo_ctx_unref(ctx);
    ctx = open_ctx(engine);
    single_flight(ctx, path);
    is_int(decide(ctx, "agent", old, NULL), TENUO_OK, "%s: a call is allowed", engine);
    is_int(decide_in_child(ctx, old), 0, "%s: likewise in a forked child", engine);
    is_int(decide(ctx, "agent", old, NULL), TENUO_OK, "%s: and then again here", engine);
    is_int(tenuo_store_rotate(ctx, "vault", "agent", NULL, second, &v, &err), TENUO_OK, "%s: rotate: %s", engine,
           err.msg);
    struct tenuo_stack *new = warrant_for(root, second);
    is_int(decide(ctx, "agent", new, second), TENUO_OK, "%s: the new key's calls", engine);
    is_int(decide(ctx, "agent", old, first), TENUO_OK, "%s: and the old one's, by the holder", engine);
    is_int(tenuo_store_signer(ctx, "vault", "agent@1", &signer, &err), TENUO_OK, "%s: the old version by number",
           engine);
    ok(memcmp(tenuo_signer_public_key(signer), first, 32) == 0, "is what it was");
    tenuo_signer_free(signer);
    is_int(decide(ctx, "agent", old, tenuo_signer_public_key(root)), TENUO_E_HOLDER_MISMATCH, "%s: another holder",
           engine);
    is_int(tenuo_store_remove(ctx, "vault", "agent", &err), TENUO_OK, "%s: remove: %s", engine, err.msg);
    is_int(decide(ctx, "agent", new, NULL), TENUO_E_KEY_NOT_FOUND, "%s: no key", engine);
    tenuo_stack_free(old);
    tenuo_stack_free(new);
    tenuo_ctx_unref(ctx);
}

static void through_the_library(const char *plugins)
{
    char path[4096], hex[66];
    uint8_t seed[32] = { 1 };
    struct tenuo_signer *root = NULL;
    struct tenuo_error err = { 0 };
    snprintf(path, sizeof path, "%s/tenuo_vault.so", plugins);
    stage_mkdir("plugins", 0755);
    stage_copy(path, "plugins/tenuo_vault.so", 0755);
    must(tenuo_signer_from_seed(seed, &root, &err), &err, "root");
    sodium_bin2hex(hex, sizeof hex, tenuo_signer_public_key(root), 32);
    stage_text("roots.pub", hex);
    in_the_library("kv2", "secret/data/tenuo/keys/agent", root);
    in_the_library("transit", "transit/keys/agent", root);
    tenuo_signer_free(root);
}

static void prepare(void)
{
    char body[PATH_MAX + 64];
    vault_must(&dev, "POST", "sys/mounts/transit", "{\"type\":\"transit\"}");
    vault_must(&dev, "POST", "sys/mounts/kv", "{\"type\":\"kv\",\"options\":{\"version\":\"1\"}}");
    snprintf(body, sizeof body, "{\"type\":\"file\",\"options\":{\"file_path\":\"%s\"}}", stage_path("audit.log"));
    vault_must(&dev, "PUT", "sys/audit/file", body);
    snprintf(root_token, sizeof root_token, "%s", stage_write("token", "root\n", 5, 0600));
}

/* How long a first look-up takes, with its connection and the token's. */
static void latency(void)
{
    uint8_t key[32], sig[64];
    uint32_t v = 0;
    void *self = line_of("transit", NULL, root_token);
    uint64_t began = clock_ms();
    (void)public_key(self, "good", 0, key, &v);
    uint64_t cold = clock_ms() - began;
    began = clock_ms();
    for (int i = 0; i < 20; i++)
        (void)sign(self, "good", v, "x", sig);
    printf("# cold look-up %llu ms, then a signature %.1f ms\n", (unsigned long long)cold,
           (double)(clock_ms() - began) / 20);
    ops->close(self);
}

int main(int argc, char **argv)
{
    char program[PATH_MAX];
    env_begin(argc, argv);
    arguments();
    if (!vault_find(program)) {
        skip_test("a real Vault", "tests/services/install_vault.sh has not built one: ./dev test does");
    } else if (!ok(vault_start_dev(&dev, program), "Vault")) {
        vault_stop(&dev);
    } else {
        prepare();
        life("kv2", NULL);
        life("kv1", "kv");
        life("transit", NULL);
        corrupt_kv();
        wrong_transit();
        wrong_places();
        permissions();
        through_the_library(argc > 1 ? argv[1] : ".");
        latency();
        vault_stop(&dev);
    }
    stage_end();
    return done_testing();
}
