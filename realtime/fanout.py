"""Who gets one publication, and when: leading edge at once, those of the next moment together.

One `Fanout` per process. A wire has a slot in its table; a crowd is the slots of one channel. No
object, task or await for each delivery: a publication is appended once to its crowd, and one loop
over descriptors sends to the crowd.
"""

import asyncio
import logging
import time
from array import array
from collections.abc import Callable

from realtime.protocol import Frame
from realtime.sending import Send, built_sender, send_in_python
from realtime.wire import Wire

log = logging.getLogger("realtime")

LEADERS = 8
"""Channels that may lead in one window; more wait for its end, so that a busy socket is not
written to once per channel."""
CLOSED_CELL = -1
LEAST_REST = 1 / 4
"""Part of a window that is left to all else when writing took the whole of it: to 10 000 sockets it
takes 50 ms, and what is waited for then leaves in one write instead of two."""


class Fanout:
    """The wires of this process and the channels that have something for them."""

    def __init__(
        self,
        window_s: float,
        *,
        send: Send | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cells = array("i")
        """Slot -> descriptor, or -1 for a wire that may not be written to from the side."""
        self.holders = array("i")
        """Slot -> crowds that hold it: while there are any, nobody else gets the slot."""
        self.wires: list[Wire | None] = []
        self.stalled: dict[Wire, None] = {}
        """Wires whose client does not keep up."""
        self._send = send or built_sender() or send_in_python
        self._window_s = window_s
        self._clock = clock
        self._free: list[int] = []
        self._soon: list[Crowd] = []
        self._later: list[Crowd] = []
        self._led: list[Crowd] = []
        self._until = float("-inf")
        """The end of the present window; nothing happens then unless somebody waits for it."""
        self._end: asyncio.TimerHandle | None = None

    def admit(self, wire: Wire) -> int:
        """Give a wire its slot."""
        if self._free:
            slot = self._free.pop()
            self.wires[slot] = wire
        else:
            slot = len(self.wires)
            self.wires.append(wire)
            self.cells.append(CLOSED_CELL)
            self.holders.append(0)
        return slot

    def release(self, slot: int) -> None:
        """Take a slot back. One that a crowd still holds is never given to somebody else."""
        self.cells[slot] = CLOSED_CELL
        self.wires[slot] = None
        if self.holders[slot]:
            log.error("realtime.slot_still_held slot=%d crowds=%d", slot, self.holders[slot])
        else:
            self._free.append(slot)

    def tick(self, now: float) -> None:
        """Look at the wires that do not move."""
        for wire in tuple(self.stalled):
            wire.look(now)

    # -- when ----------------------------------------------------------------------------------

    def schedule(self, crowd: "Crowd") -> None:
        """Have a crowd's first waiting frame sent: with this step's, or at the window's end."""
        if not self._soon and self._end is None and self._clock() >= self._until:
            self._lead_with([])
        if crowd.led or len(self._led) >= LEADERS:
            self._later.append(crowd)
            if not self._soon:
                self._wait_for_the_end()
            return
        if not self._soon:
            asyncio.get_running_loop().call_soon(self._lead)
        self._soon.append(crowd)
        self._led.append(crowd)
        crowd.led = True

    def _lead(self) -> None:
        """Send what this step of the loop brought, in one write for each connection."""
        began = self._clock()
        crowds, self._soon = self._soon, []
        self._deliver(crowds)
        if self._end is None and began >= self._until:
            self._open_window(began)
        if self._later:
            self._wait_for_the_end()

    def _open_window(self, began: float) -> None:
        """Let a window begin with its writes; they never take all of it."""
        self._until = max(began + self._window_s, self._clock() + self._window_s * LEAST_REST)

    def _wait_for_the_end(self) -> None:
        """Come back when the window ends: most windows end without anything to send."""
        if self._end is None:
            rest_s = self._until - self._clock()
            self._end = asyncio.get_running_loop().call_later(rest_s, self._close_window)

    def _close_window(self) -> None:
        self._end = None
        began = self._clock()
        crowds, self._later = self._later, []
        self._lead_with([*self._soon, *crowds])
        self._deliver(crowds)
        self._open_window(began)

    def _lead_with(self, crowds: "list[Crowd]") -> None:
        """Note who was sent to in this window, instead of who was in the last."""
        for crowd in self._led:
            crowd.led = False
        self._led = crowds
        for crowd in crowds:
            crowd.led = True

    # -- to whom -------------------------------------------------------------------------------

    def _deliver(self, crowds: "list[Crowd]") -> None:
        """Send what waits."""
        busy = crowds if len(crowds) == 1 else [c for c in dict.fromkeys(crowds) if c.waiting]
        if len(busy) == 1:
            busy[0].flush()
        elif busy:
            self._merge(busy)

    def _merge(self, crowds: "list[Crowd]") -> None:
        """Several channels at once: a connection on many of them gets one write."""
        parts: dict[int, bytes] = {}
        frames: dict[int, int] = {}
        for crowd in crowds:
            data, count = crowd.take()
            for slot in crowd.slots:
                if slot in parts:
                    parts[slot] += data
                    frames[slot] += count
                else:
                    parts[slot] = data
                    frames[slot] = count
        for slot, data in parts.items():
            wire = self.wires[slot]
            if wire is not None:
                wire.write(data, frames[slot])

    def broadcast(self, slots: "array[int]", data: bytes, frames: int) -> None:
        """Send to all these slots; the rest of a short one is its wire's business."""
        for place, sent in self._send(self.cells, slots, data):
            wire = self.wires[slots[place]]
            if wire is not None:
                wire.took(sent, data, frames)


class Crowd:
    """The wires of one channel, and the publications that have not left yet."""

    __slots__ = ("_fanout", "_places", "led", "slots", "waiting")

    def __init__(self, fanout: Fanout) -> None:
        self._fanout = fanout
        self._places: dict[int, int] = {}
        self.slots = array("i")
        self.waiting: list[bytes] = []
        self.led = False
        """Sent to in this window: what comes now waits for its end."""

    def add(self, slot: int) -> None:
        """Add a wire; what waits is older than its subscription and leaves without it."""
        self.flush()
        if slot not in self._places:
            self._places[slot] = len(self.slots)
            self.slots.append(slot)
            self._fanout.holders[slot] += 1

    def remove(self, slot: int) -> None:
        """Take a wire off; the last one fills its place."""
        place = self._places.pop(slot, None)
        if place is None:
            return
        self._fanout.holders[slot] -= 1
        last = self.slots.pop()
        if last != slot:
            self.slots[place] = last
            self._places[last] = place

    def push(self, frame: Frame) -> None:
        """Take a publication for everybody here."""
        if not self.slots:
            return
        self.waiting.append(frame.websocket)
        if len(self.waiting) == 1:
            self._fanout.schedule(self)

    def take(self) -> tuple[bytes, int]:
        """Take what waits, as one write, and count it."""
        waiting, self.waiting = self.waiting, []
        return (waiting[0] if len(waiting) == 1 else b"".join(waiting)), len(waiting)

    def flush(self) -> None:
        """Send now what waits."""
        if self.waiting:
            data, count = self.take()
            self._fanout.broadcast(self.slots, data, count)
