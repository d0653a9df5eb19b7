"""A program that forgets `aclose` is told so, and ends at once however it ends.

Each is a process of its own, with the warnings that `-X dev` and `-W always` show.
"""

import re
import signal

import pytest

from tests.lifetimes.service import Service, each_loop, told

LOUD = ("-X", "dev", "-W", "always")
WARNING = re.compile(r"\w+Warning: (?!Enable tracemalloc).*")
each_asyncio_loop = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def assert_warned_once(errors: str) -> None:
    [warning] = re.findall(WARNING, errors)
    assert warning.startswith("ResourceWarning: An AiohttpTransport was not closed")
    assert "aclose()" in warning


@each_loop
@pytest.mark.parametrize("how", ["dropped", "held"])
def test_a_program_that_ends_is_told(service: Service, loop: str, how: str) -> None:
    with service.started("forget", loop, how, options=LOUD) as process:
        code, output, errors = told(process)
    assert (code, output) == (0, "done\n"), errors
    assert_warned_once(errors)
    assert "Traceback" not in errors


@each_loop
def test_a_client_that_goes_just_as_its_loop_ends_is_told_once(service: Service, loop: str) -> None:
    # Trio ends in steps, in an order that it draws, and takes no new task in some of them.
    with service.started("forget_often", loop, options=LOUD) as process:
        code, output, errors = told(process)
    assert (code, output) == (0, "done\n"), errors
    warnings = re.findall(WARNING, errors)
    assert len(warnings) == 20, errors
    assert all("An AiohttpTransport was not closed" in warning for warning in warnings)


@each_loop
def test_a_program_that_fails_is_told_besides_its_error(service: Service, loop: str) -> None:
    with service.started("forget", loop, "failing", options=LOUD) as process:
        code, output, errors = told(process)
    assert (code, output) == (1, ""), errors
    assert_warned_once(errors)
    assert "LookupError" in errors


@each_loop
def test_a_client_that_is_collected_while_its_loop_runs_is_told(
    service: Service, loop: str
) -> None:
    with service.started("forget", loop, "collected", options=LOUD) as process:
        code, output, errors = told(process)
    assert (code, output) == (0, "collected\ndone\n"), errors
    assert_warned_once(errors)
    assert "Traceback" not in errors


@each_loop
def test_ctrl_c_in_a_request_ends_the_program_at_once(service: Service, loop: str) -> None:
    with service.silent(), service.started("close_in_time", loop, options=LOUD) as process:
        service.wait_until_asked(1)
        process.send_signal(signal.SIGINT)
        code, _, errors = told(process)
    assert code == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors
    assert "Warning" not in errors


@each_loop
def test_ctrl_c_in_a_request_ends_a_forgetful_program_at_once_and_it_is_told(
    service: Service, loop: str
) -> None:
    with service.silent(), service.started("wait", loop, options=LOUD) as process:
        service.wait_until_asked(1)
        process.send_signal(signal.SIGINT)
        code, _, errors = told(process)
    assert code == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors
    assert_warned_once(errors)


@each_asyncio_loop  # A run of trio ends when its last task has.
def test_a_program_that_ends_with_a_request_under_way_is_told(service: Service, loop: str) -> None:
    with service.silent(), service.started("forget_in_flight", loop, options=LOUD) as process:
        service.wait_until_asked(1)
        code, output, errors = told(process, "End\n")
    assert (code, output) == (0, "done\n"), errors
    assert_warned_once(errors)
    assert "Traceback" not in errors


@each_asyncio_loop
def test_a_program_that_closes_not_even_its_loop_ends_at_once(service: Service, loop: str) -> None:
    with service.silent(), service.started("forget_the_loop", loop, options=LOUD) as process:
        service.wait_until_asked(1)
        code, output, errors = told(process, "End\n")
    assert (code, output) == (0, "done\n"), errors
