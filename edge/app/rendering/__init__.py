"""Components on the server: the modules that browsers run, rendered by QuickJS in the application's process.

What may live here needs no Twisted and no node; ``quickjs-ng`` alone (the extra ``components``).  A page
is streamed: its head at once, then each part when its data are there, in order, so that it works without
scripts; its state is embedded, and the runtime in the browser takes over without touching anything.

* ``components.py``: :class:`Components`, what applications use
* ``page.py``: a page as it is streamed; ``state.py``: its state, embedded
* ``lane.py``: the thread that an engine lives in; ``engine.py``: QuickJS within limits (``driver.js`` is its
  inside); ``modules.py``: ES modules for an engine without a loader
* ``errors.py``: what can go wrong
"""

from __future__ import annotations

from edge.app.rendering.components import Components
from edge.app.rendering.engine import Limits
from edge.app.rendering.errors import ModuleError, RenderingError
from edge.app.rendering.page import STATE, Part
from edge.app.rendering.state import embedded

__all__ = ["STATE", "Components", "Limits", "ModuleError", "Part", "RenderingError", "embedded"]
