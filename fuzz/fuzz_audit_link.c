/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of chained audit lines: any bytes are read without a fault, and what was closed is read back and holds. */
#include "../common/audit_link.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tn_link link = { 0 }, made = { .seq = size };
    char *line = malloc(size + 1 + TN_LINK_MAX);
    if (line == NULL)
        return 0;
    memcpy(line, data, size);
    if (tn_link_read(line, size, &link))
        (void)tn_link_holds(line, size, &link);
    if (size != 0 && line[0] == '{' && memchr(line, '\n', size) == NULL) {
        size_t n = tn_link_close(line, size, &made);
        REQUIRE(tn_link_read(line, n - 1, &link) && tn_link_holds(line, n - 1, &link) && link.seq == made.seq);
    }
    free(line);
    return 0;
}
