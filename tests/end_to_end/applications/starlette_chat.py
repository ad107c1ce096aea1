"""A Starlette application: lifespan, bodies both ways, WebSockets, a visitor who goes."""

import asyncio
import contextlib
import hashlib

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

seen = {"started": 0, "gone": 0}


@contextlib.asynccontextmanager
async def lifespan(app):
    seen["started"] += 1
    print("chat: up")
    yield {"greeting": "hello"}
    print("chat: down")


async def index(request):
    return PlainTextResponse(f"{request.state.greeting} {request.url}")


async def facts(request):
    return JSONResponse(seen)


async def upload(request):
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return JSONResponse({"size": size, "digest": digest.hexdigest()})


async def endless(request):
    async def pieces():
        try:
            while True:
                yield b"x" * 10_000
                await asyncio.sleep(0)
        finally:
            seen["gone"] += 1

    return StreamingResponse(pieces())


async def events(request):
    async def pieces():
        for n in range(3):
            yield f"data: {n}\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def chat(socket):
    await socket.accept(subprotocol=socket.scope["subprotocols"][0] if socket.scope["subprotocols"] else None)
    async for text in socket.iter_text():
        if text == "bye":
            await socket.close(4000, "as you wish")
            return
        await socket.send_text(f"{socket.url.path}: {text}")


async def private(socket):
    await socket.close()


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", index),
        Route("/facts", facts),
        Route("/upload", upload, methods=["POST"]),
        Route("/endless", endless),
        Route("/events", events),
        WebSocketRoute("/chat", chat),
        WebSocketRoute("/private", private),
    ],
)
