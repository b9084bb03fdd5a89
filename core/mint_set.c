/* SPDX-License-Identifier: Apache-2.0 */
/* Setters of a warrant builder. Lists are kept as the wire wants them: sorted by bytes, without repetition. */
#include <stdlib.h>

#include "err.h"
#include "limits.h"
#include "mint.h"

void tenuo_mint_set_type(struct tenuo_mint *mint, enum tenuo_warrant_type type) { mint->type = (int)type; }

void tenuo_mint_set_matchers(struct tenuo_mint *mint, struct tenuo_matchers *matchers)
{
    struct tenuo_matchers *old = mint->matchers;
    mint->matchers = matchers != NULL ? tenuo_matchers_ref(matchers) : NULL;
    tenuo_matchers_unref(old);
}

void tenuo_mint_set_id(struct tenuo_mint *mint, const uint8_t id[16])
{
    memcpy(mint->id, id, 16);
    mint->has_id = true;
}

int tenuo_mint_set_holder(struct tenuo_mint *mint, const uint8_t key[32], struct tenuo_error *reterr)
{
    if (tenuo_public_key_check(key) != TENUO_OK)
        return tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "the holder is not a usable Ed25519 key");
    memcpy(mint->holder, key, 32);
    mint->has_holder = true;
    return TENUO_OK;
}

static void set_expiry(struct tenuo_mint *mint, enum tn_mint_expiry how, uint64_t value)
{
    mint->expiry = how;
    mint->expiry_value = value;
}

void tenuo_mint_set_ttl(struct tenuo_mint *mint, uint64_t secs) { set_expiry(mint, TN_EXPIRY_TTL, secs); }
void tenuo_mint_set_ttl_capped(struct tenuo_mint *mint, uint64_t secs) { set_expiry(mint, TN_EXPIRY_TTL_CAPPED, secs); }
void tenuo_mint_set_expires_at(struct tenuo_mint *mint, uint64_t when) { set_expiry(mint, TN_EXPIRY_AT, when); }

void tenuo_mint_set_max_depth(struct tenuo_mint *mint, uint32_t depth)
{
    mint->max_depth = depth;
    mint->has_max_depth = true;
    mint->terminal = false;
}

void tenuo_mint_set_terminal(struct tenuo_mint *mint) { mint->terminal = true; }
void tenuo_mint_set_max_issue_depth(struct tenuo_mint *mint, uint32_t depth) { mint->max_issue_depth = depth; }
void tenuo_mint_set_clearance(struct tenuo_mint *mint, uint8_t level) { mint->clearance = level; }
void tenuo_mint_set_min_approvals(struct tenuo_mint *mint, uint32_t n) { mint->min_approvals = n; }

/* A copy in the arena; p is never NULL, also when empty. */
static int copy(struct tenuo_mint *m, struct tn_str s, struct tn_str *ret, struct tenuo_error *err)
{
    uint8_t *p = tn_arena_alloc(&m->arena, s.n + 1);
    if (p == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    *ret = (struct tn_str){ p, s.n };
    return TENUO_OK;
}

static int copy_text(struct tenuo_mint *m, struct tn_str s, const char *what, struct tn_str *ret,
                     struct tenuo_error *err)
{
    if (!tn_utf8_valid(s))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s is not UTF-8", what);
    return copy(m, s, ret, err);
}

/* Makes room for one more of n elements. */
static int grow(void **array, size_t n, size_t size, size_t max, const char *what, struct tenuo_error *err)
{
    void *p;
    if (n >= max)
        return tn_fail(err, TENUO_E_PAYLOAD_STRUCTURE, "more than %zu %s", max, what);
    p = realloc(*array, (n + 1) * size);
    if (p == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    *array = p;
    return TENUO_OK;
}

/* The set's bytes into the builder's arena, read again from there. */
static int copy_set(struct tenuo_mint *m, const struct tenuo_constraint_set *set, struct tenuo_constraint_set *ret,
                    struct tenuo_error *err)
{
    struct tn_buf b = { 0 };
    struct tn_str bytes = { 0 };
    struct tn_reader r;
    int code;
    if (set == NULL)
        return TENUO_OK;
    tn_constraint_set_write(&b, set);
    code = b.failed ? tn_fail_code(err, TENUO_E_NOMEM) : copy(m, tn_buf_view(&b), &bytes, err);
    tn_buf_free(&b);
    if (code != TENUO_OK)
        return code;
    tn_reader_init(&r, bytes, err);
    return tn_constraint_set_read(&r, &m->arena, ret) ? TENUO_OK : r.code;
}

const struct tn_mint_tool *tn_mint_find_tool(const struct tenuo_mint *m, struct tn_str name)
{
    for (size_t i = 0; i < m->ntools; i++)
        if (tn_str_eq(m->tools[i].name, name))
            return &m->tools[i];
    return NULL;
}

static void insert_tool(struct tenuo_mint *m, struct tn_mint_tool tool)
{
    size_t at = m->ntools;
    while (at > 0 && tn_str_cmp(m->tools[at - 1].name, tool.name) > 0)
        at--;
    memmove(m->tools + at + 1, m->tools + at, (m->ntools - at) * sizeof tool);
    m->tools[at] = tool;
    m->ntools++;
}

int tenuo_mint_add_tool(struct tenuo_mint *mint, const char *name, size_t len, const struct tenuo_constraint_set *set,
                        struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)name, len };
    struct tn_mint_tool tool = { 0 };
    void *tools = mint->tools;
    int r;
    if (tn_mint_find_tool(mint, s) != NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a tool is named twice");
    r = copy_text(mint, s, "a tool name", &tool.name, reterr);
    if (r == TENUO_OK)
        r = copy_set(mint, set, &tool.set, reterr);
    if (r == TENUO_OK)
        r = grow(&tools, mint->ntools, sizeof tool, TN_MAX_TOOLS, "tools", reterr);
    mint->tools = tools;
    if (r == TENUO_OK)
        insert_tool(mint, tool);
    return r;
}

int tenuo_mint_keep_tool(struct tenuo_mint *mint, const char *name, size_t len, struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)name, len };
    const struct tn_tool *from = mint->parent == NULL ? NULL : tn_warrant_find_tool(mint->parent, s);
    if (from == NULL && mint->parent != NULL)
        from = tn_warrant_find_tool(mint->parent, tn_lit("*"));
    if (from == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ATTENUATION, "the parent warrant does not have this tool");
    return tenuo_mint_add_tool(mint, name, len, &from->set, reterr);
}

int tenuo_mint_add_issuable(struct tenuo_mint *mint, const char *name, size_t len, struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)name, len }, own = { 0 };
    void *list = mint->issuable;
    size_t at = 0;
    int r;
    while (at < mint->nissuable && tn_str_cmp(mint->issuable[at], s) < 0)
        at++;
    if (at < mint->nissuable && tn_str_eq(mint->issuable[at], s))
        return TENUO_OK;
    r = copy_text(mint, s, "an issuable tool", &own, reterr);
    if (r == TENUO_OK)
        r = grow(&list, mint->nissuable, sizeof own, TN_MINT_MAX_LIST, "issuable tools", reterr);
    mint->issuable = list;
    if (r != TENUO_OK)
        return r;
    memmove(mint->issuable + at + 1, mint->issuable + at, (mint->nissuable - at) * sizeof own);
    mint->issuable[at] = own;
    mint->nissuable++;
    return TENUO_OK;
}

int tenuo_mint_keep_all(struct tenuo_mint *mint, struct tenuo_error *reterr)
{
    int r = TENUO_OK;
    if (mint->parent == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a root warrant has no parent to keep tools from");
    for (size_t i = 0; i < mint->parent->ntools && r == TENUO_OK; i++) {
        const struct tn_tool *t = &mint->parent->tools[i];
        if (tn_mint_find_tool(mint, t->name) == NULL)
            r = tenuo_mint_add_tool(mint, (const char *)t->name.p, t->name.n, &t->set, reterr);
    }
    for (size_t i = 0; i < mint->parent->nissuable && r == TENUO_OK; i++)
        r = tenuo_mint_add_issuable(mint, (const char *)mint->parent->issuable[i].p, mint->parent->issuable[i].n,
                                    reterr);
    return r;
}

int tenuo_mint_set_bounds(struct tenuo_mint *mint, const struct tenuo_constraint_set *set, struct tenuo_error *reterr)
{
    struct tenuo_constraint_set *own = tn_arena_alloc(&mint->arena, sizeof *own);
    int r = own == NULL ? tn_fail_code(reterr, TENUO_E_NOMEM) : copy_set(mint, set, own, reterr);
    if (r == TENUO_OK)
        mint->bounds = own;
    return r;
}

int tenuo_mint_set_session_id(struct tenuo_mint *mint, const char *text, size_t len, struct tenuo_error *reterr)
{
    if (mint->kind == TN_MINT_ATTENUATE)
        return tn_fail(reterr, TENUO_E_INVALID_ATTENUATION, "the session id is the parent's and cannot be changed");
    return copy_text(mint, (struct tn_str){ (const uint8_t *)text, len }, "a session id", &mint->session, reterr);
}

int tenuo_mint_set_agent_id(struct tenuo_mint *mint, const char *text, size_t len, struct tenuo_error *reterr)
{
    return copy_text(mint, (struct tn_str){ (const uint8_t *)text, len }, "an agent id", &mint->agent, reterr);
}

static bool has_extension(const struct tenuo_mint *m, struct tn_str key)
{
    for (size_t i = 0; i < m->nextensions; i++)
        if (tn_str_eq(m->extensions[i].key, key))
            return true;
    return false;
}

int tn_mint_put_extension(struct tenuo_mint *m, struct tn_str key, struct tn_str value, struct tenuo_error *err)
{
    struct tn_extension e = { 0 };
    void *list = m->extensions;
    int r;
    if (has_extension(m, key))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "an extension key is repeated");
    if (key.n > TN_MAX_EXTENSION_KEY || value.n > TN_MAX_EXTENSION_VALUE) {
        m->oversized = true; /* refused when the warrant is made, in the order of the protocol's checks */
        return TENUO_OK;
    }
    r = copy_text(m, key, "an extension key", &e.key, err);
    if (r == TENUO_OK)
        r = copy(m, value, &e.value, err);
    if (r == TENUO_OK)
        r = grow(&list, m->nextensions, sizeof e, TN_MAX_EXTENSIONS, "extensions", err);
    m->extensions = list;
    if (r == TENUO_OK)
        m->extensions[m->nextensions++] = e;
    return r;
}

int tenuo_mint_add_extension(struct tenuo_mint *mint, const char *key, size_t key_len, const uint8_t *value,
                             size_t value_len, struct tenuo_error *reterr)
{
    struct tn_str name = { (const uint8_t *)key, key_len };
    if (tn_str_eq(name, tn_lit("tenuo.session_id")) || tn_str_eq(name, tn_lit("tenuo.agent_id")))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "session and agent id have setters of their own");
    if (mint->kind != TN_MINT_ROOT && tn_str_eq(name, tn_lit("tenuo.approval_gates")))
        return tn_fail(reterr, TENUO_E_INVALID_ATTENUATION,
                       "approval gates are the parent's and cannot be overwritten");
    return tn_mint_put_extension(mint, name, (struct tn_str){ value, value_len }, reterr);
}

int tenuo_mint_add_approver(struct tenuo_mint *mint, const uint8_t key[32], struct tenuo_error *reterr)
{
    void *list = mint->approvers;
    size_t at = 0;
    int r;
    if (tenuo_public_key_check(key) != TENUO_OK)
        return tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "an approver is not a usable Ed25519 key");
    while (at < mint->napprovers && memcmp(mint->approvers[at], key, 32) < 0)
        at++;
    if (at < mint->napprovers && memcmp(mint->approvers[at], key, 32) == 0)
        return TENUO_OK;
    r = grow(&list, mint->napprovers, 32, TN_MINT_MAX_LIST, "approvers", reterr);
    mint->approvers = list;
    if (r != TENUO_OK)
        return r;
    memmove(mint->approvers + at + 1, mint->approvers + at, (mint->napprovers - at) * 32);
    memcpy(mint->approvers[at], key, 32);
    mint->napprovers++;
    return TENUO_OK;
}
