"""Results as a dataset on the hub, pushed to a local double of it and read back."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import constants, snapshot_download

from earwitness.publishing import pushing
from earwitness.publishing.__main__ import main
from earwitness.publishing.card import COLUMNS
from earwitness.results.folders import open_run, open_runs
from earwitness.results.rows import SCHEMA, fingerprint, read_run
from hub_double import TOKEN, Hub
from hub_fixture import hub as hub
from synthetic import Plan, write_run

TO = "ann/results"


def planted_run(out: Path, submission: str = "occlusion", **plan: object) -> Path:
    """A whole run with what else a folder of a run holds."""
    folder = write_run(out, Plan(items=3, **plan), submission)  # type: ignore[arg-type]
    path = folder / "run.json"
    found = read_run(folder)
    rows = {"number": len(found), "fingerprint": fingerprint(found)}
    path.write_text(json.dumps({**json.loads(path.read_text()), "run": folder.name, "state": "done", "rows": rows}))
    for name in ("explain.log", "scratch/kept/secret.txt", "rows/._0000.parquet", "exhibits/x.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"mine")
    return folder


@pytest.fixture
def logged_in(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


def pushed(hub: Hub) -> dict[str, bytes]:
    """Files of the main branch."""
    found = hub.repositories["dataset", TO]
    return found.commits[found.branches["main"]]


def header(hub: Hub) -> tuple[dict[str, object], str]:
    _, front, page = pushed(hub)["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(front), page


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a push is refused in."""
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_rows_recipes_and_a_card_are_pushed_and_nothing_else(
    logged_in: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = planted_run(tmp_path / "runs")
    assert main([str(run), "--to", TO]) == 0
    commit = logged_in.repositories["dataset", TO].branches["main"]
    assert capsys.readouterr().out == f"1 run at hf://datasets/ann/results@{commit}\n"
    named = {f"runs/{run.name}/rows/rows.parquet", f"runs/{run.name}/run.json", "README.md", ".gitattributes"}
    assert set(pushed(logged_in)) == named
    # Who made it decides when others see it.
    assert logged_in.repositories["dataset", TO].private
    # Large files went to the large file storage, by their hash.
    assert "POST /datasets/ann/results.git/info/lfs/objects/batch" in logged_in.asked


def test_what_is_pushed_is_read_back_as_the_same_run(logged_in: Hub, tmp_path: Path) -> None:
    runs = [planted_run(tmp_path / "runs", name) for name in ("occlusion", "random")]
    assert main([str(tmp_path / "runs"), "--to", f"hf://datasets/{TO}", "--public"]) == 0
    assert not logged_in.repositories["dataset", TO].private
    back, unread = open_runs([Path(snapshot_download(TO, repo_type="dataset")) / "runs"])
    assert unread == []
    assert [each.fingerprint for each in back] == [open_run(run).fingerprint for run in sorted(runs)]


def test_the_card_says_what_there_is_and_configs_find_the_rows(logged_in: Hub, tmp_path: Path) -> None:
    first = planted_run(tmp_path / "a", "occlusion")
    second = planted_run(tmp_path / "b", "random", task="other")
    path = second / "run.json"
    recipe = json.loads(path.read_text())
    recipe["submission"]["card"]["title"] = "A | title\nwith [markup](x)"
    recipe["submission"]["source"] = f"hf://ann/ours@{'0' * 40}"
    path.write_text(json.dumps(recipe))
    assert main([str(first), "--to", TO, "--licence", "CC0-1.0"]) == 0
    assert main([str(second), "--to", TO, "--licence", "CC0-1.0"]) == 0
    front, page = header(logged_in)
    assert front["license"] == "cc0-1.0"
    # What an earlier push left is there still, and spoken of.
    assert {first.name, second.name} == {path.split("/")[1] for path in pushed(logged_in) if path.startswith("runs/")}
    assert f"| `{first.name}` |" in page
    assert f"| `{second.name}` | A \\| title with \\[markup](x) |  | hf://ann/ours@{'0' * 40} |" in page
    configs = {each["config_name"]: each["data_files"] for each in front["configs"]}  # type: ignore[attr-defined]
    local = Path(snapshot_download(TO, repo_type="dataset"))
    found = {name: sorted(path.parts[-3] for path in local.glob(pattern)) for name, pattern in configs.items()}
    assert found == {"all": sorted([first.name, second.name]), "planted": [first.name], "other": [second.name]}
    # `datasets` reads files of one schema alone.
    assert {str(pq.read_schema(path).remove_metadata()) for path in local.glob(configs["all"])} == {str(SCHEMA)}
    assert f'load_dataset("{TO}", "all")' in page


def test_the_card_explains_every_column() -> None:
    assert list(COLUMNS) == SCHEMA.names or set(COLUMNS) == set(SCHEMA.names)


def test_explanations_go_where_they_are_asked_for(logged_in: Hub, tmp_path: Path) -> None:
    run = planted_run(tmp_path / "runs")
    parts = sorted(path.name for path in (run / "explanations").glob("*.safetensors"))
    assert parts
    assert main([str(run), "--to", TO, "--explanations"]) == 0
    found = [path for path in pushed(logged_in) if "/explanations/" in path]
    assert found == [f"runs/{run.name}/explanations/{name}" for name in parts]
    assert "explanations/*.safetensors" in header(logged_in)[1]


def test_what_is_not_whole_or_tells_a_seed_is_refused_before_the_hub_is_asked(
    logged_in: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = planted_run(tmp_path / "fresh", task_hash="aaaabbbbccccdddd-fresh7")
    assert "its rows tell their seed; add --reveal-seeds" in said([str(fresh), "--to", TO], capsys)
    held = planted_run(tmp_path / "held", task_hash="aaaabbbbccccdddd-held0123456789abcdef")
    assert "is of held-out items" in said([str(held), "--to", TO, "--reveal-seeds"], capsys)
    running = planted_run(tmp_path / "running")
    text = (running / "run.json").read_text()
    (running / "run.json").write_text(text.replace('"done"', '"incomplete"'))
    assert "is not done" in said([str(running), "--to", TO], capsys)
    (running / "run.json").write_text(text.replace('"fingerprint": "', '"fingerprint": "f'))
    assert "nothing was pushed" in said([str(running), "--to", TO], capsys)
    assert "no run is there" in said([str(tmp_path / "none"), "--to", TO], capsys)
    assert logged_in.asked == []
    assert main([str(fresh), "--to", TO, "--reveal-seeds"]) == 0


def test_a_token_that_is_missing_or_has_expired_is_one_line(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [str(planted_run(tmp_path / "runs")), "--to", TO]
    assert "there is no token to push with; log in with `hf auth login`, or set HF_TOKEN" in said(words, capsys)
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    assert "the hub does not take the token, which is wrong or has expired" in said(words, capsys)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set; unset it to push" in said(words, capsys)
    assert ("dataset", TO) not in hub.repositories


@pytest.mark.parametrize("to", ["ann", "hf://ann/results", "ann/results@main"])
def test_results_go_to_the_main_branch_of_a_dataset_alone(
    hub: Hub, to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "USER/REPO" in said([str(tmp_path), "--to", to], capsys)
    assert hub.asked == []


def test_authors_who_are_anonymous_as_yet_are_not_pushed(
    logged_in: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planted_run(tmp_path / "runs")
    recipe = json.loads((run / "run.json").read_text())
    recipe["submission"]["card"]["anonymous_until"] = "2027-03-01"
    (run / "run.json").write_text(json.dumps(recipe))
    monkeypatch.setattr(pushing, "today", lambda: date(2027, 2, 28))
    assert "its run.json names authors who are not to be named yet" in said([str(run), "--to", TO], capsys)
    assert ("dataset", TO) not in logged_in.repositories
    monkeypatch.setattr(pushing, "today", lambda: date(2027, 3, 1))
    assert main([str(run), "--to", TO]) == 0
