"""Ends a process right before a chosen one of its writes, as a power cut would.

The kernel stops the process at each of its system calls, so no write is missed, whether Python or
SQLite makes it, and nothing is in the way of the code that is shown. It takes Linux, and to be
allowed to trace a child.
"""

import ctypes
import errno
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

# linux/ptrace.h
_TRACEME: Final = 0
_SYSCALL: Final = 24
_SETOPTIONS: Final = 0x4200
_GET_SYSCALL_INFO: Final = 0x420E
_OPTIONS: Final = 0x100000 | 0x8 | 0x1  # EXITKILL, TRACECLONE, TRACESYSGOOD.
_ENTRY: Final = 1
# sys/wait.h: threads too.
_WALL: Final = 0x40000000
_SYSCALL_STOP: Final = signal.SIGTRAP | 0x80

# The numbers of the calls that change a file, or what there is in a folder. Those of the first
# column name a file that is open.
_ON_FILES: Final = {
    "x86_64": {"write": 1, "pwrite64": 18, "writev": 20, "pwritev": 296, "ftruncate": 77,
               "fsync": 74, "fdatasync": 75, "fallocate": 285, "fchmod": 91},
    "aarch64": {"write": 64, "pwrite64": 68, "writev": 66, "pwritev": 70, "ftruncate": 46,
                "fsync": 82, "fdatasync": 83, "fallocate": 47, "fchmod": 52},
}  # fmt: skip
_IN_FOLDERS: Final = {
    "x86_64": {"rename": 82, "renameat": 264, "renameat2": 316, "unlink": 87, "unlinkat": 263,
               "mkdir": 83, "mkdirat": 258, "link": 86, "linkat": 265, "chmod": 90},
    "aarch64": {"renameat": 38, "renameat2": 276, "unlinkat": 35, "mkdirat": 34, "linkat": 37,
                "fchmodat": 53},
}  # fmt: skip
_OPENAT: Final = {"x86_64": 257, "aarch64": 56}


class _SyscallInfo(ctypes.Structure):
    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


def can_trace() -> bool:
    """Can a process be ended at a write here?"""
    return sys.platform == "linux" and platform.machine() in _OPENAT


def cut(work: Callable[[], None], folder: Path, before: int | None = None) -> int | None:
    """Do the work in a child process, and end it right before so many writes below a folder.

    Returns:
        None when it was ended, else how many writes there were.
    """
    child = os.fork()
    if not child:
        _be_traced(work)
    os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, 0, _OPTIONS)
    return _Trace(child, folder.resolve(), before).follow()


def _be_traced(work: Callable[[], None]) -> None:
    try:
        _ptrace(_TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
    except BaseException as error:  # noqa: BLE001 - the child must not go on as the parent.
        print(repr(error), file=sys.stderr, flush=True)  # noqa: T201 - there is nobody else.
        os._exit(1)
    os._exit(0)


class _Trace:
    def __init__(self, child: int, folder: Path, before: int | None) -> None:
        self._child = child
        self._folder = folder
        self._before = before
        self._writes = 0
        self._machine = platform.machine()

    def follow(self) -> int | None:
        """Let it run from one system call to the next until it ends."""
        _ptrace(_SYSCALL, self._child, 0, 0)
        while True:
            task, status = os.waitpid(-1, _WALL)
            if os.WIFSTOPPED(status):
                self._go_on(task, status)
            elif task == self._child:
                return self._end(status)

    def _go_on(self, task: int, status: int) -> None:
        stopped_by = os.WSTOPSIG(status)
        if stopped_by == _SYSCALL_STOP and self._writes_now(task):
            self._writes += 1
            if self._writes == self._before:
                os.kill(self._child, signal.SIGKILL)
                return
        # A signal of its own is passed on; what stops it for us, and a new thread, is not.
        passed_on = stopped_by not in {_SYSCALL_STOP, signal.SIGTRAP, signal.SIGSTOP}
        _ptrace(_SYSCALL, task, 0, stopped_by if passed_on else 0)

    def _end(self, status: int) -> int | None:
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return None
        assert os.waitstatus_to_exitcode(status) == 0, "the work has failed"
        return self._writes

    def _writes_now(self, task: int) -> bool:
        info = _SyscallInfo()
        _ptrace(_GET_SYSCALL_INFO, task, ctypes.sizeof(info), ctypes.addressof(info))
        if info.op != _ENTRY:
            return False
        if info.number == _OPENAT[self._machine]:
            return bool(info.arguments[2] & os.O_CREAT)
        if info.number in _IN_FOLDERS[self._machine].values():
            return True
        if info.number not in _ON_FILES[self._machine].values():
            return False
        return self._folder in Path(f"/proc/{task}/fd/{info.arguments[0]}").readlink().parents


_libc: Final = ctypes.CDLL(None, use_errno=True)


def _ptrace(request: int, task: int, address: int, data: int) -> None:
    done = _libc.ptrace(
        ctypes.c_long(request), ctypes.c_long(task), ctypes.c_void_p(address), ctypes.c_void_p(data)
    )
    # It may have died meanwhile, which the next wait will tell.
    if done == -1 and ctypes.get_errno() != errno.ESRCH:
        raise OSError(ctypes.get_errno(), "the process can't be traced")
