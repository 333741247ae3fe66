"""Statistics of rows: intervals, calibration, ranks. Arrays in, arrays out."""
