/* SPDX-License-Identifier: Apache-2.0 */
/* What the errors of the services mean to a resolver, and what to do about them: one table. The text of an error is the
 * server's own and is never shown; only words that are known are looked for in it. */
#include "aws.h"

#include <string.h>

struct row {
    const char *code;
    int is;
    enum aws_kind kind;
    const char *remedy;
};

#define IAM "allow this action in IAM, and in the policy of the KMS key"
#define KEYS "not valid there: look at the access key, its secret and the region"
#define CLOCK "set the clock of this machine (NTP): signatures are good for minutes"
#define BUSY "the service is too busy: raise timeout=, or have its limits raised"
#define STATE "enable the KMS key, or cancel its deletion"
#define WRONG "it was not wrapped by this KMS key for this key id, or it was changed"

static const struct row rows[] = {
    { "ResourceNotFoundException", TENUO_E_KEY_NOT_FOUND, AWS_OTHER, "there is no such secret" },
    { "ParameterNotFound", TENUO_E_KEY_NOT_FOUND, AWS_OTHER, "there is no such parameter" },
    { "ParameterVersionNotFound", TENUO_E_KEY_NOT_FOUND, AWS_OTHER, "there is no such version of it" },
    { "NotFoundException", TENUO_E_KEY_NOT_FOUND, AWS_OTHER, "there is no such key or alias in this region" },
    { "ResourceExistsException", TENUO_E_KEY_CONFLICT, AWS_OTHER, "it is there already: rotate it, or remove it" },
    { "ParameterAlreadyExists", TENUO_E_KEY_CONFLICT, AWS_OTHER, "it is there already: rotate it, or remove it" },
    { "AlreadyExistsException", TENUO_E_KEY_CONFLICT, AWS_OTHER, "the alias is there already: remove it" },
    { "AccessDeniedException", TENUO_E_KEY_DENIED, AWS_OTHER, IAM },
    { "AccessDenied", TENUO_E_KEY_DENIED, AWS_OTHER, IAM },
    { "UnauthorizedOperation", TENUO_E_KEY_DENIED, AWS_OTHER, IAM },
    { "NotAuthorized", TENUO_E_KEY_DENIED, AWS_OTHER, IAM },
    { "DecryptionFailure", TENUO_E_KEY_DENIED, AWS_OTHER, "its KMS key cannot be used: enable it, allow it" },
    { "EncryptionFailure", TENUO_E_KEY_DENIED, AWS_OTHER, "the KMS key cannot be used: enable it and allow it" },
    { "InvalidKeyId", TENUO_E_KEY_DENIED, AWS_OTHER,
      "its KMS key is not there or cannot be used: enable it, allow it" },
    { "UnrecognizedClientException", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "InvalidClientTokenId", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "SignatureDoesNotMatch", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "InvalidSignatureException", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "IncompleteSignature", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "IncompleteSignatureException", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "MissingAuthenticationToken", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "MissingAuthenticationTokenException", TENUO_E_KEY_DENIED, AWS_OTHER, KEYS },
    { "OptInRequired", TENUO_E_KEY_DENIED, AWS_OTHER, "the account does not have this service or region" },
    { "ExpiredTokenException", TENUO_E_KEY_DENIED, AWS_EXPIRED, "the credentials have expired: renew them" },
    { "ExpiredToken", TENUO_E_KEY_DENIED, AWS_EXPIRED, "the credentials have expired: renew them" },
    { "RequestExpired", TENUO_E_KEY_DENIED, AWS_OTHER, CLOCK },
    { "RequestTimeTooSkewed", TENUO_E_KEY_DENIED, AWS_OTHER, CLOCK },
    { "DisabledException", TENUO_E_KEY_DENIED, AWS_OTHER, STATE },
    { "KMSInvalidStateException", TENUO_E_KEY_DENIED, AWS_OTHER, STATE },
    { "InvalidGrantTokenException", TENUO_E_KEY_DENIED, AWS_OTHER, IAM },
    { "LimitExceededException", TENUO_E_KEY_DENIED, AWS_OTHER,
      "a limit of the account is reached: remove what is old" },
    { "ParameterLimitExceeded", TENUO_E_KEY_DENIED, AWS_OTHER,
      "a limit of the account is reached: remove what is old" },
    { "ParameterMaxVersionLimitExceeded", TENUO_E_KEY_DENIED, AWS_OTHER,
      "its oldest version has a label, so it cannot make room: take the label off" },
    { "InvalidCiphertextException", TENUO_E_KEY_INVALID, AWS_OTHER, WRONG },
    { "IncorrectKeyException", TENUO_E_KEY_INVALID, AWS_OTHER, WRONG },
    { "InvalidKeyUsageException", TENUO_E_KEY_INVALID, AWS_OTHER, "the KMS key is of another kind than this needs" },
    { "UnsupportedOperationException", TENUO_E_KEY_INVALID, AWS_OTHER,
      "the KMS key is of another kind than this needs" },
    { "InvalidAliasNameException", TENUO_E_KEY_INVALID, AWS_OTHER, "an alias has letters, digits and /_- alone" },
    { "ThrottlingException", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "Throttling", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "ThrottledException", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "RequestThrottled", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "RequestThrottledException", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "TooManyRequestsException", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "RequestLimitExceeded", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "ProvisionedThroughputExceededException", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "TooManyUpdates", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "SlowDown", TENUO_E_UNAVAILABLE, AWS_THROTTLED, BUSY },
    { "ValidationException", TENUO_E_KEY_INVALID, AWS_OTHER,
      "the service does not take such a name or value: look at prefix=" },
    { "InvalidParameterException", TENUO_E_KEY_INVALID, AWS_OTHER,
      "the service does not take such a name or value: look at prefix=" },
};

static bool is_name(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9')))
            return false;
    return n > 0 && n <= AWS_CODE_MAX;
}

static void keep_name(const char *p, size_t n, char ret[AWS_CODE_MAX + 1])
{
    if (!is_name(p, n))
        return;
    memcpy(ret, p, n);
    ret[n] = '\0';
}

/* "com.amazonaws.kms#DisabledException", or the last part alone, perhaps with ":http://..." behind it. */
static bool json_code(const struct tn_web_answer *a, char ret[AWS_CODE_MAX + 1])
{
    bool nomem = false;
    char text[256];
    struct tn_json *j = tn_json_parse(a->body, a->len, &nomem);
    if (j == NULL)
        return false;
    if (tn_json_string(j, tn_json_get(j, 0, "__type"), text, sizeof text, NULL) ||
        tn_json_string(j, tn_json_get(j, 0, "code"), text, sizeof text, NULL)) {
        const char *p = strrchr(text, '#');
        p = p == NULL ? text : p + 1;
        keep_name(p, strcspn(p, ":"), ret);
    }
    tn_json_free(j);
    return true;
}

void aws_error_code(const struct tn_web_answer *a, char ret[AWS_CODE_MAX + 1])
{
    static const char begins[] = "<Code>";
    ret[0] = '\0';
    if (a->body == NULL || json_code(a, ret))
        return;
    const char *p = memmem(a->body, a->len, begins, sizeof begins - 1);
    if (p == NULL)
        return;
    p += sizeof begins - 1;
    const char *end = memchr(p, '<', a->len - (size_t)((const uint8_t *)p - a->body));
    if (end != NULL)
        keep_name(p, (size_t)(end - p), ret);
}

static bool says(const struct tn_web_answer *a, const char *word)
{
    return a->body != NULL && memmem(a->body, a->len, word, strlen(word)) != NULL;
}

/* Secrets Manager has one code for several states, and tells them apart in the text alone. */
static struct aws_meaning invalid_request(const struct tn_web_answer *a)
{
    if (says(a, "delet"))
        return (struct aws_meaning){ TENUO_E_KEY_DENIED, AWS_OTHER,
                                     "it is scheduled for deletion: bring it back (restore-secret) or wait" };
    return (struct aws_meaning){ TENUO_E_KEY_INVALID, AWS_OTHER, "the secret is in no state for this: look at it" };
}

static struct aws_meaning by_status(long status)
{
    if (status == 401 || status == 403)
        return (struct aws_meaning){ TENUO_E_KEY_DENIED, AWS_OTHER, IAM };
    if (status >= 300 && status < 400)
        return (struct aws_meaning){ TENUO_E_UNAVAILABLE, AWS_OTHER,
                                     "it redirects, which is not followed: look at endpoint= and region=" };
    return (struct aws_meaning){ TENUO_E_UNAVAILABLE, AWS_OTHER, "look at endpoint= and at the state of the service" };
}

struct aws_meaning aws_meaning(const struct aws_service *service, const struct tn_web_answer *a, const char *code)
{
    const bool is_signature =
        strcmp(code, "InvalidSignatureException") == 0 || strcmp(code, "SignatureDoesNotMatch") == 0;
    if (strcmp(code, "InvalidRequestException") == 0)
        return invalid_request(a);
    if (is_signature && (says(a, "expired") || says(a, "not yet current")))
        return (struct aws_meaning){ TENUO_E_KEY_DENIED, AWS_OTHER, CLOCK };
    /* The file of the wrapped key is there: it is the wrapping key that is not. */
    if (service == &aws_kms && strcmp(code, "NotFoundException") == 0)
        return (struct aws_meaning){ TENUO_E_KEY_DENIED, AWS_OTHER,
                                     "the KMS key that wraps is not in this region: look at region= and kms_key=" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(code, rows[i].code) == 0)
            return (struct aws_meaning){ rows[i].is, rows[i].kind, rows[i].remedy };
    return by_status(a->status);
}
