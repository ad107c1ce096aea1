"""What Caddy shows to whom, told again in few words: which files a Caddyfile of paths and networks has seen.

Written from Caddy's documentation, apart from the converter: directives in their order, the longest path
first, of ``handle`` the first that matches, and the first that answers ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from ipaddress import ip_address, ip_network

_ORDER = ("redir", "rewrite", "basic_auth", "forward_auth", "handle", "route", "abort", "error", "respond",
          "reverse_proxy", "file_server")  # fmt: skip


@dataclass(frozen=True)
class Directive:
    """One line, or one block."""

    name: str
    #: A path, or conditions: (paths, paths it is not, networks, networks it is not, a field); neither: all.
    path: str = ""
    conditions: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], str] | None = None
    args: str = ""
    block: tuple[Directive, ...] | None = None

    def lines(self, number: list[int], indent: str = "") -> list[str]:
        """It, as a Caddyfile has it; *number* counts named matchers."""
        found: list[str] = []
        matcher = self.path
        if self.conditions is not None:
            number[0] += 1
            matcher = f"@m{number[0]}"
            paths, others, inside, outside, field = self.conditions
            found.append(f"{indent}{matcher} {{")
            found += [f"{indent}\tpath {' '.join(paths)}"] if paths else []
            found += [f"{indent}\tnot path {' '.join(others)}"] if others else []
            found += [f"{indent}\tremote_ip {' '.join(inside)}"] if inside else []
            found += [f"{indent}\tnot remote_ip {' '.join(outside)}"] if outside else []
            found += [f"{indent}\t{field}"] if field else []
            found.append(f"{indent}}}")
        found.append(
            " ".join(
                filter(None, (f"{indent}{self.name}", matcher, self.args, "{" * (self.block is not None)))
            )
        )
        if self.block is not None:
            for each in self.block:
                found += each.lines(number, indent + "\t")
            found.append(f"{indent}}}")
        return found

    @property
    def matcher(self) -> object:
        """What it is about, to be compared."""
        paths = (self.path,) if self.path else ()
        return self.conditions if self.conditions is not None else (paths, (), (), (), "")

    def matches(self, path: str, address: str, any_case: bool) -> bool:
        """Whether it is about who asks for *path* from *address*, and sends no field."""
        if self.path:
            return _is_about(self.path, path, any_case)
        if self.conditions is None:
            return True
        paths, others, inside, outside, field = self.conditions
        return (
            (not paths or any(_is_about(each, path, any_case) for each in paths))
            and not any(_is_about(each, path, any_case) for each in others)
            and (not inside or _is_in(address, inside))
            and not (outside and _is_in(address, outside))
            and (not field or field.startswith("not"))
        )


def _is_about(pattern: str, path: str, any_case: bool) -> bool:
    if any_case:
        pattern, path = pattern.lower(), path.lower()
    if pattern.startswith("*"):
        return path.endswith(pattern[1:])
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _is_in(address: str, networks: Sequence[str]) -> bool:
    return any(ip_address(address) in ip_network(each) for each in networks)


def _sorted(block: Sequence[Directive]) -> list[Directive]:
    """The longer of two single paths first, and what is about everything last; else they stay in order."""

    def single(one: Directive) -> str:
        paths = one.conditions[0] if one.conditions else ()
        return (one.path or (paths[0] if len(paths) == 1 else "")).removesuffix("*")

    def compare(one: Directive, other: Directive) -> int:
        if one.name != other.name:
            return _ORDER.index(one.name) - _ORDER.index(other.name)
        if single(one) and single(other):
            return len(single(other)) - len(single(one))
        all_ = [not each.path and each.conditions is None for each in (one, other)]
        return all_[0] - all_[1]

    return sorted(block, key=cmp_to_key(compare))


def answer(block: Sequence[Directive], path: str, address: str, any_case: bool = True) -> str:
    """What who asks for *path* from *address* gets: the "file", "nothing", or what is "elsewhere".

    *any_case*: whether paths are taken in any case, as Caddy does.
    """
    return _answer(_sorted(block), path, address, any_case) or "nothing"


def _answer(block: Sequence[Directive], path: str, address: str, any_case: bool) -> str:
    """The same; "": what follows says it.  Several ``handle`` of one matcher are one."""
    handled: Directive | None = None
    for one in block:
        if one.name == "handle" and handled is not None and one.matcher != handled.matcher:
            continue
        if not one.matches(path, address, any_case):
            continue
        if one.name in ("handle", "route"):
            handled = one if one.name == "handle" else handled
            inside = one.block or ()
            said = _answer(inside if one.name == "route" else _sorted(inside), path, address, any_case)
            if said:
                return said
        elif one.name == "file_server":
            return "file"
        else:
            return "elsewhere" if one.name in ("redir", "reverse_proxy") else "nothing"
    return ""
