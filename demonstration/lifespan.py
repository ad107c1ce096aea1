"""The start and the end of an application (ASGI, "Lifespan Protocol"), of which a failure is a sentence.

Starlette's own would put a traceback in the log for a database that is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import Any

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class WithLifespan:
    """*application* within *life*: begun before the first request, left after the last."""

    def __init__(
        self,
        application: Callable[[Event, Receive, Send], Awaitable[None]],
        life: Callable[[], AbstractAsyncContextManager[None]],
        failures: tuple[type[Exception], ...],
    ) -> None:
        """*failures*: exceptions whose str() says what is wrong; all others are faults, and raised."""
        self._application = application
        self._life = life
        self._failures = failures

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        await receive()
        life = self._life()
        try:
            await life.__aenter__()
        except self._failures as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await life.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})
