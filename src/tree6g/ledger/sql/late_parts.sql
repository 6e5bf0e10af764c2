-- Late or cached work that is more than the work it is part of. Totals of node and service, for
-- late work may be known for other intervals than the whole (from histograms).
WITH amounts AS (
    SELECT node, service, kind, sum(amount) AS amount FROM work GROUP BY ALL
), parts(part, whole) AS (
    VALUES ('token_late', 'token_out'), ('token_in_late', 'token_in'),
        ('token_in_late', 'token_in_cached'), ('bit_late', 'bit_ul'), ('bit_late', 'bit_dl')
)
SELECT late.node, late.service, late.kind, any_value(late.amount) AS late,
    coalesce(sum(whole.amount), 0.0) AS whole
FROM amounts AS late
JOIN parts ON parts.part = late.kind
LEFT JOIN amounts AS whole
    ON whole.node = late.node AND whole.service = late.service AND whole.kind = parts.whole
GROUP BY late.node, late.service, late.kind
HAVING any_value(late.amount) > coalesce(sum(whole.amount), 0.0) * (1 + $tolerance)
ORDER BY ALL
