/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mint, attenuate and issue: the options that say what the new warrant holds, signing, and the result. The three differ
 * in where they start (nothing, a parent of the same type, an issuer warrant), not in how the result is written: always
 * the whole stack.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ONE_DAY 86400

enum {
    OPT_KEY = CLI_OPT_FIRST,
    OPT_KEY_ID,
    OPT_HOLDER,
    OPT_ALLOW_UNKNOWN,
    OPT_CONSTRAINT_JSON,
    OPT_TTL,
    OPT_TTL_CAPPED,
    OPT_EXPIRES,
    OPT_ISSUABLE,
    OPT_BOUND,
    OPT_MAX_DEPTH,
    OPT_MAX_ISSUE_DEPTH,
    OPT_CLEARANCE,
    OPT_SESSION,
    OPT_AGENT,
    OPT_ID,
    OPT_TYPE,
    OPT_EXTENSION,
    OPT_APPROVER,
    OPT_MIN_APPROVALS,
    OPT_GATE,
    OPT_GATE_MESSAGE,
    OPT_KEEP_ALL,
    OPT_TERMINAL,
    OPT_FORM,
    OPT_AT,
    OPT_WARRANT
};

struct make {
    struct cli *cli;
    enum cli_make_kind kind;
    struct cli_grants *grants;
    struct tenuo_mint *mint; /* made before parsing for a root, after it for a child */
    const char *key, *key_id, *holder, *session, *agent, *id, *type, *clearance, *out, *warrant;
    struct {
        int key;
        const char *value;
    } *lists; /* --issuable, --extension, --approver, --gate in order */
    size_t nlists;
    enum tenuo_text_form form;
    bool form_given, keep_all, terminal, has_ttl, capped, has_expires, has_at;
    int64_t max_depth, max_issue_depth, min_approvals; /* -1: not given */
    uint64_t ttl;
    int64_t expires, at;
};

static error_t number_option(struct make *m, const char *name, const char *arg, int64_t *ret)
{
    uint64_t n;
    if (!cli_number_parse(arg, UINT32_MAX, &n))
        return cli_usage(m->cli, "%s wants a whole number", name);
    *ret = (int64_t)n;
    return 0;
}

static error_t remember(struct make *m, int key, const char *value)
{
    m->lists = cli_grow(m->lists, m->nlists + 1, sizeof *m->lists);
    m->lists[m->nlists].key = key;
    m->lists[m->nlists++].value = value;
    return 0;
}

static error_t checked(struct make *m, int code, const struct tenuo_error *err)
{
    return code ? cli_usage(m->cli, "%s", err->msg) : 0;
}

static error_t constraint_option(struct make *m, int key, const char *arg)
{
    struct tenuo_error err = { 0 };
    if (key == OPT_BOUND)
        return checked(m, cli_grants_bound(m->cli, m->grants, arg, &err), &err);
    if (key == 'c')
        return checked(m, cli_grants_constraint(m->cli, m->grants, arg, &err), &err);
    const char *equals = strchr(arg, '='); /* ARG=JSON is ARG:=JSON */
    if (!equals || equals == arg || equals[-1] == ':')
        return cli_usage(m->cli, "--constraint-json wants ARG=JSON");
    char *text = NULL;
    if (asprintf(&text, "%.*s:%s", (int)(equals - arg), arg, equals) < 0)
        cli_no_memory();
    remember(m, OPT_CONSTRAINT_JSON, text); /* the grants keep a pointer into it */
    return checked(m, cli_grants_constraint(m->cli, m->grants, text, &err), &err);
}

static error_t time_option(struct make *m, int key, const char *arg)
{
    int64_t *target = key == OPT_AT ? &m->at : &m->expires;
    if (!cli_time_parse(arg, target) || *target < 0)
        return cli_usage(m->cli, "%s wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds, not before 1970",
                         key == OPT_AT ? "--at" : "--expires-at");
    *(key == OPT_AT ? &m->has_at : &m->has_expires) = true;
    return 0;
}

static error_t ttl_option(struct make *m, int key, const char *arg)
{
    if (m->has_ttl)
        return cli_usage(m->cli, "a lifetime is given twice");
    if (!cli_duration_parse(arg, &m->ttl) || m->ttl == 0)
        return cli_usage(m->cli, "%s wants a lifetime such as 90s, 15m, 1h or 7d",
                         key == OPT_TTL ? "--ttl" : "--ttl-capped");
    m->has_ttl = true;
    m->capped = key == OPT_TTL_CAPPED;
    return 0;
}

static error_t plain_text_option(struct make *m, int key, const char *arg)
{
    const struct {
        int key;
        const char **target;
    } texts[] = { { OPT_KEY, &m->key },         { OPT_KEY_ID, &m->key_id },       { OPT_HOLDER, &m->holder },
                  { OPT_SESSION, &m->session }, { OPT_AGENT, &m->agent },         { OPT_ID, &m->id },
                  { OPT_TYPE, &m->type },       { OPT_CLEARANCE, &m->clearance }, { 'o', &m->out },
                  { OPT_WARRANT, &m->warrant } };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].key == key) {
            if (*texts[i].target)
                return cli_usage(m->cli, "an option is given twice, at '%.64s'", arg);
            *texts[i].target = arg;
            return 0;
        }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct make *m = state->input;
    struct tenuo_error err = { 0 };
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = m->cli;
        return 0;
    case 't':
        return checked(m, cli_grants_tool(m->grants, arg, &err), &err);
    case 'c':
    case OPT_CONSTRAINT_JSON:
    case OPT_BOUND:
        return constraint_option(m, key, arg);
    case OPT_ALLOW_UNKNOWN:
        cli_grants_allow_unknown(m->grants);
        return 0;
    case OPT_TTL:
    case OPT_TTL_CAPPED:
        return ttl_option(m, key, arg);
    case OPT_EXPIRES:
    case OPT_AT:
        return time_option(m, key, arg);
    case OPT_MAX_DEPTH:
        return number_option(m, "--max-depth", arg, &m->max_depth);
    case OPT_MAX_ISSUE_DEPTH:
        return number_option(m, "--max-issue-depth", arg, &m->max_issue_depth);
    case OPT_MIN_APPROVALS:
        return number_option(m, "--min-approvals", arg, &m->min_approvals);
    case OPT_ISSUABLE:
    case OPT_EXTENSION:
    case OPT_APPROVER:
    case OPT_GATE:
    case OPT_GATE_MESSAGE:
        return remember(m, key, arg);
    case OPT_KEEP_ALL:
        m->keep_all = true;
        return 0;
    case OPT_TERMINAL:
        m->terminal = true;
        return 0;
    case OPT_FORM:
        return cli_form_parse(arg, &m->form) ? 0 : cli_usage(m->cli, "--form is base64url, pem, cbor or file");
    case ARGP_KEY_ARG:
        return m->kind == CLI_MINT ? cli_usage(m->cli, "'%.64s' is one word too many", arg)
                                   : plain_text_option(m, OPT_WARRANT, arg);
    default:
        return plain_text_option(m, key, arg);
    }
}

/* clang-format off */
#define MAKE_OPTIONS \
    { "key", OPT_KEY, "FILE", 0, "Signing key file; - is standard input", 10 }, \
    { "key-id", OPT_KEY_ID, "ID", 0, "Signing key from the key stores of the configuration", 10 }, \
    { "holder", OPT_HOLDER, "KEY", 0, "Public key, or a file with one, that may use the warrant", 11 }, \
    { "tool", 't', "NAME", 0, "A tool; the -c after it are for it (repeatable)", 12 }, \
    { "constraint", 'c', "ARG=TYPE:VALUE", 0, "A constraint on an argument; see 'tenuo help constraints'", 12 }, \
    { "constraint-json", OPT_CONSTRAINT_JSON, "ARG=JSON", 0, "The same as JSON", 12 }, \
    { "allow-unknown", OPT_ALLOW_UNKNOWN, NULL, 0, "Arguments without a constraint are allowed", 12 }, \
    { "ttl", OPT_TTL, "TIME", 0, "Lifetime: 90s, 15m, 1h, 7d", 13 }, \
    { "expires-at", OPT_EXPIRES, "TIME", 0, "Expiry instead of a lifetime, RFC 3339 or Unix seconds", 13 }, \
    { "at", OPT_AT, "TIME", 0, "Time of signing instead of now", 13 }, \
    { "max-depth", OPT_MAX_DEPTH, "N", 0, "Deepest delegation allowed", 14 }, \
    { "clearance", OPT_CLEARANCE, "LEVEL", 0, "Word (internal) or number from 0 to 255", 14 }, \
    { "agent", OPT_AGENT, "TEXT", 0, "Agent id", 14 }, \
    { "id", OPT_ID, "ID", 0, "Warrant id instead of a fresh one", 14 }, \
    { "extension", OPT_EXTENSION, "KEY=HEX", 0, "An extension (repeatable)", 14 }, \
    { "approver", OPT_APPROVER, "KEY", 0, "Public key that may approve calls (repeatable)", 14 }, \
    { "min-approvals", OPT_MIN_APPROVALS, "N", 0, "Approvals that a gated call needs; default: of all", 14 }, \
    { "gate", OPT_GATE, "TOOL[:ARG=WHAT]", 0, \
      "Calls that need approval: all, TYPE:VALUE or exempt:TYPE:VALUE (repeatable)", 14 }, \
    { "gate-message", OPT_GATE_MESSAGE, "TOOL=TEXT", 0, "What approvers of the tool are told", 14 }, \
    { "output", 'o', "FILE", 0, "Written beside and renamed; - is standard output, the default", 15 }, \
    { "form", OPT_FORM, "FORM", 0, "base64url (default), pem, cbor or file", 15 }
#define ISSUER_OPTIONS \
    { "issuable", OPT_ISSUABLE, "TOOL", 0, "A tool that an issuer warrant may issue (repeatable)", 12 }, \
    { "bound", OPT_BOUND, "ARG=TYPE:VALUE", 0, "Bound on what may be issued (issuer warrants)", 12 }, \
    { "max-issue-depth", OPT_MAX_ISSUE_DEPTH, "N", 0, "Deepest warrant that may be issued", 14 }
#define SESSION_OPTION { "session", OPT_SESSION, "TEXT", 0, "Session id", 14 }
/* clang-format on */

static const struct argp_option mint_options[] = { MAKE_OPTIONS,
                                                   ISSUER_OPTIONS,
                                                   SESSION_OPTION,
                                                   { "type", OPT_TYPE, "TYPE", 0,
                                                     "execution or issuer; default: what the tools say", 14 },
                                                   { 0 } };
static const struct argp_option attenuate_options[] = {
    MAKE_OPTIONS,
    ISSUER_OPTIONS,
    { "keep-all", OPT_KEEP_ALL, NULL, 0, "Keep all tools of the parent as they are", 12 },
    { "warrant", OPT_WARRANT, "WARRANT", 0, "The parent, instead of the word after the options", 10 },
    { "terminal", OPT_TERMINAL, NULL, 0, "No further delegation", 14 },
    { "ttl-capped", OPT_TTL_CAPPED, "TIME", 0, "Lifetime, shortened to the parent's where it is longer", 13 },
    { 0 }
};
static const struct argp_option issue_options[] = {
    MAKE_OPTIONS,
    SESSION_OPTION,
    { "warrant", OPT_WARRANT, "WARRANT", 0, "The issuer warrant, instead of the word after the options", 10 },
    { "terminal", OPT_TERMINAL, NULL, 0, "No further delegation", 14 },
    { "ttl-capped", OPT_TTL_CAPPED, "TIME", 0, "Lifetime, shortened to the parent's where it is longer", 13 },
    { 0 }
};

static const struct argp_child children[] = {
    { &cli_conf_argp, 0, NULL, 0 }, { &cli_matcher_argp, 0, NULL, 0 }, { 0 }
};
static const struct argp parsers[] = {
    [CLI_MINT] = { mint_options, parse, NULL,
                   "Make a root warrant: the start of a chain.\v"
                   "Examples:\n"
                   "  tenuo mint --key root.key --holder alice.pub --ttl 1h \\\n"
                   "      --tool read_file -c path=subpath:/data\n"
                   "  tenuo mint --key root.key --holder desk.pub --type issuer \\\n"
                   "      --issuable read_file --bound path=subpath:/data\n"
                   "  tenuo mint --key-id root --service web --holder alice.pub \\\n"
                   "      --tool search --tool fetch -c url=urlsafe --form pem -o alice.tenuo\n",
                   children, cli_help_filter, NULL },
    [CLI_ATTENUATE] = { attenuate_options, parse, "WARRANT",
                        "Narrow a warrant for another holder. WARRANT is a file, - or the text itself; the result is "
                        "the whole chain.\v"
                        "A --tool without -c keeps the parent's constraints. With -c, the arguments that are not named "
                        "keep theirs.\n"
                        "Examples:\n"
                        "  tenuo attenuate alice.tenuo --key alice.key --holder bob.pub \\\n"
                        "      --tool read_file -c path=subpath:/data/reports --ttl 10m\n"
                        "  tenuo attenuate - --key alice.key --holder bob.pub \\\n"
                        "      --keep-all --terminal < alice.tenuo\n",
                        children, cli_help_filter, NULL },
    [CLI_ISSUE] = { issue_options, parse, "WARRANT",
                    "Issue an execution warrant from an issuer warrant. WARRANT is a file, - or the text itself; the "
                    "result is the whole chain.\v"
                    "Examples:\n"
                    "  tenuo issue desk.tenuo --key desk.key --holder carol.pub \\\n"
                    "      --tool read_file -c path=subpath:/data/carol --ttl 30m\n",
                    children, cli_help_filter, NULL },
};

static int set_extension(struct make *m, const char *value, struct tenuo_error *err)
{
    const char *equals = strrchr(value, '=');
    if (!equals || equals == value)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--extension wants KEY=HEX");
    size_t size = strlen(equals + 1) / 2, len;
    uint8_t *bytes = cli_alloc(size, 1);
    int code = cli_unhex(equals + 1, strlen(equals + 1), bytes, size, &len)
                   ? tenuo_mint_add_extension(m->mint, value, (size_t)(equals - value), bytes, len, err)
                   : cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--extension wants hex digits after the last '='");
    free(bytes);
    return code;
}

static int set_lists(struct make *m, struct tenuo_error *err)
{
    int code = TENUO_OK;
    for (size_t i = 0; i < m->nlists && !code; i++) {
        const char *value = m->lists[i].value;
        uint8_t key[TENUO_PUBLIC_KEY_BYTES];
        if (m->lists[i].key == OPT_ISSUABLE)
            code = tenuo_mint_add_issuable(m->mint, value, strlen(value), err);
        else if (m->lists[i].key == OPT_EXTENSION)
            code = set_extension(m, value, err);
        else if (m->lists[i].key == OPT_APPROVER && !(code = cli_public_key("--approver", value, key, err)))
            code = tenuo_mint_add_approver(m->mint, key, err);
        else if (m->lists[i].key == OPT_GATE)
            code = cli_gate_add(m->cli, m->mint, value, err);
    }
    for (size_t i = 0; i < m->nlists && !code; i++) /* a message belongs to a gate, wherever it stands */
        if (m->lists[i].key == OPT_GATE_MESSAGE)
            code = cli_gate_message(m->mint, m->lists[i].value, err);
    return code;
}

static int set_texts(struct make *m, struct tenuo_error *err)
{
    uint8_t key[TENUO_PUBLIC_KEY_BYTES], id[TENUO_WARRANT_ID_BYTES], level;
    int code = TENUO_OK;
    if (m->holder && !(code = cli_public_key("--holder", m->holder, key, err)))
        code = tenuo_mint_set_holder(m->mint, key, err);
    if (!code && m->session)
        code = tenuo_mint_set_session_id(m->mint, m->session, strlen(m->session), err);
    if (!code && m->agent)
        code = tenuo_mint_set_agent_id(m->mint, m->agent, strlen(m->agent), err);
    if (!code && m->id) {
        if (tenuo_warrant_id_parse(m->id, strlen(m->id), id, NULL))
            return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--id wants tnu_wrt_ and 32 hex digits, or a UUID");
        tenuo_mint_set_id(m->mint, id);
    }
    if (!code && m->clearance) {
        if (tenuo_clearance_parse(m->clearance, strlen(m->clearance), &level, NULL))
            return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                                 "--clearance wants untrusted, external, partner, internal, privileged, "
                                 "system or a number from 0 to 255");
        tenuo_mint_set_clearance(m->mint, level);
    }
    if (!code && m->type && strcmp(m->type, "execution") != 0 && strcmp(m->type, "issuer") != 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--type is execution or issuer");
    if (!code && m->type)
        tenuo_mint_set_type(m->mint, *m->type == 'i' ? TENUO_ISSUER : TENUO_EXECUTION);
    return code;
}

static int set_lifetime(struct make *m, struct tenuo_error *err)
{
    if (m->has_ttl && m->has_expires)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "give a lifetime or --expires-at, not both");
    if (m->capped)
        tenuo_mint_set_ttl_capped(m->mint, m->ttl);
    else if (m->has_ttl)
        tenuo_mint_set_ttl(m->mint, m->ttl);
    if (m->has_expires)
        tenuo_mint_set_expires_at(m->mint, (uint64_t)m->expires);
    if (m->has_ttl ? m->ttl > ONE_DAY : m->has_expires && m->expires - m->at > ONE_DAY)
        cli_warn(m->cli, "the warrant lives longer than a day: it cannot be called back without a revocation list");
    return TENUO_OK;
}

static void set_numbers(struct make *m)
{
    if (m->max_depth >= 0)
        tenuo_mint_set_max_depth(m->mint, (uint32_t)m->max_depth);
    if (m->max_issue_depth >= 0)
        tenuo_mint_set_max_issue_depth(m->mint, (uint32_t)m->max_issue_depth);
    if (m->min_approvals >= 0)
        tenuo_mint_set_min_approvals(m->mint, (uint32_t)m->min_approvals);
    if (m->terminal)
        tenuo_mint_set_terminal(m->mint);
}

static int fill(struct make *m, const struct tenuo_warrant *parent, struct tenuo_error *err)
{
    int code = TENUO_OK;
    if (m->keep_all)
        code = cli_grants_count(m->grants)
                   ? cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--keep-all and --tool exclude each other")
                   : tenuo_mint_keep_all(m->mint, err);
    if (!code)
        code = cli_grants_apply(m->cli, m->grants, m->kind == CLI_ATTENUATE ? parent : NULL, m->mint, err);
    if (!code)
        code = set_texts(m, err);
    if (!code)
        code = set_lists(m, err);
    if (!code)
        code = set_lifetime(m, err);
    if (!code)
        set_numbers(m);
    return code;
}

static int begin(struct make *m, struct tenuo_stack **ret_parent, struct tenuo_error *err)
{
    if (m->kind == CLI_MINT)
        return tenuo_mint_root(&m->mint, err);
    if (!m->warrant)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "name the parent warrant: a file, - or the text itself");
    if (strcmp(m->warrant, "-") == 0 && m->key && strcmp(m->key, "-") == 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "the warrant and the key cannot both come from standard input");
    int code = cli_read_stack(m->warrant, ret_parent, err);
    if (code)
        return code;
    return m->kind == CLI_ATTENUATE ? tenuo_mint_attenuate(*ret_parent, &m->mint, err)
                                    : tenuo_mint_issue(*ret_parent, &m->mint, err);
}

static void warn_of_approvals(struct make *m, const struct tenuo_warrant *leaf)
{
    size_t n = tenuo_warrant_approver_count(leaf);
    if (m->min_approvals >= 0 && tenuo_warrant_min_approvals(leaf) != m->min_approvals)
        cli_warn(m->cli, "--min-approvals is %lld, not %lld: every approver that is added needs one more",
                 (long long)tenuo_warrant_min_approvals(leaf), (long long)m->min_approvals);
    for (size_t i = 0; i < n; i++)
        if (memcmp(tenuo_warrant_approver(leaf, i), tenuo_warrant_holder(leaf), TENUO_PUBLIC_KEY_BYTES) == 0)
            cli_warn(m->cli, "the holder is one of its own approvers: %s unless the verifier sets self_approval",
                     tenuo_warrant_approval_threshold(leaf) < n ? "its approvals do not count"
                                                                : "gated calls can never be approved");
}

/* A root asks nobody: there the matchers only warn of what they cannot read. */
static int set_matchers(struct make *m, const struct tenuo_stack *parent, struct tenuo_error *err)
{
    struct tenuo_matchers *matchers = NULL;
    bool needed = cli_grants_need_matchers(m->grants) || (parent && cli_needs_matchers(parent));
    int code = cli_matchers(m->cli, needed, &matchers, err);
    if (code && !parent && !m->cli->nmatchers && !m->cli->ctx) {
        cli_warn(m->cli, "constraints for matchers were not checked: %s", err->msg);
        return TENUO_OK;
    }
    if (code)
        return code;
    cli_grants_check(m->cli, m->grants, matchers);
    tenuo_mint_set_matchers(m->mint, matchers);
    return TENUO_OK;
}

static int finish(struct make *m, const struct tenuo_stack *stack, struct tenuo_error *err)
{
    warn_of_approvals(m, tenuo_stack_leaf(stack));
    cli_warn_of_gates(m->cli, tenuo_stack_leaf(stack));
    bool to_file = m->out && strcmp(m->out, "-") != 0;
    if (!m->cli->json || to_file) {
        int code = cli_write_stack(m->out ? m->out : "-", stack, m->form, err);
        if (code)
            return code;
    }
    if (!m->cli->json)
        return TENUO_OK;
    json_t *object = cli_object(m->cli, true);
    if (to_file)
        cli_set(object, "file", cli_text(m->out, strlen(m->out)));
    cli_set(object, "warrant", cli_stack_base64url(stack));
    cli_set(object, "chain", cli_describe_stack(stack));
    cli_emit(m->cli, object);
    return TENUO_OK;
}

static int make(struct make *m, struct tenuo_error *err)
{
    struct tenuo_stack *parent = NULL, *stack = NULL;
    struct tenuo_signer *signer = NULL;
    if (!m->has_at)
        m->at = (int64_t)time(NULL);
    int code = begin(m, &parent, err);
    const struct tenuo_warrant *leaf = parent ? tenuo_stack_leaf(parent) : NULL;
    if (!code)
        code = fill(m, leaf, err);
    if (!code)
        code = cli_signer(m->cli, m->key, m->key_id, leaf ? tenuo_warrant_holder(leaf) : NULL, &signer, err);
    if (!code)
        code = set_matchers(m, parent, err);
    if (!code)
        code = tenuo_mint_sign(m->mint, signer, (uint64_t)m->at, &stack, err);
    if (!code)
        code = finish(m, stack, err);
    tenuo_signer_free(signer);
    tenuo_stack_free(stack);
    tenuo_stack_free(parent);
    return code;
}

int cli_make_run(struct cli *cli, enum cli_make_kind kind, int argc, char **argv)
{
    struct make m = { .cli = cli,
                      .kind = kind,
                      .form = TENUO_FORM_BASE64URL,
                      .max_depth = -1,
                      .max_issue_depth = -1,
                      .min_approvals = -1 };
    struct tenuo_error err = { 0 };
    int status;
    m.grants = cli_grants_new();
    if (cli_parse(cli, &parsers[kind], argc, argv, &m, &status))
        status = make(&m, &err) ? cli_fail(cli, &err) : CLI_YES;
    tenuo_mint_free(m.mint);
    cli_grants_free(m.grants);
    for (size_t i = 0; i < m.nlists; i++)
        if (m.lists[i].key == OPT_CONSTRAINT_JSON)
            free((char *)(uintptr_t)m.lists[i].value); /* made by constraint_option */
    free(m.lists);
    return status;
}
