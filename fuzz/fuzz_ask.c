/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for approval as strangers hand them over: read or refused, and what a person is shown is printable ASCII in
 * whole lines. The comparison with the warrant takes whatever was read.
 */
#include "../tools/ask.c"
#include "fuzz.h"

static void require_plain(const struct cli_ask *ask)
{
    char *shown = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&shown, &len);
    REQUIRE(out != NULL);
    cli_ask_print(out, ask, 1, 2);
    REQUIRE(fclose(out) == 0 && len > 0 && shown[len - 1] == '\n');
    for (size_t i = 0; i < len; i++)
        REQUIRE(shown[i] == '\n' || (shown[i] >= 0x20 && shown[i] < 0x7f));
    free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cli_ask ask = { 0 };
    struct tenuo_error err = { 0 };
    int code = cli_ask_parse((const char *)data, size, &ask, &err);
    REQUIRE(code == 0 || code == err.code);
    if (code)
        return 0;
    require_plain(&ask);
    (void)!tenuo_approval_request_check(&ask.view, NULL, tenuo_stack_leaf(ask.stack), 1, &err);
    cli_ask_free(&ask);
    return 0;
}
