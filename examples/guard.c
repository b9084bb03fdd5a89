/* SPDX-License-Identifier: Apache-2.0 */
/* A guarded program: prints a file for whoever may read it. usage: guard SERVICE WARRANT PROOF PATH, PROOF in hex */
#include <stdio.h>
#include <string.h>
#include <tenuo/tenuo.h>

/* The call as it will be carried out. What the caller says about it never gets in here, but for its proof. */
static int make_request(const char *path, const char *proof, struct tenuo_request **ret_request,
                        struct tenuo_error *err)
{
    uint8_t signature[TENUO_SIGNATURE_BYTES];
    struct tenuo_value *value = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_request *request = NULL;
    int n = 0, r = tenuo_value_string(path, strlen(path), &value, err);
    if (r == TENUO_OK)
        r = tenuo_args_new(&args, err);
    if (r == TENUO_OK)
        r = tenuo_args_put(args, "path", strlen("path"), value, err);
    if (r == TENUO_OK)
        r = tenuo_request_new("read_file", strlen("read_file"), &request, err);
    if (r == TENUO_OK)
        r = tenuo_request_set_args(request, args, err);
    while (n < TENUO_SIGNATURE_BYTES && sscanf(proof + 2 * (size_t)n, "%2hhx", &signature[n]) == 1)
        n++;
    if (r == TENUO_OK && n == TENUO_SIGNATURE_BYTES) /* without a proof the call is denied, and that is recorded too */
        tenuo_request_set_pop(request, signature);
    tenuo_args_free(args);
    tenuo_value_free(value);
    *ret_request = request; /* NULL, or whatever is freed below */
    return r;
}

/* A constraint judges the text of a path: where links may lead out of a folder, open with RESOLVE_BENEATH. */
static int print_file(const char *path)
{
    FILE *f = fopen(path, "re");
    int c;
    if (f == NULL)
        return perror(path), 1;
    while ((c = getc(f)) != EOF)
        putchar(c);
    return fclose(f) != 0;
}

int main(int argc, char **argv)
{
    static uint8_t warrant[1 << 20];
    struct tenuo_ctx *ctx = NULL; /* a server opens it once, and it serves all its threads */
    struct tenuo_request *request = NULL;
    struct tenuo_decision *decision = NULL;
    struct tenuo_error err = { 0 };
    FILE *f;
    size_t n;
    int r, status = 3;
    if (argc != 5 || (f = fopen(argv[2], "re")) == NULL)
        return fprintf(stderr, "usage: guard SERVICE WARRANT PROOF PATH\n"), 2;
    n = fread(warrant, 1, sizeof warrant, f);
    fclose(f);
    r = tenuo_open(argv[1], NULL, &ctx, &err);
    if (r == TENUO_OK)
        r = make_request(argv[4], argv[3], &request, &err);
    if (r == TENUO_OK)
        r = tenuo_ctx_authorize(ctx, warrant, n, request, &decision, &err);
    if (r != TENUO_OK) /* nothing could be decided: that is a no */
        fprintf(stderr, "guard: %d: %s\n", r, err.msg);
    else if (tenuo_decision_outcome(decision) == TENUO_DENY) /* in mode observe TENUO_WOULD_DENY goes on */
        status = 1, fprintf(stderr, "guard: denied: %s\n", tenuo_decision_reason(decision));
    else
        status = print_file(argv[4]);
    tenuo_decision_free(decision);
    tenuo_request_free(request);
    tenuo_ctx_unref(ctx); /* closes stores and logs */
    return status;
}
