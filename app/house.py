"""Every service of one process with its collaborators: alike for the API, worker and tools."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.accounts import topics as accounts_topics
from app.accounts.service import Accounts
from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.idempotency import IdempotencyKeys, mark_carried_out
from app.infra.passwords import Passwords
from app.infra.tokens import RealtimeTokens
from app.kit.errors import AppError, NotFound
from app.kit.principal import Principal
from app.piccolo_app import TABLES
from app.reports import topics as reports_topics
from app.reports.schemas import Target
from app.reports.service import Reports, TargetResolver
from app.settings import Settings
from realtime import (
    ChannelFamily,
    Identity,
    InvalidToken,
    Limits,
    Node,
    Publication,
    RealtimeError,
    RpcMethod,
)
from realtime.broker_redis import RedisBroker, RedisOptions


class House:
    """The services, in the order in which they need each other."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.db = Database(
            settings.database_url.reveal(),
            pool_size=settings.database_pool_size,
            before_commit=mark_carried_out,
        )
        self.idempotency = IdempotencyKeys(self.db)
        self.log = DurableChannelLog(self.db)
        self.tokens = RealtimeTokens(settings.secret.reveal(), lifetime_s=settings.realtime_token_s)
        self.passwords = Passwords(
            time_cost=settings.password_hash_time_cost,
            memory_kib=settings.password_hash_memory_kib,
            parallelism=settings.password_hash_parallelism,
            concurrency=settings.password_hash_concurrency,
        )
        self.audit = Audit(self.db)
        self.accounts = Accounts(
            self.db,
            self.passwords,
            self.audit,
            self.log,
            settings,
            publish_log=self._publish_log,
            end_session_sockets=self._end_session_sockets,
            end_user_sockets=self._end_user_sockets,
        )
        targets: dict[str, TargetResolver] = {"user": self._user_target}
        self.reports = Reports(
            self.db, self.audit, self.log, targets, publish_log=self._publish_log
        )
        self.node = Node(
            broker=RedisBroker(
                settings.redis_url.reveal(), RedisOptions(prefix=settings.redis_prefix)
            ),
            families=self._families(),
            rpc=self._rpc(),
            log=self.log,
            verify_token=self.identity_of_realtime_token,
            map_error=as_realtime_error,
            limits=Limits(),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["House"]:
        """Open everything in order, close it in reverse."""
        await self.db.start(TABLES)
        try:
            await self.node.start()
            try:
                yield self
            finally:
                await self.node.stop()
        finally:
            self.passwords.close()
            await self.db.stop()

    def _families(self) -> list[ChannelFamily]:
        return [*accounts_topics.families(), *reports_topics.families(self.reports)]

    def _rpc(self) -> dict[str, RpcMethod]:
        return {}

    async def identity_of_session_token(self, token: str) -> Identity | None:
        """Who connects with a session cookie; None when the session has ended."""
        principal = await self.accounts.principal_by_token(token)
        return as_identity(principal) if principal else None

    async def identity_of_realtime_token(self, token: str) -> Identity:
        """Who connects with a token of `/realtime/token`. Raises TokenExpired, InvalidToken."""
        claims = self.tokens.read(token)
        principal = await self.accounts.principal_by_session(claims.session_id)
        if principal is None or principal.user_id != claims.user_id:
            raise InvalidToken
        return as_identity(principal)

    async def _user_target(self, _principal: Principal, user_id: int) -> Target:
        user = await self.accounts.public_name(user_id)
        if user is None:
            raise NotFound("There is no such person")
        return Target(title=user, url=None)

    # The node is the last to be built and the first that services publish through.

    async def _publish_log(self, channel: str, publication: Publication) -> None:
        await self.node.publish_log(channel, publication)

    async def _end_session_sockets(self, session_id: str) -> None:
        await self.node.disconnect_session(session_id)

    async def _end_user_sockets(self, user_id: str) -> None:
        await self.node.disconnect_user(user_id)


def as_identity(principal: Principal) -> Identity:
    """A signed-in person as the realtime library knows them."""
    return Identity(user=str(principal.user_id), session=principal.session_id, context=principal)


def as_realtime_error(fault: Exception) -> RealtimeError | None:
    """An expected failure as the protocol's error."""
    if isinstance(fault, AppError):
        return RealtimeError(fault.socket_code, fault.code, temporary=fault.is_temporary)
    return None
