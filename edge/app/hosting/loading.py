"""From ``module:name`` to an application, and which kind it is.

What a name stands for is recognised by how it can be called: with (scope, receive, send) by ``await`` it is
ASGI, with (environ, start_response) WSGI; what needs no argument makes the application.  A ``twisted.web``
resource says so itself.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from importlib import import_module
from typing import Any, NamedTuple

ASGI, WSGI, TWISTED = "asgi", "wsgi", "twisted.web"


class CannotLoad(Exception):
    """There is no such application; str() is a sentence with what to do about it."""


class Loaded(NamedTuple):
    """An application."""

    kind: str
    application: Any


def load(run: str) -> Loaded:
    """The application that *run* names; :class:`CannotLoad` says why there is none."""
    module_name, _, name = run.partition(":")
    found = _attribute(_module(module_name), module_name, name)
    kind = kind_of(found)
    if kind is None and _needs_nothing(found):
        try:
            found = found()
        except Exception as error:
            raise CannotLoad(f"{run} failed: {_in_words(error)}") from None
        kind = kind_of(found)
    if kind is None:
        raise CannotLoad(
            f"{run} is no application, but {_described(found)}; it has to be callable with (environ, "
            "start_response) (WSGI), with await and (scope, receive, send) (ASGI), or without arguments, and "
            "then give one of these; or be a twisted.web resource"
        )
    return Loaded(kind, found)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            where = sys.path[0] or "."
            if not os.access(where, os.R_OK | os.X_OK):
                raise CannotLoad(
                    f"{where} may not be read by user {os.geteuid()}, as whom it runs; "
                    "chmod o+rx that folder, and o+x those above it"
                ) from None
            raise CannotLoad(
                f"there is no module {error.name} in {where}, nor installed in {sys.prefix}"
            ) from None
        raise CannotLoad(
            f"{name} cannot be imported: {_in_words(error)}; is it installed in {sys.prefix}?"
        ) from None
    except SystemExit as error:
        raise CannotLoad(
            f"{name} ends the interpreter (code {error.code or 0}) when it is imported"
        ) from None
    except Exception as error:
        raise CannotLoad(f"{name} cannot be imported: {_in_words(error)}") from None


def _attribute(module: Any, module_name: str, name: str) -> Any:
    found = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise CannotLoad(f"{module_name} has no {name}; name what is made in {module.__file__}") from None
    return found


def kind_of(found: Any) -> str | None:
    """Which kind of application *found* is; None: none, as it is."""
    if _is_resource(found):
        return TWISTED
    if not callable(found) or inspect.isclass(found):
        return None
    call = found if inspect.isroutine(found) else type(found).__call__
    if inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(call):
        return ASGI if _takes(found, 3) else None
    if _takes(found, 2):
        return WSGI
    return ASGI if _takes(found, 3) else None


def _takes(found: Any, count: int) -> bool:
    """Whether it can be called with exactly so many positional arguments."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return count == 2  # made in C: WSGI servers have always believed those
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _needs_nothing(found: Any) -> bool:
    return callable(found) and not inspect.iscoroutinefunction(found) and _takes(found, 0)


def _is_resource(found: Any) -> bool:
    module = sys.modules.get("twisted.web.resource")
    return module is not None and not inspect.isclass(found) and bool(module.IResource.providedBy(found))


def _described(found: Any) -> str:
    return f"the class {found.__name__}" if inspect.isclass(found) else f"of the type {type(found).__name__}"


def _in_words(error: Exception) -> str:
    """*error*, and the last place in the application's own files that led to it."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{text}"
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    return f"{text} ({own[-1].filename}, line {own[-1].lineno})" if own else text
