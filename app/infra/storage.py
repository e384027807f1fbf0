"""Objects in any S3-compatible store; the only module that knows aioboto3."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import aioboto3
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from app.kit.errors import Unavailable
from app.kit.secret import Secret

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
START_TIMEOUT_S = 15.0
HEALTH_TIMEOUT_S = 3.0
ATTEMPTS = 3
CONNECTIONS = 32
CHUNK_BYTES = 64 * 1024
REGION = "us-east-1"
"""Signatures need some region; stores that have none accept this one."""

NO_BUCKET = "NoSuchBucket"
ABSENT = {"404", "NoSuchKey", "NotFound", NO_BUCKET}
OURS_ALREADY = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class ObjectMissing(LookupError):
    """There is no object under this key."""


class Storage:
    """One bucket. `start` and `stop` belong to the lifespan; every verb may raise Unavailable."""

    def __init__(
        self, *, endpoint_url: str, access_key_id: Secret, secret_access_key: Secret, bucket: str
    ) -> None:
        self._endpoint_url = endpoint_url
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._bucket = bucket
        self._stack = AsyncExitStack()
        self._opened: S3Client | None = None

    async def start(self) -> None:
        """Open the client; no request is made yet, so an absent store does not stop the app."""
        session = aioboto3.Session()
        client = session.client(
            "s3",
            endpoint_url=self._endpoint_url,
            aws_access_key_id=self._access_key_id.reveal(),
            aws_secret_access_key=self._secret_access_key.reveal(),
            region_name=REGION,
            config=AioConfig(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                max_pool_connections=CONNECTIONS,
                retries={"max_attempts": ATTEMPTS, "mode": "standard"},
                s3={"addressing_style": "path"},
                # Newer checksum trailers are refused by many S3-compatible stores.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._opened = await self._stack.enter_async_context(client)

    async def stop(self) -> None:
        """Close the client; a second call does nothing."""
        self._opened = None
        await self._stack.aclose()

    async def ensure_bucket(self) -> None:
        """Make the bucket when it is absent."""
        with _faults():
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await self._client.create_bucket(Bucket=self._bucket)
            except ClientError as fault:
                if _code(fault) not in OURS_ALREADY:
                    raise

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store an object, replacing one of the same key; a new installation gets its bucket."""
        with _faults():
            try:
                await self._put(key, data, content_type)
            except ClientError as fault:
                if _code(fault) != NO_BUCKET:
                    raise
                await self.ensure_bucket()
                await self._put(key, data, content_type)

    async def get(self, key: str) -> bytes:
        """A whole small object. Raises ObjectMissing."""
        return b"".join([chunk async for chunk in self.stream(key)])

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """An object chunk by chunk. Raises ObjectMissing before the first one."""
        with _faults():
            answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            body = answer["Body"]
            try:
                while chunk := await body.read(CHUNK_BYTES):
                    yield chunk
            finally:
                body.close()

    async def delete(self, key: str) -> None:
        """Remove an object; an absent one is no fault."""
        with _faults():
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def check(self) -> None:
        """One small request, for readiness; the first `put` makes an absent bucket.

        Raises Unavailable.
        """
        with suppress(ObjectMissing), _faults():
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                await self._client.head_bucket(Bucket=self._bucket)

    async def _put(self, key: str, data: bytes, content_type: str) -> None:
        await self._client.put_object(
            Bucket=self._bucket, Key=key, Body=data, ContentType=content_type
        )

    @property
    def _client(self) -> "S3Client":
        if self._opened is None:
            raise Unavailable("The file store is closed")
        return self._opened


@contextmanager
def _faults() -> Iterator[None]:
    """The library's failures as our two: the object is absent, or the store is away."""
    try:
        yield
    except ClientError as fault:
        if _code(fault) in ABSENT:
            raise ObjectMissing from fault
        raise Unavailable("The file store refused the request") from fault
    except (BotoCoreError, OSError) as fault:
        raise Unavailable("The file store is away. Try again in a moment") from fault


def _code(fault: ClientError) -> str:
    return fault.response.get("Error", {}).get("Code", "")
