"""Answers that last: each ends with the right to it, as sockets do.

A session, an account or an API key that ends is heard of at once, by the same orders that close
sockets; and it is looked up now and then, for an order may be lost while the broker is away.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from app.infra.db import AWAY
from app.kit.errors import AppError, Unauthorized
from app.kit.principal import Principal
from app.kit.tasks import end_task
from realtime import Identity, Node

LOOK_EVERY_S = 5.0
"""As often as open sockets are asked for (`Limits.revalidate_interval_s`)."""

T = TypeVar("T")
LookUp = Callable[[str], Awaitable[Principal | None]]
"""Whom a session or an API key lets in, by its id; None when it has ended."""


class Standing:
    """Knows whether people who were let in may still be answered."""

    def __init__(
        self, node: Node, by_session: LookUp, by_key: LookUp, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._node = node
        self._by_session = by_session
        self._by_key = by_key
        self._look_every_s = look_every_s

    async def wait_for(self, principal: Principal, answer: Awaitable[T]) -> T:
        """What is waited for. Raises Unauthorized when the right to it ends before."""
        async for result in self.while_in(principal, _once(answer)):
            return result
        raise Unauthorized

    async def while_in(self, principal: Principal, parts: AsyncGenerator[T]) -> AsyncGenerator[T]:
        """The parts of an answer, until they or the right to them end."""
        end = asyncio.create_task(self._end_of(principal))
        part: asyncio.Task[T] | None = None
        try:
            while not end.done():
                part = asyncio.create_task(_next(parts))
                await asyncio.wait({part, end}, return_when=asyncio.FIRST_COMPLETED)
                if end.done():
                    return
                try:
                    yield part.result()
                except _Over:
                    return
        finally:
            await end_task(end)
            if part is not None:
                await end_task(part)
            await parts.aclose()

    async def _end_of(self, principal: Principal) -> None:
        """Return when this person may be answered no more."""
        who = Identity(str(principal.user_id), principal.session_id or principal.key_id or "")
        with self._node.identities.watch(who) as ended:
            # Whoever was let in a moment ago may have been ended before this watch began.
            while not ended.is_set() and await self._is_in(principal):
                try:
                    async with asyncio.timeout(self._look_every_s):
                        await ended.wait()
                except TimeoutError:
                    continue

    async def _is_in(self, principal: Principal) -> bool:
        """While the database is away nobody is sent away."""
        try:
            if principal.key_id is not None:
                return await self._by_key(principal.key_id) is not None
            return await self._by_session(principal.session_id) is not None
        except (AppError, *AWAY):
            return True


class _Over(Exception):  # no error: a task cannot raise StopAsyncIteration
    """There are no more parts."""


async def _next(parts: AsyncGenerator[T]) -> T:
    try:
        return await anext(parts)
    except StopAsyncIteration:
        raise _Over from None


async def _once(answer: Awaitable[T]) -> AsyncGenerator[T]:
    yield await answer
