-- Output tokens of a service by the model that made them.
SELECT model::VARCHAR AS model, sum(amount) AS tokens_tok
FROM work
WHERE service = ? AND kind = 'token_out' AND model IS NOT NULL
GROUP BY ALL ORDER BY ALL
