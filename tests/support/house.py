"""One real app for the whole run: uvicorn, PostgreSQL, Valkey, S3 and a scripted model."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

import httpx
import pytest
import uvicorn
from msgspec.structs import replace

from app.infra.logs import configure_logs
from app.kit.principal import Role
from app.main import House, create_app
from app.settings import Settings
from tests.support.fake_llm import FakeLLM
from tests.support.servers import S3

PASSWORD = "correct-horse-battery"
START_TIMEOUT_S = 20
POLL_S = 0.02


@dataclass(frozen=True)
class Served:
    """A running app: its address, and the house behind it for arranging and checking."""

    url: str
    house: House
    settings: Settings


@dataclass(frozen=True)
class Person:
    """Somebody with an account and a signed-in client."""

    id: int
    email: str
    role: Role
    token: str
    http: httpx.AsyncClient


MakePerson = Callable[..., Awaitable[Person]]


@cache
def structured_logs() -> None:
    """Once: a logger keeps the processors that it first used, and a test that captures what is
    logged would wait at others."""
    configure_logs("json")


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Served]:
    """The app on a free loopback port, in this event loop, with the same options as `serve`."""
    structured_logs()
    app = create_app(settings)
    # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http="app.http.http_protocol:HttpProtocol",
        ws="app.http.ws_protocol:SocketProtocol",
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with asyncio.timeout(START_TIMEOUT_S):
        while not server.started:
            if running.done():
                await running
                pytest.fail("the app did not start")
            await asyncio.sleep(POLL_S)
    try:
        port = listener.getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", app.state.house, settings)
    finally:
        server.should_exit = True
        await running
        listener.close()


@pytest.fixture(scope="session")
def app_environment(
    settings_env: dict[str, str],
    s3_server: S3,
    fake_llm: FakeLLM,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """The environment of the run's app: cheap hashes, and limits for many people at one address;
    everything else as in `serve`."""
    return {
        **settings_env,
        "S3_ENDPOINT_URL": s3_server.endpoint_url,
        "S3_ACCESS_KEY_ID": s3_server.access_key_id,
        "S3_SECRET_ACCESS_KEY": s3_server.secret_access_key,
        "OPENAI_BASE_URL": fake_llm.base_url,
        "OPENAI_API_KEY": "tests",
        "OPENAI_MODEL": "scripted",
        "SICERDAS_REQUIRE_VERIFIED_EMAIL": "false",
        "SICERDAS_REQUIRE_STAFF_SECOND_FACTOR": "false",
        "SICERDAS_FRESH_PROOF_S": "86400",
        "SICERDAS_PASSWORD_HASH_TIME_COST": "1",
        "SICERDAS_PASSWORD_HASH_MEMORY_KIB": "8192",
        "SICERDAS_PASSWORD_HASH_PARALLELISM": "1",
        "SICERDAS_LOGINS_PER_ADDRESS_PER_MINUTE": "100000",
        "SICERDAS_WRONG_LOGINS_PER_MINUTE": "100000",
        "SICERDAS_SIGNUPS_PER_ADDRESS_PER_HOUR": "100000",
        "SICERDAS_LINKS_PER_ADDRESS_PER_MINUTE": "100000",
        "SICERDAS_MAILS_PER_ADDRESS_PER_HOUR": "100000",
        "SICERDAS_MAILS_PER_ACCOUNT_PER_HOUR": "100000",
        "SICERDAS_DEV_OUTBOX": str(tmp_path_factory.mktemp("mail")),
        "SICERDAS_QUESTIONS_PER_USER_PER_MINUTE": "100000",
        "SICERDAS_REPORTS_PER_USER_PER_HOUR": "100000",
        "SICERDAS_REQUESTS_PER_ADDRESS_PER_MINUTE": "1000000",
    }


@pytest.fixture(scope="session")
def settings(app_environment: dict[str, str]) -> Settings:
    """The settings of the run's app."""
    return Settings.from_env(app_environment)


@pytest.fixture(scope="session")
async def served(settings: Settings) -> AsyncIterator[Served]:
    """The run's app behind a real socket."""
    async with serve(settings) as running:
        yield running


@pytest.fixture(scope="session")
async def nobody(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is not signed in."""
    async with httpx.AsyncClient(base_url=served.url) as client:
        yield client


@pytest.fixture(scope="session")
async def person(served: Served, nobody: httpx.AsyncClient) -> AsyncIterator[MakePerson]:
    """A function that makes one more account and signs it in with a bearer token."""
    numbers = itertools.count(1)
    clients: list[httpx.AsyncClient] = []

    async def make(role: Role = Role.USER, name: str = "") -> Person:
        email = f"{role.value}{next(numbers)}@example.org"
        accounts = served.house.accounts
        user_id = await accounts.ensure_account(email, name or email, PASSWORD, role)
        form = {"email": email, "password": PASSWORD, "transport": "bearer"}
        answer = await nobody.post("/api/v1/auth/login", json=form)
        token = answer.raise_for_status().json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(base_url=served.url, headers=headers)
        clients.append(client)
        return Person(user_id, email, role, token, client)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture(scope="session")
async def learner(person: MakePerson) -> Person:
    """An ordinary user."""
    return await person(Role.USER)


@pytest.fixture(scope="session")
async def stranger(person: MakePerson) -> Person:
    """Another ordinary user: somebody else's things are theirs."""
    return await person(Role.USER)


@pytest.fixture(scope="session")
async def teacher(person: MakePerson) -> Person:
    """May add books."""
    return await person(Role.TEACHER)


@pytest.fixture(scope="session")
async def moderator(person: MakePerson) -> Person:
    """May decide reports."""
    return await person(Role.MODERATOR)


@pytest.fixture(scope="session")
async def admin(person: MakePerson) -> Person:
    """May manage people."""
    return await person(Role.ADMIN)


def with_settings(settings: Settings, **changes: object) -> Settings:
    """The same settings but for a few."""
    return replace(settings, **changes)
