import asyncio
from pathlib import Path

import pytest
from starlette.types import Receive, Send

from helpers.ui.gateway import Gateway, GatewayError
from helpers.ui.jobs import Job, Jobs
from tests.ui.applications import Application, Asked, start, write
from tests.ui.engines import line


def test_progress_is_of_all_layers() -> None:
    job = Job("Pull m", "")
    assert job.share is None
    job.note({"status": "pulling a", "digest": "sha256:a", "total": 300, "completed": 100})
    job.note({"status": "pulling b", "digest": "sha256:b", "total": 100})
    job.note({"status": "pulling a", "digest": "sha256:a", "total": 300, "completed": 50})
    assert job.share == pytest.approx(0.25), "progress never goes back"
    with pytest.raises(GatewayError, match="no space"):
        job.note({"error": "no space left on device"})


def run(answer: object, gguf: Path | None = None, temporary: bool = False) -> tuple[Job, Application]:
    async def work() -> tuple[Job, Application]:
        application = Application(answer)  # type: ignore[arg-type]
        jobs = Jobs()
        gateway = Gateway(application, "")
        if gguf is None:
            job = jobs.pull(gateway, "aa", "m")
        else:
            job = jobs.create(gateway, "aa", "m", {"from": "x", "system": "S"}, gguf, temporary)
        assert jobs.of("aa") == [job]
        assert jobs.of("bb") == []
        assert job.task is not None
        await job.task
        jobs.dismiss(job)
        assert jobs.of("aa") == []
        return job, application

    return asyncio.run(work())


def test_a_pull_that_succeeds() -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send)
        await write(send, line(status="pulling", digest="sha256:a", total=2, completed=2), line(status="success"))

    job, application = run(answer)
    assert (job.state, job.share) == ("done", 1.0)
    assert application.asked[0].fields == {"model": "m", "stream": True}


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (line(error="no space left on device"), "Delete a model"),
        (line(status="verifying"), "before the model was complete"),
    ],
)
def test_a_pull_that_fails(last: bytes, words: str) -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send)
        await write(send, line(status="pulling manifest"), last)

    job, _ = run(answer)
    assert job.state == "failed"
    assert words in job.error


def test_a_pull_can_be_cancelled() -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send)
        await write(send, line(status="pulling manifest"), end=False)
        await asyncio.sleep(60)

    async def work() -> tuple[str, bool]:
        application = Application(answer)
        jobs = Jobs()
        job = jobs.pull(Gateway(application, ""), "", "m")
        while job.status != "pulling manifest":
            await asyncio.sleep(0.01)
        await jobs.cancel(job)
        return job.state, application.left.is_set()

    assert asyncio.run(work()) == ("cancelled", True)


def test_a_gguf_is_handed_over_unless_it_is_there_and_the_temporary_copy_goes(tmp_path: Path) -> None:
    there = False

    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        if asked.method == "HEAD":
            await start(send, 200 if there else 404)
            await write(send)
        elif asked.path == "/api/create":
            await start(send)
            await write(send, line(status="success"))
        else:
            await start(send, 201)
            await write(send)

    for there, temporary in ((False, True), (True, False)):
        file = tmp_path / str(there) / "a.gguf"
        file.parent.mkdir()
        file.write_bytes(b"GGUF")
        job, application = run(answer, file, temporary)
        assert job.state == "done", job.error
        assert [asked.body for asked in application.asked if asked.method == "POST"][:-1] == (
            [] if there else [b"GGUF"]
        )
        created = application.asked[-1].fields
        assert created == {"model": "m", "system": "S", "files": created["files"], "stream": True}
        assert list(created["files"]) == ["a.gguf"]
        assert file.parent.exists() != temporary
