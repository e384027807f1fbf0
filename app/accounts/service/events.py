"""Steps that several verbs of accounts share."""

from collections.abc import Awaitable, Callable

import msgspec
from asyncpg import Connection, Record

from app.accounts.queries import keys, mail_tokens, sessions, users, ways_in
from app.accounts.schemas import DeceptiveAddress, DomainNotAscii, User, UserChanged, user_channel
from app.infra.channel_log import DurableChannelLog
from app.kit.addresses import has_plain_domain, is_deceptive
from app.kit.errors import NotFound, PreconditionFailed
from app.kit.text import tidy
from realtime import Publication

PublishLog = Callable[[str, Publication], Awaitable[None]]
EndSockets = Callable[[str], Awaitable[None]]


async def announce(
    tx: Connection, channel_log: DurableChannelLog, row: Record
) -> tuple[User, Publication]:
    """The account as it is now, and its event: in the log with the fact, to be sent after it."""
    user = users.as_user(row)
    event = msgspec.json.encode(UserChanged(user))
    position = await channel_log.append(tx, user_channel(user.id), event)
    return user, Publication(data=event, offset=position.offset)


async def locked(tx: Connection, user_id: int, version: int | None) -> Record:
    """The account that a change starts from. Raises NotFound, PreconditionFailed."""
    row = await users.lock_user(tx, user_id)
    if row is None:
        raise NotFound
    if version is not None and version != row["version"]:
        raise PreconditionFailed(current_version=row["version"])
    return row


async def forget_stranger(tx: Connection, user_id: int) -> list[str]:
    """An address that nobody had confirmed may have been signed up by a stranger, who waits for its
    owner to come: all that they left but the password ends with the first proof of the owner.

    The sessions and keys that ended; their sockets are closed after the commit.
    """
    await mail_tokens.delete_tokens_of(tx, user_id)
    ended = await keys.delete_keys_of(tx, user_id)
    await ways_in.forget_ways_in(tx, user_id)
    return ended + await sessions.delete_sessions_of(tx, user_id)


def check_new_address(email: str) -> None:
    """Raises DeceptiveAddress, DomainNotAscii for an address that no account may get any more."""
    if is_deceptive(email):
        raise DeceptiveAddress
    if not has_plain_domain(email):
        raise DomainNotAscii


def normal_email(email: str) -> str:
    """The form in which addresses are stored and compared."""
    return tidy(email).lower()
