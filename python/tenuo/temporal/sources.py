# SPDX-License-Identifier: Apache-2.0
"""Where a starter's warrant comes from."""

from __future__ import annotations

import abc
import os
from collections.abc import Sequence
from typing import Any, Literal

from tenuo_core.warrant import Warrant, decode_warrant_stack_base64

from .exceptions import TenuoContextError


class WarrantSource(abc.ABC):
    """Gives (warrant, key id, chain or None) when a workflow is started."""

    @abc.abstractmethod
    async def get(self) -> tuple[Any, str, Sequence[Warrant] | None]: ...


class LiteralWarrantSource(WarrantSource):
    """This warrant."""

    def __init__(self, warrant: Any, key_id: str, warrant_chain: Sequence[Warrant] | None = None) -> None:
        self._answer = (warrant, key_id, warrant_chain)

    async def get(self) -> tuple[Any, str, Sequence[Warrant] | None]:
        return self._answer


class EnvWarrantSource(WarrantSource):
    """A warrant or a stack in an environment variable, read at each start; an expired one is refused."""

    def __init__(self, env_var: str, key_id: str, encoding: Literal["base64", "stack"] = "base64") -> None:
        self._name, self._key_id, self._encoding = env_var, key_id, encoding

    async def get(self) -> tuple[Any, str, Sequence[Warrant] | None]:
        text = os.environ.get(self._name, "").strip()
        if not text:
            raise TenuoContextError(f"{self._name} is not set: put the warrant there")
        try:
            chain = [Warrant(text)] if self._encoding == "base64" else decode_warrant_stack_base64(text)
        except Exception as exc:
            raise TenuoContextError(f"{self._name} holds no warrant: {exc}") from exc
        if chain[-1].is_expired():
            raise TenuoContextError(f"the warrant in {self._name} expired at {chain[-1].expires_at()}")
        return chain[-1], self._key_id, chain if len(chain) > 1 else None


async def resolve_source(source: WarrantSource) -> tuple[Any, str, Sequence[Warrant] | None]:
    return await source.get()
