-- Every joule inside the boundary to a service, or to the reason why no service answers for it.
CREATE OR REPLACE TEMP TABLE equipment AS
SELECT node, site, k, component, service, NULL::VARCHAR AS reason, energy_j
FROM pool WHERE class = 'direct'
UNION ALL
SELECT p.node, p.site, p.k, p.component, u.service,
       CASE WHEN u.service IS NULL THEN 'no_demand' END, p.energy_j * coalesce(u.share, 1)
FROM pool p LEFT JOIN users u USING (node, k)
WHERE p.class = 'dynamic'
UNION ALL
SELECT p.node, p.site, p.k, p.component,
       CASE WHEN NOT ($rule = 'marginal' AND u.n_users > 1) THEN u.service END,
       CASE WHEN u.service IS NULL THEN 'standby'
            WHEN $rule = 'marginal' AND u.n_users > 1 THEN 'shared_idle' END,
       p.energy_j * CASE WHEN u.service IS NULL THEN 1
                         WHEN $rule IN ('equal', 'shapley') THEN 1.0 / u.n_users
                         ELSE u.share END
FROM pool p LEFT JOIN users u USING (node, k)
WHERE p.class = 'idle';

-- Standby energy over the services by their demand on the node in the whole ledger, on request.
CREATE OR REPLACE TEMP TABLE spread AS
WITH whole AS (
    SELECT node, service, sum(demand) / sum(sum(demand)) OVER (PARTITION BY node) AS share
    FROM users WHERE $spread GROUP BY node, service
)
SELECT e.node, e.site, e.k, e.component, coalesce(e.service, w.service) AS service,
       CASE WHEN w.service IS NULL THEN e.reason END AS reason,
       e.energy_j * coalesce(w.share, 1) AS energy_j
FROM equipment e LEFT JOIN whole w ON e.reason = 'standby' AND w.node = e.node;

-- Site overhead follows the joules of its own node, else those of its site.
CREATE OR REPLACE TEMP TABLE attributed AS
WITH place AS (
    SELECT 'node' AS scope, node AS name, k, service, reason, sum(energy_j) AS energy_j
    FROM spread SEMI JOIN (SELECT node FROM pool WHERE class = 'overhead') o USING (node)
    GROUP BY ALL
    UNION ALL
    SELECT 'site', site, k, service, reason, sum(energy_j)
    FROM spread SEMI JOIN (SELECT site FROM pool WHERE class = 'overhead') o USING (site)
    GROUP BY ALL
), part AS (
    SELECT *, energy_j / sum(energy_j) OVER (PARTITION BY scope, name, k) AS share
    FROM place WHERE energy_j > 0
), follow AS (
    SELECT p.*, CASE WHEN n.name IS NULL THEN 'site' ELSE 'node' END AS scope,
           CASE WHEN n.name IS NULL THEN p.site ELSE p.node END AS name
    FROM pool p
    LEFT JOIN (SELECT DISTINCT name, k FROM part WHERE scope = 'node') n
           ON n.name = p.node AND n.k = p.k
    WHERE p.class = 'overhead'
)
SELECT node, k, component, service, reason, sum(energy_j) AS energy_j
FROM (
    SELECT node, k, component, service, reason, energy_j FROM spread
    UNION ALL
    SELECT f.node, f.k, f.component, a.service,
           CASE WHEN a.name IS NULL THEN 'standby' ELSE a.reason END,
           f.energy_j * coalesce(a.share, 1)
    FROM follow f LEFT JOIN part a ON a.scope = f.scope AND a.name = f.name AND a.k = f.k
)
GROUP BY ALL;
