# SPDX-License-Identifier: Apache-2.0
"""How long PyTorch's launches take on a GPU, recorded as a CUDA graph, and what becomes of such figures."""
import statistics
import time

import torch

REPETITIONS = 15


def spread(values):
    """As Tern's programs give theirs (benchmarks/timing.h)."""
    values = list(values)
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def keep_better(row, key, figure):
    """Of two spreads that of the lower median."""
    if key not in row or figure["median"] < row[key]["median"]:
        row[key] = figure


def graph_microseconds(launches, count):
    """The spread of the time of one of `count` launches that launches() makes."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        launches()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launches()

    def seconds(times):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            graph.replay()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    once = seconds(3) / 3
    times = max(1, int(0.005 / once) + 1)
    return spread(1e6 * seconds(times) / (times * count) for _ in range(REPETITIONS))
