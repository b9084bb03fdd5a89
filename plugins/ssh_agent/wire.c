/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's messages as bytes: numbers of four bytes and strings with a length in front. Reads what a stranger sent:
 * every length is checked against what is there. No I/O.
 */
#include "agent.h"

#include <sodium.h>
#include <string.h>

#define KEY_TYPE "ssh-ed25519"
#define AROUND 256 /* lengths, type and the blob of a key */

static void put(struct agent_out *out, const void *bytes, size_t n)
{
    if (!out->ok || n > out->room - out->n) {
        out->ok = false;
        return;
    }
    memcpy(out->bytes + out->n, bytes, n);
    out->n += n;
}

void agent_put_u32(struct agent_out *out, uint32_t v)
{
    const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    put(out, b, sizeof b);
}

/* The length in front is filled in when it is sent. */
void agent_begin(struct agent_out *out, uint8_t type, size_t payload)
{
    *out = (struct agent_out){ .too_long = payload > AGENT_MESSAGE_MAX - AROUND };
    if (out->too_long)
        return;
    out->ok = true;
    out->room = payload + AROUND;
    out->bytes = sodium_malloc(out->room);
    if (out->bytes == NULL)
        out->room = 0;
    agent_put_u32(out, 0);
    put(out, &type, 1);
}

void agent_end(struct agent_out *out)
{
    sodium_free(out->bytes);
    out->bytes = NULL;
}

void agent_put_string(struct agent_out *out, const void *bytes, size_t n)
{
    if (n > out->room) {
        out->ok = false;
        return;
    }
    agent_put_u32(out, (uint32_t)n);
    put(out, bytes, n);
}

void agent_put_blob(struct agent_out *out, const uint8_t key[TENUO_PUBKEY_BYTES])
{
    agent_put_u32(out, AGENT_BLOB_BYTES);
    agent_put_string(out, KEY_TYPE, sizeof KEY_TYPE - 1);
    agent_put_string(out, key, TENUO_PUBKEY_BYTES);
}

bool agent_get_u32(struct agent_in *in, uint32_t *ret)
{
    if (in->n < 4)
        return false;
    *ret = (uint32_t)in->p[0] << 24 | (uint32_t)in->p[1] << 16 | (uint32_t)in->p[2] << 8 | in->p[3];
    in->p += 4;
    in->n -= 4;
    return true;
}

bool agent_get_string(struct agent_in *in, struct agent_in *ret)
{
    uint32_t n;
    if (!agent_get_u32(in, &n) || n > in->n)
        return false;
    *ret = (struct agent_in){ in->p, n };
    in->p += n;
    in->n -= n;
    return true;
}

bool agent_is(struct agent_in text, const char *word)
{
    return text.n == strlen(word) && memcmp(text.p, word, text.n) == 0;
}

bool agent_get_identity(struct agent_in *in, struct agent_identity *ret)
{
    struct agent_identity id = { .key = NULL };
    struct agent_in blob, key;
    if (!agent_get_string(in, &blob) || !agent_get_string(in, &id.comment))
        return false;
    id.blob = blob.p;
    id.blob_len = blob.n;
    if (!agent_get_string(&blob, &id.type))
        return false;
    if (agent_is(id.type, KEY_TYPE)) {
        if (!agent_get_string(&blob, &key) || key.n != TENUO_PUBKEY_BYTES || blob.n != 0)
            return false;
        id.key = key.p;
    }
    *ret = id;
    return true;
}

bool agent_get_signature(struct agent_in in, uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct agent_in outer, type, bytes;
    if (!agent_get_string(&in, &outer) || in.n != 0 || !agent_get_string(&outer, &type) || !agent_is(type, KEY_TYPE) ||
        !agent_get_string(&outer, &bytes) || bytes.n != TENUO_SIG_BYTES || outer.n != 0)
        return false;
    memcpy(ret_signature, bytes.p, TENUO_SIG_BYTES);
    return true;
}
