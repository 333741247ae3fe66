import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness import handed_in, registry
from earwitness.box import frames
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.handed_in import HandedIn, Manifest, fresh_mark, parsed
from earwitness.submission import Submission, load_explainer, read_submission
from handing_in import CARD, file_of, hand_in, set_of, sha256

ITEMS = ("a", "b")


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    return hand_in(tmp_path / "mine", set_of(ITEMS))


def again(submission: Submission) -> Submission:
    return read_submission(submission.folder)


def place(submission: Submission) -> Path:
    return submission.folder / "explanations"


def test_a_submission_of_explanations_has_tracks_and_no_explainer(submission: Submission) -> None:
    assert submission.card.tracks == ("prompt",)
    assert list(submission.hashes) == ["prompt"]
    with pytest.raises(InvalidCardError, match="no code comes with them"):
        load_explainer(submission, "prompt")


def test_one_changed_byte_makes_it_another_and_a_title_does_not(submission: Submission) -> None:
    before = submission.hash_for("prompt")
    card = submission.folder / "submission.toml"
    card.write_text(card.read_text().replace("Made elsewhere", "Another title"))
    (submission.folder / "README.md").write_text("A page.\n")
    assert again(submission).hash_for("prompt") == before
    path = place(submission) / file_of("b")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    changed = again(submission).hash_for("prompt")
    assert changed != before
    card.write_text(card.read_text() + f'method = "{"ab" * 32}"\n')
    assert again(submission).hash_for("prompt") not in (before, changed)
    with (place(submission) / "manifest.json").open("a") as file:
        file.write("\n")
    assert again(submission).hash_for("prompt") not in (before, changed)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('licence = "CC-BY-4.0"\n', "", "licence: Field required"),
        ('"CC-BY-4.0"', '""', "licence is empty; say under which one"),
        ('["prompt"]', '["promt"]', "no track is called 'promt'"),
        ('["prompt"]', "[]", "names explainers, or tracks of explanations"),
        ('["prompt"]', '["prompt", "prompt"]', "a track is named twice"),
        ('["prompt"]', '["prompt"]\nmethod = "mine"', "method: String should match pattern"),
        ('["prompt"]', '["prompt"]\n[explainers.prompt]\nexplainer = "Mine"', "names explainers, or tracks of"),
        ('["prompt"]', '["prompt"]\ntrack = "prompt"', "unknown key 'track'"),
    ],
)
def test_a_card_that_says_too_little_is_one_line(tmp_path: Path, before: str, after: str, says: str) -> None:
    text = CARD.format(id="mine", track="prompt")
    assert before in text
    (tmp_path / "submission.toml").write_text(text.replace(before, after))
    with pytest.raises(InvalidCardError) as caught:
        read_submission(tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_method_is_for_explanations_alone(tmp_path: Path) -> None:
    text = CARD.replace("explanations = [", "# ").format(id="mine", track="prompt")
    named = f'track = "prompt"\nexplainer = "Mine"\nmethod = "{"ab" * 32}"\n'
    (tmp_path / "submission.toml").write_text(text + named)
    with pytest.raises(InvalidCardError, match="method is for explanations that are handed in"):
        read_submission(tmp_path)


def test_the_id_of_a_registered_submission_is_refused(tmp_path: Path) -> None:
    folder = hand_in(tmp_path / "random", set_of(ITEMS)).folder
    with pytest.raises(InvalidCardError, match="id 'random' is that of a registered submission; choose another id"):
        registry.submission(str(folder))


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"count": 0}, "sets.0.count: Input should be greater than or equal to 1"),
        ({"count": True}, "sets.0.count: Input should be a valid integer"),
        ({"task": "No Id"}, "sets.0.task: String should match pattern"),
        ({"task_hash": "short"}, "sets.0.task_hash: String should match pattern"),
        ({"fresh": "7"}, "sets.0.fresh: String should match pattern"),
        ({"seed": -1}, "sets.0.seed: Input should be greater than or equal to 0"),
        ({"items": []}, "sets.0.items: Tuple should have at least 1 item"),
        ({"more": 1}, "sets.0.more: an unknown key"),
        ({"count": 1}, "2 items are listed of the first 1; raise count, or take some out"),
        ({"items": [{"id": "a", "failed": "\x1b[2J"}]}, "holds the control character U+001B"),
        ({"items": [{"id": "a", "file": "a.safetensors"}] * 2}, "item 'a' is listed twice; leave one of them out"),
        ({"items": [{"id": "a"}]}, "an item has a file, or says in `failed` why it has none"),
        ({"items": [{"id": "a", "failed": " "}]}, "an item has a file, or says in `failed` why it has none"),
        ({"items": [{"id": "a", "file": "a.safetensors", "failed": "x"}]}, "an item has a file, or says in `failed`"),
        ({"items": [{"id": "\x1b[2J", "file": "a.safetensors"}]}, "holds the control character U+001B"),
        ({"items": [{"id": "a", "file": "a.npy"}]}, "'a.npy' does not end in .safetensors"),
        ({"items": [{"id": "a", "file": "a.safetensors", "sha256": "0"}]}, "sha256: String should match pattern"),
        *(
            (
                {"items": [{"id": "a", "file": name}]},
                "no path below explanations/; write it as task/item.safetensors",
            )
            for name in ("../a.safetensors", "/a.safetensors", "x/../../a.safetensors", "x\\a.safetensors")
        ),
        *(
            ({"items": [{"id": "a", "file": name}]}, "is no path below explanations/")
            for name in ("./a.safetensors", "x//a.safetensors", "a\0.safetensors", "")
        ),
    ],
)
def test_a_manifest_that_breaks_its_form_is_one_line(tmp_path: Path, update: dict[str, Any], says: str) -> None:
    body = json.dumps({"format": 1, "sets": [set_of(ITEMS, **update)]}).encode()
    with pytest.raises(InvalidCardError) as caught:
        parsed(tmp_path / "manifest.json", body, Manifest)
    line = str(caught.value)
    assert says in line
    assert line.startswith(str(tmp_path))
    assert line.endswith("; mend it")
    assert "more)" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON that can be read"),
        (b"[]", "Input should be an object"),
        (b'{"format": 2, "sets": []}', "format: Input should be 1 (and 1 more)"),
        (b'{"format": 1, "format": 1}', "the key 'format' is there twice"),
        (b"\xff", "not UTF-8 from byte 0 on"),
        (b"[" * 100_000, "nested too deep"),
        (b"1" * 5000, "no JSON that can be read"),
    ],
)
def test_bytes_that_are_no_manifest_are_one_line(tmp_path: Path, body: bytes, says: str) -> None:
    with pytest.raises(InvalidCardError) as caught:
        parsed(tmp_path / "manifest.json", body, Manifest)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_a_line(body: bytes) -> None:
    with pytest.raises(EarwitnessError):
        parsed(Path("manifest.json"), body, Manifest)


def test_two_sets_of_the_same_items_are_refused(tmp_path: Path) -> None:
    submission = hand_in(tmp_path / "mine", set_of(ITEMS), set_of(("a",)))
    with pytest.raises(InvalidCardError, match="two sets explain the same items of fake_task; leave one of them out"):
        _ = submission.handed_in


def test_sets_of_other_draws_may_stand_beside(tmp_path: Path) -> None:
    sets = [set_of(ITEMS), set_of(ITEMS, seed=1), set_of(ITEMS, fresh=fresh_mark(7)), set_of(ITEMS, task="other")]
    handed = hand_in(tmp_path / "mine", *sets).handed_in
    assert handed is not None
    assert len(handed.manifest.sets) == 4


def wrong(submission: Submission) -> str:
    """The line that a submission's files end in."""
    with pytest.raises(InvalidCardError) as caught:
        again(submission).hash_for("prompt")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_that_is_missing_is_named(submission: Submission) -> None:
    (place(submission) / file_of("b")).unlink()
    assert wrong(submission).endswith("some/b.safetensors: no such file; add it, or say in manifest.json why the item "
                                      "has `failed`")  # fmt: skip


def test_a_folder_without_a_manifest_is_named(submission: Submission) -> None:
    (place(submission) / "manifest.json").unlink()
    assert "manifest.json: no such file; write one, as `earwitness new NAME --explanations` does" in wrong(submission)


@pytest.mark.parametrize("part", ["some/b.safetensors", "some", "manifest.json", ""])
def test_no_link_is_followed(submission: Submission, tmp_path: Path, part: str) -> None:
    path = place(submission) / part if part else place(submission)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert wrong(submission).endswith("a link, and none is followed here; put the file itself there")


def test_what_is_no_plain_file_is_not_waited_for(submission: Submission) -> None:
    path = place(submission) / file_of("a")
    path.unlink()
    os.mkfifo(path)
    assert wrong(submission).endswith("no plain file; put the file itself there")
    path.unlink()
    path.mkdir()
    assert wrong(submission).endswith("cannot be read: Is a directory; put a plain file there")


@pytest.mark.parametrize(("part", "most"), [("some/a.safetensors", 256 << 20), ("manifest.json", 16 << 20)])
def test_a_huge_file_is_not_read(submission: Submission, part: str, most: int) -> None:
    with (place(submission) / part).open("r+b") as file:
        file.truncate(most + 1)
    assert f"{most + 1:,} bytes, and {most:,} are read; make it smaller" in wrong(submission)


def test_an_item_may_be_as_large_as_a_box_may_answer() -> None:
    assert handed_in.LARGEST_FILE == frames.MAX_BYTES


def test_a_file_is_what_the_manifest_says_of_it(submission: Submission, tmp_path: Path) -> None:
    path = place(submission) / file_of("a")
    listed = [{"id": "a", "file": file_of("a"), "sha256": sha256(path)}]
    told = hand_in(submission.folder, set_of(("a",), items=listed))
    assert HandedIn(told.folder).digest
    listed[0]["sha256"] = "0" * 64
    assert "copy the file again, or mend the manifest" in wrong(hand_in(told.folder, set_of(("a",), items=listed)))
