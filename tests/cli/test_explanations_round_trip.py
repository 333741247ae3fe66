"""Explanations without code, from the items to the board, by the commands alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from earwitness import cli
from earwitness.results import rows
from earwitness.results.rows import MADE_ELSEWHERE, UNVERIFIED
from in_process import Ended, earwitness_here
from outside_task import fill, make_scenes_task

SEED = "7243096212870512347"
Earwitness = Callable[..., Ended]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes_task(tmp_path_factory.mktemp("tasks") / "tiny_scenes")


@pytest.fixture
def earwitness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Earwitness:
    monkeypatch.chdir(tmp_path)
    return lambda *words: earwitness_here([str(word) for word in words], monkeypatch, capsys)


def hash_of(said: str) -> str:
    return said.partition("its hash is ")[2][:16]


def test_a_round_trip_by_commit_then_reveal(
    earwitness: Earwitness, task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No code is run, so that no isolation is asked for.
    monkeypatch.setattr(cli.run, "isolated", None)
    # What the author commits to: explanations of the card's items, and the method that makes them.
    assert earwitness("items", task, "--out", "items").code == 0
    assert earwitness("new", "mine", "--explanations", "--items", "items").code == 0
    fill(Path("mine"))
    card = Path("mine/submission.toml")
    card.write_text(card.read_text() + f'method = "{"ab" * 32}"\n')
    committed = earwitness("submissions", "mine", "--json")
    (committed_hash,) = json.loads(committed.out)["hashes"].values()

    # The owner's seed is published after it, and fresh items are explained by the same method.
    assert earwitness("items", task, "--fresh", SEED, "--out", "fresh").code == 0
    assert SEED not in Path("fresh/items.json").read_text()
    assert earwitness("new", "again/mine", "--explanations", "--items", "fresh").code == 0
    shutil.copy(card, "again/mine/submission.toml")
    fill(Path("again/mine"))
    ran = earwitness("run", "--task", task, "--submission", "again/mine", "--fresh", SEED, "--untrusted")
    assert ran.code == 0, ran.err
    assert UNVERIFIED in ran.out

    # What was prepared before answers for no fresh item, and what another seed's items were given does not either.
    prepared = earwitness("run", "--task", task, "--submission", "mine", "--fresh", SEED)
    assert prepared.code == 2
    assert "no set of tiny_scenes is of the items of --fresh" in prepared.err
    other = earwitness("run", "--task", task, "--submission", "again/mine", "--fresh", "8")
    assert other.code == 2

    (run,) = Path("runs").glob("tiny_scenes__mine__*")
    table = rows.read_run(run).to_pylist()
    assert {row["item"] for row in table} == {f"test-0000{i}-{SEED}" for i in range(2)}
    assert {(row["isolation"], row["metering"], row["plausible_forwards"]) for row in table} == {
        (MADE_ELSEWHERE, UNVERIFIED, None)
    }
    assert {row["status"] for row in table} == {"ok"}
    assert {row["submission_hash"] for row in table} != {committed_hash}
    assert earwitness("verify", run).code == 0

    # On the board nobody claims to know what they cost.
    board = earwitness("board", "--only", "explanations", "--json")
    (only,) = json.loads(board.out)
    assert (only["entrant"], only["made_elsewhere"], only["seconds"], only["forwards"]) == ("mine", True, None, None)


def test_a_filter_that_is_none_is_refused(earwitness: Earwitness) -> None:
    ended = earwitness("board", "--only", "anything")
    assert (ended.code, ended.err) == (2, "earwitness: --only 'anything' is none of code, explanations\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("new", "mine", "--items", "items"), "--items goes with --explanations"),
        (("new", "mine", "--explanations", "--kind", "task"), "leave --kind out"),
        (("new", "mine", "--explanations"), "add --items DIR"),
        (("new", "mine", "--explanations", "--items", "nowhere"), "name a folder that `earwitness items"),
        (("new", "mine", "--explanations", "--items", "."), "items.json: format: Field required"),
        (("items", "nothing", "--out", "items"), "no task is called 'nothing'"),
        (("items", "micro_prompt", "--out", "."), ". holds files; name a folder that is empty"),
        (("items", "micro_prompt", "--out", "out", "--items", "0"), "greater than or equal to 1"),
        (("items", "micro_prompt"), "Missing option '--out'"),
        (("items", "musicgen_musiccaps", "--out", "out", "--fresh", "1"), "--fresh draws from a made world"),
    ],
)
def test_what_cannot_be_meant_is_one_line(earwitness: Earwitness, words: tuple[str, ...], says: str) -> None:
    Path("items.json").write_text("{}", encoding="utf-8")
    ended = earwitness(*words)
    assert ended.code == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["items.json"]
