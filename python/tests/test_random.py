# SPDX-License-Identifier: Apache-2.0
"""tern.random: known answers, distributions, and what a generator's state is. tests/ops/random_test.cpp has the statistics."""
import concurrent.futures

import numpy as np
import pytest
import tern
from tern.random import Generator

COUNT = 20_000


def test_known_answers():
    """The authors' test vectors of Philox4x32-10 have the counter and key 0: their four words, in order."""
    words = Generator(0).bits((4,), dtype=tern.uint32)
    assert [hex(word) for word in words.tolist()] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


def test_a_generator_is_its_seed_and_counter():
    first = Generator(7)
    first.normal((5,))
    second = Generator(first.seed, first.counter)
    assert repr(second) == f"Generator(seed=7, counter={first.counter})" and first.counter > 0
    assert second.uniform((3,)).tolist() == first.uniform((3,)).tolist()
    assert Generator(8).uniform((3,)).tolist() != Generator(7).uniform((3,)).tolist()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_moments(dtype):
    """Means and deviations within five standard errors."""
    generator = Generator(3)
    error = 5 / COUNT**0.5
    for draw, mean, deviation in [
        (generator.uniform((COUNT,), 2, 6, dtype=dtype), 4, 4 / 12**0.5),
        (generator.normal((COUNT,), 1, 3, dtype=dtype), 1, 3),
        (generator.exponential((COUNT,), 2, dtype=dtype), 2, 2),
    ]:
        x = np.asarray(draw)
        assert x.dtype == dtype and x.shape == (COUNT,)
        assert abs(x.mean(dtype=np.float64) - mean) < error * deviation
        assert abs(x.std(dtype=np.float64) - deviation) < 2 * error * deviation
    x = np.asarray(generator.uniform((COUNT,), 2, 6, dtype=dtype))
    assert x.min() >= 2 and x.max() < 6


def test_integers():
    generator = Generator(5)
    x = np.asarray(generator.integers(-3, 4, (70_000,)))
    assert x.dtype == np.int64
    counts = np.bincount(x + 3, minlength=7)
    assert len(counts) == 7 and np.abs(counts - 10_000).max() < 5 * (70_000 / 7 * 6 / 7) ** 0.5
    assert generator.integers(0, 256, (4, 2), dtype=tern.uint8).dtype == tern.uint8
    assert generator.integers(5, 6).tolist() == 5
    bits = np.asarray(generator.bits((1000,)))
    assert bits.dtype == np.uint64 and np.bitwise_or.reduce(bits) == 2**64 - 1


def test_bernoulli():
    generator = Generator(6)
    assert abs(np.asarray(generator.bernoulli(0.25, (COUNT,))).mean() - 0.25) < 5 * (0.25 * 0.75 / COUNT) ** 0.5
    assert generator.bernoulli(tern.asarray([[0.0, 1.0], [1.0, 0.0]])).tolist() == [[False, True], [True, False]]
    assert generator.bernoulli(1).tolist() is True


def test_orders():
    generator = Generator(9)
    assert sorted(generator.permutation(10).tolist()) == list(range(10))
    x = tern.reshape(tern.arange(12), (3, 4))
    assert sorted(generator.shuffled(x).tolist()) == x.tolist()
    assert sorted(generator.shuffled(x, axis=1).T.tolist()) == x.T.tolist()
    assert sorted(generator.choice(6, (6,), replace=False).tolist()) == list(range(6))
    assert set(generator.choice(3, (100,)).tolist()) == {0, 1, 2}
    assert set(generator.choice(tern.asarray([0.5, 0.0, 0.5]), (100,)).tolist()) == {0, 2}


def test_shapes():
    generator = Generator(1)
    for shape, wanted in [((), ()), (3, (3,)), ([2, 0], (2, 0)), ((2, 3, 4), (2, 3, 4))]:
        for x in (generator.uniform(shape), generator.normal(shape), generator.exponential(shape), generator.bits(shape),
                  generator.integers(0, 9, shape), generator.bernoulli(0.5, shape), generator.choice(9, shape)):
            assert x.shape == wanted


def test_threads_share_a_generator():
    """Each draw is one that a single thread would have had, and none comes twice."""
    shared, alone = Generator(11), Generator(11)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda _: tuple(shared.bits((64,)).tolist()), range(40)))
    assert sorted(got) == sorted(tuple(alone.bits((64,)).tolist()) for _ in range(40))


@pytest.mark.parametrize("call, text", [
    (lambda g: g.uniform((2,), 1, 1), r"\[uniform\] expected .*low < high"),
    (lambda g: g.normal((2,), 0, -1), r"\[normal\]"),
    (lambda g: g.normal((2,), dtype=tern.int32), r"\[normal\] expected a real float dtype, got"),
    (lambda g: g.integers(0, 300, (2,), dtype=tern.uint8), r"\[integers\]"),
    (lambda g: g.bernoulli(1.5), r"\[bernoulli\] expected a probability in \[0, 1\], got 1.5"),
    (lambda g: g.choice(2, (3,), replace=False), r"\[choice\] expected at most 2"),
    (lambda g: g.permutation(-1), r"\[permutation\] expected a count of 0 or more, got -1"),
])
def test_errors(call, text):
    generator = Generator(1)
    with pytest.raises(tern.Error, match=text):
        call(generator)
    assert generator.counter == 0
