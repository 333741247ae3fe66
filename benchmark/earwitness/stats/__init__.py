"""Statistics of rows: intervals, calibration, ranks. Arrays in, arrays out; no torch, no audio."""
