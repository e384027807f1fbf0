"""piccolo's own command line: settings -> engine -> registry (`piccolo sql_shell run`, ...)."""

from typing import Any

from piccolo.conf.apps import AppRegistry

from app.infra.db import Engine
from app.settings import Settings

APP_REGISTRY = AppRegistry(apps=["app.piccolo_app"])


def __getattr__(name: str) -> Any:
    # Made on first use: importing this module needs no settings and opens nothing.
    if name != "DB":
        raise AttributeError(name)
    engine = Engine(config={"dsn": Settings.from_env().database_owner_url.reveal()})
    globals()["DB"] = engine
    return engine
