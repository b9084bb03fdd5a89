/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts behind their signature, which no fuzzer can make: whatever payload is read says the same when it is built
 * again, byte for byte; an envelope holds its payload within its own bytes.
 */
#include "fuzz.h"

#include "../core/receipt_read.c"

#include "../core/limits.h"

static bool can_be_built(const struct tenuo_receipt_fields *f)
{
    return f->tool != f->action && f->tool_len <= TN_MAX_TOOL_NAME && f->warrant_chain_len <= TN_MAX_STACK_BYTES;
}

static void require_payload(struct tn_str payload)
{
    struct tenuo_receipt_fields f;
    uint8_t *message = NULL;
    size_t n = 0, prefix = sizeof TN_RECEIPT_MESSAGE - 1;
    if (tn_receipt_payload_read(payload, &f, NULL) != TENUO_OK || !can_be_built(&f))
        return;
    REQUIRE(tenuo_receipt_prepare(&f, &message, &n, NULL) == TENUO_OK);
    REQUIRE(n == prefix + payload.n && memcmp(message + prefix, payload.p, payload.n) == 0);
    tenuo_bytes_free(message, n);
}

static void require_envelope(struct tn_str bytes)
{
    struct tenuo_receipt receipt = { 0 }, *parsed = NULL;
    struct tn_reader r;
    tn_reader_init(&r, bytes, NULL);
    if (read_envelope(&r, &receipt)) {
        REQUIRE(receipt.payload.p >= bytes.p && receipt.payload.p + receipt.payload.n <= bytes.p + bytes.n);
        require_payload(receipt.payload);
    }
    if (tenuo_receipt_parse(bytes.p, bytes.n, &parsed, NULL) == TENUO_OK)
        tenuo_receipt_free(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    require_payload((struct tn_str){ data, size });
    require_envelope((struct tn_str){ data, size });
    return 0;
}
