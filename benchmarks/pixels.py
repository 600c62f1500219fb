"""How fast a PixelCNN samples with what it keeps, beside the loop that runs the whole network for every pixel.

    python benchmarks/pixels.py --help

Both draw the same images from the same noise, which is checked. The second table has the cached cost of a pixel for
images of several sizes: it must not grow with them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from common import FOLDER, circumstances, natural
from presentation import spread, write
from torch import nn
from tqdm import tqdm

from vaecourse.distributions import Autoregression
from vaecourse.likelihoods import Autoregressive, Bernoulli
from vaecourse.networks import MLP, GatedPixelCNN

CHANNELS, NUM_LAYERS, NUM_LATENTS = 16, 4, 8
SIDES = (14, 28, 56)


def distribution(side: int, num_images: int) -> Autoregression:
    """A gated PixelCNN of binary pixels with random weights, at as many z."""
    torch.manual_seed(0)
    net = GatedPixelCNN((1, side, side), CHANNELS, NUM_LAYERS, decoder=MLP(NUM_LATENTS, (), 4 * side**2))
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2)
    return Autoregressive(net, Bernoulli, side**2)(torch.randn(num_images, NUM_LATENTS))


def seconds(px_z: Autoregression, u: torch.Tensor, cached: bool) -> tuple[float, torch.Tensor]:
    """Wall time of one pass over all pixels, and what came out."""
    start = time.perf_counter()
    x = px_z.quantile(u, cached=cached)
    return time.perf_counter() - start, x


def measure_sampling(side: int, num_images: int, rounds: int, bar: tqdm) -> dict:
    """Seconds for the images, both ways in turn, and their ratio within each round."""
    px_z = distribution(side, num_images)
    seconds(px_z, torch.rand(num_images, side**2), cached=True)  # warm-up
    row = {"side": side, "images": num_images, "cached_s": [], "naive_s": [], "ratios": [], "different_pixels": 0}
    for _ in range(rounds):
        u = torch.rand(num_images, side**2)
        (cached_s, cached), (naive_s, naive) = seconds(px_z, u, cached=True), seconds(px_z, u, cached=False)
        row["cached_s"].append(cached_s)
        row["naive_s"].append(naive_s)
        row["ratios"].append(naive_s / cached_s)
        row["different_pixels"] += int((cached != naive).sum())
        bar.update()
    return row


def measure_growth(sides: tuple[int, ...], num_images: int, rounds: int, bar: tqdm) -> list[dict]:
    """Microseconds a pixel of a cached sample, for images of several sizes, in turn."""
    rows = [{"side": side, "us_per_pixel": []} for side in sides]
    for _ in range(rounds):
        for row in rows:
            u = torch.rand(num_images, row["side"] ** 2)
            elapsed, _ = seconds(distribution(row["side"], num_images), u, cached=True)
            row["us_per_pixel"].append(1e6 * elapsed / row["side"] ** 2)
            bar.update()
    return rows


def table(result: dict) -> str:
    """Medians over rounds, with the lowest and highest in brackets."""
    lines = [
        "",
        f"{result['date']}; {result['cpu']}, threads: {result['threads']}; load before: {result['load_before']}",
        f"gated PixelCNN, {NUM_LAYERS} layers of {CHANNELS} maps; {result['rounds']} rounds",
        "",
        f"{'sampling':24}{'cached, s':>24}{'naive, s':>24}{'naive / cached':>24}{'pixels that differ':>20}",
    ]
    for row in result["sampling"]:
        name = f"{row['images']} of {row['side']} x {row['side']}"
        cells = [spread(row["cached_s"], ".2f"), spread(row["naive_s"], ".2f"), spread(row["ratios"], ".0f")]
        lines.append(f"{name:24}" + "".join(f"{cell:>24}" for cell in cells) + f"{row['different_pixels']:>20}")
    lines += ["", f"{'cached, 16 images':24}{'microseconds a pixel':>24}"]
    for row in result["growth"]:
        lines.append(f"{row['side']} x {row['side']:<19}{spread(row['us_per_pixel'], '.0f'):>24}")
    growth = [statistics.median(row["us_per_pixel"]) for row in result["growth"]]
    lines.append(f"the largest image's pixel costs {growth[-1] / growth[0]:.2f} times the smallest's")
    return "\n".join(lines)


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time sampling from a PixelCNN, on the CPU.")
    parser.add_argument("--rounds", type=natural, default=5, help="turns of the two ways")
    parser.add_argument("--threads", type=natural, help="threads of PyTorch (its own choice)")
    parser.add_argument("--quick", action="store_true", help="small images, two rounds: only to see that it runs")
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder for pixels.json")
    return parser.parse_args(given)


def main() -> None:
    """Measure, print, store."""
    given = parse()
    if given.threads:
        torch.set_num_threads(given.threads)
    rounds = 2 if given.quick else given.rounds
    settings = [(6, 2)] if given.quick else [(28, 1), (28, 16)]
    sides = (4, 8) if given.quick else SIDES
    result = circumstances() | {"rounds": rounds}
    with tqdm(total=rounds * (len(settings) + len(sides))) as bar:
        result["sampling"] = [measure_sampling(side, num_images, rounds, bar) for side, num_images in settings]
        result["growth"] = measure_growth(sides, 16, rounds, bar)
    print(table(result))
    given.out.mkdir(parents=True, exist_ok=True)
    print("written:", write(result, given.out / "pixels.json"))


if __name__ == "__main__":
    main()
