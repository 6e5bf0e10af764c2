"""Energy and carbon of machines that run for a while: the arithmetic that footprints are made of.

Electrical joules at the meter of the site; kgCO2e are location based unless a factor says
otherwise. Nothing here is fitted: what a published figure rests on is what is put in.
"""

from __future__ import annotations

from typing import Final

J_PER_KWH: Final = 3.6e6
S_PER_HOUR: Final = 3600.0
S_PER_DAY: Final = 86400.0
S_PER_YEAR: Final = 365.0 * S_PER_DAY  # of inventories and of SCI's example: 8,760 h


def devices_j(devices: float, device_w: float, time_s: float, pue: float = 1.0) -> float:
    """Energy of equal devices over a time, site overhead included: E = n P t PUE.

    Args:
        devices: How many; 1 where `time_s` is summed over devices, as GPU hours are.
        device_w: Mean power of each, as whoever published it counts it.
        time_s: How long.
        pue: Site power over equipment power; 1 where the power already holds it.
    """
    return devices * device_w * time_s * pue


def carbon_kgco2e(energy_j: float, kgco2e_per_j: float) -> float:
    """Carbon of electricity: energy times the intensity of the grid that it came from."""
    return energy_j * kgco2e_per_j


def water_l(
    equipment_j: float, pue: float, on_site_l_per_kwh: float, off_site_l_per_kwh: float
) -> float:
    """Water that a site evaporates and that its electricity took.

    W = E_equipment (WUE_on + PUE WUE_off). The site's own water goes by the energy of its
    equipment, that of power plants by all that the site draws; to count the overhead twice is a
    known mistake.

    Args:
        equipment_j: Energy of the equipment, without site overhead.
        pue: Site power over equipment power.
        on_site_l_per_kwh: Litres per kWh of equipment.
        off_site_l_per_kwh: Litres per kWh of electricity.
    """
    return equipment_j / J_PER_KWH * (on_site_l_per_kwh + pue * off_site_l_per_kwh)
