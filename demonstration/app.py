"""The ASGI application of the demonstration: ``twistd edge --app /=demonstration.app:app``.

Reading is shared: pages and queries are the same for everybody, and bear the groups of their data.  Writing
is a form or a mutation; both call the same services, which tell all nodes what changed before they are
answered.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from demonstration import forms, pages
from demonstration.data.opening import open_store
from demonstration.data.store import Store, StoreError, TooMany, Unavailable
from demonstration.lifespan import WithLifespan
from demonstration.schema import SiteContext, make_schema
from demonstration.services import characters, comments, search, votes
from demonstration.services.groups import RANKING, RECENT, UNICODE, block_group, character_group
from demonstration.services.watching import watch, watch_channel
from demonstration.sessions import UNGUESSABLE, KeyFileError, Keys, Sessions
from demonstration.settings import Settings, read_settings
from edge.app import share, tag
from edge.app.graphql import Context, Documents, GraphQL
from edge.app.graphql.origins import is_run_by_a_node
from edge.app.graphql.requests import Refused, Scope, headers_of, key_of, read_body
from edge.app.rendering import Components

QUERIES = Path(__file__).with_name("queries")
WEBROOT = Path(__file__).with_name("webroot")
#: Threads in which the store is asked.
THREADS = 8
#: Seconds that the edge gives a page which names its groups; while the application fails, much longer.
SHARED_SECONDS, ERROR_SECONDS = 3600, 7 * 86_400
#: Browsers ask each time; the smart client, which is told what changed, gives what it has at once.
SHARED_FIELDS = {
    "Cache-Control": "no-cache",
    "Edge-Client-Cache-Control": "stale-while-revalidate=2592000, stale-if-error=2592000",
}
_NO_STORE = {"cache-control": "no-store"}


class Site:
    """The application in one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self._sessions: Sessions | None = None
        self._threads = ThreadPoolExecutor(THREADS, "store")
        self._components = Components(WEBROOT)
        schema = make_schema()
        self.graphql = GraphQL(
            schema,
            Documents.read(QUERIES, schema),
            context=self._context,
            threads=self._threads,
            once=_LateOnce(lambda: self.store),
            unavailable=(Unavailable,),
            shared_fields=list(SHARED_FIELDS.items()),
            origins=settings.origins,
            development=settings.development,
        )

    @property
    def store(self) -> Store:
        """The data; there while the application runs."""
        assert self._store is not None
        return self._store

    def asgi(self) -> WithLifespan:
        """The application."""
        application = Starlette(
            routes=[
                Route("/graphql", self.graphql),
                Mount("/graphql", self.graphql),
                Route("/", self.entry),
                Route("/ranking", self.ranking),
                Route("/blocks", self.blocks),
                Route("/block/{slug}", self.block),
                Route("/character/{code}", self.character),
                Route("/search", self.search),
                Route("/vote", self.vote, methods=["POST"]),
                Route("/comment", self.comment, methods=["POST"]),
            ],
            exception_handlers={404: _not_found, Unavailable: _unavailable, StoreError: _unavailable},
        )
        return WithLifespan(application, self._life, (StoreError, KeyFileError))

    @asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        settings = self._settings
        self._store = store = open_store(settings.data, settings.cache)
        self._sessions = Sessions(Keys(settings.key))
        watches = [watch(store)]
        if settings.cache:
            watches.append(watch_channel(settings.cache, store.renew))
        try:
            yield
        finally:
            for one in watches:
                await asyncio.to_thread(one.stop)
            self._components.close()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self.store.close()

    # Reading

    async def entry(self, request: Request) -> Response:
        """The page ``/``."""
        return await self._shown(request, pages.entry(), RANKING, RECENT, UNICODE)

    async def ranking(self, request: Request) -> Response:
        """The page ``/ranking``."""
        return await self._shown(request, pages.ranking(), RANKING)

    async def blocks(self, request: Request) -> Response:
        """The page ``/blocks``."""
        return await self._shown(request, pages.blocks(), UNICODE)

    async def block(self, request: Request) -> Response:
        """The page ``/block/SLUG``."""
        number = request.query_params.get("page", "1")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
        found = characters.blocks_by_slug().get(request.path_params["slug"])
        if found is None or not 1 <= page <= found.pages:
            return _missing("There is no such block.")
        shown = pages.block(found.slug, found.name, page)
        return await self._shown(request, shown, UNICODE, block_group(found.slug))

    async def character(self, request: Request) -> Response:
        """The page ``/character/CODE``."""
        code = request.path_params["code"]
        point = characters.read_code(code)
        if point is None:
            return _missing("There is no such character.")
        if code != f"{point:x}":
            return RedirectResponse(f"/character/{point:x}", 308, {"cache-control": "max-age=86400"})
        shown = pages.character(code, characters.name_of(point))
        return await self._shown(request, shown, UNICODE, character_group(point))

    async def search(self, request: Request) -> Response:
        """The page ``/search?q=TEXT``."""
        text = request.query_params.get("q", "")[:80].strip()
        found = await asyncio.get_running_loop().run_in_executor(self._threads, search.search, text)
        return await self._shown(request, pages.search(text), UNICODE, *map(character_group, found))

    async def _shown(self, request: Request, shown: list[Any], *groups: str) -> Response:
        """A page for everybody: the edge keeps it until one of *groups* changes; browsers ask each time.

        Its head leaves before its data are there, so it cannot wait for resolvers to name its groups.
        """
        tag(*groups)
        context = await self._context(request.scope)

        async def ask(name: str, variables: dict[str, Any]) -> dict[str, Any]:
            response = await self.graphql.execute(name, variables, context)
            if response.get("errors"):
                raise Unavailable(response["errors"][0]["message"])
            data: dict[str, Any] = response["data"]
            return data

        share(edge=SHARED_SECONDS, error=ERROR_SECONDS)
        documents = pages.documents(shown, self.graphql.identifiers)
        stream = self._components.page(shown, ask, documents)
        return StreamingResponse(stream, media_type="text/html", headers=SHARED_FIELDS)

    # Writing

    async def vote(self, request: Request) -> Response:
        """The form ``/vote``: code, wanted, back."""
        return await self._form(request, lambda form, visitor, _key: self._vote(form, visitor))

    async def comment(self, request: Request) -> Response:
        """The form ``/comment``: code, text, back."""
        return await self._form(request, self._comment)

    def _vote(self, form: dict[str, str], visitor: str) -> None:
        votes.vote(self.store, visitor, _point(form), form.get("wanted", "1") != "0")

    def _comment(self, form: dict[str, str], visitor: str, key: str) -> None:
        point, text = _point(form), form.get("text", "")
        # A form brings no key: sent twice, by a double click, it says the same again.
        key = key or f"said {hashlib.sha256(f'{point:x} {text}'.encode()).hexdigest()}"
        comments.comment(self.store, visitor, point, text, key)

    async def _form(self, request: Request, act: Callable[[dict[str, str], str, str], None]) -> Response:
        """Check where a form comes from, act in a thread, and send the visitor back."""
        assert self._sessions is not None
        came = forms.comes_from(
            request.headers, request.url.scheme, self._settings.origins, is_run_by_a_node()
        )
        if came == "elsewhere":
            return _refused(403, "This came from a page of another site; it was not carried out.")
        try:
            form = forms.read_form(await read_body(request.receive, forms.MAX_BYTES))
        except Refused as refused:
            return _refused(refused.status, str(refused))
        except forms.WrongForm as error:
            return _refused(400, str(error))
        known = self._sessions.visitor(request.headers.get("cookie", ""))
        key = request.headers.get("idempotency-key", "")[:200]
        visitor = known or self._sessions.new_visitor(key)
        cookie = {"set-cookie": self._sessions.cookie(visitor, request.url.scheme == "https")}
        token = form.pop("token", "")
        if came == "unknown" and not (known and self._sessions.is_token(token, known)):
            body = forms.confirmation(request.url.path, form, self._sessions.token(visitor))
            return HTMLResponse(pages.page("Is this from you?", body), 200, {**_NO_STORE, **cookie})
        try:
            # With this context: what changed is a field of this answer, where no node can be told.
            run = contextvars.copy_context().run
            await asyncio.get_running_loop().run_in_executor(self._threads, run, act, form, visitor, key)
        except (comments.WrongComment, forms.WrongForm, TooMany) as error:
            return _refused(422, str(error))
        target = forms.back(form.get("back", "/"))
        return RedirectResponse(target, 303, {**_NO_STORE, **cookie})

    async def _context(self, scope: Scope) -> Context:
        """What resolvers know; who acts and is new gets a cookie with the answer."""
        assert self._sessions is not None
        headers = headers_of(scope)
        visitor = self._sessions.visitor(headers.get(b"cookie", b"").decode("latin-1"))
        if visitor is not None or scope["method"] != "POST":
            return SiteContext(scope, visitor or "", store=self.store, visitor=visitor or "")
        key = key_of(headers)
        visitor = self._sessions.new_visitor(key)
        cookie = self._sessions.cookie(visitor, scope["scheme"] == "https").encode("ascii")
        # Keys that somebody could guess are told apart by where they come from.
        peer = scope["client"][0] if scope.get("client") else "somewhere"
        who = visitor if len(key) >= UNGUESSABLE else f"at {peer}"
        return SiteContext(scope, who, fields=[(b"set-cookie", cookie)], store=self.store, visitor=visitor)


class _LateOnce:
    """Keys in a store that is opened later.  Implements :class:`edge.app.graphql.Once`."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store

    def begin(self, who: str, key: str, fingerprint: str) -> Any:
        return self._store().begin(who, key, fingerprint)

    def finish(self, who: str, key: str, status: int, body: bytes) -> None:
        self._store().finish(who, key, status, body)

    def abandon(self, who: str, key: str) -> None:
        self._store().abandon(who, key)


def _point(form: dict[str, str]) -> int:
    point = characters.read_code(form.get("code", ""))
    if point is None:
        raise forms.WrongForm("there is no such character")
    return point


def _refused(status: int, reason: str) -> Response:
    body = pages.problem("This was not done", reason)
    return HTMLResponse(pages.page("This was not done", body), status, _NO_STORE)


def _missing(reason: str) -> Response:
    return HTMLResponse(pages.page("Not found", pages.problem("Not found", reason)), 404, _NO_STORE)


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _missing("There is no such page.")


async def _unavailable(_request: Request, error: Exception) -> Response:
    body = pages.problem("Not now", "The data cannot be had just now. Try again in a moment.")
    print(error, flush=True)
    return HTMLResponse(pages.page("Not now", body), 503, {**_NO_STORE, "retry-after": "2"})


def app() -> WithLifespan:
    """The application, as the environment says (``demonstration/settings.py``)."""
    return Site(read_settings()).asgi()
