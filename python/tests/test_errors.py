# SPDX-License-Identifier: Apache-2.0
"""Errors arrive as the exceptions that Python's users expect, and name what was expected."""
import numpy as np
import pytest
import tern


@pytest.mark.parametrize(
    "call, kind",
    [
        (lambda: tern.load("/there/is/no/such/model"), FileNotFoundError),
        (lambda: tern.Tokenizer.load("/there/is/no/tokenizer.json"), FileNotFoundError),
        (lambda: tern.load_npy("/there/is/no.npy"), FileNotFoundError),
        (lambda: tern.load_safetensors("/there/is/no.safetensors"), FileNotFoundError),
        (lambda: tern.zeros((2,))[5], IndexError),
        (lambda: tern.sum(tern.zeros((2,)), axis=3), IndexError),
        (lambda: tern.nn.embedding(tern.zeros((2, 2)), tern.asarray([5])), IndexError),
        (lambda: tern.nn.softmax(tern.asarray([1])), TypeError),
        (lambda: tern.nn.linear(tern.zeros((2, 2), dtype="int32"), tern.zeros((2, 2))), TypeError),
        (lambda: tern.reshape(tern.zeros((2, 3)), (4,)), ValueError),
        (lambda: tern.zeros((2,)) + tern.zeros((3,)), ValueError),
        (lambda: tern.Device("abacus"), ValueError),
        (lambda: tern.empty((1 << 40,), device=tern.Device("cpu", memory_limit=1 << 20)), MemoryError),
    ],
)
def test_kinds(call, kind):
    with pytest.raises(kind) as raised:
        call()
    assert isinstance(raised.value, tern.Error)
    assert str(raised.value).startswith("[")


def test_arguments_of_the_wrong_type():
    with pytest.raises(TypeError):
        tern.sum("text")
    with pytest.raises(TypeError):
        tern.zeros((2,), dtype="float99")
    x = tern.zeros((4,))
    for call in (lambda: tern.broadcast_arrays(x, "text"), lambda: tern.meshgrid(x, None), lambda: tern.broadcast_shapes((2,), "text"),
                 lambda: tern.save_safetensors("unwritten", {"x": 3}), lambda: tern.save_safetensors("unwritten", {3: x}),
                 lambda: tern.split(x, "text"), lambda: tern.repeat(x, None), lambda: tern.tensordot(x, x, axes="text")):
        with pytest.raises(TypeError, match="expected|incompatible"):
            call()


def test_nothing_changes_when_an_operation_fails():
    x = tern.zeros((3,))
    with pytest.raises(tern.Error):
        x += tern.ones((4,))
    with pytest.raises(tern.Error):
        x[:2] = tern.ones((3,))
    assert np.asarray(x).tolist() == [0, 0, 0]
