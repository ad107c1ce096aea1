"""A ``twisted.web`` resource, which answers later, and produces as fast as its visitor takes."""

import os

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import File


class Shop(Resource):
    """Has children."""

    def __init__(self):
        super().__init__()
        self.putChild(b"", self)
        self.putChild(b"later", Later())
        self.putChild(b"file", File(os.path.abspath(__file__)))

    def render_GET(self, request):
        return b"Twisted at " + request.URLPath().path

    def render_POST(self, request):
        return b"%d" % len(request.content.read())


class Later(Resource):
    """Answers when the reactor turns."""

    isLeaf = True

    def render_GET(self, request):
        reactor.callLater(0.01, self.finish, request)
        return NOT_DONE_YET

    def finish(self, request):
        request.write(b"later")
        request.finish()
