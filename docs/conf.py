"""How Sphinx makes the site of these documents: ``make docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as _version
from pathlib import Path

# The extensions beside this file, and the project as it stands in this checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

project = "twistd edge"
author = "the edge authors"
project_copyright = author
release = version = _version("twistd-edge")
needs_sphinx = "7.4"

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs._ext.generated", "docs._ext.references"]
# "--users" stays what one types.
smartquotes = False
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# The names of other projects have no pages here; nothing is fetched while building.
nitpick_ignore_regex = [("py:.*", r"(?!edge\.|loadgen\.).*")]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
# Links that leave the site are written with their scheme; whatever else leads nowhere is a warning.
myst_url_schemes = ["http", "https", "mailto"]

# Blocks without a language are shell commands and drawings.
highlight_language = "none"

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["edge.css"]
html_copy_source = False
html_show_sphinx = False
