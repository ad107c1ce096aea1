"""Applications asked over HTTP/1.1, without input or output: bytes and a time in, events and bytes out.

==================  ==================================================================================
``fields``          which fields pass: what a visitor may say to an application, what an answer may say
``forwarded``       ``Forwarded`` and ``X-Forwarded-*``: what the node itself says of the visitor
``question``        head and body of a question, byte for byte
``answer``          bytes -> the answer, strictly; what is ambiguous is refused
``frame_ends``      where a WebSocket's frames end, so that a goodbye can stand between two
``reuse``           which open connection the next question goes on
``retry``           which questions may be asked twice
``health``          how one server or process does: taken out, tried, taken back
``dispatch``        who is asked next: choice, queue, deadlines
==================  ==================================================================================

The shell around it, with sockets and timers, is :mod:`edge.node.applications`.
"""
