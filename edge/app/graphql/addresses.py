"""Addresses of documents: what the path of a request names, and the one address of a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.app.graphql.requests import Refused
from edge.app.graphql.variables import canonical_query

if TYPE_CHECKING:
    from edge.app.graphql.documents import Document, Documents
    from edge.app.graphql.requests import Scope


class Addresses:
    """The addresses below *at*, the path on the site where the endpoint is mounted."""

    def __init__(self, at: str, documents: Documents) -> None:
        self.at = at.rstrip("/")
        self._documents = documents

    def of(self, document: Document, variables: dict[str, Any]) -> str:
        """The canonical address of *document* with *variables*."""
        return f"{self.at}/{document.identifier}/{document.name}{canonical_query(variables)}"

    def all(self) -> dict[str, str]:
        """The address of each document, without variables."""
        return {document.name: self.of(document, {}) for document in self._documents}

    def is_asked(self, address: str, scope: Scope) -> bool:
        """Whether *scope* asks for *address*, byte for byte."""
        path, _, query = address.partition("?")
        raw = scope.get("raw_path")
        if raw is None or not bytes(raw).startswith(self.at.encode()):  # below what a framework has taken off
            asked = self._path(scope)
        else:
            asked = bytes(raw).partition(b"?")[0].decode("latin-1")
        return asked == path and bytes(scope["query_string"]) == query.encode()

    def rest(self, scope: Scope) -> str:
        """What of the path comes after *at*; :class:`Refused`: it is mounted elsewhere."""
        path = self._path(scope)
        if path != self.at and not path.startswith(f"{self.at}/"):
            raise Refused(
                404,
                f"GraphQL was told that it is at {self.at}, and is asked at {path[:100]}: correct its at=",
            )
        return path[len(self.at) :].strip("/")

    def document(self, rest: str) -> Document:
        """The document of ``sha256:HASH/NAME``, or of ``sha256:HASH``."""
        identifier, _, name = rest.partition("/")
        document = self.find(identifier)
        if name and name != document.name:
            raise Refused(404, f"that document holds {document.name}")
        return document

    def find(self, identifier: str) -> Document:
        """The document with that identifier; :class:`Refused`: there is none."""
        document = self._documents.find(identifier)
        if document is None:
            raise Refused(404, "there is no such document; perhaps the site has a new version: load it again")
        return document

    def _path(self, scope: Scope) -> str:
        """The path on the site: some frameworks take off where they have mounted something."""
        path: str = scope["path"]
        return path if path.startswith(self.at) else scope.get("root_path", "") + path
