"""Who may, on the Twisted side: in which order it is asked, how often, and what an answer says then."""

from __future__ import annotations

import base64
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from edge.access.buckets import Buckets, PythonBuckets
from edge.access.htpasswd import Users
from edge.access.rules import AccessRule, AuthRule, RateRule, Rules
from edge.node.connection.guarding import ATTEMPTS, Guard, privately
from edge.node.process.bucket_memory import BucketMemory
from edge.sites import Hosts
from tests.access.test_passwords import BCRYPT
from tests.node.serving import Connection


class Site(Resource):
    """Answers with its name."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """Something that may be kept."""
        request.setHeader(b"Cache-Control", b"public, max-age=60")
        return b"secret"

    def render_POST(self, request: Request) -> bytes:
        """The body."""
        return request.content.read()


def asked(path: str, credentials: str | None = None, method: str = "GET", more: str = "") -> bytes:
    """A request."""
    lines = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}"
    if credentials is not None:
        lines += f"Authorization: Basic {base64.b64encode(credentials.encode()).decode()}\r\n"
    return f"{lines}\r\n".encode()


class GuardingTests(SynchronousTestCase):
    """Connections to a site with rules; threads end when the test says so."""

    def setUp(self) -> None:
        memory = BucketMemory.create()
        self.addCleanup(memory.close)
        self.buckets: Buckets = PythonBuckets(memory.memory, memory.fd)
        self.clock = Clock()
        self.counted: list[str] = []
        #: Verifications that run: what they compute, and who is told.
        self.running: list[tuple[Callable[[], bool], Deferred[bool]]] = []
        self.verified = 0
        rules = Rules(
            [AuthRule("/admin/**", "f", "staff")],
            [AccessRule("/net/**", ("10.0.0.0/8",))],
            [RateRule("/api/**", 1, "second", 2)],
        )
        self.guard = Guard(
            [rules],
            Hosts(),
            self.buckets,
            lambda: int(self.clock.seconds() * 1e6),
            self.counted.append,
            self.run_later,
        )
        self.guard.take_users({"f": Users({b"ada": BCRYPT})})

    def run_later(self, work: Callable[..., bool], *arguments: bytes) -> Deferred[bool]:
        """As a thread would."""
        done: Deferred[bool] = Deferred()
        self.running.append((lambda: work(*arguments), done))
        return done

    def finish(self) -> None:
        """Let the threads that run, and those that begin then, end."""
        while self.running:
            work, done = self.running.pop(0)
            self.verified += 1
            done.callback(work())

    def connect(self) -> Connection:
        """A connection to the site."""
        connection = Connection(Site(), clock=self.clock)
        connection.site.guard = self.guard
        return connection

    def statuses(self, connection: Connection) -> list[int]:
        """Of the answers so far."""
        return [answer.status for answer in connection.answers()]

    def test_without_a_password_there_is_a_question(self) -> None:
        connection = self.connect()
        connection.send(asked("/admin/"))
        (answer,) = connection.answers()
        self.assertEqual(
            (answer.status, answer.fields["www-authenticate"]), (401, 'Basic realm="staff", charset="UTF-8"')
        )
        self.assertEqual((self.running, self.counted), ([], ["refused_login"]))

    def test_who_is_right_gets_an_answer_for_himself(self) -> None:
        """The connection waits for the thread, reads no further request, and goes on."""
        connection = self.connect()
        connection.send(asked("/admin/", "ada:secret") + asked("/admin/x", "ada:secret") + asked("/"))
        self.assertEqual(self.statuses(connection), [])
        self.finish()
        answers = connection.answers()
        self.assertEqual([answer.status for answer in answers], [200, 200, 200])
        self.assertEqual(
            [answer.fields["cache-control"] for answer in answers],
            ["private, max-age=60", "private, max-age=60", "public, max-age=60"],
        )
        self.assertEqual([record.user for record in connection.log.records], [b"ada", b"ada", b""])
        self.assertEqual(self.verified, 1)

    def test_the_fifty_files_of_a_page_cost_one_verification(self) -> None:
        """Also those that are asked for while the first one is verified."""
        connections = [self.connect() for _ in range(6)]
        for number in range(50):
            connections[number % 6].send(asked(f"/admin/{number}", "ada:secret"))
        self.finish()
        for number in range(50):
            connections[number % 6].send(asked(f"/admin/{number}", "ada:secret"))
        self.assertEqual(self.verified, 1)
        self.assertEqual({status for one in connections for status in self.statuses(one)}, {200})
        later = self.connect()
        self.clock.rightNow += 601
        later.send(asked("/admin/", "ada:secret"))
        self.finish()
        self.assertEqual(self.verified, 2)

    def test_other_users_are_told_to_log_in_anew(self) -> None:
        """What was verified does not outlive the file; also while it is verified."""
        connection = self.connect()
        connection.send(asked("/admin/", "ada:secret"))
        self.guard.take_users({"f": Users({})})
        self.finish()
        connection.send(asked("/admin/", "ada:secret"))
        self.finish()
        self.assertEqual(self.statuses(connection)[-1], 401)
        self.guard.take_users({})
        connection.send(asked("/admin/", "ada:secret"))
        self.assertEqual(self.statuses(connection)[-1], 401)

    def test_wrong_passwords_are_limited_by_address(self) -> None:
        """Whatever name they are for; who is right is not counted."""
        for _ in range(3):
            self.guard.take_users({"f": Users({b"ada": BCRYPT})})
            connection = self.connect()
            connection.send(asked("/admin/", "ada:secret"))
            self.finish()
        statuses = []
        for number in range(ATTEMPTS + 5):
            connection = self.connect()
            connection.send(asked("/admin/", f"user{number}:x"))
            self.finish()
            statuses += self.statuses(connection)
        self.assertEqual(statuses, [401] * ATTEMPTS + [429] * 5)
        self.assertEqual(self.verified, ATTEMPTS + 3)
        self.clock.advance(6)
        connection = self.connect()
        connection.send(asked("/admin/", "ada:secret"))
        self.finish()
        self.assertEqual(self.statuses(connection), [200])

    def test_networks_come_first_and_then_rates(self) -> None:
        connection = self.connect()
        connection.send(asked("/net/") + asked("/api/") * 3)
        answers = connection.answers()
        self.assertEqual([answer.status for answer in answers], [403, 200, 200, 429])
        self.assertEqual(answers[-1].fields["retry-after"], "1")
        self.assertEqual(self.counted, ["refused_network", "refused_rate"])

    def test_a_body_that_nobody_wants_is_not_read_as_a_request(self) -> None:
        """The answer comes at once, and closes."""
        connection = self.connect()
        connection.send(asked("/admin/", None, "POST", "Content-Length: 60\r\n") + asked("/x"))
        (answer,) = connection.answers()
        self.assertEqual((answer.status, answer.fields["connection"]), (401, "close"))

    def test_a_body_waits_until_it_is_known_who_sends_it(self) -> None:
        connection = self.connect()
        connection.send(asked("/admin/", "ada:secret", "POST", "Content-Length: 4\r\n") + b"bo")
        connection.send(b"dy")
        self.finish()
        (answer,) = connection.answers()
        self.assertEqual((answer.status, answer.body), (200, b"body"))

    def test_a_connection_that_ends_meanwhile_is_forgotten(self) -> None:
        """Whatever the thread says then."""
        for end in ("lose", "drain", "half"):
            connection = self.connect()
            connection.send(asked("/admin/", f"ada:{end}"))
            if end == "lose":
                connection.channel.connectionLost(Failure(ConnectionLost()))
            elif end == "drain":
                connection.site.drain()
            else:
                connection.channel.readConnectionLost()
            self.finish()
            if end != "lose":
                self.assertEqual(self.statuses(connection), [401], end)

    def test_nobody_is_asked_for_a_password_over_http_that_only_leads_to_https(self) -> None:
        self.guard = Guard(
            [Rules([AuthRule("/**", "f", "r")])],
            Hosts(),
            self.buckets,
            lambda: 0,
            self.counted.append,
            self.run_later,
            https_only=True,
        )
        for secure, status in ((False, 200), (True, 401)):
            connection = Connection(Site(), clock=self.clock, secure=secure)
            connection.site.guard = self.guard
            connection.send(asked("/"))
            self.assertEqual(self.statuses(connection), [status])

    def test_health_has_no_rules(self) -> None:
        guard = Guard(
            [Rules([AuthRule("/**", "f", "r")])],
            Hosts(),
            self.buckets,
            lambda: 0,
            self.counted.append,
            self.run_later,
        )
        connection = self.connect()
        connection.site.guard = guard
        connection.send(asked("/.edge/health") + asked("/x"))
        self.assertEqual(self.statuses(connection), [200, 401])


class PrivateTests(SynchronousTestCase):
    """What heads say who is for one user alone."""

    def test_only_what_shared_caches_may_is_taken_away(self) -> None:
        for before, after in (
            (b"", b"private"),
            (b"Cache-Control: public, max-age=5, immutable\r\n", b"private, max-age=5, immutable"),
            (b"cache-control: no-store\r\nCache-Control: s-maxage=9\r\n", b"private, no-store"),
            (b"Edge-State: abc\r\nCache-Control: no-cache\r\n", b"private, no-cache"),
        ):
            head = privately(b"HTTP/1.1 200 OK\r\n" + before + b"X: y\r\n\r\n")
            self.assertEqual(head, b"HTTP/1.1 200 OK\r\nX: y\r\nCache-Control: " + after + b"\r\n\r\n")
        switching = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        self.assertEqual(privately(switching), switching)
