"""Sending the same bytes to many descriptors: in C when that was built, in Python when not.

Knows descriptors and bytes only. Whatever a descriptor does not take at once is reported.
"""

import ctypes
import os
import sysconfig
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

Short = tuple[int, int]
"""A place that did not take everything, and the bytes it took (-1: broken)."""
Send = Callable[["array[int]", "array[int]", bytes], list[Short]]

_PLACES = 65_536
"""Sockets of one call; more are sent to in several calls."""


def send_in_python(cells: "array[int]", slots: "array[int]", data: bytes) -> list[Short]:
    """Send to the descriptors in these slots; -1 in a cell takes nothing."""
    write, size = os.write, len(data)
    shorts: list[Short] = []
    for place, slot in enumerate(slots):
        fd = cells[slot]
        sent = 0
        if fd >= 0:
            try:
                sent = write(fd, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                sent = -1
        if sent != size:
            shorts.append((place, sent))
    return shorts


def built_sender() -> Send | None:
    """Load the loop that was built in C; None when there is none."""
    for path in _candidates():
        try:
            function = ctypes.CDLL(str(path)).fanout_send
        except (OSError, AttributeError):
            continue
        return _calling(function)
    return None


def _candidates() -> Iterator[Path]:
    folder = Path(__file__).parent
    yield folder / f"_fanout{sysconfig.get_config_var('EXT_SUFFIX')}"
    yield folder / "_fanout.so"


def _calling(function: Callable[..., int]) -> Send:
    """Wrap the C function; its result arrays are made once."""
    short_at, taken = array("i", bytes(4 * _PLACES)), array("l", bytes(8 * _PLACES))
    results = short_at.buffer_info()[0], taken.buffer_info()[0]
    pointer, length = ctypes.c_void_p, ctypes.c_long
    function.argtypes = [  # type: ignore[attr-defined]
        pointer, pointer, ctypes.c_int, ctypes.c_char_p, length, pointer, pointer,
    ]  # fmt: skip

    def send(cells: "array[int]", slots: "array[int]", data: bytes) -> list[Short]:
        shorts: list[Short] = []
        start, end = slots.buffer_info()[0], len(slots)
        for first in range(0, end, _PLACES):
            count = function(
                cells.buffer_info()[0],
                start + first * slots.itemsize,
                min(end - first, _PLACES),
                data,
                len(data),
                *results,
            )
            shorts += [(first + short_at[i], taken[i]) for i in range(count)]
        return shorts

    return send
