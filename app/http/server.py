"""uvicorn's server with an orderly end: readiness off, clients sent elsewhere, then the doors.

uvicorn itself stops to listen and closes every socket in the instant of SIGTERM: nobody could be
told.
"""

import asyncio
import gc
import logging
import socket

import uvicorn
from litestar import Litestar
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

DRAIN_TIMEOUT_S = 7.0
"""Never longer, whatever happens to the clients: the whole end takes less than ten seconds."""

log = logging.getLogger("uvicorn.error")


GC_THRESHOLDS = (20_000, 20, 50)
"""Ten thousand sockets are many objects that live long: Python walks over them too often."""


class DrainingServer(uvicorn.Server):
    """Awaits `app.state.drain` before it stops to listen."""

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
