"""The promise of what becomes of a transport in a second event loop."""

from functools import partial

import anyio.to_thread

from transports._base import Transport
from transports._errors import WrongEventLoopError
from transports.testing._elsewhere import LoopKind, in_a_thread, try_in_this_loop
from transports.testing._handlers import echo
from transports.testing._promise import FOREVER, Trial, promise

_EXPECTED = "the right answer, or WrongEventLoopError with maybe_sent=False"


@promise(
    "In a second event loop it works, or says that it belongs to another one",
    "Remember the loop of the first send(). In another one raise WrongEventLoopError, or, if the "
    "first one is closed, begin anew.",
    patience=FOREVER,
)
async def works_in_a_second_loop(trial: Trial) -> None:
    """Use it in a loop beside the first one, then in two that follow each other."""
    async with trial.serve(echo) as (transport, url):
        found = await try_in_this_loop(transport, (f"{url}/first",))
        trial.expect(found is None, "an answer in the first loop", found)
        found = await _in_another_loop(transport, (f"{url}/second", f"{url}/third"))
        trial.expect(found is None, f"{_EXPECTED}, beside the first loop", found)
        found = await try_in_this_loop(transport, (f"{url}/fourth",))
        trial.expect(found is None, "an answer in the first loop, as before", found)
    async with trial.serve(echo) as (transport, url):
        for number in range(2):
            found = await _in_another_loop(transport, (f"{url}/{number}",))
            trial.expect(found is None, f"{_EXPECTED}, in loops one after the other", found)


async def _in_another_loop(transport: Transport, urls: tuple[str, ...]) -> str | None:
    kind = LoopKind.of_the_running_one()

    def work() -> str | None:
        return kind.run(partial(try_in_this_loop, transport, urls, WrongEventLoopError))

    return await anyio.to_thread.run_sync(in_a_thread, work, abandon_on_cancel=True)
