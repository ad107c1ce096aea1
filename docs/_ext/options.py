"""Every setting of ``twistd edge``: option, TOML key, type, unit, range, default, when it takes effect."""

from __future__ import annotations

from docs._ext.markdown import code, prose
from edge.config import SETTINGS, Setting
from edge.config.applications import KEYS
from edge.config.settings import AT_START, SECTIONS

#: By the end of a name.
UNITS = {
    "-seconds": "seconds",
    "-mib": "MiB",
    "-kib": "KiB",
    "-mbit": "Mbit/s",
    "connections": "connections",
    "-per-address": "connections",
    "-entries": "entries",
    "workers": "processes",
}
_TOML = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def markdown() -> str:
    """All sections."""
    return "".join(f"## {section}\n\n{_section(section)}" for section in SECTIONS)


def unit(setting: Setting) -> str:
    """The unit of its value; "" for what has none."""
    return next((text for end, text in UNITS.items() if setting.name.endswith(end)), "")


def toml_type(setting: Setting) -> str:
    """What its key in the file takes."""
    if setting.kind.tables is not None:
        return f"tables `[[{setting.name}]]`"
    kind = _TOML[setting.kind.type]
    return f"{kind}, or a list of them" if setting.kind.repeated else kind


def default(setting: Setting) -> str:
    """Its default, in words where it is derived."""
    value = setting.default
    if setting.default_text:
        return prose(setting.default_text)
    if isinstance(value, bool):
        return "on" if value else "off"
    return code(", ".join(value) if isinstance(value, tuple) else str(value))


def _section(section: str) -> str:
    return "".join(_setting(one) for one in SETTINGS.values() if one.section == section)


def _setting(setting: Setting) -> str:
    name, kind = setting.name, setting.kind
    option = f"`--{name} {kind.metavar}`" if kind.type is not bool else f"`--{name}`, `--no-{name}`"
    again = " (may be repeated)" if kind.repeated else ""
    facts = {
        "Option": option + again,
        "Key in the file": f"`{name}`: {toml_type(setting)}",
        "Default": default(setting),
        "Unit": unit(setting),
        "Range": f"{kind.bounds[0]} to {kind.bounds[1]}" if kind.bounds else "",
        "Takes effect": "at the next start" if name in AT_START else "at SIGHUP, or at the next start",
    }
    lines = "".join(f"- {title}: {text}\n" for title, text in facts.items() if text)
    keys = _keys() if name == "app" else ""
    return f"### {name}\n\n{prose(setting.help)}\n\n{lines}\n{keys}"


def _keys() -> str:
    """The keys of a table ``[[app]]``."""
    rows = "".join(f"| `{name}` | {key.help} |\n" for name, key in KEYS.items())
    return f"| key of `[[app]]` | meaning |\n| --- | --- |\n{rows}\n"
