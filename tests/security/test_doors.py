"""Whose page may open a realtime connection, by all its doors (S1 of the table; ASVS 5.0, 4.4.2).

Foreign is refused before anything is accepted: 403, and not one frame.
"""

import asyncio
import json

import httpx
import pytest

from tests.security.test_origin import foreign_origins
from tests.security.test_sockets import cookie_of, realtime_token
from tests.support.doors import DOORS, HELLO, SOCKETS, STREAMS, Door, Headers, knock
from tests.support.hostile import close_codes, masked_text
from tests.support.house import MakePerson, Person, Served
from tests.support.report import Report

pytestmark = pytest.mark.chaos
CONNECT_WITHIN_S = 10.0
LATE_S = 0.5
"""For the machine, not for the server."""


def name_of(door: Door) -> str:
    """For the names of the tests."""
    return f"{door.method} {door.path.partition('?')[0]}"


all_doors = pytest.mark.parametrize("door", DOORS, ids=name_of)


def doubled(served: Served) -> list[Headers]:
    """Two Origin headers, in every mixture: nobody honest sends two."""
    own, evil = served.url, "https://evil.example"
    pairs = [(own, evil), (evil, own), (own, own), ("null", own)]
    return [[("origin", one), ("Origin", other)] for one, other in pairs]


@all_doors
async def test_v4_4_2_foreign_origins_are_refused_before_accept(
    served: Served, learner: Person, door: Door
) -> None:
    """Forty look-alikes and doubled headers, with the learner's cookie: 403, and not one frame."""
    report = Report(f"S1-{name_of(door).replace(' ', '')}")
    origins: list[Headers] = [[("origin", one)] for one in foreign_origins(served)]
    assert len({str(one) for one in origins}) >= 40
    for headers in [*origins, *doubled(served)]:
        cookie = [("cookie", cookie_of(learner)["cookie"])]
        async with knock(served.url, door, [*cookie, *headers]) as visitor:
            report.events += 1
            refused = visitor.status == 403
            report.demand(f"403 for {headers}, not {visitor.status}", refused)
            said = await visitor.to_the_end() if refused and door.is_socket else visitor.said()
            report.demand(f"not one frame for {headers}", b"connect" not in said)
    report.conclude()


@pytest.mark.parametrize("door", [*SOCKETS, *STREAMS], ids=name_of)
async def test_v4_4_2_own_origin_with_cookie_is_the_person(
    served: Served, learner: Person, door: Door
) -> None:
    """Our own pages come in by every door."""
    headers = [("cookie", cookie_of(learner)["cookie"]), ("origin", served.url)]
    async with knock(served.url, door, headers) as visitor:
        assert visitor.status == (101 if door.is_socket else 200)
        if door.is_socket:
            visitor.writer.write(masked_text("{}" if "uni_" in door.path else HELLO.decode()))
        async with asyncio.timeout(CONNECT_WITHIN_S):
            while b'"client"' not in visitor.said():
                visitor.answer += await visitor.reader.read(65_536)


@all_doors
async def test_v4_4_3_a_cookie_without_origin_opens_nothing(
    served: Served, learner: Person, door: Door
) -> None:
    """The sender may be any program with somebody's cookie: it must show a token."""
    async with knock(served.url, door, [("cookie", cookie_of(learner)["cookie"])]) as visitor:
        if door.is_socket:
            visitor.writer.write(masked_text("{}" if "uni_" in door.path else HELLO.decode()))
        async with asyncio.timeout(CONNECT_WITHIN_S):
            while visitor.status != 403 and not is_refused(visitor.answer):
                visitor.answer += await visitor.reader.read(65_536)
        assert b'"client"' not in visitor.answer


def is_refused(answer: bytes) -> bool:
    """Whether a refusal, a goodbye as a push or one as a frame has come."""
    return b'"error"' in answer or b'"disconnect"' in answer or bool(close_codes(answer))


async def test_v4_4_2_emulation_is_for_own_pages(served: Served, nobody: httpx.AsyncClient) -> None:
    """The way up of the streams: foreign and doubled origins are 403 whatever they carry."""
    body = json.dumps({"session": "x", "node": "x", "data": "{}"})
    everything = [[("origin", one)] for one in foreign_origins(served)]
    for headers in [*everything, *doubled(served)]:
        raw = [(k.encode(), v.encode("latin-1")) for k, v in headers]
        answer = await nobody.post("/emulation", content=body, headers=raw)
        assert answer.status_code == 403, headers


class TestBeforeConnect:
    """S2: who has not said who they are hears nothing, and not for long."""

    async def test_v4_4_3_no_frame_leaves_before_connect(
        self, served: Served, learner: Person
    ) -> None:
        """Commands before `connect` end the connection; nothing but the goodbye is ever sent."""
        commands = [
            {"subscribe": {"channel": "book:1"}},
            {"subscribe": {"channel": f"user:{learner.id}", "recover": True, "offset": 0}},
            {"rpc": {"method": "chat.send", "data": {"message": "Hi"}}},
            {"publish": {"channel": "book:1", "data": {}}},
            {"presence": {"channel": "moderation:queue"}},
            {"history": {"channel": f"user:{learner.id}", "limit": 5}},
            {"refresh": {"token": await realtime_token(learner)}},
            {"send": {"data": {}}},
            {"ping": {}},
        ]
        headers = [("cookie", cookie_of(learner)["cookie"]), ("origin", served.url)]
        for command in commands:
            async with knock(served.url, SOCKETS[0], headers) as visitor:
                visitor.writer.write(masked_text(json.dumps({"id": 1, **command})))
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    said = await visitor.to_the_end()
                assert close_codes(visitor.answer) == [3501], command
                assert said[0] == 0x88, f"a frame before the goodbye: {command}"

    async def test_v7_4_1_the_silent_are_closed_within_ten_seconds(
        self, served: Served, person: MakePerson
    ) -> None:
        """With a cookie and without, by both sockets: 3502, with no frame before it."""
        someone = await person()
        own = [("cookie", cookie_of(someone)["cookie"]), ("origin", served.url)]

        async def life(door: Door, headers: Headers) -> tuple[float, list[int], int]:
            loop = asyncio.get_running_loop()
            async with knock(served.url, door, headers) as visitor:
                begun = loop.time()
                said = await visitor.to_the_end()
                return loop.time() - begun, close_codes(visitor.answer), said[0]

        lives = await asyncio.gather(*(life(d, h) for d in SOCKETS for h in (own, [])))
        report = Report("S2-silent", clients=len(lives))
        report.extra["closed_s"] = round(max(lasted for lasted, _, _ in lives), 2)
        for lasted, codes, first in lives:
            report.demand("closed in time", lasted <= CONNECT_WITHIN_S + LATE_S)
            report.demand("3502 and nothing else", (codes, first) == ([3502], 0x88))
        report.conclude()
