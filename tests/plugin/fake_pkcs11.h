/* SPDX-License-Identifier: Apache-2.0 */
/* FAKE: the knobs of fake_pkcs11.so, which the test finds with dlsym. Not a token; for faults that no token makes when
 * it is asked to. */
#ifndef TN_FAKE_PKCS11_H
#define TN_FAKE_PKCS11_H

#include <p11-kit/pkcs11.h>
#include <stdatomic.h>

#define FAKE_OBJECTS 40

struct fake_object {
    CK_OBJECT_CLASS class; /* 0: free */
    char label[64];
    CK_ULONG label_len;
    CK_KEY_TYPE type;
    unsigned char seed[32], key[32];
};

struct fake_pkcs11 {
    struct fake_object objects[FAKE_OBJECTS];
    char pin[16];
    atomic_int logged_in, sessions, opened, logins, signs, initialised;
    atomic_int present;                                           /* the token is in its slot */
    atomic_int login_rv, sign_rv, open_rv, find_rv, sign_init_rv; /* what to answer, once the count below is up */
    atomic_int faults;                                            /* so many calls answer with the above; -1: all */
    atomic_int mutations;  /* so many changes are done, then none: what a crash leaves; -1: all */
    atomic_int flags;      /* of the token, besides the usual */
    atomic_int no_login;   /* the token wants none */
    atomic_int always;     /* CKA_ALWAYS_AUTHENTICATE */
    atomic_int lie;        /* FAKE_... */
    atomic_int delay_ms;   /* C_OpenSession */
    atomic_int point_form; /* 0: OCTET STRING, 1: raw, 2: BIT STRING */
    atomic_int oid_only;   /* generates by OID, not by name */
};

enum {
    FAKE_HONEST,
    FAKE_LONG_ATTRIBUTE,
    FAKE_MANY_OBJECTS,
    FAKE_SHORT_SIGNATURE,
    FAKE_LONG_SIGNATURE,
    FAKE_WRONG_SIGNATURE,
    FAKE_MANY_SLOTS,
    FAKE_SHORT_POINT
};

#endif
