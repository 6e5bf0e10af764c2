-- Joules of nodes inside a boundary by what used them. $1 the boundary.
SELECT component::VARCHAR, tier::VARCHAR, state::VARCHAR, origin::VARCHAR, source::VARCHAR,
    fsum(energy_j)
FROM energy
WHERE node IN (SELECT node FROM entity WHERE list_contains(string_split(boundaries, ' '), $1))
GROUP BY ALL ORDER BY ALL
