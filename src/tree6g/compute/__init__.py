"""Physics of inference: accelerators, models, roofline and continuous batching."""
