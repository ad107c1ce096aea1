"""One JavaScript engine (QuickJS) with the modules of a site, for one thread.

What is evaluated in it has the language and nothing else: no files, no network, no clock, no chance
(``driver.js``).  Each call may take so much CPU time, the engine so much memory; what takes more is ended
with a :class:`RenderingError`, and so is the engine, since nobody knows in which state it is.

QuickJS looks at the CPU time of the process.  What was ended before its own thread had used the limit says
nothing about the component: :class:`Overtaken`, and it is called again in an engine with a greater allowance.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.app.rendering.errors import ModuleError, Overtaken, RenderingError
from edge.app.rendering.modules import in_order

if TYPE_CHECKING:
    from collections.abc import Callable

_DRIVER = Path(__file__).with_name("driver.js")
#: Modules that the driver itself uses.
_OWN = ("driver.js", "/edge/page/html.js", "/edge/page/query.js")
_PLACE = re.compile(r"<input>:(\d+)(?::\d+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Bytes of the stack of native calls, of 1 MiB at least that a thread has.
_STACK = 512 * 1024
#: Seconds that a module has at least to be compiled, and to be evaluated.
_EVALUATION = 1.0
#: Lines of a stack that an error tells.
_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rendering may cost."""

    #: Seconds of CPU time of the thread that renders.
    seconds: float = 0.25
    #: Bytes of an engine, with all its modules.
    memory: int = 32 << 20


@cache
def quickjs() -> Any:
    """The module ``quickjs``; :exc:`RenderingError` if it is not installed."""
    try:
        return import_module("_quickjs")
    except ImportError as error:
        raise RenderingError(
            "components are rendered by QuickJS, which is not installed where the application runs: "
            'pip install "twistd-edge[components]", or pip install quickjs-ng'
        ) from error


class Engine:
    """Has to be made and called in one thread."""

    def __init__(self, read: Callable[[str], str], limits: Limits, allowance: int = 1) -> None:
        """*read* gives the source of the module whose URL has this path."""
        self._read = read
        #: How many times its limit a call may last by the CPU time of all threads.
        self.allowance = allowance
        self._limits = limits
        self._loaded: dict[str, int] = {}
        self._lines = 0
        #: Whether a limit was reached.
        self.is_broken = False
        context = quickjs().Context()
        context.set_max_stack_size(_STACK)
        context.set_memory_limit(limits.memory)
        self._context = context
        self._call = self._evaluate(_DRIVER.read_text("utf-8"), _OWN[0])
        for path in _OWN[1:]:
            self.load(path)

    @property
    def loaded(self) -> list[str]:
        """Paths of the modules that are there, each behind those that it imports."""
        return [path for path in self._loaded if path not in _OWN]

    @property
    def is_full(self) -> bool:
        """Whether half of the memory is taken, before anything is rendered."""
        return bool(self._context.memory()["malloc_size"] > self._limits.memory // 2)

    def load(self, path: str) -> None:
        """Evaluate the module at *path*, and what it imports, unless that is done."""
        if path in self._loaded:
            return
        for one in in_order(path, self._read):
            if one.path not in self._loaded:
                made = self._evaluate(one.text, one.path)
                self.call("evaluate", one.path, made)

    def call(self, what: str, path: str, *given: Any) -> Any:
        """What *what* of the driver says of the module at *path*; *given*: what JSON can say."""
        seconds = self._limits.seconds
        try:
            if what == "evaluate":
                text = self._limited(max(seconds, _EVALUATION), self._call, what, path, *given)
            else:
                text = self._limited(seconds, self._call, what, *map(_json, (path, *given)))
        except quickjs().JSException as error:
            self.is_broken = True
            first, _, stack = str(error).partition("\n")
            raise RenderingError(self._told(path, first, stack)) from None
        answer = json.loads(text)
        if "error" in answer:
            # It may be half done with something, or have no memory left.
            self.is_broken = answer["name"] == "InternalError"
            raise RenderingError(self._told(path, f"{answer['name']}: {answer['error']}", answer["stack"]))
        return answer.get("value")

    def _evaluate(self, text: str, path: str) -> Any:
        """The value of the expression *text*; its lines get numbers that no other module has."""
        self._loaded[path] = self._lines
        try:
            value = self._limited(
                max(self._limits.seconds, _EVALUATION), self._context.eval, "\n" * self._lines + text
            )
        except quickjs().JSException as error:
            first, _, stack = str(error).partition("\n")
            said = f"{path}: {first}{self._frames(stack)}"
            del self._loaded[path]
            raise ModuleError(said) from None
        self._lines += text.count("\n") + 1
        return value

    def _limited(self, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
        """What *function* of QuickJS returns within *seconds* of CPU time of this thread.

        :exc:`Overtaken` if it was ended because of what other threads have used.
        """
        allowed = seconds * self.allowance
        self._context.set_time_limit(allowed)
        own, whole = time.thread_time(), time.process_time()
        try:
            return function(*arguments)
        except quickjs().JSException:
            if time.process_time() - whole >= allowed and time.thread_time() - own < seconds:
                raise Overtaken from None
            raise

    def _told(self, path: str, said: str, stack: str) -> str:
        if "interrupted" in said:
            said = f"took longer than {self._limits.seconds:g} s of CPU time, and was ended"
        elif "out of memory" in said or "Failed obtaining" in said or said == "null":
            said = f"took more than {self._limits.memory >> 20} MiB of memory, and was ended"
        return f"{path}: {said}{self._frames(stack)}"

    def _frames(self, stack: str) -> str:
        """Where that was, in lines of the modules."""
        places = []
        for number in map(int, _PLACE.findall(stack)):
            path, before = max((one for one in self._loaded.items() if one[1] < number), key=itemgetter(1))
            if path not in _OWN:
                places.append(f"{path}:{number - before}")
        return f" (at {', '.join(places[:_FRAMES])})" if places else ""


def well_formed(text: str) -> str:
    """*text* with U+FFFD for halves of surrogate pairs, as browsers write it."""
    return _SURROGATE.sub("\ufffd", text)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise RenderingError(f"props are what JSON can say: {error}") from None
