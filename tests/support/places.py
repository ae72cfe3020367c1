"""One place for each kind of source: a real server on loopback that the contract suite asks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, unquote, urlsplit

from gitassets.engines.base import Tuning
from gitassets.model import Url
from gitassets.sources.base import Policy
from gitassets.sources.control import Control
from support.desk import Asked, Desk, Say
from support.hub import HubDouble, sha256
from support.server import content

if TYPE_CHECKING:
    import pytest
    from typing_extensions import Self

    from gitassets.model import Request


class Place:
    """What the suite needs of each."""

    schemes: ClassVar[set[str]]
    web = True
    """Asked over HTTP."""
    users = False
    """Its host is named by the user's environment, not by the lockfile."""

    def __init__(self, top: Path, patch: pytest.MonkeyPatch) -> None:
        self.top, self.patch = top, patch
        self.allowed: tuple[str, ...] = ("127.0.0.1", "localhost")
        self.files: dict[str, bytes] = {}
        self.signature = 0
        self.token = ""
        self.desk = Desk(self.answer)

    def __enter__(self) -> Self:
        self.desk.__enter__()
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.desk.__exit__()

    def begin(self) -> None:
        pass

    def answer(self, asked: Asked) -> Say:
        raise NotImplementedError

    def name(self, name: str) -> Url:
        raise NotImplementedError

    def serve(self, name: str, data: bytes) -> Url:
        self.files[name] = data
        return self.name(name)

    def read(self, request: Request) -> bytes:
        """Follow redirects by the policy, as a transfer does."""
        control = Control(Policy(self.top, frozenset(self.allowed)), Tuning())
        with control.open(request, headers={"Range": "bytes=0-"}) as (_, answer):
            assert answer.status_code == 206, answer.status_code
            return answer.content

    def expire(self) -> None:
        """Make every signed address useless."""
        self.signature += 1

    def forget(self) -> None:
        self.desk.log.clear()

    def requests(self) -> list[str]:
        return [f"{row.method} {row.target} {row.headers}" for row in self.desk.log]

    def second(self) -> list[dict[str, str]]:
        return [row.headers for row in self.desk.seen("second")]

    def credential(self, canary: str) -> bool:
        del canary
        return False

    def signed(self, asked: Asked) -> Say:
        """Answer for the second origin: `/bytes/NAME?sig=N`."""
        parts = urlsplit(asked.target)
        if parts.query != f"sig={self.signature}":
            return Say(403)
        data = self.files.get(unquote(parts.path.removeprefix("/bytes/")))
        return Say(404) if data is None else Say(200, data)

    def sign(self, name: str) -> str:
        return f"{self.desk.second}/bytes/{quote(name, safe='')}?sig={self.signature}"


class WebPlace(Place):
    """A web server that sends everybody on to another one."""

    schemes: ClassVar = {"http", "https"}

    def answer(self, asked: Asked) -> Say:
        if asked.origin == "second":
            return self.signed(asked)
        name = unquote(asked.target.removeprefix("/"))
        return Say(302, b"", {"Location": self.sign(name)}) if name in self.files else Say(404)

    def name(self, name: str) -> Url:
        return Url(f"{self.desk.first}/{quote(name)}")


class FilePlace(Place):
    """A directory outside the work tree."""

    schemes: ClassVar = {"file"}
    web = False

    def begin(self) -> None:
        self.directory = self.top / "elsewhere"
        self.top = self.top / "work"
        self.allowed = (str(self.directory),)

    def name(self, name: str) -> Url:
        return Url("file://" + quote(str(self.directory / name)))

    def serve(self, name: str, data: bytes) -> Url:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self.name(name)

    def read(self, request: Request) -> bytes:
        return Path(unquote(request.url.removeprefix("file://"))).read_bytes()


class HubPlace(Place):
    """The Hub double."""

    schemes: ClassVar = {"hf"}
    users = True

    def begin(self) -> None:
        self.double = HubDouble()
        self.double.__enter__()
        self.patch.setenv("HF_ENDPOINT", self.double.endpoint)

    def __exit__(self, *_: object) -> None:
        self.double.__exit__()
        super().__exit__()

    def name(self, name: str) -> Url:
        return Url(f"hf://owner/tiny@main/{quote(name)}")

    def serve(self, name: str, data: bytes) -> Url:
        super().serve(name, data)
        self.double.commit(dict(self.files))
        return self.name(name)

    def expire(self) -> None:
        self.double.signature += 1

    def requests(self) -> list[str]:
        return [f"{row.method} {row.target} {row.headers}" for row in self.double.log]

    def second(self) -> list[dict[str, str]]:
        return [row.headers for row in self.double.seen("cdn")]

    def credential(self, canary: str) -> bool:
        self.patch.setenv("HF_TOKEN", canary)
        self.double.token = canary
        return True


class GithubPlace(Place):
    """The two calls of GitHub's API that a private release needs ("Get a release by tag name")."""

    schemes: ClassVar = {"github-release"}
    users = True

    def begin(self) -> None:
        self.patch.setenv("GITHUB_API_URL", f"{self.desk.first}/api/v3")

    def answer(self, asked: Asked) -> Say:
        if asked.origin == "second":
            return Say(400) if asked.header("Authorization") else self.signed(asked)
        if self.token and asked.header("Authorization") != f"Bearer {self.token}":
            return Say(404)
        names = sorted(self.files)
        if asked.target == "/api/v3/repos/owner/name/releases/tags/v1%2F2":
            rows = [{"name": name, "url": f"{self.desk.first}/api/v3/repos/owner/name/releases/assets/{at}"}
                    for at, name in enumerate(names)]  # fmt: skip
            return Say(200, json.dumps({"assets": rows}).encode())
        found = re.fullmatch(r"/api/v3/repos/owner/name/releases/assets/(\d+)", asked.target)
        if found and asked.header("Accept") == "application/octet-stream":
            return Say(302, b"", {"Location": self.sign(names[int(found[1])])})
        return Say(404)

    def name(self, name: str) -> Url:
        return Url(f"github-release://owner/name/v1%2F2/{quote(name, safe='')}")

    def credential(self, canary: str) -> bool:
        self.patch.setenv("GH_TOKEN", canary)
        self.token = canary
        return True


class LfsPlace(Place):
    """The batch API of git-lfs, which hands out addresses on another host."""

    schemes: ClassVar = {"lfs+http", "lfs+https"}

    def answer(self, asked: Asked) -> Say:
        if asked.origin == "second":
            return Say(400) if asked.header("Authorization") else self.signed(asked)
        if self.token and self.token not in asked.header("Authorization"):
            return Say(401)
        assert asked.target == "/repo.git/info/lfs/objects/batch"
        [wanted] = json.loads(asked.body)["objects"]
        for name, data in self.files.items():
            if (sha256(data), len(data)) == (wanted["oid"], wanted["size"]):
                action = {"href": self.sign(name), "header": {"X-Action": "a", "Host": "evil"}}
                return self._say({**wanted, "actions": {"download": action}})
        return self._say({**wanted, "error": {"code": 404, "message": "\x1b[31mno"}})

    def _say(self, row: object) -> Say:
        return Say(200, json.dumps({"transfer": "basic", "objects": [row]}).encode())

    def name(self, name: str) -> Url:
        data = self.files.get(name, content(name, 0, 7))
        return Url(f"lfs+{self.desk.first}/repo.git/info/lfs#{sha256(data)}:{len(data)}")

    def credential(self, canary: str) -> bool:
        from base64 import b64encode

        self.token = b64encode(f"user:{canary}".encode()).decode()
        helper = f"!f() {{ echo username=user; echo password={canary}; }}; f"
        config = Path.home() / ".gitconfig"
        config.write_text(f'{config.read_text()}[credential]\n\thelper = "{helper}"\n')
        return True


class BucketPlace(Place):
    """A server that speaks S3, not ours; the other clouds differ in the signature alone."""

    schemes: ClassVar = {"s3", "gs", "az"}
    users = True

    def begin(self) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        self.moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.moto.start()
        host, port = self.moto.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }.items():
            self.patch.setenv(name, value)
        self.client = boto3.client("s3")
        self.client.create_bucket(Bucket="bucket")

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.moto.stop()
        super().__exit__()

    def name(self, name: str) -> Url:
        return Url(f"s3://bucket/{quote(name)}")

    def serve(self, name: str, data: bytes) -> Url:
        self.client.put_object(Bucket="bucket", Key=name, Body=data)
        return self.name(name)


PLACES = {
    each.__name__: each
    for each in (WebPlace, FilePlace, HubPlace, GithubPlace, LfsPlace, BucketPlace)
}
