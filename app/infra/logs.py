"""structlog for the whole process: one line per fact, for people or for machines."""

import logging

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

LIBRARIES_THAT_TELL_EVERY_CALL = ("httpx", "aiobotocore", "botocore")


def configure_logs(log_format: str) -> None:
    """Set up once, at start. Tracebacks show no local variables: those hold passwords and texts."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        ending: list[Processor] = [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    else:
        plain = structlog.dev.plain_traceback
        ending = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def adopt_library_logs(log_format: str) -> None:
    """Let the lines of libraries, the server's own among them, look like ours.

    For a process that is ours alone: it takes over the root logger.
    """
    configure_logs(log_format)
    processors = structlog.get_config()["processors"]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=processors[:-2] if log_format == "json" else processors[:-1],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *(processors[-2:] if log_format == "json" else processors[-1:]),
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in LIBRARIES_THAT_TELL_EVERY_CALL:
        logging.getLogger(name).setLevel(logging.WARNING)
