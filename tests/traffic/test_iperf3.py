"""Reading iperf3: what it says when all is well, when it is cut short, and when it is nonsense."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BenchError
from hil.traffic import iperf3

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
)


def test_directions_are_the_machines() -> None:
    """``send`` is from the machine: the client on the partner must receive (-R); congestion control is by name."""
    argv = iperf3.tcp_client("198.18.0.1", 5201, streams=4, seconds=3, direction="send")
    assert "-R" in argv and "--bidir" not in argv
    assert argv[argv.index("-C") + 1] == "cubic"
    assert "-R" not in iperf3.tcp_client("198.18.0.1", 5201, streams=4, seconds=3, direction="receive")
    assert "--bidir" in iperf3.tcp_client("198.18.0.1", 5201, streams=4, seconds=3, direction="both")


def test_both_ways_takes_the_receivers_count_of_each() -> None:
    """Of both directions each is what its receiver counted, and the result is judged by the worse."""
    report = {
        "end": {
            "sum_sent": {"bytes": 9, "bits_per_second": 990e6, "retransmits": 3},
            "sum_received": {"bytes": 8, "bits_per_second": 930e6, "seconds": 3.0},
            "sum_sent_bidir_reverse": {"bytes": 9, "bits_per_second": 980e6, "retransmits": 2},
            "sum_received_bidir_reverse": {"bytes": 8, "bits_per_second": 900e6},
            "cpu_utilization_percent": {"host_total": 12.5, "remote_total": 25.0},
        }
    }
    result = iperf3.tcp_result(report, direction="both", streams=1)
    assert (result.received_mbps, result.sent_mbps, result.mbps) == (930.0, 900.0, 900.0)
    assert result.retransmits == 5
    assert (result.cpu_machine_percent, result.cpu_partner_percent) == (25.0, 12.5)


def test_a_report_cut_short_keeps_what_the_partner_knows() -> None:
    """Ended before its time, the receiver never told: the sender's count stands, and the break is on record."""
    report = {
        "end": {"sum_sent": {"bytes": 9, "bits_per_second": 500e6}, "sum_received": {"bytes": 0, "bits_per_second": 0}},
        "error": "control socket has closed unexpectedly",
    }
    result = iperf3.tcp_result(report, direction="receive", streams=4)
    assert result.received_mbps == 500.0
    assert result.sent_mbps is None
    assert result.broken == "control socket has closed unexpectedly"


@given(st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode())))
def test_nonsense_is_a_bench_error(output: bytes) -> None:
    """Whatever stands in for a report, the answer is a report or a BenchError, never a traceback."""
    try:
        assert isinstance(iperf3.report(output, where="here"), dict)
    except BenchError as error:
        assert "iperf3" in str(error)


@given(st.dictionaries(st.sampled_from(["sum_sent", "sum_received"]), st.dictionaries(
    st.sampled_from(["bytes", "bits_per_second", "seconds", "retransmits"]), st.integers(0, 10**12)), max_size=2),
    st.sampled_from(["send", "receive", "both"]))  # fmt: skip
def test_missing_sums_are_no_crash(end: dict[str, dict[str, int]], direction: iperf3.Direction) -> None:
    """Whichever sums a version or an abort leaves out, a result comes back, and no rate is invented."""
    result = iperf3.tcp_result({"end": end}, direction=direction, streams=1)
    assert result.mbps >= 0
    if not end:
        assert result.mbps == 0


def test_all_lost_is_all_lost() -> None:
    """Nothing sent at all counts as full loss: an empty test must not pass."""
    nothing = {"packets": 0, "lost_packets": 0, "seconds": 1}
    report = {"start": {"test_start": {"blksize": 1448}}, "end": {"sum": nothing}}
    assert iperf3.udp_result(report, direction="send", offered_mbps=10).loss_ratio == 1.0


def test_refusal_is_told_from_failure() -> None:
    """Only a server that is not there yet is worth another try."""
    assert iperf3.refused({"error": "unable to connect to server: Connection refused"})
    assert not iperf3.refused({"error": "unable to receive control message"})
    assert not iperf3.refused({})


def test_plain_text_is_refused() -> None:
    """A usage message in place of JSON is shown in the error."""
    with pytest.raises(BenchError, match="parameter error"):
        iperf3.report(b"iperf3: parameter error - some option", where="partner")
