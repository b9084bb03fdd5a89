# SPDX-License-Identifier: Apache-2.0
"""Names and bounds of the headers (spec temporal.md 2). Nothing else."""

from __future__ import annotations

PREFIX = "x-tenuo-"
TENUO_WARRANT_HEADER = "x-tenuo-warrant"
TENUO_COMPRESSED_HEADER = "x-tenuo-compressed"
TENUO_KEY_ID_HEADER = "x-tenuo-key-id"
TENUO_WIRE_FORMAT_HEADER = "x-tenuo-wire-format"
TENUO_CHAIN_HEADER = "x-tenuo-warrant-chain"
TENUO_POP_HEADER = "x-tenuo-pop"
TENUO_ARG_KEYS_HEADER = "x-tenuo-arg-keys"
TENUO_APPROVALS_HEADER = "x-tenuo-approvals"
TENUO_TOOL_NAME_HEADER = "x-tenuo-tool-name"
TENUO_NEXUS_ENCODING_HEADER = "x-tenuo-nexus-header-encoding"
SIGNING_KEY_HEADER = "x-tenuo-signing-key"  # of old clients, which put the holder's secret into the history: never written, always refused

WIRE_FORMAT = b"2"
MAX_WARRANT_BYTES = 65536
MAX_CHAIN_TEXT_BYTES = 349528  # base64url of the 256 KiB that a stack may have
MAX_ARG_KEYS_BYTES = 65536
MAX_APPROVALS_BYTES = 65536 * 4
MAX_KEY_ID_BYTES = 256

INTERNAL_PREFIX = "__tenuo_internal_"
MINT_ACTIVITY = "__tenuo_internal_mint"
SIGN_ACTIVITY = "__tenuo_internal_sign"

SCOPE_NAMESPACE = "_workflow_namespace"
SCOPE_WORKFLOW_ID = "_workflow_id"
SCOPE_NAMES = (SCOPE_NAMESPACE, SCOPE_WORKFLOW_ID)

PLUGIN_NAME = "tenuo.TenuoTemporalPlugin"
POP_WINDOW_SECS = 30
