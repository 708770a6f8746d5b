# SPDX-License-Identifier: MIT
"""A run in a notebook's kernel can be interrupted, and the kernel goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

manager = pytest.importorskip(
    "jupyter_client.manager",
    reason="needs ipykernel: pip install 'heam-sim[docs]'; the section `docs` of .ci/run has it",
)
pytest.importorskip("ipykernel", reason="needs ipykernel: pip install 'heam-sim[docs]'")

PATIENCE = 120  # seconds; only a hanging kernel takes them


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[Any, Any]]:
    found = manager.start_new_kernel(kernel_name="python3")
    yield found
    found[1].stop_channels()
    found[0].shutdown_kernel(now=True)


def messages(client: Any, request: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the kernel says about a request, until it is idle."""
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") == request:
            if message["content"].get("execution_state") == "idle":
                return
            yield message["msg_type"], message["content"]


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "threads=2", "check=True"])
def test_interrupt(kernel: tuple[Any, Any], options: str) -> None:
    owner, client = kernel
    samples = 400_000
    code = f"""
import heam_sim
trace = heam_sim.generate("criteo-kaggle", samples={samples}, seed=1)
say = lambda done: print("done", done, flush=True)
heam_sim.simulate(trace, system="heam", vector_bytes=512, progress=say, {options})
"""
    done, error = 0, ""
    for kind, content in messages(client, client.execute(code)):
        if kind == "stream":
            if not done:  # in mid-run: the engine has had its first piece
                owner.interrupt_kernel()
            done = int(content["text"].split()[-1])
        elif kind == "error":
            error = content["ename"]
    assert error == "KeyboardInterrupt"
    assert 0 < done < samples // 2, "the run went on after the interrupt"
    small = "heam_sim.simulate(trace.samples_slice(0, 50), system='heam', check=True).gnrs"
    (value,) = [
        content["data"]["text/plain"]
        for kind, content in messages(client, client.execute(small))
        if kind == "execute_result"
    ]
    assert value == str(40 * 26)


@pytest.mark.slow
def test_things_show_themselves(kernel: tuple[Any, Any]) -> None:
    _, client = kernel
    setup = """
import heam_sim
trace = heam_sim.generate("criteo-kaggle", samples=50, seed=1)
result = heam_sim.simulate(trace, system="heam")
"""
    assert not [content for kind, content in messages(client, client.execute(setup)) if kind == "error"]
    for expression, form in (
        ("trace", "text/html"),
        ("heam_sim.load_system('heam')", "text/html"),
        ("result", "text/html"),
        ("result.plot()", "image/png"),
    ):
        (data,) = [
            content["data"]
            for kind, content in messages(client, client.execute(expression))
            if kind == "execute_result"
        ]
        assert form in data
