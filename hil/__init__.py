"""Hardware-in-the-loop test harness for Windows NIC drivers."""
