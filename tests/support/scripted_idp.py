"""Providers that say what a test wants, on loopback: one of OpenID, one like GitHub."""

import asyncio
import hashlib
import json
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from app.kit.identity_providers import WELL_KNOWN, OidcProvider
from app.kit.secret import Secret

START_TIMEOUT_S = 10
POLL_S = 0.01
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
CLIENT_ID = "sicerdas"
Reply = tuple[int, Any]
Answer = Callable[[str, dict[str, str], dict[str, str]], Reply]


@dataclass
class Seen:
    """One request."""

    path: str
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class ScriptedOidc:
    """Answers discovery, keys, codes and userinfo; a test changes whatever it likes."""

    issuer: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    keys: list[RSAKey | ECKey | OKPKey] = field(default_factory=lambda: [KEY])
    codes: dict[str, str] = field(default_factory=dict)
    """Code to ID token."""
    info: dict[str, Any] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    """Path to an answer that replaces the usual one."""
    seen: list[Seen] = field(default_factory=list)

    def at(self, address: str) -> None:
        """The address is known once the server listens."""
        self.issuer = address
        self.document = {
            "issuer": address,
            "authorization_endpoint": f"{address}/authorize",
            "token_endpoint": f"{address}/token",
            "jwks_uri": f"{address}/keys",
            "userinfo_endpoint": f"{address}/userinfo",
        }

    def setting(self, slug: str = "scripted", **more: Any) -> OidcProvider:
        """What an operator would write of it."""
        return OidcProvider(
            slug=slug,
            name="Scripted",
            discovery_url=self.issuer + WELL_KNOWN,
            client_id=CLIENT_ID,
            client_secret=Secret("scripted-secret"),
            **more,
        )

    def claims(self, nonce: str, **other: Any) -> dict[str, Any]:
        """A right token's claims, but for what a test changes; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": "scripted@example.org",
            "email_verified": True,
            **other,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, nonce: str, *, kid: str = "one", **other: Any) -> str:
        """A signed token."""
        return jwt.encode({"alg": "RS256", "kid": kid}, self.claims(nonce, **other), KEY)

    def answer(self, path: str, form: dict[str, str], _headers: dict[str, str]) -> Reply:
        """See `Answer`."""
        if path in self.replies:
            return self.replies[path]
        match path:
            case "/keys":
                return 200, {"keys": [key.as_dict(private=False) for key in self.keys]}
            case "/token":
                token = self.codes.get(form.get("code", ""))
                found = {"id_token": token, "access_token": "at", "token_type": "Bearer"}
                return (200, found) if token else (400, {"error": "invalid_grant"})
            case "/userinfo":
                return 200, self.info
        return (200, self.document) if path == WELL_KNOWN else (404, {})


@dataclass
class ScriptedGitHub:
    """The three calls of GitHub that a sign-in makes; refuses a code without its verifier."""

    account: dict[str, Any] = field(default_factory=dict)
    addresses: list[dict[str, Any]] = field(default_factory=list)
    challenge: str = ""
    replies: dict[str, Reply] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def answer(self, path: str, form: dict[str, str], headers: dict[str, str]) -> Reply:
        """See `Answer`."""
        if path in self.replies:
            return self.replies[path]
        if path == "/login/oauth/access_token":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proved = urlsafe_b64encode(digest).rstrip(b"=").decode()
            if form["code"] != "good" or proved != self.challenge:
                return 200, {"error": "bad_verification_code"}
            return 200, {"access_token": "gho_token", "token_type": "bearer", "scope": "user:email"}
        if headers.get("authorization") != "Bearer gho_token":
            return 401, {"message": "Bad credentials"}
        if path == "/api/v3/user":
            return 200, self.account
        return (200, self.addresses) if path == "/api/v3/user/emails" else (404, {})


@asynccontextmanager
async def listening(script: ScriptedOidc | ScriptedGitHub) -> AsyncIterator[str]:
    """A script on a free port; its address."""

    async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if scope["type"] != "http":
            return
        form = await _form(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        script.seen.append(Seen(scope["path"], form, headers))
        status, body = script.answer(scope["path"], form, headers)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        extra = [(b"location", b"http://127.0.0.1:1/")] if 300 <= status < 400 else []
        head = {"type": "http.response.start", "status": status}
        await send({**head, "headers": [(b"content-type", b"application/json"), *extra]})
        await send({"type": "http.response.body", "body": raw})

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with asyncio.timeout(START_TIMEOUT_S):
        while not server.started:
            assert not running.done()
            await asyncio.sleep(POLL_S)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if isinstance(script, ScriptedOidc):
        script.at(address)
    try:
        yield address
    finally:
        server.should_exit = True
        await running
        listener.close()


async def _form(receive: Callable[[], Awaitable[Any]]) -> dict[str, str]:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            pairs = parse_qs(body.decode(), keep_blank_values=True)
            return {name: values[0] for name, values in pairs.items()}
