from earwitness.pace import Pace


def test_a_line_a_minute_says_how_far_a_stage_is_and_what_is_left() -> None:
    now, said = [0.0], list[str]()
    pace = Pace("explain", 10, said.append, lambda: now[0])
    for second in range(30, 330, 30):
        now[0] = float(second)
        pace.advance()
    # Ten steps of half a minute: told after each minute, but for the last one, when nothing is left.
    assert said == [
        "explain: 2 of 10, about 4 minutes left",
        "explain: 4 of 10, about 3 minutes left",
        "explain: 6 of 10, about 2 minutes left",
        "explain: 8 of 10, about 1 minute left",
    ]


def test_what_takes_less_than_a_minute_is_not_told() -> None:
    said = list[str]()
    pace = Pace("explain", 3, said.append, lambda: 59.0)
    for _ in range(3):
        pace.advance()
    assert said == []


def test_a_minute_without_a_step_says_nothing_of_what_is_left() -> None:
    now, said = [0.0], list[str]()
    pace = Pace("score", 5, said.append, lambda: now[0])
    now[0] = 120.0
    pace.advance(0)
    assert said == []
    pace.advance(2)
    assert said == ["score: 2 of 5, about 3 minutes left"]
