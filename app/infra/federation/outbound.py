"""Requests to a provider: to its own hosts only, without redirects, bounded in size and time.

What leads here comes partly from the provider's own documents (OWASP ASVS 5.0, 13.2.4, 15.3.2).
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Struct

from app.infra.federation.faults import FederationFault
from app.kit.identity_providers import is_safe_address

TIMEOUT_S = 5.0
"""For a whole answer: somebody is waiting in front of a blank page."""
MAX_BYTES = 256 * 1024
"""Key sets are the longest answers, and the longest of those have some 20 KiB."""
PORTS = {"https": 443, "http": 80}
SUCCESS, REDIRECT, FAULT, SERVER_FAULT = 200, 300, 400, 500

T = TypeVar("T")
Origin = tuple[str, str, int]


class Answer(Struct, frozen=True):
    """A whole answer that was no failure of the provider's."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether they did what was asked."""
        return SUCCESS <= self.status < REDIRECT

    def read(self, kind: type[T]) -> T:
        """The JSON of the body. Raises FederationFault."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise FederationFault("untrusted", f"an answer without sense: {fault}") from None


class Outbound:
    """Asks one provider; an address outside its own hosts is refused before anything is sent."""

    def __init__(self, base_url: str, hosts: Collection[str] = ()) -> None:
        self._allowed = {_origin(base_url), *(("https", host.lower(), 443) for host in hosts)}
        self._client: httpx2.AsyncClient | None = None

    def check(self, url: str) -> str:
        """The same address, when it is one of the provider's own. Raises FederationFault."""
        if _origin(url) not in self._allowed or not is_safe_address(url):
            raise FederationFault("untrusted", f"{urlsplit(url).netloc} is no host of this one")
        return url

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Read something. Raises FederationFault."""
        return await self._ask("GET", url, headers, None)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a form. Raises FederationFault."""
        return await self._ask("POST", url, headers, form)

    async def stop(self) -> None:
        """Leave no connection."""
        if self._client is not None:
            await self._client.aclose()

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> Answer:
        self.check(url)
        place = urlsplit(url)._replace(query="", fragment="").geturl()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._answer(method, url, headers, form)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as fault:
            raise FederationFault("away", f"{place}: {fault!r}") from None
        if answer.status >= SERVER_FAULT:
            raise FederationFault("away", f"{place} answered {answer.status}")
        if REDIRECT <= answer.status < FAULT:
            raise FederationFault("untrusted", f"{place} points elsewhere")
        return answer

    async def _answer(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> Answer:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        wanted = {"accept": "application/json", **(headers or {})}
        async with self._client.stream(method, url, headers=wanted, data=form) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise FederationFault("untrusted", "an answer without end")
            return Answer(response.status_code, bytes(body))


def _origin(url: str) -> Origin:
    """Scheme, host and port; what cannot be one matches nothing. Raises FederationFault."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FederationFault("untrusted", "an address that is none") from None
    return parts.scheme, parts.hostname or "", port or PORTS.get(parts.scheme, 0)
