"""`https://host/prefix`: any server that takes PUT and gives GET and HEAD, by hash.

WebDAV, nginx's dav module, Artifactory's generic repositories and vcpkg's asset caches are such. A
server completes an upload only when Content-Length bytes have come, and the last ones are not sent
before they have proved right. No redirect is followed: an upload goes where the user said.
"""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from gitassets.engines.answers import retry_after
from gitassets.engines.routes import ca_bundle, proxy_for
from gitassets.errors import Cause, TransferError
from gitassets.model import Url
from gitassets.remotes.base import Held, place
from gitassets.remotes.credentials import Credentials
from gitassets.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response, Session

    from gitassets.model import Digest
    from gitassets.remotes.base import Named, Surroundings
    from gitassets.remotes.content import Content

_DONE = frozenset({200, 201, 204})
_THERE = frozenset({409, 412})
"""What servers say to `If-None-Match: *` when the object exists (RFC 9110 §13.1.2)."""
_LIMITED = frozenset({429, 503})
_PASSING = frozenset({408, 425, 500, 502, 504, *range(520, 525)})
_DENIED = frozenset({401, 403})


class Web:
    """A server and a prefix on it."""

    def __init__(self, named: Named, surroundings: Surroundings) -> None:
        self.name = named.name
        self.url = named.url
        self._public = named.public
        self._tuning = surroundings.tuning
        self._credentials = Credentials(named.name, named.url)
        self._threads = threading.local()
        self._sessions: list[Session] = []

    def stat(self, digest: Digest) -> Held | None:
        """Send a HEAD. Raises TransferError."""
        answer = self._send("HEAD", digest, {})
        if answer.status_code in {404, 410}:
            return None
        if answer.status_code != 200:
            raise self._refusal(answer)
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise TransferError(self.url, "does not say how large an object is", Cause.LYING)
        return Held(int(length), _sha256(answer.headers))

    def put(self, content: Content, *, replace: bool) -> None:
        """Send a PUT. Raises TransferError, and what reading raises."""
        digest = b64encode(bytes.fromhex(content.digest)).decode()
        headers = {"Content-Type": "application/octet-stream", "Repr-Digest": f"sha-256=:{digest}:"}
        if not replace:
            headers["If-None-Match"] = "*"
        # requests would send an empty stream in chunks, which not every server takes.
        answer = self._send("PUT", content.digest, headers, content if content.size else b"")
        if answer.status_code in _THERE and not replace:
            return
        if answer.status_code not in _DONE:
            raise self._refusal(answer)

    def public_url(self) -> Url | None:
        """Give the URL itself: who may read there is the server's to say."""
        return self._public or Url(self.url)

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()

    def _send(
        self, method: str, digest: Digest, headers: dict[str, str], body: Any = None
    ) -> Response:
        """Ask, and once more with credentials when the server wants to know who we are."""
        answer = self._once(method, digest, headers, body)
        sent = "Authorization" in answer.request.headers
        if answer.status_code == 401 and not sent and self._credentials.ask():
            if body:
                body.rewind()
            answer = self._once(method, digest, headers, body)
            sent = True
        if sent:
            self._credentials.settle(good=answer.status_code not in _DENIED)
        return answer

    def _once(self, method: str, digest: Digest, headers: Mapping[str, str], body: Any) -> Response:
        import requests  # noqa: PLC0415 - the user's waiting

        url = f"{self.url.rstrip('/')}/{place(digest)}"
        proxy = proxy_for(url, self._tuning)
        try:
            return self._session().request(
                method,
                url,
                data=body,
                headers={
                    "Accept-Encoding": "identity",
                    "User-Agent": self._tuning.user_agent,
                    **headers,
                    **self._credentials.headers(),
                },
                allow_redirects=False,
                timeout=(self._tuning.connect_timeout, self._tuning.low_speed_time),
                proxies={"http": proxy, "https": proxy} if proxy else {},
                verify=ca_bundle(self._tuning) or True,
            )
        except requests.RequestException as error:
            reason = f"{method} failed: {type(error).__name__}"
            raise TransferError(self.url, reason, Cause.TRANSIENT) from error

    def _session(self) -> Session:
        """Give this thread's own: a Session is not made for several."""
        import requests  # noqa: PLC0415 - as above

        if not hasattr(self._threads, "session"):
            session = requests.Session()
            session.trust_env = False
            # Even when it is told not to follow, requests reads the whole body of a redirect.
            session.get_redirect_target = lambda resp: None  # type: ignore[method-assign] # noqa: ARG005
            self._threads.session = session
            self._sessions.append(session)
        found: Session = self._threads.session
        return found

    def _refusal(self, answer: Response) -> TransferError:
        status = answer.status_code
        reason, hint = f"HTTP {status}", None
        if 300 <= status < 400:
            target = redacted(answer.headers.get("Location", "nowhere"))
            reason += f": moved to {target}; an upload follows no redirect"
        if status in _DENIED:
            sent = "Authorization" in answer.request.headers
            reason += f" ({'with' if sent else 'without'} credentials)"
            hint = "git credential approve, or GIT_ASSETS_TOKEN_<REMOTE> in the environment"
        causes = {_LIMITED: Cause.LIMITED, _PASSING: Cause.TRANSIENT, _DENIED: Cause.DENIED}
        cause = next((each for known, each in causes.items() if status in known), Cause.LYING)
        fields = {key.lower().encode(): value.encode() for key, value in answer.headers.items()}
        wait = retry_after(fields) if cause is Cause.LIMITED else None
        return TransferError(self.url, reason, cause, status=status, retry_after=wait, hint=hint)


def _sha256(headers: Mapping[str, str]) -> str | None:
    """Read the digest where a server keeps one: RFC 9530's fields, S3's, Artifactory's."""
    if found := headers.get("X-Checksum-Sha256"):
        return found.lower()
    coded = headers.get("X-Amz-Checksum-Sha256", "")
    for name in ("Repr-Digest", "Content-Digest"):
        for field in headers.get(name, "").split(","):
            key, _, value = field.strip().partition("=")
            coded = value.strip(":") if key == "sha-256" else coded
    try:
        return b64decode(coded, validate=True).hex() or None
    except ValueError:
        return None
