"""One band or two: a second gap is only quoted where the curve asks for it.

Two bands always fit at least as well as one. Of a contact with one gap they give two that stand in for each
other, or a second one somewhere with next to no weight: numbers with errors, and none of them a gap.
"""

import math
from dataclasses import replace

from onnes.analysis.btk_fit import ONE_BAND, TWO_BANDS, BtkFit, ContactCurve, fit_btk
from onnes.analysis.result import Result


def fit_one_or_two_bands(curve: ContactCurve, *, spoilt: str = "") -> BtkFit:
    """Fit both, and return two bands where they gain more than their four parameters are worth.

    chi^2, in units of that of the better fit, must fall by more than 4 ln n (Schwarz, Ann. Stat. 6, 461).
    Otherwise the fit is that of one band, and what belongs to a second one is refused with both chi^2.

    Args:
        spoilt: as :func:`onnes.analysis.btk_fit.fit_btk`
    """
    two = fit_btk(curve, bands=2, spoilt=spoilt)
    if not two.curve:
        return two
    one = fit_btk(curve, bands=1)
    n = len(curve.bias_mv)
    chi2 = [fit.results["delta_1"].goodness["chi2_per_dof"] for fit in (one, two)]
    of_one, of_two = chi2[0] * (n - len(ONE_BAND)), chi2[1] * (n - len(TWO_BANDS))
    gain = (of_one - of_two) / max(chi2[1], 1.0)
    needed = (len(TWO_BANDS) - len(ONE_BAND)) * math.log(n)
    if gain > needed:
        return two
    reason = (
        f"one band fits as well: chi^2 of {n} points is {of_one:.4g} with one and {of_two:.4g} with two, "
        f"less than {needed:.3g} apart; no second gap is seen"
    )
    without: dict[str, Result] = {
        name: replace(result, value=None, sigma=None, flags=(), reason=reason)
        for name, result in two.results.items()
        if name not in ONE_BAND
    }
    return replace(one, results={**one.results, **without})
