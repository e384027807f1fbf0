"""What the library's README shows works as it stands there."""

import re
from pathlib import Path
from typing import Any

import realtime
from realtime import testing
from realtime.broker_redis import RedisBroker
from realtime.testing import Kit, ManualClock, MemoryLog, token_is_user
from tests.realtime.families import LOG, TAIL, VALUE, echo, everybody

README = (Path(realtime.__file__).parent / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


async def test_the_node_of_the_first_lines_can_be_built() -> None:
    """Every name and argument is there; only the application's callables are ours."""
    application: dict[str, Any] = dict.fromkeys(("staff", "anybody", "owner"), everybody)
    application |= dict.fromkeys(("queue", "counters", "turns"))
    application |= {"send": echo, "channel_log": MemoryLog(), "verify": token_is_user}
    application |= {"as_realtime_error": lambda _: None, "RedisBroker": RedisBroker}
    exec(BLOCKS[0], names := {**vars(realtime), **application})
    assert isinstance(names["node"], realtime.Node)


async def test_the_test_of_the_kit_runs() -> None:
    """As a reader would copy it."""
    exec(BLOCKS[1], names := {})
    [test] = [value for name, value in names.items() if name.startswith("test_")]
    await test()


async def test_push_publishes_as_each_class_asks() -> None:
    """A log entry is committed, a value gets a higher version, a stream grows."""
    log = MemoryLog()
    async with Kit([LOG, VALUE, TAIL], log=log, clock=ManualClock()) as kit:
        client = await kit.connected(realtime.Identity(user="7"))
        for channel in ("log:1", "value:1", "tail:1"):
            await client.subscribe(channel)
            await kit.push(channel, {"n": 1})
            assert (await client.assert_push(channel))["data"] == {"n": 1}
        assert len(log.rows["log:1"]) == 1
        await kit.push("value:1", {"n": 2})
        await kit.pass_s(1)
        newest = await (await kit.connected()).subscribe("value:1")
        assert newest["data"] == {"n": 2}


def test_the_tables_name_what_there_is() -> None:
    """Each verb of the kit and of its clients that the README names exists."""
    tables = README.split("| on a `Kit` |")[1].split("`python -m")[0]
    ours, theirs = tables.split("| on a client |")
    for kind, text in ((Kit, ours), (testing.Client, theirs)):
        rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        named = re.findall(r"`([a-z_]+)\(", "".join(rows))
        assert len(named) > 3
        assert [name for name in named if not hasattr(kind, name)] == []
