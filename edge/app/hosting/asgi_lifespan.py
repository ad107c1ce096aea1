"""The lifespan of an ASGI application: startup before it is ready, shutdown when all is answered."""

from __future__ import annotations

import asyncio
from typing import Any

from edge.app.hosting.loading import CannotLoad

#: Seconds for a shutdown.
SHUTDOWN_SECONDS = 5.0


class Lifespan:
    """What the application does before its first request and after its last."""

    def __init__(self, application: Any) -> None:
        self._application = application
        #: What it has put there for its requests.
        self.state: dict[str, Any] = {}
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        #: The application knows what a lifespan is.
        self._is_understood = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it up; :class:`CannotLoad` if it says that this failed."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._events.put_nowait({"type": "lifespan.startup"})
        said = await self._said.get()
        if said["type"] == "lifespan.startup.failed":
            raise CannotLoad(f"its startup failed: {said.get('message') or 'it does not say why'}")

    async def stop(self) -> None:
        """Shut it down, for :data:`SHUTDOWN_SECONDS` at most."""
        if self._task is None or self._task.done():
            return
        self._events.put_nowait({"type": "lifespan.shutdown"})
        try:
            said = await asyncio.wait_for(self._said.get(), SHUTDOWN_SECONDS)
        except asyncio.TimeoutError:
            print(f"the application did not shut down within {SHUTDOWN_SECONDS:g} s", flush=True)
            return
        if said["type"] == "lifespan.shutdown.failed":
            print(f"its shutdown failed: {said.get('message') or 'it does not say why'}", flush=True)

    async def _run(self) -> None:
        asgi = {"version": "3.0", "spec_version": "2.0"}
        try:
            await self._application(
                {"type": "lifespan", "asgi": asgi, "state": self.state}, self._events.get, self._send
            )
        except Exception as error:
            # Who does not know it raises at once, as the specification has it; then there is none.
            if self._is_understood:
                print(f"its lifespan failed: {type(error).__name__}: {error}", flush=True)
        await self._said.put({"type": "over"})

    async def _send(self, event: dict[str, Any]) -> None:
        self._is_understood = True
        await self._said.put(event)
