"""R1: the Autobahn suite against our WebSocket class; `autobahn.md` says what it found.

python -m tests.realtime.autobahn [--cases "1.*,2.*"]
"""

import argparse
import asyncio
import json
import socket
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn

from tests.realtime.autobahn_suite import command
from tests.realtime.served import OURS
from tests.realtime.waiting import until
from tests.support.report import Report

DEFLATE = ["12.*", "13.*"]
"""Never negotiated, so there is nothing to test."""
LARGEST_MESSAGE = 32 * 1024 * 1024
"""Sections 9 and 10 send up to 16 MiB; in the house the bound is 64 KiB."""
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
MISSING = 2


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """Say everything back."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        kind = "text" if event.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: event[kind]})


async def run(cases: list[str]) -> int:
    """Serve, let the suite loose, print the line; returns the exit status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = command(folder / "spec.json")
        if suite is None:
            print("name=R1 skipped: the suite cannot run here; see autobahn.md")
            return MISSING
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(echo, ws=OURS, ws_max_size=LARGEST_MESSAGE, lifespan="off")
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        spec = {
            "outdir": str(folder),
            "options": {"failByDrop": False},
            "servers": [{"agent": "sicerdas", "url": url}],
            "cases": cases,
            "exclude-cases": DEFLATE,
            "exclude-agent-cases": {},
        }
        (folder / "spec.json").write_text(json.dumps(spec))
        process = await asyncio.create_subprocess_exec(*suite)
        await process.wait()
        server.should_exit = True
        await running
        listener.close()
        return judge(folder / "index.json")


def judge(index: Path) -> int:
    """Print what the suite found."""
    if not index.exists():
        print("name=R1 skipped: the suite could not be started; see autobahn.md")
        return MISSING
    results = json.loads(index.read_text()).get("sicerdas", {})
    found = Counter(case["behavior"] for case in results.values())
    closing = Counter(case["behaviorClose"] for case in results.values())
    failed = [n for n, c in results.items() if not {c["behavior"], c["behaviorClose"]} <= GOOD]
    report = Report("R1", events=len(results), extra={"behaviour": dict(found)})
    report.extra["closing"] = dict(closing)
    report.extra["non_strict"] = [n for n, c in results.items() if c["behavior"] == "NON-STRICT"]
    report.demand("the suite ran", results)
    report.demand(f"0 failed: {failed}", not failed)
    try:
        report.conclude()
    except AssertionError as broken:
        print(broken, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="*", help="comma-separated, such as 1.*,2.*")
    sys.exit(asyncio.run(run(parser.parse_args().cases.split(","))))
