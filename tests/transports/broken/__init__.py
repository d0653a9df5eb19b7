"""Transports that break one promise each, and are honest otherwise.

They are small and in memory; what they do wrong is what a transport over a network does wrong.
"""

from tests.transports.broken import answering, arriving, closing, ending, moving, telling
from tests.transports.broken.honest import BREAKING, Honest, serve

__all__ = [
    "BREAKING",
    "Honest",
    "answering",
    "arriving",
    "closing",
    "ending",
    "moving",
    "serve",
    "telling",
]
