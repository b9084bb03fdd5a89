/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of possession: the challenge of a call, its signature, and the hashes under which a call is known (spec
 * warrant.md 8). */
#include <stdlib.h>

#include "crypto.h"
#include "err.h"
#include "request.h"
#include "signer.h"
#include "warrant.h"
#include <tenuo/verify.h>

void tn_put_arg_pairs(struct tn_buf *b, const struct tenuo_args *args)
{
    size_t n = tenuo_args_count(args);
    tn_put_array(b, n);
    for (size_t i = 0; i < n; i++) {
        tn_put_array(b, 2);
        tn_put_text(b, args->args[i].name);
        tn_buf_str(b, args->args[i].value);
    }
}

static void put_id_hex(struct tn_buf *b, const struct tenuo_warrant *w)
{
    char hex[33];
    tn_hex(hex, w->id, 16);
    tn_put_text(b, tn_lit(hex));
}

/* Everything of the challenge but its last member, the window. */
static void put_challenge(struct tn_buf *b, const struct tenuo_warrant *w, struct tn_str tool,
                          const struct tenuo_args *args)
{
    tn_buf_str(b, tn_lit(TN_DOMAIN_POP));
    tn_put_array(b, 4);
    put_id_hex(b, w);
    tn_put_text(b, tool);
    tn_put_arg_pairs(b, args);
}

static int64_t window_of(int64_t when)
{
    return when / TN_POP_WINDOW * TN_POP_WINDOW;
}

static int preimage(struct tn_buf *b, const struct tenuo_warrant *w, struct tn_str tool, const struct tenuo_args *args,
                    int64_t when, struct tenuo_error *err)
{
    if (!tn_utf8_valid(tool))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "the tool name is not UTF-8");
    put_challenge(b, w, tool, args);
    tn_put_int(b, window_of(when));
    return b->failed ? tn_fail_code(err, TENUO_E_NOMEM) : TENUO_OK;
}

int tenuo_pop_preimage(const struct tenuo_warrant *warrant, const char *tool, size_t tool_len,
                       const struct tenuo_args *args, int64_t when, uint8_t **ret_bytes, size_t *ret_len,
                       struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    int r = preimage(&b, warrant, (struct tn_str){ (const uint8_t *)tool, tool_len }, args, when, reterr);
    if (r != TENUO_OK) {
        tn_buf_free(&b);
        return r;
    }
    *ret_bytes = b.p;
    *ret_len = b.n;
    return TENUO_OK;
}

int tenuo_pop_sign(const struct tenuo_signer *signer, const struct tenuo_warrant *warrant, const char *tool,
                   size_t tool_len, const struct tenuo_args *args, int64_t when, uint8_t ret_signature[64],
                   struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    int r;
    if (memcmp(tenuo_signer_public_key(signer), warrant->holder, 32) != 0)
        return tn_fail(reterr, TENUO_E_HOLDER_MISMATCH,
                       "the key is not the holder of the warrant: sign with the holder's key");
    r = preimage(&b, warrant, (struct tn_str){ (const uint8_t *)tool, tool_len }, args, when, reterr);
    if (r == TENUO_OK)
        r = tn_signer_sign_own(signer, b.p, b.n, ret_signature, reterr);
    tn_buf_free(&b);
    return r;
}

int tn_pop_check(const struct tenuo_warrant *w, struct tn_str tool, const struct tenuo_args *args,
                 const uint8_t pop[64], int64_t as_of, uint32_t windows, int64_t *ret_window)
{
    struct tn_buf b = { 0 };
    int64_t now = window_of(as_of);
    uint32_t n = windows > TN_POP_WINDOWS_MAX ? TN_POP_WINDOWS_MAX : windows;
    size_t fixed;
    bool good = false, failed;
    tn_buf_str(&b, tn_lit(TN_DOMAIN_WARRANT));
    put_challenge(&b, w, tool, args);
    fixed = b.n;
    for (uint32_t i = 0; i < n && !good; i++) { /* 0, -1, +1, -2, +2 ... but no further than half of n */
        int64_t step = (int64_t)((i + 1) / 2), offset = i % 2 == 1 ? -step : step, window;
        if (step > n / 2 || __builtin_add_overflow(now, offset * TN_POP_WINDOW, &window))
            continue;
        b.n = fixed;
        tn_put_int(&b, window);
        good = !b.failed && tn_verify_whole(w->holder, pop, tn_buf_view(&b));
        if (good)
            *ret_window = window;
    }
    failed = b.failed;
    tn_buf_free(&b);
    return good ? TENUO_OK : failed ? TENUO_E_NOMEM : TENUO_E_SIGNATURE_INVALID;
}

int tenuo_pop_verify(const struct tenuo_warrant *warrant, const char *tool, size_t tool_len,
                     const struct tenuo_args *args, const uint8_t signature[64], int64_t as_of, uint32_t windows,
                     struct tenuo_error *reterr)
{
    struct tn_str name = { (const uint8_t *)tool, tool_len };
    int r = TENUO_E_SIGNATURE_INVALID;
    int64_t window;
    if (tn_utf8_valid(name))
        r = tn_pop_check(warrant, name, args, signature, as_of, windows, &window);
    if (r == TENUO_OK)
        return r;
    if (r == TENUO_E_NOMEM)
        return tn_fail_code(reterr, r);
    return tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "the proof of possession does not verify for this call and time");
}

int tenuo_request_hash(const char *warrant_id_text, const char *tool, size_t tool_len, const struct tenuo_args *args,
                       const uint8_t *holder, uint8_t ret_hash[32], struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 }, map = { 0 };
    int r = TENUO_OK;
    tn_args_put_map(&map, args);
    tn_put_array(&b, 4);
    tn_put_text(&b, tn_lit(warrant_id_text));
    tn_put_text(&b, (struct tn_str){ (const uint8_t *)tool, tool_len });
    tn_put_bytes(&b, tn_buf_view(&map));
    tn_put_bytes(&b, (struct tn_str){ holder, holder == NULL ? 0 : 32 });
    if (b.failed || map.failed)
        r = tn_fail_code(reterr, TENUO_E_NOMEM);
    else
        tn_sha256(ret_hash, tn_buf_view(&b));
    tn_buf_free(&map);
    tn_buf_free(&b);
    return r;
}

int tenuo_pop_dedup_key(const struct tenuo_warrant *warrant, const char *tool, size_t tool_len,
                        const struct tenuo_args *args, char ret_hex[65], struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    uint8_t hash[32];
    int r = TENUO_OK;
    tn_put_array(&b, 3);
    put_id_hex(&b, warrant);
    tn_put_text(&b, (struct tn_str){ (const uint8_t *)tool, tool_len });
    tn_put_arg_pairs(&b, args);
    if (b.failed) {
        r = tn_fail_code(reterr, TENUO_E_NOMEM);
    } else {
        tn_sha256(hash, tn_buf_view(&b));
        tn_hex(ret_hex, hash, sizeof hash);
    }
    tn_buf_free(&b);
    return r;
}
