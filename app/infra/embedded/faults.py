"""What can go wrong before or while a local server starts, said so that a person can act on it."""


class EmbeddedError(Exception):
    """A local server cannot be had; the text says why and what to do."""


class MissingPrerequisite(EmbeddedError):
    """A program is absent; the text names the command that installs it."""

    def __init__(self, what: str, install: str) -> None:
        super().__init__(f"{what} is missing. Install it with: {install}")


class DataDirTaken(EmbeddedError):
    """Another instance works on this data folder."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(
            f"the data folder {path} is in use by {holder}. "
            "Stop it, or choose another folder with SICERDAS_DATA_DIR."
        )


class PortTaken(EmbeddedError):
    """Another program listens on the port that was asked for."""

    def __init__(self, port: int, holder: str) -> None:
        super().__init__(
            f"port {port} is taken by {holder}. Stop it, or choose another port with SICERDAS_PORT."
        )


class ServiceFailed(EmbeddedError):
    """A program ended, or did not answer in time, while everything was being prepared."""

    def __init__(self, name: str, why: str, log_tail: str) -> None:
        shown = f"; its last words:\n{log_tail}" if log_tail else ""
        super().__init__(f"{name}: {why}{shown}")


class Interrupted(EmbeddedError):
    """The person, or a signal, asked to stop while the servers were being prepared."""
