"""uvicorn's server with an orderly end: readiness off, clients sent elsewhere, then the doors.

uvicorn itself stops to listen and closes every socket in the instant of SIGTERM: nobody could be
told.
"""

import asyncio
import gc
import logging
import socket
from contextlib import suppress
from types import FrameType

import uvicorn
from litestar import Litestar
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

DRAIN_TIMEOUT_S = 7.0
"""Never longer, whatever happens to the clients: the whole end takes less than ten seconds."""
LOOK_S = 1.0
"""Between two looks at the date, which every answer carries."""

log = logging.getLogger("uvicorn.error")


GC_THRESHOLDS = (20_000, 20, 50)
"""Ten thousand sockets are many objects that live long: Python walks over them too often."""


class DrainingServer(uvicorn.Server):
    """Awaits `app.state.drain` before it stops to listen."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Serve until told to end; uvicorn would look ten times a second whether it was."""
        self._told = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._told.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, and wake the loop that waits for it."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what is there by then lives as long as the process."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain while requests are still answered, then end as uvicorn does."""
        drain = getattr(self._litestar().state, "drain", None)
        if drain is not None and not self.force_exit:
            try:
                async with asyncio.timeout(DRAIN_TIMEOUT_S):
                    await drain()
            except Exception:
                log.exception("drain failed")
        await super().shutdown(sockets)

    def _litestar(self) -> Litestar:
        """The app itself, inside of what uvicorn put around it."""
        app = self.config.loaded_app
        while not isinstance(app, Litestar):
            app = app.app
        return app


class _Worker(multiprocess.Process):
    """One of several processes."""

    @property
    def server(self) -> uvicorn.Server:
        """The server of this process, made in it."""
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server


def run(config: uvicorn.Config) -> int:
    """Serve until told to end; the exit status."""
    if config.workers > 1:
        # The supervisor offers no hook for this: it finds the class in its module.
        multiprocess.Process = _Worker  # type: ignore[misc]
        multiprocess.Multiprocess(config, sockets=[config.bind_socket()]).run()
        return 0
    server = DrainingServer(config)
    server.run()
    return 0 if server.started else STARTUP_FAILURE
