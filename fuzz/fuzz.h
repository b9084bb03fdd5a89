/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput; libFuzzer drives it, or replay.c where
 * the compiler has none. A broken property ends the process through REQUIRE, which every driver reports as a crash.
 */
#ifndef TENUO_FUZZ_H
#define TENUO_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenuo/tenuo.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(property)                                                                         \
    do {                                                                                          \
        if (!(property)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: broken property: %s\n", __FILE__, __LINE__, #property); \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

/* Input as a source of choices; an empty source gives zeros. */
struct source {
    const uint8_t *p;
    size_t len;
};
uint8_t source_byte(struct source *source);
/* The next part: two length bytes, then that many bytes or what is left. */
struct source source_part(struct source *source);

/* gen.c: constraints and values over a small alphabet, so that two of them are often related. `like`: a type to prefer,
 * or 0. */
#define GEN_MAX 16384
struct gen {
    uint8_t bytes[GEN_MAX];
    size_t len;
};
void gen_constraint(struct gen *out, struct source *source, unsigned like);
void gen_value(struct gen *out, struct source *source);
/* A constraint that is often narrower than the parent: the same, the same type, an Exact, or the parent with something
 * added or taken away. */
void gen_narrowed(struct gen *out, const struct gen *parent, struct source *source);
/* The shipped matchers in the folder TENUO_FUZZ_PLUGINS (staged.sh); NULL without it. */
struct tenuo_matchers *gen_matchers(void);

#endif
