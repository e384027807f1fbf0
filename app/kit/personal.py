"""What a room says of the people in it: the shape of an export, and what follows an erasure."""

from collections.abc import Awaitable, Callable
from typing import Any

Sections = dict[str, list[dict[str, Any]]]
"""Rows by section of the export; times and bytes as the encoder of the archive writes them."""

Afterwards = Callable[[], Awaitable[None]]
"""What a room does once the erasure is committed."""


async def nothing_afterwards() -> None:
    """There is nobody to tell."""
