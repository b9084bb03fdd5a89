/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service's configuration, opened: roots, policy, key stores and audit sinks.
 *
 * This is what guarded programs use, and the only way to get an allow that is audited. A context is reference-counted
 * and its configuration never changes; a reload opens a new one and leaves the old one as it was. Revocation lists are
 * fetched anew when they are due, on the thread of one decision while the others go on. All calls may come from any
 * thread.
 */
#ifndef TENUO_CONTEXT_H
#define TENUO_CONTEXT_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/key.h>
#include <tenuo/matchers.h>
#include <tenuo/request.h>
#include <tenuo/verify.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tenuo_ctx;

/* Receives the library's log lines: level as in syslog (3 error, 4 warning, 6 info, 7 debug), one line without newline.
 */
typedef void tenuo_log_fn(void *arg, int level, const char *line);
/* Receives each diagnostic of a configuration: "FILE:LINE:COL: sentence"; is_error 0 for a warning. */
typedef void tenuo_diag_fn(void *arg, int is_error, const char *line);

#define TENUO_OPEN_KEYS 1         /* keys_only */
#define TENUO_OPEN_KEYS_AUDITED 2 /* keys_only, with the audit lines */

/* Zero-initialise, then set what differs. Strings are lent for the call; `log_arg` must live as long as the context. */
struct tenuo_open_options {
    uint32_t size;          /* sizeof(struct tenuo_open_options) */
    const char *conf;       /* main file; NULL: TENUO_CONF unless AT_SECURE, else /etc/tenuo.conf */
    const char *plugin_dir; /* default directory of plugins when the file does not set one; NULL: compiled in */
    tenuo_log_fn *log;
    void *log_arg;
    tenuo_diag_fn *diag; /* every error and warning of the configuration */
    void *diag_arg;
    /* Non-zero: for its keys alone. Every line is checked as text, and only the resolver lines are loaded and opened,
     * so that a first key can be made before there is a root to trust, and a program that only signs needs none. Such a
     * context decides nothing: tenuo_ctx_authorize answers 9001, tenuo_ctx_verifier NULL, and it has no roots.
     * TENUO_OPEN_KEYS_AUDITED: the audit lines as well, so that changes of keys are recorded. */
    int keys_only;
    /* The configuration itself, `conf_text_len` bytes, instead of files: no drop-ins, diagnostics name it "(memory)", a
     * reload reads the same text again. `conf` must then be NULL. */
    const char *conf_text;
    size_t conf_text_len;
};

/*
 * Opens the rules of one service ("" for the top of the file): reads the main file and its drop-ins, loads the plugins,
 * reads the roots. `options` may be NULL. Errors: 9100 configuration (the first one is in reterr, all go to diag), 92xx
 * plugin, 9301 ... A store, a sink or a revocation list that is away now refuses nothing here: it is asked again, and
 * decisions that need it are denied until it answers.
 */
TENUO_API TENUO_MUST_USE int tenuo_open(const char *service, const struct tenuo_open_options *options,
                                        struct tenuo_ctx **ret_ctx, struct tenuo_error *reterr);
/* The same files read again into a new context; the old one is untouched, also on failure. Revocation lists of lines
 * that did not change come along, and so does what replay lines with the same module and arguments remember. */
TENUO_API TENUO_MUST_USE int tenuo_ctx_reload(const struct tenuo_ctx *ctx, struct tenuo_ctx **ret_ctx,
                                              struct tenuo_error *reterr);
TENUO_API struct tenuo_ctx *tenuo_ctx_ref(struct tenuo_ctx *ctx);
/* The last unref closes the plugins' instances and wipes cached keys. NULL is fine. */
TENUO_API void tenuo_ctx_unref(struct tenuo_ctx *ctx);

/*
 * The verifier for a decision that is made now: a new reference, for tenuo_verifier_unref. With revocation lines in the
 * configuration it has the lists of this moment, and may fetch them on this thread when they are due. Ask again for
 * each decision: the lists of a verifier that is kept get too old, and then it refuses (9301). It may
 * outlive the context.
 */
TENUO_API struct tenuo_verifier *tenuo_ctx_verifier(struct tenuo_ctx *ctx);
/* The matcher lines, opened; lent: a reference taken on them may outlive the context. NULL when there is none. */
TENUO_API struct tenuo_matchers *tenuo_ctx_matchers(const struct tenuo_ctx *ctx);
TENUO_API size_t tenuo_ctx_root_count(const struct tenuo_ctx *ctx);
TENUO_API const uint8_t *tenuo_ctx_root(const struct tenuo_ctx *ctx, size_t index);

/*
 * The audited decision: reads the clock once, decides, asks the replay stores, writes every audit sink, and only then
 * answers. An allow whose required sink fails is a denial with 9400. `bytes` in any form of tenuo_stack_parse_any.
 * Returns 0 with a decision, or 9xxx when nothing could be decided (that too is an answer of "no").
 */
TENUO_API TENUO_MUST_USE int tenuo_ctx_authorize(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len,
                                                 const struct tenuo_request *request,
                                                 struct tenuo_decision **ret_decision, struct tenuo_error *reterr);
/* The same at a time that the guarding program chooses (Unix seconds), never one that came with the call. */
TENUO_API TENUO_MUST_USE int tenuo_ctx_authorize_at(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len,
                                                    const struct tenuo_request *request, int64_t as_of,
                                                    struct tenuo_decision **ret_decision, struct tenuo_error *reterr);

/*
 * Audits what the guarding program decided by itself: a decision of the pure layer, or, with `decision` NULL, a denial
 * that never reached the library (`denial`: its code, which is not 0, and a sentence without argument values). `bytes`
 * is the chain as presented, in binary, or nothing. 0 only when every required sink took the record, else 9400: an
 * allow is then a denial, and the sinks are told so, as in tenuo_ctx_authorize. *ret_audited (may be NULL): how many
 * sinks hold it. A decision of tenuo_ctx_authorize is recorded already and refused here (9001).
 */
TENUO_API TENUO_MUST_USE int tenuo_ctx_record(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len,
                                              const struct tenuo_request *request,
                                              const struct tenuo_decision *decision, const struct tenuo_error *denial,
                                              int64_t as_of, size_t *ret_audited, struct tenuo_error *reterr);

#define TENUO_SIGNER_NO_IO 1u /* what the key cache holds, a failure too, or 9302 */
/*
 * Signer for a key, from the resolver lines in order. `key` is ID, its newest version, or ID@N. With `holder` (32
 * bytes) the signer has this public key: when the newest version is another one, a version of before a rotation that
 * has it is used, and 9306 when there is none. Keys and failures are cached (tenuo.conf(5), `key_cache`). The signer
 * keeps the context alive and goes on working when the cache has dropped the key. Errors: 9001 bad reference, 9300,
 * 9301, 9302, 9303 (two stores, two keys), 9304, 9305, 9306, 9203.
 */
TENUO_API TENUO_MUST_USE int tenuo_ctx_signer(struct tenuo_ctx *ctx, const char *key, unsigned flags,
                                              const uint8_t *holder, struct tenuo_signer **ret_signer,
                                              struct tenuo_error *reterr);
/* The public key of ID or ID@N, from the resolver lines in order. Only asks what a store tells about a key: neither the
 * right to sign nor the secret is needed where the store keeps them apart. 9300 and the other 93xx. */
TENUO_API TENUO_MUST_USE int tenuo_ctx_public_key(struct tenuo_ctx *ctx, const char *key,
                                                  uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                                                  struct tenuo_error *reterr);
/* 1 when a resolver line signs in its store, or cannot tell, so that signing may wait for it; 0 when every line hands
 * its secrets to this process. */
TENUO_API int tenuo_ctx_may_block(struct tenuo_ctx *ctx);
/* Loads keys into the cache and signs with each (tenuo_signer_self_test). All are tried; the code is that of the first
 * that failed, the sentence names them all. */
TENUO_API TENUO_MUST_USE int tenuo_keys_preload(struct tenuo_ctx *ctx, const char *const *keys, size_t count,
                                                struct tenuo_error *reterr);

/* One line of the configuration that was tried. Lent for the call that it is handed to. */
struct tenuo_probe {
    uint32_t size;
    const char *name, *module, *origin; /* `name=` or the module; the module; FILE:LINE */
    int required;                       /* an allow hangs on it */
    int code;                           /* 0: it works */
    const char *message;                /* why it does not */
    uint64_t duration_ns;
};
/* Asks every audit sink, in order, to record that it was tried (a notice of the kind TENUO_NOTICE_PROBE in plugin.h).
 * Sinks that take no notices are only opened. Nothing with keys_only. */
TENUO_API void tenuo_ctx_probe_audit(struct tenuo_ctx *ctx, void (*each)(void *arg, const struct tenuo_probe *probe),
                                     void *arg);
/* Every replay line, in order, is asked about a proof that nobody made; it remembers that one for a minute. Nothing
 * with keys_only. */
TENUO_API void tenuo_ctx_probe_replay(struct tenuo_ctx *ctx, void (*each)(void *arg, const struct tenuo_probe *probe),
                                      void *arg);
/* Every revocation line that was asked last time, in order: 0 when it has a list that may be used, else why it has
 * none. A line behind a `sufficient` one that has a list is not asked and not told. Lists that are due are fetched
 * first. duration_ns is 0. Nothing with keys_only, and nothing while another thread fetches. */
TENUO_API void tenuo_ctx_probe_revocation(struct tenuo_ctx *ctx,
                                          void (*each)(void *arg, const struct tenuo_probe *probe), void *arg);
struct tenuo_stat;
/* What the context counts itself, and how its lists, roots and keys are: the numbers of host->stats in plugin.h, which
 * declares the structure. Asks no store. `each` returns non-zero to stop. */
TENUO_API void tenuo_ctx_stats(struct tenuo_ctx *ctx, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg);

/* Wipes cached keys whose time is over. Every look-up does; a program that rests for long may call it meanwhile. */
TENUO_API void tenuo_ctx_sweep(struct tenuo_ctx *ctx);

/* Reads and checks a configuration without opening stores: syntax, settings, and with load non-zero also plugins and
   their arguments. Every finding goes to options->diag. 0, or 9100 when there is an error. */
TENUO_API TENUO_MUST_USE int tenuo_conf_check(const char *service, const struct tenuo_open_options *options, int load,
                                              struct tenuo_error *reterr);
/* The merged result for a service, one rule or setting a line with the place it came from, through `line`. */
TENUO_API TENUO_MUST_USE int tenuo_conf_show(const char *service, const struct tenuo_open_options *options,
                                             void (*line)(void *arg, const char *text), void *arg,
                                             struct tenuo_error *reterr);

/* The settings by which this service decides, as one JSON object through `line`: what receipts name by its hash
   (tenuo_policy_hash), for proving later which policy was in force. */
TENUO_API TENUO_MUST_USE int tenuo_conf_policy(const char *service, const struct tenuo_open_options *options,
                                               void (*line)(void *arg, const char *text), void *arg,
                                               struct tenuo_error *reterr);

/* What `tenuo plugin info` prints: trust walk, pre-scan, load, and the descriptor through `line` ("key: value"). */
TENUO_API TENUO_MUST_USE int tenuo_plugin_describe(const char *name_or_path, const char *plugin_dir,
                                                   void (*line)(void *arg, const char *text), void *arg,
                                                   struct tenuo_error *reterr);
/* Compiled-in plugin directory. */
TENUO_API const char *tenuo_default_plugin_dir(void);

#ifdef __cplusplus
}
#endif
#endif
