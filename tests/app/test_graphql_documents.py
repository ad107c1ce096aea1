"""Trusted documents: read, validated and measured once; what is wrong is said with its place."""

from __future__ import annotations

import hashlib
from pathlib import Path

from graphql import build_schema
from twisted.trial.unittest import SynchronousTestCase

from edge.app.graphql import DocumentError, Documents, Limits

SCHEMA = build_schema(
    """
    type Query { me: Person, people(first: Int! = 10, named: [String!]): [Person!]! }
    type Person { name: String!, friend: Person, friends: [Person!]! }
    type Mutation { greet(name: String!): Person }
    type Subscription { person: Person }
    """
)


class DocumentTests(SynchronousTestCase):
    """A folder of files."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def read(self, limits: Limits | None = None, **texts: str | bytes) -> Documents:
        for file in self.folder.glob("*.graphql"):
            file.unlink()
        for name, text in texts.items():
            data = text if isinstance(text, bytes) else text.encode()
            (self.folder / f"{name}.graphql").write_bytes(data)
        return Documents.read(self.folder, SCHEMA, limits)

    def wrong(self, limits: Limits | None = None, **texts: str | bytes) -> str:
        said = str(self.assertRaises(DocumentError, self.read, limits, **texts))
        return said.replace(f"{self.folder}/", "")

    def test_a_document_is_known_by_the_hash_of_its_file(self) -> None:
        text = "query Me {\r\n  me { name }\n}\n# \u00e9\n"
        document = self.read(Me=text)["Me"]
        self.assertEqual(document.identifier, f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")
        self.assertEqual((document.is_mutation, document.variables), (False, frozenset()))

    def test_the_example_of_the_draft_has_the_identifier_of_the_draft(self) -> None:
        """graphql-over-http, Appendix A, which writes it without a name; ours need one."""
        text = "query ($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}"
        self.assertEqual(
            hashlib.sha256(text.encode()).hexdigest(),
            "7dba4bd717b41f10434822356a93c32b1fb4907b983e854300ad839f84cdcd6e",
        )

    def test_all_of_a_folder_are_found_by_name_and_by_identifier(self) -> None:
        documents = self.read(
            Me="query Me { me { name } }", Greet='mutation Greet { greet(name: "A") { name } }'
        )
        self.assertEqual([document.name for document in documents], ["Greet", "Me"])
        self.assertIs(documents.find(documents["Me"].identifier), documents["Me"])
        self.assertIsNone(documents.find("sha256:0"))
        self.assertTrue(documents["Greet"].is_mutation)

    def test_documents_of_other_versions_are_found_by_their_hash_alone(self) -> None:
        self.read(Me="query Me { me { name } }")
        kept = self.folder / "kept"
        kept.mkdir()
        (kept / "Me.2026-11-26.graphql").write_text("query Me { me { friend { name } } }")
        (kept / "next.graphql").write_text("query Me { people { name } }")
        documents = Documents.read(self.folder, SCHEMA)
        self.assertEqual([one.text for one in documents], ["query Me { me { name } }"])
        for file in kept.iterdir():
            found = documents.find(f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")
            self.assertEqual((found.name, found.text), ("Me", file.read_text()))
        (kept / "old.graphql").write_text("query Me { me { age } }")
        said = str(self.assertRaises(DocumentError, Documents.read, self.folder, SCHEMA))
        self.assertIn("kept/old.graphql:1:17: Cannot query field 'age'", said)

    def test_what_is_wrong_is_said_with_file_line_and_column(self) -> None:
        for text, said in (
            ("query Me {\n  me { nme }\n}", "Me.graphql:2:8: Cannot query field 'nme' on type 'Person'."),
            ("query Me {\n  me {\n", "Me.graphql:3:1: Syntax Error: Expected Name, found <EOF>."),
            ("query Me($a: Int) { me { name } }", "Me.graphql:1:10: Variable '$a' is never used"),
            (
                "query You { me { name } }",
                "Me.graphql:1:1: the operation is called You; call it Me, as the file",
            ),
            ("{ me { name } }", "Me.graphql:1:1: the operation is called nothing; call it Me"),
            ("query A { me { name } } query B { me { name } }", "Me.graphql: it has 2 operations"),
            ("fragment F on Person { name }", "Me.graphql: it has 0 operations"),
            ("subscription Me { person { name } }", "Me.graphql:1:1: subscriptions are not served"),
            (b"query Me {\n  me # \xff\n}", "Me.graphql:2:1: it is no UTF-8"),
            ("query Me { ...F } fragment F on Query { ...F }", "Cannot spread fragment 'F' within itself"),
            ("", "Me.graphql:1:1: Syntax Error: Unexpected <EOF>."),
            ("{" * 5000, "Me.graphql"),
            ("query Me { me " + "{ friend " * 4000 + "{ name }" + "}" * 4001, "Me.graphql"),
            ("query Me { me { name } } # " + "x" * 40_000, "a document has 32,768 bytes at most"),
        ):
            self.assertIn(said, self.wrong(Me=text), text[:60])

    def test_all_faults_of_all_documents_are_said_at_once(self) -> None:
        said = self.wrong(A="query A { a b }", B="query B { b }", C="query C { me { name } }")
        self.assertEqual([line.partition(": ")[0] for line in said.splitlines()],
                         ["A.graphql:1:11", "A.graphql:1:13", "B.graphql:1:11"])  # fmt: skip

    def test_a_folder_without_documents_is_said(self) -> None:
        self.assertIn("there are no documents", self.wrong())
        self.folder = self.folder / "none"
        said = str(self.assertRaises(DocumentError, Documents.read, self.folder, SCHEMA))
        self.assertIn("none: there are no documents", said)

    def test_a_name_that_can_be_no_operation_is_said(self) -> None:
        (self.folder / "my query.graphql").write_text("query my { me { name } }")
        said = str(self.assertRaises(DocumentError, Documents.read, self.folder, SCHEMA))
        self.assertIn("my query.graphql: the name of a document has letters", said)

    def test_a_schema_that_is_none_is_said(self) -> None:
        (self.folder / "Me.graphql").write_text("query Me { me }")
        broken = build_schema("type Mutation { me: Int }")
        said = str(self.assertRaises(DocumentError, Documents.read, self.folder, broken))
        self.assertEqual(said, "the schema: Query root type must be provided.")

    def test_a_document_is_as_deep_and_wide_as_it_may_be(self) -> None:
        deep = "query Me { me { friend { name } } }"
        self.read(Limits(depth=3), Me=deep)
        said = self.wrong(Limits(depth=2), Me=deep)
        self.assertEqual(said, "Me.graphql:1:1: it has 3 levels, and may have 2")
        wide = "query Me { a: me { name } b: me { ...F } } fragment F on Person { x: name y: name }"
        self.read(Limits(aliases=4), Me=wide)
        self.assertIn("it has 4 aliases, and may have 3", self.wrong(Limits(aliases=3), Me=wide))
        self.read(Limits(fields=5), Me=wide)
        self.assertIn("it has 5 fields, and may have 4", self.wrong(Limits(fields=4), Me=wide))

    def test_fragments_that_double_a_document_are_counted_without_being_followed(self) -> None:
        doubling = "".join(
            f"fragment F{n} on Person {{ friend {{ ...F{n + 1} }} ... on Person {{ ...F{n + 1} }} }}\n"
            for n in range(60)
        )
        text = f"query Me {{ me {{ ...F0 }} }}\n{doubling}fragment F60 on Person {{ name }}\n"
        self.assertIn("it has over a million fields", self.wrong(Limits(depth=100), Me=text))
