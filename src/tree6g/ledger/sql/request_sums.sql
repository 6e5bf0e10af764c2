-- Sums of the request table beside the same sums of the work rows, for services whose requests
-- are all there (as many rows as the work rows count requests).
WITH listed AS (
    SELECT service, count(*) AS requests, sum(token_in) AS token_in, sum(token_out) AS token_out,
        sum(token_late) AS token_late
    FROM request GROUP BY service
), counted AS (
    SELECT service,
        coalesce(sum(amount) FILTER (kind = 'request'), 0.0) AS requests,
        coalesce(sum(amount) FILTER (kind = 'request_lost'), 0.0) AS lost,
        coalesce(sum(amount) FILTER (kind IN ('token_in', 'token_in_cached')), 0.0) AS token_in,
        coalesce(sum(amount) FILTER (kind = 'token_out'), 0.0) AS token_out,
        coalesce(sum(amount) FILTER (kind = 'token_late'), 0.0) AS token_late
    FROM work GROUP BY service
), complete AS (
    SELECT l.service, c.lost, l.token_in AS in_l, c.token_in AS in_c, l.token_out AS out_l,
        c.token_out AS out_c, l.token_late AS late_l, c.token_late AS late_c
    FROM listed AS l JOIN counted AS c USING (service)
    WHERE abs(l.requests - c.requests) <= 0.5
), sides AS (
    SELECT service, lost, 'token_in' AS quantity, in_l AS listed, in_c AS counted FROM complete
    UNION ALL SELECT service, lost, 'token_out', out_l, out_c FROM complete
    UNION ALL SELECT service, lost, 'token_late', late_l, late_c FROM complete
)
-- Requests that were lost half-way have work and no row, so there the rows may hold less.
SELECT service, quantity, listed, counted FROM sides
WHERE listed > counted + $tolerance * greatest(listed, counted)
    OR (lost = 0 AND listed < counted - $tolerance * greatest(listed, counted))
ORDER BY ALL
