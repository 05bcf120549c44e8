"""A sequence as a test file: what is tried in a storm is this very text, so that what failed is what is left behind."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from hil.storm.operations import BY_NAME, State, Step, after

_WORKS = '''
@pytest.fixture
def works(adapter, traffic):
    """``works(settings)``: the adapter is up with these settings, data moves both ways, and the counters with it."""

    def check(settings):
        adapter.wait_up()
        assert adapter.settings() == settings
        before, rates = adapter.statistics(), [0.0]
        # 1448 of 1538 bytes on the wire are payload at MTU 1500 with TCP timestamps
        limit_mbps = RATE_SHARE * adapter.link_mbps * 1448 / 1538
        # a busy moment of the bench passes, what the adapter lost does not come back
        while rates[-1] < limit_mbps and len(rates) < 4:
            rates.append(traffic.tcp(streams=4, seconds=1, direction="both").mbps)
        assert max(rates) >= limit_mbps
        seen = adapter.wait_statistics(lambda now: now.sent_bytes > before.sent_bytes)
        assert seen.received_bytes > before.received_bytes
        assert seen.sent_bytes > before.sent_bytes

    return check
'''
_WORKS_ALONE = '''
@pytest.fixture
def works(adapter):
    """``works(settings)``: the adapter is up with these settings."""

    def check(settings):
        adapter.wait_up()
        assert adapter.settings() == settings

    return check
'''
_SETTINGS = '''
@pytest.fixture
def settings(driver, adapter, undo):
    """The adapter's settings, with its driver started anew; all are given back after the test."""
    undo(adapter.features.restore, adapter.features.snapshot())
    undo(adapter.wait_up)
    adapter.disable()
    adapter.enable()
    adapter.wait_up()
    return adapter.settings()
'''
_RUNS = '''
@pytest.fixture
def runs(adapter):
    """``runs(settings)``: without a link, the device works and has these settings."""

    def check(settings):
        wait_until(
            lambda: adapter.problem() == 0, what="the device to work", timeout_s=adapter.wanted.back_timeout_s,
            where=adapter.instance_id, error=DutError,
        )
        assert adapter.settings() == settings

    return check
'''
_SLEEP = '''
@pytest.fixture
def sleep(machine, meter, button, undo, limits):
    """``sleep()``: the machine sleeps, which the meter confirms, until its button wakes it."""

    def through():
        meter.confirm_above(machine.asleep_below_w)
        suspension = machine.suspend("{state}", wake_after_s=limits.wake_guard_s)
        undo(machine.ensure_awake)
        machine.wait_asleep(witness=lambda: meter.read_w() < machine.asleep_below_w)
        button.press()
        machine.wait_awake(suspension)

    return through
'''
_RATE_SHARE = '''
RATE_SHARE = 0.6
"""Of what the link carries: enough to see that half of it is gone, little enough for a busy bench."""
'''
_ENDS = {
    (True, True): "the adapter works as before", (True, False): "the driver runs as before",
    (False, True): "the adapter stays disabled", (False, False): "the adapter is gone",
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """``step_of`` says for each line of ``text``, from 1 on, which step it is of; -1 for what stands before them."""

    text: str
    step_of: dict[int, int]


def write_test(
    steps: tuple[Step, ...], name: str, story: str, capabilities: Collection[str], *, check_each: bool = True
) -> Written:
    """The file with one test ``name``. ``story`` says where it comes from.

    With ``check_each`` rate, settings and counters are looked at after each step, else after the last one alone; that
    the adapter comes up again, after each.
    """
    body = list(_body(steps, check_each))
    asked = {name for step in steps for name in BY_NAME[step.operation].fixtures}
    asked |= {"traffic"} if any(step.under_load for step in steps) else set()
    asked |= {"runs"} if any("runs(" in line for line, _ in body) else set()
    fixtures = ["settings", "adapter", "works", *sorted(asked)]
    needs = {need for step in steps for need in BY_NAME[step.operation].needs}
    needs |= {"partner"} if "partner" in capabilities else set()
    state = "S3" if "S3" in capabilities else "S0ix"
    needs = (needs - {"sleep"}) | ({state} if "sleep" in needs else set())
    head = [
        f'"""{_title(steps)}: an order of operations that hil storm found."""', "",
        "from __future__ import annotations", "", "import pytest",
        *(("", "from hil.errors import DutError", "from hil.wait import wait_until") if "runs" in asked else ()),
        *(_RATE_SHARE if "partner" in capabilities else "").splitlines(), "",
        *_SETTINGS.splitlines(), "", *(_WORKS if "partner" in capabilities else _WORKS_ALONE).splitlines(), "",
        *((*_RUNS.splitlines(), "") if "runs" in asked else ()),
        *((*_SLEEP.format(state=state).splitlines(), "") if "sleep" in asked else ()),
        *(("", f"@pytest.mark.requires({', '.join(map(_quoted, sorted(needs)))})") if needs else ("",)),
        f"def {name}({', '.join(fixtures)}):",
        f'    """{_title(steps)}: {_end(steps)}.', "", *_paragraph(story), '    """',
    ]  # fmt: skip
    step_of = {len(head) + number: step for number, (_, step) in enumerate(body, 1)}
    return Written("\n".join([*head, *(f"    {line}" for line, _ in body)]) + "\n", step_of)


def _paragraph(story: str) -> list[str]:
    """For a docstring: paths of Windows are full of backslashes."""
    text = story.replace("\\", "\\\\").replace('"', "'")
    return textwrap.wrap(text, 115, initial_indent="    ", subsequent_indent="    ")


def _body(steps: tuple[Step, ...], check_each: bool) -> Iterator[tuple[str, int]]:
    """Each line with the step that it is of."""
    yield "works(settings)", -1
    state = State()
    for number, step in enumerate(steps):
        state = after(step, state)
        check = "works(settings)" if check_each or number == len(steps) - 1 else "adapter.wait_up()"
        yield from ((line, number) for line in _of_step(step, state, check))


def _of_step(step: Step, state: State, check: str) -> Iterator[str]:
    """The operation, and what must hold in the ``state`` after it."""
    acts = list(BY_NAME[step.operation].lines)
    if step.keyword:
        acts = [f'adapter.set("{step.keyword}", "{step.value}")']
    if step.under_load:
        acts = ["with traffic.tcp(streams=4):", *(f"    {line}" for line in acts)]
    yield from acts
    if step.keyword:
        yield f'settings["{step.keyword}"] = "{step.value}"'
    if state.up:
        yield check
    elif state.working:
        yield "runs(settings)"
    elif state.plugged:
        yield "adapter.wait_present()"
        yield "assert adapter.problem() == 22  # CM_PROB_DISABLED"
    else:
        yield "adapter.wait_absent()"


def _title(steps: tuple[Step, ...]) -> str:
    text = ", ".join(map(str, steps)) or "Nothing"
    text = text[:1].upper() + text[1:]
    return text if len(text) < 60 else f"{text[:57].rpartition(',')[0]} ..."


def _end(steps: tuple[Step, ...]) -> str:
    state = State()
    for step in steps:
        state = after(step, state)
    return _ENDS[state.working, state.connected if state.working else state.plugged]


def _quoted(name: str) -> str:
    return f'"{name}"'
