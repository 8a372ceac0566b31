"""What is measured: PyMeasure procedures written as generators of points."""
