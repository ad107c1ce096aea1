"""A Flask application as anybody would write it; nothing in it knows of the node."""

import hashlib
import os

from flask import Flask, Response, jsonify, redirect, request, session, stream_with_context, url_for

from edge.app import changed, share, tag

app = Flask(__name__)
sold = []
app.secret_key = "for tests"


@app.get("/")
def index():
    return "<h1>Flask</h1>"


@app.post("/echo")
def echo():
    body = request.get_data()
    return jsonify(size=len(body), digest=hashlib.sha256(body).hexdigest(), type=request.content_type)


@app.post("/form")
def form():
    upload = request.files["file"]
    return jsonify(name=request.form["name"], file=upload.filename, size=len(upload.read()))


@app.get("/where")
def where():
    return jsonify(
        url=request.url, external=url_for("echo", _external=True), peer=request.remote_addr, pid=os.getpid()
    )


@app.get("/count")
def count():
    session["n"] = session.get("n", 0) + 1
    return str(session["n"])


@app.get("/stream")
def stream():
    def pieces():
        for n in range(200):
            yield f"{n} {request.args['x']}\n" * 100

    return Response(stream_with_context(pieces()), mimetype="text/plain")


@app.get("/away")
def away():
    return redirect(url_for("index"))


# What the node's helpers say, which do nothing elsewhere.


@app.get("/ranking")
def ranking():
    share(edge=600)
    tag("ranking")
    return f"{len(sold)} sold; {os.urandom(8).hex()}"


@app.post("/buy")
def buy():
    sold.append(1)
    unsettled = changed("ranking").unsettled
    return jsonify(sold=len(sold), unsettled=unsettled)


@app.get("/fails")
def fails():
    raise RuntimeError("a mistake in the shop")
