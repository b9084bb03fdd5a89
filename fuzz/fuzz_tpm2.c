/* SPDX-License-Identifier: Apache-2.0 */
/* A TSS2 key file, any bytes: first byte 0 PEM, 1 DER, 2 a PCR list. Properties: what is read lies within the input and
 * is written as a file that reads the same; what we wrote ourselves is read byte for byte; a refusal has a reason. */
#include "../plugins/tpm2/keyblob.c"

#include "../plugins/tpm2/keyblob.h"
#include "fuzz.h"

static bool within(const uint8_t *p, size_t n, const uint8_t *in, size_t size)
{
    return n == 0 || (p >= in && n <= size && (size_t)(p - in) <= size - n);
}

static bool same(const struct tpm2_key *a, const struct tpm2_key *b)
{
    bool equal = a->sealed == b->sealed && a->empty_auth == b->empty_auth && a->parent == b->parent &&
                 a->npolicy == b->npolicy && a->pub_len == b->pub_len && a->priv_len == b->priv_len &&
                 memcmp(a->pub, b->pub, a->pub_len) == 0;
    for (size_t i = 0; equal && i < a->npolicy; i++)
        equal = a->policy[i].code == b->policy[i].code && a->policy[i].len == b->policy[i].len &&
                (a->policy[i].len == 0 || memcmp(a->policy[i].body, b->policy[i].body, a->policy[i].len) == 0);
    return equal;
}

static void try_pcrs(const struct tpm2_statement *s)
{
    struct tpm2_pcr_statement pcr;
    char text[TPM2_PCRS_TEXT];
    if (s->code != TPM2_CC_POLICY_PCR)
        return;
    REQUIRE(tpm2_pcr_read(s->body, s->len, &pcr));
    REQUIRE(within(pcr.digest, pcr.digest_len, s->body, s->len));
    REQUIRE(within(pcr.selection, pcr.selection_len, s->body, s->len));
    tpm2_pcrs_text(pcr.selection, pcr.selection_len, text);
    REQUIRE(memchr(text, '\0', sizeof text) != NULL);
}

static void try_der(const uint8_t *data, size_t size)
{
    uint8_t first[TPM2_DER_MAX], second[TPM2_DER_MAX];
    struct tpm2_key key, again;
    const char *why = NULL;
    if (!tpm2_key_read(data, size, &key, &why)) {
        REQUIRE(why != NULL);
        return;
    }
    REQUIRE(within(key.pub, key.pub_len, data, size) && within(key.priv, key.priv_len, data, size));
    for (size_t i = 0; i < key.npolicy; i++)
        try_pcrs(&key.policy[i]);
    size_t n = tpm2_key_write(&key, first);
    if (n == 0)
        return; /* larger than we keep */
    REQUIRE(tpm2_key_read(first, n, &again, &why) && same(&key, &again));
    REQUIRE(tpm2_key_write(&again, second) == n && memcmp(first, second, n) == 0);
}

static void try_pem(const char *text, size_t size)
{
    static char pem[TPM2_PEM_MAX];
    uint8_t der[TPM2_DER_MAX], back[TPM2_DER_MAX];
    const char *why = NULL;
    size_t n = 0, m = 0;
    if (!tpm2_pem_read(text, size, der, &n, &why)) {
        REQUIRE(why != NULL);
        return;
    }
    size_t len = tpm2_pem_write(der, n, pem);
    REQUIRE(len != 0 && len < TPM2_PEM_MAX && tpm2_pem_read(pem, len, back, &m, &why));
    REQUIRE(m == n && memcmp(der, back, n) == 0);
    try_der(der, n);
}

static void try_list(const char *text)
{
    uint8_t selection[10];
    char back[TPM2_PCRS_TEXT];
    uint16_t bank, bank2;
    uint32_t mask, mask2;
    if (!tpm2_pcrs_parse(text, &bank, &mask))
        return;
    tpm2_pcrs_write(bank, mask, selection);
    tpm2_pcrs_text(selection, sizeof selection, back);
    REQUIRE(tpm2_pcrs_parse(back, &bank2, &mask2) && bank == bank2 && mask == mask2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* An exact copy: a read beyond it is seen. */
    uint8_t *copy = malloc(size);
    REQUIRE(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    switch (data[0] % 3) {
    case 0:
        try_pem((const char *)copy, size - 1);
        break;
    case 1: {
        uint8_t *der = malloc(size - 1 == 0 ? 1 : size - 1);
        REQUIRE(der != NULL);
        memcpy(der, data + 1, size - 1);
        try_der(der, size - 1);
        free(der);
        break;
    }
    default:
        try_list((const char *)copy);
        break;
    }
    free(copy);
    return 0;
}
