"""Where Redis is, and the bounds of the broker over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CLUSTER = "+cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """Bounds of the Redis broker."""

    prefix: str = "rt"
    timeout_s: float = 2.0
    """For a connect, a command, an acknowledged subscribe."""
    max_connections: int = 32
    """To each server."""
    stream_size: int = 5000
    """Publications kept of one TAIL channel: two minutes at forty a second."""
    stream_ttl_s: int = 600
    meta_ttl_s: int = 24 * 3600
    """How long an idle TAIL channel keeps its epoch."""
    key_ttl_s: int = 300
    """How long an idempotency key is remembered."""
    retry_s: float = 0.05
    retry_max_s: float = 1.0
    silence_s: float = 3.0
    """A link that says nothing for so long is pinged, and dead after as long again."""
    failures_max: int = 3
    """Commands without an answer in a row, though the link is up: then Redis is as good as away,
    and asked once in `retry_max_s` whether it is back."""
    layout_s: float = 10.0
    """How often a cluster is asked where its slots are, though nothing went wrong."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where servers are; each node of a cluster gets the same credentials and the same TLS."""

    scheme: str
    credentials: str
    servers: Sequence[tuple[str, int]]
    query: str

    def url(self, host: str, port: int) -> str:
        """The URL of one node."""
        name = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{self.credentials}{name}:{port}/{self.query}"


def cluster_address(url: str) -> Address | None:
    """Read `redis+cluster://` and `rediss+cluster://`; None: the URL names one server."""
    scheme, _, rest = url.partition("://")
    if not scheme.endswith(CLUSTER):
        return None
    # Not by urlsplit: it refuses a list in which an address of IPv6 is not the first.
    place, mark, query = rest.partition("?")
    credentials, at, servers = place.partition("/")[0].rpartition("@")
    found = [_server(text) for text in servers.split(",")]
    return Address(scheme.removesuffix(CLUSTER), credentials + at, found, mark + query)


def _server(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "localhost", parts.port or 6379
