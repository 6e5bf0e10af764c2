"""Tables of measured runs with known constants, made with the roofline itself."""

from __future__ import annotations

import csv
import itertools

import numpy as np

from tree6g.compute.accelerator import accelerator, with_constants
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint, text_prompts
from tree6g.compute.replica import Parallel, spread, stored
from tree6g.compute.roofline import median_gap_s, saturated

ENGINE = "my engine 1.0"
CONSTANTS = {
    "static_w": 240.0, "energy_j_per_byte": 6e-11, "energy_j_per_kv_byte": 1e-10,
    "energy_j_per_flop": 6e-13, "weight_efficiency_frac": 0.75, "kv_efficiency_frac": 0.6,
    "compute_efficiency_frac": 0.65, "compute_efficiency_8bit_frac": 0.4, "layer_s": 3e-5,
    "expert_layer_s": 1e-4, "prompt_layer_s": 8e-5, "sequence_s": 5e-5,
    "sequence_doubling_frac": 0.1, "allreduce_s": 2e-5,
}  # fmt: skip
MODELS = {
    "llama-3.1-8b": "Llama-3.1-8B", "qwen3-14b": "Qwen3-14B", "gemma-3-4b": "Gemma-3-4B",
    "llama-3.2-1b": "Llama-3.2-1B", "qwen2.5-7b": "Qwen2.5-7B", "qwen3-30b-a3b": "Qwen3-30B-A3B",
}  # fmt: skip
BATCHES = (1, 4, 16, 64, 200, 512)
PROMPTS = (60, 400, 3000)


def rows(*, models=tuple(MODELS), precisions=("bfloat16",), gpus=(1,), noise=0.01, seed=3,
         batches=BATCHES, prompts=PROMPTS, gpu="H100", constants=CONSTANTS):  # fmt: skip
    """Runs of saturated serving, one row per model, precision, GPUs, prompt length and batch."""
    rng = np.random.default_rng(seed)
    device = with_constants(accelerator("h100-sxm"), ENGINE, constants)
    made = []
    for model, precision, count, prompt, batch in itertools.product(
        models, precisions, gpus, prompts, batches
    ):
        summary = text_prompts(footprint(architecture(model)))
        weights = {"bfloat16": "fp16", "fp8": "fp8-row" if "llama" in model else "fp8"}[precision]
        r = spread(device, summary, stored(device, summary, weights), Parallel(devices=count))
        lengths = (float(batch), float(prompt), 300.0, 0.7)
        cost, gap_s = saturated(r, *lengths), median_gap_s(r, *lengths)
        off = np.exp(noise * rng.standard_normal(2))
        rate = batch / cost.time_s * off[1]
        joules = cost.energy_j / batch * off[0]
        made.append({
            "source": "mine", "engine": ENGINE, "gpu": gpu, "task": f"prompts of {prompt}",
            "modality": "text", "model_id": model, "family": MODELS[model],
            "weight_precision": precision, "num_gpus": count, "data_parallel": 1,
            "pipeline_parallel": 1, "avg_batch": batch, "avg_in_tokens": prompt,
            "avg_out_tokens": 300, "j_per_out_token": joules, "out_tok_s": rate,
            "gpu_power_w": joules * rate, "median_itl_ms": 1e3 * float(gap_s),
        })  # fmt: skip
    return made


def write(file, table, drop=()):
    """A table as a CSV file, without some columns."""
    titles = [name for name in table[0] if name not in drop]
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, titles, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(table)
    return file
