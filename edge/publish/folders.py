"""The directories of a webroot that are known: by name, by the paths in them, by where they really are."""

from __future__ import annotations

from os.path import dirname

from edge.publish.walk import Place


class Folder:
    """A directory, and what a listing has shown of it."""

    __slots__ = ("files", "folders", "has_page", "is_listed", "locations", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.files: dict[str, None] = {}
        self.folders: dict[str, None] = {}
        #: Absolute names of directories that a change in it may be told of: links lead to some.
        self.locations: frozenset[str] = frozenset()
        self.is_listed = False
        #: A page that lists it is published, under its name and a slash.
        self.has_page = False


class Folders:
    """All that are known, by name."""

    def __init__(self) -> None:
        #: How many were never listed.
        self.unlisted = 0
        self._folders: dict[str, Folder] = {}
        self._prefixes: dict[bytes, str] = {}
        self._locations: dict[str, set[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._folders

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, name: str) -> Folder:
        return self._folders[name]

    def get(self, name: str) -> Folder | None:
        """The directory *name*."""
        return self._folders.get(name)

    def put(self, place: Place) -> None:
        """A directory is at *place*, known before or not."""
        folder = self._folders.get(place.name)
        if folder is None:
            folder = self._folders[place.name] = Folder(place)
            self.unlisted += 1
        self._prefixes[place.prefix] = place.name
        folder.place = place
        self.locate(folder, frozenset({place.location}))

    def listed(self, folder: Folder) -> None:
        """What is in *folder* is known."""
        self.unlisted -= not folder.is_listed
        folder.is_listed = True

    def locate(self, folder: Folder, locations: frozenset[str]) -> None:
        """What changes in these directories changes *folder*."""
        name = folder.place.name
        for location in folder.locations - locations:
            names = self._locations[location]
            names.discard(name)
            if not names:
                del self._locations[location]
        for location in locations - folder.locations:
            self._locations.setdefault(location, set()).add(name)
        folder.locations = locations

    def drop(self, name: str) -> Folder | None:
        """The directory *name* is gone; what it was."""
        folder = self._folders.pop(name, None)
        if folder is not None:
            self.unlisted -= not folder.is_listed
            self._prefixes.pop(folder.place.prefix, None)
            self.locate(folder, frozenset())
        return folder

    def changed_by(self, location: str) -> list[str]:
        """The directories that a change at *location* changes; if none has that, those around it."""
        while location not in self._locations and location not in ("", "/"):
            location = dirname(location)
        return sorted(self._locations.get(location, ()))

    def around(self, path: bytes) -> str | None:
        """The deepest known directory that *path* is in; None: nothing is known."""
        prefix = path[: path.rfind(b"/") + 1]
        while prefix:
            name = self._prefixes.get(prefix)
            if name is not None:
                return name
            prefix = prefix[: prefix.rfind(b"/", 0, -1) + 1]
        return None
