-- Site overhead follows the joules of its own node, else those of its site.
CREATE OR REPLACE TEMP TABLE attributed AS
WITH place AS (
    SELECT 'node' AS scope, node AS name, k, service, reason, sum(energy_j) AS energy_j
    FROM attributed SEMI JOIN (SELECT node FROM pool WHERE class = 'overhead') o USING (node)
    GROUP BY ALL
    UNION ALL
    SELECT 'site', site, k, service, reason, sum(energy_j)
    FROM attributed SEMI JOIN (SELECT site FROM pool WHERE class = 'overhead') o USING (site)
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
SELECT node, site, k, component, service, reason, energy_j FROM attributed
UNION ALL
SELECT f.node, f.site, f.k, f.component, a.service,
       CASE WHEN a.name IS NULL THEN 'standby' ELSE a.reason END,
       f.energy_j * coalesce(a.share, 1)
FROM follow f LEFT JOIN part a ON a.scope = f.scope AND a.name = f.name AND a.k = f.k;
