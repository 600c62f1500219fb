"""How fast the course codes: pixels a second beside the library constriction, and a set of MNIST's size there and back.

    python benchmarks/coding.py --help

Contenders take turns in rounds, as in training.py, and ratios are taken within each round. Each codes the same pixels
with frequencies of 24 bits, which is constriction's own precision, and begins with what a decoder network would give
it: logits here, probabilities there. What comes back is held against what was given.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from common import FOLDER, circumstances, natural
from presentation import spread, write
from tqdm import tqdm

from vaecourse.coding import BernoulliCodec, BitsBack, Stack, code_length
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.networks import MLP
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal

PRECISION = 24
NUM_PIXELS, HIDDEN, NUM_LATENTS = 784, 400, 50
RIVAL = "constriction"
VERSIONS = ("python", "vaecourse", "torch", "numpy", RIVAL)

Timing = dict[str, float]  # nanoseconds a symbol each way, and bits a symbol


def pixels(num_images: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, D], multiples of 2^-12, mostly far from 0 as a trained decoder's are, and pixels that follow them."""
    generator = np.random.default_rng(0)
    logits = np.rint(generator.normal(-2.0, 3.0, (num_images, NUM_PIXELS)) * 4096) / 4096
    return logits, (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.int64)


def course(num_images: int, lanes: int) -> Timing:
    """The course's stack and its codec of binary pixels, so many images side by side."""
    logits, x = pixels(num_images)
    codec, stack = BernoulliCodec(PRECISION), Stack.of_random_bits(lanes)
    parts = [(x[at : at + lanes], logits[at : at + lanes] * 4096) for at in range(0, num_images, lanes)]
    start = time.perf_counter()
    for images, outputs in parts:
        codec.push(stack, images, outputs)
    encoded = time.perf_counter()
    bits = stack.num_bits - stack.clean_bits
    decoded = [codec.pop(stack, outputs, NUM_PIXELS) for _, outputs in reversed(parts)]
    end = time.perf_counter()
    assert np.array_equal(np.concatenate(decoded[::-1]), x) and stack == Stack.of_random_bits(lanes)
    return {"encode": 1e9 * (encoded - start) / x.size, "decode": 1e9 * (end - encoded) / x.size, "bits": bits / x.size}


def library(num_images: int) -> Timing:
    """constriction's ANS coder, all pixels in one call each way."""
    import constriction

    logits, x = pixels(num_images)
    p, symbols = 1 / (1 + np.exp(-logits.ravel())), x.ravel().astype(np.int32)
    family = constriction.stream.model.Bernoulli(perfect=False)
    coder = constriction.stream.stack.AnsCoder()
    start = time.perf_counter()
    coder.encode_reverse(symbols, family, p)
    encoded = time.perf_counter()
    bits = coder.num_valid_bits()
    decoded = coder.decode(family, p)
    end = time.perf_counter()
    assert np.array_equal(decoded, symbols)
    return {"encode": 1e9 * (encoded - start) / x.size, "decode": 1e9 * (end - encoded) / x.size, "bits": bits / x.size}


def measure_symbols(contenders: dict[str, Callable[[], Timing]], rounds: int, bar: tqdm) -> dict:
    """Nanoseconds a symbol and bits, round by round, and speeds relative to the library's."""
    rows = {name: {"encode": [], "decode": [], "bits": []} for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            bar.set_postfix_str(name)
            try:
                timing = contender()
            except ImportError as error:
                rows[name]["unavailable"] = str(error)
            else:
                for key, value in timing.items():
                    rows[name][key].append(value)
            bar.update()
    for row in rows.values():
        row["ratios"] = {
            way: [other / own for own, other in zip(row[way], rows[RIVAL][way])] for way in ("encode", "decode")
        }
    return rows


def measure_set(num_images: int, lanes: int) -> dict:
    """Seconds for a whole set with a VAE of MNIST's size and random weights: networks, latents, pixels, stream."""
    torch.manual_seed(0)
    encoder, decoder = MLP(NUM_PIXELS, (HIDDEN,), 2 * NUM_LATENTS), MLP(NUM_LATENTS, (HIDDEN,), NUM_PIXELS)
    codec = BitsBack(LatentVariableModel(StandardNormal(NUM_LATENTS), Bernoulli(decoder), DiagonalGaussian(encoder)))
    x = (torch.rand(num_images, NUM_PIXELS) < 0.13).float()
    start = time.perf_counter()
    stream = codec.encode(x, lanes)
    encoded = time.perf_counter()
    assert torch.equal(codec.decode(stream), x)
    end = time.perf_counter()
    length = code_length(stream)._asdict()
    return {"images": num_images, "lanes": lanes, "encode_s": encoded - start, "decode_s": end - encoded, **length}


def table(result: dict) -> str:
    """Medians over rounds, with the lowest and highest in brackets."""
    lines = [
        "",
        f"{result['date']}; {result['cpu']}, threads: {result['threads']}; load before: {result['load_before']}; "
        f"{RIVAL} {result['versions'][RIVAL] or 'not installed'}",
        f"binary pixels, frequencies of {PRECISION} bits; {result['rounds']} rounds",
        "",
        f"{'':24}{'encode, ns/symbol':>28}{'decode, ns/symbol':>28}{'speed / library':>18}{'bits/symbol':>13}",
    ]
    for name, row in result["symbols"].items():
        if "unavailable" in row:
            lines.append(f"{name:24}not available: {row['unavailable']}")
            continue
        ways = [spread(row[way], ".1f") for way in row["ratios"]]
        ratios = " / ".join(f"{statistics.median(r):.2f}" if r else "-" for r in row["ratios"].values())
        lines.append(f"{name:24}{ways[0]:>28}{ways[1]:>28}{ratios:>18}{row['bits'][0]:>13.5f}")
    for row in result["sets"]:
        lines.append(
            f"{row['images']:,} images of {NUM_PIXELS} pixels, {row['lanes']} lanes: encode {row['encode_s']:.1f} s, "
            f"decode {row['decode_s']:.1f} s; net {row['net_bits'] / 8:,.0f} bytes, file {row['file_bytes']:,}"
        )
    return "\n".join(lines)


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time the coder, on the CPU.")
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder of coding.json")
    parser.add_argument("--images", type=natural, default=10_000, help="images of the set (10000)")
    parser.add_argument("--rounds", type=natural, default=5, help="turns of every contender (5)")
    parser.add_argument("--threads", type=natural, help="threads of PyTorch (its own choice)")
    parser.add_argument("--quick", action="store_true", help="few images: to see that it runs")
    arguments = parser.parse_args(given)
    arguments.symbol_images = 2000
    if arguments.quick:
        arguments.images, arguments.rounds, arguments.symbol_images = min(arguments.images, 60), 2, 60
    return arguments


def main() -> None:
    """Measure, print, and write when all is measured."""
    arguments = parse()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    number = arguments.symbol_images
    contenders = {f"vaecourse, {lanes} lanes": partial(course, number, lanes) for lanes in (20, 100, 1000)}
    contenders = {"vaecourse, 1 lane": partial(course, max(1, number // 20), 1)} | contenders
    contenders[RIVAL] = partial(library, number)
    lanes = [lanes for lanes in (100, 500) if lanes <= arguments.images] or [arguments.images]
    result = circumstances() | {"rounds": arguments.rounds}
    result["versions"] = {name: result["versions"][name] for name in VERSIONS}
    with tqdm(total=arguments.rounds * len(contenders) + len(lanes), unit="run") as bar:
        result["symbols"] = measure_symbols(contenders, arguments.rounds, bar)
        result["sets"] = []
        for number in lanes:
            bar.set_postfix_str(f"{arguments.images} images")
            result["sets"].append(measure_set(arguments.images, number))
            bar.update()
    print(table(result))
    print(f"written: {write(result, arguments.out / 'coding.json')}")


if __name__ == "__main__":
    main()
