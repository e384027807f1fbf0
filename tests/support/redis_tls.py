"""Redis behind TLS, with certificates of an authority that only the test knows.

The test's Valkey is built without TLS, so a proxy ends it: on the wire there is nothing else.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import trustme

from tests.support.proxy import LOOPBACK, Proxy
from tests.support.redis_server import RedisCluster, RedisServer


@asynccontextmanager
async def tls_front(
    server: RedisServer, *, trusted: trustme.CA | None = None, name: str = "localhost"
) -> AsyncIterator[str]:
    """TLS before one server; its URL. `trusted` and `name` make it a stranger's."""
    authority = trustme.CA()
    leaf = authority.issue_cert(name)
    with (trusted or authority).cert_pem.tempfile() as path:
        async with Proxy.tls_to_socket(server.path, leaf) as proxy:
            yield f"rediss://localhost:{proxy.port}/?ssl_ca_certs={path}"


@asynccontextmanager
async def tls_fronts(
    cluster: RedisCluster, *, trusted: trustme.CA | None = None
) -> AsyncIterator[str]:
    """TLS before every node of a cluster, at the ports it announces; its URL."""
    authority = trustme.CA()
    leaf = authority.issue_cert(LOOPBACK)
    async with AsyncExitStack() as stack:
        for node, port in zip(cluster.nodes, cluster.announced, strict=True):
            await stack.enter_async_context(Proxy.tls_to_socket(node.path, leaf, port=port))
        path = stack.enter_context((trusted or authority).cert_pem.tempfile())
        seeds = ",".join(f"{LOOPBACK}:{port}" for port in cluster.announced)
        yield f"rediss+cluster://{seeds}/?ssl_ca_certs={path}"
