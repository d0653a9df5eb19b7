"""All promises, in the order in which a new transport is best made to keep them."""

import os
from typing import Final

from transports.testing._answers import (
    answers_to_each,
    any_status,
    decodes,
    refuses_a_larger,
    repeated_fields,
    says_its_source,
    takes_the_largest,
    without_body,
)
from transports.testing._closing import (
    closes_again,
    closes_when_cancelled,
    ends_what_is_under_way,
    sends_nothing_when_closed,
)
from transports.testing._endings import (
    ends_at_its_deadline,
    ends_cancelled,
    raises_its_own_errors,
    sends_nothing_after_its_deadline,
)
from transports.testing._forks import works_after_a_fork
from transports.testing._loops import works_in_a_second_loop
from transports.testing._promise import Promise
from transports.testing._requests import (
    adds_nothing,
    arrives_as_it_is,
    follows_no_redirect,
    keeps_no_cookie,
    repeats_fields,
    says_that_nobody_listens,
    tries_once,
)
from transports.testing._secrets import logs_no_secret, raises_no_secret, shows_no_secret

PROMISES: Final[tuple[Promise, ...]] = (
    arrives_as_it_is,
    repeats_fields,
    adds_nothing,
    any_status,
    repeated_fields,
    without_body,
    takes_the_largest,
    refuses_a_larger,
    decodes,
    says_its_source,
    answers_to_each,
    follows_no_redirect,
    keeps_no_cookie,
    tries_once,
    raises_its_own_errors,
    says_that_nobody_listens,
    ends_cancelled,
    ends_at_its_deadline,
    sends_nothing_after_its_deadline,
    sends_nothing_when_closed,
    closes_again,
    ends_what_is_under_way,
    closes_when_cancelled,
    shows_no_secret,
    raises_no_secret,
    logs_no_secret,
    works_in_a_second_loop,
    *([works_after_a_fork] if hasattr(os, "fork") else []),
)
"""What every transport keeps. Where there is no fork, it needs to bear none."""
