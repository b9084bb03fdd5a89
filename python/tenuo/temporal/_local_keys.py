# SPDX-License-Identifier: Apache-2.0
"""Signers that a client of this same process handed to tenuo_headers (spec temporal.md 11.7): never sent, used only where the public key is
the warrant's holder and the configured resolver has no such key. Bounded in number; an entry ends with its warrant.
"""

from __future__ import annotations

import collections
import threading
from typing import Any

from tenuo_core._pure import PublicKey

MAX_ENTRIES = 1024
_lock = threading.Lock()
_signers: collections.OrderedDict[tuple[str, bytes], tuple[Any, int]] = collections.OrderedDict()


def put(key_id: str, signer: Any, expires_at: int) -> None:
    """expires_at: Unix seconds."""
    with _lock:
        _signers[(key_id, signer.public_key.to_bytes())] = (signer, expires_at)
        while len(_signers) > MAX_ENTRIES:
            _signers.popitem(last=False)


def get(key_id: str, holder: PublicKey, now: float) -> Any | None:
    """The signer whose public key is the holder; `now` comes in, because workflows ask."""
    with _lock:
        entry = _signers.get((key_id, holder.to_bytes()))
        return entry[0] if entry is not None and now < entry[1] else None


def clear() -> None:
    with _lock:
        _signers.clear()


def after_fork() -> None:
    """In a forked child: the lock may be held by a thread that is only in the parent."""
    global _lock
    _lock = threading.Lock()
    _signers.clear()


def public_key(key_id: str) -> PublicKey | None:
    """The public key under an id, when there is exactly one."""
    with _lock:
        found = {raw: signer for (name, raw), (signer, _) in _signers.items() if name == key_id}
    return next(iter(found.values())).public_key if len(found) == 1 else None
