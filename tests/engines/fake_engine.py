"""An engine for tests, standard library only: `python -I -S fake_engine.py PORT [OPTION=VALUE ...]`.

say=TEXT       print TEXT on standard error first
exit=CODE      then end
worker=FILE    start a worker that ignores SIGTERM, and write its process id to FILE
deaf=1         ignore SIGTERM
status=N       what /health answers
"""

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

options = dict(argument.split("=", 1) for argument in sys.argv[2:])
sys.stderr.write(options.get("say", "") + "\n")
if "exit" in options:
    sys.exit(int(options["exit"]))
if "deaf" in options:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "worker" in options:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    worker = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
    with open(options["worker"] + ".part", "w") as file:
        file.write(str(worker.pid))
    os.rename(options["worker"] + ".part", options["worker"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(options.get("status", "200")) if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
