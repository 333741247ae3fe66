"""Ids become names of files that any file system takes, one name an id."""

from hypothesis import example, given
from hypothesis import strategies as st

from earwitness.results.file_names import LONGEST, file_name

REFUSED = set('/\\:*?"<>|\0')


def test_short_ids_keep_their_names() -> None:
    assert file_name("ted_1096_12") == "ted_1096_12"
    assert file_name("4507-16021-0001") == "4507-16021-0001"
    assert file_name("a/b\\c:d*e?") == "a%2Fb%5Cc%3Ad%2Ae%3F"
    assert file_name("x" * LONGEST) == "x" * LONGEST


def test_a_long_id_is_cut_the_same_way_every_time() -> None:
    assert file_name("x" * 300) == "x" * 66 + "%-0d4e2ca9e9cbced7a7a5380eb29e1a37"
    assert file_name("x" * 300 + "a") != file_name("x" * 300 + "b")


@given(st.lists(st.text(max_size=400) | st.text("äx\ud800/", max_size=200), unique=True, max_size=4))
@example(["x" * 300, file_name("x" * 300)])
def test_names_differ_as_ids_do_and_hold_what_any_file_system_takes(ids: list[str]) -> None:
    names = [file_name(item) for item in ids]
    assert len(set(names)) == len(ids)
    for name in names:
        assert len(name) <= LONGEST
        assert name.isascii()
        assert not REFUSED & set(name)
