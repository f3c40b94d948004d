"""What the scorer costs, in one run: the pass against the machine, its HTTP front against the pass, others beside it.

    python benchmarks/scorer.py --size demo
    python benchmarks/scorer.py --size unixcoder --rounds 2
    python3.11 -m venv /tmp/peer && /tmp/peer/bin/pip install 'infinity-emb[server,torch]==0.0.76' 'click<8.2' \\
        'optimum<2' 'transformers<4.49' && python benchmarks/scorer.py --infinity /tmp/peer/bin/python

Sizes: `demo`, the PRM that `make demo` trains (Llama-like, 0.8M parameters), and `unixcoder` (RoBERTa in decoder mode,
12 layers, 768 wide). Weights are random: speed doesn't depend on them. Each server is a process of its own, the client
is in this one, on the same cores, and the same for all of them. A server that answers a constant shows what HTTP alone
makes here. Every round runs each contender in turn, and a ratio is made within a round: machine
and noise are shared. Prints one page and whether each target is met. Leaves out GPUs.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import torch
import transformers
from executor_service import machine
from scorer_model import (
    FORMATS,
    load,
    padding_share,
    passes_in_order,
    prefix_race,
    score_all,
    score_packed,
    score_side_by_side,
    sorted_passes,
)
from scorer_page import (
    ALONE,
    BARE,
    BATCH,
    BY_SIDE,
    COMPILED,
    FLOOR,
    INFINITY,
    ONCE,
    PACKED,
    PREFIXES,
    SERIAL,
    SIDE,
    SINGLES,
    TRAINERS,
    Findings,
    page,
)
from scorer_service import classify, constant, in_batches, in_single_calls, infinity, one_reply, served
from scorer_work import SIZES, gflop, make_checkpoint, make_requests, packed_gflops, plain_gflops, rate, repeat

from services.contracts import ScoreRequest
from services.kit.errors import StartupError
from services.scorer.encoding import encode
from services.scorer.hardware import check_dtype
from trainer.progress import progress_bar

AT_ONCE = 64
CALLS_A_CONNECTION = 4
"""Of batches, and of 64 clients at once, which keep their connections as the one does that calls in turn."""
TRAINERS_BATCH = 16
"""The trainer sends its programs in requests of so many, all at once (`services.client.rewards.asking`)."""
SETTINGS = ("size", "programs", "rounds", "seconds", "threads", "seed")

Contenders = dict[str, tuple[int, Callable[[], object]]]
"""By name: how many programs its work scores, and the work."""


def find_out(options: argparse.Namespace) -> Findings:
    """Load, serve, and run every round."""
    torch.set_num_threads(options.threads)
    transformers.logging.disable_progress_bar()
    found = Findings(machine(), {name: getattr(options, name) for name in SETTINGS})
    with tempfile.TemporaryDirectory() as parent, ExitStack() as stack:
        folder = Path(parent) / "prm"
        requests = make_requests(options.programs, options.seed)
        repeated = repeat(requests, CALLS_A_CONNECTION)
        make_checkpoint(folder, options.size, requests)
        contenders = bare_contenders(found, folder, requests, options.threads, compiled=options.compile)
        server = stack.enter_context(served(folder, options.threads))
        contenders |= {
            BATCH: (len(repeated), in_batches(server, repeated, of=len(requests))),
            SINGLES: (len(repeated), in_single_calls(server, repeated, at_once=AT_ONCE)),
            SERIAL: (len(requests), in_single_calls(server, requests, at_once=1)),
            TRAINERS: (
                len(repeated),
                in_batches(server, repeated, of=TRAINERS_BATCH, at_once=len(requests) // TRAINERS_BATCH or 1),
            ),
        }
        floor = stack.enter_context(constant(one_reply(server, requests[0])))
        contenders[FLOOR] = (len(repeated), in_single_calls(floor, repeated, at_once=AT_ONCE))
        if options.infinity:
            peer = stack.enter_context(infinity(options.infinity, folder, options.threads))
            contenders[INFINITY] = (len(repeated), classify(peer, repeated, of=len(requests)))
        run_rounds(found, contenders, options.rounds, options.seconds)
        found.peaks["the server, after all of this"] = server.peak_bytes
    return found


def bare_contenders(
    found: Findings, folder: Path, requests: list[ScoreRequest], threads: int, *, compiled: bool
) -> Contenders:
    """The model without HTTP, in each way there is here; notes what doesn't change between rounds."""
    prm = load(folder)
    encoded = [encode(request, prm) for request in requests]
    passes, packed = sorted_passes(encoded, prm.pass_tokens), passes_in_order(encoded, prm.pass_tokens)
    race = prefix_race(prm)
    found.gflop_a_program = gflop(prm, encoded) / len(encoded)
    found.padding = {"sorted": padding_share(passes), "in order, without packing": padding_share(packed)}
    found.prefix_difference, found.weights_bytes = race.largest_difference, 4 * prm.parameters
    found.model = {
        "parameters": prm.parameters,
        "tokens a program": round(sum(len(item.input.ids) for item in encoded) / len(encoded)),
        "lines a program": round(sum(len(item.steps) for item in encoded) / len(encoded), 1),
        "tokens of the 12 lines": race.tokens,
    }
    contenders: Contenders = {
        BARE: (len(requests), lambda: score_all(prm, passes)),
        SIDE: (len(requests), lambda: score_side_by_side(prm, passes, threads)),
        ALONE: (len(encoded), lambda: score_all(prm, [[item.input] for item in encoded])),
        PACKED: (len(requests), lambda: score_packed(prm, packed)),
        ONCE: (1, race.once),
        PREFIXES: (1, race.by_prefixes),
    }
    for name, dtype in FORMATS.items():
        with suppress(StartupError):
            check_dtype(dtype, "cpu")
            other = load(folder, dtype)
            contenders[name] = (len(requests), partial(score_all, other, passes))
            contenders[f"{name}, {BY_SIDE}"] = (len(requests), partial(score_side_by_side, other, passes, threads))
    if compiled:
        started = time.perf_counter()
        contenders[COMPILED] = (len(requests), partial(score_all, load(folder, compiled=True), passes))
        found.compile_s = time.perf_counter() - started
    return contenders


def run_rounds(found: Findings, contenders: Contenders, rounds: int, seconds: float) -> None:
    """Each contender in turn, and the machine's own products at the start of each round."""
    with progress_bar("measuring", rounds * len(contenders)) as bar:
        for _ in range(rounds):
            found.plain_gflops.append(plain_gflops())
            found.packed_gflops.append(packed_gflops())
            for name, (programs, work) in contenders.items():
                found.note(name, programs * rate(work, seconds))
                bar.advance(note=name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="demo", help="default: demo")
    parser.add_argument("--programs", type=int, default=64, help="default: 64")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--seconds", type=float, default=2.0, help="each contender's least time a round; default: 2")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of a pass; default: torch's")
    parser.add_argument("--seed", type=int, default=0, help="of the programs")
    parser.add_argument("--compile", action="store_true", help="torch.compile too, which takes a minute to start")
    parser.add_argument("--infinity", type=Path, metavar="PYTHON", help="of an environment with infinity-emb")
    parser.add_argument("--json", type=Path, help="write all that was measured to this file")
    return parser.parse_args()


if __name__ == "__main__":
    chosen = _options()
    findings = find_out(chosen)
    if chosen.json:
        chosen.json.write_text(json.dumps(dataclasses.asdict(findings), indent=1) + "\n")
    print(page(findings))
