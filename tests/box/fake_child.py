"""Stands in for a box's child: behaves as its first argument says, loads nothing."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from earwitness.box import frames


def main() -> None:
    assert "EARWITNESS_SECRET" not in os.environ
    behaviour, read, write = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    brief = frames.read(read).fields
    of_model = {"track", "adapter", "source", "revision", "parameters", "redrawn", "redraw_seed"}
    assert set(brief) == {*of_model, "submission", "budget", "device", "scratch", "batch_size"}
    if behaviour == "refuses":
        frames.write(write, frames.pack({"error": "SyntaxError: invalid\nsyntax"}, {}))
        sys.exit()
    if behaviour == "never_starts":
        time.sleep(1000)
    frames.write(write, frames.pack({"device": "cpu"}, {}))
    cost = {"seconds": 0.5, "forwards": 3, "backwards": 2, "peak_bytes": 10}
    while True:
        try:
            items = frames.read(read).fields["items"]
        except frames.FrameError:
            break
        match behaviour:
            case "exits":
                sys.exit(3)
            case "is_killed" | "crashes" | "aborts" | "terminates":
                names = {"is_killed": "SIGKILL", "crashes": "SIGSEGV", "aborts": "SIGABRT", "terminates": "SIGTERM"}
                os.kill(os.getpid(), signal.Signals[names[behaviour]])
            case "keeps":
                kept = Path(os.environ["EARWITNESS_SCRATCH"], "kept")
                if not kept.exists():
                    kept.write_text("half of it")
                    sys.exit(3)
            case "sleeps":
                time.sleep(1000)
            case "burns":
                while True:
                    pass
            case "forks_and_sleeps":
                if os.fork():
                    time.sleep(1000)
                while True:
                    pass
            case "floods":
                os.write(write, (1 << 62).to_bytes(8, "little"))
                time.sleep(1000)
            case "pickles":
                os.write(write, (8).to_bytes(8, "little") + b"\x80\x04K\x01.\x00\x00\x00")
                time.sleep(1000)
        weights = {"nan": np.nan, "large": 2.0}.get(behaviour, 0.5)
        shape = (9,) if behaviour == "wrong_shape" else (4,)
        array = np.full(shape, weights, np.float32)
        if behaviour == "complex":
            array = array.astype(np.int64).astype(np.float16)
        names = ["weights", "extra"] if behaviour == "extra_array" else ["weights"]
        arrays = {f"{i}/{name}": array for i in range(len(items)) for name in names}
        if behaviour == "nothing":
            arrays = {}
        spent = {**cost, "seconds": {"slow": 99.0, "lies": -1.0}.get(behaviour, 0.5)}
        if behaviour == "huge":
            spent["backwards"] = 10**400
        if behaviour == "large_count":
            spent["peak_bytes"] = 1e300
        spent["forwards"] = 97 if behaviour == "greedy" else 3
        ids = [item["id"] for item in items]
        answers = [{"item": name, "status": "ok", "reason": "", "cost": spent} for name in ids]
        if behaviour == "raised":
            answers[0] |= {"status": "failed", "reason": "ValueError: no\nway"}
        if behaviour == "steers":
            answers[0] |= {"status": "failed", "reason": "\x1b[2Jno \u202eway"}
        if behaviour == "deep":
            reason: list[object] = []
            for _ in range(600):
                reason = [reason]
            answers[0] |= {"reason": reason}
        if behaviour == "odd_status":
            answers[0] |= {"status": "excellent"}
        if behaviour == "other_item":
            answers[0] |= {"item": "item-77"}
        fields = {"answers": answers} if behaviour != "no_answers" else {}
        frames.write(write, frames.pack(fields, arrays))


if __name__ == "__main__":
    main()
