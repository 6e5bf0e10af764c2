-- Standby energy over the services by their demand on the node in the whole ledger, on request; by
-- joules that carry a service only where the node states no demand at all, for units do not mix.
CREATE OR REPLACE TEMP TABLE attributed AS
WITH whole AS (
    SELECT node, service, sum(demand) / sum(sum(demand)) OVER (PARTITION BY node) AS share
    FROM users
    WHERE stated OR node NOT IN (SELECT node FROM users WHERE stated)
    GROUP BY node, service
)
SELECT e.node, e.site, e.k, e.component, coalesce(e.service, w.service) AS service,
       CASE WHEN w.service IS NULL THEN e.reason END AS reason,
       e.energy_j * coalesce(w.share, 1) AS energy_j
FROM attributed e LEFT JOIN whole w ON e.reason = 'standby' AND w.node = e.node;
