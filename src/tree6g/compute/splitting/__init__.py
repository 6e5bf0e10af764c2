"""One model over several places: where to cut it, what a cut costs, and when to move it.

A model is a row of layers (`profile`), a place computes some of them (`stage`), hops join the
places (`hop`). `tables` turns these into the costs of every place and hop at every cut, `costs`
adds them up for cuts, `choice` finds the best one by enumeration, `chain` by dynamic programming.
`migration` moves a cut within an answer, `early_exit` leaves layers out, `speculative` lets a
small model on the device run ahead of a large one on the server.

Valid for an answer by itself: passes follow one another, nothing is computed while bits are under
way, and whoever shares a server's passes is like the request. No measured split of an LLM between
a phone and a server is in the reference data, so nothing here is validated as a whole: the places
are those of `accelerator` with their errors, the rest is arithmetic.
"""
