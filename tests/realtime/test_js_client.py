"""The unmodified `centrifuge` client from npm, in Node.js, over every transport it has."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.realtime.js_stage import Stage
from tests.realtime.served import served
from tests.support.npm import install, program

FOLDER = Path(__file__).parent / "js"
SCENARIO_TIMEOUT_S = 30


@pytest.fixture(scope="session")
def client_package() -> None:
    """The locked client."""
    install(FOLDER)


TRANSPORTS = ("websocket", "sse", "http_stream")


@dataclass(frozen=True)
class Play:
    """A served stage, and the transport on which clients come to it."""

    url: str
    transport: str


@pytest.fixture(params=TRANSPORTS)
async def stage(client_package: None, request: Any) -> AsyncIterator[Play]:
    async with served(Stage()) as server:
        yield Play(server.url, request.param)


async def play(stage: Play, scenario: str) -> dict[str, Any]:
    """Run one scenario of the script and return its result."""
    process = await asyncio.create_subprocess_exec(
        program("node"),
        "--experimental-eventsource",
        "scenario.mjs",
        stage.url,
        scenario,
        stage.transport,
        cwd=FOLDER,
        stdout=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SCENARIO_TIMEOUT_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    result: dict[str, Any] = json.loads(output)
    assert "failed" not in result, result["failed"]
    return result


async def test_connects_with_a_token(stage: Play) -> None:
    """Connect, call, disconnect."""
    result = await play(stage, "connect")
    assert (result["who"], result["transport"]) == ("7", stage.transport)
    assert result["id"]


async def test_an_expired_token_is_replaced(stage: Play) -> None:
    """109 makes the client fetch another one."""
    assert await play(stage, "fetchesToken") == {"tokens": ["expired", "7"], "who": "7"}


async def test_an_expiring_connection_is_refreshed(stage: Play) -> None:
    """The client renews by itself before the end."""
    result = await play(stage, "refreshes")
    assert result["asked"] >= 1
    assert result["who"] == "7"


async def test_an_invalid_token_stops_the_client(stage: Play) -> None:
    """3500 is terminal."""
    assert (await play(stage, "invalidToken"))["code"] == 3500


async def test_subscribes_in_order_and_is_refused_with_a_code(stage: Play) -> None:
    """Publications carry offsets; a foreign channel is 103."""
    result = await play(stage, "subscribe")
    assert result["seen"] == [[n + 1, n] for n in range(5)]
    assert result["recoverable"] is True
    assert result["refused"] == 103


async def test_recovers_after_a_cut(stage: Play) -> None:
    """What was published while the line was dead arrives, once and in order."""
    result = await play(stage, "recover")
    assert result["seen"] == [[1, "before"], [2, 0], [3, 1], [4, 2], [5, "after"]]
    assert result["recovered"] is True
    assert result["wasRecovering"] is True


async def test_is_told_when_recovery_is_impossible(stage: Play) -> None:
    """`recovered` is false and the state comes instead."""
    result = await play(stage, "unrecoverable")
    assert result == {"wasRecovering": True, "recovered": False, "data": "state"}


async def test_sees_the_newest_value(stage: Play) -> None:
    """Conflated, rising, ending with the newest."""
    result = await play(stage, "values")
    assert result["initial"] == "state"
    assert result["seen"] == sorted(result["seen"])
    assert result["seen"][-1] == 20


async def test_follows_a_tail_and_reads_its_history(stage: Play) -> None:
    """Deltas in order; a late tab reads what it missed."""
    result = await play(stage, "tail")
    assert result["seen"] == [[n + 1, {"pos": n}] for n in range(5)]
    assert (result["late"], result["history"]) == ([], [3, 4, 5])


async def test_sees_who_is_here(stage: Play) -> None:
    """Presence, its numbers, join and leave."""
    assert await play(stage, "presence") == {"users": ["7", "8"], "clients": 2, "numUsers": 2}


async def test_errors_have_their_codes(stage: Play) -> None:
    """The documented table, as a client sees it."""
    assert await play(stage, "errors") == {
        "missing": 104,
        "refused": 409,
        "crash": 100,
        "publish": 103,
        "presence": 103,
    }


async def test_a_server_disconnect_is_final(stage: Play) -> None:
    """3503: the client stays away."""
    assert await play(stage, "kicked") == {"code": 3503}


async def test_a_lost_position_makes_it_subscribe_again(stage: Play) -> None:
    """2500 on a live socket: the client comes back by itself and goes on."""
    assert await play(stage, "resubscribes") == {"code": 2500, "seen": ["new"]}


async def test_answers_pings(stage: Play) -> None:
    """A quiet connection lives through several pings."""
    assert await play(stage, "pings") == {"state": "connected"}


async def test_subscribes_to_many_channels_at_once(stage: Play) -> None:
    """Sixty subscriptions in one breath."""
    assert await play(stage, "many") == {"subscribed": 60}


async def test_the_server_subscribes_and_unsubscribes(stage: Play) -> None:
    """Channels of the connect answer recover after a cut; later ones come and go by push."""
    result = await play(stage, "serverSide")
    assert result == {"data": {"hello": 1}, "seen": [[1, 1], [2, 2], [1, 3]]}


async def test_a_client_that_is_unsubscribed_may_come_back(stage: Play) -> None:
    """2000: the subscription ends, and the client does not return by itself."""
    assert await play(stage, "expelled") == {"code": 2000}


async def test_messages_go_both_ways(stage: Play) -> None:
    """`send` has no answer; the server pushes a message of its own."""
    assert await play(stage, "told") == {"data": {"question": 1}}


async def test_publishes_where_the_family_allows_it(stage: Play) -> None:
    """Everybody sees who published; the newest entry of the history comes first in reverse."""
    hello = {"text": "hello"}
    assert await play(stage, "publishes") == {"data": hello, "user": "7", "newest": [hello]}


async def test_deltas_are_applied(stage: Play) -> None:
    """One whole publication, then changes; after a cut the chain begins anew."""
    assert await play(stage, "deltas") == {
        "recovered": True,
        "intact": True,
        "numFullPayloads": 2,
        "numDeltaPayloads": 5,
    }


async def test_subscription_tokens_are_demanded_and_renewed(stage: Play) -> None:
    """Without one 103; an expired one is replaced, an expiring one is renewed."""
    assert await play(stage, "grants") == {"code": 103, "state": "subscribed"}
