"""A server with continuous batching in the manner of current vLLM and SGLang, exact and fast.

    asked = requests(arrival_s, prompt_tok, output_tok)
    done = serve(replica, EngineSettings(), asked)          # until all is answered
    done.ttft_s, done.request_j, done.energy_j              # see `Served`

    server = ServerState(replica, EngineSettings())         # the same, resumable
    ids = server.submit(asked)                              # arrivals not before those submitted
    server.advance(1.0)                                     # iterations that begin before 1 s
    server.running, server.waiting, server.waiting_tok      # what a router looks at
    server.served()                                         # `Served` so far

`serve` is in `run`, `ServerState` in `state`, `requests` in `requests`, `Served` in `result`.
`advance(1); advance(2)` gives what `advance(2)` gives. `serve(..., skip=False)` is the oracle, one
iteration at a time in plain Python (`stepwise`). `serve(..., bin_s=1.0)` adds energy by second,
`gap_edges_s=gap_edges_s()` the histogram of gaps between tokens.

Rules
-----
Each iteration gives one token to every sequence that decodes, then fills the token budget with
chunks of prompts: that of the prompt under way, then of those that are admitted from the queue,
first come first served or by class (smaller numbers first, within a class by arrival). A chunk
needs its blocks of the KV cache at once. When a running sequence finds no block, the last admitted
(by class: the least important and latest) is preempted: its blocks are free, it goes to the front
of the queue, and its prompt and all tokens produced so far are computed again. Nobody is admitted
in an iteration that preempts. Iterations that only decode are padded to a captured graph.

Requests of a group share the blocks of their common prefix, see `blocks`. A block is cached as soon
as its chunk is scheduled. At least one token of a prompt is always computed.

Who has no first token within its patience leaves: from the queue at that instant, from the batch at
the end of the iteration. Who can never fit, prompt and answer, is refused on arrival.

Where vLLM (V1, 2026) does otherwise: blocks of answers and of prompts without a group are cached
too and found again by their content; after a preemption by class those behind in the list wait an
iteration; scheduling ahead (`async_scheduling`) gives places and blocks back an iteration later;
cascades, speculative decoding, encoder budgets and limits on long or parallel prompts are not
modelled. Iterations with prompts are not padded. The host's work is in the constants of an
iteration.

Whose joules
------------
Of each iteration, what a sequence alone causes is its own: FLOP of its tokens and their attention,
its keys, values and state. All else (static power over the iteration, weights, touched experts,
padding) is shared by all in it, by tokens: one for each that decodes, its chunk for a prompt. An
iteration held back by the power limit takes longer, and its static part is larger by that. The
rule is linear in the context, so a run of iterations is a closed form and a request's energy the
difference of two running sums. Joules of requests and of idle time add up to the total.
"""
