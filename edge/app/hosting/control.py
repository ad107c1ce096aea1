"""What the supervisor and the process of an application say to each other, over a socket pair.

::

    supervisor                              process
        | (spawn: fd 3 control; stdout and stderr are logged)
        |                  <--- ready(kind)   |  it is loaded; or failed(sentence), and it ends
        | connection, with a descriptor --->  |  of one worker; on it edge-app/1 is spoken
        | ping --->                           |
        |      <--- figures(running, stuck)   |  a process that does not answer is killed
        | drain(milliseconds) --->            |  says drain to all workers, ends when they have closed

Frames as of edge-app/1: a u32, and an array of a number for the type and its elements.  When the connection
ends, the supervisor has died: the process drains and ends.
"""

from __future__ import annotations

from edge.app import codec
from edge.app.messages import Frames, Malformed

#: The descriptor that the process inherits.
CONTROL_FD = 3

#: Types of what the supervisor says, and of what the process says.
CONNECTION, PING, DRAIN = 1, 2, 3
READY, FAILED, FIGURES = 1, 2, 3
#: Bytes of a sentence.
MAX_SENTENCE = 2000


def frame(kind: int, *elements: int | bytes) -> bytes:
    """The frame of a message."""
    array = codec.encode((kind, *elements))
    return len(array).to_bytes(4, "big") + array


class Messages:
    """Bytes of the other side, to messages."""

    def __init__(self) -> None:
        self._frames = Frames()

    def receive(self, data: bytes) -> list[tuple[int, list[object]]]:
        """(type, elements) of each message that is whole with *data*; :class:`Malformed`: it is none."""
        found = []
        for array in self._frames.split(data):
            try:
                kind, *elements = codec.decode(array)
            except ValueError as error:
                raise Malformed(str(error)) from None
            if not isinstance(kind, int):
                raise Malformed("no type")
            found.append((kind, elements))
        return found
