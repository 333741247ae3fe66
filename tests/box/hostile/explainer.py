"""Attacks of a submission on the benchmark, by name: each returns whether it succeeded, as far as it can tell."""

import ctypes
import gc
import importlib
import json
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, TokenMap

Attack = Callable[[dict[str, Any]], bool]
ATTACKS: dict[str, Attack] = {}
LIBC = ctypes.CDLL(None, use_errno=True)
MIB = 1 << 20


def attack(function: Attack) -> Attack:
    ATTACKS[function.__name__] = function
    return function


def scratch() -> Path:
    return Path(os.environ["EARWITNESS_SCRATCH"])


def opens(path: str, flags: int) -> bool:
    os.close(os.open(path, flags))
    return True


# What is read later: rows, recipes, truth, code.


@attack
def write_own_rows(prey: dict[str, Any]) -> bool:
    Path(prey["run"], "rows", "00000.parquet").write_bytes(b"PAR1")
    return True


@attack
def write_recipe(prey: dict[str, Any]) -> bool:
    Path(prey["run"], "run.json").write_text('{"state": "done"}')
    return True


@attack
def negate_rival(prey: dict[str, Any]) -> bool:
    path = Path(prey["rival"], "rows", "00000.parquet")
    path.write_bytes(path.read_bytes()[::-1])
    return True


@attack
def delete_rival(prey: dict[str, Any]) -> bool:
    Path(prey["rival"], "rows", "00000.parquet").unlink()
    return True


@attack
def rename_runs(prey: dict[str, Any]) -> bool:
    Path(prey["run"]).rename(Path(prey["run"] + "-away"))
    Path(prey["run"] + "-away").rename(prey["run"])
    return True


@attack
def rewrite_truth(prey: dict[str, Any]) -> bool:
    return opens(prey["truth"], os.O_RDWR)


@attack
def rewrite_card(prey: dict[str, Any]) -> bool:
    return opens(prey["card"], os.O_RDWR)


@attack
def patch_library(prey: dict[str, Any]) -> bool:
    return opens(prey["scoring"], os.O_RDWR)


@attack
def patch_seen_library(prey: dict[str, Any]) -> bool:
    return opens(str(Path(sys.modules["earwitness.tracks"].__file__ or "")), os.O_RDWR)


@attack
def patch_packages(prey: dict[str, Any]) -> bool:
    return opens(np.__file__, os.O_RDWR)


@attack
def plant_package(prey: dict[str, Any]) -> bool:
    path = Path(np.__file__).parent.parent / "planted_by_hostile.pth"
    path.write_text("")
    path.unlink()
    return True


@attack
def rewrite_itself(prey: dict[str, Any]) -> bool:
    return opens(__file__, os.O_RDWR)


@attack
def rewrite_model(prey: dict[str, Any]) -> bool:
    return opens(prey["weights"], os.O_RDWR)


@attack
def wipe_log(prey: dict[str, Any]) -> bool:
    with open("/proc/self/fd/1", "r+b") as file:
        file.truncate(0)
    return True


@attack
def chmod_outside(prey: dict[str, Any]) -> bool:
    os.chmod(prey["secret"], 0o600)
    return True


@attack
def date_outside(prey: dict[str, Any]) -> bool:
    os.utime(prey["secret"], (1, 1))
    return True


@attack
def write_through_link(prey: dict[str, Any]) -> bool:
    link = scratch() / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(prey["victim_file"])
    link.write_text("through a link")
    return True


@attack
def hard_link(prey: dict[str, Any]) -> bool:
    os.link(prey["secret"], scratch() / "hard")
    return True


@attack
def lend_rights(prey: dict[str, Any]) -> bool:
    path = scratch() / "lent"
    path.write_bytes(b"#!/bin/sh\n")
    path.chmod(0o4755)
    return bool(path.stat().st_mode & 0o4000)


@attack
def create_with_rights(prey: dict[str, Any]) -> bool:
    path = scratch() / "born"
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o4755))
    return bool(path.stat().st_mode & 0o4000)


@attack
def create_nameless_with_rights(prey: dict[str, Any]) -> bool:
    """A file without a name gets its mode as it is made, too, and may be given a name later."""
    descriptor = os.open(scratch(), os.O_TMPFILE | os.O_WRONLY, 0o4755)
    return bool(os.fstat(descriptor).st_mode & 0o4000)


# What is not to be known: truth, judges, the world, others' work, the user's secrets.


@attack
def read_truth(prey: dict[str, Any]) -> bool:
    return bool(Path(prey["truth"]).read_bytes())


@attack
def read_copied_truth(prey: dict[str, Any]) -> bool:
    """Where the library is installed for editing, a stale copy of the tasks lies beside the other packages."""
    copies = (Path(path, "earwitness", "_tasks", "micro_prompt", "truth", "certificate.json") for path in sys.path)
    return any(path.read_bytes() for path in copies if path.is_file())


@attack
def read_rival(prey: dict[str, Any]) -> bool:
    return bool(Path(prey["rival"], "run.json").read_bytes())


@attack
def list_runs(prey: dict[str, Any]) -> bool:
    return bool(os.listdir(prey["out"]))


@attack
def read_secret(prey: dict[str, Any]) -> bool:
    return Path(prey["secret"]).read_text() == "secret"


@attack
def read_home(prey: dict[str, Any]) -> bool:
    return any(Path(prey["home"]).iterdir())


@attack
def import_judges(prey: dict[str, Any]) -> bool:
    return bool(importlib.import_module("earwitness.judges"))


@attack
def import_scoring(prey: dict[str, Any]) -> bool:
    return bool(importlib.import_module("earwitness.scoring.prompt.truth"))


@attack
def regenerate_world(prey: dict[str, Any]) -> bool:
    return bool(importlib.import_module("earwitness.worlds.scenes"))


@attack
def read_environment(prey: dict[str, Any]) -> bool:
    return "EARWITNESS_TEST_SECRET" in os.environ


@attack
def read_first_environment(prey: dict[str, Any]) -> bool:
    """The environment of what started the box, of which flags that clear the child's own know nothing."""
    return bool(Path(f"/proc/{os.getppid()}/environ").read_bytes())


@attack
def read_others_environment(prey: dict[str, Any]) -> bool:
    return bool(Path(f"/proc/{prey['victim']}/environ").read_bytes())


@attack
def read_others_command(prey: dict[str, Any]) -> bool:
    return b"sleep" in Path(f"/proc/{prey['victim']}/cmdline").read_bytes()


@attack
def read_memory(prey: dict[str, Any]) -> bool:
    return opens(f"/proc/{prey['victim']}/mem", os.O_RDONLY)


@attack
def trace(prey: dict[str, Any]) -> bool:
    return bool(LIBC.ptrace(16, prey["victim"], None, None) == 0)


@attack
def copy_memory(prey: dict[str, Any]) -> bool:
    line = Path(f"/proc/{prey['victim']}/maps").read_text().splitlines()[0]
    address, buffer = int(line.split("-")[0], 16), ctypes.create_string_buffer(8)
    local = struct.pack("PN", ctypes.addressof(buffer), 8)
    remote = struct.pack("PN", address, 8)
    return bool(LIBC.process_vm_readv(prey["victim"], local, 1, remote, 1, 0) == 8)


# Other processes.


@attack
def kill_other(prey: dict[str, Any]) -> bool:
    os.kill(prey["doomed"], signal.SIGKILL)
    return True


@attack
def slow_other(prey: dict[str, Any]) -> bool:
    os.setpriority(os.PRIO_PROCESS, prey["victim"], 19)
    return True


@attack
def limit_other(prey: dict[str, Any]) -> bool:
    resource.prlimit(prey["victim"], resource.RLIMIT_CORE, (0, 0))
    return True


@attack
def leave_daemon(prey: dict[str, Any]) -> bool:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path(prey["daemon"]).write_text(str(os.getpid()))
            time.sleep(60)
        os._exit(0)
    os.wait()
    time.sleep(0.3)
    return Path(prey["daemon"]).exists()


@attack
def start_program(prey: dict[str, Any]) -> bool:
    return subprocess.run(["/bin/true"], check=True).returncode == 0


@attack
def fork_often(prey: dict[str, Any]) -> bool:
    for _ in range(50):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
    return True


@attack
def work_elsewhere(prey: dict[str, Any]) -> bool:
    """CPU seconds in a process of another session, which is gone before anybody looks."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            burn(0.5)
            Path(prey["burnt"]).write_text("done")
        os._exit(0)
    os.wait()
    end = time.monotonic() + 20
    while not Path(prey["burnt"]).exists() and time.monotonic() < end:
        time.sleep(0.05)
    return Path(prey["burnt"]).exists()


@attack
def outlive(prey: dict[str, Any]) -> bool:
    """Ask not to be ended with who started this."""
    return bool(LIBC.prctl(1, 0, 0, 0, 0) == 0)


# The network, and what else leads out.


@attack
def connect(prey: dict[str, Any]) -> bool:
    with socket.create_connection(("127.0.0.1", prey["port"]), timeout=5) as found:
        found.sendall(b"leak")
    return True


@attack
def send_datagram(prey: dict[str, Any]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.sendto(b"leak", ("127.0.0.1", prey["port"]))
    return True


@attack
def connect_by_path(prey: dict[str, Any]) -> bool:
    with socket.socket(socket.AF_UNIX) as found:
        found.connect(prey["socket"])
    return True


@attack
def connect_by_name(prey: dict[str, Any]) -> bool:
    with socket.socket(socket.AF_UNIX) as found:
        found.connect("\0" + prey["abstract"])
    return True


@attack
def listen(prey: dict[str, Any]) -> bool:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        found.listen()
    return True


@attack
def ask_kernel(prey: dict[str, Any]) -> bool:
    """A netlink socket tells of interfaces and addresses."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as found:
        found.bind((0, 0))
    return True


@attack
def share_memory(prey: dict[str, Any]) -> bool:
    """A System V segment outlives who made it."""
    found = LIBC.shmget(0x1EA2, 4096, 0o1600)
    if found >= 0:
        LIBC.shmctl(found, 0, None)
    return bool(found >= 0)


@attack
def own_namespace(prey: dict[str, Any]) -> bool:
    """A mount namespace of one's own shows what one likes."""
    return bool(LIBC.unshare(0x00020000) == 0)


@attack
def ring(prey: dict[str, Any]) -> bool:
    """What is asked of io_uring no seccomp filter sees."""
    return bool(LIBC.syscall(425, 4, (ctypes.c_char * 120)()) >= 0)


@attack
def keep_key(prey: dict[str, Any]) -> bool:
    """The kernel's keyrings outlive a process, and are read by another of the same user."""
    return bool(LIBC.syscall(248, b"user", b"earwitness", b"leak", 4, -4) >= 0)


# More than one's share.


@attack
def take_memory(prey: dict[str, Any]) -> bool:
    return len([np.ones(1 << 30, np.uint8) for _ in range(3)]) == 3


@attack
def map_memory(prey: dict[str, Any]) -> bool:
    return len([mmap.mmap(-1, 1 << 30) for _ in range(12)]) == 12


@attack
def hide_memory(prey: dict[str, Any]) -> bool:
    """A file without a name is memory that no limit of a process counts."""
    os.ftruncate(os.memfd_create("hidden"), 1 << 30)
    return True


@attack
def fill_scratch(prey: dict[str, Any]) -> bool:
    for number in range(64):
        (scratch() / f"full-{number}").write_bytes(bytes(MIB))
    return True


@attack
def litter_scratch(prey: dict[str, Any]) -> bool:
    for number in range(600):
        (scratch() / f"litter-{number}").touch()
    return True


@attack
def dig_scratch(prey: dict[str, Any]) -> bool:
    """Folders in folders, deeper than any path is long: what lies there is not found by walking paths."""
    home = os.getcwd()
    os.chdir(scratch())
    try:
        for _ in range(1500):
            os.mkdir("deeper")
            os.chdir("deeper")
    finally:
        os.chdir(home)
    return True


@attack
def fill_one_file(prey: dict[str, Any]) -> bool:
    with (scratch() / "long").open("wb") as file:
        for _ in range(64):
            file.write(bytes(MIB))
    return True


@attack
def fill_shared_memory(prey: dict[str, Any]) -> bool:
    path = Path("/dev/shm/earwitness-hostile")
    try:
        with path.open("wb") as file:
            for _ in range(96):
                file.write(bytes(MIB))
    finally:
        path.unlink(missing_ok=True)
    return True


@attack
def flood_log(prey: dict[str, Any]) -> bool:
    for _ in range(32):
        print("x" * MIB)
    return True


@attack
def many_threads(prey: dict[str, Any]) -> bool:
    done = threading.Event()
    try:
        for _ in range(1000):
            threading.Thread(target=done.wait, args=(20,), daemon=True).start()
    finally:
        done.set()
    return True


@attack
def flood_reply(prey: dict[str, Any]) -> bool:
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:") and descriptor > 2:
                os.write(descriptor, struct.pack("<Q", 1 << 40) + b"x" * 1000)
        except OSError:
            continue
    time.sleep(60)
    return True


@attack
def loop(prey: dict[str, Any]) -> bool:
    while True:
        pass


@attack
def sleep(prey: dict[str, Any]) -> bool:
    time.sleep(600)
    return True


@attack
def crash(prey: dict[str, Any]) -> bool:
    ctypes.string_at(0)
    return True


@attack
def leave(prey: dict[str, Any]) -> bool:
    os._exit(0)


@attack
def nothing(prey: dict[str, Any]) -> bool:
    return True


# The bill, and what items say of themselves.


@attack
def patch_meter(prey: dict[str, Any]) -> bool:
    """No pass and no second is told of, whatever was done."""
    meter = importlib.import_module("earwitness.box.meter")
    meter.Meter.usage = lambda _: meter.Usage(0.0, 0.0, 0.0, 0)
    burn(0.5)
    return True


@attack
def work_between(prey: dict[str, Any]) -> bool:
    """A thread goes on between two questions, when no meter runs."""
    threading.Thread(target=burn_here, args=(0.5,)).start()
    return True


@attack
def reap(prey: dict[str, Any]) -> bool:
    """Take what was worked out between the questions, for nothing."""
    return True


@attack
def leave_without_paying(prey: dict[str, Any]) -> bool:
    """The process ends as soon as its answer is out, before anybody can read what it used."""
    meter = importlib.import_module("earwitness.box.meter")
    meter.Meter.usage = lambda _: meter.Usage(0.0, 0.0, 0.0, 0)
    write = os.write

    def last(descriptor: int, data: Any) -> int:
        write(descriptor, data)
        os._exit(0)

    os.write = last
    burn(0.5)
    return True


@attack
def tell_world(prey: dict[str, Any]) -> bool:
    return prey["item"].startswith("world-7")


@attack
def look_up(prey: dict[str, Any]) -> bool:
    """What the frames above, and everything alive, say of parameters that were drawn anew."""
    found = [each for each in gc.get_objects() if type(each).__name__ == "Brief"]
    frame: Any = sys._getframe()
    while frame is not None:
        found += [each for each in frame.f_locals.values() if type(each).__name__ == "Brief"]
        frame = frame.f_back
    return any(brief.redrawn for brief in found)


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def burn_here(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Hostile(PromptExplainer):
    def explain(self, model: Any, item: Any) -> TokenMap:
        known = {**json.loads(Path(__file__).with_name("prey.json").read_text()), "item": item.id}
        succeeded = ATTACKS[item.prompt](known)
        return TokenMap(np.full((item.codes.shape[1], len(item.tokens)), float(succeeded)))
