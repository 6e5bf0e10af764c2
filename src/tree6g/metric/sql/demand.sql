-- Who used a node in a cell, and with which share: phase-weighted demand; data volume on radio and
-- core nodes under that rule; where a node has no demand rows, the joules that carry a service.
CREATE OR REPLACE TEMP TABLE pool AS
SELECT c.node, n.site, c.k, c.component, c.energy_j,
       CASE WHEN c.component IN ('cooling', 'power_supply') THEN 'overhead'
            WHEN c.service IS NOT NULL AND NOT ($by_volume AND n.tier IN ('ran', 'core')) THEN 'direct'
            WHEN c.state IN ('active', 'prefill', 'decode', 'train') THEN 'dynamic'
            WHEN $by_volume AND n.tier IN ('ran', 'core') THEN 'dynamic'
            ELSE 'idle' END AS class,
       c.state IN ('active', 'prefill', 'decode', 'train') AS caused,
       CASE WHEN class = 'direct' THEN c.service END AS service
FROM energy_cells c JOIN inside n USING (node);

CREATE OR REPLACE TEMP TABLE users AS
WITH demanded AS (
    SELECT w.node, w.k, w.service,
           sum(CASE WHEN $by_volume AND n.tier IN ('ran', 'core')
                    THEN CASE WHEN w.kind IN ('bit_ul', 'bit_dl', 'bit_carried') THEN w.amount END
                    ELSE w.demand * p.weight END) AS demand
    FROM work_cells w
    JOIN inside n USING (node)
    JOIN phase_weight p ON p.node = w.node AND p.kind = w.kind
                       AND p.model IS NOT DISTINCT FROM w.model
    GROUP BY ALL
    HAVING demand > 0
), labelled AS (
    SELECT node, k, service, sum(energy_j) AS demand
    FROM pool
    WHERE class = 'direct' AND caused
    GROUP BY ALL
    HAVING demand > 0
), used AS (
    SELECT *, TRUE AS stated FROM demanded
    UNION ALL
    SELECT l.node, l.k, l.service, CASE WHEN s.node IS NULL THEN l.demand ELSE 0 END, FALSE
    FROM labelled l
    ANTI JOIN demanded d ON d.node = l.node AND d.k = l.k AND d.service = l.service
    LEFT JOIN (SELECT DISTINCT node, k FROM demanded) s ON s.node = l.node AND s.k = l.k
), whole AS (
    SELECT node, k, sum(demand) AS demand, count(*) AS n_users FROM used GROUP BY ALL
)
SELECT u.node, u.k, u.service, u.demand, u.stated, u.demand / w.demand AS share, w.n_users
FROM used u JOIN whole w ON w.node = u.node AND w.k = u.k;
