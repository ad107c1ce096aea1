"""An application that says which trace it was asked in, as WSGI and as ASGI."""

import os

NAMES = ("traceparent", "tracestate")


def wsgi(environ, start_response):
    path = environ["PATH_INFO"]
    if path.endswith("/dies"):
        os._exit(9)
    status = "500 Oops" if path.endswith("/fails") else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
    said = [f"{name}={environ[key]}\n" for name in NAMES if (key := f"HTTP_{name.upper()}") in environ]
    return ["".join(said).encode()]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    lines = [b"%b=%b\n" % (name, value) for name, value in scope["headers"] if name.decode() in NAMES]
    control = b"max-age=60, public" if scope["path"].endswith("/shared") else b"no-store"
    fields = [(b"content-type", b"text/plain"), (b"cache-control", control)]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": b"".join(lines)})
