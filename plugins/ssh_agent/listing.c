/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identities of an agent, one after the other, out of one answer. Believes no count and no length of it; keeps
 * nothing.
 */
#include "agent.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/versions.h"

#define FINGERPRINT_DIGITS 64 /* SHA-256 of the key blob in hex */

enum { LIST = 11, LISTED = 12 };

int agent_broken(const struct agent *a)
{
    a->host->error(a->host, "%s: the answer is not what an ssh-agent sends", agent_socket(a));
    return TENUO_E_UNAVAILABLE;
}

int agent_list_begin(const struct agent *a, struct listing *l)
{
    struct agent_out out;
    size_t len = 0;
    agent_begin(&out, LIST, 0);
    int r = agent_ask(a, &out, &l->reply, &len);
    agent_end(&out);
    if (r != TENUO_OK)
        return r;
    l->in = (struct agent_in){ l->reply + 1, len - 1 };
    if (l->reply[0] == LISTED && agent_get_u32(&l->in, &l->left) && l->left <= AGENT_IDENTITIES_MAX)
        return TENUO_OK;
    free(l->reply);
    return agent_broken(a);
}

int agent_list_next(struct listing *l, struct agent_identity *ret)
{
    if (l->left == 0)
        return l->in.n == 0 ? 0 : -1;
    l->left--;
    return agent_get_identity(&l->in, ret) ? 1 : -1;
}

bool agent_is_certificate(const struct agent_identity *i)
{
    static const char tail[] = "-cert-v01@openssh.com";
    return i->type.n > sizeof tail && memcmp(i->type.p + i->type.n - (sizeof tail - 1), tail, sizeof tail - 1) == 0;
}

bool agent_is_fingerprint(const char *id)
{
    return strlen(id) == FINGERPRINT_DIGITS && strspn(id, "0123456789abcdef") == FINGERPRINT_DIGITS;
}

static bool has_fingerprint(const struct agent_identity *i, const char *id)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[FINGERPRINT_DIGITS + 1];
    crypto_hash_sha256(hash, i->blob, i->blob_len);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return strcmp(hex, id) == 0;
}

uint32_t agent_version_of(const struct agent_identity *i, const char *key_id, bool *by_fingerprint)
{
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version = 0;
    if (i->key != NULL && agent_is_fingerprint(key_id) && has_fingerprint(i, key_id)) {
        *by_fingerprint = true;
        return 1;
    }
    if (!tn_version_parse((const char *)i->comment.p, i->comment.n, id, &version) || strcmp(id, key_id) != 0)
        return 0;
    return version == 0 ? 1 : version;
}
