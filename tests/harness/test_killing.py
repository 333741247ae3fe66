"""Ten kills of harness, box or worker at random moments; `killing.py` does as many as it is asked for."""

from pathlib import Path

from killing import kill, prepared

from earwitness.box import levels


def test_a_run_that_is_killed_ten_times_ends_with_the_same_rows(tmp_path: Path) -> None:
    prepared(tmp_path)
    killed = kill(tmp_path, levels.strongest(), 10)
    assert sum(killed.kills.values()) == 10
    assert not killed.faults
