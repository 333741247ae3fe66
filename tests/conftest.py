import atexit
import os
import shutil
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if "EARWITNESS_STATE" not in os.environ:
    # Of this process and those that it starts: the user's own key is none of the tests' business.
    os.environ["EARWITNESS_STATE"] = tempfile.mkdtemp(prefix="earwitness-state-")
    atexit.register(shutil.rmtree, os.environ["EARWITNESS_STATE"], True)
