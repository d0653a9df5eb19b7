"""Events: constant dotted names with facts as keys, for whoever has asked for them.

An application that has configured structlog gets them through its own processors. For everybody
else they go to the standard library's logger `connectors`, which is silent below WARNING until the
application says otherwise. Nothing is configured here, and structlog is imported only when an
event is about to be written.
"""

import logging
import sys
from types import ModuleType
from typing import Final, Literal, TypeAlias

from connectors._printable import printable

Level: TypeAlias = Literal["debug", "info", "warning"]

_LEVELS: Final[dict[Level, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
}
_LOGGER: Final = logging.getLogger("connectors")


def is_heard(level: Level) -> bool:
    """Would anybody get an event? Facts that nobody gets need not be gathered."""
    return _configured_structlog() is not None or _LOGGER.isEnabledFor(_LEVELS[level])


def emit(level: Level, event: str, **facts: object) -> None:
    """Write an event; the facts hold no header, no body and no argument of a caller."""
    structlog = _configured_structlog()
    if structlog is not None:
        getattr(_logger(structlog), level)(event, **_shown(facts))
    elif _LOGGER.isEnabledFor(_LEVELS[level]):
        _LOGGER.log(_LEVELS[level], "%s", _rendered(event, _shown(facts)))


def _configured_structlog() -> ModuleType | None:
    # Who has not imported structlog can't have configured it.
    structlog = sys.modules.get("structlog")
    return structlog if structlog is not None and structlog.is_configured() else None


def _logger(structlog: ModuleType) -> object:
    wrapper = structlog.get_config()["wrapper_class"]
    if hasattr(wrapper, "sync_bl"):
        # The methods of an AsyncBoundLogger are coroutines; this is the logger beneath it.
        wrapper = structlog.stdlib.BoundLogger
    logger: object = structlog.wrap_logger(
        None, wrapper_class=wrapper, logger_factory_args=("connectors",)
    )
    return logger


def _shown(facts: dict[str, object]) -> dict[str, object]:
    # A code is what a server wrote.
    return {
        name: printable(fact) if isinstance(fact, str) else fact for name, fact in facts.items()
    }


def _rendered(event: str, facts: dict[str, object]) -> str:
    from structlog.processors import LogfmtRenderer  # noqa: PLC0415 - heavy, and rarely needed.

    known = {name: fact for name, fact in facts.items() if fact is not None}
    return str(LogfmtRenderer(key_order=["event"])(None, "", {"event": event, **known}))
