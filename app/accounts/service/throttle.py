"""How often one may knock: counted before any password is hashed, alike for every address.

The order is network address, then everybody together, then account; an account is slowed down,
never locked. A right password clears the account and gives back what it took from everybody.
"""

import hashlib
import hmac

from app.infra.ratelimit import Backoff, Rate, RateLimiter, network_of
from app.settings import Settings


class DoorThrottle:
    """The limits of signing in, signing up and asking for mail."""

    def __init__(self, limiter: RateLimiter, settings: Settings) -> None:
        self._limiter = limiter
        self._key = settings.secret.reveal().encode()
        self._address = Rate("login-address", settings.logins_per_address_per_minute, 60.0)
        self._offer = Rate("passkey-offer", settings.logins_per_address_per_minute, 60.0)
        self._everybody = Rate("login-everybody", settings.wrong_logins_per_minute, 60.0)
        self._account = Backoff(
            "login-account",
            settings.login_free_attempts,
            settings.login_delay_s,
            settings.login_delay_max_s,
            settings.login_forget_s,
        )
        self._link = Rate("link-address", settings.links_per_address_per_minute, 60.0)
        self._mail = Rate("mail-address", settings.mails_per_address_per_hour, 3600.0)
        self._mailbox = Rate("mail-account", settings.mails_per_account_per_hour, 3600.0)
        self._factor = Backoff(
            "factor-account",
            settings.login_free_attempts,
            settings.login_delay_s,
            settings.login_delay_max_s,
            settings.login_forget_s,
        )
        self._signup = Rate("signup-address", settings.signups_per_address_per_hour, 3600.0)

    async def admit_login(self, email: str, address: str) -> None:
        """Count an attempt, whether or not there is such an account. Raises TooManyRequests."""
        await self._limiter.spend((self._address, network_of(address)))
        await self._limiter.spend((self._everybody, ""), (self._account, self._subject(email)))

    async def forgive(self, email: str) -> None:
        """The password was right."""
        await self._limiter.give_back(self._everybody, "")
        await self._limiter.forget(self._account, self._subject(email))

    async def admit_factor(self, user_id: int, address: str) -> None:
        """Count a second proof of a person whose first was right. Raises TooManyRequests."""
        await self.admit_ceremony(address)
        await self._limiter.spend((self._factor, str(user_id)))

    async def forgive_factor(self, user_id: int) -> None:
        """The second proof was right."""
        await self._limiter.forget(self._factor, str(user_id))

    async def admit_ceremony(self, address: str) -> None:
        """Count a step that names no account yet. Raises TooManyRequests."""
        await self._limiter.spend((self._address, network_of(address)))

    async def admit_offer(self, address: str) -> None:
        """Count a login page that offers passkeys, which is no sign-in yet: a class that opens it
        together shall not use up what its network may sign in. Raises TooManyRequests."""
        await self._limiter.spend((self._offer, network_of(address)))

    async def admit_signup(self, address: str) -> None:
        """Count a new account. Raises TooManyRequests."""
        await self._limiter.spend((self._signup, network_of(address)))

    async def admit_federated(self, address: str) -> None:
        """Count a journey to another provider. Raises TooManyRequests."""
        await self._limiter.spend((self._address, network_of(address)))

    async def admit_mail(self, email: str, address: str) -> None:
        """Count a request for mail, whoever lives there: nobody's mailbox is flooded.

        Raises TooManyRequests.
        """
        await self._limiter.spend((self._mail, network_of(address)))
        await self._limiter.spend((self._mailbox, self._subject(email)))

    async def admit_link(self, address: str) -> None:
        """Count the use of a mailed link. Raises TooManyRequests."""
        await self._limiter.spend((self._link, network_of(address)))

    def _subject(self, email: str) -> str:
        """Redis learns no addresses, and its keys have one length."""
        return hmac.digest(self._key, b"login-account:" + email.encode(), hashlib.sha256).hex()
