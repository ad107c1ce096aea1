"""A site on its way: what the directives of an ``.htaccess`` have said so far."""

from __future__ import annotations

from edge.convert.draft import Draft, SiteDraft, Table
from edge.convert.networks import EVERYBODY
from edge.convert.statements import Statement

CONDITION = "nothing depends on conditions here; rules go by path, sites by host"
PHP = (
    "PHP is not run here; let an [[app]] answer it, and take the *.php out of the webroot, which an "
    "[[access]] hides until then"
)


class Site:
    """The site of an ``.htaccess``, which is the whole draft."""

    def __init__(self) -> None:
        self.draft = Draft(sites=[SiteDraft()])
        self.result = self.draft.sites[0]
        #: Of the RewriteRule that follows.
        self.conditions: list[Statement] = []
        self.auth: dict[str, object] = {}
        #: Rules of ``[[header]]`` about expiry: of everything, and of some files.
        self.lifetime: list[Table] = []
        self.lifetimes: list[Table] = []

    def hide_php(self, one: Statement, why: str) -> None:
        """PHP is not run, and what it is made of is shown to nobody."""
        self.draft.remark(one, why)
        tables = self.result.tables.setdefault("access", [])
        if not any(table.values["path"] == "*.php" for table in tables):
            tables.insert(0, Table({"path": "*.php", "deny": list(EVERYBODY)}, one.place))
