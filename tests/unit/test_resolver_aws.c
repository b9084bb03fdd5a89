/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver aws against moto, which checks signatures and policies: the life of a key in each service, who may do what,
 * and what else may lie where a key should be. Arguments: the folder of plugins, tests/services/moto_server.py.
 */
#include "aws_env.h"

struct listing {
    const char *want;
    int n, found;
    struct tenuo_key_entry entry;
};

static int each(void *arg, const struct tenuo_key_entry *entry)
{
    struct listing *l = arg;
    l->n++;
    if (strcmp(entry->id, l->want) == 0) {
        l->found++;
        l->entry = *entry;
    }
    return 0;
}

static struct listing list(void *self, const char *want, int code)
{
    struct listing l = { .want = want };
    begin();
    is_int(ops->list(self, each, &l), code, "list: %s", mock_said);
    return l;
}

static int removal(void *self, const char *id, uint32_t version)
{
    begin();
    return ops->remove(self, id, version);
}

static int described(void *self, const char *id, uint32_t version, struct tenuo_key_entry *e)
{
    *e = (struct tenuo_key_entry){ .size = sizeof *e };
    begin();
    return ops->describe(self, id, version, e);
}

/* ---- one key, from birth to removal ---- */

static void provision(void *self, uint8_t key[32])
{
    uint8_t other[32];
    uint32_t version = 99;
    moto_as("admin");
    is_int(generate(self, "agent", 0, key, &version), TENUO_OK, "provision: %s", mock_said);
    is_int(version, 1, "version 1");
    is_int(generate(self, "agent", 0, other, &version), TENUO_E_KEY_CONFLICT, "not twice");
    is_int(public_key(self, "agent", 0, other, &version), TENUO_OK, "public key: %s", mock_said);
    ok(memcmp(other, key, 32) == 0 && version == 1, "the one that was made");
    is_int(exported(self, "agent", 1, other), TENUO_OK, "export: %s", mock_said);
    ok(memcmp(other, key, 32) == 0, "the seed is of that key");
    is_int(public_key(self, "none", 0, other, &version), TENUO_E_KEY_NOT_FOUND, "no such key");
    is_int(exported(self, "none", 0, other), TENUO_E_KEY_NOT_FOUND, "no such key to export: %s", mock_said);
    is_int(public_key(self, "agent", 7, other, &version), TENUO_E_KEY_NOT_FOUND, "no such version: %s", mock_said);
    is_int(exported(self, "agent", 7, other), TENUO_E_KEY_NOT_FOUND, "nor its seed");
    is_int(generate(self, "none", TENUO_STORE_NEW_VERSION, other, &version), TENUO_E_KEY_NOT_FOUND,
           "nothing to rotate: %s", mock_said);
}

/* `open_public`: the public key needs no right at all (a file beside). */
static void rights(void *self, const uint8_t key[32], bool open_public)
{
    uint8_t other[32];
    uint32_t version = 0;
    moto_as("sign");
    is_int(public_key(self, "agent", 0, other, &version), TENUO_OK, "who may sign gets the public key: %s", mock_said);
    is_int(exported(self, "agent", version, other), TENUO_OK, "and the seed: %s", mock_said);
    ok(memcmp(other, key, 32) == 0, "of the same key");
    is_int(generate(self, "agent2", 0, other, &version), TENUO_E_KEY_DENIED, "but makes no keys");
    sentence("IAM");
    moto_as("public");
    is_int(public_key(self, "agent", 0, other, &version), TENUO_OK, "who may see public keys gets it: %s", mock_said);
    ok(memcmp(other, key, 32) == 0, "the same");
    is_int(exported(self, "agent", 0, other), TENUO_E_KEY_DENIED, "and not the seed");
    sentence("IAM");
    moto_as("nobody");
    is_int(public_key(self, "agent", 0, other, &version), open_public ? TENUO_OK : TENUO_E_KEY_DENIED,
           "who may nothing: %s", mock_said);
    is_int(exported(self, "agent", 0, other), TENUO_E_KEY_DENIED, "gets no seed");
}

static void signatures(void *self)
{
    uint8_t other[32];
    moto_as("sign");
    setenv("AWS_SECRET_ACCESS_KEY", "of/another+key", 1);
    is_int(exported(self, "agent", 0, other), TENUO_E_KEY_DENIED, "the secret of another access key");
    sentence("SignatureDoesNotMatch");
    setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN", 1);
    is_int(exported(self, "agent", 0, other), TENUO_E_KEY_DENIED, "an unknown access key");
    sentence("access key");
    moto_as("role");
    is_int(exported(self, "agent", 0, other), TENUO_OK, "a role's keys with their session token: %s", mock_said);
    setenv("AWS_SESSION_TOKEN", "of/another==", 1);
    is_int(exported(self, "agent", 0, other), TENUO_E_KEY_DENIED, "and with another's token");
    moto_as("admin");
}

static void rotation(void *self, const uint8_t old[32], bool single_removal, bool dated)
{
    uint8_t key[32], other[32], seed[32];
    uint32_t version = 0;
    struct tenuo_key_entry e;
    is_int(generate(self, "agent", TENUO_STORE_NEW_VERSION, key, &version), TENUO_OK, "rotate: %s", mock_said);
    ok(version == 2 && memcmp(key, old, 32) != 0, "to version 2");
    is_int(public_key(self, "agent", 0, other, &version), TENUO_OK, "newest: %s", mock_said);
    ok(version == 2 && memcmp(other, key, 32) == 0, "is the new one");
    is_int(public_key(self, "agent", 1, other, &version), TENUO_OK, "version 1: %s", mock_said);
    ok(version == 1 && memcmp(other, old, 32) == 0, "is the old one");
    is_int(exported(self, "agent", 1, other), TENUO_OK, "and can be signed with: %s", mock_said);
    ok(memcmp(other, old, 32) == 0, "the old seed");
    is_int(exported(self, "agent", 2, other), TENUO_OK, "version 2 by its number");
    ok(memcmp(other, key, 32) == 0, "the new seed");
    randombytes_buf(seed, sizeof seed);
    begin();
    is_int(ops->import(self, "agent", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_OK, "import a third: %s",
           mock_said);
    public_of(seed, key);
    is_int(exported(self, "agent", 0, other), TENUO_OK, "export it");
    ok(version == 3 && memcmp(other, key, 32) == 0, "as it was given");
    is_int(described(self, "agent", 0, &e), TENUO_OK, "describe: %s", mock_said);
    ok(e.version == 3 && e.oldest == 1 && e.newest == 3 && e.has_public_key && memcmp(e.public_key, key, 32) == 0,
       "version 3 of 1 to 3: %u %u %u %s", e.version, e.oldest, e.newest, e.note);
    ok(dated == (e.created_at > time(NULL) - 600 && e.created_at < time(NULL) + 600), "with its time: %lld",
       (long long)e.created_at);
    struct listing l = list(self, "agent", TENUO_OK);
    ok(l.found == 1 && l.entry.version == 3 && l.entry.has_public_key && memcmp(l.entry.public_key, key, 32) == 0,
       "listed once, with the newest (%d, %u)", l.found, l.entry.version);
    is_int(removal(self, "agent", 3), TENUO_E_INVALID_ARGUMENT, "the newest alone cannot go: %s", mock_said);
    is_int(removal(self, "agent", 1), single_removal ? TENUO_OK : TENUO_E_INVALID_ARGUMENT, "remove an old one: %s",
           mock_said);
    is_int(public_key(self, "agent", 1, other, &version), single_removal ? TENUO_E_KEY_NOT_FOUND : TENUO_OK,
           "is as said");
    is_int(public_key(self, "agent", 2, other, &version), TENUO_OK, "the other stays: %s", mock_said);
    if (!single_removal)
        return;
    is_int(removal(self, "agent", 2), TENUO_OK, "remove it, too: %s", mock_said);
    is_int(public_key(self, "agent", 0, other, &version), TENUO_OK, "what is left: %s", mock_said);
    ok(version == 3 && memcmp(other, key, 32) == 0, "keeps its number (%u)", version);
    is_int(public_key(self, "agent", 1, other, &version), TENUO_E_KEY_NOT_FOUND, "and takes no other");
    is_int(generate(self, "agent", TENUO_STORE_NEW_VERSION, other, &version), TENUO_OK, "rotate: %s", mock_said);
    is_int(version, 4, "no number is given twice");
}

static void removed(void *self)
{
    uint8_t other[32];
    uint32_t version = 0;
    moto_as("sign");
    is_int(removal(self, "agent", 0), TENUO_E_KEY_DENIED, "not everybody may remove");
    moto_as("admin");
    is_int(removal(self, "agent", 0), TENUO_OK, "remove: %s", mock_said);
    is_int(public_key(self, "agent", 0, other, &version), TENUO_E_KEY_NOT_FOUND, "gone");
    is_int(exported(self, "agent", 2, other), TENUO_E_KEY_NOT_FOUND, "with its versions");
    is_int(list(self, "agent", TENUO_OK).found, 0, "listed no more");
    is_int(removal(self, "agent", 0), TENUO_E_KEY_NOT_FOUND, "not twice: %s", mock_said);
}

static void life(const char *line, bool single_removal, bool open_public)
{
    void *self = over_front(line);
    uint8_t key[32] = { 0 };
    printf("# %s\n", line);
    is_int(ops->can(self), TENUO_RESOLVER_EXPORTS, "hands out seeds");
    provision(self, key);
    rights(self, key, open_public);
    signatures(self);
    rotation(self, key, single_removal, !open_public);
    if (!open_public)
        removed(self);
    else {
        is_int(removal(self, "agent", 0), TENUO_OK, "remove: %s", mock_said);
        is_int(exported(self, "agent", 0, key), TENUO_E_KEY_NOT_FOUND, "gone");
    }
    ops->close(self);
}

/* ---- what else may lie there ---- */

static void is_invalid(void *self, const char *id, const char *what)
{
    uint8_t key[32];
    uint32_t version;
    is_int(exported(self, id, 0, key), TENUO_E_KEY_INVALID, "%s", what);
    sentence(id);
    is_int(public_key(self, id, 0, key, &version), TENUO_E_KEY_INVALID, "its public key as well");
}

static void put_secret(const char *name, const char *member, json_t *value)
{
    moto_aws("secretsmanager", "create_secret", json_pack("{ss so}", "Name", name, member, value));
}

static json_t *b64(const void *bytes, size_t n)
{
    char text[4096];
    sodium_bin2base64(text, sizeof text, bytes, n, sodium_base64_VARIANT_ORIGINAL);
    return json_pack("{ss}", "b64", text);
}

static void secrets_by_hand(void)
{
    void *self = over_front("prefix=hand/ recovery=0");
    uint8_t seed[32], want[32], key[32];
    char text[64];
    uint32_t version = 9;
    randombytes_buf(seed, sizeof seed);
    public_of(seed, want);
    sodium_bin2base64(text, sizeof text, seed, sizeof seed, sodium_base64_VARIANT_ORIGINAL);
    moto_as("admin");
    put_secret("hand/binary", "SecretBinary", b64(seed, 32));
    put_secret("hand/text", "SecretString", json_string(text));
    put_secret("hand/short", "SecretBinary", b64(seed, 31));
    put_secret("hand/word", "SecretString", json_string("correct horse"));
    put_secret("hand/json", "SecretString", json_string("{\"key\": \"\\u0041\"}"));
    put_secret("hand/mine", "SecretString", json_string("tenuo-1-\r\n"));
    is_int(exported(self, "binary", 0, key), TENUO_OK, "32 raw bytes that somebody stored: %s", mock_said);
    ok(memcmp(key, want, 32) == 0, "are a seed");
    is_int(public_key(self, "text", 0, key, &version), TENUO_OK, "base64 as the reference has it: %s", mock_said);
    ok(memcmp(key, want, 32) == 0 && version == 0, "with its public key, and no number");
    is_invalid(self, "short", "31 bytes");
    is_invalid(self, "word", "a password");
    is_invalid(self, "json", "some JSON");
    is_invalid(self, "mine", "a text with a newline");
    is_int(generate(self, "text", TENUO_STORE_NEW_VERSION, key, &version), TENUO_OK, "rotates as well: %s", mock_said);
    is_int(version, 2, "to version 2");
    is_int(public_key(self, "text", 1, key, &version), TENUO_OK, "what was there is version 1: %s", mock_said);
    ok(memcmp(key, want, 32) == 0, "unchanged");
    json_t *a = moto_ask(json_pack("{ss ss ss s{ss}}", "do", "aws", "service", "secretsmanager", "call",
                                   "list_secret_version_ids", "args", "SecretId", "hand/text"));
    char *dump = json_dumps(a, 0);
    ok(strstr(dump, "AWSPREVIOUS") == NULL, "and its value has no label any more: %s", dump);
    free(dump);
    json_decref(a);
    /* The vendor's own console puts a new value there, with a VersionId of its own. */
    moto_aws("secretsmanager", "put_secret_value",
             json_pack("{ss so}", "SecretId", "hand/text", "SecretBinary", b64(seed, 32)));
    is_int(public_key(self, "text", 0, key, &version), TENUO_OK, "a value put by hand: %s", mock_said);
    ok(memcmp(key, want, 32) == 0, "counts at once");
    is_int(public_key(self, "text", 2, key, &version), TENUO_OK, "under the number that its siblings leave: %s",
           mock_said);
    ops->close(self);
}

static void secrets_deleted(void)
{
    void *self = over_front("prefix=del/");
    uint8_t key[32];
    uint32_t version;
    moto_as("admin");
    is_int(generate(self, "k", 0, key, &version), TENUO_OK, "a key to be removed");
    is_int(removal(self, "k", 0), TENUO_OK, "removed, with 30 days to bring it back: %s", mock_said);
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "is not 'no such key'");
    sentence("restore-secret");
    is_int(public_key(self, "k", 0, key, &version), TENUO_E_KEY_DENIED, "nor for its public key");
    sentence("scheduled for deletion");
    is_int(removal(self, "k", 0), TENUO_E_KEY_DENIED, "cannot be removed again: %s", mock_said);
    ok(generate(self, "k", 0, key, &version) != TENUO_OK, "nor made again: %s", mock_said);
    moto_aws("secretsmanager", "restore_secret", json_pack("{ss}", "SecretId", "del/k"));
    is_int(exported(self, "k", 0, key), TENUO_OK, "brought back");
    ops->close(self);
}

static void secrets_pages(void)
{
    void *self = over_front("prefix=many/");
    char name[32];
    moto_as("admin");
    for (int i = 0; i < 120; i++) {
        snprintf(name, sizeof name, "many/k%d", i);
        put_secret(name, "SecretString", json_string("x"));
    }
    (void)front_seen("total");
    struct listing l = list(self, "k119", TENUO_OK);
    ok(l.n == 120 && l.found == 1, "a list of several pages (%d)", l.n);
    is_int(front_seen("ListSecrets"), 3, "three of them");
    moto_as("sign");
    (void)list(self, "k119", TENUO_E_KEY_DENIED);
    ops->close(self);
}

static void put_parameter(const char *name, const char *type, const char *value)
{
    moto_aws("ssm", "put_parameter",
             json_pack("{ss ss ss sb}", "Name", name, "Type", type, "Value", value, "Overwrite", 1));
}

static void ssm_by_hand(void)
{
    void *self = over_front("service=ssm");
    uint8_t seed[32], want[32], key[32];
    char text[64];
    uint32_t version = 0;
    struct tenuo_key_entry e;
    randombytes_buf(seed, sizeof seed);
    public_of(seed, want);
    sodium_bin2base64(text, sizeof text, seed, sizeof seed, sodium_base64_VARIANT_ORIGINAL);
    moto_as("admin");
    put_parameter("/tenuo/keys/hand", "SecureString", text);
    put_parameter("/tenuo/keys/clear", "String", text);
    put_parameter("/tenuo/keys/word", "SecureString", "correct horse");
    is_int(public_key(self, "hand", 0, key, &version), TENUO_OK, "a parameter that somebody stored: %s", mock_said);
    ok(memcmp(key, want, 32) == 0 && version == 1, "with its number");
    is_invalid(self, "clear", "a parameter in clear");
    sentence("lies in clear");
    is_invalid(self, "word", "a password");
    for (int i = 0; i < 60; i++)
        put_parameter("/tenuo/keys/hand", "SecureString", text);
    is_int(described(self, "hand", 0, &e), TENUO_OK, "a long history: %s", mock_said);
    ok(e.oldest == 1 && e.newest == 61 && e.version == 61, "of several pages (%u to %u)", e.oldest, e.newest);
    is_int(public_key(self, "hand", 55, key, &version), TENUO_OK, "a version in the middle");
    is_int(version, 55, "is that one");
    ok(list(self, "clear", TENUO_OK).n == 3, "the list has all three");
    ops->close(self);
}

static void copy(const char *from, const char *to)
{
    size_t n = 0;
    char *bytes = stage_read(stage_path(from), &n);
    if (bytes == NULL)
        stage_die(from);
    stage_write(to, bytes, n, 0644);
    free(bytes);
}

static void kms_by_hand(const char *line)
{
    void *self = over_front(line);
    uint8_t key[32], other[32], raw[1024];
    uint32_t version = 0;
    size_t n = 0, raw_len = 0;
    moto_as("admin");
    is_int(generate(self, "one", 0, key, &version), TENUO_OK, "a wrapped key: %s", mock_said);
    copy("kms/one.kms", "kms/two.kms");
    is_invalid(self, "two", "the file of another key id");
    char *text = stage_read(stage_path("kms/one.kms"), &n);
    ok(n > 0 && sodium_base642bin(raw, sizeof raw, text, n, "\n", &raw_len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0,
       "the file is base64");
    stage_write("kms/one.kms", raw, raw_len, 0644);
    is_int(exported(self, "one", 0, other), TENUO_OK, "the bytes themselves open as well: %s", mock_said);
    raw[raw_len - 3] ^= 1;
    stage_write("kms/one.kms", raw, raw_len, 0644);
    is_int(exported(self, "one", 0, other), TENUO_E_KEY_INVALID, "a changed bit: %s", mock_said);
    stage_text("kms/one.kms", "");
    is_int(exported(self, "one", 0, other), TENUO_E_KEY_INVALID, "an empty file: %s", mock_said);
    stage_write("kms/one.kms", text, n, 0666);
    is_int(exported(self, "one", 0, other), TENUO_E_KEY_DENIED, "a file that all can write: %s", mock_said);
    stage_write("kms/one.kms", text, n, 0644);
    free(text);
    unlink(stage_path("kms/one.pub"));
    is_int(public_key(self, "one", 0, other, &version), TENUO_OK, "without ID.pub the seed tells: %s", mock_said);
    ok(memcmp(key, other, 32) == 0, "the same");
    is_int(generate(self, "three", 0, other, &version), TENUO_OK, "another key");
    copy("kms/three.pub", "kms/one.pub");
    is_int(exported(self, "one", 0, other), TENUO_E_KEY_INVALID, "ID.pub of another key: %s", mock_said);
    ops->close(self);
}

static void kms_states(void)
{
    char line[512];
    uint8_t key[32];
    uint32_t version;
    const char *id = json_string_value(json_object_get(json_object_get(moto.about, "keys"), "kms_key"));
    snprintf(line, sizeof line, "service=kms path=%s", stage_path("kms"));
    void *self = over_front(line);
    is_int(generate(self, "four", 0, key, &version), TENUO_E_INVALID_ARGUMENT, "no key to wrap with: %s", mock_said);
    is_int(exported(self, "three", 0, key), TENUO_OK, "reading needs none: %s", mock_said);
    moto_aws("kms", "disable_key", json_pack("{ss}", "KeyId", id));
    int r = exported(self, "three", 0, key);
    if (r == TENUO_OK)
        skip_test("a disabled KMS key", "moto decrypts with it all the same; the front answers so in test_aws_faults");
    else
        is_int(r, TENUO_E_KEY_DENIED, "a disabled KMS key: %s", mock_said);
    moto_aws("kms", "enable_key", json_pack("{ss}", "KeyId", id));
    stage_mkdir("loose", 0777);
    snprintf(line, sizeof line, "service=kms path=%s", stage_path("loose"));
    ops->close(self);
    self = over_front(line);
    is_int(exported(self, "x", 0, key), TENUO_E_KEY_DENIED, "a directory that all can write: %s", mock_said);
    ops->close(self);
    self = over_front("service=kms path=/nonexistent/kms");
    is_int(exported(self, "x", 0, key), TENUO_E_UNAVAILABLE, "no such directory: %s", mock_said);
    ops->close(self);
}

/* ---- KMS signs: moto has no Ed25519 key, so this is against a fake of ours in the front ---- */

static void ed25519(const char *mode)
{
    moto_do(json_pack("{ss ss}", "do", "ed25519", "mode", mode));
}

static void fake_kms_signs(void)
{
    void *self = over_front("service=kms mode=sign");
    uint8_t key[32], other[32], signature[64], long_one[4097] = { 0 };
    uint32_t version = 9;
    moto_as("sign");
    ed25519("ok");
    is_int(ops->can(self), TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_NO_IMPORT, "fake KMS: signs itself, takes no seed");
    is_int(public_key(self, "signer", 0, key, &version), TENUO_OK, "fake KMS: public key: %s", mock_said);
    is_int(version, 0, "fake KMS: without versions");
    begin();
    is_int(ops->sign(self, "signer", 0, (const uint8_t *)"message", 7, signature), TENUO_OK, "fake KMS: signs: %s",
           mock_said);
    is_int(crypto_sign_verify_detached(signature, (const uint8_t *)"message", 7, key), 0, "fake KMS: and it verifies");
    begin();
    is_int(ops->sign(self, "signer", 0, long_one, sizeof long_one, signature), TENUO_E_INVALID_ARGUMENT,
           "fake KMS: too long a message: %s", mock_said);
    begin();
    is_int(ops->sign(self, "signer", 0, long_one, 4096, signature), TENUO_OK, "fake KMS: the longest: %s", mock_said);
    is_int(public_key(self, "nobody", 0, other, &version), TENUO_E_KEY_NOT_FOUND, "fake KMS: no such alias: %s",
           mock_said);
    is_int(public_key(self, "signer", 1, other, &version), TENUO_E_KEY_NOT_FOUND, "fake KMS: no such version");
    is_int(public_key(self, "a.b", 0, other, &version), TENUO_E_KEY_NOT_FOUND,
           "fake KMS: an id that no alias can have");
    is_int(exported(self, "signer", 0, other), TENUO_E_INVALID_ARGUMENT, "fake KMS: hands out nothing: %s", mock_said);
    ed25519("p256");
    is_int(public_key(self, "signer", 0, other, &version), TENUO_E_KEY_INVALID, "fake KMS: a key of another kind: %s",
           mock_said);
    ed25519("off");
    moto_as("root");
    moto_aws("kms", "create_alias",
             json_pack("{ss ss}", "AliasName", "alias/tenuo-other", "TargetKeyId",
                       json_string_value(json_object_get(json_object_get(moto.about, "keys"), "kms_key"))));
    is_int(public_key(self, "other", 0, other, &version), TENUO_E_KEY_INVALID, "moto: an alias of a symmetric key: %s",
           mock_said);
    struct listing l = list(self, "other", TENUO_OK);
    ok(l.n == 1 && l.found == 1 && !l.entry.has_public_key, "moto: aliases of this line are listed (%d): %s", l.n,
       l.entry.note);
    is_int(generate(self, "new", 0, key, &version), TENUO_E_KEY_INVALID, "moto makes no such key: %s", mock_said);
    ops->close(self);
}

/* What a line cannot do, because of its arguments. */
static void abilities(void)
{
    char unwrap[256];
    const unsigned makes = TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_IMPORT;
    snprintf(unwrap, sizeof unwrap, "service=kms path=%s", stage_path("kms"));
    void *self = over_front(unwrap);
    is_int(ops->can(self), TENUO_RESOLVER_EXPORTS | makes, "no key to wrap new ones with");
    ops->close(self);
    self = over_front("service=kms mode=sign key=alias/one");
    is_int(ops->can(self), TENUO_RESOLVER_SIGNS | makes | TENUO_RESOLVER_NO_LIST | TENUO_RESOLVER_NO_REMOVE,
           "one key of KMS, whatever the id");
    ops->close(self);
}

int main(int argc, char **argv)
{
    char kms[256];
    if (!aws_env_begin(argc, argv))
        return done_testing();
    stage_mkdir("kms", 0700);
    snprintf(kms, sizeof kms, "service=kms path=%s kms_key=alias/wrapping", stage_path("kms"));
    life("recovery=0", true, false);
    life("service=ssm", false, false);
    life(kms, true, true);
    secrets_by_hand();
    secrets_deleted();
    secrets_pages();
    ssm_by_hand();
    kms_by_hand(kms);
    kms_states();
    fake_kms_signs();
    abilities();
    return aws_env_end();
}
