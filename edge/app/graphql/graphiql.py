"""The page for developers: GraphiQL, from its publisher's copy on the web, each file held to its hash."""

from __future__ import annotations

PAGE = b""
