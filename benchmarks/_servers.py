"""A server that answers every request with the same JSON, and costs next to nothing.

It is nginx where there is one, else a few lines that parse no request. Either way it is a process
of its own, on a core of its own where there are two, and it ends when its input does: so it never
outlives the benchmark, however that ends.

    python -m benchmarks._servers '{"a": "constant answer"}'
"""

import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks._machine import SERVERS
from benchmarks._workers import WorkerFailedError, process

_CONFIGURATION: Final = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1d;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{answer}'; }}
    }}
}}
"""
"""One process, which closes no connection."""


@contextmanager
def json_server(answer: str) -> Iterator[str]:
    """The URL of a server, without a slash at its end; the answer holds no `'` and no `$`."""
    command = (sys.executable, "-m", "benchmarks._servers", answer)
    with process(command, SERVERS) as server:
        assert server.stdout is not None
        port = server.stdout.readline()
        if not port:
            raise WorkerFailedError(f"the server ended with {server.wait()}")
        yield f"http://127.0.0.1:{int(port)}"


def server_name() -> str:
    """What answers, in words."""
    nginx = shutil.which("nginx")
    if nginx is None:
        return "a server of asyncio, because there is no nginx"
    ask = [nginx, "-v"]
    told = subprocess.run(ask, capture_output=True, text=True, check=True)  # noqa: S603 - as found.
    return told.stderr.rpartition(": ")[2].strip()


def _run_nginx(nginx: str, answer: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        file = Path(folder, "nginx.conf")
        file.write_text(_CONFIGURATION.format(folder=folder, port=port, answer=answer))
        command = [nginx, "-p", folder, "-c", str(file)]
        with subprocess.Popen(command) as server:  # noqa: S603 - as found on the PATH.
            try:
                _wait_for(port, server)
                print(port, flush=True)
                sys.stdin.read()
            finally:
                server.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)  # It does not say when it listens.
    raise SystemExit(f"nginx ended with {server.returncode}")


class _Answering(asyncio.Protocol):
    """Answers whatever comes; a request is small enough to come in one piece."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, _: bytes) -> None:
        self._transport.write(self._answer)


async def _run_minimal(answer: str) -> None:
    head = f"Content-Type: application/json\r\nContent-Length: {len(answer)}"
    whole = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n{answer}".encode()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: _Answering(whole), "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main(answer: str) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        asyncio.run(_run_minimal(answer))
    else:
        _run_nginx(nginx, answer)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
