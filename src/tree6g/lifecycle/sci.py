"""Software Carbon Intensity, ISO/IEC 21031:2024 (the Green Software Foundation's specification).

SCI = (E I + M) / R with M = TE (TiR / EL) (RR / ToR). E is the energy of all hardware that is
reserved, idle included; I is the location-based intensity of its grid (no certificates, no
offsets); M is the share of the embodied carbon TE that the reserved time TiR is of the lifetime EL,
and the reserved resources RR of all there are, ToR; R is the functional unit: 1,000 tokens, a
request, an image.
"""

from __future__ import annotations

from tree6g.errors import DataError


def embodied_kgco2e(
    total_kgco2e: float, reserved_s: float, lifetime_s: float, share_frac: float = 1.0
) -> float:
    """M: the embodied carbon that a reservation answers for.

    The specification's own example, 1,000 kg over 4 years and one hour, printed as 28.5 g:

    >>> round(1e3 * embodied_kgco2e(1000.0, 3600.0, 4 * 365 * 86400.0), 1)
    28.5

    Args:
        total_kgco2e: Embodied carbon of the hardware, TE.
        reserved_s: Time that it is reserved, TiR.
        lifetime_s: Its expected lifetime, EL.
        share_frac: Resources reserved over resources there are, RR / ToR.

    Raises:
        DataError: The lifetime is not positive.
    """
    if not lifetime_s > 0.0:
        raise DataError(f"expected a lifetime above 0 s; got {lifetime_s:g} s.")
    return total_kgco2e * reserved_s / lifetime_s * share_frac


def intensity_kgco2e(energy_j: float, kgco2e_per_j: float, embodied: float, units: float) -> float:
    """SCI: kgCO2e per functional unit.

    Args:
        energy_j: Energy of the reserved hardware, E.
        kgco2e_per_j: Location-based intensity, I.
        embodied: Its embodied carbon over the same time, M, in kgCO2e.
        units: Functional units delivered in that time, R.

    Raises:
        DataError: No unit was delivered, so that there is nothing to divide by.
    """
    if not units > 0.0:
        raise DataError(f"expected functional units above 0; got {units:g}. SCI has no value then.")
    return (energy_j * kgco2e_per_j + embodied) / units
