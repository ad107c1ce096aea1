"""Trusted documents: the only operations that visitors may ask for, each a file of its own.

``queries/Ranking.graphql`` holds one operation, called ``Ranking`` as the file, and the fragments that it
needs.  It is known by the SHA-256 of its bytes, as ``sha256sum`` prints it (graphql-over-http, Appendix A,
"SHA256 Hex Document Identifier").  All are parsed, validated and measured when they are read.

Pages that were loaded before a deploy ask for the documents of before.  Those that are to be answered still,
or already, while nodes are deployed one after the other, lie in ``queries/kept/``, under any name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    Source,
    parse,
    validate,
    validate_schema,
)

from edge.app.graphql.limits import Limits, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphql import DocumentNode, GraphQLSchema

#: Parsing one deeper than this needs more stack than Python has.
MAX_TOKENS = 10_000
#: The folder of documents of other versions.
KEPT = "kept"
#: What tools ask of a schema is as deep as this.
INTROSPECTION_DEPTH = 20
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,127}")


class DocumentError(Exception):
    """A document cannot be used; str() has a line ``FILE:LINE:COLUMN: what is wrong`` for each fault."""


class Document:
    """An operation that may be executed: parsed, validated, measured."""

    def __init__(self, name: str, text: str, node: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.name = name
        self.text = text
        self.node = node
        self.operation = operation
        #: As it stands in addresses.
        self.identifier = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        self.is_mutation = operation.operation is OperationType.MUTATION
        self.variables = frozenset(one.variable.name.value for one in operation.variable_definitions or ())


class Documents:
    """The trusted documents of an application."""

    def __init__(self, documents: Iterable[Document], kept: Iterable[Document] = ()) -> None:
        """*kept*: of other versions, which are found by their identifiers alone."""
        self._by_identifier = {document.identifier: document for document in kept}
        self._by_name: dict[str, Document] = {}
        for document in documents:
            self._by_identifier[document.identifier] = document
            self._by_name[document.name] = document

    @classmethod
    def read(cls, folder: str | Path, schema: GraphQLSchema, limits: Limits | None = None) -> Documents:
        """All ``*.graphql`` of *folder*; :class:`DocumentError` tells all that is wrong with them."""
        folder = Path(folder)
        files = sorted(folder.glob("*.graphql"))
        if not files:
            raise DocumentError(f"{folder}: there are no documents; put one operation into each NAME.graphql")
        _check_schema(schema)
        found: dict[Path, Document] = {}
        problems = []
        for file in (*files, *sorted((folder / KEPT).glob("*.graphql"))):
            try:
                found[file] = _read(file, schema, limits or Limits(), is_kept=file.parent != folder)
            except DocumentError as error:
                problems.append(str(error))
        if problems:
            raise DocumentError("\n".join(problems))
        named = [found.pop(file) for file in files]
        return cls(named, found.values())

    def __iter__(self) -> Iterator[Document]:
        return iter(self._by_name.values())

    def find(self, identifier: str) -> Document | None:
        """The document with that identifier (``sha256:HASH``)."""
        return self._by_identifier.get(identifier)

    def __getitem__(self, name: str) -> Document:
        """The document called *name*; :class:`KeyError`: there is none."""
        return self._by_name[name]


def _check_schema(schema: GraphQLSchema) -> None:
    faults = validate_schema(schema)
    if faults:
        raise DocumentError("\n".join(f"the schema: {fault.message}" for fault in faults))


def _read(file: Path, schema: GraphQLSchema, limits: Limits, is_kept: bool) -> Document:
    if not is_kept and not _NAME.fullmatch(file.stem):
        raise DocumentError(f"{file}: the name of a document has letters, digits and _, as Ranking.graphql")
    try:
        with file.open("rb") as opened:
            raw = opened.read(limits.document + 1)
    except OSError as error:
        raise DocumentError(f"{file}: it cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DocumentError(f"{file}:{line}:1: it is no UTF-8; save it as such") from None
    document = prepare(text, schema, limits, str(file))
    if not document.name or (not is_kept and document.name != file.stem):
        raise DocumentError(
            f"{_place(file, document.operation)}: the operation is called {document.name or 'nothing'}; "
            f"call it {file.stem}, as the file"
        )
    return document


def prepare(text: str, schema: GraphQLSchema, limits: Limits, origin: str = "document") -> Document:
    """*text* as a document; :class:`DocumentError` says what is wrong, where, in *origin*."""
    if len(text.encode("utf-8", "surrogatepass")) > limits.document:
        raise DocumentError(f"{origin}: a document has {limits.document:,} bytes at most")
    try:
        node = parse(Source(text, origin), max_tokens=MAX_TOKENS)
    except GraphQLError as error:
        raise DocumentError(_told(origin, error)) from None
    except RecursionError:
        raise DocumentError(f"{origin}: it is nested too deeply to be read") from None
    operations = [one for one in node.definitions if isinstance(one, OperationDefinitionNode)]
    if len(operations) != 1:
        raise DocumentError(f"{origin}: it has {len(operations)} operations; a document holds one")
    operation = operations[0]
    if operation.operation is OperationType.SUBSCRIPTION:
        place = _place(origin, operation)
        raise DocumentError(f"{place}: subscriptions are not served; pages are told what changed by groups")
    try:
        faults = validate(schema, node)
    except RecursionError:
        raise DocumentError(f"{origin}: it is nested too deeply to be validated") from None
    if faults:
        raise DocumentError("\n".join(_told(origin, fault) for fault in faults))
    fragments = {one.name.value: one for one in node.definitions if isinstance(one, FragmentDefinitionNode)}
    if _is_introspection(operation):
        limits = replace(limits, depth=max(limits.depth, INTROSPECTION_DEPTH))
    problem = measure(operation.selection_set, fragments).problem(limits)
    if problem:
        raise DocumentError(f"{_place(origin, operation)}: {problem}")
    return Document(operation.name.value if operation.name else "", text, node, operation)


def _is_introspection(operation: OperationDefinitionNode) -> bool:
    """Whether it asks for the schema alone, and so calls no resolver of the application."""
    fields = operation.selection_set.selections
    return all(isinstance(one, FieldNode) and one.name.value in ("__schema", "__type") for one in fields)


def _told(origin: str, error: GraphQLError) -> str:
    if not error.locations:
        return f"{origin}: {error.message}"
    line, column = error.locations[0]
    return f"{origin}:{line}:{column}: {error.message}"


def _place(origin: str | Path, operation: OperationDefinitionNode) -> str:
    start = operation.loc.start_token if operation.loc else None
    return f"{origin}:{start.line}:{start.column}" if start else str(origin)
