"""The worker process: answers questions to the tutor and does the jobs until it is told to stop.

`python -m app worker` runs as many of these as one likes; they share the work through PostgreSQL.
"""

import asyncio
import os
import socket

import structlog

from app.chat.queries import WAKE_CHANNEL
from app.chat.tutor.answering import Tools
from app.chat.tutor.pool import AnswerPool
from app.house import House
from app.infra.housekeeping import Housekeeper
from app.infra.job_runner import JobRunner, RunnerRules
from app.infra.jobs import WAKE_CHANNEL as JOBS_CHANNEL
from app.infra.llm import LanguageModel
from app.infra.logs import adopt_library_logs
from app.infra.notify import Listener
from app.kit.ids import new_id
from app.kit.tasks import end_task
from app.settings import Settings

DEMO_TEMPERATURE = 0.1
"""The small model stays near the passages then."""

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Work until cancelled; then finish the running answers or hand them back, within 8 s."""
    adopt_library_logs(settings.log_format)
    if not settings.smtp_url and settings.dev_outbox is None:
        log.warning("mail.no-server", effect="mails wait, then are given up: SICERDAS_SMTP_URL")
    model = model_of(settings)
    try:
        async with House(settings).running() as house:
            await work(house, model)
    finally:
        await model.stop()


def model_of(settings: Settings) -> LanguageModel:
    """The model that the settings name."""
    return LanguageModel(
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        model=settings.openai_model,
        max_tokens=settings.answer_max_tokens,
        first_token_s=settings.llm_first_token_s,
        idle_s=settings.llm_idle_s,
        repeat_penalty=settings.llm_repeat_penalty,
        temperature=DEMO_TEMPERATURE if settings.demo_model else None,
    )


def pool_of(house: House, model: LanguageModel) -> AnswerPool:
    """The answering pool of this process; its name says where an answer was written."""
    settings = house.settings
    tools = Tools(
        db=house.db,
        library=house.catalog,
        model=model,
        publisher=house.node,
        owner=owner_name(),
        lease_s=settings.answer_lease_s,
        passages=settings.passages_per_answer,
        demo_model=settings.demo_model,
    )
    return AnswerPool(tools, concurrency=settings.answer_concurrency)


def owner_name() -> str:
    """Where a lease is held; no two are alike."""
    return f"{socket.gethostname()}:{os.getpid()}:{new_id()}"


def runner_of(house: House) -> JobRunner:
    """What does the jobs in this process."""
    settings = house.settings
    rules = RunnerRules(settings.job_concurrency, settings.job_lease_s, settings.job_timeout_s)
    return JobRunner(house.jobs, owner_name(), rules)


async def work(house: House, model: LanguageModel) -> None:
    """Answer and do jobs until cancelled. A part that dies takes the whole with it, loudly."""
    pool, runner = pool_of(house, model), runner_of(house)
    listeners = (
        Listener(house.db, WAKE_CHANNEL, pool.hear),
        Listener(house.db, JOBS_CHANNEL, runner.hear),
    )
    keeper = Housekeeper(
        {
            "channel_log": house.log.trim,
            "idempotency": house.idempotency.trim,
            "sessions": house.sessions.trim,
            "federation": house.federation.trim,
            "second_steps": house.factors.trim,
            "jobs": house.jobs.trim,
            "mail_tokens": house.letterbox.trim,
            "exports": house.privacy.trim,
        }
    )
    parts = [asyncio.create_task(part.run()) for part in (pool, runner, *listeners, keeper)]
    log.info("worker.ready", model=model.name)
    try:
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for part in done:
            part.result()
    finally:
        pool.close()
        runner.close()
        await _drained(pool, runner, parts)
        log.info("worker.stopped")


async def _drained(pool: AnswerPool, runner: JobRunner, parts: list[asyncio.Task[None]]) -> None:
    """The listeners stay until the end: a stop still counts while answers finish."""
    await asyncio.gather(pool.drain(), runner.drain())
    for part in parts:
        await end_task(part)
