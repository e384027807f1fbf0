"""PostgreSQL and Valkey under the real supervisor, without the app:
`small_house.py DATA_DIR [LONGEST_BACKOFF_S]`.

A process of its own, so that tests can kill it. When both are up it says
`ready REDIS_URL DATABASE_URL`.
"""

import sys
from pathlib import Path

from app.infra.embedded.datadir import open_data_dir
from app.infra.embedded.instance import stop_on_signals
from app.infra.embedded.postgres import PostgresServer
from app.infra.embedded.supervisor import LONGEST_BACKOFF_S, Supervisor
from app.infra.embedded.valkey import ValkeyServer


def say(text: str) -> None:
    """Tell the test at once."""
    print(text, flush=True)


def main(folder: Path, longest_backoff_s: float = LONGEST_BACKOFF_S) -> None:
    """Start both, watch them until told to stop, stop both."""
    home = open_data_dir(folder)
    with stop_on_signals() as stop:
        supervisor = Supervisor(home.records, say, stop, longest_backoff_s=longest_backoff_s)
        redis = ValkeyServer(home.run, home.logs / "valkey.log")
        postgres = PostgresServer(home.path / "postgres", home.run, home.logs / "postgres.log")
        try:
            supervisor.start(redis)
            supervisor.start(postgres)
            say(f"ready {redis.environment()['REDIS_URL']} {postgres.url()}")
            supervisor.watch()
        finally:
            supervisor.stop()
            home.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:]))
