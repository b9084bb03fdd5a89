/* SPDX-License-Identifier: Apache-2.0 */
/* What aws reads from others. First byte modulo 3: a credentials file; a failed answer; an answer of DescribeSecret.
 * Properties: credentials are words within their bounds; a code is letters and digits and has a meaning with a remedy;
 * what is said to be ours has a number and is written as it was read. */
#include "../plugins/aws/cred_file.c"
#include "../plugins/aws/meaning.c"
#include "../plugins/aws/secrets.c"

#include "fuzz.h"

static void quiet(const struct tenuo_host *host, const char *fmt, ...)
{
    (void)host, (void)fmt;
}

static void try_file(const uint8_t *data, size_t size)
{
    static struct aws_creds creds;
    static const struct tenuo_host host = { .size = sizeof host, .error = quiet };
    const struct aws a = { .host = &host };
    struct reader r = { .creds = &creds, .profile = "default" };
    char *text = malloc(size + 1);
    if (text == NULL)
        return;
    memset(&creds, 0, sizeof creds);
    memcpy(text, data, size);
    text[size] = '\0';
    take_text(&r, text);
    free(text);
    REQUIRE(strlen(creds.id) <= AWS_ID_MAX && strlen(creds.secret) <= AWS_ID_MAX &&
            strlen(creds.token) <= AWS_TOKEN_MAX);
    REQUIRE(strpbrk(creds.id, " \n\r\t") == NULL && strpbrk(creds.secret, " \n\r\t") == NULL);
    if (judge(&a, &r, "/f", false) == TENUO_OK)
        REQUIRE(creds.id[0] != '\0' && creds.secret[0] != '\0');
}

static void try_failure(const uint8_t *data, size_t size)
{
    struct tn_web_answer answer = { .status = 400, .body = malloc(size + 1), .len = size };
    char code[AWS_CODE_MAX + 1];
    if (answer.body == NULL)
        return;
    memcpy(answer.body, data, size);
    answer.body[size] = '\0';
    aws_error_code(&answer, code);
    REQUIRE(code[0] == '\0' || is_name(code, strlen(code)));
    struct aws_meaning m = aws_meaning(&aws_secrets, &answer, code);
    REQUIRE(m.code != TENUO_OK && m.remedy != NULL);
    free(answer.body);
}

static void try_stages(const uint8_t *data, size_t size)
{
    bool nomem = false;
    char again[SECRETS_VERSION_ID + 1];
    struct secrets_found f = { 0 };
    struct tn_json *j = tn_json_parse(data, size, &nomem);
    if (j != NULL && secrets_read_stages(j, tn_json_get(j, 0, "VersionIdsToStages"), &f)) {
        REQUIRE(f.managed == (f.version != 0));
        secrets_version_id(f.version, f.key, again);
        REQUIRE(!f.managed || strcmp(again, f.version_id) == 0);
    }
    tn_json_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        try_file(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        try_failure(data + 1, size - 1);
    else
        try_stages(data + 1, size - 1);
    return 0;
}
