-- Joules per node, cell of the attribution grid, component, state and service, in one pass. Rows are
-- summed by where they lie, in n cells from cell k on: those inside one cell as they are, those over
-- several by what time puts into the first, each whole one, and the last.
CREATE OR REPLACE TEMP TABLE energy_cells AS
SELECT COLUMNS($keys)::word, k::BIGINT + i AS k,
       CASE WHEN i = 0 AND n > 1 THEN first_j WHEN i = n - 1 AND n > 1 THEN last_j
            ELSE energy_j END AS energy_j
FROM (
    SELECT *, unnest(range(greatest(n, 1)::BIGINT)) AS i
    FROM (
        SELECT COLUMNS($keys),
               floor(t0_s / $grid_s + 1e-9) AS k, ceil(t1_s / $grid_s - 1e-9) - k AS n,
               sum(CASE WHEN n > 1 THEN energy_j * $grid_s / (t1_s - t0_s) ELSE energy_j END)
                   AS energy_j,
               sum(CASE WHEN n > 1
                        THEN energy_j * ((k + 1) * $grid_s - t0_s) / (t1_s - t0_s) END) AS first_j,
               sum(CASE WHEN n > 1
                        THEN energy_j * (t1_s - (k + n - 1) * $grid_s) / (t1_s - t0_s) END) AS last_j
        FROM covered_energy
        GROUP BY ALL
    )
);
ALTER TABLE energy_cells ADD COLUMN IF NOT EXISTS service word;
