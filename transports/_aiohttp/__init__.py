"""What `AiohttpTransport` is made of: a session, its home, and the names of what goes wrong.

- `_session`: aiohttp, set up as it must be, on the asyncio loop that it is made in.
- `_home`: where a session lives, and that it may live in the loop that runs.
- `_translation`: every exception of aiohttp as one of ours, once.
- `_thread`: an asyncio loop in a thread, for a session that a trio program uses.
"""
