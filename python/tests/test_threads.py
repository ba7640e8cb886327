# SPDX-License-Identifier: Apache-2.0
"""Python's lock is free while tern works, and Ctrl-C ends what takes long."""
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tern
from conftest import TEXT


def lets_others_run(work, seconds=20):
    """Whether another thread gets its turn while `work` runs, which is run again until it does: how long once takes depends on
    the machine. Python itself makes nobody let go of the lock in that time, so that only `work` can."""
    turns, done = [0], threading.Event()

    def count():
        while not done.is_set():
            time.sleep(0.001)
            turns[0] += 1

    thread = threading.Thread(target=count)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread.start()
    try:
        end = time.monotonic() + seconds
        before = turns[0]
        while turns[0] < before + 4 and time.monotonic() < end:
            work()
        return turns[0] >= before + 4
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_a_lock_that_is_kept_is_noticed():
    assert not lets_others_run(lambda: sum(range(100_000)), seconds=0.2)


def test_kernels_let_others_run():
    a = tern.ones((2048, 2048))
    assert lets_others_run(lambda: tern.matmul(a, a))


def test_losses_let_others_run(small_model):
    ids = np.zeros((8, 256), np.int64)
    assert lets_others_run(lambda: small_model.loss(ids))


def test_generation_lets_others_run(small_model):
    assert lets_others_run(lambda: small_model.generate("The", max_tokens=200, ignore_eos=True))


def test_threads_share_a_model(small_model):
    wanted = small_model.generate("The", max_tokens=20, ignore_eos=True).ids
    got = []

    def generate():
        got.append(small_model.generate("The", max_tokens=20, ignore_eos=True).ids)

    threads = [threading.Thread(target=generate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [wanted] * 4


# Where the tests run in the background, SIGINT is ignored until somebody asks for it. The model is large enough to go on for
# seconds.
INTERRUPTED = """
import signal, sys, tern
signal.signal(signal.SIGINT, signal.default_int_handler)
text = open(sys.argv[1]).read()
tokenizer = tern.Tokenizer.train([text], vocab_size=300)
sizes = dict(vocab_size=320, hidden_size=256, intermediate_size=512, num_hidden_layers=8, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=4096)
def begun(_):
    print("begun", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
GENERATE = "tern.Model.create(tern.ModelConfig(**sizes), tokenizer=tokenizer).generate('A', max_tokens=4000, ignore_eos=True, on_text=begun)"
TRAIN = (
    "tern.train(tern.TrainConfig(**sizes, steps=1000000, sequence_length=16, batch_size=1), text, tokenizer, sys.argv[2], on_step=begun)"
)


@pytest.mark.parametrize("call", [GENERATE, TRAIN], ids=["generate", "train"])
def test_interrupts(call, tmp_path):
    text = tmp_path / "text"
    text.write_text(TEXT)
    program = INTERRUPTED.format(call=call)
    process = subprocess.Popen([sys.executable, "-c", program, str(text), str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    os.kill(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60)[0].splitlines()[-1] == "interrupted" and process.returncode == 0
    if call is TRAIN:  # what was learned is not lost
        assert list((tmp_path / "run" / "checkpoints").iterdir())


def test_after_a_fork(small_model):
    wanted = small_model.generate("The", max_tokens=8, ignore_eos=True).ids
    child = os.fork()
    if child == 0:
        os._exit(0 if small_model.generate("The", max_tokens=8, ignore_eos=True).ids == wanted else 1)
    assert os.waitpid(child, 0)[1] == 0
