"""Argon2id (RFC 9106) in a bounded pool: hashing has a ceiling of memory and of time."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from app.kit.errors import Unavailable

T = TypeVar("T")

MAX_WAITING = 64
"""Of the hashes that run and wait; one more login is answered 503. Two processors were seen
to do eight a second: then the last of a large class that signs in at once waits eight seconds."""

LOWEST_PRIORITY = 19


class Passwords:
    """Hashes and verifies; every call is one slot of the pool."""

    def __init__(
        self, *, time_cost: int, memory_kib: int, parallelism: int, concurrency: int
    ) -> None:
        self._hasher = PasswordHasher(time_cost, memory_kib, parallelism)
        self._pool = ThreadPoolExecutor(
            concurrency, thread_name_prefix="argon2", initializer=_stand_back
        )
        self._waiting = 0
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The encoded hash of a password. Raises Unavailable when too many wait."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether the password is right. `None` costs the same time as a wrong one and is False.

        Raises Unavailable when too many wait.
        """
        if encoded is None:
            if self._dummy is None:
                self._dummy = await self.hash("nobody's password")
            await self._run(lambda: self._matches(self._dummy or "", password))
            return False
        return await self._run(lambda: self._matches(encoded, password))

    def needs_rehash(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many sign-ins at this moment; try again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _stand_back() -> None:
    """Hashing takes what the loops of this machine leave: two hundred guesses at once may make
    sign-ins slow, never the answers that people are reading.

    On Linux a thread has a priority of its own, and the threads of argon2 inherit it.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
