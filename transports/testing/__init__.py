"""What tests of a transport need: `loopback`, a server that handlers stand behind."""

from transports.testing._loopback import Handler, loopback

__all__ = ["Handler", "loopback"]
