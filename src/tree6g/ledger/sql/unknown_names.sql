-- Nodes and services that rows name and nobody defined; $services are those of the header.
WITH named AS (
    SELECT DISTINCT 'energy' AS tbl, node, service FROM energy
    UNION ALL SELECT DISTINCT 'work', node, service FROM work
    UNION ALL SELECT DISTINCT 'request', node, service FROM request
    UNION ALL SELECT DISTINCT 'latency', node, service FROM latency
    UNION ALL SELECT DISTINCT 'throughput', node, service FROM throughput
    UNION ALL SELECT DISTINCT 'prb', node, NULL FROM prb
    UNION ALL SELECT DISTINCT 'impact', node, service FROM impact
    UNION ALL SELECT DISTINCT 'coverage', node, NULL FROM coverage
    UNION ALL SELECT DISTINCT 'service', NULL, service FROM service
)
SELECT DISTINCT tbl, 'node' AS what, node AS name
FROM named WHERE node IS NOT NULL AND node NOT IN (SELECT node FROM entity)
UNION ALL
SELECT DISTINCT tbl, 'service', service
FROM named WHERE service IS NOT NULL AND service NOT IN (SELECT unnest($services::VARCHAR[]))
ORDER BY ALL
