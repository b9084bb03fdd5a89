# SPDX-License-Identifier: Apache-2.0
"""A secret that a plugin reads from a file: in a private folder, on a memory file system where there is one, removed with the object."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref


class SecretFile:
    """path: a file of mode 0600 in a folder of mode 0700 that holds the text."""

    def __init__(self, text: str) -> None:
        base = next((d for d in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm") if d and os.path.isdir(d) and os.access(d, os.W_OK)), None)
        folder = tempfile.mkdtemp(prefix="tenuo-", dir=base)
        self.path = os.path.join(os.path.realpath(folder), "secret")
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        self._pid = os.getpid()
        self._finalizer = weakref.finalize(self, _remove, folder, self._pid)

    def close(self) -> None:
        self._finalizer()


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:  # a forked child ends without taking the parent's file away
        shutil.rmtree(folder, ignore_errors=True)
