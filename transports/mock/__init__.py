"""A transport that answers from the test's own words, in memory.

It is given to a client like every other transport, so nothing is patched and all of the client
runs: encoding, coalescing, retries, errors. It is strict both ways: a request that nothing answers
is an `AssertionError`, which no retry and no `except TransportError` swallows, and at the end of
`async with MockTransport() as transport` a route that nobody asked for is one, too.

    async with MockTransport() as transport:
        transport.route("GET", "/users/{id}", json_response({"name": "Ann"}))
        transport.route("POST", "/users", [faults.reset(), json_response({}, 201)], times=2)

What can go wrong on the way to a server is in `transports.mock.faults`.
"""

from transports.mock._answers import Answer, Handler, json_response
from transports.mock._log import Call, Route
from transports.mock._transport import MockTransport

__all__ = ["Answer", "Call", "Handler", "MockTransport", "Route", "json_response"]
