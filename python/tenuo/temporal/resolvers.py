# SPDX-License-Identifier: Apache-2.0
"""Where signing keys come from (spec temporal.md 7). The classes are thin fronts of the library's resolver plugins: they write one
configuration line and open it; formats, caching, retries and fork safety are the plugins'.

Looking a key up does input and output. Inside a workflow only `signer_cached` is used, which answers from what was preloaded.
"""

from __future__ import annotations

import abc
import asyncio
import concurrent.futures
import contextvars
import logging
import os
import re
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Literal

from tenuo_core.context import Context
from tenuo_core.errors import ConfigurationError, TenuoError
from tenuo_core.keys import PublicKey, SigningKey

from . import _local_keys
from ._secrets import SecretFile
from .exceptions import KeyResolutionError, from_key_error

logger = logging.getLogger("tenuo.temporal")
KEY_ID = re.compile(r"\A(?!\.\Z)(?!.*\.\.)[A-Za-z0-9._-]{1,128}\Z")
ARGUMENT = re.compile(r"\A[a-z][a-z0-9_]{0,40}\Z")
REFERENCE = re.compile(r"@[0-9]{1,10}\Z")
DEVELOPMENT = frozenset({"development", "dev", "test", "testing", "local"})
_warned: set[str] = set()
_living: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # by id(): a resolver of a user's own may have no hash
LOOK_UP_SECS = 30.0
MAX_REMEMBERED = 4096


def _forget_after_fork() -> None:
    """Signers of before a fork do not sign in the child: it looks the keys up again. One resolver that fails does not keep the others' keys."""
    _local_keys.after_fork()
    for resolver in list(_living.values()):
        try:
            resolver._after_fork()
        except Exception as exc:
            logger.error("a %s could not be closed after a fork: %s", type(resolver).__name__, type(exc).__name__)


os.register_at_fork(after_in_child=_forget_after_fork)


def in_development() -> bool:
    return os.environ.get("TENUO_ENV", "").lower() in DEVELOPMENT


def warn_once(what: str, message: str) -> None:
    if what not in _warned:
        _warned.add(what)
        logger.warning("%s", message)


def check_reference(key_id: str) -> str:
    """An id, or ID@VERSION: one rule for every store, so that no id can reach out of its template."""
    if not isinstance(key_id, str) or not KEY_ID.match(REFERENCE.sub("", key_id)):
        raise KeyResolutionError(str(key_id)[:140], "a key id has 1 to 128 characters of [A-Za-z0-9._-], is not '.' and holds no '..'")
    return key_id


def quoted(value: str) -> str:
    """A value as the configuration's grammar reads it back. What could end the line is refused."""
    if any(ord(ch) < 0x20 or ord(ch) == 0x7F for ch in value):
        raise ConfigurationError("a resolver's argument must not contain control characters")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def resolver_line(module: str, words: Mapping[str, str]) -> str:
    """One line of a configuration: the module with its arguments."""
    for name in words:
        if not ARGUMENT.match(name):
            raise ConfigurationError(f"'{name[:40]}' is no argument of the resolver {module}")
    return f"resolver required {module} " + " ".join(f"{name}={quoted(str(value))}" for name, value in words.items()) + "\n"


class KeyResolver(abc.ABC):
    """Subclass it for a store of your own: `resolve` returns our SigningKey, or any object with `public_key` and `sign(message)`."""

    declared_class: Literal["local", "remote"] = "local"
    cache_ttl: float | None = 300  # seconds for which workflows use a signer without asking the store again; None: always

    def __new__(cls, *args: Any, **kw: Any) -> Any:
        made = super().__new__(cls)
        _living[id(made)] = made
        return made

    @abc.abstractmethod
    async def resolve(self, key_id: str) -> Any:
        """The signer of this id; KeyResolutionError when there is none."""

    def resolve_sync(self, key_id: str) -> Any:
        """`resolve` in a loop and a thread of its own, for at most 30 seconds: a store that never answers must not take the worker's threads away
        one by one. Not inside a workflow."""
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def work() -> None:
            try:
                answer.set_result(asyncio.run(asyncio.wait_for(self.resolve(key_id), LOOK_UP_SECS)))
            except BaseException as exc:
                answer.set_exception(exc)

        threading.Thread(target=contextvars.copy_context().run, args=(work,), name="tenuo-look-up", daemon=True).start()
        try:
            return answer.result(LOOK_UP_SECS + 1)
        except TimeoutError as exc:
            raise KeyResolutionError(key_id, f"{type(self).__name__} did not answer within {LOOK_UP_SECS:g} s", not_found=False) from exc

    def _cache(self) -> dict[str, list[tuple[Any, float]]]:
        found: dict[str, list[tuple[Any, float]]] = self.__dict__.setdefault("_preloaded", {})
        return found

    def remember(self, key_id: str, signer: Any) -> None:
        """Keeps a signer for workflows, for cache_ttl: the newest first, older ones of other public keys behind it."""
        until = float("inf") if self.cache_ttl is None else monotonic() + self.cache_ttl
        kept = [(s, t) for s, t in self._cache().get(key_id, []) if s.public_key != signer.public_key and t > monotonic()]
        cache = self._cache()
        cache.pop(key_id, None)
        cache[key_id] = [(signer, until), *kept][:8]
        for oldest in list(cache)[: max(0, len(cache) - MAX_REMEMBERED)]:  # ids come with calls: they must not fill the memory
            cache.pop(oldest, None)

    def preload(self, key_ids: Iterable[str]) -> None:
        """Looks the keys up and keeps them for workflows. ConfigurationError names every one that failed."""
        failed = []
        for key_id in key_ids:
            try:
                self.remember(key_id, self.signer(key_id, None))
            except Exception as exc:
                failed.append(f"{key_id}: {exc}")
        if failed:
            raise ConfigurationError("keys that the worker needs cannot be loaded: " + "; ".join(failed))

    def preload_keys(self, key_ids: Iterable[str]) -> None:
        """As preload, with the reference's exception."""
        for key_id in key_ids:
            self.remember(key_id, self.signer(key_id, None))

    def preload_all(self) -> int:
        """Preloads every key that the store can name; how many. 0 for a store that cannot."""
        return 0

    def signer_cached(self, key_id: str, holder: PublicKey | None) -> Any | None:
        """What was preloaded and is not too old, the version that has this public key if there is one. No input or output.

        A key that was taken from its store signs for cache_ttl longer; then the store is asked, by the internal activity."""
        kept = [s for s, until in self._cache().get(key_id, []) if until > monotonic()]
        return next((s for s in kept if holder is None or s.public_key == holder), kept[0] if kept else None)

    def signer(self, key_id: str, holder: PublicKey | None) -> Any:
        """The signer, looked up; the version that has this public key."""
        signer = self.resolve_sync(key_id)
        self.remember(key_id, signer)
        return signer

    def public_key(self, key_id: str) -> PublicKey:
        """The public key alone."""
        key: PublicKey = self.signer(key_id, None).public_key
        return key

    def close(self) -> None:
        """Lets go of what it holds."""
        self.__dict__.pop("_preloaded", None)

    def _after_fork(self) -> None:
        """In a forked child: as close, and no lock stays locked whose owner is only in the parent."""
        self.close()


class ConfiguredResolver(KeyResolver):
    """A resolver that is lines of a configuration."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._context: Context | None = None
        self._lock = threading.Lock()

    def _lines(self) -> str:
        return self._text

    def context(self) -> Context:
        """The opened lines; opened at the first use, outside of workflows."""
        with self._lock:
            if self._context is None:
                self._context = Context.open(conf_text=self._lines(), keys_only=True)
            return self._context

    async def resolve(self, key_id: str) -> Any:
        return await asyncio.to_thread(self.resolve_sync, key_id)

    def resolve_sync(self, key_id: str) -> Any:
        return self._look(key_id, None)

    def signer(self, key_id: str, holder: PublicKey | None) -> Any:
        signer = self._look(key_id, holder)
        self.remember(key_id, signer)
        return signer

    def _look(self, key_id: str, holder: PublicKey | None) -> Any:
        check_reference(key_id)
        try:
            return self.context().signer(key_id, holder=holder)
        except TenuoError as exc:
            raise from_key_error(exc, key_id) from exc

    def preload(self, key_ids: Iterable[str]) -> None:
        ids = list(key_ids)
        try:
            self.context().preload([check_reference(i) for i in ids])  # signs with each: a store that lies is found now
        except (TenuoError, KeyResolutionError) as exc:
            raise ConfigurationError(f"keys that the worker needs cannot be loaded: {exc}") from exc
        super().preload(ids)

    def public_key(self, key_id: str) -> PublicKey:
        check_reference(key_id)
        try:
            return self.context().public_key(key_id)
        except TenuoError as exc:
            raise from_key_error(exc, key_id) from exc

    def close(self) -> None:
        super().close()
        self._context = None

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self.close()


class EnvKeyResolver(ConfiguredResolver):
    """Keys in the environment, `{prefix}{key_id}`: base64, base64url or hex of 32 bytes. For development."""

    def __init__(self, prefix: str = "TENUO_KEY_", *, warn_in_production: bool = True) -> None:
        super().__init__(resolver_line("env", {"prefix": prefix}))
        self.prefix, self.cache_ttl = prefix, None  # a process's environment stays as it is
        if warn_in_production and not in_development():
            warn_once("env", "EnvKeyResolver reads signing keys from the environment: use a key store in production, or set TENUO_ENV=development")

    def key_ids(self) -> list[str]:
        return sorted(n[len(self.prefix):] for n in os.environ if n.startswith(self.prefix) and KEY_ID.match(n[len(self.prefix):]))

    def preload_all(self) -> int:
        count = 0
        for key_id in self.key_ids():
            try:
                self.signer(key_id, None)
                count += 1
            except KeyResolutionError as exc:
                logger.warning("%s is skipped: %s", self.prefix + key_id, exc)
        return count


class ConfKeyResolver(ConfiguredResolver):
    """Whatever the resolver lines of a service in /etc/tenuo.conf (or `conf`) say."""

    def __init__(self, conf: str | os.PathLike[str] | None = None, service: str = "temporal") -> None:
        super().__init__("")
        self._conf, self._service = conf, service

    def context(self) -> Context:
        with self._lock:
            if self._context is None:
                self._context = Context.open(self._service, self._conf, keys_only=True)
            return self._context

    @property
    def declared_class(self) -> Literal["local", "remote"]:  # type: ignore[override]
        return "remote" if self.context().may_block else "local"


class VaultKeyResolver(ConfiguredResolver):
    """HashiCorp Vault: KV version 2 by default, `data.data.key` = base64 of 32 bytes; engine="transit" signs in Vault.

    token: default VAULT_TOKEN at the time of the first look-up. cache_ttl: seconds. Other arguments are those of tenuo_vault(8): ca, namespace, auth ..."""

    def __init__(self, url: str, mount: str | None = None, path_template: str | None = None, token: str | None = None, cache_ttl: int = 300,
                 *, engine: Literal["kv2", "kv1", "transit"] = "kv2", **arguments: str) -> None:
        super().__init__("")
        self._token, self.cache_ttl = token, cache_ttl
        self._file: SecretFile | None = None
        transit = engine == "transit"
        words = {"url": url, "engine": engine, "mount": mount or ("transit" if transit else "secret"),
                 "path_template": path_template or ("{key_id}" if transit else "tenuo/keys/{key_id}"), "cache_ttl": f"{int(cache_ttl)}s", **arguments}
        self._words = words
        self._has_auth = any(a in words for a in ("auth", "token_file", "token_credential"))
        self.declared_class = "remote" if transit else "local"

    def _lines(self) -> str:
        words = dict(self._words)
        if not self._has_auth:
            token = self._token or os.environ.get("VAULT_TOKEN")
            if not token:
                raise KeyResolutionError("*", "no Vault token: give token=, set VAULT_TOKEN, or configure another auth")
            self._file = SecretFile(token)
            words["token_file"] = self._file.path
        return resolver_line("vault", words)


class AWSSecretsManagerKeyResolver(ConfiguredResolver):
    """AWS Secrets Manager: `{secret_prefix}{key_id}`, 32 raw bytes or base64. Other arguments are those of tenuo_aws(8): endpoint ..."""

    SERVICE = "secretsmanager"

    def __init__(self, secret_prefix: str = "tenuo/keys/", region_name: str | None = None, cache_ttl: int = 300, **arguments: str) -> None:
        region = region_name or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        self.cache_ttl = cache_ttl
        words = {"service": self.SERVICE, "prefix": secret_prefix, "cache_ttl": f"{int(cache_ttl)}s", **({"region": region} if region else {}), **arguments}
        super().__init__(resolver_line("aws", words))


class KMSKeyResolver(AWSSecretsManagerKeyResolver):
    """The name that older documents use for AWSSecretsManagerKeyResolver: KMS decrypts the stored secret, it does not sign."""


class GCPSecretManagerKeyResolver(KeyResolver):
    """Google Secret Manager over its official client (pip install "tenuo[gcp]"); there is no plugin for it."""

    def __init__(self, project_id: str, secret_prefix: str = "tenuo-keys-", version: str = "latest", cache_ttl: int = 300, *, client: Any = None) -> None:
        self.project_id, self.secret_prefix, self.version, self.cache_ttl = project_id, secret_prefix, version, cache_ttl
        self._client = client

    async def resolve(self, key_id: str) -> Any:
        return await asyncio.to_thread(self.resolve_sync, key_id)

    def resolve_sync(self, key_id: str) -> Any:
        check_reference(key_id)
        try:
            if self._client is None:
                from google.cloud import secretmanager  # type: ignore[import-not-found,import-untyped,unused-ignore]

                self._client = secretmanager.SecretManagerServiceClient()
            secret, _, version = key_id.partition("@")
            name = f"projects/{self.project_id}/secrets/{self.secret_prefix}{secret}/versions/{version or self.version}"
            return SigningKey.from_bytes(self._client.access_secret_version(request={"name": name}, timeout=10).payload.data)
        except ImportError as exc:
            raise KeyResolutionError(key_id, 'the client is not installed: pip install "tenuo[gcp]"', not_found=False) from exc
        except Exception as exc:
            raise KeyResolutionError(key_id, f"Secret Manager: {type(exc).__name__}", not_found="NotFound" in type(exc).__name__) from exc


class CompositeKeyResolver(KeyResolver):
    """Several resolvers in order. The next one is asked when one has no such key; when all failed, the causes are attached."""

    def __init__(self, resolvers: Sequence[KeyResolver], *, warn_on_fallback: bool = True) -> None:
        if not resolvers:
            raise ValueError("CompositeKeyResolver needs at least one resolver")
        self.resolvers, self.warn_on_fallback = list(resolvers), warn_on_fallback

    @property
    def declared_class(self) -> Literal["local", "remote"]:  # type: ignore[override]
        return "remote" if any(r.declared_class == "remote" for r in self.resolvers) else "local"

    def _settle(self, key_id: str, failed: list[tuple[str, Exception]], found: Any) -> Any:
        if found is None:
            logger.error("no resolver has key '%s': %s", key_id, ", ".join(n for n, _ in failed))
            error = KeyResolutionError(key_id, "; ".join(f"{n}: {e}" for n, e in failed),
                                       not_found=all(getattr(e, "not_found", False) for _, e in failed))
            error.__cause__ = ExceptionGroup("every resolver failed", [e for _, e in failed])
            raise error
        if failed and self.warn_on_fallback:
            logger.warning("key '%s' came from a fallback; failed before it: %s", key_id, ", ".join(n for n, _ in failed))
        return found

    async def resolve(self, key_id: str) -> Any:
        failed: list[tuple[str, Exception]] = []
        found = None
        for child in self.resolvers:
            try:
                found = await child.resolve(key_id)
                break
            except KeyResolutionError as exc:
                failed.append((type(child).__name__, exc))
        return self._settle(key_id, failed, found)

    def resolve_sync(self, key_id: str) -> Any:
        return self._first(key_id, lambda child: child.resolve_sync(key_id))

    def signer(self, key_id: str, holder: PublicKey | None) -> Any:
        signer = self._first(key_id, lambda child: child.signer(key_id, holder))
        self.remember(key_id, signer)
        return signer

    def public_key(self, key_id: str) -> PublicKey:
        key: PublicKey = self._first(key_id, lambda child: child.public_key(key_id))
        return key

    def _first(self, key_id: str, ask: Any) -> Any:
        failed: list[tuple[str, Exception]] = []
        found = None
        for child in self.resolvers:
            try:
                found = ask(child)
                break
            except Exception as exc:
                failed.append((type(child).__name__, exc))
        return self._settle(key_id, failed, found)

    def preload_all(self) -> int:
        return sum(child.preload_all() for child in self.resolvers)

    def signer_cached(self, key_id: str, holder: PublicKey | None) -> Any | None:
        own = super().signer_cached(key_id, holder)
        return own if own is not None else next((s for s in (c.signer_cached(key_id, holder) for c in self.resolvers) if s is not None), None)

    def close(self) -> None:
        super().close()
        for child in self.resolvers:
            child.close()


class StaticKeyResolver(KeyResolver):
    """One key in this process under any id that a run names; what `signing_key=` of the configuration makes."""

    def __init__(self, key: Any) -> None:
        self.key = key

    async def resolve(self, key_id: str) -> Any:
        return self.key

    def resolve_sync(self, key_id: str) -> Any:
        return self.key

    def signer_cached(self, key_id: str, holder: PublicKey | None) -> Any | None:
        return self.key
