"""Submissions from the hub: an address with a commit, and the plain folder that it becomes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from huggingface_hub import constants

from earwitness import registry
from earwitness.errors import EarwitnessError
from earwitness.hub.addresses import HubError, parse
from earwitness.hub.submissions import HubSubmission
from earwitness.submission import load_explainer
from handing_in import hand_in, set_of
from hub_double import CARD, CODE, FILES, TOKEN, Hub
from hub_fixture import hub as hub

NAME = "ann/ours"


def address(commit: str, name: str = NAME) -> str:
    return f"hf://{name}@{commit}"


def complaint(text: str) -> str:
    with pytest.raises(EarwitnessError) as caught:
        registry.submission(text)
    said = str(caught.value)
    assert "\n" not in said
    assert caught.value.exit_code == 2
    return said


def test_a_commit_becomes_a_plain_folder_that_is_read_as_any_other(hub: Hub, tmp_path: Path) -> None:
    weights = {"weights/a.safetensors": b"w" * 1000, "weights/b.npy": b"b", "demo.png": b"p", "run.pkl": b"pickle"}
    commit = hub.repository(NAME).commit({**FILES, **weights})
    found = registry.submission(address(commit))
    assert (found.id, found.source) == ("of_a_stranger", f"hf://ann/ours@{commit}")
    kept = {path.relative_to(found.folder).as_posix(): path for path in found.folder.rglob("*") if not path.is_dir()}
    assert set(kept) == {"submission.toml", "explainer.py", "README.md", "weights/a.safetensors", "weights/b.npy"}
    assert all(stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_nlink == 1 for path in kept.values())
    assert kept["weights/a.safetensors"].read_bytes() == b"w" * 1000
    assert isinstance(found, HubSubmission)
    assert found.fetched.left_out == ("demo.png", "run.pkl")
    # Nothing that no submission has was asked for.
    assert not [line for line in hub.asked if "demo.png" in line or "run.pkl" in line]
    # What is explained is known by its content, not by where it lies.
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("submission.toml", "explainer.py"):
        (folder / name).write_bytes(FILES[name])
    plain = hub.repository("ann/plain").commit(FILES)
    assert registry.submission(address(plain, "ann/plain")).hashes == registry.submission(str(folder)).hashes


def test_what_is_here_is_not_asked_for_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.repository(NAME).commit(FILES)
    first = registry.submission(address(commit))
    hub.asked.clear()
    assert registry.submission(address(commit)).folder == first.folder
    assert hub.asked == []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert registry.submission(address(commit)).folder == first.folder
    other = hub.repository(NAME).commit({**FILES, "README.md": b"# Other\n"})
    assert "HF_HUB_OFFLINE is set" in complaint(address(other)) or "only a part" in complaint(address(other))


def test_offline_a_copy_of_the_hubs_own_cache_will_do(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = hub.repository(NAME).commit(FILES)
    first = registry.submission(address(commit))
    monkeypatch.setenv("EARWITNESS_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.asked.clear()
    second = registry.submission(address(commit))
    assert second.folder != first.folder
    assert second.hashes == first.hashes
    assert hub.asked == []


def test_what_was_fetched_and_changed_since_is_refused(hub: Hub) -> None:
    commit = hub.repository(NAME).commit(FILES)
    folder = registry.submission(address(commit)).folder
    kept = (folder / "explainer.py").read_bytes()
    (folder / "explainer.py").write_bytes(kept.replace(b"ones", b"ZZZZ"))
    assert "not what was fetched" in complaint(address(commit))
    (folder / "explainer.py").write_bytes(kept)
    registry.submission(address(commit))
    (folder / "more.py").write_bytes(b"")
    assert "not what was fetched" in complaint(address(commit))


@pytest.mark.parametrize("name", ["explainer.py", "weights.safetensors"])
def test_bytes_that_are_not_the_commits_are_refused_and_leave_nothing(hub: Hub, name: str, tmp_path: Path) -> None:
    commit = hub.repository(NAME, cut=(name,)).commit({**FILES, "weights.safetensors": b"0123"})
    assert f"{name} is not what the commit names" in complaint(address(commit))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_branch_is_refused_with_the_commit_that_it_is_at(hub: Hub) -> None:
    commit = hub.repository(NAME).commit(FILES)
    said = complaint("hf://ann/ours@main")
    assert said.endswith(f"it is at {commit} now: pin it as hf://ann/ours@{commit}")
    assert f"pin it as hf://ann/ours@{commit}" in complaint("hf://ann/ours")
    # A short one could be a branch's name.
    assert "has no revision" in complaint(f"hf://ann/ours@{commit[:10]}")
    hub.down = 503
    assert "pin one by its 40 hex digits" in complaint("hf://ann/ours@main")


@pytest.mark.parametrize(
    "text", ["hf://ann", "hf://ann/ours/more", "hf://../ours@" + "0" * 40, "hf://ann/ours@../x", "hf://spaces/a/b@main"]
)
def test_what_is_no_address_is_refused_before_anything_is_asked(hub: Hub, text: str) -> None:
    assert "hf://USER/REPO@COMMIT" in complaint(text)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"private": True}, "there is no such model repository, or it is private"),
        ({"gated": True}, "it is gated; ask for access"),
    ],
)
def test_what_may_not_be_read_says_what_to_do(hub: Hub, known: dict[str, bool], said: str) -> None:
    commit = hub.repository(NAME, **known).commit(FILES)
    assert said in complaint(address(commit))


def test_a_token_opens_what_is_private_and_a_wrong_one_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.repository(NAME, private=True).commit(FILES)
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    assert "wrong or has expired" in complaint(address(commit))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert registry.submission(address(commit)).id == "of_a_stranger"


def test_what_is_not_there_and_a_hub_that_is_not_there_are_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.repository(NAME).commit(FILES)
    assert "no such model repository" in complaint(address(commit, "ann/none"))
    assert f"has no revision {'f' * 40}" in complaint(address("f" * 40))
    hub.down = 500
    assert "the hub answered 500" in complaint(address(commit))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "the hub cannot be reached" in complaint(address(commit))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"submission.toml": b""}, "there is no submission.toml at its top"),
        ({"a b.py": b"x"}, "names are of letters"),
        ({"a/b/c/d/e/f/g.py": b"x"}, "more than 5 folders deep"),
        ({"Explainer.py": b"x"}, "in capitals alone"),
        ({"explainer.py": CODE.replace(b"Mine", b"Other")}, ""),
    ],
)
def test_a_repository_that_is_no_submission_is_refused(hub: Hub, files: dict[str, bytes], said: str) -> None:
    every = {name: body for name, body in {**FILES, **files}.items() if body}
    commit = hub.repository(NAME).commit(every)
    if said:
        assert said in complaint(address(commit))
        assert not [line for line in hub.asked if "/resolve/" in line]
    else:
        registry.submission(address(commit))


def test_sizes_are_known_before_anything_is_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from earwitness.hub import files

    commit = hub.repository(NAME).commit(FILES)
    for name, value, said in (
        ("LARGEST_FILE", 10, "at most 10 are read"),
        ("MOST_BYTES", 100, "at most 100 are fetched"),
        ("MOST_FILES", 2, "3 files, and at most 2 are fetched"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, value)
            assert said in complaint(address(commit))
    assert not [line for line in hub.asked if "/resolve/" in line]


def test_a_stranger_has_no_registered_name_and_no_installed_code(hub: Hub) -> None:
    named = hub.repository(NAME).commit({**FILES, "submission.toml": CARD.replace(b"of_a_stranger", b"random")})
    assert "'random' is that of a registered submission" in complaint(address(named))
    installed = hub.repository(NAME).commit({**FILES, "submission.toml": CARD.replace(b'"Mine"', b'"os.path:Mine"')})
    assert "is an installed package's" in complaint(address(installed))


def test_a_strangers_code_is_loaded_nowhere_but_in_a_box(hub: Hub) -> None:
    found = registry.submission(address(hub.repository(NAME).commit(FILES)))
    with pytest.raises(EarwitnessError, match="in a box alone"):
        load_explainer(found, "prompt")


def test_explanations_without_code_lie_in_a_repository_of_data(hub: Hub, tmp_path: Path) -> None:
    made = hand_in(tmp_path / "maps", set_of(["a", "b"]))
    files = {path.relative_to(made.folder).as_posix(): path for path in made.folder.rglob("*") if path.is_file()}
    commit = hub.repository("ann/maps", "dataset").commit({name: path.read_bytes() for name, path in files.items()})
    found = registry.submission(f"hf://datasets/ann/maps@{commit}")
    assert found.hashes == made.hashes
    assert found.source == f"hf://datasets/ann/maps@{commit}"
    with pytest.raises(HubError, match="no such model repository"):
        registry.submission(f"hf://ann/maps@{commit}")


def test_an_address_reads_back_as_it_was_written() -> None:
    for text in ("hf://a/b", "hf://a/b@main", "hf://datasets/a/b.c_d@" + "0" * 40):
        assert parse(text).text == text
