"""Why a command may not even be tried: bounds that need no I/O to check."""

from collections.abc import Collection

from realtime import codes
from realtime.codes import ErrorCode
from realtime.model import Limits


def subscribe_refusal(
    channel: str, channels: Collection[str], in_flight: int, limits: Limits
) -> ErrorCode | None:
    """Say why one more subscription is not begun; None: it may be."""
    if not 0 < len(channel) <= limits.max_channel_length:
        return codes.BAD_REQUEST
    if channel in channels:
        return codes.ALREADY_SUBSCRIBED
    if len(channels) >= limits.max_channels:
        return codes.LIMIT_EXCEEDED
    crowded = in_flight >= limits.max_channels + limits.max_in_flight
    return codes.TOO_MANY_REQUESTS if crowded else None
