"""A server that speaks the hub's protocol, as far as downloads need it; it can break off once, refuse and damage."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


class FakeHub:
    """What it has, what it does wrong, and what it was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.breaks_off_at: int | None = None
        self.damaged: set[str] = set()
        self.requests: list[tuple[str, str, str]] = []
        self.url = ""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0].strip("/")
            hub.requests.append((self.command, path, self.headers.get("Range", "")))
            parts = path.removeprefix("api/models/").split("/")
            repository, rest = "/".join(parts[:2]), parts[2:]
            if repository in hub.gated:
                self.answer(403, X_Error_Code="GatedRepo")
            elif repository not in hub.repositories:
                self.answer(404, X_Error_Code="RepoNotFound")
            elif path.startswith("api/"):
                self.describe(repository, rest)
            else:
                self.resolve(repository, "/".join(rest[2:]))

        def describe(self, repository: str, rest: list[str]) -> None:
            files = hub.repositories[repository]
            entries = [
                {
                    "type": "file",
                    "path": name,
                    "size": len(content),
                    "oid": "b" * 40,
                    "lfs": {"oid": sha256(content), "size": len(content), "pointerSize": 134},
                }
                for name, content in files.items()
            ]
            siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
            info = {"id": repository, "sha": COMMIT, "siblings": siblings, "private": False, "tags": [], "downloads": 0}
            found = entries if rest[:1] == ["tree"] else info
            self.answer(200, json.dumps(found).encode(), Content_Type="application/json")

        def resolve(self, repository: str, name: str) -> None:
            content = hub.repositories[repository].get(name)
            if content is None:
                self.answer(404, X_Error_Code="EntryNotFound")
                return
            headers = {"X_Repo_Commit": COMMIT, "ETag": f'"{sha256(content)}"', "Accept_Ranges": "bytes"}
            headers["X_Linked_Size"], headers["X_Linked_Etag"] = str(len(content)), f'"{sha256(content)}"'
            if self.command == "HEAD":
                self.send_response(200)
                for key, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(key.replace("_", "-"), value)
                self.end_headers()
                return
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            sent = bytes(len(content)) if name in hub.damaged else content
            body = sent[start:]
            status = 206 if start else 200
            if start:
                headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            if hub.breaks_off_at is not None and start < hub.breaks_off_at < len(content):
                self.send_response(status)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body[: hub.breaks_off_at - start])
                hub.breaks_off_at = None
                self.close_connection = True
                return
            self.answer(status, body, **headers)

    return Handler


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(hub))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
