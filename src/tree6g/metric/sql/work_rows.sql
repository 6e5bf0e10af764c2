-- Work and demand per node, service, kind and, if a factor goes by it, model, by where their rows lie
-- on the attribution grid: in n cells from cell k on.
CREATE OR REPLACE TEMP TABLE work_rows AS
SELECT COLUMNS($keys),
       floor(t0_s / $grid_s + 1e-9) AS k, ceil(t1_s / $grid_s - 1e-9) - k AS n,
       sum(amount) AS amount, sum(demand) AS demand
FROM covered_work
GROUP BY ALL;
ALTER TABLE work_rows ADD COLUMN IF NOT EXISTS model VARCHAR;
