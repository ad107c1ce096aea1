"""An operation executed in bounded time.

Resolvers that block are called in threads, those that are coroutines on the loop.  Before each field is
resolved the deadline is looked at, so an operation of many small steps ends; one step that hangs costs its
thread, and whoever asked gets his answer all the same.

What resolvers say of the answer (:func:`edge.app.share`, :func:`edge.app.tag`) counts only if none of them
failed.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import time
import traceback
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import ExecutionContext, ExecutionResult, GraphQLError, GraphQLSchema, execute

from edge.app import marks

if TYPE_CHECKING:
    from graphql.pyutils import AwaitableOrValue

    from edge.app.graphql.documents import Document

#: What became of an operation, as the status of its answer (graphql-over-http, section 6.4).
DONE, PARTLY, WRONG_VARIABLES, FAULT, NOT_NOW = 200, 294, 422, 500, 503

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("edge.app.graphql.deadline")


class Outcome(NamedTuple):
    """What became of an operation."""

    status: int
    #: The GraphQL response.
    response: dict[str, Any]
    #: Whether it has ended: what took too long may go on in its thread.
    has_ended: bool = True


class TooLong(BaseException):
    """The operation is given up.  It is no :class:`Exception`: resolvers and graphql-core let it through."""


class _Bounded(ExecutionContext):
    """Fields are resolved until the deadline."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline = _deadline.get()

    def execute_field(self, *arguments: Any, **named: Any) -> AwaitableOrValue[Any]:
        if time.monotonic() > self._deadline:
            raise TooLong
        return super().execute_field(*arguments, **named)


async def run(
    schema: GraphQLSchema,
    document: Document,
    variables: dict[str, Any],
    context: Any,
    seconds: float,
    threads: Executor | None,
    unavailable: tuple[type[Exception], ...] = (),
) -> Outcome:
    """Execute *document*; *unavailable*: exceptions that say "not now", and are no fault."""
    said = marks.Marks()

    def begin() -> AwaitableOrValue[ExecutionResult] | TooLong:
        _deadline.set(time.monotonic() + seconds)
        try:
            return execute(
                schema,
                document.node,
                context_value=context,
                variable_values=variables,
                execution_context_class=_Bounded,
            )
        except TooLong as error:  # futures take no such exceptions
            return error

    async def all_of_it() -> ExecutionResult | None:
        said.put_in_force()
        if threads is None:
            begun = begin()
        else:
            in_context = contextvars.copy_context().run
            begun = await asyncio.get_running_loop().run_in_executor(threads, in_context, begin)
        try:
            result = await begun if inspect.isawaitable(begun) else begun
        except TooLong:
            return None
        return result if isinstance(result, ExecutionResult) else None

    try:
        result = await asyncio.wait_for(asyncio.ensure_future(all_of_it()), seconds)
    except (asyncio.TimeoutError, TimeoutError):
        result = None
    if result is None:
        return Outcome(NOT_NOW, _error(f"this took longer than {seconds:g} seconds"), False)
    outcome = _outcome(result, unavailable)
    _pass_on(said, outcome.status == DONE)
    return outcome


def _outcome(result: ExecutionResult, unavailable: tuple[type[Exception], ...]) -> Outcome:
    """What visitors are told.

    What a resolver raises as :class:`GraphQLError` is for them.  Anything else is a fault: it goes to the
    log, and its answer has no data at all, so that it is a 5xx, and the edge goes on with what it had.
    """
    errors = result.errors or []
    if not errors:
        return Outcome(DONE, {"data": result.data})
    others = [
        error
        for error in errors
        if error.original_error and not isinstance(error.original_error, GraphQLError)
    ]
    faults = [error for error in others if not isinstance(error.original_error, unavailable)]
    for error in faults:
        where = ".".join(map(str, error.path or ()))
        print(f"GraphQL: the resolver of {where} failed", file=sys.stderr)
        traceback.print_exception(error.original_error)
    if faults:
        return Outcome(FAULT, _error("this could not be done; the log of the application says why"))
    if others:
        return Outcome(NOT_NOW, _error("this cannot be had now; try again in a moment"))
    public = [dict(error.formatted) for error in errors]
    if all(error.path is None for error in errors):
        return Outcome(WRONG_VARIABLES, {"errors": public})
    return Outcome(PARTLY, {"errors": public, "data": result.data})


def _error(message: str) -> dict[str, Any]:
    return {"errors": [{"message": message}]}


def _pass_on(said: marks.Marks, is_done: bool) -> None:
    """Have what resolvers have *said* be of the answer that is being made."""
    answer = marks.current()
    if answer is None:
        return
    answer.invalidated.update(said.invalidated)
    if is_done:
        answer.groups.update(said.groups)
        answer.sharing = said.sharing or answer.sharing
