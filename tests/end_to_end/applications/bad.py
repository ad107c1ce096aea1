"""Applications that do what they should not."""

import asyncio
import os
import sys
import time

kept = []


def wsgi(environ, start_response):
    """Misbehave as the path says."""
    what = environ["PATH_INFO"].lstrip("/")
    text = [("Content-Type", "text/plain")]
    if what == "status":
        start_response("okay", text)
    elif what == "999":
        start_response("999 Odd", text)
    elif what == "split":
        start_response("200 OK", [("X-Split", "a\r\nSet-Cookie: stolen=1")])
    elif what == "name":
        start_response("200 OK", [("X Y:", "a")])
    elif what == "fields":
        start_response("200 OK", [(f"X-{n}", "y") for n in range(400)])
    elif what == "short":
        start_response("200 OK", [*text, ("Content-Length", "10")])
    elif what == "long":
        start_response("200 OK", [*text, ("Content-Length", "3")])
    elif what == "number":
        start_response("200 OK", [*text, ("Content-Length", "-1")])
    elif what == "text":
        start_response("200 OK", text)
        return ["a text"]
    elif what == "nothing":
        return [b"no head"]
    elif what == "early":
        start_response("200 OK", text)
        return early()
    elif what == "dies":
        start_response("200 OK", text)
        return dies()
    elif what == "exit":
        os._exit(3)
    elif what == "hang":
        time.sleep(60)
    elif what == "fork":
        if os.fork() == 0:
            time.sleep(600)
        os._exit(4)
    elif what == "leak":
        kept.append(b"x" * (60 << 20))
        start_response("200 OK", text)
    elif what == "flood":
        sys.stderr.write("noise\n" * 50_000 + "y" * 30_000)
        start_response("200 OK", text)
    elif what == "control":
        os.write(3, b"what is this?")
        start_response("200 OK", text)
    else:
        start_response("200 OK", text)
    return [b"12345"]


def early():
    yield b"x" * 10
    raise RuntimeError("no more")


def dies():
    yield b"x" * 10
    os._exit(5)


async def asgi(scope, receive, send):
    """Misbehave as the path says."""
    assert scope["type"] == "http", "no lifespan here"
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    match scope["path"].rpartition("/")[2]:
        case "silent":
            return
        case "half":
            await send(start)
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        case "twice":
            await send(start)
            await send(start)
        case "body":
            await send({"type": "http.response.body", "body": b"body"})
        case "odd":
            await send({"type": "http.response.odd"})
        case "hang":
            await asyncio.sleep(60)
        case "block":
            time.sleep(60)
        case _:
            await send(start)
            await send({"type": "http.response.body", "body": b"12345"})
