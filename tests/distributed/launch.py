#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts a program several times on this machine, as torchrun does: with RANK, WORLD_SIZE and so on in the environment.

Usage: launch.py PROCESSES PROGRAM [ARGUMENT...]. Exits as the first process that fails did, after ending the others.
"""
import os
import socket
import subprocess
import sys
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    count, command = int(sys.argv[1]), sys.argv[2:]
    common = dict(os.environ, WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()))
    running = []
    for rank in range(count):
        running.append(subprocess.Popen(command, env=dict(common, RANK=str(rank), LOCAL_RANK=str(rank))))
    status = 0
    while running and status == 0:
        time.sleep(0.02)
        for process in list(running):
            if process.poll() is not None:
                running.remove(process)
                status = status or process.returncode
    deadline = time.monotonic() + 10  # for the others to hear of it and say so
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
