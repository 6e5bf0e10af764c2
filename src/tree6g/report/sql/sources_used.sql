-- What wrote the rows of a ledger.
SELECT source FROM energy
UNION
SELECT source FROM work
UNION
SELECT source FROM impact
ORDER BY source;
