"""A server with continuous batching in the manner of current vLLM and SGLang, exact and fast.

    asked = requests(arrival_s, prompt_tok, output_tok)
    done = serve(replica, EngineSettings(), asked)          # until all is answered
    done.ttft_s, done.request_j, done.energy_j              # see `Served`

    server = ServerState(replica, EngineSettings())         # the same, resumable
    ids = server.submit(asked)                              # arrivals not before those submitted
    server.advance(1.0)                                     # iterations that begin before 1 s
    server.running, server.waiting, server.waiting_tok      # what a router looks at
    server.served()                                         # `Served` so far

`advance(1); advance(2)` gives what `advance(2)` gives. `serve(..., skip=False)` is the oracle, one
iteration at a time in plain Python (`stepwise`). `serve(..., bin_s=1.0)` adds energy by second,
`gap_edges_s=gap_edges_s()` the histogram of gaps between tokens.
"""
