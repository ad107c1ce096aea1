"""One connection on the Twisted side of a node; imports ``process`` only.

* ``channel.py``: strict requests in, ordered answers out, deadlines, lingering;
  ``states.py``: its states, and all that can happen in them, as a table
* ``request.py``: the ``twisted.web`` request as the channel drives it; ``body.py``: a file as a body
* ``streamed.py``: requests that are answered while they come, as protocols;
  ``staying.py``: whether connections stay for the next one
* ``framing.py``: no answer leaves that could be misread
* ``input.py``: whether the transport is read;
  ``output.py``, ``producing.py``: writes, producers, and what the peer takes
* ``holding.py``: what it holds of the process's pools, and files that are in one
* ``upgraded.py``: after ``101 Switching Protocols``; ``ended.py``: what an end counts as
* ``recording.py``: a request and its answer, for the access log; ``tracing.py``: as spans, for traces
* ``guarding.py``: who may; ``refused.py``: a request that is answered so
* ``context.py``: what these need of the site, as protocols;
  ``site.py``: what all channels of a process share; the root of the resources
"""
