/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a receipt: its own copy of the bytes, and fields that point into it. */
#ifndef TN_RECEIPT_H
#define TN_RECEIPT_H

#include "str.h"
#include <tenuo/receipt.h>

#define TN_RECEIPT_MESSAGE TN_DOMAIN_WARRANT TN_DOMAIN_RECEIPT "\x01" /* in front of the payload; crypto.h */

struct tenuo_receipt {
    struct tenuo_receipt_fields fields;
    const uint8_t *signer, *signature;
    struct tn_str payload;
    size_t len;
    uint8_t bytes[];
};

/* The payload alone, by every rule that its bytes decide. ret_fields borrows from it. */
int tn_receipt_payload_read(struct tn_str payload, struct tenuo_receipt_fields *ret_fields, struct tenuo_error *err);
/* 0, 1100 or 9000. */
int tn_receipt_verify_signature(const uint8_t key[32], const uint8_t signature[64], struct tn_str payload);

#endif
