"""What a file holds after several have recorded into it at the same time.

Nobody takes away what others have written since they looked. Who asks for the same as others have
recorded meanwhile adds only what is missing: of each request a file has as many answers as the one
who asked for it most often.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from transports.replay._interaction import Interaction


def merged(
    now: Sequence[Interaction],
    ours: Sequence[Interaction],
    key: Callable[[Interaction], object],
    *,
    before: Sequence[Interaction],
    written: Sequence[Interaction],
    replacing: bool,
) -> tuple[Interaction, ...]:
    """What is to be written.

    Args:
        now: What the file holds.
        ours: All that was recorded here.
        key: What requests that are the same have in common.
        before: What the file held when it was read first.
        written: What was recorded here and written already, as it was then.
        replacing: Does what is recorded take the place of what was there before?
    """
    rest = _without(now, written)
    theirs = _without(rest, before)
    others = Counter(map(key, theirs))
    kept = theirs if replacing else rest
    counted: Counter[object] = Counter()
    for interaction in ours:
        counted[key(interaction)] += 1
        if counted[key(interaction)] > others[key(interaction)]:
            kept.append(interaction)
    return tuple(kept)


def _without(some: Sequence[Interaction], taken: Sequence[Interaction]) -> list[Interaction]:
    """Some of these, without as many as are taken of each."""
    left = Counter(taken)
    kept: list[Interaction] = []
    for interaction in some:
        if left[interaction]:
            left[interaction] -= 1
        else:
            kept.append(interaction)
    return kept
