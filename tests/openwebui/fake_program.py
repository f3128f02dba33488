"""A program that stands where Open WebUI's would, and speaks the part of its REST API that the course uses."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USERS: dict[str, str] = {}
PRESETS: dict[str, dict[str, Any]] = {}
LISTED: set[str] = set()
"""As in the real one, a chat finds only what was there when the models were last listed."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer({"status": True})
        elif self.path == "/api/models" and self.signed_in():
            LISTED.update(PRESETS)
            self.answer({"data": [{"id": name} for name in ("course", *PRESETS)]})
        else:
            self.answer({"detail": "Not authenticated"}, 401)

    def do_POST(self) -> None:
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/auths/signup" and not USERS:
            USERS[fields["email"]] = fields["password"]
            self.answer({"token": "t", "role": "admin"})
        elif self.path == "/api/v1/auths/signin" and USERS.get(fields["email"]) == fields["password"]:
            self.answer({"token": "t", "role": "admin"})
        elif self.path == "/api/v1/models/create" and self.signed_in() and fields["id"] not in PRESETS:
            PRESETS[fields["id"]] = fields
            self.answer(fields)
        elif self.path == "/api/chat/completions" and self.signed_in() and fields["model"] in LISTED:
            system = PRESETS[fields["model"]]["params"]["system"]
            base = os.environ["OPENAI_API_BASE_URL"]
            self.answer({"choices": [{"message": {"content": f"{system} Asked through {base}."}}]})
        else:
            self.answer({"detail": "refused"}, 400)

    def signed_in(self) -> bool:
        return self.headers["Authorization"] == "Bearer t"

    def answer(self, content: object, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def main() -> None:
    if os.environ.get("FAKE_BREAKS"):
        sys.exit("no space left for this page")
    port = int(sys.argv[sys.argv.index("--port") + 1])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
