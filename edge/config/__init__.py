"""The configuration of a node: what can be set, where it comes from, and whether it would work.

* ``model.py``: :class:`Config`, and the defaults
* ``settings.py``: the one list of settings: names, kinds, help
* ``values.py``: the kinds of values, read from text or from TOML, with a remedy for each wrong one
* ``applications.py``: applications behind the edge, by ``--app`` and tables ``[[app]]``
* ``addresses.py``: redirects, rewrites and response fields, by options or tables
* ``address_report.py``: for ``--check``: what a 304 will weigh, and what rules say in vain
* ``access.py``: who may, by options or tables
* ``sites.py``: further sites, by ``--site`` and tables ``[[site]]``
* ``load.py``: command line over TOML file over defaults
* ``lines.py``: where in the file a problem stands
* ``paths.py``: where things are when nobody says
* ``publishing.py``: how a site is published; ``on_disk.py``: the little of it that one path needs
* ``trying.py``: how a request would be answered, and by which rule
* ``traces.py``: whether requests can be traced
* ``check.py``: ``--check``: would this configuration work on this machine, now?
"""

from __future__ import annotations

from edge.config.applications import Application
from edge.config.check import find_exposed, find_problems, summarize
from edge.config.load import load, placed, reload
from edge.config.model import Config, Site, SiteRules
from edge.config.paths import default_state_dir, default_webroot
from edge.config.settings import SETTINGS, Setting, needs_restart

__all__ = [
    "SETTINGS",
    "Application",
    "Config",
    "Setting",
    "Site",
    "SiteRules",
    "default_state_dir",
    "default_webroot",
    "find_exposed",
    "find_problems",
    "load",
    "needs_restart",
    "placed",
    "reload",
    "summarize",
]
