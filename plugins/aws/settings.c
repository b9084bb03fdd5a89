/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of a line: what may stand in them, and what follows from them. Asks nobody. */
#include "aws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/secret_source.h"
#include "../../core/trust.h"

#define DEFAULT_PREFIX "tenuo/keys/"
#define DEFAULT_PATH "/var/lib/tenuo/kms"
#define DEFAULT_KEY "alias/tenuo-{key_id}"
#define PLACE "{key_id}"
#define DEFAULT_RECOVERY 30
#define REGION_MAX 32
#define KMS_KEY_MAX 256
#define PROFILE_MAX 64

enum arg {
    ARG_SERVICE,
    ARG_MODE,
    ARG_PREFIX,
    ARG_REGION,
    ARG_ENDPOINT,
    ARG_CA,
    ARG_PROFILE,
    ARG_CREDENTIALS_FILE,
    ARG_KMS_KEY,
    ARG_PATH,
    ARG_KEY,
    ARG_RECOVERY,
    ARG_CONNECT_TIMEOUT,
    ARG_COUNT
};

const struct tenuo_arg_spec aws_args[] = {
    { "service", TENUO_ARG_STRING, 0, "secretsmanager, ssm or kms (secretsmanager)" },
    { "mode", TENUO_ARG_STRING, 0, "kms: unwrap seeds from files, or sign in KMS (unwrap)" },
    { "prefix", TENUO_ARG_STRING, 0, "goes before the key id in names of secrets and parameters (" DEFAULT_PREFIX ")" },
    { "region", TENUO_ARG_STRING, 0, "of the service (AWS_REGION, AWS_DEFAULT_REGION)" },
    { "endpoint", TENUO_ARG_URL, 0, "URL of the service, as of a private endpoint; http to this machine alone" },
    { "ca", TENUO_ARG_PATH, 0, "PEM file of the authorities that may vouch for it (the system's)" },
    { "profile", TENUO_ARG_STRING, 0, "section of the credentials file (default)" },
    { "credentials_file", TENUO_ARG_PATH, 0, "0600 file of access keys; without it the vendor's usual places" },
    { "kms_key", TENUO_ARG_STRING, 0, "KMS key that encrypts new keys: id, alias/NAME or ARN" },
    { "path", TENUO_ARG_PATH, 0, "kms, unwrap: directory of ID.kms files (" DEFAULT_PATH ")" },
    { "key", TENUO_ARG_STRING, 0, "kms, sign: name of the KMS key (" DEFAULT_KEY ")" },
    { "recovery", TENUO_ARG_UINT, 0, "days in which a removed key can be brought back: 7 to 30, 0 for none (30)" },
    { "connect_timeout", TENUO_ARG_DURATION, 0, "longest wait for a connection (2s)" },
    { NULL, 0, 0, NULL },
};

size_t aws_args_count(void)
{
    return ARG_COUNT;
}

static int refuse(const struct aws *a, const char *sentence)
{
    return aws_fail(a, TENUO_E_CONF, "%s", sentence);
}

/* All of `text` is letters, digits or one of `others`. */
static bool made_of(const char *text, size_t most, const char *others)
{
    size_t n = strlen(text);
    for (const char *p = text; *p != '\0'; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr(others, *p) != NULL))
            return false;
    return n > 0 && n <= most;
}

static int copy(char **ret, const char *text)
{
    if (text == NULL)
        return TENUO_OK;
    *ret = strdup(text);
    return *ret != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

static bool is(const char *value, const char *word)
{
    return value != NULL && strcmp(value, word) == 0;
}

static int set_service(struct aws *a, const struct tenuo_arg *args)
{
    const char *service = args[ARG_SERVICE].value, *mode = args[ARG_MODE].value;
    if (service == NULL || is(service, "secretsmanager"))
        a->service = &aws_secrets;
    else if (is(service, "ssm"))
        a->service = &aws_ssm;
    else if (is(service, "kms"))
        a->service = is(mode, "sign") ? &aws_kms_sign : &aws_kms;
    else
        return refuse(a, "service: want secretsmanager, ssm or kms");
    if (mode != NULL && !is(service, "kms"))
        return refuse(a, "mode is for service=kms alone");
    if (mode != NULL && !is(mode, "sign") && !is(mode, "unwrap"))
        return refuse(a, "mode: want unwrap or sign");
    return TENUO_OK;
}

/* An argument that the service would not look at is a mistake of the line. */
static int check_fit(const struct aws *a, const struct tenuo_arg *args)
{
    const bool named = a->service == &aws_secrets || a->service == &aws_ssm;
    if (args[ARG_PREFIX].value != NULL && !named)
        return refuse(a, "prefix is for secretsmanager and ssm: kms has path= (unwrap) or key= (sign)");
    if (args[ARG_PATH].value != NULL && a->service != &aws_kms)
        return refuse(a, "path is for service=kms with mode=unwrap");
    if (args[ARG_KEY].value != NULL && a->service != &aws_kms_sign)
        return refuse(a, "key is for service=kms with mode=sign");
    if (args[ARG_KMS_KEY].value != NULL && a->service == &aws_kms_sign)
        return refuse(a, "kms_key encrypts keys that are stored: with mode=sign say key=");
    return TENUO_OK;
}

static int set_prefix(struct aws *a, const char *text)
{
    const bool ssm = a->service == &aws_ssm;
    if (text == NULL)
        text = DEFAULT_PREFIX;
    if (text[0] != '\0' && !made_of(text, AWS_PREFIX_MAX, ssm ? "/_.-" : "/_+=.@-"))
        return refuse(a, ssm ? "prefix: a parameter's name has letters, digits and /_.- alone"
                             : "prefix: a secret's name has letters, digits and /_+=.@- alone");
    /* A parameter's name with '/' in it must begin with one. */
    bool slash = ssm && text[0] != '/' && strchr(text, '/') != NULL;
    return asprintf(&a->prefix, "%s%s", slash ? "/" : "", text) >= 0 ? TENUO_OK : TENUO_E_NOMEM;
}

static int set_region(struct aws *a, const char *text)
{
    if (text == NULL)
        text = secure_getenv("AWS_REGION");
    if (text == NULL || text[0] == '\0')
        text = secure_getenv("AWS_DEFAULT_REGION");
    if (text == NULL || text[0] == '\0')
        return refuse(a, "region is missing: say region=, for example region=eu-west-1");
    if (!made_of(text, REGION_MAX, "-"))
        return refuse(a, "region: want a name as eu-west-1");
    snprintf(a->provider, sizeof a->provider, "aws:amz:%s:%s", text, a->service->name);
    return copy(&a->region, text);
}

static int set_key(struct aws *a, const char *text)
{
    if (text == NULL)
        text = DEFAULT_KEY;
    const char *place = strstr(text, PLACE), *rest = place == NULL ? "" : place + sizeof PLACE - 1;
    size_t n = place == NULL ? strlen(text) : (size_t)(place - text);
    a->before = strndup(text, n);
    a->after = strdup(rest);
    if (a->before == NULL || a->after == NULL)
        return TENUO_E_NOMEM;
    a->one_key = place == NULL;
    if ((a->before[0] != '\0' && !made_of(a->before, KMS_KEY_MAX, ":/_-")) ||
        (a->after[0] != '\0' && !made_of(a->after, KMS_KEY_MAX, ":/_-")))
        return refuse(a, "key: want a key's id, alias or ARN, with " PLACE " once in it if it serves several ids");
    return TENUO_OK;
}

static int set_rules(struct aws *a, const struct tenuo_arg *args)
{
    const struct tenuo_arg *days = &args[ARG_RECOVERY];
    int r = set_service(a, args);
    if (r == TENUO_OK)
        r = check_fit(a, args);
    if (r == TENUO_OK)
        r = set_prefix(a, args[ARG_PREFIX].value);
    if (r == TENUO_OK)
        r = set_region(a, args[ARG_REGION].value);
    if (r == TENUO_OK && a->service == &aws_kms_sign)
        r = set_key(a, args[ARG_KEY].value);
    if (r == TENUO_OK && days->value != NULL && days->number != 0 && (days->number < 7 || days->number > 30))
        r = refuse(a, "recovery: want 7 to 30 days, or 0 for none");
    if (r == TENUO_OK && args[ARG_KMS_KEY].value != NULL && !made_of(args[ARG_KMS_KEY].value, KMS_KEY_MAX, ":/_-"))
        r = refuse(a, "kms_key: want a key's id, alias/NAME or ARN");
    if (r == TENUO_OK && args[ARG_PROFILE].value != NULL && !made_of(args[ARG_PROFILE].value, PROFILE_MAX, "_.@+:/-"))
        r = refuse(a, "profile: want the name of a section of the credentials file");
    a->recovery = days->value != NULL ? (uint32_t)days->number : DEFAULT_RECOVERY;
    return r;
}

static int copy_rules(struct aws *a, const struct tenuo_arg *args)
{
    const char *path = args[ARG_PATH].value;
    int r = copy(&a->kms_key, args[ARG_KMS_KEY].value);
    if (r == TENUO_OK)
        r = copy(&a->profile, args[ARG_PROFILE].value);
    if (r == TENUO_OK)
        r = copy(&a->credentials_file, args[ARG_CREDENTIALS_FILE].value);
    return r == TENUO_OK ? copy(&a->path, path != NULL ? path : DEFAULT_PATH) : r;
}

/* The address: of the vendor's own zones by the region, or what the line says. */
static int make_url(const struct aws *a, const struct tenuo_arg *args, char **ret)
{
    const char *said = args[ARG_ENDPOINT].value;
    const char *zone = strncmp(a->region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    int n =
        said != NULL ? asprintf(ret, "%s", said) : asprintf(ret, "https://%s.%s.%s", a->service->name, a->region, zone);
    return n >= 0 ? TENUO_OK : TENUO_E_NOMEM;
}

static int open_web(struct aws *a, const struct tenuo_arg *args, const char *url, bool open)
{
    char why[TN_WEB_WHY] = "";
    struct tn_web_options o = {
        .host = a->host,
        .url = url,
        .ca = args[ARG_CA].value,
        .agent = "tenuo_aws",
        .secrets = "credentials_file=",
        .origin = args[ARG_ENDPOINT].value != NULL ? "endpoint=" : "region=",
        .no_cert = true,
        .seeds = a->service != &aws_kms_sign,
    };
    int r = tn_web_connect_ms(&args[ARG_CONNECT_TIMEOUT], &o.connect_ms, why);
    if (r == TENUO_OK)
        r = open ? tn_web_open(&o, NULL, &a->web, why) : tn_web_check_url(&o, why);
    return r == TENUO_OK ? r : aws_fail(a, r, "%s", why);
}

/* What can be looked at here and may be another user's to read: a warning, not an error. */
static int try_files(struct aws *a, const struct tenuo_arg *args)
{
    struct tn_secret_source source = { 0 };
    struct tenuo_error err;
    char why[TN_WEB_WHY] = "", *text = NULL;
    size_t n = 0;
    int fd = -1, r = TENUO_OK;
    if (tn_web_check_file("ca", args[ARG_CA].value, why) != TENUO_OK)
        return aws_fail(a, TENUO_E_UNAVAILABLE, "%s", why);
    if (a->credentials_file != NULL) {
        r = tn_secret_set(&source, "credentials", a->credentials_file, NULL, why);
        if (r == TENUO_OK)
            r = tn_secret_read(&source, &text, &n, why);
        tn_secret_free(text);
        tn_secret_clear(&source);
        if (r != TENUO_OK)
            return aws_fail(a, TENUO_E_UNAVAILABLE, "%s", why);
    }
    if (a->service == &aws_kms && tn_trust_open(a->path, TN_TRUST_DIR, TENUO_E_KEY_DENIED, &fd, &err) != TENUO_OK)
        return aws_fail(a, TENUO_E_UNAVAILABLE, "%s", err.msg);
    if (fd >= 0)
        close(fd);
    return TENUO_OK;
}

int aws_set(struct aws *a, const struct tenuo_arg *args, bool open)
{
    char *url = NULL;
    int r = set_rules(a, args);
    if (r == TENUO_OK)
        r = copy_rules(a, args);
    if (r == TENUO_OK)
        r = make_url(a, args, &url);
    if (r == TENUO_OK)
        r = open_web(a, args, url, open);
    free(url);
    return r == TENUO_OK && !open ? try_files(a, args) : r;
}

void aws_unset(struct aws *a)
{
    tn_web_close(a->web);
    aws_credentials_forget(a->kept);
    free(a->prefix);
    free(a->region);
    free(a->kms_key);
    free(a->path);
    free(a->profile);
    free(a->credentials_file);
    free(a->before);
    free(a->after);
}
