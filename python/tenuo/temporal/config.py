# SPDX-License-Identifier: Apache-2.0
"""TenuoPluginConfig: everything that guards a worker, checked when it is made (spec temporal.md 1.4). No field turns the proof of possession off."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from tenuo_core.context import Context
from tenuo_core.errors import ConfigurationError
from tenuo_core.keys import PublicKey
from tenuo_core.revocation import SignedRevocationList

from .audit import TemporalAuditEvent
from .dedup import PopDedupStore
from .metrics import TenuoMetrics
from .resolvers import EnvKeyResolver, KeyResolver, StaticKeyResolver

WIDENED_FOR_APPROVALS = 240
_DENIALS = ("raise", "log", "skip")


def _is_no_empty_list(value: Sequence[str] | None, name: str) -> None:
    if value is not None and (isinstance(value, str) or not value):
        raise ConfigurationError(f"{name} is an empty list or no list: leave it out to let all through, or name what is allowed")


@dataclasses.dataclass
class TenuoPluginConfig:
    """How a worker is guarded.

    key_resolver: where the holder's keys are; or signing_key: one key for every run. trusted_roots: keys that warrants must come from; without
    them those of `context`, or of the service `service` in `conf` (default /etc/tenuo.conf); without any: ConfigurationError.
    on_denial: raise fails the activity; log and skip return None, and log says so; all of them block. dry_run: denials are reported and run.
    tool_mappings: activity type to tool. audit_callback: once a decision; what gates an allow are the audit lines of `context`.
    max_chain_depth: of the leaf. require_warrant: False lets calls without any warrant run. redact_args_in_logs: no argument value leaves.
    trusted_roots_provider, revocation_list_provider: called in the background every ..._secs; a failure keeps what there was.
    pop_dedup_store: replay protection of first attempts, default this process's memory. authorized_signals, authorized_updates: None lets all
    through. activity_fns: functions for names that the worker does not tell. approval_handler: asked when a gate wants approval.
    strict_mode: refuses calls whose argument names are unknown while the warrant constrains. retry_pop_max_windows: how long after its
    scheduling a call may run, in units of 15 seconds (40: 600 s; None or 0: not at all). clearance_requirements: level by tool.
    sign_mode: "local" signs in the workflow, "activity" in a local activity; default by the resolver. arg_normalization: "upstream-json" only
    for verifying what other implementations scheduled. preload_key_ids: keys that must be there when the worker starts.
    """

    key_resolver: KeyResolver | None = None
    signing_key: Any = None
    control_plane: Any = None
    on_denial: Literal["raise", "log", "skip"] = "raise"
    dry_run: bool = False
    tool_mappings: dict[str, str] = dataclasses.field(default_factory=dict)
    audit_callback: Callable[[TemporalAuditEvent], None] | None = None
    audit_allow: bool = True
    audit_deny: bool = True
    max_chain_depth: int = 10
    block_local_activities: bool = True
    metrics: TenuoMetrics | None = None
    require_warrant: bool = True
    redact_args_in_logs: bool = True
    runtime: Any = None
    trusted_roots: Sequence[PublicKey] | None = None
    trusted_roots_provider: Callable[[], Sequence[PublicKey]] | None = None
    trusted_roots_refresh_interval_secs: float | None = None
    pop_dedup_store: PopDedupStore | None = None
    nexus_pop_replay_protection: bool = False
    nexus_endpoint: str | None = None
    authorized_signals: Sequence[str] | None = None
    authorized_updates: Sequence[str] | None = None
    activity_fns: Sequence[Callable[..., Any]] | None = None
    approval_handler: Callable[..., Any] | None = None
    strict_mode: bool = False
    retry_pop_max_windows: int | None = 40
    clearance_requirements: Mapping[str, Any] | None = None
    revocation_list: SignedRevocationList | None = None
    revocation_list_provider: Callable[[], SignedRevocationList | None] | None = None
    revocation_refresh_secs: float | None = None
    enable_tracing: bool = False
    sign_mode: Literal["local", "activity"] | None = None
    arg_normalization: Literal["native", "upstream-json"] = "native"
    allow_process_local_keys: bool = True
    preload_key_ids: Sequence[str] = ()
    context: Context | None = None
    conf: str | os.PathLike[str] | None = None
    service: str = "temporal"

    def __post_init__(self) -> None:
        if self.key_resolver is None and self.signing_key is None:
            raise ConfigurationError("key_resolver is missing: give one (EnvKeyResolver, VaultKeyResolver, ConfKeyResolver ...) or a signing_key")
        if self.key_resolver is None:
            self.key_resolver = StaticKeyResolver(self.signing_key)
        if not isinstance(self.key_resolver, KeyResolver) and not hasattr(self.key_resolver, "resolve_sync"):
            raise ConfigurationError("key_resolver must be a KeyResolver")
        self._check_choices()
        _is_no_empty_list(self.authorized_signals, "authorized_signals")
        _is_no_empty_list(self.authorized_updates, "authorized_updates")
        self._check_roots()
        if self.approval_handler is not None and self.retry_pop_max_windows is not None and self.retry_pop_max_windows <= 40:
            self.retry_pop_max_windows = WIDENED_FOR_APPROVALS

    def _check_choices(self) -> None:
        if self.on_denial not in _DENIALS:
            raise ConfigurationError(f"on_denial is one of {', '.join(_DENIALS)}")
        if self.sign_mode not in (None, "local", "activity"):
            raise ConfigurationError('sign_mode is "local" or "activity"')
        if self.arg_normalization not in ("native", "upstream-json"):
            raise ConfigurationError('arg_normalization is "native" or "upstream-json"')
        if not 0 <= int(self.max_chain_depth) <= 64:
            raise ConfigurationError("max_chain_depth is 0 to 64")
        if self.retry_pop_max_windows is not None and not 0 <= int(self.retry_pop_max_windows) <= 100000:
            raise ConfigurationError("retry_pop_max_windows is None or 0 to 100000, in units of 15 seconds")
        for name in ("trusted_roots_refresh_interval_secs", "revocation_refresh_secs"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} is a positive number of seconds")

    def _check_roots(self) -> None:
        if self.trusted_roots is not None:
            self.trusted_roots = tuple(self.trusted_roots)
            if not self.trusted_roots and self.trusted_roots_provider is None:
                raise ConfigurationError("trusted_roots is empty: name the public keys that warrants must come from")
        if self.trusted_roots_refresh_interval_secs is not None and self.trusted_roots_provider is None:
            raise ConfigurationError("trusted_roots_refresh_interval_secs needs a trusted_roots_provider")
        if self.revocation_refresh_secs is not None and self.revocation_list_provider is None:
            raise ConfigurationError("revocation_refresh_secs needs a revocation_list_provider")
        of_conf = self.trusted_roots is None and self.trusted_roots_provider is None
        if of_conf and (self.clearance_requirements or self.revocation_list is not None or self.revocation_list_provider is not None):
            raise ConfigurationError("clearance_requirements and revocation lists go with trusted_roots; for roots of tenuo.conf they are its own "
                                     "settings (set clearance, revocation lines)")
        if of_conf and self.context is None:
            try:
                self.context = Context.open(self.service, self.conf)
            except Exception as exc:
                raise ConfigurationError(f"no trusted roots: give trusted_roots, or configure the service '{self.service}': {exc}") from exc

    @property
    def pop_bound_secs(self) -> int:
        """How long after its scheduling a call may run, in seconds."""
        return 15 * int(self.retry_pop_max_windows or 0)

    @property
    def effective_sign_mode(self) -> Literal["local", "activity"]:
        if self.sign_mode is not None:
            return self.sign_mode
        return "activity" if getattr(self.key_resolver, "declared_class", "local") == "remote" else "local"

    def copied(self) -> TenuoPluginConfig:
        """A copy of its own, so that a worker never changes what its author passed in. Objects inside are shared."""
        return copy.copy(self)

    @classmethod
    def from_env(cls, **overrides: Any) -> TenuoPluginConfig:
        """TENUO_TRUSTED_ROOTS: public keys separated by blanks or commas. Keys by EnvKeyResolver unless given."""
        roots = [PublicKey.parse(text) for text in os.environ.get("TENUO_TRUSTED_ROOTS", "").replace(",", " ").split()]
        found: dict[str, Any] = {"trusted_roots": roots} if roots else {}
        found |= overrides
        if not found.get("key_resolver") and not found.get("signing_key"):
            found["key_resolver"] = EnvKeyResolver()
        return cls(**found)


TenuoInterceptorConfig = TenuoPluginConfig
