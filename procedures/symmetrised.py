"""The table that pairs R(+H, rising) with R(-H, falling), one isotherm after the other."""

import numpy as np
import pandas as pd

from onnes.analysis.field_pairs import symmetrise


def symmetrised(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the even and the odd part of R(H) of each isotherm; ``frame`` has the columns of ``data.csv``.

    Columns: temperature setpoint (K), field >= 0 (Oe), even and odd resistance (ohm), their error (ohm).
    An isotherm that was left before it had fields of both signs in both directions is left out.
    """
    tables = []
    for kelvin, isotherm in frame.groupby("Temperature setpoint (K)", sort=False):
        curves: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
        for direction in ("rising", "falling"):
            curve = isotherm[isotherm["Direction"] == direction].sort_values("Field (Oe)")
            curves += [
                curve[label].to_numpy(dtype=np.float64)
                for label in ("Field (Oe)", "Resistance (ohm)", "Resistance error (ohm)")
            ]
        if min(len(curve) for curve in curves) < 2:
            continue
        try:
            found = symmetrise(*curves)
        except ValueError:  # no field was measured with both signs: the run was ended early
            continue
        tables.append(
            pd.DataFrame(
                {
                    "Temperature setpoint (K)": np.full(len(found.field), kelvin),
                    "Field (Oe)": found.field,
                    "Resistance even (ohm)": found.rxx,
                    "Resistance odd (ohm)": found.rxy,
                    "Resistance error (ohm)": found.sigma,
                }
            )
        )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS)


_COLUMNS = [
    "Temperature setpoint (K)",
    "Field (Oe)",
    "Resistance even (ohm)",
    "Resistance odd (ohm)",
    "Resistance error (ohm)",
]
