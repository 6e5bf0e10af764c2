"""A router before several inference servers that sends each request where it is worth most.

| file | what it does |
|---|---|
| `config` | servers, services, rules: the file that a user writes |
| `squares` | least squares that forget, never below zero |
| `sizes` | how many tokens a request will have |
| `speed` | how long a server will take |
| `joules` | what a token costs on a server, from the meter's ledger |
| `price` | what a joule is worth: TREE so far |
| `offer` | what each server would earn with a request |
| `rules` | which server takes it: TREE, round robin, least loaded |
| `router` | keeps count of servers and requests; the proxy's chooser |
| `record` | a line per request, and the summary of many |
| `metrics` | the router's own counters for Prometheus |
| `start` | runs it, and learns from the ledger meanwhile |

Requests and answers go through `tree6g.meter.proxy`, which knows HTTP.
"""
