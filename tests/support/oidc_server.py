"""The certified provider of `tests/support/oidc`, started for the run on a free port."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.kit.identity_providers import WELL_KNOWN, OidcProvider
from app.kit.secret import Secret
from tests.support.npm import install, program

FOLDER = Path(__file__).parent / "oidc"
STOP_TIMEOUT_S = 10


@contextmanager
def provider_process(**options: bool) -> Iterator[str]:
    """A provider of its own; its issuer.

    Held by its standard input: `node` is a wrapper here, whose end would leave the server behind.
    """
    install(FOLDER)
    running = subprocess.Popen(
        [program("node"), "server.mjs", "0", json.dumps({**options, "leash": True})],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert running.stdout is not None
        said = next((line for line in running.stdout if line.startswith("ready ")), None)
        if said is None:
            pytest.fail("the local OpenID provider did not start")
        yield said.split()[1]
    finally:
        running.communicate(timeout=STOP_TIMEOUT_S)


def as_setting(issuer: str, slug: str = "local") -> OidcProvider:
    """What an operator would write of it."""
    return OidcProvider(
        slug=slug,
        name="Local house",
        discovery_url=issuer + WELL_KNOWN,
        client_id="sicerdas",
        client_secret=Secret("a-secret-of-the-local-provider"),
    )
