/* SPDX-License-Identifier: Apache-2.0 */
/* Every numeric bound, once: of the wire format (source in the comment), then ours. */
#ifndef TN_LIMITS_H
#define TN_LIMITS_H

/* Wire format, spec warrant.md "Constants" unless said. */
#define TN_MAX_WARRANT_BYTES 65536
#define TN_MAX_STACK_BYTES 262144
#define TN_MAX_TOOLS 256
#define TN_MAX_CONSTRAINTS 64
#define TN_MAX_CONSTRAINT_DEPTH 32
#define TN_MAX_EXTENSIONS 64
#define TN_MAX_EXTENSION_KEY 255
#define TN_MAX_EXTENSION_VALUE 8192
#define TN_MAX_DEPTH 64
#define TN_MAX_CHAIN 65            /* root + 64 delegations */
#define TN_MAX_TOOL_NAME 256       /* warrant.md 1.6, HARDEN */
#define TN_MAX_VALUE_DEPTH 64      /* arrays and maps within one value or unknown payload, 1.7 */
#define TN_MAX_ROOT_TTL 7776000    /* seconds, 90 days */
#define TN_DEFAULT_TTL 300         /* seconds */
#define TN_POP_WINDOW 30           /* seconds, fixed (8.2) */
#define TN_POP_WINDOWS_DEFAULT 5
#define TN_POP_WINDOWS_MAX 10
#define TN_CLOCK_TOLERANCE 30      /* seconds, issued_at only */
#define TN_GATES_MESSAGE_CHARS 200 /* governance.md 6.1 */
#define TN_APPROVAL_LIFETIME_MAX 3600 /* seconds, default of max_approval_lifetime (governance.md 14) */

#define TN_REVOCATION_REQUEST_AGE 300  /* seconds, governance.md 10.5 */
#define TN_REVOCATION_REQUEST_AHEAD 60 /* seconds, 10.5 */

/* Ours. */
#define TN_MAX_APPROVALS_TEXT 1048576 /* bytes of a carrier of approvals */
#define TN_MAX_APPROVALS_JSON 64      /* approvals of a JSON array, and */
#define TN_MAX_APPROVAL_TEXT 8192     /* characters of each (governance.md 3.1) */
#define TN_MAX_EXTERNAL_ID 1024       /* bytes of the label that an approver sets */
#define TN_MAX_ARGS_BYTES 1048576  /* canonical arguments of one call */
#define TN_MAX_ARGS 1024           /* arguments of one call */
#define TN_MAX_ROOTS 4096
#define TN_MAX_ROOT_FILE 1048576   /* bytes of a file of public keys */
#define TN_MAX_CLEARANCE_RULES 1024
#define TN_MAX_ATTRIBUTES 32
#define TN_MAX_ATTRIBUTE_NAME 53 /* with TENUO_ATTR_ before it the 64 of a name in the journal */
#define TN_MAX_ATTRIBUTE_VALUE 256
#define TN_LINK_CACHE_DEFAULT 4096 /* entries */
#define TN_LINK_CACHE_MAX 1048576
#define TN_PROGRAM_CACHE_ENTRIES 4096           /* compiled constraints of one set of matchers */
#define TN_PROGRAM_CACHE_BYTES (64u * 1048576u) /* what they may hold by the plugins' own account */
#define TN_MATCH_BUDGET (1u << 26) /* bytes that constraints may look at in one decision, or on one link */
#define TN_MATCHER_WORK (1u << 27) /* steps of matchers, about 10 ns each, likewise */
#define TN_MATCHER_FAILED (1u << 23) /* of them for a constraint that does not compile */
#define TN_MATCHER_COMPARE 16      /* of them for each byte of two constraints that a matcher compares */
#define TN_MAX_REVOCATION_REASON 4096 /* bytes; lists: TENUO_SRL_MAX_BYTES and _IDS in tenuo/revocation.h */
#define TN_SUBSET_BUDGET 4000000   /* pair comparisons of one link */
#define TN_MATCHER_OPEN_MS 5000    /* for opening one without a configuration */
#define TN_MAX_KEY_FILE 4096       /* bytes of a key file */

/* The cel matcher (spec constraints.md 8.1). */
#define TN_CEL_MAX_EXPRESSION 65536 /* bytes */
#define TN_CEL_MAX_DEPTH 96         /* expressions within expressions, as the reference */
#define TN_CEL_STEPS 100000         /* of one match */
#define TN_CEL_PATTERNS 16          /* regular expressions compiled with a program, and how much they hold */
#define TN_CEL_PATTERN_BYTES 8388608
#define TN_CEL_MEMORY 4194304       /* bytes that one match may make: its value, lists, texts */

/* Configuration. */
#define TN_MAX_CONF_BYTES 65536
#define TN_MAX_CONF_DEPTH 8
#define TN_MAX_CONF_FILES 256
#define TN_MAX_CONF_ERRORS 100     /* printed; the rest is counted */
#define TN_MAX_RULES 256
#define TN_MAX_RULE_ARGS 32        /* also rows of a plugin's argument schema */
#define TN_MAX_PLUGIN_BYTES 67108864
#define TN_MAX_KEY_ID 128
#define TN_MAX_KEY_CACHE 1024      /* keys held at once */
#define TN_KEY_FAILED_MS 2000      /* how long a store's "no" is remembered (9300, 9303, 9304, 9305), */
#define TN_MAX_VERSION_LOOKS 1024  /* numbers of one id that a search for a holder asks a line about */
#define TN_KEY_AWAY_MS 500         /* that it is away (9301, 9203), also while a stale key serves, */
#define TN_KEY_HOLDER_MS 2000      /* and which older keys there are: so often wrong holders ask the stores */
#define TN_MAX_STORE_KEYS 65536    /* ids of one store that are listed */
#define TN_MAX_FLOOR_FILE 1048576 /* bytes: 4096 issuers */

#endif
