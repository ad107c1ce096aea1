"""What can go wrong with components.

::

RenderingError      a component cannot be rendered
+-- ModuleError     its module, or one that it imports, cannot be used
Overtaken           not known: other threads have used the CPU time; a lane tries again
"""

from __future__ import annotations


class RenderingError(Exception):
    """A component cannot be rendered; the message names it, the place and the reason."""


class ModuleError(RenderingError):
    """A module that cannot be used; the message names it, and the line."""


class Overtaken(Exception):
    """A call that was ended at its limit, most of which other threads of the process have used."""
