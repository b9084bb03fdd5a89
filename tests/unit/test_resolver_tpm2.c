/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver tpm2, as built, with a TPM in software that the test starts: provisioning, versions, policies, the TPM's own
 * tools, what a look at the bus and into the memory shows, and everything that can go wrong with TPM and helper.
 */
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <tenuo/tenuo.h>

#include "../../plugins/tpm2/keyblob.h"
#include "mock_host.h"
#include "swtpm.h"
#include "tap.h"

enum { PATH, TCTI, PARENT, PCRS, AUTH_FILE, AUTH_CREDENTIAL, PARENT_AUTH_FILE, PARENT_AUTH_CREDENTIAL, ARGS };

static const struct tenuo_resolver_ops *ops;
static struct tenuo_host host;
static uint32_t deadline = 8000, version;
static const char *built, *bus_script;

static uint32_t test_deadline(const struct tenuo_host *h)
{
    (void)h;
    return deadline;
}

/* ---- lines ---- */

struct line {
    const char *path, *tcti, *parent, *pcrs, *auth, *parent_auth;
};

static int open_line(const struct line *l, void **ret_self)
{
    struct tenuo_arg a[ARGS] = { 0 };
    a[PATH].value = l->path != NULL ? l->path : stage_path("keys");
    a[TCTI].value = l->tcti != NULL ? l->tcti : swtpm.tcti;
    a[PARENT].value = l->parent;
    a[PCRS].value = l->pcrs;
    a[AUTH_FILE].value = l->auth;
    a[PARENT_AUTH_FILE].value = l->parent_auth;
    mock_said[0] = '\0';
    return ops->open(&host, a, ARGS, ret_self);
}

static void *opened(const struct line *l)
{
    void *self = NULL;
    is_int(open_line(l, &self), TENUO_OK, "opens%s%s", mock_said[0] != '\0' ? ": " : "", mock_said);
    if (self == NULL) {
        printf("Bail out! the line does not open\n");
        exit(1);
    }
    return self;
}

static const struct line plain;

static int export(void *self, const char *id, uint32_t v, uint8_t ret_seed[32])
{
    mock_said[0] = '\0';
    return ops->export_seed(self, id, v, ret_seed);
}

/* A failure has its code, a sentence with a word in it, and leaves the output alone. */
static void fails(void *self, const char *id, int want, const char *word, const char *what)
{
    uint8_t seed[32], before[32];
    memset(seed, 0x55, sizeof seed);
    memcpy(before, seed, sizeof before);
    int r = export(self, id, 0, seed);
    is_int(r, want, "%s", what);
    ok(memcmp(seed, before, 32) == 0, "the output is untouched");
    if (!ok(strstr(mock_said, word) != NULL, "it says '%s'", word))
        printf("#   %s\n", mock_said);
    else
        printf("# %d %s\n", r, mock_said);
}

static void fails_with(const struct line *l, const char *id, int want, const char *word, const char *what)
{
    void *self = opened(l);
    fails(self, id, want, word, what);
    ops->close(self);
}

static void works_with(const struct line *l, const char *id, const char *what)
{
    uint8_t seed[32];
    void *self = opened(l);
    int r = export(self, id, 0, seed);
    if (!is_int(r, TENUO_OK, "%s", what))
        printf("#   %s\n", mock_said);
    sodium_memzero(seed, sizeof seed);
    ops->close(self);
}

static void make(const struct line *l, const char *id)
{
    uint8_t key[32];
    void *self = opened(l);
    mock_said[0] = '\0';
    if (!is_int(ops->generate(self, id, 0, key, &version), TENUO_OK, "generate %s", id))
        printf("#   %s\n", mock_said);
    ops->close(self);
}

/* Paths that lines keep: the stage's own are overwritten. */
static const char *keep(const char *path)
{
    static char kept[64][160];
    static size_t n;
    char *p = kept[n++ % 64];
    snprintf(p, sizeof kept[0], "%s", path);
    return p;
}

static const char *secret_file(const char *name, const char *text)
{
    return keep(stage_write(name, text, strlen(text), 0600));
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    return stat(stage_path(name), &st) == 0 ? st.st_mode & 07777 : 0;
}

/* ---- provisioning and versions ---- */

static int listed;
static struct tenuo_key_entry last;

static int each(void *arg, const struct tenuo_key_entry *entry)
{
    (void)arg;
    listed++;
    last = *entry;
    return 0;
}

static bool is_pair(const uint8_t seed[32], const uint8_t key[32])
{
    uint8_t secret[64], public[32];
    crypto_sign_seed_keypair(public, secret, seed);
    sodium_memzero(secret, sizeof secret);
    return memcmp(public, key, 32) == 0;
}

static void provisioning(void)
{
    uint8_t key[32], again[32], seed[32], ones[32];
    void *self = opened(&plain);
    uint64_t t = test_ms();
    is_int(ops->generate(self, "agent-1", 0, key, &version), TENUO_OK, "generate");
    printf("# sealing takes %d ms\n", (int)(test_ms() - t));
    is_int(version, 1, "the first version");
    is_int(mode_of("keys/agent-1.tss"), 0600, "the sealed key is the owner's");
    is_int(mode_of("keys/agent-1.pub"), 0644, "the public key is for all");
    is_int(ops->public_key(self, "agent-1", 0, again, &version), TENUO_OK, "its public key");
    ok(memcmp(key, again, 32) == 0 && version == 1, "is what generate said");
    t = test_ms();
    is_int(export(self, "agent-1", 0, seed), TENUO_OK, "its seed");
    printf("# unsealing takes %d ms\n", (int)(test_ms() - t));
    ok(is_pair(seed, key), "belongs to the public key");
    is_int(ops->generate(self, "agent-1", 0, again, &version), TENUO_E_KEY_CONFLICT, "no key is written over");
    memset(ones, 1, sizeof ones);
    is_int(ops->import(self, "agent-1", 0, ones, &version), TENUO_E_KEY_CONFLICT, "nor by import");
    is_int(ops->import(self, "in", 0, ones, &version), TENUO_OK, "import");
    is_int(export(self, "in", 0, seed), TENUO_OK, "what was imported");
    ok(memcmp(seed, ones, 32) == 0, "comes back");
    is_int(ops->generate(self, ".hidden", 0, again, &version), TENUO_E_INVALID_ARGUMENT, "no hidden ids");
    listed = 0;
    is_int(ops->list(self, each, NULL), TENUO_OK, "list");
    is_int(listed, 2, "two keys");
    is_int(ops->describe(self, "in", 0, &last), TENUO_OK, "describe");
    ok(strcmp(last.id, "in") == 0 && last.has_public_key && last.version == 1 && last.created_at > 1700000000,
       "all said");
    is_str(last.note, "sealed under 0x40000001", "the note");
    fails(self, "nobody", TENUO_E_KEY_NOT_FOUND, "nobody.tss: no such file", "not found");
    ops->close(self);
}

static void rotation(void)
{
    uint8_t first[32], second[32], seed[32], key[32];
    void *self = opened(&plain);
    is_int(ops->generate(self, "turn", TENUO_STORE_NEW_VERSION, second, &version), TENUO_E_KEY_NOT_FOUND,
           "no newer version of nothing");
    is_int(ops->generate(self, "turn", 0, first, &version), TENUO_OK, "generate");
    is_int(ops->generate(self, "turn", TENUO_STORE_NEW_VERSION, second, &version), TENUO_OK, "rotate");
    is_int(version, 2, "the second version");
    ok(memcmp(first, second, 32) != 0, "is another key");
    is_int(export(self, "turn", 1, seed), TENUO_OK, "the old one can be had");
    ok(is_pair(seed, first), "and is the old one");
    is_int(export(self, "turn", 2, seed), TENUO_OK, "the new one by its number");
    ok(is_pair(seed, second), "is the new one");
    is_int(ops->public_key(self, "turn", 1, key, &version), TENUO_OK, "the old public key");
    ok(version == 1 && memcmp(key, first, 32) == 0, "under its number");
    is_int(export(self, "turn", 3, seed), TENUO_E_KEY_NOT_FOUND, "no third one");
    is_int(ops->describe(self, "turn", 0, &last), TENUO_OK, "describe");
    ok(last.version == 2 && last.oldest == 1 && last.newest == 2, "says which there are");
    is_int(ops->import(self, "turn", TENUO_STORE_NEW_VERSION, seed, &version), TENUO_OK, "rotate by import");
    is_int(ops->remove(self, "turn", 3), TENUO_E_INVALID_ARGUMENT, "the newest cannot go alone");
    is_int(ops->remove(self, "turn", 1), TENUO_OK, "the oldest can");
    is_int(export(self, "turn", 1, seed), TENUO_E_KEY_NOT_FOUND, "and is gone");
    is_int(export(self, "turn", 3, seed), TENUO_OK, "the numbers stay");
    is_int(ops->remove(self, "turn", 2), TENUO_OK, "the last older one goes");
    is_int(export(self, "turn", 1, seed), TENUO_E_KEY_NOT_FOUND, "no number comes to mean another key");
    is_int(export(self, "turn", 2, seed), TENUO_E_KEY_NOT_FOUND, "neither does this one");
    is_int(ops->public_key(self, "turn", 0, key, &version), TENUO_OK, "the newest");
    is_int(version, 3, "keeps its own");
    is_int(ops->generate(self, "turn", TENUO_STORE_NEW_VERSION, key, &version), TENUO_OK, "rotate again");
    is_int(version, 4, "the next number");
    is_int(export(self, "turn", 3, seed), TENUO_OK, "and the one before under its own");
    is_int(ops->remove(self, "turn", 3), TENUO_OK, "remove it");
    is_int(ops->remove(self, "turn", 4), TENUO_OK, "the newest can go when it is alone");
    is_int(ops->describe(self, "turn", 0, &last), TENUO_E_KEY_NOT_FOUND, "nothing there");
    is_int(ops->generate(self, "turn", 0, key, &version), TENUO_OK, "a new key of that id");
    is_int(version, 1, "begins with 1");
    is_int(ops->remove(self, "turn", 0), TENUO_OK, "all of them");
    is_int(ops->remove(self, "turn", 0), TENUO_E_KEY_NOT_FOUND, "once");
    ok(mode_of("keys/turn.pub") == 0 && mode_of("keys/turn@2.tss") == 0 && mode_of("keys/turn@3.was") == 0,
       "nothing left");
    ops->close(self);
}

/* ---- other readers and writers of the files ---- */

/* Takes the DER of FILE apart with openssl: pub and priv become files that tpm2_load takes. */
static int take_apart(const char *file)
{
    return tool("openssl asn1parse -in %s >asn1 && "
                "set -- $(awk -F: '/d=1 .*OCTET STRING/ { print $1 }' asn1) && [ $# = 2 ] && "
                "openssl asn1parse -in %s -strparse $1 -noout -out o.pub 2>/dev/null; "
                "openssl asn1parse -in %s -strparse $2 -noout -out o.priv 2>/dev/null; "
                "cat asn1; [ -s o.pub ] && [ -s o.priv ]",
                file, file, file);
}

#define PRIMARY \
    "tpm2_createprimary -Q -C o -g sha256 -G ecc -a " \
    "'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda' -c p.ctx; fl"

static void der(void)
{
    make(&plain, "form");
    is_int(take_apart("keys/form.tss"), 0, "openssl reads the DER");
    const char *text = tool_said();
    ok(strstr(text, ":2.23.133.10.1.5") != NULL, "id-sealedkey");
    ok(strstr(text, "cont [ 0 ]") != NULL && strstr(text, "BOOLEAN           :255") != NULL, "emptyAuth TRUE");
    ok(strstr(text, "cont [ 1 ]") == NULL, "no policy");
    ok(strstr(text, "INTEGER           :40000001") != NULL, "parent");
    struct line bound = { .pcrs = "sha256:0,7", .auth = secret_file("auth", "open sesame\n"), .parent = "0x81000001" };
    is_int(tool(PRIMARY " && tpm2_evictcontrol -Q -C o -c p.ctx 0x81000001"), 0, "a persistent parent");
    make(&bound, "form2");
    is_int(take_apart("keys/form2.tss"), 0, "openssl reads it too");
    text = tool_said();
    ok(strstr(text, "cont [ 0 ]") != NULL && strstr(text, "BOOLEAN") == NULL, "emptyAuth absent");
    ok(strstr(text, "INTEGER           :017F") != NULL, "PolicyPCR");
    ok(strstr(text, "INTEGER           :016B") != NULL, "PolicyAuthValue");
    ok(strstr(text, "[HEX DUMP]:0020") != NULL && strstr(text, "00000001000B03810000") != NULL, "digest and selection");
    ok(strstr(text, "INTEGER           :81000001") != NULL, "parent");
    works_with(&bound, "form2", "a key with everything");
}

static bool unsealed_is(const char *name, void *self, const char *id)
{
    uint8_t seed[32];
    size_t len = 0;
    char *bytes = stage_read(stage_path(name), &len);
    bool same = bytes != NULL && len == 32 && export(self, id, 0, seed) == TENUO_OK && memcmp(bytes, seed, 32) == 0;
    free(bytes);
    return same;
}

static void tools_read_ours(void)
{
    void *self = opened(&plain);
    is_int(take_apart("keys/agent-1.tss"), 0, "its parts");
    is_int(tool(PRIMARY "; tpm2_load -Q -C p.ctx -u o.pub -r o.priv -c o.ctx && tpm2_unseal -c o.ctx -o theirs; "
                        "r=$?; fl; exit $r"),
           0, "tpm2_load takes the parts of our file, tpm2_unseal the seed");
    ok(unsealed_is("theirs", self, "agent-1"), "the same seed");
    if (tool(PRIMARY "; tpm2_load -Q -C p.ctx -r keys/agent-1.tss -c o.ctx && tpm2_unseal -c o.ctx -o theirs2; "
                     "r=$?; fl; exit $r") == 0)
        ok(unsealed_is("theirs2", self, "agent-1"), "tpm2_load takes our file as it is");
    else
        printf("# these tools do not load the file itself, only its parts: %.*s\n", (int)strcspn(tool_said(), "\n"),
               tool_said());
    ops->close(self);
}

/* Files of tpm2_encodeobject say the contrary of what the draft means with emptyAuth. */
static void we_read_theirs(void)
{
    void *self = opened(&plain);
    struct line with = { .auth = secret_file("auth2", "secret") };
    is_int(tool("head -c 32 /dev/urandom >seed; " PRIMARY "; "
                "tpm2_create -Q -C p.ctx -i seed -u s.pub -r s.priv && "
                "tpm2_encodeobject -Q -C p.ctx -u s.pub -r s.priv -o keys/tool.tss; "
                "r=$?; fl; chmod 600 keys/tool.tss; exit $r"),
           0, "tpm2_create and tpm2_encodeobject");
    ok(unsealed_is("seed", self, "tool"), "we read it");
    is_int(tool("tpm2_create -Q -C 0x81000001 -i seed -u s.pub -r s.priv -p secret && "
                "tpm2_encodeobject -Q -C 0x81000001 -p -u s.pub -r s.priv -o keys/tool2.tss; "
                "r=$?; fl; chmod 600 keys/tool2.tss; exit $r"),
           0, "the same with an authorization value, under a persistent parent");
    ops->close(self);
    self = opened(&with);
    ok(unsealed_is("seed", self, "tool2"), "we read it");
    ops->close(self);
    is_int(tool("tpm2_createpolicy -Q --policy-pcr -l sha256:16 -L pol && "
                "tpm2_create -Q -C 0x81000001 -i seed -u s.pub -r s.priv -L pol -a 'fixedtpm|fixedparent' && "
                "tpm2_encodeobject -Q -C 0x81000001 -u s.pub -r s.priv -o keys/tool3.tss; "
                "r=$?; fl; chmod 600 keys/tool3.tss; exit $r"),
           0, "the same with a PCR policy, which the file does not state");
    fails_with(&plain, "tool3", TENUO_E_KEY_DENIED, "pcrs=", "it needs the line's");
    struct line bound = { .pcrs = "sha256:16" };
    self = opened(&bound);
    ok(unsealed_is("seed", self, "tool3"), "we read it");
    ops->close(self);
    is_int(tool("tpm2_create -Q -C 0x81000001 -G ecc -u s.pub -r s.priv && "
                "tpm2_encodeobject -Q -C 0x81000001 -u s.pub -r s.priv -o keys/ecc.tss; "
                "r=$?; fl; chmod 600 keys/ecc.tss; exit $r"),
           0, "a signing key of the TPM");
    fails_with(&plain, "ecc", TENUO_E_KEY_INVALID, "not sealed data", "wrong type");
    is_int(tool("echo hello | tpm2_create -Q -C 0x81000001 -i - -u s.pub -r s.priv && "
                "tpm2_encodeobject -Q -C 0x81000001 -u s.pub -r s.priv -o keys/hello.tss; "
                "r=$?; fl; chmod 600 keys/hello.tss; exit $r"),
           0, "another kind of secret");
    fails_with(&plain, "hello", TENUO_E_KEY_INVALID, "holds 6 bytes", "wrong type");
}

/* ---- policies ---- */

static void pcrs(void)
{
    struct line bound = { .pcrs = "sha256:16" };
    make(&bound, "pcr");
    works_with(&plain, "pcr", "the file says which PCRs");
    is_int(tool("tpm2_pcrextend 16:sha256=%064d", 1), 0, "a PCR changes");
    fails_with(&plain, "pcr", TENUO_E_KEY_DENIED, "PCR sha256:16 are not what they were", "changed PCR");
    is_int(tool("tpm2_pcrreset 16"), 0, "and is reset");
    works_with(&plain, "pcr", "as it was");
    void *self = opened(&plain);
    is_int(ops->describe(self, "pcr", 0, &last), TENUO_OK, "describe");
    is_str(last.note, "sealed under 0x40000001, PCR sha256:16", "the note names them");
    ops->close(self);
    struct line many = { .pcrs = "sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,16,23" };
    make(&many, "many");
    works_with(&plain, "many", "more PCRs than are read at once");
    is_int(tool("tpm2_pcrextend 23:sha256=%064d", 1), 0, "the last of them changes");
    fails_with(&plain, "many", TENUO_E_KEY_DENIED, "12,16,23 are not", "and is among them");
    is_int(tool("tpm2_pcrreset 23"), 0, "reset");
    struct line none = { .pcrs = "sha512:1" };
    uint8_t key[32];
    self = opened(&none);
    int r = ops->generate(self, "nobank", 0, key, &version);
    ok(r == TENUO_OK || strstr(mock_said, "tpm2_getcap pcrs") != NULL, "a bank that may not be there: %d %s", r,
       mock_said);
    ops->close(self);
}

static void auth(void)
{
    struct line right = { .auth = secret_file("right", "correct horse\n") };
    struct line wrong = { .auth = secret_file("wrong", "battery staple") };
    struct line loose = { .auth = keep(stage_text("loose", "correct horse")) };
    struct line gone = { .auth = keep(stage_path("no-such-file")) };
    struct line both = { .auth = right.auth, .pcrs = "sha256:16" };
    make(&right, "auth");
    works_with(&right, "auth", "with its value");
    fails_with(&plain, "auth", TENUO_E_KEY_DENIED, "auth_file=", "without one: not even tried");
    fails_with(&loose, "auth", TENUO_E_KEY_DENIED, "chmod 600", "a value that others can read");
    fails_with(&gone, "auth", TENUO_E_UNAVAILABLE, "no such file", "no file");
    fails_with(&wrong, "auth", TENUO_E_KEY_DENIED, "wrong authorization value", "a wrong value");
    make(&both, "both");
    works_with(&right, "both", "PCRs and a value");
    fails_with(&wrong, "both", TENUO_E_KEY_DENIED, "wrong authorization value", "PCRs and a wrong value");
    works_with(&wrong, "agent-1", "a key without a value takes none");
}

static void lockout(void)
{
    struct line right = { .auth = keep(stage_path("right")) }, wrong = { .auth = keep(stage_path("wrong")) };
    uint8_t seed[32];
    void *self = opened(&wrong);
    int r = 0, i;
    for (i = 0; i < 40; i++) {
        r = export(self, "auth", 0, seed);
        if (strstr(mock_said, "locked out") != NULL)
            break;
    }
    ok(r == TENUO_E_KEY_DENIED && i < 40, "locked out in the end: %s", mock_said);
    ops->close(self);
    fails_with(&right, "auth", TENUO_E_KEY_DENIED, "tpm2_dictionarylockout", "the right value does not help now");
    works_with(&plain, "agent-1", "a key without a value is not concerned");
    is_int(tool("tpm2_dictionarylockout --clear-lockout"), 0, "cleared");
    works_with(&right, "auth", "and works again");
}

static void parents(void)
{
    struct line persistent = { .parent = "0x81000001" }, none = { .parent = "0x81000077" };
    uint8_t key[32];
    make(&persistent, "under");
    works_with(&plain, "under", "the file says which parent");
    void *self = opened(&none);
    is_int(ops->generate(self, "orphan", 0, key, &version), TENUO_E_UNAVAILABLE, "no such parent: %s", mock_said);
    ok(strstr(mock_said, "0x81000077") != NULL, "it is named");
    ops->close(self);
    is_int(tool("tpm2_evictcontrol -C o -c 0x81000001"), 0, "the parent goes");
    fails_with(&plain, "under", TENUO_E_UNAVAILABLE, "0x81000001", "a key without its parent");
    is_int(tool(PRIMARY "; tpm2_evictcontrol -Q -C o -c p.ctx 0x81000001"), 0, "it is made again");
    works_with(&plain, "under", "and the key works");
    struct line endorsement = { .parent = "0x4000000b" };
    make(&endorsement, "ek");
    works_with(&plain, "ek", "under the endorsement hierarchy");
    struct line owner = { .parent_auth = secret_file("owner", "owner") },
                wrong = { .parent_auth = keep(stage_path("wrong")) };
    is_int(tool("tpm2_changeauth -c o owner"), 0, "the owner hierarchy gets a value");
    fails_with(&plain, "agent-1", TENUO_E_KEY_DENIED, "parent_auth_file", "not without it");
    fails_with(&wrong, "agent-1", TENUO_E_KEY_DENIED, "parent_auth_file", "not with another");
    works_with(&owner, "agent-1", "with it");
    works_with(&plain, "under", "a persistent parent does not need it");
    is_int(tool("tpm2_changeauth -c o -p owner"), 0, "taken away again");
    is_int(tool(PRIMARY "; tpm2_create -Q -C p.ctx -G ecc -u q.pub -r q.priv -p locked "
                        "-a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'; "
                        "fl; tpm2_load -Q -C p.ctx -u q.pub -r q.priv -c q.ctx; fl; "
                        "tpm2_evictcontrol -Q -C o -c q.ctx 0x81000002"),
           0, "a parent with a value");
    struct line locked = { .parent = "0x81000002", .parent_auth = secret_file("locked", "locked") };
    struct line unlocked = { .parent = "0x81000002" };
    make(&locked, "deep");
    works_with(&locked, "deep", "under it");
    fails_with(&unlocked, "deep", TENUO_E_KEY_DENIED, "parent_auth_file", "not without the value");
}

/* ---- other files than ours ---- */

static struct tpm2_key parsed; /* lies in der_bytes */
static uint8_t der_bytes[TPM2_DER_MAX];

static void parse(const char *name)
{
    size_t len = 0, n = 0;
    const char *why = "cannot be read";
    char *text = stage_read(stage_path(name), &len);
    bool good =
        text != NULL && tpm2_pem_read(text, len, der_bytes, &n, &why) && tpm2_key_read(der_bytes, n, &parsed, &why);
    free(text);
    ok(good, "%s is read", name);
}

static void rewrite(const char *name, const struct tpm2_key *key)
{
    static char pem[TPM2_PEM_MAX];
    uint8_t der[TPM2_DER_MAX];
    size_t n = tpm2_key_write(key, der);
    stage_write(name, pem, tpm2_pem_write(der, n, pem), 0600);
}

/* Older writers put what is hashed: the selection, then the bare digest. */
static void older_form(void)
{
    uint8_t body[128];
    struct tpm2_pcr_statement pcr = { 0 };
    parse("keys/both.tss");
    struct tpm2_key key = parsed;
    ok(key.npolicy == 2 && tpm2_pcr_read(key.policy[0].body, key.policy[0].len, &pcr) && pcr.digest_len == 32,
       "two statements, with the digest");
    memcpy(body, pcr.selection, pcr.selection_len);
    memcpy(body + pcr.selection_len, pcr.digest, 32);
    key.policy[0].body = body;
    key.policy[0].len = pcr.selection_len + 32;
    rewrite("keys/older.tss", &key);
    struct line right = { .auth = keep(stage_path("right")) };
    works_with(&right, "older", "the older form of a policy");
    key = parsed;
    key.policy[0] = parsed.policy[1];
    key.policy[1] = parsed.policy[0];
    rewrite("keys/older.tss", &key);
    fails_with(&right, "older", TENUO_E_KEY_DENIED, "PCR sha256:16", "statements in another order are another policy");
    key = parsed;
    key.policy[1].code = TPM2_CC_POLICY_PASSWORD;
    rewrite("keys/older.tss", &key);
    works_with(&right, "older", "PolicyPassword is met by the proof, too");
    key.npolicy = 1;
    rewrite("keys/older.tss", &key);
    fails_with(&right, "older", TENUO_E_KEY_DENIED, "PCR sha256:16", "half a policy");
    key = parsed;
    key.policy[1].code = 0x171;
    rewrite("keys/older.tss", &key);
    fails_with(&right, "older", TENUO_E_KEY_INVALID, "not understood", "PolicyOR");
    key = parsed;
    key.parent = 0x80000001;
    rewrite("keys/older.tss", &key);
    fails_with(&right, "older", TENUO_E_KEY_INVALID, "does not last", "a parent that is gone after a restart");
    unlink(stage_path("keys/older.tss"));
}

/* No beginning of a file is a file, and no file with a byte behind it. */
static void cuts(void)
{
    const char *why;
    struct tpm2_key key;
    size_t len = 0, n = 0, taken = 0;
    char *text = stage_read(stage_path("keys/both.tss"), &len);
    ok(text != NULL && tpm2_pem_read(text, len, der_bytes, &n, &why), "its DER");
    for (size_t i = 0; i < n; i++)
        taken += tpm2_key_read(der_bytes, i, &key, &why);
    is_int((long long)taken, 0, "cut anywhere it is refused");
    der_bytes[n] = 0;
    ok(!tpm2_key_read(der_bytes, n + 1, &key, &why), "and with a byte behind it");
    free(text);
}

/* ---- what goes wrong ---- */

static void damage(const char *name, size_t at)
{
    size_t len = 0;
    char *text = stage_read(stage_path(name), &len);
    if (text == NULL || len < at + 1)
        stage_die(name);
    text[at] = text[at] == 'A' ? 'B' : 'A';
    stage_write(name, text, len, 0600);
    free(text);
}

static void corruption(void)
{
    size_t len = 0;
    make(&plain, "bad");
    char *text = stage_read(stage_path("keys/bad.tss"), &len);
    damage("keys/bad.tss", len - 60);
    fails_with(&plain, "bad", TENUO_E_KEY_INVALID, "damaged", "a damaged private part");
    stage_write("keys/bad.tss", text, 100, 0600);
    fails_with(&plain, "bad", TENUO_E_KEY_INVALID, "cut off", "half a file");
    stage_write("keys/bad.tss", "hello", 5, 0600);
    fails_with(&plain, "bad", TENUO_E_KEY_INVALID, "TSS2 PRIVATE KEY", "no key");
    stage_write("keys/bad.tss", text, len, 0644);
    fails_with(&plain, "bad", TENUO_E_KEY_DENIED, "chmod 600", "a file for all");
    stage_write("keys/bad.tss", text, len, 0600);
    works_with(&plain, "bad", "as it was");
    stage_copy(stage_path("keys/agent-1.pub"), "keys/bad.pub", 0644);
    fails_with(&plain, "bad", TENUO_E_KEY_INVALID, "one of them was replaced", "the public key of another");
    if (geteuid() == 0) {
        stage_copy(stage_path("keys/agent-1.pub"), "keys/bad.pub", 0644);
        if (chown(stage_path("keys/bad.tss"), 12345, 12345) != 0)
            stage_die("chown");
        fails_with(&plain, "bad", TENUO_E_KEY_DENIED, "owned by uid 12345", "a file of somebody else");
    }
    free(text);
    unlink(stage_path("keys/bad.tss"));
    unlink(stage_path("keys/bad.pub"));
    void *self = NULL;
    struct line open_dir = { .path = keep(stage_mkdir("open", 0777)) };
    is_int(open_line(&open_dir, &self), TENUO_E_KEY_DENIED, "a directory for all: %s", mock_said);
}

static void outages(void)
{
    void *self = opened(&plain);
    uint8_t seed[32];
    swtpm_stop();
    fails(self, "agent-1", TENUO_E_UNAVAILABLE, "cannot be reached", "the TPM is away");
    is_int(ops->describe(self, "agent-1", 0, &last), TENUO_OK, "its entry can be shown");
    ok(swtpm_run(), "the TPM starts again");
    is_int(export(self, "agent-1", 0, seed), TENUO_OK, "and the same line works: %s", mock_said);
    swtpm_stop();
    ok(swtpm_start("other"), "another TPM");
    fails(self, "agent-1", TENUO_E_KEY_INVALID, "another TPM", "has not the key");
    swtpm_stop();
    ok(swtpm_start("tpm"), "the first one again");
    is_int(export(self, "agent-1", 0, seed), TENUO_OK, "has it");
    is_int(tool("for i in 1 2 3; do tpm2_createprimary -Q -C n -c f$i.ctx || exit 1; done"), 0,
           "somebody fills the TPM");
    deadline = 1000;
    fails(self, "agent-1", TENUO_E_UNAVAILABLE, "resource manager", "no room");
    deadline = 8000;
    tool("fl");
    is_int(export(self, "agent-1", 0, seed), TENUO_OK, "room again");
    struct line device = { .tcti = "device:/dev/no-such-tpm" };
    fails_with(&device, "agent-1", TENUO_E_UNAVAILABLE, "/dev/no-such-tpm", "no device");
    ops->close(self);
}

static bool no_children(void)
{
    return waitpid(-1, NULL, WNOHANG) == 0 || errno == ECHILD; /* 0: swtpm alone, which still runs */
}

static void too_slow(void)
{
    void *self = opened(&plain);
    uint8_t seed[32];
    kill(swtpm.pid, SIGSTOP);
    deadline = 600;
    uint64_t t = test_ms();
    fails(self, "agent-1", TENUO_E_UNAVAILABLE, "within 600 ms", "a TPM that does not answer");
    t = test_ms() - t;
    ok(t >= 400 && t < 3000, "after %d ms", (int)t);
    ok(no_children(), "no helper is left");
    deadline = 8000;
    kill(swtpm.pid, SIGCONT);
    test_sleep(100);
    is_int(export(self, "agent-1", 0, seed), TENUO_OK, "and it works again: %s", mock_said);
    ops->close(self);
}

static void nothing_left(const char *when)
{
    is_int(tool("tpm2_getcap handles-transient; tpm2_getcap handles-loaded-session"), 0, "handles");
    is_str(tool_said(), "", "no object and no session is left in the TPM %s", when);
}

/* ---- the bus ---- */

static pid_t bus;
static int bus_port;
static char bus_tcti[64];

static void bus_start(void)
{
    char listen[16], tpm[16];
    bus_port = test_port_pair();
    snprintf(listen, sizeof listen, "%d", bus_port);
    snprintf(tpm, sizeof tpm, "%d", swtpm.port);
    snprintf(bus_tcti, sizeof bus_tcti, "swtpm:host=127.0.0.1,port=%d", bus_port);
    const char *log = stage_write("bus", "", 0, 0600), *faults = stage_text("faults", "");
    bus = fork();
    if (bus == 0) {
        execlp("python3", "python3", bus_script, listen, tpm, log, faults, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 250; i++) {
        int s = test_socket(bus_port + 1, false);
        if (s >= 0) {
            close(s);
            return;
        }
        test_sleep(20);
    }
}

static void bus_stop(void)
{
    kill(bus, SIGKILL);
    waitpid(bus, NULL, 0);
}

static bool bus_has(const void *what, size_t n)
{
    size_t len = 0;
    char *bytes = stage_read(stage_path("bus"), &len);
    bool found = bytes == NULL || len < 500 || memmem(bytes, len, what, n) != NULL;
    free(bytes);
    return found;
}

static void on_the_bus(void)
{
    static const char value[] = "a value to prove";
    uint8_t seed[32], back[32];
    struct line lines[] = { { .tcti = bus_tcti },
                            { .tcti = bus_tcti, .auth = secret_file("value", value) },
                            { .tcti = bus_tcti, .pcrs = "sha256:16" },
                            { .tcti = bus_tcti, .pcrs = "sha256:16", .auth = keep(stage_path("value")) },
                            { .tcti = bus_tcti, .parent = "0x81000002", .parent_auth = keep(stage_path("value")) } };
    char id[16];
    is_int(tool("tpm2_evictcontrol -Q -C o -c 0x81000002; " PRIMARY
                "; tpm2_create -Q -C p.ctx -G ecc -u q.pub -r q.priv "
                "-p '%s' -a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'; "
                "fl; tpm2_load -Q -C p.ctx -u q.pub -r q.priv -c q.ctx; fl; "
                "tpm2_evictcontrol -Q -C o -c q.ctx 0x81000002",
                value),
           0, "a parent with a value");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        void *self = opened(&lines[i]);
        snprintf(id, sizeof id, "bus-%zu", i);
        randombytes_buf(seed, sizeof seed);
        is_int(ops->import(self, id, 0, seed, &version), TENUO_OK, "sealed through the recorder: %s", mock_said);
        is_int(export(self, id, 0, back), TENUO_OK, "unsealed through the recorder: %s", mock_said);
        ok(memcmp(seed, back, 32) == 0, "the same seed");
        ok(!bus_has(seed, 16) && !bus_has(seed + 16, 16), "no half of the seed was on the bus");
        ok(!bus_has(value, sizeof value - 1), "nor the authorization value");
        ops->close(self);
    }
    ok(bus_has("\x80\x01", 2), "and the recorder did record");
}

static void bus_faults(void)
{
    static const struct {
        const char *faults;
        int code;
        const char *says;
    } cases[] = {
        { "* 922 9\n", TENUO_OK, NULL },   /* RETRY, a few times */
        { "15e 90a 8\n", TENUO_OK, NULL }, /* TESTING at Unseal */
        { "157 908 8\n", TENUO_OK, NULL }, /* YIELDED at Load */
        { "* 922 100000\n", TENUO_E_UNAVAILABLE, "busy until the deadline" },
        { "131 902 4\n", TENUO_OK, NULL }, /* no room, for a while */
        { "131 902 9999\n", TENUO_E_UNAVAILABLE, "resource manager" },
        { "176 903 9999\n", TENUO_E_UNAVAILABLE, "resource manager" },
        { "157 101 1\n", TENUO_E_UNAVAILABLE, "failure mode" },
        { "131 100 1\n", TENUO_E_UNAVAILABLE, "not started" },
        { "131 285 1\n", TENUO_E_UNAVAILABLE, "hierarchy" },
        { "157 1df 1\n", TENUO_E_KEY_INVALID, "another TPM" },
        { "15e 921 1\n", TENUO_E_KEY_DENIED, "locked out" },
        { "15e 99d 1\n", TENUO_E_KEY_DENIED, "policy" },
        { "15e 128 1\n", TENUO_E_KEY_DENIED, "policy" },
        { "15e garbage 1\n", TENUO_E_UNAVAILABLE, "makes no sense" },
        { "131 garbage 1\n", TENUO_E_UNAVAILABLE, "" },
        { "176 garbage 1\n", TENUO_E_UNAVAILABLE, "" },
        { "15e flip 1\n", TENUO_E_UNAVAILABLE, "changed on its way" },
        { "15e close 1\n", TENUO_E_UNAVAILABLE, "" },
        { "157 close 1\n", TENUO_E_UNAVAILABLE, "" },
    };
    struct line through = { .tcti = bus_tcti };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* A busy TPM is asked until an eighth before the plugin kills the helper, and a try may take long. */
        deadline = cases[i].says != NULL && strncmp(cases[i].says, "busy", 4) == 0 ? 10000 : 4000;
        stage_text("faults", cases[i].faults);
        if (cases[i].code != TENUO_OK)
            fails_with(&through, "agent-1", cases[i].code, cases[i].says, cases[i].faults);
        else
            works_with(&through, "agent-1", cases[i].faults);
        nothing_left(cases[i].faults);
    }
    stage_text("faults", "");
    deadline = 8000;
    works_with(&through, "agent-1", "and it works again");
}

static int try_export(void)
{
    uint8_t seed[32];
    void *self = NULL;
    if (open_line(&plain, &self) != TENUO_OK)
        return 1;
    int r = export(self, "agent-1", 0, seed);
    sodium_memzero(seed, sizeof seed);
    if (r != TENUO_OK)
        fprintf(stderr, "# %s\n", mock_said);
    ops->close(self);
    return r == TENUO_OK ? 0 : 2;
}

/* ---- the helper ---- */

static void put_helper(const char *from, mode_t mode)
{
    unlink(stage_path("plugins/tenuo-tpm2"));
    if (from[0] == '#')
        stage_write("plugins/tenuo-tpm2", from, strlen(from), mode);
    else
        stage_copy(from, "plugins/tenuo-tpm2", mode);
}

/* The helper that `parent` runs (0: anybody of our stage), or 0. */
static pid_t find_helper(pid_t parent)
{
    char path[300], line[300] = "", what[64];
    pid_t found = 0, of;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc != NULL && (e = readdir(proc)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *f = fopen(path, "re");
        if (f == NULL)
            continue;
        if (fgets(line, sizeof line, f) != NULL && sscanf(line, "%*d (%63[^)]) %*c %d", what, &of) == 2 &&
            of == parent && strcmp(what, "tenuo-tpm2") == 0)
            found = (pid_t)atoi(e->d_name);
        fclose(f);
    }
    if (proc != NULL)
        closedir(proc);
    return found;
}

static pid_t await_helper(pid_t parent)
{
    pid_t pid = 0;
    for (int i = 0; i < 100 && pid == 0; i++) {
        test_sleep(20);
        pid = find_helper(parent);
    }
    return pid;
}

/* Whether /proc/PID/NAME has a text. */
static bool proc_has(pid_t pid, const char *name, const char *text)
{
    char path[64];
    size_t len = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    char *bytes = stage_read(path, &len);
    bool found = bytes != NULL && memmem(bytes, len, text, strlen(text)) != NULL;
    free(bytes);
    return found;
}

static bool has_open(pid_t pid, const char *what)
{
    char path[64], link[300], to[300];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        snprintf(link, sizeof link, "/proc/%d/fd/%s", (int)pid, e->d_name);
        ssize_t n = readlink(link, to, sizeof to - 1);
        to[n < 0 ? 0 : n] = '\0';
        found = found || strstr(to, what) != NULL;
    }
    if (d != NULL)
        closedir(d);
    return found;
}

static int helper_dumps, helper_environ, helper_inherits;

static void *kill_helper(void *arg)
{
    pid_t pid = await_helper(getpid());
    (void)arg;
    if (pid <= 0)
        return NULL;
    test_sleep(100); /* it has closed its doors by then */
    helper_dumps = !proc_has(pid, "limits", "Max core file size        0                    0 ");
    helper_environ = proc_has(pid, "environ", "TENUO") || !proc_has(pid, "environ", "PATH=/usr/bin:/bin");
    helper_inherits = has_open(pid, "/dev/zero") || has_open(pid, "memfd:") || !has_open(pid, "socket:");
    kill(pid, SIGKILL);
    return NULL;
}

/* A program that dies in the middle takes its helper along. */
static void orphan(void)
{
    fflush(stdout);
    pid_t program = fork();
    if (program == 0)
        _exit(try_export());
    pid_t pid = await_helper(program);
    ok(pid > 0, "a program with its helper");
    kill(program, SIGKILL);
    waitpid(program, NULL, 0);
    for (int i = 0; i < 100 && pid > 0 && kill(pid, 0) == 0; i++)
        test_sleep(20);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    ok(pid > 0 && (access(path, F_OK) != 0 || proc_has(pid, "stat", ") Z ")), "dies, and the helper with it");
}

static void helper(void)
{
    char good[PATH_MAX];
    pthread_t killer;
    snprintf(good, sizeof good, "%s/tenuo-tpm2", built);
    unlink(stage_path("plugins/tenuo-tpm2"));
    fails_with(&plain, "agent-1", TENUO_E_UNAVAILABLE, "install it there", "no helper");
    put_helper(good, 0777);
    fails_with(&plain, "agent-1", TENUO_E_KEY_DENIED, "was not run", "a helper that all can write");
    put_helper(good, 0755);
    if (geteuid() == 0) {
        if (chown(stage_path("plugins/tenuo-tpm2"), 12345, 12345) != 0)
            stage_die("chown");
        fails_with(&plain, "agent-1", TENUO_E_KEY_DENIED, "was not run", "a helper of somebody else");
    }
    char real[PATH_MAX];
    snprintf(real, sizeof real, "%s", stage_copy(good, "plugins/real", 0755));
    unlink(stage_path("plugins/tenuo-tpm2"));
    if (symlink(real, stage_path("plugins/tenuo-tpm2")) != 0)
        stage_die("symlink");
    fails_with(&plain, "agent-1", TENUO_E_KEY_DENIED, "symbolic link", "a link for a helper");
    put_helper(good, 0644);
    fails_with(&plain, "agent-1", TENUO_E_UNAVAILABLE, "cannot be run", "a helper that is not executable");
    put_helper("#!/bin/sh\necho lost a library >&2\nexit 3\n", 0755);
    fails_with(&plain, "agent-1", TENUO_E_UNAVAILABLE, "lost a library", "a helper that fails");
    put_helper("#!/bin/sh\nyes | head -c 3000000 >&2\nkill -SEGV $$\n", 0755);
    fails_with(&plain, "agent-1", TENUO_E_UNAVAILABLE, "signal 11", "a helper that talks and crashes");
    put_helper("#!/bin/sh\nexec sleep 60\n", 0755);
    deadline = 500;
    fails_with(&plain, "agent-1", TENUO_E_UNAVAILABLE, "within 500 ms", "a helper that hangs");
    deadline = 8000;
    put_helper(good, 0755);
    kill(swtpm.pid, SIGSTOP);
    int zero = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC, as careless programs do */
    setenv("TENUO_KEY_secret", "no", 1);
    pthread_create(&killer, NULL, kill_helper, NULL);
    fails_with(&plain, "agent-1", TENUO_E_UNAVAILABLE, "signal 9", "a helper that is killed in the middle");
    pthread_join(killer, NULL);
    close(zero);
    unsetenv("TENUO_KEY_secret");
    if (geteuid() == 0) { /* nobody else can look into it */
        ok(!helper_dumps, "it may leave no core");
        ok(!helper_environ, "it got no environment of the program's");
        ok(!helper_inherits, "and no descriptor");
    }
    orphan();
    kill(swtpm.pid, SIGCONT);
    test_sleep(100);
    ok(no_children(), "no helper is left");
    works_with(&plain, "agent-1", "and it works again");
    is_int(tool("%s </dev/null", good), 2, "by hand it only says whose it is");
}

/* ---- hosts ---- */

static int run_child(int (*body)(void))
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(body());
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int ignores_children(void)
{
    signal(SIGCHLD, SIG_IGN);
    return try_export();
}

static void reap_all(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = saved;
}

static int reaps_children(void)
{
    struct sigaction a = { .sa_handler = reap_all };
    sigaction(SIGCHLD, &a, NULL);
    return try_export();
}

static int has_no_stdio(void)
{
    close(0);
    close(1);
    close(2);
    return try_export();
}

static int blocks_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return try_export();
}

static int is_nobody(void)
{
    uint8_t key[32];
    void *self = NULL;
    struct line own = { .path = keep(stage_path("nobody")) };
    struct tenuo_key_entry entry = { .size = sizeof entry };
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
        return 10;
    if (open_line(&own, &self) != TENUO_OK)
        return 1;
    if (ops->generate(self, "mine", 0, key, &version) != TENUO_OK)
        return 2;
    if (export(self, "mine", 0, key) != TENUO_OK)
        return 3;
    if (open_line(&plain, &self) != TENUO_OK)
        return 4;
    if (export(self, "agent-1", 0, key) != TENUO_E_KEY_DENIED || strstr(mock_said, "may not read it") == NULL)
        return 5;
    if (ops->public_key(self, "agent-1", 0, key, &version) != TENUO_OK)
        return 6;
    return ops->describe(self, "agent-1", 0, &entry) == TENUO_OK && entry.has_public_key ? 0 : 7;
}

/* Two programs at a TPM without a resource manager: one of them finds it full, and waits. */
static void at_once(void)
{
    pid_t pids[2];
    int good = 0, status;
    fflush(stdout);
    for (size_t i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(try_export());
    }
    for (size_t i = 0; i < 2; i++) {
        waitpid(pids[i], &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    is_int(good, 2, "two programs at once");
}

static void hosts(void)
{
    at_once();
    is_int(run_child(try_export), 0, "in a forked process");
    is_int(run_child(ignores_children), 0, "in a host that ignores SIGCHLD");
    is_int(run_child(reaps_children), 0, "in a host that waits for every child");
    is_int(run_child(has_no_stdio), 0, "in a host without descriptors 0 to 2");
    is_int(run_child(blocks_signals), 0, "in a host that blocks all signals");
    if (geteuid() != 0) {
        skip_test("an unprivileged user", "needs root");
        return;
    }
    stage_mkdir("nobody", 0700);
    if (chown(stage_path("nobody"), 65534, 65534) != 0 || chmod(stage_root, 0755) != 0 ||
        chmod(stage_path("keys"), 0755) != 0)
        stage_die("nobody");
    is_int(run_child(is_nobody), 0, "an unprivileged user: keys of its own, and public ones of others");
    chmod(stage_root, 0700);
    chmod(stage_path("keys"), 0700);
}

/* ---- memory: the seed is never written down here as a whole ---- */

static uint8_t expected(size_t i)
{
    return (uint8_t)((i * 37 + 11) ^ 0xa5);
}

static int import_expected(void)
{
    uint8_t *seed = sodium_malloc(32);
    void *self = NULL;
    if (open_line(&plain, &self) != TENUO_OK)
        return 1;
    for (size_t i = 0; i < 32; i++)
        seed[i] = expected(i);
    int r = ops->import(self, "scan", 0, seed, &version);
    sodium_free(seed);
    ops->close(self);
    return r == TENUO_OK ? 0 : 2;
}

static char text_of(size_t i, int form)
{
    static const char hex[] = "0123456789abcdef";
    static const char base[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (form == 0)
        return (char)expected(i);
    if (form == 1)
        return hex[i % 2 == 0 ? expected(i / 2) >> 4 : expected(i / 2) & 15];
    size_t k = i / 4 * 3;
    uint32_t bits = (uint32_t)expected(k) << 16 | (uint32_t)expected(k + 1) << 8 | expected(k + 2);
    return base[bits >> (18 - 6 * (i % 4)) & 63];
}

static size_t count_in(const uint8_t *p, size_t n)
{
    size_t found = 0;
    for (int form = 0; form < 3; form++)
        for (size_t at = 0; at + 16 <= n; at++) {
            size_t i = 0;
            while (i < 16 && p[at + i] == (uint8_t)text_of(i, form))
                i++;
            found += i == 16;
        }
    return found;
}

/* Every page of this process that can be read. */
static size_t count_in_memory(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    uint8_t *page = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char line[600], mode[8];
    size_t found = 0;
    unsigned long from, to;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[0] != 'r' || strstr(line, "[v") != NULL)
            continue;
        for (; from < to; from += 1 << 15) {
            if (from == (unsigned long)page || from == (unsigned long)page + (1 << 15))
                continue;
            size_t want = to - from < 1 << 16 ? to - from : 1 << 16;
            ssize_t n = pread(mem, page, want, (off_t)from);
            found += n > 0 ? count_in(page, (size_t)n) : 0;
        }
    }
    munmap(page, 1 << 16);
    close(mem);
    if (maps != NULL)
        fclose(maps);
    return found;
}

static int scan_memory(void)
{
    uint8_t *seed = sodium_malloc(32), *control = malloc(64);
    void *self = NULL;
    if (open_line(&plain, &self) != TENUO_OK || export(self, "scan", 0, seed) != TENUO_OK)
        return 1;
    if (count_in_memory() == 0) /* the guarded copy of the caller, which is allowed now */
        return 2;
    sodium_free(seed);
    ops->close(self);
    if (count_in_memory() != 0)
        return 3;
    for (size_t i = 0; i < 64; i++)
        control[i] = (uint8_t)text_of(i % 32, i < 32 ? 0 : 1);
    return count_in_memory() >= 2 ? 0 : 4;
}

/* With a sanitizer the memory is too large, and a traced program cannot look for leaks: the plain build does these. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void memory(void)
{
    is_int(run_child(import_expected), 0, "a known seed");
    if (!SANITIZED)
        is_int(run_child(scan_memory), 0, "after use and close no memory of the process holds it");
}

/* One use of the key in a program of its own, for the tracer: PROGRAM BUILT BUS --export STAGE TCTI. */
static int traced(char **argv)
{
    char plugins[160], *args[] = { argv[0], plugins };
    void *self = NULL;
    if (sodium_init() < 0)
        return 3;
    uint8_t *seed = sodium_malloc(32);
    snprintf(stage_root, sizeof stage_root, "%s", argv[4]);
    snprintf(swtpm.tcti, sizeof swtpm.tcti, "%s", argv[5]);
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    ops = mock_load("tpm2", 2, args)->resolver;
    host = mock_host;
    host.deadline = test_deadline;
    if (open_line(&plain, &self) != TENUO_OK)
        return 1;
    int r = export(self, "scan", 0, seed);
    r = r != TENUO_OK ? r : ops->import(self, "scan", TENUO_STORE_NEW_VERSION, seed, &version);
    sodium_free(seed);
    ops->close(self);
    return r == TENUO_OK ? 0 : 2;
}

/* Whether the trace, which writes every byte as \xNN, has n bytes of a text. */
static bool trace_has(const char *trace, const char *bytes, size_t n)
{
    char pattern[4 * 64 + 1];
    for (size_t i = 0; i < n; i++)
        snprintf(pattern + 4 * i, 5, "\\x%02x", (unsigned)(uint8_t)bytes[i]);
    return strstr(trace, pattern) != NULL;
}

static void trace(const char *program)
{
    char what[64], command[1200];
    size_t len = 0;
    if (SANITIZED)
        return;
    if (system("command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null") != 0) {
        skip_test("trace of the system calls", "strace is not installed, or not allowed");
        return;
    }
    snprintf(command, sizeof command, "strace -f -xx -s 65536 -o %s/trace %s %s %s --export %s '%s'", stage_root,
             program, built, bus_script, stage_root, swtpm.tcti);
    is_int(system(command), 0, "unsealing and sealing under strace");
    char *text = stage_read(stage_path("trace"), &len);
    if (text == NULL)
        stage_die("trace");
    ok(strstr(text, "exit_group(0)") != NULL && strstr(text, "execve(") != NULL, "it saw both programs");
    ok(trace_has(text, "BEGIN TSS2 PRIVATE KEY", 22), "and what they read");
    bool found = false;
    for (int form = 0; form < 3; form++)
        for (size_t at = 0; at < 24; at++) {
            for (size_t i = 0; i < 8; i++)
                what[i] = text_of(at + i, form);
            found = found || trace_has(text, what, 8);
        }
    ok(!found, "and not eight bytes of the seed, in any form");
    free(text);
}

/* ---- through the core ---- */

static void must(int r, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d\n", what, r);
    exit(1);
}

static int decide(struct tenuo_ctx *ctx, const struct tenuo_signer *holder, const struct tenuo_signer *root)
{
    struct tenuo_mint *mint = NULL;
    struct tenuo_stack *stack = NULL;
    struct tenuo_request *q = NULL;
    struct tenuo_decision *d = NULL;
    uint8_t wire[4096], pop[64];
    size_t len = sizeof wire;
    int64_t now = (int64_t)time(NULL);
    must(tenuo_mint_root(&mint, NULL), "mint");
    must(tenuo_mint_add_tool(mint, "read", 4, NULL, NULL), "tool");
    must(tenuo_mint_set_holder(mint, tenuo_signer_public_key(holder), NULL), "holder");
    tenuo_mint_set_ttl(mint, 600);
    must(tenuo_mint_sign(mint, root, (uint64_t)now - 1, &stack, NULL), "sign");
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &len, NULL), "encode");
    must(tenuo_pop_sign(holder, tenuo_stack_leaf(stack), "read", 4, NULL, now, pop, NULL), "pop");
    must(tenuo_request_new("read", 4, &q, NULL), "request");
    tenuo_request_set_pop(q, pop);
    int r = tenuo_ctx_authorize(ctx, wire, len, q, &d, NULL);
    int outcome = r == TENUO_OK ? (int)tenuo_decision_outcome(d) : -r;
    tenuo_decision_free(d);
    tenuo_request_free(q);
    tenuo_stack_free(stack);
    tenuo_mint_free(mint);
    return outcome;
}

/* A warrant for the key as it was before a rotation can still be used, under the number of that version. */
static void rotated_in_core(struct tenuo_ctx *ctx, const struct tenuo_signer *root)
{
    uint8_t first[32], second[32];
    struct tenuo_signer *old = NULL, *new = NULL;
    struct tenuo_error err = { 0 };
    void *self = opened(&plain);
    is_int(ops->generate(self, "wheel", 0, first, &version), TENUO_OK, "a key");
    is_int(ops->generate(self, "wheel", TENUO_STORE_NEW_VERSION, second, &version), TENUO_OK, "rotated");
    is_int(tenuo_ctx_signer(ctx, "wheel", 0, first, &old, &err), TENUO_OK, "the version that the holder names: %s",
           err.msg);
    is_int(tenuo_ctx_signer(ctx, "wheel", 0, NULL, &new, &err), TENUO_OK, "and the newest: %s", err.msg);
    if (old != NULL && new != NULL) {
        ok(memcmp(tenuo_signer_public_key(old), first, 32) == 0, "the old one is the old one");
        ok(memcmp(tenuo_signer_public_key(new), second, 32) == 0, "the newest is the newest");
        is_int(decide(ctx, old, root), TENUO_ALLOW, "the old one signs");
    }
    tenuo_signer_free(old);
    tenuo_signer_free(new);
    is_int(tenuo_ctx_signer(ctx, "nobody", 0, NULL, &new, &err), TENUO_E_KEY_NOT_FOUND, "not found: %s", err.msg);
    ops->close(self);
}

static void through_core(void)
{
    char conf[1024], plugins[128], hex[65];
    struct tenuo_error err = { 0 };
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_signer *holder = NULL, *root = NULL;
    must(tenuo_signer_from_seed((const uint8_t[32]){ 1 }, &root, NULL), "root");
    sodium_bin2hex(hex, sizeof hex, tenuo_signer_public_key(root), 32);
    stage_text("roots.pub", hex);
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    snprintf(conf, sizeof conf,
             "trust required file path=%s/roots.pub\nresolver required tpm2 path=%s/keys tcti=\"%s\"\n"
             "audit required jsonl path=%s/audit.jsonl\n",
             stage_root, stage_root, swtpm.tcti, stage_root);
    struct tenuo_open_options o = { .size = sizeof o, .conf = stage_text("tenuo.conf", conf), .plugin_dir = plugins };
    int r = tenuo_open("shop", &o, &ctx, &err);
    is_int(r, TENUO_OK, "a context with the line: %s", err.msg);
    if (r != TENUO_OK)
        return;
    uint64_t t = test_ms();
    is_int(tenuo_ctx_signer(ctx, "agent-1", 0, NULL, &holder, &err), TENUO_OK, "a signer: %s", err.msg);
    printf("# the first signer takes %d ms\n", (int)(test_ms() - t));
    if (holder != NULL)
        is_int(decide(ctx, holder, root), TENUO_ALLOW, "its proof is good for an allow");
    tenuo_signer_free(holder);
    holder = NULL;
    swtpm_stop();
    is_int(tenuo_ctx_signer(ctx, "in", 0, NULL, &holder, &err), TENUO_E_UNAVAILABLE, "TPM away: %s", err.msg);
    ok(swtpm_run(), "the TPM starts again");
    r = tenuo_ctx_signer(ctx, "form", 0, NULL, &holder, &err);
    is_int(r, TENUO_OK, "and the same context signs: %s", r == TENUO_OK ? "" : err.msg);
    tenuo_signer_free(holder);
    holder = NULL;
    rotated_in_core(ctx, root);
    tenuo_signer_free(root);
    tenuo_ctx_unref(ctx);
}

/* ---- arguments ---- */

static void arguments(void)
{
    static const struct line bad[] = {
        { .tcti = "cmd:sh -c true" },  { .tcti = "libevil.so:x" },
        { .tcti = "device:dev/tpm0" }, { .tcti = "device:/dev/../tmp/x" },
        { .tcti = "swtpm:host=a\nb" }, { .parent = "0x80000001" },
        { .parent = "81000001" },      { .parent = "0x8100000g" },
        { .parent = "0x4000000c" },    { .pcrs = "sha256" },
        { .pcrs = "sha256:" },         { .pcrs = "sha256:24" },
        { .pcrs = "sha256:1,1" },      { .pcrs = "sha1:1" },
        { .pcrs = "sha256:1," },       { .pcrs = "sha256:01" },
    };
    void *self = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is_int(open_line(&bad[i], &self), TENUO_E_CONF, "refused: %s", mock_said);
    struct line missing = { .path = keep(stage_path("later")), .tcti = "device" };
    self = opened(&missing);
    fails(self, "x", TENUO_E_UNAVAILABLE, "no such file", "a directory that is not there");
    stage_mkdir("later", 0700);
    fails(self, "x", TENUO_E_KEY_NOT_FOUND, "no such file", "it came");
    ops->close(self);
}

int main(int argc, char **argv)
{
    built = argc > 1 ? argv[1] : ".";
    bus_script = argc > 2 ? argv[2] : "tests/services/tpm_bus.py";
    if (argc > 5)
        return traced(argv);
    stage_begin();
    stage_mkdir("plugins", 0755);
    stage_mkdir("keys", 0700);
    char from[PATH_MAX];
    static const char *const names[] = { "tenuo_tpm2.so", "tenuo_jsonl.so", "tenuo-tpm2" };
    for (size_t i = 0; i < 3; i++) {
        char to[64];
        snprintf(from, sizeof from, "%s/%s", built, names[i]);
        snprintf(to, sizeof to, "plugins/%s", names[i]);
        stage_copy(from, to, 0755);
    }
    char plugins[128], *args[] = { argv[0], plugins };
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    ops = mock_load("tpm2", 2, args)->resolver;
    host = mock_host;
    host.deadline = test_deadline;
    must(sodium_init() < 0, "sodium");
    arguments();
    if (!swtpm_installed()) {
        skip_test("everything with a TPM", "swtpm, tpm2-tools or openssl is not installed");
        stage_end();
        return done_testing();
    }
    if (!ok(swtpm_start("tpm"), "swtpm starts")) {
        stage_end();
        return done_testing();
    }
    provisioning();
    rotation();
    der();
    tools_read_ours();
    we_read_theirs();
    pcrs();
    auth();
    lockout();
    parents();
    older_form();
    cuts();
    corruption();
    outages();
    too_slow();
    nothing_left("after all that");
    bus_start();
    on_the_bus();
    is_int(tool("fl"), 0, "the tools clean up");
    bus_faults();
    bus_stop();
    nothing_left("after faults");
    helper();
    is_int(tool("fl"), 0, "what a killed helper left is flushed, as a resource manager does");
    hosts();
    memory();
    trace(argv[0]);
    through_core();
    swtpm_stop();
    stage_end();
    return done_testing();
}
