"""The schema of the demonstration, in strawberry: what a query may ask for, and the groups it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import strawberry
from graphql import GraphQLError, GraphQLSchema

from demonstration.data.store import Comment as Said
from demonstration.data.store import Store, TooMany
from demonstration.services import characters, comments, groups, search, votes
from demonstration.services.characters import Block as UnicodeBlock
from edge.app import tag
from edge.app.graphql import Context

FirstArgument = Annotated[int, strawberry.argument(description="how many at most")]


@dataclass
class SiteContext(Context):
    """What resolvers find in ``info.context``."""

    store: Store = None  # type: ignore[assignment]
    #: Who acts; only mutations may use it, since what is read is the same for everybody.
    visitor: str = ""


Info = strawberry.Info[SiteContext, None]


@strawberry.type
class Block:
    """A block of Unicode; *page* of its characters, from 1 on."""

    block: strawberry.Private[UnicodeBlock]
    page: int = 1

    @strawberry.field
    def slug(self) -> str:
        """Its name in addresses."""
        return self.block.slug

    @strawberry.field
    def name(self) -> str:
        """Its name."""
        return self.block.name

    @strawberry.field
    def first(self) -> str:
        """Its first code point, in hexadecimal."""
        return f"{self.block.first:04X}"

    @strawberry.field
    def last(self) -> str:
        """Its last code point."""
        return f"{self.block.last:04X}"

    @strawberry.field
    def count(self) -> int:
        """Characters that it has."""
        return len(self.block.characters)

    @strawberry.field
    def sample(self) -> str:
        """Three of its characters."""
        return self.block.sample

    @strawberry.field
    def pages(self) -> int:
        """Pages that its characters fill."""
        return self.block.pages

    @strawberry.field
    def characters(self, info: Info) -> list[Character]:
        """The characters of this page."""
        tag(groups.block_group(self.block.slug))
        start = (max(1, self.page) - 1) * characters.PER_PAGE
        return _characters(info, list(self.block.characters[start : start + characters.PER_PAGE]))


@strawberry.type
class Comment:
    """What a visitor has said of a character."""

    id: int
    text: str
    #: Unix seconds.
    at: float
    said_of: strawberry.Private[int]

    @strawberry.field
    def character(self) -> Character:
        """The character that it is about."""
        return Character(point=self.said_of)


@strawberry.type
class Character:
    """A character of Unicode."""

    point: strawberry.Private[int]
    known_votes: strawberry.Private[int | None] = None

    @strawberry.field
    def code(self) -> str:
        """Its code point in hexadecimal, as in addresses: 41."""
        return f"{self.point:x}"

    @strawberry.field
    def name(self) -> str:
        """Its name in Unicode, in small letters: as pages show it, so what they embed costs few bytes."""
        return characters.name_of(self.point).lower()

    @strawberry.field
    def glyph(self) -> str:
        """The character, as it can be shown."""
        return characters.glyph_of(self.point)

    @strawberry.field
    def category(self) -> str:
        """What it is: "uppercase letter"."""
        return self._fact("category")

    @strawberry.field
    def upper(self) -> str:
        """Its uppercase; "": itself, or none."""
        return self._fact("upper")

    @strawberry.field
    def lower(self) -> str:
        """Its lowercase; "": itself, or none."""
        return self._fact("lower")

    @strawberry.field
    def decomposition(self) -> str:
        """What it is made of, as Unicode writes it."""
        return self._fact("decomposition")

    @strawberry.field
    def numeric(self) -> str:
        """The number that it stands for."""
        return self._fact("numeric")

    @strawberry.field
    def block(self) -> Block:
        """The block that it is in."""
        block = characters.block_of(self.point)
        assert block is not None
        return Block(block=block)

    @strawberry.field
    def votes(self, info: Info) -> int:
        """Votes that it has."""
        if self.known_votes is None:
            tag(groups.character_group(self.point))
            self.known_votes = info.context.store.scores([self.point]).get(self.point, 0)
        return self.known_votes

    @strawberry.field
    def comments(self, info: Info, first: FirstArgument = 50) -> list[Comment]:
        """What visitors have said of it, the latest first."""
        tag(groups.character_group(self.point))
        return _comments(comments.comments_on(info.context.store, self.point, first))

    def _fact(self, name: str) -> str:
        return characters.facts(self.point).get(name, "")


@strawberry.type
class Query:
    """What can be asked for."""

    @strawberry.field
    def ranking(self, info: Info, first: FirstArgument = 50) -> list[Character]:
        """The characters with most votes."""
        tag(groups.RANKING)
        return [
            Character(point=score.code, known_votes=score.votes)
            for score in votes.ranking(info.context.store, first)
        ]

    @strawberry.field
    def suggested(self) -> list[Character]:
        """Characters that stand behind the ranking while that is short: nobody has voted for them."""
        return [Character(point=point, known_votes=0) for point in characters.SUGGESTED]

    @strawberry.field
    def recent(self, info: Info, first: FirstArgument = 20) -> list[Comment]:
        """The latest comments."""
        tag(groups.RECENT)
        return _comments(comments.recent(info.context.store, first))

    @strawberry.field
    def blocks(self, all: bool = True) -> list[Block]:
        """All blocks, or those that look well with any font."""
        tag(groups.UNICODE)
        known = characters.blocks_by_slug()
        chosen = characters.blocks() if all else [known[slug] for slug in characters.FEATURED]
        return [Block(block=block) for block in chosen]

    @strawberry.field
    def block(self, slug: str, page: int = 1) -> Block | None:
        """The block that is called so in addresses."""
        tag(groups.UNICODE)
        found = characters.blocks_by_slug().get(slug)
        return Block(block=found, page=page) if found else None

    @strawberry.field
    def character(self, code: str) -> Character | None:
        """The character with that code point, in hexadecimal."""
        tag(groups.UNICODE)
        point = characters.read_code(code)
        return None if point is None else Character(point=point)

    @strawberry.field
    def comments(self, info: Info, code: str, first: FirstArgument = 50) -> list[Comment]:
        """The latest comments on a character."""
        point = _point(code)
        tag(groups.character_group(point))
        return _comments(comments.comments_on(info.context.store, point, first))

    @strawberry.field
    def search(self, info: Info, text: str) -> list[Character]:
        """Characters whose names have these words."""
        found = search.search(text)
        tag(groups.UNICODE, *map(groups.character_group, found))
        return _characters(info, found)


@strawberry.type
class Mutation:
    """What can be changed."""

    @strawberry.mutation
    def vote(self, info: Info, code: str, wanted: bool = True) -> Character:
        """Vote for a character, or take the vote back."""
        point = _point(code)
        try:
            count = votes.vote(info.context.store, info.context.visitor, point, wanted)
        except TooMany as error:
            raise GraphQLError(str(error)) from None
        return Character(point=point, known_votes=count)

    @strawberry.mutation
    def comment(self, info: Info, code: str, text: str) -> Comment:
        """Say something of a character."""
        context = info.context
        try:
            said = comments.comment(context.store, context.visitor, _point(code), text, context.key)
        except comments.WrongComment as error:
            raise GraphQLError(str(error)) from None
        return _comments([said])[0]


def _point(code: str) -> int:
    point = characters.read_code(code)
    if point is None:
        raise GraphQLError(f"there is no character {code[:20]!r}; give its code point, as 41")
    return point


def _characters(info: Info, points: list[int]) -> list[Character]:
    """Characters, with the votes of all of them asked for at once."""
    known = info.context.store.scores(points)
    return [Character(point=point, known_votes=known.get(point, 0)) for point in points]


def _comments(said: list[Said]) -> list[Comment]:
    return [Comment(id=one.id, text=one.text, at=one.at, said_of=one.code) for one in said]


def make_schema() -> GraphQLSchema:
    """The schema as graphql-core has it."""
    return strawberry.Schema(query=Query, mutation=Mutation)._schema
