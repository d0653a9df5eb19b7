"""The pytest plugin: fixtures of the testing kit, and a guard against real connections.

Whoever has the SDK installed has it in every session of pytest. So `_hooks`, which pytest loads,
imports nothing but pytest, and the rest is imported by who uses it.
"""
