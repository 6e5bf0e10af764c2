-- Joules of each node; fsum compensates rounding, for the sum is held to 1e-9.
SELECT node, fsum(energy_j) AS energy_j FROM energy GROUP BY node ORDER BY node
