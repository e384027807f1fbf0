"""An admin in somebody's name: seen by that person, stamped on every deed, and soon over."""

from datetime import timedelta

import msgspec
from asyncpg import Connection, Record

from app.accounts import policy
from app.accounts.queries import sessions, users
from app.accounts.schemas import (
    Client,
    NotImpersonating,
    User,
    UserImpersonated,
    user_channel,
)
from app.accounts.service.events import PublishLog
from app.accounts.service.sessions import Sessions, new_token
from app.audit.service import Audit
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.mail import Postman
from app.kit.clock import now
from app.kit.errors import NotFound, Unauthorized
from app.kit.ids import new_id
from app.kit.principal import Principal, Role
from app.kit.secret import token_hash
from realtime import Publication


class Impersonation:
    """Begins and ends such sessions; how far they reach stands in `app.http.reach`."""

    def __init__(
        self,
        db: Database,
        live: Sessions,
        audit: Audit,
        log: DurableChannelLog,
        postman: Postman,
        lasts_s: int,
        *,
        publish_log: PublishLog,
    ) -> None:
        self._db = db
        self._live = live
        self._audit = audit
        self._log = log
        self._postman = postman
        self._lasts = timedelta(seconds=lasts_s)
        self._publish_log = publish_log

    async def begin(
        self, principal: Principal, user_id: int, reason: str, client: Client
    ) -> tuple[User, str]:
        """That person, and the token of a session in their name.

        It ends with the admin's own session or role, and in any case after a while; the person sees
        it in their list and may end it.

        Raises Forbidden, FreshProofRequired, NotFound, CannotImpersonate, Unauthorized.
        """
        policy.can_manage_users(principal)
        policy.require_fresh(principal)
        token, session_id = new_token(), new_id()
        event = UserImpersonated(session_id, reason, now() + self._lasts)
        async with self._db.transaction() as tx:
            row = await users.lock_user(tx, user_id)
            if row is None:
                raise NotFound
            policy.can_impersonate(principal, Role(row["role"]), is_open=_is_open(row))
            if not await sessions.hold_session(tx, principal.session_id):
                raise Unauthorized
            await sessions.insert_impersonation(
                tx, session_id, token_hash(token), user_id, client, principal, event.ends_at
            )
            told = {"link": self._postman.link("/account"), "reason": reason}
            await self._postman.send(tx, user_id, "impersonated", told)
            detail = {"reason": reason, "session": session_id}
            await self._record(tx, principal, "user.impersonated", user_id, detail)
            publication = await self._tell(tx, user_id, event)
        await self._publish_log(user_channel(user_id), publication)
        return users.as_user(row), token

    async def end(self, principal: Principal, own_token: str | None) -> tuple[User, str]:
        """Back to the admin's own account, with a new token or none.

        A browser shows the token that its session had before, and gets a new one for it; others
        have kept theirs. Raises NotImpersonating, Unauthorized.
        """
        if principal.impersonator_id is None:
            raise NotImpersonating
        token = ""
        async with self._db.transaction() as tx:
            opener = await sessions.opener_of(tx, principal.session_id)
            admin = await users.user_by_id(tx, principal.impersonator_id)
            if opener is None or admin is None:
                raise Unauthorized
            ended = await sessions.delete_session(tx, principal.user_id, principal.session_id)
            if own_token and token_hash(own_token) == opener["token_hash"]:
                token = new_token()
                await sessions.set_token(tx, opener["id"], token_hash(token))
            detail = {"session": principal.session_id}
            await self._record(tx, principal, "user.impersonation-ended", principal.user_id, detail)
        await self._live.close_sockets(ended)
        if token:
            await self._live.end_former_token(opener["id"])
        return users.as_user(admin), token

    async def _tell(self, tx: Connection, user_id: int, event: UserImpersonated) -> Publication:
        data = msgspec.json.encode(event)
        position = await self._log.append(tx, user_channel(user_id), data)
        return Publication(data=data, offset=position.offset)

    async def _record(
        self, tx: Connection, actor: Principal, action: str, user_id: int, detail: dict[str, str]
    ) -> None:
        await self._audit.record(
            tx, actor=actor, action=action, target_type="user", target_id=user_id, detail=detail
        )


def _is_open(row: Record) -> bool:
    return not users.is_deactivated(row, now())
