"""The endpoint: an ASGI application that answers trusted documents, for any framework to mount.

::

    GET  AT/sha256:HASH/NAME?variables=...   a query; shared until one of its groups changes
    POST AT/sha256:HASH/NAME                 a query or a mutation: {"variables": {...}}
    POST AT                                  the same: {"documentId": "sha256:HASH", "variables": {...}}
    GET  AT/documents.json                   {"NAME": "AT/sha256:HASH/NAME", ...}
    GET  AT, POST AT with "query"            GraphiQL and free-form documents: with a switch, for developers

(graphql-over-http, Appendix A, "Persisted Document Request URL".)  Any other spelling of an address of a
query is redirected to that one (308), so that one meaning is one entry.  Whatever is no success is never
stored: errors, redirects, answers in which one field failed.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.app import marks
from edge.app.graphql.addresses import Addresses
from edge.app.graphql.documents import Document, DocumentError, Documents, prepare
from edge.app.graphql.execution import DONE, FAULT, NOT_NOW, Outcome, run
from edge.app.graphql.graphiql import PAGE
from edge.app.graphql.limits import Limits
from edge.app.graphql.once import Kept, Once, OnceInMemory
from edge.app.graphql.origins import is_run_by_a_node, may_change
from edge.app.graphql.requests import (
    Answer,
    Fields,
    Receive,
    Refused,
    Scope,
    Send,
    encoded,
    headers_of,
    key_of,
    read_body,
)
from edge.app.graphql.variables import (
    WrongVariables,
    canonical_query,
    check,
    from_query,
    parameter,
    strict_json,
)

if TYPE_CHECKING:
    from graphql import GraphQLSchema

_NO_STORE = (b"cache-control", b"no-store")
#: Seconds after which what cannot be had now may be asked for again.
_RETRY = (b"retry-after", b"1")
#: Fields of what is shared: browsers keep an answer, and ask each time whether it is true still.
CONFIRM = (("Cache-Control", "no-cache"),)
#: The address of one document changes when it changes; the list of all is asked for anew so often, seconds.
_LIST_SECONDS = 60


@dataclass
class Context:
    """What resolvers find in ``info.context``; applications derive their own from it."""

    scope: Scope
    #: Whose Idempotency-Keys these are: those of one visitor say nothing to another.
    who: str = ""
    #: The Idempotency-Key of this request; "": none.
    key: str = ""
    #: Further fields of the answer to a POST, as Set-Cookie.
    fields: Fields = field(default_factory=list)


MakeContext = Callable[[Scope], "Context | Awaitable[Context]"]


class Sharing(NamedTuple):
    """How long the edge may give an answer that names its groups: see :func:`edge.app.share`; seconds."""

    edge: int = 3600
    stale: int = 0
    error: int = 86_400


class GraphQL:
    """An ASGI application for *schema*, mounted at *at*."""

    def __init__(
        self,
        schema: GraphQLSchema,
        documents: Documents,
        *,
        at: str = "/graphql",
        context: MakeContext = Context,
        threads: Executor | None = None,
        once: Once | None = None,
        unavailable: tuple[type[Exception], ...] = (),
        limits: Limits | None = None,
        sharing: Sharing | None = None,
        shared_fields: Sequence[tuple[str, str]] = CONFIRM,
        origins: Collection[str] = (),
        development: bool = False,
    ) -> None:
        """*at*: the path on the site where it is mounted.

        *context* makes what resolvers find in ``info.context``.  *threads*: where resolvers are called that
        block; None: on the loop.  *once*: where Idempotency-Keys are kept; None: in this process.
        *unavailable*: exceptions of resolvers, and of *once*, that say "not now".  *shared_fields*: of
        answers that are shared.  *origins*: ``https://HOST`` of other pages that may change something.
        *development*: answer free-form documents, and show GraphiQL.
        """
        self._schema = schema
        self._documents = documents
        self._addresses = Addresses(at, documents)
        self._make_context = context
        self._threads = threads
        self._once = once or OnceInMemory()
        self._unavailable = unavailable
        self._limits = limits or Limits()
        self._sharing = sharing or Sharing()
        self._shared_fields: Fields = [(n.lower().encode(), value.encode()) for n, value in shared_fields]
        self._origins = origins
        self._development = development

    def address(self, name: str, variables: dict[str, Any] | None = None) -> str:
        """The canonical address of the document called *name*, asked with *variables*."""
        return self._addresses.of(self._documents[name], variables or {})

    def document(self, name: str) -> Document:
        """The document called *name*."""
        return self._documents[name]

    @property
    def addresses(self) -> dict[str, str]:
        """The address of each document, without variables."""
        return self._addresses.all()

    @property
    def identifiers(self) -> dict[str, str]:
        """The identifier (``sha256:HASH``) of each document, by its name."""
        return {document.name: document.identifier for document in self._documents}

    async def execute(self, name: str, variables: dict[str, Any], context: Context) -> dict[str, Any]:
        """The GraphQL response of a trusted document, for pages that are made in this process.

        Groups that its resolvers name become those of the answer that is being made.
        """
        outcome = await self._execute(self._documents[name], check(variables, self._limits), context)
        return outcome.response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            raise RuntimeError(f"GraphQL answers HTTP only, not {scope['type']}")
        try:
            answer = await self._answer(scope, receive)
        except Refused as refused:
            answer = refused.answer()
        except WrongVariables as error:
            answer = Refused(400, str(error)).answer()
        except self._unavailable as error:
            print(error, file=sys.stderr)
            answer = Refused(NOT_NOW, "this cannot be had now; try again in a moment", [_RETRY]).answer()
        except Exception:
            traceback.print_exc()
            answer = Refused(FAULT, "this could not be done; the log of the application says why").answer()
        await answer.send(send, scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, rest = scope["method"], self._addresses.rest(scope)
        if method == "POST":
            return await self._post(scope, receive, rest)
        if method not in ("GET", "HEAD"):
            raise Refused(405, "GraphQL is asked by GET and POST", [(b"allow", b"GET, HEAD, POST")])
        if rest == "documents.json":
            marks.share(edge=_LIST_SECONDS)
            return Answer(200, encoded(self.addresses), [*self._shared_fields], b"application/json")
        if not rest:
            return self._front(scope)
        return await self._get(scope, self._addresses.document(rest))

    def _front(self, scope: Scope) -> Answer:
        """The endpoint itself, by GET: a document by parameter is sent to its address."""
        identifier = parameter(scope["query_string"], "documentId")
        if identifier is not None:
            document = self._addresses.find(identifier)
            return self._redirect(document, self._variables(document, scope))
        if self._development:
            return Answer(200, PAGE, [_NO_STORE], b"text/html; charset=utf-8")
        raise Refused(404, f"name a document: GET {self._addresses.at}/sha256:HASH/NAME")

    async def _get(self, scope: Scope, document: Document) -> Answer:
        if document.is_mutation:
            raise Refused(405, f"{document.name} changes something: POST it", [(b"allow", b"POST")])
        variables = self._variables(document, scope)
        if not self._addresses.is_asked(self._addresses.of(document, variables), scope):
            return self._redirect(document, variables)
        outcome = await self._execute(document, variables, await self._context(scope))
        answer = self._of(outcome, [])
        if outcome.status == DONE and answer.status == DONE:
            self._share()
            answer.fields = [*self._shared_fields]
        return answer

    async def _post(self, scope: Scope, receive: Receive, rest: str) -> Answer:
        headers = headers_of(scope)
        if not is_run_by_a_node() and not may_change(headers, scope["scheme"], self._origins):
            raise Refused(403, "this came from a page of another site")
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise Refused(415, "send JSON, with Content-Type: application/json")
        said = strict_json(await read_body(receive, self._limits.body))
        if not isinstance(said, dict):
            raise Refused(400, 'send a JSON object, as {"variables":{"first":10}}')
        document = self._asked_for(said, rest)
        variables = _known(document, check(said.get("variables"), self._limits))
        context = await self._context(scope)
        context.key = key_of(headers)
        if document.is_mutation:
            return await self._mutate(document, variables, context)
        with marks.Marks().in_force():  # nobody shares what was asked for by POST
            return self._of(await self._execute(document, variables, context), context.fields)

    async def _mutate(self, document: Document, variables: dict[str, Any], context: Context) -> Answer:
        if not context.key:
            raise Refused(400, "a mutation needs the field Idempotency-Key: a new one each, as a UUID")
        meaning = f"{document.identifier}{canonical_query(variables)}"
        fingerprint = hashlib.sha256(meaning.encode()).hexdigest()
        kept = await self._in_thread(self._once.begin, context.who, context.key, fingerprint)
        if kept is not None:
            return _again(kept, fingerprint, context)
        outcome = await self._execute(document, variables, context)
        answer = self._of(outcome, context.fields)
        if outcome.status < FAULT:
            await self._in_thread(self._once.finish, context.who, context.key, answer.status, answer.body)
        elif outcome.has_ended:  # else it may be going on, and the same is not begun beside it
            await self._in_thread(self._once.abandon, context.who, context.key)
        said = marks.current()
        if said is not None:
            said.sharing, said.groups = b"", {}
        return answer

    def _asked_for(self, said: dict[str, Any], rest: str) -> Document:
        """The document that a POST asks for."""
        if rest:
            return self._addresses.document(rest)
        identifier, text = said.get("documentId"), said.get("query")
        if isinstance(identifier, str):
            return self._addresses.find(identifier)
        if not isinstance(text, str):
            raise Refused(400, "name a document: documentId, sha256:HASH")
        if not self._development:
            raise Refused(404, "only documents of this site are answered here; name one by documentId")
        try:
            return prepare(text, self._schema, self._limits)
        except DocumentError as error:
            raise Refused(422, str(error)) from None

    async def _execute(self, document: Document, variables: dict[str, Any], context: Context) -> Outcome:
        seconds, threads = self._limits.seconds, self._threads
        return await run(self._schema, document, variables, context, seconds, threads, self._unavailable)

    def _of(self, outcome: Outcome, fields: Fields) -> Answer:
        """The answer that tells *outcome*, for nobody to keep."""
        body = encoded(outcome.response)
        if len(body) > self._limits.answer:
            raise Refused(FAULT, f"the answer has more than {self._limits.answer:,} bytes: ask for less")
        retry = [_RETRY] if outcome.status == NOT_NOW else []
        return Answer(outcome.status, body, [_NO_STORE, *retry, *fields])

    async def _context(self, scope: Scope) -> Context:
        made = self._make_context(scope)
        return await made if inspect.isawaitable(made) else made

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What *function* gives, called where resolvers are."""
        if self._threads is None:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _variables(self, document: Document, scope: Scope) -> dict[str, Any]:
        """The variables in the address of a request."""
        return _known(document, from_query(scope["query_string"], self._limits))

    def _redirect(self, document: Document, variables: dict[str, Any]) -> Answer:
        address = self._addresses.of(document, variables)
        return Answer(308, b"", [(b"location", address.encode()), _NO_STORE])

    def _share(self) -> None:
        """Have the answer shared, if somebody can take it back; what a resolver has said goes first."""
        said = marks.current()
        if said is not None and said.groups and not said.sharing:
            marks.share(*self._sharing)


def _known(document: Document, variables: dict[str, Any]) -> dict[str, Any]:
    """*variables*, if they are *document*'s: any other would make one more entry of the same answer."""
    for name in variables:
        if name not in document.variables:
            raise WrongVariables(f"{document.name} has no variable ${name[:64]}")
    return variables


def _again(kept: Kept, fingerprint: str, context: Context) -> Answer:
    """The answer to a mutation whose key is known."""
    if kept.fingerprint != fingerprint:
        raise Refused(422, "this Idempotency-Key was another request's: take a new one")
    if not kept.status:
        raise Refused(409, "the same is being done already", [_RETRY])
    return Answer(kept.status, kept.body, [_NO_STORE, (b"idempotent-replayed", b"true"), *context.fields])
