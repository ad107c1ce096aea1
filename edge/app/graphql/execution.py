"""An operation executed in bounded time.

Resolvers that block are called in threads, those that are coroutines on the loop.  Before each field is
resolved the deadline is looked at, so an operation of many small steps ends; one step that hangs costs its
thread, and whoever asked gets his answer all the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import time
import traceback
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from graphql import ExecutionContext, ExecutionResult, GraphQLError, GraphQLSchema, execute

if TYPE_CHECKING:
    from graphql.pyutils import AwaitableOrValue

    from edge.app.graphql.documents import Document

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("edge.app.graphql.deadline")


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
) -> ExecutionResult | None:
    """The result of *document*; None: it took longer than *seconds*."""

    def begin() -> AwaitableOrValue[ExecutionResult]:
        _deadline.set(time.monotonic() + seconds)
        return execute(
            schema,
            document.node,
            context_value=context,
            variable_values=variables,
            execution_context_class=_Bounded,
        )

    async def all_of_it() -> ExecutionResult:
        if threads is None:
            begun = begin()
        else:
            loop = asyncio.get_running_loop()
            begun = await loop.run_in_executor(threads, contextvars.copy_context().run, _sheltered, begin)
        result = await begun if inspect.isawaitable(begun) else begun
        if isinstance(result, TooLong):
            raise TimeoutError
        assert isinstance(result, ExecutionResult)
        return result

    try:
        return await asyncio.wait_for(all_of_it(), seconds)
    except (TooLong, asyncio.TimeoutError, TimeoutError):
        return None


def _sheltered(begin: Any) -> Any:
    """What *begin* gives; a deadline that is over is a result, too: futures take no other exceptions."""
    try:
        return begin()
    except TooLong as error:
        return error


def told(errors: list[GraphQLError] | None) -> tuple[list[dict[str, Any]], bool]:
    """*errors* as visitors are told of them, and whether one of them is a fault of ours.

    What a resolver raises as :class:`GraphQLError` is for visitors; anything else goes to the log, whole.
    """
    public, at_fault = [], False
    for error in errors or ():
        original = error.original_error
        if original is None or isinstance(original, GraphQLError):
            public.append(dict(error.formatted))
            continue
        at_fault = True
        where = ".".join(map(str, error.path or ()))
        print(f"GraphQL: the resolver of {where} failed", file=sys.stderr)
        traceback.print_exception(type(original), original, original.__traceback__)
        hidden = GraphQLError("this could not be found out; the log of the application says why", error.nodes)
        public.append({**hidden.formatted, **({"path": error.path} if error.path else {})})
    return public, at_fault
