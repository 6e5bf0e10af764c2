"""The meter: what real systems say of their work and their energy, normalised.

The only package that talks to the outside world. A source is text (a scrape, a file, a folder of
the system); `probe` says which format it is and returns `reading.Reading`s in SI; `deltas` turns
two looks at one source into amounts over an interval. What is unknown is absent, with a reason.
"""
