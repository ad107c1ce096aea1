"""Response fields by rule in answers of applications: a layer around the pool; what is stored has them.

An application says itself what its answers are and who may keep them: rules never change
:data:`OF_THE_APPLICATION`.  What a preset sets, it sets where the application has said nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.addresses.fields import apply
from edge.addresses.globs import decoded
from edge.node.applications.origin import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.addresses.fields import Fields as FieldRules
    from edge.http.fields import Fields
    from edge.node.applications.origin import Exchange, Origin, Question, Receiver

#: What an answer is, and who may keep it or read it for how long.
OF_THE_APPLICATION = frozenset(
    {
        b"access-control-allow-credentials",
        b"access-control-allow-origin",
        b"cache-control",
        b"cache-groups",
        b"cdn-cache-control",
        b"content-location",
        b"content-type",
        b"expires",
        b"pragma",
        b"set-cookie",
        b"vary",
    }
)


class RuledOrigin(Layer):
    """An origin around *inner*, in whose answers the rules of its site count."""

    def __init__(self, inner: Origin, rules: Callable[[], FieldRules]) -> None:
        """*rules*: those in force now."""
        super().__init__(inner)
        self._rules = rules

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask *inner*; what it answers has the fields that rules say."""
        rules = self._rules()
        if rules.is_plain:
            return self.inner.ask(question, receiver)
        path = decoded(question.target.partition(b"?")[0])
        return self.inner.ask(question, _Ruled(receiver, rules, path))


class _Ruled:
    """A receiver before *receiver*."""

    __slots__ = ("_path", "_rules", "data", "ended", "failed", "informational", "pause_body", "receiver",
                 "resume_body", "switched")  # fmt: skip

    def __init__(self, receiver: Receiver, rules: FieldRules, path: str) -> None:
        self.receiver = receiver
        self._rules = rules
        self._path = path
        # What is passed on as it comes.
        self.informational, self.switched = receiver.informational, receiver.switched
        self.data, self.ended, self.failed = receiver.data, receiver.ended, receiver.failed
        self.pause_body, self.resume_body = receiver.pause_body, receiver.resume_body

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The head of the answer, with other fields; a 304 stays what it is."""
        self.receiver.started(status, fields if status == 304 else self._changed(fields), length)

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Likewise, the whole answer."""
        self.receiver.answered(status, fields if status == 304 else self._changed(fields), length, body)

    def _changed(self, fields: Fields) -> Fields:
        said = {name.lower() for name, _ in fields}
        kind = next((value for name, value in fields if name.lower() == b"content-type"), b"")
        preset, rules = self._rules.of_answer(self._path, kind)
        changes = [one for one in preset if one[1].lower().encode("ascii") not in said]
        changes += [one for one in rules if one[1].lower().encode("ascii") not in OF_THE_APPLICATION]
        return list(apply(tuple(fields), changes)) if changes else fields
