"""Fossil deltas: how a target differs from a source, in the format that Centrifuge clients apply.

The format: https://fossil-scm.org/home/doc/trunk/www/delta_format.wiki. A delta is the target's
size, then copies `<count>@<offset>,` and inserts `<count>:<bytes>`, then `<checksum>;`. Inserts
never cut a UTF-8 character, so that a delta of two texts is a text: it travels as a JSON string.
"""

import struct
from itertools import accumulate

DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
BLOCK = 16
"""Copies are found where a block of so many bytes of the source comes again."""
SCAN_MAX = 16 * 1024
"""Bytes between common start and end that are searched for copies; more are inserted whole."""


def create(source: bytes, target: bytes) -> bytes:
    """Return the delta that turns source into target."""
    start = _common_prefix(source, target)
    end = _common_suffix(source, target, min(len(source), len(target)) - start)
    pieces = [_number(len(target)) + b"\n"]
    done = _copy(pieces, target, 0, 0, 0, start)
    if len(target) - start - end <= SCAN_MAX:
        done = _scan(pieces, source, target, done, len(target) - end)
    tail = len(target) - end
    done = _copy(pieces, target, done, len(source) - end, tail, len(target))
    _insert(pieces, target[done:])
    pieces.append(_number(checksum(target)) + b";")
    return b"".join(pieces)


def checksum(data: bytes) -> int:
    """Add up the data as big-endian 32-bit words, the last one filled with zeros."""
    padded = data + bytes(-len(data) % 4)
    total: int = sum(struct.unpack(f">{len(padded) // 4}I", padded))
    return total & 0xFFFFFFFF


def _scan(pieces: list[bytes], source: bytes, target: bytes, done: int, stop: int) -> int:
    """Find copies between the common start and the common end; returns what is covered."""
    blocks: dict[bytes, int] = {}
    for offset in range(0, min(len(source), 4 * SCAN_MAX) - BLOCK + 1, BLOCK):
        blocks.setdefault(source[offset : offset + BLOCK], offset)
    at = done
    while at + BLOCK <= stop:
        offset = blocks.get(target[at : at + BLOCK], -1)
        if offset < 0:
            at += 1
            continue
        back = _common_suffix(source[:offset], target[done:at], min(offset, at - done))
        length = back + _common_prefix(source[offset:], target[at:stop])
        begin = at - back
        done = _copy(pieces, target, done, offset - back, begin, begin + length)
        at = max(at + 1, begin + length)
    return done


def _copy(pieces: list[bytes], target: bytes, done: int, offset: int, begin: int, end: int) -> int:
    """Insert what lies before `begin`, then copy; shrinks the copy to whole characters."""
    while begin < end and _inside_character(target, begin):
        begin, offset = begin + 1, offset + 1
    while end > begin and _inside_character(target, end):
        end -= 1
    if end - begin < len(_number(offset)) + 4:  # an insert is as short
        return done
    _insert(pieces, target[done:begin])
    pieces.append(_number(end - begin) + b"@" + _number(offset) + b",")
    return end


def _insert(pieces: list[bytes], data: bytes) -> None:
    if data:
        pieces.append(_number(len(data)) + b":" + data)


def _inside_character(data: bytes, at: int) -> bool:
    """Tell whether a cut here would part a UTF-8 character: its later bytes are 10xxxxxx."""
    return at < len(data) and data[at] & 0xC0 == 0x80  # noqa: PLR2004  the pattern above


def _common_prefix(one: bytes, two: bytes) -> int:
    """Count equal bytes at the start, by halving."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == two[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(one: bytes, two: bytes, most: int) -> int:
    """Count equal bytes at the end, at most so many."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == two[len(two) - middle : len(two) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _number(value: int) -> bytes:
    """Write a number in base 64 with Fossil's digits."""
    if not value:
        return DIGITS[:1]
    parts = accumulate(range(64), lambda left, _: left >> 6, initial=value)
    digits = [DIGITS[left & 63] for left in parts if left]
    return bytes(reversed(digits))
