"""How fast flows are beside nflows, zuko, normflows and Pyro: couplings, autoregressive, planar and radial steps.

    python benchmarks/flows.py --help

Contenders take turns in rounds; each round's time is the shortest of several calls. benchmarks/README.md says how to
read what comes out.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import autoregressive
import iaf_vae
import planar
import torch
from common import FOLDER, circumstances, natural
from presentation import spread, write
from torch import Tensor, nn
from tqdm import tqdm

from vaecourse.flows import Coupling, Flow, real_nvp
from vaecourse.priors import StandardNormal

COURSE, RIVALS, OF_STEPS = "vaecourse", ("nflows", "zuko"), ("nflows", "zuko", "normflows", "pyro")
VERSIONS = ("python", "vaecourse", "torch", "nflows", "zuko", "normflows", "pyro-ppl")
LEARNING_RATE = 1e-3

Call = Callable[[], object]


class Sizes(NamedTuple):
    """Of a flow and of what it is given."""

    dim: int
    hidden: tuple[int, ...]
    num_layers: int
    batch_size: int

    @property
    def noise(self) -> Tensor:
        """What goes in, [B, L]."""
        return torch.randn(self.batch_size, self.dim, generator=torch.Generator().manual_seed(0))

    def network(self, num_inputs: int, num_outputs: int) -> nn.Sequential:
        """The network of each coupling, for a library that asks for one."""
        sizes = (num_inputs, *self.hidden, num_outputs)
        layers = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.Tanh())]
        return nn.Sequential(*layers[:-1])


# ------------------------------------------------------------------------------------------------ the course


def course_coupling(sizes: Sizes) -> Call:
    """One coupling, its result and the log-determinant."""
    layer, z = Coupling(sizes.dim, sizes.hidden), sizes.noise
    return torch.no_grad()(lambda: layer.forward_and_log_det(z))


def course_flow(sizes: Sizes) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The flow, and the log-density under it."""
    flow = Flow(StandardNormal(sizes.dim), *real_nvp(sizes.dim, sizes.hidden, sizes.num_layers))
    return flow, lambda y: flow().log_prob(y)


# ------------------------------------------------------------------------------------------------ nflows


def nflows_layer(sizes: Sizes, moves: str = "second") -> nn.Module:
    """Their affine coupling on the same halves with the same network; its scale is a sigmoid of the output."""
    from nflows.transforms import AffineCouplingTransform

    second = torch.arange(sizes.dim) >= sizes.dim // 2

    class Network(nn.Module):
        def __init__(self, num_inputs: int, num_outputs: int):
            super().__init__()
            self.net = sizes.network(num_inputs, num_outputs)

        def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
            return self.net(z)

    return AffineCouplingTransform((second if moves == "second" else ~second).int(), Network)


def nflows_coupling(sizes: Sizes) -> Call:
    """One coupling, its result and the log-determinant."""
    layer, z = nflows_layer(sizes), sizes.noise
    return torch.no_grad()(lambda: layer(z))


def nflows_flow(sizes: Sizes) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The flow, and the log-density under it."""
    from nflows.distributions import StandardNormal as Base
    from nflows.flows import Flow as TheirFlow
    from nflows.transforms import CompositeTransform

    layers = [nflows_layer(sizes, ("second", "first")[k % 2]) for k in range(sizes.num_layers)]
    flow = TheirFlow(CompositeTransform(layers), Base([sizes.dim]))
    return flow, flow.log_prob


# ------------------------------------------------------------------------------------------------ zuko


def zuko_layer(sizes: Sizes, moves: str = "second") -> nn.Module:
    """Their coupling on the same halves with the same network and the same bound of scales."""
    from zuko.flows import GeneralCouplingTransform

    first = torch.arange(sizes.dim) < sizes.dim // 2
    kept = first if moves == "second" else ~first
    return GeneralCouplingTransform(sizes.dim, 0, kept, hidden_features=sizes.hidden, activation=nn.Tanh)


def zuko_coupling(sizes: Sizes) -> Call:
    """One coupling, its result and the log-determinant."""
    layer, z = zuko_layer(sizes), sizes.noise
    return torch.no_grad()(lambda: layer().call_and_ladj(z))


def zuko_flow(sizes: Sizes) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The flow, and the log-density under it."""
    from zuko.distributions import DiagNormal
    from zuko.flows import Flow as TheirFlow
    from zuko.flows import UnconditionalDistribution

    layers = [zuko_layer(sizes, ("second", "first")[k % 2]) for k in range(sizes.num_layers)]
    base = UnconditionalDistribution(DiagNormal, torch.zeros(sizes.dim), torch.ones(sizes.dim), buffer=True)
    flow = TheirFlow(layers, base)
    return flow, lambda y: flow().log_prob(y)


# ------------------------------------------------------------------------------------------------ tasks

FLOWS = {COURSE: course_flow, "nflows": nflows_flow, "zuko": zuko_flow}


def density(name: str, sizes: Sizes) -> Call:
    """log p(y) of a batch."""
    _, log_prob = FLOWS[name](sizes)
    y = sizes.noise
    return torch.no_grad()(lambda: log_prob(y))


def training(name: str, sizes: Sizes) -> Call:
    """A step of Adam up the mean log-density."""
    flow, log_prob = FLOWS[name](sizes)
    optimiser, y = torch.optim.Adam(flow.parameters(), lr=LEARNING_RATE, fused=True), sizes.noise

    def step() -> None:
        optimiser.zero_grad()
        (-log_prob(y).mean()).backward()
        optimiser.step()

    return step


TASKS: dict[str, dict[str, Callable[[Sizes], Call]]] = {
    "coupling": {COURSE: course_coupling, "nflows": nflows_coupling, "zuko": zuko_coupling},
    "density": {name: lambda sizes, name=name: density(name, sizes) for name in FLOWS},
    "training": {name: lambda sizes, name=name: training(name, sizes) for name in FLOWS},
}

STEPS = autoregressive.TASKS | planar.TASKS | iaf_vae.TASKS  # of a single layer, and of a VAE with all


def milliseconds(call: Call, seconds: float) -> float:
    """The shortest of the calls that fit into so many seconds, in milliseconds."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


def measure(task: dict[str, Callable[[Sizes], Call]], sizes: Sizes, arguments, bar: tqdm) -> dict:
    """Milliseconds of every contender in every round, and the speed relative to the fastest rival's."""
    calls, rows = {}, {name: {"ms": []} for name in task}
    for name, make in task.items():
        torch.manual_seed(0)
        try:
            calls[name] = make(sizes)
        except ImportError as error:
            rows[name]["unavailable"] = str(error)
    for repetition in range(1 + arguments.rounds):  # the first is warm-up
        for name, call in calls.items():
            bar.set_postfix_str(name)
            took = milliseconds(call, arguments.seconds)
            if repetition:
                rows[name]["ms"].append(took)
            bar.update()
    rivals = [row["ms"] for name, row in rows.items() if name != COURSE and row["ms"]]
    ratios = [min(others) / own for own, *others in zip(rows[COURSE]["ms"], *rivals)] if rivals else []
    return rows | {"ratios": ratios}


def table(result: dict) -> str:
    """Medians over rounds, with the lowest and highest in brackets."""
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in result["versions"].items())
    lines = ["", f"{result['date']}; {result['cpu']}, threads: {result['threads']}; {versions}"]
    for row in result["sizes"]:
        network = "-".join(map(str, row["hidden"]))
        lines += [
            "",
            f"{row['dim']} coordinates, {row['num_layers']} couplings, {network} tanh, {row['batch_size']} data",
        ]
        lines += part(row["tasks"], (COURSE, *RIVALS))
        lines += ["single steps of other flows, and a VAE with all layers", *part(row["steps"], (COURSE, *OF_STEPS))]
    return "\n".join(lines)


def part(tasks: dict, names: tuple[str, ...]) -> list[str]:
    """A line for each task, a column for each contender."""
    lines = [f"{'ms a call':18}" + "".join(f"{name:>26}" for name in names) + f"{'speed / fastest':>26}"]
    for name, task in tasks.items():
        cells = [spread(task[who]["ms"], ".3f") if task.get(who, {}).get("ms") else "-" for who in names]
        cells.append(spread(task["ratios"], ".2f") if task["ratios"] else "-")
        lines.append(f"{name:18}" + "".join(f"{cell:>26}" for cell in cells))
    return lines


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time flows, on the CPU.")
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder of flows.json")
    parser.add_argument("--rounds", type=natural, default=7, help="turns of every contender, after one (7)")
    parser.add_argument("--threads", type=natural, help="threads of PyTorch (its own choice)")
    parser.add_argument("--quick", action="store_true", help="a small flow alone: to see that it runs")
    arguments = parser.parse_args(given)
    arguments.seconds = 0.5
    arguments.sizes = [Sizes(8, (64, 64), 4, 100), Sizes(64, (128, 128), 4, 100), Sizes(64, (256, 256), 8, 1000)]
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.sizes = 2, 0.02, [Sizes(4, (16,), 2, 20)]
    return arguments


def main() -> None:
    """Measure, print, and write when all is measured."""
    arguments = parse()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    result = circumstances() | {"rounds": arguments.rounds, "sizes": []}
    result["versions"] = {name: result["versions"][name] for name in VERSIONS}
    with tqdm(unit="run") as bar:
        for sizes in arguments.sizes:
            tasks = {name: measure(task, sizes, arguments, bar) for name, task in TASKS.items()}
            steps = {name: measure(task, sizes, arguments, bar) for name, task in STEPS.items()}
            result["sizes"].append(sizes._asdict() | {"tasks": tasks, "steps": steps})
    print(table(result))
    print(f"written: {write(result, arguments.out / 'flows.json')}")


if __name__ == "__main__":
    main()
