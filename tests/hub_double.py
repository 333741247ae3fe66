"""A local double of the hub: the calls that `huggingface_hub` makes, answered as the hub answers them.

Repositories are made in memory; what is committed to them is kept. Files of the endings in `LARGE` lie in the large
file storage: they are served by a redirect, and uploaded by the batch API.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".npy")
PAGE = 4
"""Entries on a page of a listing."""
TOKEN = "hf_of_the_tests"
CARD = b"""
id = "of_a_stranger"
title = "Ours"
authors = ["A"]
licence = "MIT"
track = "prompt"
explainer = "Mine"
"""
CODE = b"""
import numpy as np

from earwitness.tracks.prompt import PromptExplainer, TokenMap


class Mine(PromptExplainer):
    def explain(self, model, item):
        return TokenMap(np.ones(len(item.tokens)))
"""
FILES = {"submission.toml": CARD, "explainer.py": CODE, "README.md": b"# Ours\n", ".gitattributes": b"*\n"}
"""Of a submission, as its author uploads it."""


def git_blob(body: bytes) -> str:
    return hashlib.sha1(f"blob {len(body)}\0".encode() + body).hexdigest()


@dataclass
class Repository:
    """What the hub knows of a repository."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    cut: tuple[str, ...] = ()
    """Files of which another content is served than the listing names."""

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """A commit of these files, which a branch is at from now on."""
        told = json.dumps(sorted((name, git_blob(body)) for name, body in files.items())) + str(len(self.commits))
        name = hashlib.sha1(told.encode()).hexdigest()
        self.commits[name], self.branches[branch] = dict(files), name
        return name

    def find(self, revision: str) -> str | None:
        name = self.branches.get(revision, revision)
        return name if name in self.commits else None


@dataclass
class Hub:
    """The double: its address, its repositories by kind and name, and what it was asked."""

    endpoint: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    uploaded: dict[str, bytes] = field(default_factory=dict)
    """Large files by SHA-256."""
    down: int = 0
    """Status that is answered to everything; 0 for none."""

    @property
    def storage(self) -> str:
        """Address of the large file storage: another host's, so that the client does not follow to it at once."""
        return self.endpoint.replace("127.0.0.1", "localhost")

    def repository(self, name: str, kind: str = "model", **known: Any) -> Repository:
        return self.repositories.setdefault((kind, name), Repository(**known))


@contextmanager
def serving() -> Iterator[Hub]:
    """A double that answers on a port of this machine."""
    hub = Hub()

    class Handler(Answers):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        self.status, self.code, self.message = status, code, message or code


class Answers(BaseHTTPRequestHandler):
    """One request and its answer."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.hub.asked.append(f"{self.command} {url.path}")
        try:
            if self.hub.down:
                raise RefusedError(self.hub.down, message="down")
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if given and given != TOKEN:
                raise RefusedError(401, message="Invalid credentials in Authorization header")
            self._route(parts, parse_qs(url.query), body)
        except RefusedError as refused:
            headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            self._send(refused.status, {"error": refused.message}, {k: v for k, v in headers.items() if v})

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _route(self, parts: list[str], query: dict[str, list[str]], body: bytes) -> None:
        if parts[0] == "large":
            self._large(parts[1], body)
        elif parts[-3:] == ["lfs", "objects", "batch"]:
            self._batch(json.loads(body))
        elif parts[:3] == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif parts == ["api", "validate-yaml"]:
            assert json.loads(body)["content"].startswith("---\n")
            self._send(200, {"errors": [], "warnings": []})
        elif parts[0] == "api":
            self._api(parts[1].removesuffix("s"), "/".join(parts[2:4]), parts[4:], query, body)
        else:
            kind = "dataset" if parts[0] == "datasets" else "model"
            owner, name, _, revision, *path = parts[1:] if kind == "dataset" else parts
            self._resolve(self._known(kind, f"{owner}/{name}"), revision, "/".join(path))

    def _known(self, kind: str, name: str) -> Repository:
        found = self.hub.repositories.get((kind, name))
        if found is None or (found.private and not self.headers.get("Authorization")):
            # Whether there is one is nobody's business who is not logged in.
            raise (
                RefusedError(404, "RepoNotFound")
                if self.headers.get("Authorization")
                else RefusedError(401, "RepoNotFound")
            )
        return found

    def _at(self, repository: Repository, revision: str) -> tuple[str, dict[str, bytes]]:
        commit = repository.find(revision)
        if commit is None:
            raise RefusedError(404, "RevisionNotFound")
        return commit, repository.commits[commit]

    def _api(self, kind: str, name: str, rest: list[str], query: dict[str, list[str]], body: bytes) -> None:
        found, verb = self._known(kind, name), rest[0] if rest else "revision"
        if verb == "revision":
            commit, files = self._at(found, rest[1] if rest else "main")
            self._send(200, {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]})
        elif verb == "tree":
            self._tree(self._at(found, rest[1])[1], int(query.get("page", ["0"])[0]))
        elif verb == "preupload":
            asked = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": _mode(f["path"]), "shouldIgnore": False} for f in asked]
            self._send(200, {"files": modes})
        else:
            assert verb == "commit", self.path
            self._commit(kind, name, found, rest[1], body)

    def _tree(self, files: dict[str, bytes], page: int) -> None:
        entries: list[dict[str, Any]] = []
        for path, body in sorted(files.items()):
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(body), "oid": git_blob(body)}
            if _mode(path) == "lfs":
                entry["lfs"] = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 134}
                entry["oid"] = git_blob(b"pointer")
            entries.append(entry)
        folders = sorted({path.rpartition("/")[0] for path in files} - {""})
        entries += [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        more = {}
        if len(entries) > (page + 1) * PAGE:
            address = urlsplit(self.path)
            more["Link"] = f'<{self.hub.endpoint}{address.path}?recursive=True&page={page + 1}>; rel="next"'
        self._send(200, entries[page * PAGE : (page + 1) * PAGE], more)

    def _resolve(self, repository: Repository, revision: str, path: str) -> None:
        commit, files = self._at(repository, revision)
        if repository.gated:
            raise RefusedError(403, "GatedRepo")
        if path not in files:
            raise RefusedError(404, "EntryNotFound")
        body = files[path]
        known = {"X-Repo-Commit": commit}
        if _mode(path) == "lfs":
            sha256 = hashlib.sha256(body).hexdigest()
            self.hub.uploaded[sha256] = body[::-1] if path in repository.cut else body
            linked = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(body))}
            self._send(302, b"", {**known, **linked, "Location": f"{self.hub.storage}/large/{sha256}"})
        else:
            sent = body[::-1] if path in repository.cut else body
            self._send(200, sent, {**known, "ETag": f'"{git_blob(body)}"'})

    def _large(self, sha256: str, body: bytes) -> None:
        if self.command == "PUT":
            assert hashlib.sha256(body).hexdigest() == sha256
            self.hub.uploaded[sha256] = body
            self._send(200, b"")
        else:
            self._send(200, self.hub.uploaded[sha256], {"ETag": f'"{sha256}"'})

    def _batch(self, asked: dict[str, Any]) -> None:
        self._may_write()
        assert asked["operation"] == "upload"
        upload = [
            {**each, "actions": {"upload": {"href": f"{self.hub.endpoint}/large/{each['oid']}"}}}
            for each in asked["objects"]
        ]
        self._send(200, {"transfer": "basic", "objects": upload})

    def _create(self, asked: dict[str, Any]) -> None:
        self._may_write()
        kind, name = asked.get("type") or "model", f"{asked['organization']}/{asked['name']}"
        if (kind, name) in self.hub.repositories:
            # The client asks where it is.
            known = {"error": "You already created this repo", "url": f"{self.hub.endpoint}/{kind}s/{name}"}
            self._send(409, known)
            return
        made = self.hub.repository(name, kind, private=asked.get("visibility") == "private")
        made.commit({".gitattributes": b"*.parquet filter=lfs\n"})
        self._send(200, {"url": f"{self.hub.endpoint}/{kind}s/{name}"})

    def _may_write(self) -> None:
        if not self.headers.get("Authorization"):
            raise RefusedError(401, message="Invalid username or password.")

    def _commit(self, kind: str, name: str, repository: Repository, branch: str, body: bytes) -> None:
        self._may_write()
        files = dict(self._at(repository, branch)[1])
        for line in map(json.loads, body.decode().splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploaded[value["oid"]]
            elif line["key"] in ("deletedFile", "deletedFolder"):
                files = {path: each for path, each in files.items() if not f"{path}/".startswith(value["path"])}
        commit = repository.commit(files, branch)
        url = f"{self.hub.endpoint}/{kind}s/{name}/commit/{commit}"
        self._send(200, {"commitUrl": url, "commitOid": commit, "success": True})

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)


def _mode(path: str) -> str:
    return "lfs" if path.endswith(LARGE) else "regular"
