"""A browser without pages: keeps cookies as one does, and follows redirects one step at a time."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from app.http.sessions import COOKIE_NAME

HOPS = 12


@dataclass
class Traveller:
    """One browser, with a jar for each host. It also sends `Secure` cookies to loopback."""

    home: str
    http: httpx.AsyncClient
    jars: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def own(self) -> dict[str, str]:
        """The cookies of our app."""
        return self.jars.setdefault(urlsplit(self.home).netloc, {})

    @property
    def session(self) -> str | None:
        """The session's token."""
        return self.own.get(COOKIE_NAME)

    async def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        """One request, as a page of that host makes it; cookies go with it and are kept."""
        address = urljoin(self.home, url)
        jar = self.jars.setdefault(urlsplit(address).netloc, {})
        headers = {"origin": self.home} if method != "GET" else {}
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        answer = await self.http.request(
            method, address, headers=headers, follow_redirects=False, **more
        )
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar[name] = value
        return answer

    async def depart(self, slug: str, **body: Any) -> str:
        """Begin a sign-in; the address at the provider."""
        answer = await self.send("POST", f"/api/v1/auth/federated/{slug}/start", json=body)
        return str(answer.raise_for_status().json()["url"])

    async def travel(self, url: str, login: str) -> httpx.Response:
        """Sign in at the local provider, and come back: our answer to the callback."""
        for _ in range(HOPS):
            answer = await self.send("GET", url)
            if answer.status_code == 200:  # the form
                form = {"cancel": "1"} if login == "cancel" else {"login": login}
                answer = await self.http_form(url, form)
            landed = urlsplit(url).netloc == urlsplit(self.home).netloc
            if landed:
                return answer
            url = urljoin(url, answer.headers["location"])
        raise AssertionError("the journey has no end")

    async def http_form(self, url: str, form: dict[str, str]) -> httpx.Response:
        """Send the provider's own form."""
        return await self.send("POST", url, data=form)

    async def me(self) -> dict[str, Any] | None:
        """Who is signed in in this browser."""
        answer = await self.send("GET", "/api/v1/users/me")
        return answer.json() if answer.status_code == 200 else None


def query(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
