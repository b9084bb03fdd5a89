/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the `tenuo` command share: one run of one subcommand, reports, files, keys, text forms and
 * constraints.
 *
 * The command uses the public API alone. Nothing here may print a secret; text out of warrants is escaped before it is
 * shown.
 */
#ifndef TENUO_TOOLS_CLI_H
#define TENUO_TOOLS_CLI_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <tenuo/tenuo.h>

#define CLI_SCHEMA "tenuo/1"
#define CLI_MAX_WARRANT_FILE 524288u /* the largest stack in the widest text form, with room for line ends */
#define CLI_MAX_JSON_FILE 2097152u
#define CLI_MAX_KEY_FILE 4096u

enum cli_exit { CLI_YES = 0, CLI_NO = 1, CLI_USAGE = 2, CLI_UNDECIDED = 3 };

/* One run of a subcommand: the options that every command has, and what it wants to report. */
struct cli {
    const char *command; /* "mint" */
    bool json, verbose;
    const char *conf, *service, *plugin_dir;
    bool service_given;
    char *made[2]; /* conf and plugin_dir made absolute */
    json_t *warnings;    /* array of text, for --json */
    json_t *diagnostics; /* array of text: findings about the configuration */
    struct tenuo_ctx *ctx;
    int keys_only; /* cli_open needs the resolver lines alone: TENUO_OPEN_KEYS..., or 0 */
    const char **matcher_names; /* --matcher */
    size_t nmatchers;
    struct tenuo_matchers *matchers; /* opened without a configuration */
    unsigned diagnosed; /* errors among them */
    bool reported;      /* the one JSON object is out */
};

struct cli_command {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
    const char *help;
};

int cmd_keygen(struct cli *cli, int argc, char **argv);
int cmd_key(struct cli *cli, int argc, char **argv);
int cmd_mint(struct cli *cli, int argc, char **argv);
int cmd_attenuate(struct cli *cli, int argc, char **argv);
int cmd_issue(struct cli *cli, int argc, char **argv);
int cmd_inspect(struct cli *cli, int argc, char **argv);
int cmd_request(struct cli *cli, int argc, char **argv);
int cmd_approve(struct cli *cli, int argc, char **argv);
int cmd_sign(struct cli *cli, int argc, char **argv);
int cmd_verify(struct cli *cli, int argc, char **argv);
int cmd_authorize(struct cli *cli, int argc, char **argv);
int cmd_conf(struct cli *cli, int argc, char **argv);
int cmd_plugin(struct cli *cli, int argc, char **argv);
int cmd_doctor(struct cli *cli, int argc, char **argv);
int cmd_audit(struct cli *cli, int argc, char **argv);
int cmd_receipt(struct cli *cli, int argc, char **argv);
int cmd_srl(struct cli *cli, int argc, char **argv);
int cmd_help(struct cli *cli, int argc, char **argv);

/* actions.c: words that follow an action, as the shell gave them; free `v`. */
struct cli_words {
    const char **v;
    size_t n;
};
error_t cli_push(struct cli_words *words, const char *word);
/* One action of a command; a row without a name ends the table. */
struct cli_action {
    const char *name;
    unsigned bit;
    size_t least, most; /* words */
    const char *words;  /* what they are */
};
struct cli_choice {
    unsigned wanted; /* actions that every option so far belongs to */
    const char *odd; /* the option that narrowed them last */
};
void cli_belongs(struct cli_choice *choice, unsigned to, const char *option);
/* The action of that name, when the options and the number of words go with it; else the exit status of the message.
 * `which` is what may be said: "'tenuo key list' or ...". */
int cli_choose(struct cli *cli, const struct cli_action *actions, const struct cli_choice *choice, const char *name,
               size_t nwords, const char *which, const struct cli_action **ret);

/* options.c: argp with our exit codes and with --json errors. Returns 0, or the exit status with *ret_done set. */
enum cli_option {
    CLI_OPT_JSON = 0x100,
    CLI_OPT_HELP,
    CLI_OPT_USAGE,
    CLI_OPT_VERBOSE,
    CLI_OPT_CONF,
    CLI_OPT_SERVICE,
    CLI_OPT_PLUGIN_DIR,
    CLI_OPT_MATCHER,
    CLI_OPT_FIRST = 0x200 /* a command's own long options start here */
};
extern const struct argp cli_common_argp; /* --json --help --usage */
extern const struct argp cli_conf_argp;   /* the same and --conf --service --plugin-dir --verbose */
extern const struct argp cli_matcher_argp; /* --matcher, beside one of the two */
char *cli_help_filter(int key, const char *text, void *input);
bool cli_parse(struct cli *cli, const struct argp *argp, int argc, char **argv, void *input, int *ret_status);
/* Keeps an option's word; a usage error when there is one already. For a parser to return. */
error_t cli_once(struct cli *cli, const char **target, const char *arg);
/* The option -a ('a') or --args of a command that takes a call; for a parser to return. */
error_t cli_args_option(struct cli *cli, json_t *args, int key, const char *arg);
/* Reports a usage error from inside a parser; returns EINVAL for it to return. */
error_t cli_usage(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* report.c */
int cli_exit_status(int code);
/* Reports an error and returns the exit status that belongs to its code. */
int cli_fail(struct cli *cli, const struct tenuo_error *err);
/* The same from inside an option parser, where there is nobody to return to: the status to exit with. */
int cli_fail_and_close(struct cli *cli, const struct tenuo_error *err);
int cli_failf(struct cli *cli, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void cli_warn(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_set_error(struct tenuo_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A new object with schema, ok and command; cli_emit adds warnings, prints and frees it. */
json_t *cli_object(struct cli *cli, bool ok);
void cli_emit(struct cli *cli, json_t *object);
void cli_set(json_t *object, const char *key, json_t *value);
void cli_append(json_t *array, json_t *value);
json_t *cli_text(const char *text, size_t len);
json_t *cli_u64_json(uint64_t n); /* exact: an integer up to INT64_MAX, beyond it decimal text */
_Noreturn void cli_no_memory(void);
void *cli_alloc(size_t count, size_t size);
void *cli_grow(void *old, size_t count, size_t size);
/* One line of a message. File names and words of the command line stand in it as they came: control bytes are escaped
 * here, once for all. */
void cli_line(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Untrusted text for a terminal: everything outside printable ASCII as \xNN. */
void cli_print_escaped(FILE *out, const char *text, size_t len);
/* The same for text in which the library has escaped what it quotes: a backslash stays one. */
void cli_print_ascii(FILE *out, const char *text, size_t len);

/* when.c */
#define CLI_TIME_TEXT 48
void cli_time_text(uint64_t when, char ret_text[CLI_TIME_TEXT]);
bool cli_time_parse(const char *text, int64_t *ret_when);
bool cli_duration_parse(const char *text, uint64_t *ret_secs);
bool cli_number_parse(const char *text, uint64_t max, uint64_t *ret);

/* codec.c */
void cli_hex(const uint8_t *bytes, size_t len, char *ret_text); /* 2 * len + NUL */
bool cli_unhex(const char *text, size_t len, uint8_t *ret_bytes, size_t size, size_t *ret_len);
enum cli_alphabet { CLI_BASE64, CLI_BASE64URL };
char *cli_base64(enum cli_alphabet alphabet, const uint8_t *bytes, size_t len);
/* Either alphabet, padding optional, white space at the ends ignored. */
bool cli_unbase64(const char *text, size_t len, uint8_t *ret_bytes, size_t size, size_t *ret_len);
/* 64 bytes as hex, base64 or base64url. */
bool cli_signature_parse(const char *text, size_t len, uint8_t ret_signature[TENUO_SIGNATURE_BYTES]);

/* io.c */
struct cli_bytes {
    uint8_t *data; /* NUL-terminated beyond len */
    size_t len;
};
int cli_read_file(const char *path, size_t max, struct cli_bytes *ret,
                  struct tenuo_error *err); /* "-" is standard input */
void cli_bytes_free(struct cli_bytes *bytes);
/* Written beside and renamed; `fresh`: fails when the file exists. "-" is standard output. */
int cli_write_file(const char *path, const void *data, size_t len, unsigned mode, bool fresh, struct tenuo_error *err);
/* A regular file that is there, in one step; mode, owner and group stay, the last two as far as the system lets us. */
int cli_replace_file(const char *path, const void *data, size_t len, const struct stat *like, struct tenuo_error *err);
/* Flushes and closes standard output; false when something could not be written. */
bool cli_close_stdout(void);

/* keys.c */
int cli_public_key(const char *option, const char *text, uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                   struct tenuo_error *err);
/* From --key FILE, or --key-id ID through the configuration. */
int cli_signer(struct cli *cli, const char *file, const char *key_id, const uint8_t *holder, struct tenuo_signer **ret,
               struct tenuo_error *err);
/* A key typed where something else is wanted? Such a word is never shown. */
bool cli_looks_like_key(const char *word);
/* The secret in a file that others cannot read, or on standard input that is no terminal. `option`: what it is for. */
int cli_signer_from_file(const char *option, const char *file, struct tenuo_signer **ret, struct tenuo_error *err);
/* No copy of this process's memory from now on: it holds or is about to hold a secret. */
void cli_hold_secret(void);
int cli_open(struct cli *cli, struct tenuo_error *err); /* cli->ctx */
/* --root KEY, which makes the builder when there is none; and the verifier of the roots, with the matchers that the
 * chain needs, or of the configuration when `builder` is NULL. */
int cli_root_option(struct tenuo_verifier_builder **builder, const char *text, struct tenuo_error *err);
int cli_verifier(struct cli *cli, struct tenuo_verifier_builder *builder, const struct tenuo_stack *stack,
                 struct tenuo_verifier **ret, struct tenuo_error *err);
void cli_open_options(struct cli *cli, struct tenuo_open_options *ret);
/* The path made absolute; NULL stays. *made is to be freed. */
const char *cli_absolute(const char *path, char **made);

/* terminal.c: the terminal, NULL when there is none; and a question, which ends with "Type yes: ". */
FILE *cli_terminal(void);
bool cli_terminal_yes(FILE *terminal);

/* words.c: the next word of a line of tenuo_conf_show, unquoted, to be freed; NULL at the end or where the remark about
 * the place begins. */
char *cli_next_word(const char **line);

/* matchers.c: does a warrant of the chain have a constraint that a matcher plugin judges? */
bool cli_needs_matchers(const struct tenuo_stack *stack);
/* Those of --matcher; else, when they are needed, those of the configuration in use or the shipped ones. Lent; NULL:
 * none. */
int cli_matchers(struct cli *cli, bool needed, struct tenuo_matchers **ret, struct tenuo_error *err);

/* warrant_io.c */
enum cli_form { CLI_FORM_BASE64URL, CLI_FORM_PEM, CLI_FORM_CBOR, CLI_FORM_FILE };
bool cli_form_parse(const char *text, enum tenuo_text_form *ret);
int cli_read_warrant_bytes(const char *argument, struct cli_bytes *ret, struct tenuo_error *err);
int cli_read_stack(const char *argument, struct tenuo_stack **ret, struct tenuo_error *err);
int cli_write_stack(const char *path, const struct tenuo_stack *stack, enum tenuo_text_form form,
                    struct tenuo_error *err);
json_t *cli_stack_base64url(const struct tenuo_stack *stack);

/* describe.c: everything in a warrant, as JSON and as text. */
json_t *cli_describe_stack(const struct tenuo_stack *stack);
void cli_print_stack(const struct tenuo_stack *stack);
json_t *cli_key_json(const uint8_t key[TENUO_PUBLIC_KEY_BYTES]);
json_t *cli_hex_json(const uint8_t *bytes, size_t len);
json_t *cli_constraint_json(const struct tenuo_constraint *c); /* type, type_name, text, cbor */

/* json_value.c */
json_t *cli_json_load(const char *what, const char *text, size_t len, struct tenuo_error *err);
int cli_value_from_json(const json_t *json, struct tenuo_value **ret, struct tenuo_error *err);
int cli_value_from_text(const char *what, const char *text, size_t len, struct tenuo_value **ret,
                        struct tenuo_error *err);

/* call_args.c: -a NAME=TEXT, -a NAME:=JSON, --args JSON|@FILE|-, collected in an object and then built. */
json_t *cli_args_new(void);
int cli_args_put(json_t *args, const char *assignment, struct tenuo_error *err);
int cli_args_put_json(json_t *args, const char *source, struct tenuo_error *err);
int cli_args_build(json_t *json, struct tenuo_args **ret, struct tenuo_error *err);

/* constraint_text.c, constraint_json.c */
struct cli_hazards {
    bool not_only;       /* nothing but exclusions */
    const char *text[8]; /* static sentences */
    size_t count;
};
int cli_constraint_from_json(const char *text, size_t len, struct tenuo_constraint **ret, struct cli_hazards *hazards,
                             struct tenuo_error *err);
/* "ARG=type:value" or "ARG:=JSON"; *ret_name_len bytes of `text` are the argument's name. */
int cli_constraint_from_text(const char *text, size_t *ret_name_len, struct tenuo_constraint **ret,
                             struct cli_hazards *hazards, struct tenuo_error *err);
int cli_constraint_of_text(enum tenuo_constraint_type type, const char *text, size_t len, struct tenuo_constraint **ret,
                           struct cli_hazards *hazards, struct tenuo_error *err);
void cli_hazard(struct cli_hazards *hazards, const char *sentence);
extern const char cli_constraint_help[];

/* grants.c: the tools of a warrant to be made, from --tool, -c and --allow-unknown in order. */
struct cli_grants;
struct cli_grants *cli_grants_new(void);
void cli_grants_free(struct cli_grants *grants);
int cli_grants_tool(struct cli_grants *grants, const char *name, struct tenuo_error *err);
int cli_grants_constraint(struct cli *cli, struct cli_grants *grants, const char *text, struct tenuo_error *err);
int cli_grants_bound(struct cli *cli, struct cli_grants *grants, const char *text, struct tenuo_error *err);
void cli_grants_allow_unknown(struct cli_grants *grants);
/* Is there a constraint for a matcher plugin? And a warning for each that these cannot read. */
bool cli_grants_need_matchers(const struct cli_grants *grants);
/* Warns of a constraint that no matcher here can read. `what`: "constraint on 'x'". */
void cli_check_constraint(struct cli *cli, const struct tenuo_matchers *matchers, const char *what,
                          const struct tenuo_constraint *c);
void cli_grants_check(struct cli *cli, const struct cli_grants *grants, const struct tenuo_matchers *matchers);
size_t cli_grants_count(const struct cli_grants *grants);
/* `parent` NULL: a root or an issued warrant. Otherwise tools without -c keep the parent's set. */
int cli_grants_apply(struct cli *cli, const struct cli_grants *grants, const struct tenuo_warrant *parent,
                     struct tenuo_mint *mint, struct tenuo_error *err);

/* gates.c: --gate and --gate-message for a warrant to be made, and the gates of a warrant. */
int cli_gate_add(struct cli *cli, struct tenuo_mint *mint, const char *text, struct tenuo_error *err);
/* Warns of gates on arguments that the tool's constraints refuse. */
void cli_warn_of_gates(struct cli *cli, const struct tenuo_warrant *w);
int cli_gate_message(struct tenuo_mint *mint, const char *text, struct tenuo_error *err);
json_t *cli_gate_json(const struct tenuo_gates *gates, size_t i);
void cli_set_gates(json_t *object, const struct tenuo_warrant *w);
void cli_print_gates(const json_t *w);

/* make.c: mint, attenuate and issue share their options and their end. */
struct cli_make;
enum cli_make_kind { CLI_MINT, CLI_ATTENUATE, CLI_ISSUE };
int cli_make_run(struct cli *cli, enum cli_make_kind kind, int argc, char **argv);

/* explain.c: every step of a decision; the library tells the steps that it knows, this the others. Without a verifier:
 * of one that ended when the warrant was decoded. */
struct cli_ending {
    enum tenuo_step last; /* that is told of */
    enum tenuo_step step; /* where it ended */
    const char *reason;   /* of a denial; NULL: allowed */
    bool recorded, replay_lines;
};
json_t *cli_explain(struct tenuo_verifier *verifier, const struct cli_bytes *bytes, const struct tenuo_request *request,
                    int64_t as_of, const struct cli_ending *ending);
void cli_print_steps(const json_t *steps);

/* decide.c: verify and authorize share roots, configuration and the answer. */
int cli_decide_run(struct cli *cli, bool call, int argc, char **argv);

#endif
