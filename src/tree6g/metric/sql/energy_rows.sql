-- Joules per node, component, state and service by where their rows lie on the attribution grid: in n
-- cells from cell k on. Of rows over several cells: what falls into the first, each whole one, and
-- the last. One pass.
CREATE OR REPLACE TEMP TABLE energy_rows AS
SELECT node, component, state, service,
       floor(t0_s / $grid_s + 1e-9) AS k, ceil(t1_s / $grid_s - 1e-9) - k AS n,
       sum(CASE WHEN n > 1 THEN energy_j * $grid_s / (t1_s - t0_s) ELSE energy_j END) AS energy_j,
       sum(CASE WHEN n > 1 THEN energy_j * ((k + 1) * $grid_s - t0_s) / (t1_s - t0_s) END) AS first_j,
       sum(CASE WHEN n > 1 THEN energy_j * (t1_s - (k + n - 1) * $grid_s) / (t1_s - t0_s) END) AS last_j
FROM covered_energy
GROUP BY ALL;
