"""The index from groups to entries of the table, in flat arrays: 20 bytes a membership, 24 bytes a group.

Entries and groups are numbers: an entry has the number that its owner gave it, a group the 64-bit hash of its
application and its name (:class:`edge.cache.groups.Groups`).  Two groups with one hash would be taken back
together, which costs a fill and nothing else.

Everything is linked by positions in arrays, so a million memberships are six objects for Python::

    _buckets      hash -> first group record, chained by _group_next; grows a bucket at a time (linear
                  hashing, Litwin 1980), so no call ever waits for a table to be built anew
    _group_*      one record for each group that has a member: hash, next in its bucket, first member, and how
                  many there are
    _member_*     one record for each membership: its entry, its group, the members before and after it in
                  the group
    _first        entry -> its first membership, the others of it chained by _member_sibling

Putting and dropping an entry costs its groups, whatever else is in them; a group's members cost their number,
and how many they are nothing.
Position 0 of the record arrays is nobody's.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

#: Memberships, at most: 48 MiB with all that belongs to them.
MEMBERSHIPS = 2_000_000
#: Buckets that an empty index has.
_FIRST_BUCKETS = 256


class Memberships:
    """Which entries are in which groups; of at most *limit* memberships."""

    def __init__(self, limit: int = MEMBERSHIPS) -> None:
        self._limit = limit
        self._count = 0
        self._groups = 0
        self._buckets = array("I", bytes(4 * _FIRST_BUCKETS))
        self._level = _FIRST_BUCKETS
        self._group_hash, self._group_next = array("Q", [0]), array("I", [0])
        self._group_first, self._group_count = array("I", [0]), array("I", [0])
        self._free_groups = 0
        self._member_entry, self._member_group = array("I", [0]), array("I", [0])
        self._member_before, self._member_after = array("I", [0]), array("I", [0])
        self._member_sibling = array("I", [0])
        self._free_members = 0
        self._first = array("I")

    def __len__(self) -> int:
        """Memberships."""
        return self._count

    @property
    def groups(self) -> int:
        """Groups that have a member."""
        return self._groups

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        arrays = [value for value in vars(self).values() if isinstance(value, array)]
        return sum(one.itemsize * len(one) for one in arrays)

    def put(self, entry: int, hashes: Iterable[int]) -> bool:
        """*entry* is in the groups *hashes*, and no others; False: there is no room, and it is in none."""
        self.drop(entry)
        wanted = set(hashes)
        if self._count + len(wanted) > self._limit:
            return False
        if entry >= len(self._first) and wanted:
            self._first.extend(bytes(entry + 1 - len(self._first)))
        for value in wanted:
            self._join(entry, value)
        return True

    def drop(self, entry: int) -> None:
        """*entry* is in no group."""
        if entry >= len(self._first):
            return
        member = self._first[entry]
        self._first[entry] = 0
        while member:
            sibling = self._member_sibling[member]
            self._unlink(member)
            member = sibling

    def count(self, value: int) -> int:
        """How many entries are in the group with the hash *value*."""
        return self._group_count[self._find(value)]

    def members(self, value: int) -> list[int]:
        """The entries in the group with the hash *value*."""
        found: list[int] = []
        member = self._group_first[self._find(value)]
        while member:
            found.append(self._member_entry[member])
            member = self._member_after[member]
        return found

    def groups_of(self, entry: int) -> list[int]:
        """The hashes of the groups that *entry* is in."""
        found = []
        member = self._first[entry] if entry < len(self._first) else 0
        while member:
            found.append(self._group_hash[self._member_group[member]])
            member = self._member_sibling[member]
        return found

    def _join(self, entry: int, value: int) -> None:
        group = self._find(value) or self._new_group(value)
        member = self._free_members
        if member:
            self._free_members = self._member_after[member]
        else:
            member = len(self._member_entry)
            for records in (self._member_entry, self._member_group, self._member_before, self._member_after,
                            self._member_sibling):  # fmt: skip
                records.append(0)
        first = self._group_first[group]
        self._member_entry[member], self._member_group[member] = entry, group
        self._member_before[member], self._member_after[member] = 0, first
        if first:
            self._member_before[first] = member
        self._group_first[group] = member
        self._group_count[group] += 1
        self._member_sibling[member] = self._first[entry]
        self._first[entry] = member
        self._count += 1

    def _unlink(self, member: int) -> None:
        group = self._member_group[member]
        before, after = self._member_before[member], self._member_after[member]
        if before:
            self._member_after[before] = after
        else:
            self._group_first[group] = after
        if after:
            self._member_before[after] = before
        self._member_after[member] = self._free_members
        self._free_members = member
        self._count -= 1
        self._group_count[group] -= 1
        if not self._group_first[group]:
            self._remove_group(group)

    # Groups

    def _bucket(self, value: int) -> int:
        """Linear hashing: buckets below the one that is split next are of the next level already."""
        at = value & (2 * self._level - 1)
        return at if at < len(self._buckets) else value & (self._level - 1)

    def _find(self, value: int) -> int:
        group = self._buckets[self._bucket(value)]
        while group and self._group_hash[group] != value:
            group = self._group_next[group]
        return group

    def _new_group(self, value: int) -> int:
        group = self._free_groups
        if group:
            self._free_groups = self._group_next[group]
        else:
            group = len(self._group_hash)
            for records in (self._group_hash, self._group_next, self._group_first, self._group_count):
                records.append(0)
        self._group_hash[group], self._group_first[group] = value, 0
        self._groups += 1
        if self._groups > len(self._buckets):
            self._split()
        bucket = self._bucket(value)
        self._group_next[group] = self._buckets[bucket]
        self._buckets[bucket] = group
        return group

    def _remove_group(self, group: int) -> None:
        bucket = self._bucket(self._group_hash[group])
        at = self._buckets[bucket]
        if at == group:
            self._buckets[bucket] = self._group_next[group]
        else:
            while self._group_next[at] != group:
                at = self._group_next[at]
            self._group_next[at] = self._group_next[group]
        self._group_next[group] = self._free_groups
        self._free_groups = group
        self._groups -= 1

    def _split(self) -> None:
        """One bucket more: the next one in turn gives it what belongs there now."""
        split = len(self._buckets) - self._level
        group = self._buckets[split]
        self._buckets[split] = 0
        self._buckets.append(0)
        while group:
            after = self._group_next[group]
            bucket = self._bucket(self._group_hash[group])
            self._group_next[group] = self._buckets[bucket]
            self._buckets[bucket] = group
            group = after
        if len(self._buckets) == 2 * self._level:
            self._level *= 2
