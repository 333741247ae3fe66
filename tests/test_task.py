import shutil
from pathlib import Path

import pytest

from earwitness.errors import InvalidCardError
from earwitness.scoring.measured import measured
from earwitness.task import MetricCard, NeedsCard, Task, read_task

CARD = """
id = "small"
version = 2
track = "prompt"
title = "A small task"
licence = "Apache-2.0"
reference = "none"
main_metric = "fid_f@top30"

[model]
adapter = "musicgen"
source = "model"

[dataset]
adapter = "scenes"
items = 4

[budget]
seconds = 1.0
forwards = 10

[[metrics]]
metric = "fid_f"
headline = true
parameters = { mask = "top30" }
"""


def write(folder: Path, card: str = CARD) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "task.toml").write_text(card, encoding="utf-8")
    return folder


@pytest.fixture
def task(tmp_path: Path) -> Task:
    folder = write(tmp_path / "small")
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    return read_task(folder)


def test_a_card_is_read(task: Task) -> None:
    assert (task.id, task.card.version) == ("small", 2)
    assert [metric.id for metric in task.card.metrics] == ["fid_f@top30"]
    assert task.card.generation_seeds == (0,)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("version = 2", "version = 2\ncolour = 'red'", "unknown key 'colour'"),
        ("items = 4", "items = 4\nsplitt = 'x'", "unknown key 'dataset.splitt'"),
        ('metric = "fid_f"', 'metric = "fid_g"', "no metric is called 'fid_g'; did you mean 'fid_f'?"),
        ('track = "prompt"', 'track = "promt"', "no track is called 'promt'; tracks: band, "),
        ('main_metric = "fid_f@top30"', 'main_metric = "fid_f"', "main_metric 'fid_f' is not among the metrics"),
        ("items = 4", "items = 0", "dataset.items"),
        ("seconds = 1.0", "", "budget.seconds"),
        ('id = "small"', 'id = "no-identifier"', "id"),
        ("version = 2", "version = ", "not valid TOML"),
        ('title = "A small task"', 'title = "  "', "title: holds nothing that can be seen"),
        ('title = "A small task"', 'title = "\\u200b\\u200d"', "title: holds nothing that can be seen"),
        ('id = "small"', 'id = "class"', "id: 'class' is a keyword of Python"),
        ('adapter = "musicgen"', 'adapter = "import"', "model.adapter: 'import' is a keyword of Python"),
        ('metric = "fid_f"', 'metric = "xyzzy"', "no metric is called 'xyzzy'; some metrics: "),
        ("[budget]", "[needs]\nparameters = 0\n[budget]", "needs.parameters: Input should be greater than 0"),
        ("[budget]", "[needs]\nparameters = true\n[budget]", "needs.parameters: Input should be a valid integer"),
        ("[budget]", "[needs]\nparameter = 1\n[budget]", "unknown key 'needs.parameter'"),
        ("[budget]", "[needs]\nhours = 2\n[budget]", "needs: hours and measured stand together"),
        ("[budget]", "[needs]\nhours = inf\nmeasured = 'x'\n[budget]", "needs.hours: Input should be less than"),
    ],
)
def test_a_wrong_card_is_one_line_that_names_file_and_key(tmp_path: Path, before: str, after: str, says: str) -> None:
    assert before in CARD
    folder = write(tmp_path / "small", CARD.replace(before, after))
    with pytest.raises(InvalidCardError) as caught:
        read_task(folder)
    message = str(caught.value)
    assert says in message
    assert message.startswith(f"{folder / 'task.toml'}: ")
    assert "\n" not in message


def test_a_metric_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    double = '[[metrics]]\nmetric = "fid_f"\nparameters = { mask = "top30" }\n'
    with pytest.raises(InvalidCardError, match="metrics listed twice: fid_f@top30"):
        read_task(write(tmp_path / "small", CARD + double))


def test_a_card_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "small")
    (folder / "task.toml").write_bytes(b'title = "caf\xe9"')
    with pytest.raises(InvalidCardError, match="not valid TOML"):
        read_task(folder)


def test_a_folder_without_a_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCardError, match="no card that can be read"):
        read_task(tmp_path)


def test_the_hash_is_of_what_is_explained_alone(task: Task, tmp_path: Path) -> None:
    before = task.hash
    (task.folder / "README.md").write_text("for people")
    (task.folder / "model" / ".cache").mkdir()
    (task.folder / "model" / ".cache" / "x.lock").write_text("1")
    assert task.hash == before
    copy = shutil.copytree(task.folder, tmp_path / "elsewhere")
    assert read_task(copy).hash == before
    (task.folder / "model" / "model.safetensors").write_bytes(b"weightz")
    assert task.hash != before


def test_the_hash_is_of_what_another_tasks_folder_holds_too(tmp_path: Path) -> None:
    lender = tmp_path / "lender" / "model"
    lender.mkdir(parents=True)
    (lender / "model.safetensors").write_bytes(b"weights")
    task = read_task(write(tmp_path / "small", CARD.replace('source = "model"', 'source = "../lender/model"')))
    assert Path(task.source("../lender/model")).resolve() == lender.resolve()
    before = task.hash
    (lender / "model.safetensors").write_bytes(b"other weights")
    assert task.hash != before


def test_a_comment_in_the_card_does_not_change_the_hash(task: Task) -> None:
    card = task.folder / "task.toml"
    card.write_text("# for people\n" + card.read_text())
    assert read_task(task.folder).hash == task.hash


def test_what_a_task_takes_is_in_no_identity(tmp_path: Path) -> None:
    judge = '[[judges]]\nname = "ast"\nadapter = "ast"\nsource = "x"\n\n[budget]'
    plain = read_task(write(tmp_path / "small", CARD.replace("[budget]", judge)))
    before = (plain.hash, plain.data_hash, plain.seed_key, measured(plain))
    needs = '[needs]\nparameters = 1_000\nhours = 2\nmeasured = "a laptop"\n\n[budget]'
    told = read_task(write(tmp_path / "small", CARD.replace("[budget]", judge).replace("[budget]", needs)))
    assert told.card.needs == NeedsCard(parameters=1000, hours=2.0, measured="a laptop")
    assert (told.hash, told.data_hash, told.seed_key, measured(told)) == before


def test_seeds_hang_on_the_datasets_identity_and_never_on_version_metrics_or_items(tmp_path: Path) -> None:
    def key(text: str) -> str:
        return read_task(write(tmp_path / "small", text)).seed_key

    before = key(CARD)
    more = '\n[[metrics]]\nmetric = "fid_cf"\nparameters = { mask = "top30" }\n'
    for text in (CARD.replace("version = 2", "version = 3"), CARD + more, CARD.replace("items = 4", "items = 9")):
        assert key(text) == before
    assert key(CARD.replace("items = 4", "items = 4\nseed = 1")) != before
    assert key(CARD.replace("items = 4", 'items = 4\nidentity = "mine@1"')) == "mine@1"


def test_a_source_is_a_folder_of_the_task_or_a_hub_id(task: Task) -> None:
    assert task.source("model") == str(task.folder / "model")
    assert task.source("facebook/musicgen-small") == "facebook/musicgen-small"


def test_an_id_of_a_metric_tells_its_parameters_in_the_declared_order() -> None:
    card = MetricCard(metric="fid_f", parameters={"judge": "cnn", "mask": "top30", "removal": "scale"})
    assert card.id == "fid_f@top30+scale+cnn"
    assert MetricCard(metric="fid_f").id == "fid_f"
