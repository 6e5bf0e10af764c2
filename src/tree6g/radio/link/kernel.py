"""The radio step compiled: blocks of terminals pass by all sites, nothing is kept per link.

The same physics as `snapshot`, which is its oracle, in loops that a compiler vectorises: structure
of arrays, single precision, gains as powers of two, one logarithm per site and one exponential per
cell, and for random fields one sine and cosine of each wave per terminal. Offsets, the phases of
the vertical array and of the waves stay in double precision: there, single precision would show.
Where the uniform draw of a link is within 1e-6 of the probability that it is compared with, the
two may find different states of sight; the rest agrees to 0.0001 dB.

Covered: UMa and UMi, antennas tilted electrically; `snapshot` has the rest. The compiler keeps what
it has compiled until this file changes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.radio.link.approximation import (
    TURN,
    F,
    I,
    Real,
    angle,
    exp2,
    log2,
    sine,
    sine2,
    uniform,
)
from tree6g.radio.link.compiler import compiled_fast
from tree6g.radio.link.flat import (
    Adaptation,
    Cells,
    F32Array,
    F64Array,
    I64Array,
    Received,
    Users,
)

BLOCK: Final = 512  # terminals at once: their arrays stay in the caches
# Loops run over whole vectors, so that a terminal's result does not depend on where it stands.
LANES: Final = 64

# Rows of a block's scratch, single precision and double. One array each, so that the compiler
# sees that rows do not overlap.
(
    _INDOOR, _INSIDE, _LOSS, _HIGH, _BEST, _BEST_OTHER, _OTHERS, _CELL,
    _DISTANCE2, _AZIMUTH, _LEVEL, _TOTAL, _UPRIGHT, _LOS, _HEIGHT, _ETA, _SINR,
) = (row * BLOCK for row in range(17))  # fmt: skip
_X, _Y, _Z, _DX, _DY, _U, _V, _STEP = (row * BLOCK for row in range(8))
# Random fields of a block: sight, effective height, shadowing with sight or indoors, and without.
SIGHT, TALL, CLEAR, BLOCKED = range(4)


@compiled_fast
def _offsets(n: int, d: F64Array, site: F64Array, wrap: F64Array) -> None:
    """Vector from the nearest copy of a site."""
    for i in range(n):
        d[_DX + i] = d[_X + i] - site[0]
        d[_DY + i] = d[_Y + i] - site[1]
    for w in range(1, wrap.shape[0]):
        x, y = site[0] + wrap[w, 0], site[1] + wrap[w, 1]
        for i in range(n):
            dx, dy = d[_X + i] - x, d[_Y + i] - y
            old_x, old_y = d[_DX + i], d[_DY + i]
            closer = dx * dx + dy * dy < old_x * old_x + old_y * old_y
            d[_DX + i] = dx if closer else old_x
            d[_DY + i] = dy if closer else old_y


@compiled_fast
def _directions(n: int, d: F64Array, s: F32Array) -> None:
    """Squared distance and azimuth."""
    for i in range(n):
        x, y = F(d[_DX + i]), F(d[_DY + i])
        s[_DISTANCE2 + i] = x * x + y * y
        s[_AZIMUTH + i] = angle(y, x)


@compiled_fast
def _path(n: int, d: F64Array, s: F32Array, site: F64Array, urban: F32Array) -> None:
    """Level of a link in powers of two: path loss by state of sight, and the terminal's loss."""
    los_a, los_b, los_e = urban[0], urban[1], urban[2]
    nlos_a, nlos_b, nlos_h, per_m = urban[3], urban[4], urban[5], urban[6]
    top = F(site[2])
    for i in range(n):
        z, he = F(d[_Z + i]), s[_HEIGHT + i]
        d2 = max(s[_DISTANCE2 + i], F(100.0))
        below2 = (top - z) * (top - z)
        octaves = log2(d2 + below2)
        he = he if he < top else F(1.0)
        at = per_m * max(top - he, F(0.0)) * max(z - he, F(0.0))
        at2 = at * at
        near = los_b * octaves
        far = F(2.0) * octaves - los_e * log2(at2 + below2)
        los = los_a + (near if d2 <= at2 else far)
        nlos = max(los, nlos_a + nlos_b * octaves - nlos_h * (z - F(1.5)))
        s[_LEVEL + i] = -s[_LOSS + i] - (los if s[_LOS + i] > F(0.0) else nlos)


@compiled_fast
def _places(n: int, d: F64Array, s: F32Array, turn: F64Array, reach: F64Array) -> None:
    """Scaled places at which a field is read, and the turn of phase of their floor and layer."""
    for i in range(n):
        indoor = s[_INDOOR + i] > F(0.0)
        scale = reach[2] if indoor else reach[0]
        layer = reach[3] if indoor else reach[1]
        d[_U + i] = d[_X + i] * scale
        d[_V + i] = d[_Y + i] * scale
        d[_STEP + i] = np.floor(d[_Z + i] / turn[0]) * turn[1] + layer * turn[2]


@compiled_fast
def _trig(n: int, d: F64Array, wave: F64Array, trig: F32Array) -> None:
    """Cosine and sine of every wave at every place."""
    for w in range(wave.shape[0]):
        x, y, number = wave[w, 0], wave[w, 1], np.float64(w)
        for i in range(n):
            turns = x * d[_U + i] + y * d[_V + i] + number * d[_STEP + i]
            f = F(turns - np.floor(turns + 0.5))
            trig[0, w, i] = sine(F(0.25) - abs(f))
            g = F(0.5) - abs(f)
            trig[1, w, i] = sine(max(f, -g) if f < F(0.0) else min(f, g))


@compiled_fast
def _sum(n: int, trig: F32Array, phase: F32Array, value: F32Array) -> None:
    """Value of one site's field: its waves, each with its phase."""
    for i in range(n):
        value[i] = F(0.0)
    for w in range(0, phase.shape[1], 4):
        c0, c1, c2, c3 = phase[0, w], phase[0, w + 1], phase[0, w + 2], phase[0, w + 3]
        s0, s1, s2, s3 = phase[1, w], phase[1, w + 1], phase[1, w + 2], phase[1, w + 3]
        for i in range(n):
            even = c0 * trig[0, w, i] + c1 * trig[0, w + 1, i]
            even += c2 * trig[0, w + 2, i] + c3 * trig[0, w + 3, i]
            odd = s0 * trig[1, w, i] + s1 * trig[1, w + 1, i]
            odd += s2 * trig[1, w + 2, i] + s3 * trig[1, w + 3, i]
            value[i] += even + odd


@compiled_fast
def _fields(
    n: int, cells: Cells, d: F64Array, s: F32Array, trig: F32Array, value: F32Array
) -> None:
    """Random fields at the terminals of a block; those that nobody asks for are left out."""
    tall, outdoor = False, False
    for i in range(n):
        tall |= s[_HIGH + i] > F(0.0)
        outdoor |= s[_INDOOR + i] == F(0.0)
    tall = tall and cells.urban[8] > F(0.0)
    for kind in range(4):
        if (kind != TALL or tall) and (kind != BLOCKED or outdoor):
            _places(n, d, s, cells.turn, cells.reach[kind])
            _trig(n, d, cells.wave[kind], trig)
            for site in range(value.shape[1]):
                _sum(n, trig, cells.phase[kind, site], value[kind, site])


@compiled_fast
def _lift(d: Real, high: Real) -> Real:
    """C(d2D, h_UT) of Table 7.4.1-1; `high` is its part in h_UT."""
    h = F(0.01) * d
    along = F(1.25) * h * h * h * exp2(F(-0.009617967) * d)
    return high * along if d > F(18.0) else F(0.0)


@compiled_fast
def _sight(n: int, s: F32Array, urban: F32Array, sight: F32Array) -> None:
    """State of sight from its field; UMa is clearer for terminals above 13 m."""
    reach, macro = urban[7], urban[8]
    for i in range(n):
        d = np.sqrt(s[_DISTANCE2 + i])
        outside = max(d - s[_INSIDE + i], F(18.0))
        near = F(18.0) / outside
        p = near + exp2(-outside * reach) * (F(1.0) - near)
        lift = _lift(outside, s[_HIGH + i])
        p = min(p * (F(1.0) + macro * lift), F(1.0))
        s[_LOS + i] = F(1.0) if uniform(sight[i]) < p else F(0.0)


@compiled_fast
def _effective_height(n: int, d: F64Array, s: F32Array, height: F32Array) -> None:
    """Height h_E of the surroundings in UMa, from its field (Table 7.4.1-1, note 1)."""
    for i in range(n):
        low = F(1.0) / (F(1.0) + _lift(np.sqrt(s[_DISTANCE2 + i]), s[_HIGH + i]))
        steps = np.floor((F(d[_Z + i]) - F(13.5)) / F(3.0)) + F(1.0)
        u = uniform(height[i])
        rest = min(max((u - low) / max(F(1.0) - low, F(1e-9)), F(0.0)), F(0.9999999))
        chosen = F(12.0) + F(3.0) * np.floor(rest * max(steps, F(1.0)))
        s[_HEIGHT + i] = chosen if (u >= low) & (steps >= F(1.0)) else F(1.0)


@compiled_fast
def _shadowed(n: int, s: F32Array, shadow: F64Array, clear: F32Array, blocked: F32Array) -> None:
    """Take shadowing off the level."""
    los_db, nlos_db, indoor_db = F(shadow[0]), F(shadow[1]), F(shadow[2])
    for i in range(n):
        outside = los_db * clear[i] if s[_LOS + i] > F(0.0) else nlos_db * blocked[i]
        s[_LEVEL + i] -= indoor_db * clear[i] if s[_INDOOR + i] > F(0.0) else outside


@compiled_fast
def _column(n: int, d: F64Array, s: F32Array, top: float, tilt: float, panel: F64Array) -> None:
    """Level with the vertical array, and what the element loses off the horizon."""
    count, spacing, across, most = panel[0], panel[1], F(panel[2]), F(panel[3])
    lean, many = np.sin(tilt), F(panel[0])
    for i in range(n):
        below = top - d[_Z + i]
        away2 = d[_DX + i] * d[_DX + i] + d[_DY + i] * d[_DY + i]
        half = spacing * (lean - below / np.sqrt(away2 + below * below))
        r = F(half - np.floor(half + 0.5))
        q = F(count * half - np.floor(count * half + 0.5))
        r2, q2 = r * r, q * q
        ratio2 = q2 * sine2(q2) / (max(r2, F(1e-14)) * sine2(r2))
        ratio2 = ratio2 if r2 > F(1e-14) else many * many
        s[_TOTAL + i] = s[_LEVEL + i] + log2(max(ratio2 / many, F(1e-6)))
        upright = angle(F(below), np.sqrt(F(away2)))
        s[_UPRIGHT + i] = min(across * upright * upright, most)


@compiled_fast
def _plain(n: int, s: F32Array) -> None:
    """Level of an antenna without column."""
    for i in range(n):
        s[_TOTAL + i] = s[_LEVEL + i]
        s[_UPRIGHT + i] = F(0.0)


@compiled_fast
def _cell(n: int, s: F32Array, number: int, cell: F64Array, panel: F64Array) -> None:
    """Receive one cell: the strongest so far, and the power of all others under their load."""
    bearing, power, load = F(cell[0]), F(cell[1]), F(cell[2])
    across, most, name = F(panel[2]), F(panel[3]), F(number)
    for i in range(n):
        off = abs(s[_AZIMUTH + i] - bearing)
        off = min(off, TURN - off)
        lost = min(min(across * off * off, most) + s[_UPRIGHT + i], most)
        received = exp2(s[_TOTAL + i] + power - lost)
        other = received * load
        best, best_other = s[_BEST + i], s[_BEST_OTHER + i]
        stronger = received > best
        s[_OTHERS + i] += best_other if stronger else other
        s[_BEST_OTHER + i] = other if stronger else best_other
        s[_BEST + i] = received if stronger else best
        s[_CELL + i] = name if stronger else s[_CELL + i]


@compiled_fast
def _begin(n: int, start: int, users: Users, cells: Cells, d: F64Array, s: F32Array) -> None:
    """Fetch the terminals of a block."""
    for i in range(n):
        k = min(start + i, users.loss.size - 1)  # the last one again, to fill the vector
        d[_X + i], d[_Y + i] = users.position[k, 0], users.position[k, 1]
        d[_Z + i] = users.position[k, 2]
        s[_INDOOR + i] = F(1.0) if users.indoor[k] else F(0.0)
        s[_INSIDE + i] = F(users.inside[k])
        s[_LOSS + i] = F(users.loss[k])
        high = min(max((users.position[k, 2] - 13.0) / 10.0, 0.0), 1.0)
        s[_HIGH + i] = F(high * np.sqrt(high))
        s[_LOS + i], s[_HEIGHT + i] = F(cells.sight), F(1.0)
        s[_BEST + i], s[_BEST_OTHER + i] = F(0.0), F(0.0)
        s[_OTHERS + i], s[_CELL + i] = F(0.0), F(0.0)


@compiled_fast
def _site(n: int, site: int, cells: Cells, d: F64Array, s: F32Array, value: F32Array) -> None:
    """Level of one site at all terminals of a block."""
    place = cells.site[site]
    _offsets(n, d, place, cells.wrap)
    _directions(n, d, s)
    if cells.sight == 2:
        _sight(n, s, cells.urban, value[SIGHT, site])
        if cells.urban[8] > F(0.0):
            _effective_height(n, d, s, value[TALL, site])
    _path(n, d, s, place, cells.urban)
    if cells.sight == 2:
        _shadowed(n, s, cells.shadow, value[CLEAR, site], value[BLOCKED, site])


@compiled_fast
def _sectors(n: int, site: int, cells: Cells, d: F64Array, s: F32Array) -> None:
    """Receive the cells of one site; the column is computed again where the tilt changes."""
    tilt = np.nan
    for c in range(cells.first[site], cells.first[site + 1]):
        if c == cells.first[site] or cells.cell[c, 3] != tilt:
            tilt = cells.cell[c, 3]
            if cells.flat:
                _plain(n, s)
            else:
                _column(n, d, s, cells.site[site, 2], tilt, cells.panel)
        _cell(n, s, c, cells.cell[c], cells.panel)


@compiled_fast
def _sinr(n: int, cells: Cells, s: F32Array) -> None:
    """SINR in decibels."""
    noise = F(cells.noise)
    for i in range(n):
        sinr = s[_BEST + i] / (noise + s[_OTHERS + i])
        s[_SINR + i] = F(3.01029996) * log2(max(sinr, F(1e-30)))


@compiled_fast
def _adapt(n: int, s: F32Array, adaptation: Adaptation) -> None:
    """Spectral efficiency."""
    share, least = F(adaptation.shannon[0]), F(adaptation.shannon[1])
    most = F(adaptation.shannon[2])
    for i in range(n):
        ratio = exp2(F(0.33219281) * min(s[_SINR + i], most))
        s[_ETA + i] = share * log2(F(1.0) + ratio) if s[_SINR + i] >= least else F(0.0)
    for step in range(adaptation.threshold_db.size):
        threshold, reached = F(adaptation.threshold_db[step]), F(adaptation.efficiency[step])
        for i in range(n):
            s[_ETA + i] = reached if s[_SINR + i] >= threshold else s[_ETA + i]


@compiled_fast
def _end(rows: I64Array, cells: Cells, s: F32Array, received: Received) -> None:
    """Write a block where its terminals stand."""
    for i in range(rows.size):
        k = rows[i]
        received.serving[k] = cells.name[I(s[_CELL + i])]
        received.sinr_db[k] = s[_SINR + i]
        received.efficiency[k] = s[_ETA + i]


@compiled_fast
def receive(
    rows: I64Array, users: Users, cells: Cells, adaptation: Adaptation, received: Received
) -> None:
    """Compute the given terminals anew, in place.

    Args:
        rows: Where in `received` the terminals stand. [moved]
        users: Terminals that moved, or all. [moved]
        cells: The network.
        adaptation: From SINR to spectral efficiency.
        received: Written at `rows`.
    """
    s, d = np.empty(17 * BLOCK, np.float32), np.empty(8 * BLOCK, np.float64)
    sites, waves = cells.site.shape[0], cells.wave.shape[1]
    value = np.zeros((4, sites, BLOCK), np.float32)
    trig = np.empty((2, waves, BLOCK), np.float32)
    for start in range(0, rows.size, BLOCK):
        part = rows[start : start + BLOCK]
        n = (part.size + LANES - 1) // LANES * LANES
        _begin(n, start, users, cells, d, s)
        if cells.sight == 2:
            _fields(n, cells, d, s, trig, value)
        for site in range(sites):
            _site(n, site, cells, d, s, value)
            _sectors(n, site, cells, d, s)
        _sinr(n, cells, s)
        _adapt(n, s, adaptation)
        _end(part, cells, s, received)


@compiled_fast
def share(
    serving: I64Array, efficiency: F64Array, bandwidth: float, members: I64Array, rate: F64Array
) -> None:
    """Divide every cell's time evenly among its terminals.

    Args:
        serving: Cell of each terminal. [terminal]
        efficiency: Spectral efficiency. [terminal]
        bandwidth: Bandwidth in this direction.
        members: Written: terminals of each cell. [cell]
        rate: Written. [terminal]
    """
    members[:] = 0
    for i in range(serving.size):
        members[serving[i]] += 1
    for i in range(serving.size):
        rate[i] = bandwidth * efficiency[i] / members[serving[i]]
