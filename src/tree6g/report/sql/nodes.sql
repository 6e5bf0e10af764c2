-- All nodes of the ledger with their entity record, where there is one.
WITH seen AS (
    SELECT node::VARCHAR AS node, any_value(tier::VARCHAR) AS tier FROM (
        SELECT node, tier FROM energy GROUP BY node, tier
        UNION ALL SELECT node, tier FROM work GROUP BY node, tier
    ) GROUP BY node::VARCHAR
)
SELECT coalesce(seen.node, entity.node::VARCHAR) AS node,
    coalesce(entity.tier::VARCHAR, seen.tier) AS tier,
    entity.site::VARCHAR AS site, entity.what::VARCHAR AS what, entity.record::VARCHAR AS record,
    entity.boundaries::VARCHAR AS boundaries
FROM seen FULL JOIN entity ON entity.node::VARCHAR = seen.node
ORDER BY 1
