"""A planted secret is found wherever it would come to light, and only there."""

import logging

import pytest
import structlog

from transports.testing._leaks import SECRET, holds_secret, leak_in, logs


def caught(error: Exception, local: object) -> Exception:
    """The error, raised through a frame that has this local."""
    try:
        raise error  # noqa: TRY301 - into this very frame.
    except Exception as raised:  # noqa: BLE001 - it is handed on.
        return raised


def with_cause(cause: BaseException) -> Exception:
    error = ValueError()
    error.__cause__ = cause
    return error


def with_context(context: BaseException) -> Exception:
    error = ValueError()
    error.__context__ = context
    error.__suppress_context__ = True
    return error


def with_attribute() -> Exception:
    error = ValueError()
    error.url = SECRET  # type: ignore[attr-defined]
    return error


class OnlyGiven(Exception):  # noqa: N818 - what it was given is the test.
    def __str__(self) -> str:
        return ""


class OnlyShown(Exception):  # noqa: N818 - what it shows is the test.
    def __repr__(self) -> str:
        return SECRET


class OnlySaid(Exception):  # noqa: N818 - what it says is the test.
    def __str__(self) -> str:
        return SECRET


LEAKS = {
    "the arguments of OnlyGiven": OnlyGiven(1, SECRET.encode()),
    "the attributes of ValueError": with_attribute(),
    "the text of OnlySaid": OnlySaid(),
    "the repr of OnlyShown": OnlyShown(),
    "the text of KeyError": with_cause(KeyError(SECRET)),
    "the text of IndexError": with_context(IndexError(SECRET)),
    "the text of OnlySaid, within": ExceptionGroup("both", [ValueError(), OnlySaid()]),
}


@pytest.mark.parametrize(("place", "error"), LEAKS.items(), ids=LEAKS)
def test_it_is_found_in_an_error(place: str, error: Exception) -> None:
    assert leak_in(error) == place.removesuffix(", within")


def test_it_is_found_in_a_frame() -> None:
    leak = leak_in(caught(ValueError(), [("a", SECRET)]))
    assert leak is not None
    assert leak.startswith("the local 'local' of caught (")
    assert f"{__file__}:" in leak


def test_an_error_without_it_has_no_leak() -> None:
    error = caught(with_cause(caught(KeyError("a"), 1)), 2)
    assert leak_in(error) is None


def test_a_circle_of_errors_has_an_end() -> None:
    one, other = ValueError(), ValueError()
    one.__context__, other.__context__ = other, one
    assert leak_in(one) is None


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError(SECRET)


def test_what_cannot_be_printed_shows_nothing() -> None:
    assert not holds_secret(Unprintable())
    assert leak_in(caught(ValueError(), Unprintable())) is None


def test_it_is_found_in_a_record() -> None:
    with logs() as seen:
        logger = logging.getLogger("tests.a")
        logger.debug("%s", SECRET)
        logger.debug("a", extra={"fields": [SECRET]})
        logger.debug("b", exc_info=caught(ValueError(), SECRET))
        logger.debug("c", exc_info=caught(ValueError(), "good"))
        logger.debug("d")
    assert len(seen.leaks) == 3
    assert all(leak.endswith("by the logger 'tests.a'") for leak in seen.leaks)
    assert seen.leaks[2].startswith("the local 'local' of caught")


def test_it_is_found_in_an_event() -> None:
    bound = structlog.get_logger().bind(a=1)
    with logs() as seen:
        bound.debug("a", fields={"b": SECRET})
        structlog.get_logger().debug(f"{SECRET}")
        structlog.get_logger().debug("c", exc_info=caught(ValueError(SECRET), 1))
        error = caught(ValueError(), SECRET)
        bound.info("d", exc_info=(type(error), error, error.__traceback__))
        try:
            raise error
        except ValueError:
            bound.exception("e")
        bound.info("f", exc_info=False)
        bound.info("g")
    assert [leak.rpartition(" ")[2] for leak in seen.leaks] == [
        "'a'",
        f"'{SECRET}'",
        "'c'",
        "'d'",
        "'e'",
    ]


def test_all_is_as_it_was_afterwards() -> None:
    before = (structlog.is_configured(), dict(structlog.get_config()))
    processors = [*structlog.get_config()["processors"]]
    root = (logging.getLogger().level, [*logging.getLogger().handlers])
    with logs():
        pass
    assert (structlog.is_configured(), dict(structlog.get_config())) == before
    assert structlog.get_config()["processors"] == processors
    assert (logging.getLogger().level, [*logging.getLogger().handlers]) == root


def test_a_configuration_is_kept() -> None:
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    before = dict(structlog.get_config())
    with logs() as seen:
        structlog.get_logger().info(SECRET)
    assert len(seen.leaks) == 1
    assert structlog.is_configured()
    assert dict(structlog.get_config()) == before
