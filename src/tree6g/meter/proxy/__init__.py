"""A counting proxy before an inference server: who used how many tokens, as the server itself says.

| file | what it does |
|---|---|
| `ask` | what a request asks for: path, model, stream; asks the server for its usage |
| `tenants` | whose a request is |
| `upstream` | which server takes a request |
| `usage` | what an answer says of its tokens |
| `answer` | reads an answer on its way through |
| `counts` | sums by tenant and model, as Prometheus metrics |
| `forward` | moves bytes between client and server |
| `server` | listens; access, `/metrics` |

Only `forward` and `server` know HTTP's library (extra `proxy`), only `upstream` chooses, and only
`counts` remembers anything, which is sums.
"""
