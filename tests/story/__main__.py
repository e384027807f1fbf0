"""`python -m tests.story URL [URL]`: the main story over one or two processes, one JSON line out.

Needs the demo accounts (`make run` loads them). Exits non-zero when a promise is broken.
"""

import argparse
import asyncio
import json
import sys

from tests.story.tale import BrokenPromise, tell


def main() -> int:
    """Run the story and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.story", description=__doc__)
    parser.add_argument("urls", nargs="+", metavar="URL", help="http://127.0.0.1:8000 ...")
    parser.add_argument("--password", default="sicerdas-demo")
    chosen = parser.parse_args()
    try:
        measured = asyncio.run(tell(chosen.urls, chosen.password))
    except BrokenPromise as fault:
        print(json.dumps({"name": "story", "broken": str(fault), "exit": 1}))
        return 1
    print(json.dumps({"name": "story", **measured, "exit": 0}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
