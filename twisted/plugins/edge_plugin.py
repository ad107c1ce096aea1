"""Makes ``twistd edge`` known to Twisted."""

from twisted.application.service import ServiceMaker

edge = ServiceMaker(
    "edge", "edge.tap", "Serve a site's files from shared memory, as one node of a cluster.", "edge"
)
