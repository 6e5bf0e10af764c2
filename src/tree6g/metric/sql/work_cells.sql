-- Work and demand per node, cell of the attribution grid, service, model and kind, words coded. A row
-- inside one cell goes there whole.
CREATE OR REPLACE TEMP TABLE work_cells AS
SELECT node::word AS node, service::word AS service, model::word AS model, kind::word AS kind,
       k::BIGINT AS k, amount, demand
FROM work_rows WHERE n <= 1;
