"""An application that says which trace it was asked in, as WSGI and as ASGI."""

NAMES = ("traceparent", "tracestate")


def wsgi(environ, start_response):
    status = {"/wsgi/missing": "404 Not Found", "/wsgi/fails": "500 Oops"}.get(environ["PATH_INFO"], "200 OK")
    if "/wsgi/dies" in (environ["PATH_INFO"], environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]):
        import os

        os._exit(9)
    start_response(status, [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
    said = [f"{name}={environ.get('HTTP_' + name.upper(), '')}\n" for name in NAMES]
    return ["".join(said).encode()]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    lines = [b"%b=%b\n" % (name, value) for name, value in scope["headers"] if name.decode() in NAMES]
    shared = scope["path"].endswith("/shared")
    control = b"max-age=60, public" if shared else b"no-store"
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"cache-control", control)],
        }
    )
    await send({"type": "http.response.body", "body": b"".join(lines)})
