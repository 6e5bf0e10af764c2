-- Rows of energy behind a figure, by what wrote them.
SELECT source, component, state, count(*) AS rows, sum(energy_j) AS energy_j
FROM energy
WHERE list_contains(?, node) AND t1_s > ? AND t0_s < ? AND (?::VARCHAR IS NULL OR service = ? OR service IS NULL)
GROUP BY ALL
ORDER BY energy_j DESC, source, component, state;
