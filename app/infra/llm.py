"""The answering model behind any OpenAI-compatible server. The only user of the openai client.

Its typed stream costs a validated object per token; here the raw bytes are read and each event is
decoded once. What the server says is untrusted: lines, events and the whole text are bounded.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import httpx2  # the transport of the openai client: raw bytes come with its errors
import msgspec
import openai
import structlog
from msgspec import Struct
from openai import AsyncAPIResponse

from app.kit.secret import Secret

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
READ_SLACK_S = 5.0
"""The transport's own read timeout stands a little behind ours, which names the reason."""
REQUEST_RETRIES = 2
"""Before any byte of an answer (a server may close a kept-alive connection just as we use it)."""
FIRST_TOKEN_ATTEMPTS = 2
LINE_MAX_BYTES = 256 * 1024
ANSWER_MAX_CHARACTERS = 32_000
"""Far above any token budget: a server that never ends is cut here."""
STATUS_REFUSED = frozenset({400, 413, 422})


class ModelFailure(Exception):
    """The model did not (finish to) answer.

    `code` is `model-unavailable`, `model-refused` or `model-broke-off`.
    """

    def __init__(self, code: str, detail: str, *, may_retry: bool = False) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.may_retry = may_retry


class PromptTurn(Protocol):
    """One line of the conversation with the model."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str: ...


class _Piece(Struct):
    content: str | None = None


class _Choice(Struct):
    delta: _Piece = msgspec.field(default_factory=_Piece)
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list)
    error: Any = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class LanguageModel:
    """A streaming chat model with a first-token and an idle limit."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: Secret,
        model: str,
        max_tokens: int,
        first_token_s: float,
        idle_s: float,
        repeat_penalty: float | None = None,
        temperature: float | None = None,
    ) -> None:
        self.name = model
        self._first_token_s = first_token_s
        self._idle_s = idle_s
        self._body: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "stream": True}
        if temperature is not None:  # some models take no temperature but their own
            self._body["temperature"] = temperature
        if repeat_penalty is not None:
            self._body["extra_body"] = {"repeat_penalty": repeat_penalty}
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key.reveal() or "none",
            max_retries=REQUEST_RETRIES,
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
            timeout=openai.Timeout(
                max(first_token_s, idle_s) + READ_SLACK_S, connect=CONNECT_TIMEOUT_S
            ),
        )

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def answer(self, turns: Sequence[PromptTurn]) -> AsyncIterator[str]:
        """The answer piece by piece; closing the iterator ends the server's work.

        A stream that breaks before its first piece is tried once more, never after it: nothing is
        said twice.

        Raises:
            ModelFailure: the code says whether anything was there before.
        """
        for attempt in range(1, FIRST_TOKEN_ATTEMPTS + 1):
            said = False
            try:
                async with aclosing(self._stream(turns)) as pieces:
                    async for piece in pieces:
                        said = True
                        yield piece
                return  # noqa: TRY300  # an else would hide that success leaves the loop
            except ModelFailure as failure:
                log.warning("llm.failed", reason=str(failure), said=said, attempt=attempt)
                if said:
                    raise ModelFailure("model-broke-off", str(failure)) from failure
                if attempt == FIRST_TOKEN_ATTEMPTS or not failure.may_retry:
                    raise

    async def _stream(self, turns: Sequence[PromptTurn]) -> AsyncGenerator[str]:
        """One request. The limits run while we wait for the server, not while our reader works."""
        limit_s = self._first_token_s
        try:
            async with asyncio.timeout(limit_s):
                response = await self._request(turns)
            try:
                pieces = _pieces(response.iter_bytes())
                total = 0
                while total < ANSWER_MAX_CHARACTERS:
                    async with asyncio.timeout(limit_s):
                        piece = await anext(pieces, None)
                    if piece is None:
                        return
                    limit_s = self._idle_s
                    total += len(piece)
                    yield piece
                log.warning("llm.cut", characters=total)
            finally:
                await response.close()
        except TimeoutError as fault:
            raise ModelFailure("model-unavailable", f"silent for {limit_s:g} s") from fault
        except httpx2.HTTPError as fault:
            detail = f"the stream broke: {fault!r}"
            raise ModelFailure("model-unavailable", detail, may_retry=True) from fault

    async def _request(self, turns: Sequence[PromptTurn]) -> AsyncAPIResponse[Any]:
        """The server's headers; the client itself tries again when there are none."""
        messages: list[Any] = [{"role": turn.role, "content": turn.content} for turn in turns]
        create = self._client.chat.completions.with_streaming_response.create
        try:
            response: AsyncAPIResponse[Any] = await create(
                messages=messages, **self._body
            ).__aenter__()
        except openai.APIStatusError as fault:
            refused = fault.status_code in STATUS_REFUSED
            code = "model-refused" if refused else "model-unavailable"
            raise ModelFailure(code, f"HTTP {fault.status_code}") from fault
        except openai.OpenAIError as fault:
            raise ModelFailure("model-unavailable", str(fault)) from fault
        return response


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The texts in a stream of server-sent events. Raises ModelFailure when it ends too early."""
    finished = False
    async for data in _events(stream):
        if data == b"[DONE]":
            return
        try:
            chunk = _decode_chunk(data)
        except msgspec.DecodeError as fault:
            raise ModelFailure("model-unavailable", "an event is not valid JSON") from fault
        if chunk.error is not None:
            raise ModelFailure("model-unavailable", "the server reported an error")
        for choice in chunk.choices[:1]:
            finished = finished or choice.finish_reason is not None
            if choice.delta.content:
                yield choice.delta.content.replace("\x00", "")  # PostgreSQL cannot store U+0000
    if not finished:
        detail = "the stream ended in the middle"
        raise ModelFailure("model-unavailable", detail, may_retry=True)


async def _events(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The `data:` lines of a stream of server-sent events (each event of this API has one)."""
    rest = b""
    async for block in stream:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
        if len(rest) > LINE_MAX_BYTES:
            raise ModelFailure("model-unavailable", "an event is too long")
