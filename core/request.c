/* SPDX-License-Identifier: Apache-2.0 */
/* A request is filled by the guarding program; everything is copied, so nothing of the caller's can change under a
 * decision. */
#include "request.h"

#include <stdlib.h>

#include "err.h"
#include <tenuo/approval.h>

int tenuo_request_new(const char *tool, size_t tool_len, struct tenuo_request **ret_request, struct tenuo_error *reterr)
{
    struct tn_str name = { (const uint8_t *)tool, tool_len };
    struct tenuo_request *q;
    if (tool_len > TN_MAX_TOOL_NAME || !tn_utf8_valid(name))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a tool name has at most %d bytes of UTF-8", TN_MAX_TOOL_NAME);
    q = calloc(1, sizeof *q);
    if (q == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    if (tool_len != 0)
        memcpy(q->tool_text, tool, tool_len);
    q->tool = (struct tn_str){ q->tool_text, tool_len };
    q->peer_uid = q->peer_pid = -1;
    *ret_request = q;
    return TENUO_OK;
}

void tenuo_request_free(struct tenuo_request *request)
{
    if (request == NULL)
        return;
    tenuo_args_free(request->args);
    tenuo_args_free(request->cargs);
    for (size_t i = 0; i < request->napprovals; i++)
        tenuo_approval_free(request->approvals[i]);
    free(request->approvals);
    free(request->attrs);
    free(request);
}

int tenuo_request_set_args(struct tenuo_request *request, const struct tenuo_args *args, struct tenuo_error *reterr)
{
    struct tenuo_args *copy = NULL;
    int r = tn_args_copy(args, &copy, reterr);
    if (r != TENUO_OK)
        return r;
    tenuo_args_free(request->args);
    request->args = copy;
    return TENUO_OK;
}

int tenuo_request_set_constraint_args(struct tenuo_request *request, const struct tenuo_args *args,
                                      struct tenuo_error *reterr)
{
    struct tenuo_args *copy = NULL;
    int r = tn_args_copy(args, &copy, reterr);
    if (r != TENUO_OK)
        return r;
    tenuo_args_free(request->cargs);
    request->cargs = copy;
    request->has_cargs = true;
    return TENUO_OK;
}

void tenuo_request_set_pop(struct tenuo_request *request, const uint8_t signature[64])
{
    memcpy(request->pop, signature, sizeof request->pop);
    request->has_pop = true;
}

void tenuo_request_set_pop_as_of(struct tenuo_request *request, int64_t when, uint32_t bound_secs)
{
    request->pop_as_of = when;
    request->pop_bound = bound_secs;
    request->has_pop_as_of = true;
}

void tenuo_request_set_peer(struct tenuo_request *request, int64_t uid, int64_t pid)
{
    request->peer_uid = uid;
    request->peer_pid = pid;
}

void tenuo_request_set_retry(struct tenuo_request *request)
{
    request->is_retry = true;
}

/* Text for the audit record: bounded, UTF-8, copied with its NUL. */
static int copy_text(char *buf, size_t size, const char *text, const char *what, struct tenuo_error *err)
{
    size_t n = strlen(text);
    if (n >= size || !tn_utf8_valid(tn_lit(text)))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s is longer than %zu bytes or not UTF-8", what, size - 1);
    memcpy(buf, text, n + 1);
    return TENUO_OK;
}

int tenuo_request_set_id(struct tenuo_request *request, const char *text, struct tenuo_error *reterr)
{
    return copy_text(request->id, sizeof request->id, text, "a request id", reterr);
}

static bool attribute_name(const char *s)
{
    size_t n = 0;
    for (; s[n] != '\0'; n++)
        if (!(s[n] >= 'a' && s[n] <= 'z') && !tn_is_digit((uint8_t)s[n]) && s[n] != '_')
            return false;
    return n >= 1 && n <= TN_MAX_ATTRIBUTE_NAME;
}

int tenuo_request_add_attribute(struct tenuo_request *request, const char *name, const char *value,
                                struct tenuo_error *reterr)
{
    struct tn_attr attr = { 0 }, *grown;
    int r;
    if (!attribute_name(name))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "an attribute name has 1 to %d characters of [a-z0-9_]",
                       TN_MAX_ATTRIBUTE_NAME);
    if (request->nattrs == TN_MAX_ATTRIBUTES)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "more than %d attributes", TN_MAX_ATTRIBUTES);
    for (size_t i = 0; i < request->nattrs; i++)
        if (strcmp(request->attrs[i].name, name) == 0)
            return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "the attribute '%s' is given twice", name);
    memcpy(attr.name, name, strlen(name) + 1);
    r = copy_text(attr.value, sizeof attr.value, value, "an attribute value", reterr);
    if (r != TENUO_OK)
        return r;
    grown = realloc(request->attrs, (request->nattrs + 1) * sizeof attr);
    if (grown == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    request->attrs = grown;
    request->attrs[request->nattrs++] = attr;
    return TENUO_OK;
}
