-- Work at nodes inside a boundary by service, kind and tier. $1 the boundary.
SELECT service::VARCHAR, kind::VARCHAR, tier::VARCHAR, fsum(amount)
FROM work
WHERE node IN (SELECT node FROM entity WHERE list_contains(string_split(boundaries, ' '), $1))
GROUP BY ALL ORDER BY ALL
