"""HTTP/1.1 without input or output: bytes and a time in, events and bytes out.

Nothing here imports Twisted, opens a socket or reads the clock.  RFC 9110 (semantics) and 9112
(messages) are cited where they decide something.

==================  ==================================================================================
``grammar``         regexes and tables of the RFCs' rules
``errors``          what a request can be refused for; reason phrases
``target``          request-target: its forms, canonical paths, ``?~etag=TAG``
``request_line``    method, target, version
``fields``          field sections and lists
``framing``         how long a body is: Content-Length, Transfer-Encoding, chunks
``head``            the head as a whole: Host, framing, Expect, Connection
``events``          what the parser reports; limits
``parser``          bytes -> events, strictly
``dates``           HTTP-date
``conditional``     If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since
``ranges``          Range, If-Range
``negotiation``     Accept, Accept-Encoding -> variant
``revalidation``    the bodies of ``POST /.edge/revalidate``
``changes``         states of the site, and ``GET /.edge/changes?since=S``
``visitor``         who asks through trusted proxies: Forwarded, X-Forwarded-For
``proxy_header``    the header of the PROXY protocol
``questions``       the same over the push socket, in bytes
``forms``           fields of queries and forms, for who asks for them
``own_origins``     origins of this server, as a request names it
``websocket``       RFC 6455: handshake and one connection
``answer``          heads of answers, byte for byte
==================  ==================================================================================

A request on its way: ``parser`` (with ``fields``, ``framing``, ``target``) makes the head;
``canonical_path`` finds what it means; ``choose_variant`` the representation; ``evaluate`` whether
to send it; ``select_range`` how much of it; ``answer`` writes the head.
"""
