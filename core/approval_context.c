/* SPDX-License-Identifier: Apache-2.0 */
/* The holder's signature under what it asks approval for (spec governance.md 5). The prefix that this preimage carries
 * itself is the one that every signature of the protocol has. */
#include "approval.h"

#include "crypto.h"
#include "err.h"
#include "signer.h"

struct context {
    const char *warrant_id;
    struct tn_str tool;
    const struct tenuo_args *args;
    const uint8_t *holder;
};

static void put_sized(struct tn_buf *b, struct tn_str s)
{
    const uint8_t head[] = { (uint8_t)(s.n >> 24), (uint8_t)(s.n >> 16), (uint8_t)(s.n >> 8), (uint8_t)s.n };
    tn_buf_put(b, head, sizeof head);
    tn_buf_str(b, s);
}

/* Without the common prefix. Every part is far below 4 GiB. */
static int preimage(struct tn_buf *b, const struct context *c, struct tenuo_error *err)
{
    struct tn_buf map = { 0 };
    uint8_t hash[32];
    int r = tenuo_request_hash(c->warrant_id, (const char *)c->tool.p, c->tool.n, c->args, c->holder, hash, err);
    if (r != TENUO_OK)
        return r;
    tn_args_put_map(&map, c->args);
    tn_buf_str(b, tn_lit(TN_DOMAIN_APPROVAL_CONTEXT "\x01"));
    put_sized(b, tn_lit(c->warrant_id));
    put_sized(b, c->tool);
    put_sized(b, (struct tn_str){ hash, sizeof hash });
    put_sized(b, (struct tn_str){ c->holder, 32 });
    put_sized(b, tn_buf_view(&map));
    if (map.failed || b->failed)
        r = tn_fail_code(err, TENUO_E_NOMEM);
    tn_buf_free(&map);
    return r;
}

int tenuo_approval_context_sign(const struct tenuo_signer *holder, const char *warrant_id, const char *tool,
                                size_t tool_len, const struct tenuo_args *args, uint8_t ret_signature[64],
                                struct tenuo_error *reterr)
{
    const struct context c = { warrant_id, { (const uint8_t *)tool, tool_len }, args, tenuo_signer_public_key(holder) };
    struct tn_buf b = { 0 };
    int r = preimage(&b, &c, reterr);
    if (r == TENUO_OK)
        r = tn_signer_sign_own(holder, b.p, b.n, ret_signature, reterr);
    tn_buf_free(&b);
    return r;
}

int tenuo_approval_context_verify(const uint8_t holder[32], const char *warrant_id, const char *tool, size_t tool_len,
                                  const struct tenuo_args *args, const uint8_t signature[64],
                                  struct tenuo_error *reterr)
{
    const struct context c = { warrant_id, { (const uint8_t *)tool, tool_len }, args, holder };
    struct tn_buf b = { 0 };
    int r;
    tn_buf_str(&b, tn_lit(TN_DOMAIN_WARRANT));
    r = preimage(&b, &c, reterr);
    if (r == TENUO_OK && !tn_verify_whole(holder, signature, tn_buf_view(&b)))
        r = tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "the holder did not sign this request for approval");
    tn_buf_free(&b);
    return r;
}
