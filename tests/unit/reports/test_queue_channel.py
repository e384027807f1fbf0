"""`moderation:queue` on the real durable log: nothing is missed, nothing comes twice."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.kit.errors import Forbidden, Unauthorized
from app.kit.principal import Principal, Role
from app.reports.schemas import DecideReport, ReportStatus
from app.reports.service import QUEUE
from app.reports.topics import authorize_queue, families
from realtime import Identity
from realtime.testing import Client, Kit
from tests.support.rooms import Rooms, filed

RESOLVE = DecideReport(ReportStatus.RESOLVED)


@pytest.fixture
async def kit(rooms: Rooms) -> AsyncIterator[Kit]:
    async with Kit(families(rooms.reports), log=rooms.log) as running:
        yield running


async def publish(rooms: Rooms, kit: Kit) -> None:
    """Let the node say what the services published since the last time."""
    for channel, publication in rooms.published:
        if channel == QUEUE:
            await kit.node.publish_log(channel, publication)
    rooms.published.clear()


def identity(person: Principal | None) -> Identity:
    return Identity(user=str(person.user_id), context=person) if person else Identity()


async def subscribed(kit: Kit, person: Principal, **options: Any) -> tuple[Client, dict[str, Any]]:
    client = await kit.connected(identity(person))
    return client, await client.subscribe(QUEUE, **options)


async def test_anonymous_is_told_to_sign_in() -> None:
    """Nobody may not even know whether there is a queue."""
    with pytest.raises(Unauthorized):
        await authorize_queue(identity(None), QUEUE)


@pytest.mark.parametrize("role", [Role.USER, Role.TEACHER])
async def test_only_staff_subscribes(role: Role) -> None:
    """Learners and teachers are refused."""
    with pytest.raises(Forbidden):
        await authorize_queue(identity(Principal(1, role, "s", "", "")), QUEUE)


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
async def test_staff_subscribes(role: Role) -> None:
    """Moderators and admins may."""
    await authorize_queue(identity(Principal(1, role, "s", "", "")), QUEUE)


async def test_snapshot_then_events(
    rooms: Rooms, kit: Kit, learner: Principal, moderator: Principal
) -> None:
    """Who opens the queue has what waits, and then sees what comes."""
    waiting = await filed(rooms, learner)
    rooms.published.clear()
    client, answer = await subscribed(kit, moderator)
    assert waiting.id in [report["id"] for report in answer["data"]["reports"]]
    assert answer["data"]["pending"] >= 1
    later = await filed(rooms, learner)
    await rooms.reports.decide_report(moderator, waiting.id, RESOLVE, 1)
    await publish(rooms, kit)
    events = [(await client.assert_push(QUEUE))["data"] for _ in range(2)]
    assert [(event["type"], event["report"]["id"]) for event in events] == [
        ("report.filed", later.id),
        ("report.updated", waiting.id),
    ]


async def test_lost_publication_is_read_from_the_log(
    rooms: Rooms, kit: Kit, learner: Principal, moderator: Principal
) -> None:
    """A publication that never arrived comes before the next one, in order."""
    client, _ = await subscribed(kit, moderator)
    lost = await filed(rooms, learner)
    rooms.published.clear()
    heard = await filed(rooms, learner)
    await publish(rooms, kit)
    events = [(await client.assert_push(QUEUE))["data"] for _ in range(2)]
    assert [event["report"]["id"] for event in events] == [lost.id, heard.id]


async def test_return_after_a_cut_misses_nothing(
    rooms: Rooms, kit: Kit, learner: Principal, moderator: Principal
) -> None:
    """Recovery brings exactly what was filed meanwhile."""
    client, answer = await subscribed(kit, moderator)
    await client.cut()
    missed = [await filed(rooms, learner) for _ in range(3)]
    await publish(rooms, kit)
    position = {"offset": answer.get("offset", 0), "epoch": answer["epoch"]}
    _, again = await subscribed(kit, moderator, recover=True, **position)
    assert again["recovered"] is True
    recovered = [publication["data"]["report"]["id"] for publication in again["publications"]]
    assert recovered == [report.id for report in missed]
