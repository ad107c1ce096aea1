"""An ASGI application whose answers say who may share them; it counts how often it is asked."""

from urllib.parse import parse_qs

#: Path -> how often it was asked.
asked: dict[str, int] = {}
#: Path -> bytes of the body.
SIZES = {"/large": 300_000}


async def app(scope, receive, send):  # type: ignore[no-untyped-def]
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    path, query = scope["path"], parse_qs(scope["query_string"].decode())
    fields = dict(scope["headers"])
    if path == "/asked":
        body, control = repr(asked).encode(), b"no-store"
    else:
        asked[path] = number = asked.get(path, 0) + 1
        visitor = fields.get(b"cookie", b"nobody")
        body = b"%s %d %s %s\n" % (path.encode(), number, scope["query_string"], visitor)
        body += b"All work and no play. " * (SIZES.get(path, 4400) // 22)
        control = query.get("control", ["s-maxage=60"])[0].encode()
    status = int(query.get("status", ["200"])[0])
    headers = [(b"content-type", b"text/plain"), (b"cache-control", control)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
