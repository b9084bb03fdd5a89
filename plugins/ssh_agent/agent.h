/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the ssh_agent plugin: one question to an agent over its socket, and the identities that it holds. */
#ifndef TN_AGENT_H
#define TN_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenuo/plugin.h>

#define AGENT_MESSAGE_MAX 262144u /* bytes, either way: what OpenSSH itself takes and sends at most */
#define AGENT_IDENTITIES_MAX 2048u /* likewise */
#define AGENT_BLOB_BYTES 51      /* public key of type ssh-ed25519 in wire form */

/* Bytes with a length in front everywhere: what is left to read. */
struct agent_in {
    const uint8_t *p;
    size_t n;
};

/* A message that is being built, in guarded memory, since one kind holds a secret; `ok` turns false when it does not
 * fit. */
struct agent_out {
    uint8_t *bytes;
    size_t n, room;
    bool ok, too_long;
};

struct agent {
    const struct tenuo_host *host;
    char *socket; /* NULL: SSH_AUTH_SOCK at each call */
};

/* One identity, lent from the reply. */
struct agent_identity {
    struct agent_in type, comment; /* type: "ssh-ed25519" ... */
    const uint8_t *blob;
    size_t blob_len;
    const uint8_t *key; /* 32 bytes; NULL for other types */
};

/* A list under way: the reply and where in it we are. */
struct listing {
    uint8_t *reply;
    struct agent_in in;
    uint32_t left;
};

/* listing.c. The reply is the caller's to free; a copy of the struct walks the same reply again. */
int agent_list_begin(const struct agent *a, struct listing *l);
/* 1 with an identity, 0 at the end, -1 when the list is broken. */
int agent_list_next(struct listing *l, struct agent_identity *ret);
bool agent_is_fingerprint(const char *id);
/* One identity's version under this id, 0 when it has none. */
uint32_t agent_version_of(const struct agent_identity *i, const char *key_id, bool *by_fingerprint);
bool agent_is_certificate(const struct agent_identity *i);
/* The code and the sentence for an answer that no agent gives. */
int agent_broken(const struct agent *a);

/* wire.c */
/* Room for `payload` bytes of contents and what stands around them; agent_end wipes and frees it. */
void agent_begin(struct agent_out *out, uint8_t type, size_t payload);
void agent_end(struct agent_out *out);
void agent_put_u32(struct agent_out *out, uint32_t v);
void agent_put_string(struct agent_out *out, const void *bytes, size_t n);
void agent_put_blob(struct agent_out *out, const uint8_t key[TENUO_PUBKEY_BYTES]); /* as a string */
bool agent_get_u32(struct agent_in *in, uint32_t *ret);
bool agent_get_string(struct agent_in *in, struct agent_in *ret);
bool agent_is(struct agent_in text, const char *word);
/* The next identity of a list; false when the list is broken. */
bool agent_get_identity(struct agent_in *in, struct agent_identity *ret);
/* The 64 bytes in an SSH_AGENT_SIGN_RESPONSE; false when it is anything else. */
bool agent_get_signature(struct agent_in in, uint8_t ret_signature[TENUO_SIG_BYTES]);

/* call.c: sends one message and waits for the reply until the host's deadline.
 * *ret_reply is malloc'ed: type byte, then the rest. A code with its sentence said otherwise. */
int agent_ask(const struct agent *a, struct agent_out *out, uint8_t **ret_reply, size_t *ret_len);
/* The path in use, for sentences. */
const char *agent_socket(const struct agent *a);

#endif
