-- Sources of rows for which no coverage is stated.
WITH named AS (
    SELECT DISTINCT 'energy' AS quantity, source FROM energy
    UNION ALL SELECT DISTINCT 'work', source FROM work
)
SELECT quantity, source FROM named
WHERE NOT EXISTS (
    SELECT 1 FROM coverage AS c WHERE c.source = named.source AND c.quantity = named.quantity
)
ORDER BY ALL
