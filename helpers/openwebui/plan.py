"""What Open WebUI is started with, natively or as a container; starts nothing."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from helpers.config import read_settings
from helpers.errors import UsageError

VERSION = "0.12.4"
PACKAGE = f"open-webui=={VERSION}"
IMAGE = f"ghcr.io/open-webui/open-webui:v{VERSION}"
INSTALL_GB = 7.3
"""On disk; most of it is PyTorch with CUDA."""

DEFAULT_PORT = 3000
CONTAINER = "course-openwebui"
APIS = ("openai", "ollama")

QUIET = {
    "ENABLE_TITLE_GENERATION": "false",
    "ENABLE_TAGS_GENERATION": "false",
    "ENABLE_FOLLOW_UP_GENERATION": "false",
    "ENABLE_AUTOCOMPLETE_GENERATION": "false",
}
"""Without these each chat makes three more calls, which a small engine feels."""

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "OFFLINE_MODE": "true",
    "ANONYMIZED_TELEMETRY": "false",
    "ENABLE_PERSISTENT_CONFIG": "false",  # else what was set once in its database wins over this
}


@dataclass(frozen=True, slots=True)
class OpenWebUIPlan:
    """A start: `argv` with `env`, in `folder`; the key stands in env alone and is not shown."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    folder: Path
    url: str

    @property
    def shell(self) -> str:
        """The same for a terminal; the key is left to the reader."""
        shown = {name: "..." if name.endswith("_KEY") and value else value for name, value in self.env.items()}
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(shown.items()))
        return f"cd {shlex.quote(str(self.folder))} && {settings} {shlex.join(self.argv)}"


def home() -> Path:
    """The folder that holds everything of it: environment, data, log."""
    return read_settings().cache / "openwebui"


def program() -> Path:
    """Its command, installed or not."""
    return home() / f"environment-{VERSION}" / "bin" / "open-webui"


def make_plan(
    url: str, api: str = "openai", key: str = "", port: int = DEFAULT_PORT, container: bool = False
) -> OpenWebUIPlan:
    """Plan a start on loopback.

    Args:
        url: the gateway's, or an Ollama's; without /v1.
        api: `openai` or `ollama`: what is spoken with it. Both at once would list every model twice.
        key: for `url`.

    Raises:
        UsageError: no URL, or an unknown API.
    """
    if api not in APIS:
        raise UsageError(f"there is no API {api!r}", f"there are {', '.join(APIS)}", "./course openwebui --api ollama")
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"{url!r} is no URL", "it begins with http://", "./course openwebui --url http://127.0.0.1:8080"
        )
    root = url.rstrip("/").removesuffix("/v1")
    backend = {
        "ENABLE_OPENAI_API": str(api == "openai").lower(),
        "ENABLE_OLLAMA_API": str(api == "ollama").lower(),
        "OPENAI_API_BASE_URL": f"{root}/v1",
        "OPENAI_API_KEY": key,
        "OLLAMA_BASE_URL": root,
        "RAG_EMBEDDING_ENGINE": "ollama",
        "RAG_OLLAMA_BASE_URL": root,
    }
    data = home() / "data"
    env = {**OFFLINE, **QUIET, **backend, "DATA_DIR": str(data)}
    argv: tuple[str, ...] = (str(program()), "serve", "--host", "127.0.0.1", "--port", str(port))
    if container:
        env |= {"HOST": "127.0.0.1", "PORT": str(port)}
        names = [part for name in sorted(set(env) - {"DATA_DIR"}) for part in ("-e", name)]
        volume = ("-v", f"{data}:/app/backend/data")
        argv = ("docker", "run", "--rm", "--name", CONTAINER, "--network", "host", *volume, *names, IMAGE)
    return OpenWebUIPlan(argv, env, home(), f"http://127.0.0.1:{port}")
