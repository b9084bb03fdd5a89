/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key store whose state is a struct of the test: `world` on its line is the struct's address, since both live in one
 * process. Counts every call, and is as slow, silent or wrong as it is told.
 */
#ifndef TN_MOCK_STORE_H
#define TN_MOCK_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <tenuo/plugin.h>

#define MOCK_STORE_KEYS 80

enum mock_op { MOCK_OPEN, MOCK_PUBLIC, MOCK_SIGN, MOCK_EXPORT, MOCK_LIST, MOCK_DESCRIBE, MOCK_GENERATE, MOCK_IMPORT,
               MOCK_REMOVE, MOCK_OPS };

enum mock_fault {
    MOCK_RIGHT,
    MOCK_WRONG_SIGNATURE,
    MOCK_WRONG_VERSION,  /* another one than was asked for */
    MOCK_WEAK_KEY,       /* a public key of small order */
    MOCK_SAME_KEY,       /* rotates without a new key */
    MOCK_OLD_VERSION,    /* rotates without a new version */
    MOCK_ENDLESS,        /* list never ends by itself */
    MOCK_NULL_ENTRY,
    MOCK_NO_SIZE,
    MOCK_BAD_ID,
    MOCK_OTHER_ID,
    MOCK_OPEN_NOTE,      /* no NUL in it */
    MOCK_CONTROL_NOTE,   /* an escape sequence in it */
    MOCK_BAD_VERSIONS,   /* oldest above newest */
    MOCK_NO_PUBLIC,      /* describe does not tell the public key */
    MOCK_LONG_SENTENCE,  /* with the remedy at its end */
    MOCK_ILLEGAL         /* a code that is none */
};

struct mock_store {
    pthread_mutex_t lock;
    struct {
        char id[TENUO_KEY_ID_MAX + 1];
        uint32_t version; /* 0: free slot */
        uint8_t seed[TENUO_SEED_BYTES];
    } keys[MOCK_STORE_KEYS];
    bool versions;
    unsigned can; /* 0: both */
    unsigned cannot; /* TENUO_RESOLVER_NO_... */
    atomic_int code;        /* what every call but open answers when it is not 0 */
    atomic_uint delay_ms;
    atomic_int fault; /* enum mock_fault */
    atomic_int calls[MOCK_OPS];
};

#endif
