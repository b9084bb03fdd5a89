# SPDX-License-Identifier: Apache-2.0
"""tenuo.temporal: every activity of a workflow is checked against the workflow's warrant. Activities need no change.

See docs/temporal: quick start, configuration, resolvers, security model, troubleshooting."""

from __future__ import annotations

from ._nexus_call import nexus_tool_name, tenuo_execute_nexus_operation, tenuo_nexus_headers, tenuo_start_nexus_operation
from ._constants import TENUO_COMPRESSED_HEADER, TENUO_KEY_ID_HEADER, TENUO_POP_HEADER, TENUO_WARRANT_HEADER
from ._decorators import tool, unprotected
from .audit import TemporalAuditEvent
from .client import (TenuoClientInterceptor, TenuoWarrantContextPropagator, create_scheduled_workflow_with_warrant, execute_workflow_authorized,
                     start_workflow_authorized, tenuo_complete_async_activity, tenuo_headers, tenuo_warrant_context)
from .config import TenuoInterceptorConfig, TenuoPluginConfig
from .dedup import InMemoryPopDedupStore, PopDedupStore
from .exceptions import (ChainValidationError, ConstraintViolation, DecisionError, KeyResolutionError, LocalActivityError, PopVerificationError,
                         TemporalConstraintViolation, TenuoArgNormalizationError, TenuoContextError, TenuoPreValidationError, TenuoTemporalError,
                         WarrantExpired)
from .metrics import TenuoMetrics
from .plugin import (TENUO_TEMPORAL_ACTIVITIES, TenuoInterceptor, TenuoTemporalPlugin, TenuoWorkerInterceptor, config_for_task_queue,
                     register_worker_config)
from .resolvers import (AWSSecretsManagerKeyResolver, CompositeKeyResolver, ConfKeyResolver, EnvKeyResolver, GCPSecretManagerKeyResolver, KeyResolver,
                        KMSKeyResolver, VaultKeyResolver)
from .sources import EnvWarrantSource, LiteralWarrantSource, WarrantSource
from .workflows import (AuthorizedWorkflow, attenuated_headers, current_key_id, current_warrant, set_activity_approvals, tenuo_continue_as_new,
                        tenuo_execute_activity, tenuo_execute_child_workflow, workflow_grant, workflow_issue_execution)

__all__ = [
    "AWSSecretsManagerKeyResolver", "AuthorizedWorkflow", "ChainValidationError", "CompositeKeyResolver", "ConfKeyResolver", "ConstraintViolation",
    "DecisionError", "EnvKeyResolver", "EnvWarrantSource", "GCPSecretManagerKeyResolver", "InMemoryPopDedupStore", "KMSKeyResolver",
    "KeyResolutionError", "KeyResolver", "LiteralWarrantSource", "LocalActivityError", "PopDedupStore", "PopVerificationError",
    "TENUO_COMPRESSED_HEADER", "TENUO_KEY_ID_HEADER", "TENUO_POP_HEADER", "TENUO_TEMPORAL_ACTIVITIES", "TENUO_WARRANT_HEADER",
    "TemporalAuditEvent", "TemporalConstraintViolation", "TenuoArgNormalizationError", "TenuoClientInterceptor", "TenuoContextError",
    "TenuoInterceptor", "TenuoInterceptorConfig", "TenuoMetrics", "TenuoPluginConfig", "TenuoPreValidationError", "TenuoTemporalError",
    "TenuoTemporalPlugin", "TenuoWarrantContextPropagator", "TenuoWorkerInterceptor", "VaultKeyResolver", "WarrantExpired", "WarrantSource",
    "attenuated_headers", "config_for_task_queue", "create_scheduled_workflow_with_warrant", "current_key_id", "current_warrant",
    "execute_workflow_authorized", "nexus_tool_name", "register_worker_config", "set_activity_approvals", "start_workflow_authorized", "tenuo_complete_async_activity",
    "tenuo_continue_as_new", "tenuo_execute_activity", "tenuo_execute_child_workflow", "tenuo_execute_nexus_operation", "tenuo_headers", "tenuo_nexus_headers", "tenuo_start_nexus_operation", "tenuo_warrant_context", "tool",
    "unprotected", "workflow_grant", "workflow_issue_execution",
]
