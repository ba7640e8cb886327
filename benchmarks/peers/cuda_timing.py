# SPDX-License-Identifier: Apache-2.0
"""How long PyTorch's launches take on a GPU, recorded as a CUDA graph."""
import statistics
import time

import torch

REPETITIONS = 15


def graph_seconds(launches, count):
    """The median time of one of `count` launches that launches() makes."""
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
    return statistics.median(seconds(times) / (times * count) for _ in range(REPETITIONS))
