-- Joules of each node; fsum compensates rounding, for the sum is held to 1e-9.
SELECT node, coalesce(fsum(energy_j), 0.0) AS energy_j
FROM energy WHERE node IS NOT NULL GROUP BY node ORDER BY node
