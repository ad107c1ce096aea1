"""What one operation may ask for, and the measuring of it.

Trusted documents are measured once at start, free-form ones each time.  Fragments count wherever they are
spread; each is measured once, so that a document that doubles itself by fragments costs no more than its
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import FragmentDefinitionNode, SelectionSetNode


@dataclass(frozen=True)
class Limits:
    """Limits of a document, its variables and its execution."""

    #: Fields within fields.
    depth: int = 12
    #: Fields under another name: each may be the same costly field once more.
    aliases: int = 30
    #: Fields in all, with those of fragments wherever they are spread.
    fields: int = 500
    #: Bytes of a document.
    document: int = 32 * 1024
    #: Bytes of the variables, as JSON in an address.
    variables: int = 4 * 1024
    #: Values of one list of variables, or of one of its objects.
    items: int = 100
    #: Lists and objects within each other, in variables.
    nesting: int = 8
    #: Bytes of the body of a POST.
    body: int = 64 * 1024
    #: Bytes of an answer.
    answer: int = 1024 * 1024
    #: Seconds until an operation is given up.
    seconds: float = 5.0


class Measure(NamedTuple):
    """How large an operation is."""

    depth: int
    aliases: int
    fields: int

    def problem(self, limits: Limits) -> str | None:
        """The limit that it exceeds, in words; None: none."""
        for name, unit in (("depth", "levels"), ("aliases", "aliases"), ("fields", "fields")):
            has, may = getattr(self, name), getattr(limits, name)
            if has > may:
                return f"it has {has if has < 10**6 else 'over a million'} {unit}, and may have {may}"
        return None


def measure(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Measure:
    """The size of an operation whose fragments exist and do not contain themselves."""
    return _Measuring(fragments).of(selections)


class _Measuring:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, Measure] = {}

    def of(self, selections: SelectionSetNode | None) -> Measure:
        depth = aliases = fields = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                inner = self.of(node.selection_set)
                inner = Measure(inner.depth + 1, inner.aliases + (node.alias is not None), inner.fields + 1)
            elif isinstance(node, InlineFragmentNode):
                inner = self.of(node.selection_set)
            else:
                assert isinstance(node, FragmentSpreadNode)
                inner = self._of_fragment(node.name.value)
            depth = max(depth, inner.depth)
            aliases, fields = aliases + inner.aliases, fields + inner.fields
        return Measure(depth, aliases, fields)

    def _of_fragment(self, name: str) -> Measure:
        if name not in self._known:
            self._known[name] = self.of(self._fragments[name].selection_set)
        return self._known[name]
