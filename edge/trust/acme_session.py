"""A conversation with an ACME directory (RFC 8555), one blocking step at a time: to be called in a thread.

PyPI's ``acme`` signs, counts nonces and knows the protocol's errors; what is asked and answered is here::

    open        the directory, and our account there
    order       a new order for names; its authorizations, one for each name
    authorization, answer     the challenges of one, and "look now"
    finalize, look, chain     the order's way to a certificate
    renewal_window            when the authority would like it renewed (ARI, RFC 9773)

Whatever goes wrong is a :class:`~edge.trust.automatic.Trouble`: a sentence, its kind, and how long we shall
stay away.  A directory cannot make us wait or read for ever: :data:`SECONDS`, :data:`ANSWER_BYTES`.

Which authorities vouch for the directory itself says ``REQUESTS_CA_BUNDLE``, as with every program that uses
``requests``.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

import base64
import json
import re
import time
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import josepy.errors
import josepy.jwa
import josepy.jwk
import requests
from acme import client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.trust.automatic import AWAY, HTTP_01, LIMITED, REFUSED, TLS_ALPN_01, Trouble, Window
from edge.trust.web_certificate import alternative_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Seconds of silence in one request, and of a whole one.
SILENCE, SECONDS = 15.0, 45.0
#: Of an answer: a chain of four certificates has 8 KiB.
ANSWER_BYTES = 256 * 1024
#: Nonces that a directory may refuse, one after the other, until that is a trouble.
NONCES = 20
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,256}")


class Order(NamedTuple):
    """An order, as the directory last told it."""

    url: str
    status: str
    authorizations: Sequence[str]
    finalize: str
    #: Where its certificate is, if there is one.
    certificate: str
    #: Seconds until it is worth another look.
    rest: float
    problem: str


class Authorization(NamedTuple):
    """What has to be proven for one name."""

    name: str
    status: str
    #: Kind of challenge -> (its URL, its token).
    challenges: dict[str, tuple[str, str]]
    rest: float
    problem: str


class _Body:
    """A JSON object as ``acme`` wants it: something that is true, also when it is empty."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def json_dumps(self, indent: int | None = None) -> str:
        return json.dumps(self._fields)


class _Network(client.ClientNetwork):
    """Requests that end, and are repeated while nonces are refused."""

    #: Seconds for which the last answer asks us to wait.
    rest = 0.0

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for _ in range(NONCES):
            try:
                return self._post_once(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        raise Trouble(AWAY, f"it has refused {NONCES} nonces one after the other")

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        answer = super()._send_request(method, url, *args, **kwargs)
        self.rest = _rest(answer)
        return answer


class _BoundedAdapter(requests.adapters.HTTPAdapter):
    """Reads answers of bounded size, in bounded time."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["stream"] = True
        answer = super().send(request, *args, **kwargs)
        until, content = time.monotonic() + SECONDS, b""
        for piece in answer.iter_content(16 * 1024):
            content += piece
            if len(content) > ANSWER_BYTES or time.monotonic() > until:
                answer.close()
                raise requests.exceptions.ReadTimeout("its answer does not end")
        answer._content = content
        return answer


#: What comes of answers in JSON that is none, is something else, or is nested without end.
_STRANGE = (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RecursionError)


class Session:
    """The account with this *key* (PEM) at the *directory* with that URL."""

    def __init__(self, directory: str, key: str, user_agent: str) -> None:
        self._url = directory
        private = serialization.load_pem_private_key(key.encode(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        self._key = josepy.jwk.JWKEC(key=private)
        self._network = _Network(
            self._key,
            alg=josepy.jwa.ES256,
            user_agent=user_agent,
            timeout=SILENCE,  # type: ignore[arg-type]
        )
        for scheme in ("http://", "https://"):
            self._network.session.mount(scheme, _BoundedAdapter())
        #: Resource -> its URL.
        self._directory: dict[str, Any]

    def open(self, email: str | None) -> None:
        """Find the directory, and our account there, or make it: its terms are agreed to."""
        with self._sentences():
            told = self._network.get(self._url).json()
            self._directory = {name: str(url) for name, url in told.items()}
            missing = {"newNonce", "newAccount", "newOrder"} - set(told)
            if missing:
                raise ValueError(f"it has no {', '.join(sorted(missing))}")
            registration = messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True)
            acme = client.ClientV2(messages.Directory.from_json(told), self._network)
            if acme.external_account_required():
                raise Trouble(REFUSED, "it asks for an external account (EAB), which cannot be given here")
            try:
                acme.new_account(registration)
            except errors.ConflictError as known:
                self._network.account = messages.RegistrationResource(
                    body=messages.Registration(), uri=known.location
                )

    def order(self, names: Sequence[str], replaces: str | None = None) -> Order:
        """A new order for *names*; *replaces*: the certificate (PEM) that it is to replace (RFC 9773)."""
        identifiers = [{"type": "dns", "value": name} for name in names]
        with self._sentences():
            more = {}
            if replaces is not None and "renewalInfo" in self._directory:
                more = {"replaces": ari_name(replaces)}
            try:
                answer = self._post(self._directory["newOrder"], _Body(identifiers=identifiers, **more))
            except (messages.Error, errors.ConflictError) as error:
                if not more or getattr(error, "code", "") in ("rateLimited", "serverInternal"):
                    raise
                answer = self._post(self._directory["newOrder"], _Body(identifiers=identifiers))
            return self._as_order(answer.headers["Location"], answer)

    def authorization(self, url: str) -> Authorization:
        """How far the authorization at *url* is."""
        with self._sentences():
            answer = self._post(url, None)
            told = answer.json()
            challenges, problem = {}, ""
            for one in told.get("challenges", ()):
                token = str(one.get("token", ""))
                if one["type"] in (HTTP_01, TLS_ALPN_01) and _TOKEN.fullmatch(token):
                    challenges[one["type"]] = (str(one["url"]), token)
                if "error" in one:
                    problem = _shortened(f"{one['type']}: {one['error'].get('detail', one['error'])}")
            name = str(told["identifier"]["value"])
            return Authorization(name, str(told["status"]), challenges, _rest(answer), problem)

    def key_authorization(self, token: str) -> str:
        """What has to be shown for *token* (RFC 8555 section 8.1)."""
        thumbprint = self._key.thumbprint(hash_function=hashes.SHA256)
        return f"{token}.{base64.urlsafe_b64encode(thumbprint).decode().rstrip('=')}"

    def answer(self, url: str) -> None:
        """Have the directory look at the challenge at *url* now."""
        with self._sentences():
            self._post(url, _Body())

    def finalize(self, order: Order, request: bytes) -> None:
        """Ask for the certificate of *order* with the DER of a certificate *request*."""
        csr = base64.urlsafe_b64encode(request).decode().rstrip("=")
        with self._sentences():
            self._post(order.finalize, _Body(csr=csr))

    def look(self, url: str) -> Order:
        """How far the order at *url* is."""
        with self._sentences():
            return self._as_order(url, self._post(url, None))

    def chain(self, order: Order) -> str:
        """The certificate of *order*, and its chain, as PEM."""
        with self._sentences():
            return str(self._post(order.certificate, None).text)

    def renewal_window(self, certificate: str, now: float) -> Window | None:
        """When *certificate* (PEM) should be renewed; None: the directory does not say such things."""
        with self._sentences():
            if "renewalInfo" not in self._directory:
                return None
            url = f"{self._directory['renewalInfo'].rstrip('/')}/{ari_name(certificate)}"
            answer = self._network.get(url)
            told = answer.json()["suggestedWindow"]
            start, end = (_unix(told[which]) for which in ("start", "end"))
            if not start <= end:
                raise ValueError("a window that ends before it begins")
            rest = min(max(_rest(answer) or 6 * 3600, 60), 86_400)  # RFC 9773 section 4.3.2
            return Window(start, end, now + rest)

    def close(self) -> None:
        """Close the connections."""
        self._network.session.close()

    def _post(self, url: str, body: _Body | None) -> requests.Response:
        return self._network.post(url, body, new_nonce_url=self._directory["newNonce"])

    def _as_order(self, url: str, answer: requests.Response) -> Order:
        told = answer.json()
        problem = told.get("error", {})
        return Order(
            url,
            str(told["status"]),
            tuple(map(str, told.get("authorizations", ()))),
            str(told["finalize"]),
            str(told.get("certificate", "")),
            _rest(answer),
            _shortened(str(problem.get("detail", ""))),
        )

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Whatever goes wrong within becomes a :class:`Trouble`."""
        try:
            yield
        except Trouble as trouble:
            raise Trouble(
                trouble.kind, f"{self._url}: {trouble}", max(trouble.rest, self._network.rest)
            ) from None
        except messages.Error as error:
            raise self._refused(error) from None
        except requests.exceptions.SSLError as error:
            why = _shortened(_innermost(error))
            raise Trouble(
                AWAY, f"{self._url}: its certificate cannot be trusted ({why}); see REQUESTS_CA_BUNDLE"
            ) from None
        except requests.exceptions.RequestException as error:
            raise Trouble(AWAY, f"{self._url} cannot be reached: {_shortened(_innermost(error))}") from None
        except errors.ClientError as error:
            raise Trouble(AWAY, f"{self._url}: {_status(error)}", self._network.rest) from None
        except (errors.Error, josepy.errors.Error, *_STRANGE) as error:
            why = _shortened(f"{type(error).__name__}: {error}")
            raise Trouble(AWAY, f"{self._url} is no ACME directory, or answers strangely ({why})") from None

    def _refused(self, error: messages.Error) -> Trouble:
        rest, code = self._network.rest, str(error.code)
        detail = _shortened(str(error.detail or error.typ))
        if code == "rateLimited":
            return Trouble(LIMITED, f"{self._url}: asked too often: {detail}", rest)
        if code == "serverInternal":
            return Trouble(AWAY, f"{self._url}: it has a fault of its own: {detail}", rest)
        return Trouble(REFUSED, f"{self._url} refuses: {detail} ({code})", rest)


def ari_name(certificate: str) -> str:
    """The name of *certificate* (PEM) for renewal information (RFC 9773 section 4.1)."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    authority = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    if authority is None:
        raise ValueError("the certificate does not name the key of its authority")
    serial = found.serial_number.to_bytes(found.serial_number.bit_length() // 8 + 1, "big")
    return ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in (authority, serial))


def certificate_request(names: Sequence[str], key: ec.EllipticCurvePrivateKey) -> bytes:
    """The DER of a request for a certificate with these *names* for *key* (RFC 2986)."""
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(alternative_names(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.DER)


def _rest(answer: requests.Response) -> float:
    """Seconds of Retry-After (RFC 9110 section 10.2.3); 0 if it says nothing sensible."""
    text = answer.headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _unix(text: str) -> float:
    """Unix seconds of an RFC 3339 time."""
    found = datetime.fromisoformat(re.sub(r"(?:\.[0-9]+)?Z$", "+00:00", text))
    if found.tzinfo is None:
        raise ValueError(f"a time without its zone: {text}")
    return found.timestamp()


def _innermost(error: BaseException) -> str:
    """The cause of all causes, in words."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        inner = inner or next((one for one in error.args if isinstance(one, BaseException)), None)
        if not isinstance(inner, BaseException):
            return str(getattr(error, "strerror", None) or error)
        error = inner


def _status(error: Exception) -> str:
    answer = error.args[0] if error.args else None
    answer = answer[0] if isinstance(answer, tuple) else answer
    if isinstance(answer, requests.Response):
        return f"it answers {answer.status_code} {answer.reason}"
    return _shortened(str(error))


def _shortened(text: str) -> str:
    """*text* in one line, without what could act upon a terminal."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return plain if len(plain) <= 300 else plain[:297] + "..."
