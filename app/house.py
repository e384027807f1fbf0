"""Every service of one process with its collaborators: alike for the API, worker and tools."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from app.accounts import topics as accounts_topics
from app.accounts.queries import users as user_queries
from app.accounts.service import (
    Accounts,
    ApiKeys,
    DoorThrottle,
    Doorway,
    Impersonation,
    Letterbox,
    MailedLinks,
    OwnData,
    Privacy,
    Room,
    Sessions,
    UserAdmin,
    federated_doors,
    second_factors,
)
from app.audit.service import Audit
from app.catalog.service import Catalog, Shelves
from app.chat import topics as chat_topics
from app.chat.schemas import ModelInfo
from app.chat.service import Chat
from app.infra.channel_log import DurableChannelLog
from app.infra.db import Database
from app.infra.idempotency import IdempotencyKeys, is_acting, mark_carried_out
from app.infra.jobs import JobRules, Jobs
from app.infra.mail import Postman, transport_for
from app.infra.passwords import Passwords
from app.infra.ratelimit import Rate, RateLimiter
from app.infra.ratelimit_redis import FAULTS, RedisCounters
from app.infra.storage import Storage
from app.infra.tokens import RealtimeTokens
from app.infra.weak_passwords import WeakPasswords
from app.interactions import topics as interactions_topics
from app.interactions.service import Interactions
from app.kit.errors import NotFound
from app.kit.principal import Principal
from app.media.service import Media
from app.piccolo_app import TABLES
from app.realtime_terms import as_identity, as_realtime_error, role_of
from app.reports import topics as reports_topics
from app.reports.schemas import Target
from app.reports.service import Reports, TargetResolver
from app.settings import Settings
from realtime import Hooks, Identity, InvalidToken, Node
from realtime.broker_redis import RedisBroker, RedisOptions

UNSET_SENDER = "sicerdas <library@localhost>"
"""Who writes the mails of the outbox in `dev`."""


class House:
    """The services, in the order in which they need each other; nothing is opened yet."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._open_infrastructure(settings)
        self._furnish(settings)
        self.node.register(
            [
                *accounts_topics.families(),
                *interactions_topics.families(self.interactions),
                *reports_topics.families(self.reports),
                *chat_topics.families(self.chat),
            ],
            chat_topics.rpc_methods(self.chat, self.idempotency),
        )

    def _open_infrastructure(self, settings: Settings) -> None:
        self.db = Database(
            settings.database_url.reveal(),
            pool_size=settings.database_pool_size,
            before_commit=mark_carried_out,
            is_watched=is_acting,
        )
        self.storage = Storage(
            endpoint_url=settings.s3_endpoint_url,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=settings.s3_secret_access_key,
            bucket=settings.s3_bucket,
        )
        self.log = DurableChannelLog(self.db)
        self.idempotency = IdempotencyKeys(self.db)
        self.jobs = Jobs(
            self.db,
            JobRules(settings.job_attempts, settings.job_delay_s, settings.job_delay_max_s),
        )
        self.tokens = RealtimeTokens(settings.secret.reveal(), lifetime_s=settings.realtime_token_s)
        self.passwords = Passwords(
            time_cost=settings.password_hash_time_cost,
            memory_kib=settings.password_hash_memory_kib,
            parallelism=settings.password_hash_parallelism,
            concurrency=settings.password_hash_concurrency,
        )
        self.limiter = RateLimiter(
            RedisCounters(settings.redis_url.reveal(), prefix=settings.redis_prefix), faults=FAULTS
        )
        self.node = Node(
            broker=RedisBroker(
                settings.redis_url.reveal(), RedisOptions(prefix=settings.redis_prefix)
            ),
            log=self.log,
            verify_token=self.identity_of_realtime_token,
            map_error=as_realtime_error,
            hooks=Hooks(still_valid=self.sessions_with_the_same_rights),
        )

    def _furnish(self, settings: Settings) -> None:
        self.audit = Audit(self.db)
        end_sockets, renewed = self.node.disconnect_session, self.node.identities.renew
        self.sessions = Sessions(self.db, settings, end_sockets=end_sockets, renewed=renewed)
        self.doorway = Doorway(
            self.sessions,
            must_verify=settings.require_verified_email,
            second_step_s=settings.second_step_s,
        )
        self.throttle = DoorThrottle(self.limiter, settings)
        self.weak_passwords = WeakPasswords()
        self._furnish_mail(settings)
        self.accounts = Accounts(
            self.db,
            self.sessions,
            self.doorway,
            self.passwords,
            self.weak_passwords,
            self.throttle,
            self.audit,
            self.log,
            self.letterbox,
            must_verify=settings.require_verified_email,
            publish_log=self.node.publish_log,
        )
        self.two_step, self.factors, self.passkeys = second_factors(
            self.db,
            self.sessions,
            self.doorway,
            self.passwords,
            self.throttle,
            self.audit,
            self.letterbox,
            settings,
            end_user_sockets=self.node.disconnect_user,
        )
        self.identities, self.federation = federated_doors(
            self.db, self.sessions, self.doorway, self.throttle, self.audit, self.postman, settings
        )
        self._furnish_admin(settings)
        self.media = Media(self.storage, max_upload_bytes=settings.max_upload_bytes)
        self.catalog = Catalog(self.db, self.media)
        self.shelves = Shelves(self.db)
        self.interactions = Interactions(
            self.db,
            self.catalog,
            self.node.publish_value,
            secret=settings.secret,
            view_window_s=settings.view_window_s,
        )
        targets: dict[str, TargetResolver] = {
            "book": self._book_target,
            "user": self._user_target,
            "message": self._message_target,
        }
        self.reports = Reports(
            self.db,
            self.audit,
            self.log,
            targets,
            publish_log=self.node.publish_log,
            pace=self.limiter.pace(Rate("reports-user", settings.reports_per_user_per_hour, 3600)),
        )
        self.chat = Chat(
            self.db,
            self.catalog,
            self.node,
            model=ModelInfo(name=settings.openai_model, demo=settings.demo_model),
            answers_per_minute=settings.answers_per_minute,
            pace=self.limiter.pace(Rate("chat-user", settings.questions_per_user_per_minute, 60)),
        )
        self.privacy = Privacy(
            self.db,
            self.jobs,
            self.storage,
            self._rooms(),
            self.audit,
            self.letterbox,
            settings,
            pace=self.limiter.pace(Rate("export-user", settings.exports_per_user_per_day, 86_400)),
            end_user_sockets=self.node.disconnect_user,
        )

    def _rooms(self) -> list[Room]:
        """Who keeps something of people, in the order in which they forget."""
        others = (self.audit, self.catalog, self.interactions, self.reports, self.chat)
        return [*others, OwnData(self.db, self.sessions)]

    def _furnish_mail(self, settings: Settings) -> None:
        """What goes out by mail, and the doors that a mail opens."""
        self.postman = Postman(
            self.jobs,
            transport_for(settings.smtp_url, settings.mail_from, settings.dev_outbox),
            user_queries.recipient,
            secret=settings.secret,
            sender=settings.mail_from or UNSET_SENDER,
            origin=settings.main_origin,
        )
        self.letterbox = Letterbox(self.db, self.jobs, self.postman, self.throttle, settings)
        self.mailed_links = MailedLinks(
            self.db,
            self.sessions,
            self.doorway,
            self.letterbox,
            self.passwords,
            self.weak_passwords,
            self.throttle,
            self.audit,
            self.log,
            publish_log=self.node.publish_log,
        )

    def _furnish_admin(self, settings: Settings) -> None:
        """What admins do with people, and what programs come in with."""
        live, publish_log = self.sessions, self.node.publish_log
        end_sockets = self.node.disconnect_session
        self.api_keys = ApiKeys(
            self.db, self.audit, self.postman, self.limiter, settings, end_sockets=end_sockets
        )
        self.user_admin = UserAdmin(
            self.db,
            self.audit,
            self.log,
            live,
            self.postman,
            publish_log=publish_log,
            end_user_sockets=self.node.disconnect_user,
        )
        lasts_s = settings.impersonation_s
        self.impersonation = Impersonation(
            self.db, live, self.audit, self.log, self.postman, lasts_s, publish_log=publish_log
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["House"]:
        """Open everything in order, close it in reverse."""
        await self.db.start(TABLES)
        try:
            await self.storage.start()
            try:
                await self.node.start()
                try:
                    yield self
                finally:
                    await self.node.stop()
            finally:
                await self.storage.stop()
        finally:
            await self.federation.stop()
            self.passwords.close()
            await self.limiter.close()
            await self.db.stop()

    async def identity_of_session_token(self, token: str) -> Identity | None:
        """Who connects with a session cookie; None when the session has ended."""
        principal = await self.sessions.principal_by_token(token)
        return as_identity(principal) if principal else None

    async def identity_of_realtime_token(self, token: str) -> Identity:
        """Who connects with a token of `/realtime/token`. Raises TokenExpired, InvalidToken."""
        claims = self.tokens.read(token)
        principal = await self.sessions.principal_by_session(claims.session_id)
        if principal is None or principal.user_id != claims.user_id:
            raise InvalidToken
        return as_identity(principal)

    async def sessions_with_the_same_rights(self, connected: Sequence[Identity]) -> set[str]:
        """Which of the connected sessions have neither ended nor changed their role."""
        living = await self.sessions.living_sessions({who.session for who in connected})
        changed = {who.session for who in connected if role_of(who) != living.get(who.session)}
        return living.keys() - changed

    # What reports may point at; each room decides who may see its things.

    async def _book_target(self, principal: Principal, book_id: int) -> Target:
        book = await self.catalog.visible_book(principal, book_id)
        return Target(title=book.title, url=f"/books/{book_id}")

    async def _user_target(self, _principal: Principal, user_id: int) -> Target:
        name = await self.accounts.public_name(user_id)
        if name is None:
            raise NotFound("There is no such person")
        return Target(title=name, url=None)

    async def _message_target(self, principal: Principal, message_id: int) -> Target:
        message = await self.chat.message(principal, message_id)
        return Target(title=message.user_message[:80], url=None)
