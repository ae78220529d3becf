"""The table at the demo's end."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mainstay.cli.demo.verdict import Verdict


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print what became of the leads."""
    table = Table(box=SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    good, bad = "green", "bold red"
    for name, value, note, style in (
        ("accepted", verdict.accepted, f"of {verdict.sent} sent; {verdict.repeated} were re-sent by their vendor", ""),
        ("contacts", verdict.contacts, f"for {verdict.people} people; {verdict.contacts_in_crm} in the CRM", ""),
        ("duplicates", verdict.duplicates, "here or in the CRM", good if verdict.duplicates == 0 else bad),
        ("retried", verdict.retried, f"calls, through {verdict.outage_seconds:g} s of CRM outage", ""),
        (
            "lost",
            verdict.lost,
            f"{verdict.workers_killed} worker killed on the way",
            good if verdict.lost == 0 else bad,
        ),
        ("alerts", verdict.alerts, "what heals by itself wakes nobody", ""),
        ("leads/s", f"{verdict.leads_per_second:g}", f"end to end, {verdict.seconds:g} s in all, outage included", ""),
        ("acknowledged", f"{verdict.ack_p99_ms:g} ms", f"p99; p50 {verdict.ack_p50_ms:g} ms", ""),
    ):
        table.add_row(name, f"[{style}]{value}[/]" if style else str(value), note)
    console.print()
    console.print(table)
