import numpy as np

from earwitness.results.frame import frame
from earwitness.results.rows import SCHEMA
from gate_rows import table


def test_rows_as_a_frame_keep_their_columns_and_a_failed_value_is_nan() -> None:
    found = frame(table({"fid_f@top30": [0.5, None]}))
    assert list(found.columns) == SCHEMA.names
    assert found["value"][0] == 0.5
    assert np.isnan(found["value"][1])
    assert found.groupby("status")["item"].count().to_dict() == {"failed": 1, "ok": 1}
