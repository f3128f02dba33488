"""A model made from a Modelfile, from a GGUF file of the user's, or from the course's own model."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from nicegui import ui

from helpers.errors import CourseError
from helpers.ui.jobs import Jobs
from helpers.ui.modelfile import parse_modelfile
from helpers.ui.session import Session

EXAMPLE = """FROM course
SYSTEM You answer in one sentence.
PARAMETER temperature 0.2
PARAMETER num_ctx 4096
"""
TEMPLATE = """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
"""ChatML in Ollama's template language: what the course model was trained with."""

COURSE_FIELDS = {"template": TEMPLATE, "parameters": {"stop": ["<|im_end|>"], "num_ctx": 4096}}


class CreateForm:
    """The section of the models page."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        self._session = session
        self._jobs = jobs
        self._file: Path | None = None
        with ui.element("section").classes("card create") as self.section:
            ui.element("h2").props('innerHTML="Create a model"')
            self._name = ui.input("Name").props("outlined dense").classes("wide create-name")
            self._modelfile = ui.textarea("Modelfile", value=EXAMPLE)
            self._modelfile.props("outlined autogrow input-class=mono").classes("wide create-modelfile")
            self._upload = ui.upload(label="GGUF file, in place of FROM", auto_upload=True, max_files=1)
            self._upload.on_upload(self._take).props("flat bordered accept=.gguf").classes("wide")
            self._problem = ui.label("").classes("error").props("role=alert")
            self._problem.set_visibility(False)
            with ui.element("div").classes("create-actions"):
                ui.button("Create", on_click=self._create).props("unelevated no-caps").classes("create-button")
                ui.button("Add the course model", on_click=self._add_course_model).props("flat no-caps")

    async def _take(self, event: Any) -> None:
        if self._file is not None:
            shutil.rmtree(self._file.parent)
        # In a folder of its own it keeps its name, which the Modelfile may give.
        self._file = Path(tempfile.mkdtemp(prefix="course-gguf-")) / Path(event.file.name).name
        await event.file.save(self._file)

    def _create(self) -> None:
        text = self._modelfile.value or ""
        if self._file is not None and not any(line.upper().startswith("FROM") for line in text.splitlines()):
            text = f"FROM {self._file.name}\n{text}"
        try:
            fields = parse_modelfile(text)
        except CourseError as error:
            self._say(f"{error.what}: {error.cause}." if error.cause else f"{error.what}.")
            return
        if self._begin(fields, self._file, temporary=True):
            self._file = None  # the job deletes it and its folder
            self._upload.reset()

    async def _add_course_model(self) -> None:
        from helpers.models.catalogue import gguf

        self._name.value = self._name.value or "course"
        try:
            file = await asyncio.to_thread(gguf, "course", "f16")
        except CourseError as error:
            self._say(error.what)
            return
        self._begin(COURSE_FIELDS, file, temporary=False)

    def _begin(self, fields: dict[str, Any], file: Path | None, temporary: bool) -> bool:
        """Begin, unless something is missing; whether it was begun."""
        name = (self._name.value or "").strip()
        if not name:
            self._say("The model needs a name.")
            return False
        self._say("")
        self._jobs.create(self._session.gateway, self._session.owner, name, fields, file, temporary)
        return True

    def _say(self, problem: str) -> None:
        self._problem.text = problem
        self._problem.set_visibility(bool(problem))
