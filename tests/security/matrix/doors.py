"""Addresses outside the REST contract: everybody's; what they show depends on `connect`."""

from tests.security.matrix.rows import Given, Row, Scene, everybody


async def no_cover(_scene: Scene) -> Given:
    return Given({"name": "absent"})


async def an_error(_scene: Scene) -> Given:
    return Given({"code": "not-found"})


ROWS = {
    "getCover": Row(everybody(404), no_cover),
    "GET /errors/{code}": Row(everybody(200), an_error),
    "GET /health/live": Row(everybody(200)),
    "GET /health/ready": Row(everybody(200)),
    "GET /metrics": Row(everybody(200)),
    "ANY /connection/websocket": Row(everybody(404)),
    "ANY /connection/sse": Row(everybody(400)),
    "ANY /connection/http_stream": Row(everybody(405)),
    "ANY /connection/uni_sse": Row(everybody(400)),
    "ANY /connection/uni_websocket": Row(everybody(405)),
    "ANY /emulation": Row(everybody(405)),
}
