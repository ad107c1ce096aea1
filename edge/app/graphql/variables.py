"""Variables in addresses: one spelling for one meaning.

The edge keeps an answer under the exact bytes of its address, so ``{"a":1,"b":2}`` and ``{"b": 2, "a": 1}``
would be two entries.  Only one of all spellings is answered, the *canonical* one; any other is redirected
to it.  Canonical is the JSON of RFC 8785 (keys sorted by UTF-16, numbers and strings as ECMAScript prints
them, no spaces), percent-encoded as ``encodeURIComponent`` does; and nothing at all if there are no
variables.

What two readers could read in two ways (a name twice, NaN, numbers that a browser cannot hold) is refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import rfc8785

if TYPE_CHECKING:
    from edge.app.graphql.limits import Limits

#: What encodeURIComponent leaves as it is, beside letters and digits (ECMA-262, 19.2.6.4).
_SAFE = "-_.!~*'()"


class WrongVariables(ValueError):
    """Variables that cannot be taken; str() says why, for who has sent them."""


def canonical_query(variables: dict[str, Any]) -> str:
    """The query of an address with *variables*: ``?variables=...``, or nothing."""
    if not variables:
        return ""
    try:
        text = rfc8785.dumps(variables).decode("utf-8")
    except rfc8785.IntegerDomainError:
        raise WrongVariables("a number is beyond 2^53, which JavaScript cannot hold: use a string") from None
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:  # the latter: of a name
        raise WrongVariables(f"they cannot be written: {error}") from None
    return f"?variables={quote(text, safe=_SAFE)}"


def from_query(query: bytes, limits: Limits) -> dict[str, Any]:
    """The variables in the query of an address; other parameters are no concern of ours."""
    if len(query) > 3 * limits.variables + 1024:
        raise WrongVariables(f"an address has variables of {limits.variables:,} bytes at most")
    given = parameter(query, "variables")
    return {} if given is None else from_json(given, limits)


def parameter(query: bytes, name: str) -> str | None:
    """The parameter called *name* in a query; None: there is none."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise WrongVariables("the query of the address cannot be read") from None
    given = [value for each, value in pairs if each == name]
    if len(given) > 1:
        raise WrongVariables(f"{name} stand twice in the address")
    return given[0] if given else None


def from_json(text: str, limits: Limits) -> dict[str, Any]:
    """The variables that *text* holds."""
    if len(text) > limits.variables:
        raise WrongVariables(f"variables have {limits.variables:,} bytes at most")
    return check(strict_json(text), limits)


def strict_json(text: str | bytes) -> Any:
    """What *text* says in JSON, if all readers agree about that; :class:`WrongVariables` else."""
    try:
        return json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except WrongVariables:
        raise
    except RecursionError:
        raise WrongVariables("the JSON is nested too deeply") from None
    except ValueError as error:
        raise WrongVariables(f"this is no JSON: {error}") from None


def check(variables: Any, limits: Limits) -> dict[str, Any]:
    """*variables*, if they are an object within *limits*."""
    if variables is None:
        return {}
    if not isinstance(variables, dict):
        raise WrongVariables('variables are a JSON object, as {"first":10}')
    _check_size(variables, limits, limits.nesting)
    return variables


def _check_size(value: Any, limits: Limits, levels: int) -> None:
    if not isinstance(value, dict | list):
        return
    if levels <= 0:
        raise WrongVariables(f"variables are nested {limits.nesting} levels at most")
    if len(value) > limits.items:
        raise WrongVariables(f"a list or an object of variables has {limits.items} members at most")
    for one in value.values() if isinstance(value, dict) else value:
        _check_size(one, limits, levels - 1)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise WrongVariables("a name stands twice in an object")
    return made


def _no_constant(name: str) -> Any:
    raise WrongVariables(f"{name} is no JSON")
