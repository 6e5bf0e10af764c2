-- Joules per node, cell of the attribution grid, component, state and service, words coded. A row
-- inside one cell goes there whole; a row over several is prorated by time.
CREATE OR REPLACE TEMP TABLE energy_cells AS
SELECT node::word AS node, component::word AS component, state::word AS state,
       service::word AS service, k::BIGINT AS k, energy_j
FROM energy_rows WHERE n <= 1
UNION ALL
SELECT node::word, component::word, state::word, service::word, k::BIGINT + i,
       CASE WHEN i = 0 THEN first_j WHEN i = n - 1 THEN last_j ELSE energy_j END
FROM (SELECT *, unnest(range(n::BIGINT)) AS i FROM energy_rows WHERE n > 1);
