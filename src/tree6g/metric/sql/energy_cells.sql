-- Joules per node, cell of the attribution grid, component, state and service.
-- A row inside one cell goes there whole; a row over several is prorated by time.
CREATE OR REPLACE TEMP TABLE energy_cells AS
SELECT node, k, component, state, service, sum(energy_j) AS energy_j
FROM (
    SELECT node, component, state, service, energy_j,
           floor(t0_s / $grid_s + 1e-9)::BIGINT AS k
    FROM covered_energy
    WHERE ceil(t1_s / $grid_s - 1e-9) - floor(t0_s / $grid_s + 1e-9) <= 1
    UNION ALL
    SELECT node, component, state, service,
           energy_j * (least(t1_s, (k + 1) * $grid_s) - greatest(t0_s, k * $grid_s)) / (t1_s - t0_s),
           k
    FROM (
        SELECT *, unnest(generate_series(floor(t0_s / $grid_s + 1e-9)::BIGINT,
                                         ceil(t1_s / $grid_s - 1e-9)::BIGINT - 1)) AS k
        FROM covered_energy
        WHERE ceil(t1_s / $grid_s - 1e-9) - floor(t0_s / $grid_s + 1e-9) > 1
    )
)
GROUP BY ALL;
