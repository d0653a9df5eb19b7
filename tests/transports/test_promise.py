"""What a promise says of itself and of a transport that breaks it, whoever runs it."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import trio

from tests.loops import VIRTUAL, on
from tests.transports.broken import serve
from tests.transports.broken.arriving import TidiesUp
from tests.transports.harnesses import serve_mock
from transports import Response, Transport
from transports.testing import PROMISES, BrokenPromiseError, Handler, Promise
from transports.testing import _elsewhere as elsewhere
from transports.testing._closing import closes_again
from transports.testing._forks import in_a_process, works_after_a_fork
from transports.testing._promise import Trial, promise, told
from transports.testing._requests import arrives_as_it_is


def test_their_names_are_sentences_and_each_is_another() -> None:
    names = [str(one) for one in PROMISES]
    assert len(set(names)) == len(names)
    for one in PROMISES:
        assert one.name[0].isupper()
        assert not one.name.endswith(".")
        assert one.advice.endswith(".")
    assert repr(arrives_as_it_is) == "Promise(name='A request arrives exactly as it is')"


@on(VIRTUAL)
async def test_a_broken_one_says_what_was_expected_what_came_and_what_to_do() -> None:
    with pytest.raises(AssertionError) as caught:
        await arrives_as_it_is.check(serve(TidiesUp))
    assert isinstance(caught.value, BrokenPromiseError)
    assert str(caught.value) == (
        "The transport breaks a promise: A request arrives exactly as it is.\n"
        "  Expected: GET https://service.example/a%2Fb/..%2Fx?q=%252e.\n"
        "  Found:    GET https://service.example/a/b/../x?q=%252e.\n"
        "  To do:    Send method, URL, header fields and body as they stand; quote, sort and tidy "
        "up nothing."
    )


def test_what_came_is_told_in_a_line() -> None:
    assert told(None) == "nothing"
    assert told(KeyError("a")) == "KeyError: 'a'"
    assert told(trio.BrokenResourceError("a")) == "trio.BrokenResourceError: a"
    assert told(["a"]) == "['a']"
    assert told(Response(400, body=b"no Host")).endswith("with the body b'no Host'")
    assert told(Response(200, body=b"x" * 100)).endswith(f"{b'x' * 60!r}... of 100 bytes")


@promise("It is never done", "Wait.")
async def never_done(trial: Trial) -> None:
    await anyio.sleep_forever()


@on(VIRTUAL)
async def test_what_hangs_is_ended() -> None:
    with pytest.raises(BrokenPromiseError, match="after 10 s it waits still"):
        await never_done.check(serve_mock)


@promise("It fails with an error", "Look at its cause.")
async def fails(trial: Trial) -> None:
    async with trial.serve(unanswered):
        trial.fail("no error", ValueError("this one"))


async def unanswered(request: object) -> Response:
    raise AssertionError


@asynccontextmanager
async def serve_in_a_group(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    async with anyio.create_task_group() as group, serve_mock(handler) as served:
        group.start_soon(anyio.sleep, 0)
        async with anyio.create_task_group():
            yield served


@on(VIRTUAL)
async def test_a_verdict_comes_out_alone_and_with_its_cause() -> None:
    for serving in (serve_mock, serve_in_a_group):
        with pytest.raises(BrokenPromiseError, match="Found:    ValueError: this one") as caught:
            await fails.check(serving)
        assert isinstance(caught.value.__cause__, ValueError)


@asynccontextmanager
async def serve_badly(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    async def fail() -> None:
        raise ValueError("the server is broken")

    async with anyio.create_task_group() as group, serve_mock(handler) as served:
        group.start_soon(fail)
        yield served


@on(VIRTUAL)
async def test_what_else_fails_is_not_hidden() -> None:
    for one in (fails, closes_again):
        with pytest.raises(ExceptionGroup) as caught:
            await one.check(serve_badly)
        assert caught.group_contains(ValueError, match="the server is broken")


@on(VIRTUAL)
async def test_what_a_process_cannot_import_is_refused() -> None:
    with pytest.raises(TypeError, match="give a function of a module, or skip"):
        await works_after_a_fork.check(lambda handler: serve_mock(handler))  # noqa: PLW0108


@asynccontextmanager
async def serve_nothing(handler: Handler) -> AsyncIterator[tuple[Transport, str]]:
    sys.stdout.write("said aloud")
    raise ValueError("nothing is served")
    yield


@on(VIRTUAL)
async def test_what_fails_before_the_fork_is_told() -> None:
    with pytest.raises(RuntimeError, match="nothing is served"):
        await works_after_a_fork.check(serve_nothing)


def test_a_process_that_does_not_end_is_ended() -> None:
    kind = elsewhere.LoopKind("asyncio", None)
    expected, found = in_a_process(serve_mock, kind, limit=0.01)
    assert expected == "the process that has forked to end"
    assert found == "that it runs after 0.01 s"


def test_a_thread_that_does_not_end_is_left_behind() -> None:
    def work() -> None:
        done.wait()

    done = threading.Event()
    assert elsewhere.in_a_thread(work, patience=0.01) == elsewhere.HANGS
    done.set()


def test_what_is_raised_in_a_thread_is_told() -> None:
    def work() -> None:
        raise KeyError("a")

    assert elsewhere.in_a_thread(work) == "KeyError: 'a'"


def test_a_child_that_says_nothing_is_ended() -> None:
    from transports.testing._forking import last_words  # noqa: PLC0415 - there may be no fork.

    reading, writing = os.pipe()
    silent = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[writing]
    )
    os.close(writing)
    assert last_words(silent.pid, reading, patience=0.01) == elsewhere.HANGS
    silent.wait()


async def every_quick_one() -> list[Promise]:
    kept = [one for one in PROMISES if not one.needs_wire and one is not works_after_a_fork]
    for one in kept:
        await one.check(serve_mock)
    return kept


def test_it_needs_nobody_but_an_event_loop() -> None:
    everything = len(PROMISES) - 2
    assert len(asyncio.run(every_quick_one())) == everything
    assert len(trio.run(every_quick_one)) == everything
