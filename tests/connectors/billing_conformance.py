"""What every connector with the role ``billing`` or ``accounting`` keeps, whatever its vendor.

::

    class TestConformance(BillingConformance):  # or AccountingConformance, which has more
        @pytest.fixture
        def vendor(self) -> BillingVendor: ...

The vendor is the sandbox's, over real HTTP. Each request of each test is held against the vendor's contract. Each
attempt has an idempotency key of its own unless a test says otherwise, as two runs would have.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Protocol
from uuid import UUID

import aiohttp
import pytest

from mainstay.kit import (
    ConnectionSettings,
    Connector,
    Contact,
    Http,
    Invoice,
    InvoiceLine,
    InvoiceState,
    NeedsHumanError,
    Payment,
    PermanentError,
    TransientError,
)
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import validate_recorded

UNICODE = {"first_name": "Zoë 李", "last_name": "Ó'Briain-Łuczak", "company": ""}


@dataclass(frozen=True)
class Customer:
    """A customer as the vendor holds it, in our words; ``name`` is the full name."""

    id: str
    email: str = ""
    name: str = ""
    phone: str = ""


@dataclass(frozen=True)
class StoredInvoice:
    """An invoice as the vendor holds it, in the words of ``InvoiceState``."""

    id: str
    customer_id: str
    reference: str
    status: str
    total: str


@dataclass(frozen=True)
class StoredPayment:
    """A payment as the vendor holds it (accounting alone)."""

    id: str
    invoice_id: str
    reference: str
    amount: str


class BillingVendor(Protocol):
    """What the suite asks about one vendor.

    ``secret`` is a text that the settings carry and nothing may show. ``currency`` has two decimals, and the account
    takes it. The unknown ids have the vendor's form and name nothing.
    """

    name: str
    role: str
    connector: Connector
    secret: str
    currency: str
    unknown_customer: str
    unknown_invoice: str

    def settings(self, base_url: str) -> ConnectionSettings:
        """The connection's settings."""
        ...

    def authorise(self, http: Http) -> None:
        """Give the attempt its token where the connector declares OAuth; else do nothing."""
        ...

    def seed_customer(self, sandbox: Sandbox, customer: Customer) -> None:
        """Put a customer there that Mainstay did not write; its id is the vendor's to give."""
        ...

    def pay(self, sandbox: Sandbox, invoice_id: str) -> None:
        """Let the customer pay an invoice in full."""
        ...

    def customers(self, state: Mapping[str, Any]) -> list[Customer]:
        """Every live customer there, oldest first."""
        ...

    def invoices(self, state: Mapping[str, Any]) -> list[StoredInvoice]:
        """Every invoice there, oldest first."""
        ...

    def payments(self, state: Mapping[str, Any]) -> list[StoredPayment]:
        """Every payment there, oldest first; none where the vendor books none."""
        ...


def person(**values: Any) -> Contact:
    """A contact of ours."""
    given: dict[str, Any] = {
        "email": "sarah@example.com",
        "phone": "+13125550147",
        "first_name": "Sarah",
        "last_name": "Johnson",
    }
    return Contact(**({"id": UUID(int=1), "workspace_id": UUID(int=2)} | given | values))


@dataclass
class Bench:
    """One vendor, empty at the start, and attempts against it."""

    vendor: BillingVendor
    sandbox: Sandbox
    session: aiohttp.ClientSession
    timeout: float = 5.0
    attempts: list[Http] = field(default_factory=list)
    keys: Iterator[int] = field(default_factory=count)

    def role(self, key: str = "", **settings: Any) -> Any:
        """The role for one new attempt."""
        connector = self.vendor.connector
        connection = self.vendor.settings(self.sandbox.url(self.vendor.name)).model_copy(update=settings)
        assert connector.http is not None
        http = Http(
            self.session,
            replace(connector.http(connection), timeout=self.timeout),
            idempotency_key=key or f"0190a3c4-{next(self.keys)}-2",
        )
        self.vendor.authorise(http)
        self.attempts.append(http)
        return connector.roles[self.vendor.role](connection, http, None)

    def invoice(self, reference: str = "JOB-1", **values: Any) -> Invoice:
        """An invoice of ours: 361.49 in two lines."""
        given: dict[str, Any] = {
            "currency": self.vendor.currency,
            "lines": (
                InvoiceLine("Boiler service", Decimal("120.50"), Decimal(1)),
                InvoiceLine("Hour of work", Decimal("80.33"), Decimal(3)),
            ),
            "due": datetime.now(UTC).date() + timedelta(days=14),
            "memo": "Thank you",
        }
        return Invoice(reference, **(given | values))

    async def customer(self, **values: Any) -> str:
        """The id of a customer that was pushed."""
        pushed = await self.role().push_customer(person(**values), "")
        return str(pushed.external_id)

    async def seed(self, **values: Any) -> Customer:
        await asyncio.to_thread(self.vendor.seed_customer, self.sandbox, Customer("", **values))
        return (await self.customers())[-1]

    async def pay(self, invoice_id: str) -> None:
        await asyncio.to_thread(self.vendor.pay, self.sandbox, invoice_id)

    async def state(self) -> Mapping[str, Any]:
        return await asyncio.to_thread(self.sandbox.state, self.vendor.name)

    async def customers(self) -> list[Customer]:
        return self.vendor.customers(await self.state())

    async def invoices(self) -> list[StoredInvoice]:
        return self.vendor.invoices(await self.state())

    async def payments(self) -> list[StoredPayment]:
        return self.vendor.payments(await self.state())

    async def fetched(self, invoice_id: str) -> InvoiceState:
        state = await self.role().fetch_invoice(invoice_id)
        assert isinstance(state, InvoiceState)
        return state

    async def calls(self) -> int:
        return await asyncio.to_thread(self.sandbox.request_count, self.vendor.name)

    async def requests(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self.sandbox.requests, self.vendor.name)

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.set_fault(self.vendor.name, kind, **({"count": 1} | options)))

    async def clear(self) -> None:
        await asyncio.to_thread(self.sandbox.clear, self.vendor.name)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
async def bench(vendor: BillingVendor, sandbox: SandboxProcess) -> AsyncIterator[Bench]:
    await sandbox.aio.reset()
    async with aiohttp.ClientSession() as session:
        bench = Bench(vendor, sandbox.sandbox, session)
        yield bench
        with contextlib.suppress(pytest.skip.Exception):
            for record in await bench.requests():
                validate_recorded(record)


async def lose_each_answer(
    bench: Bench, kind: str, act: Callable[[int], Awaitable[Any]], check: Callable[[int], Awaitable[None]]
) -> None:
    """Let each call of an operation go wrong in turn, and do it again; ``check`` then sees what is there.

    ``act`` and ``check`` are told a number that stands for one thing to be made.
    """
    before = await bench.calls()
    await act(0)
    calls = await bench.calls() - before
    assert calls
    for number in range(1, calls + 1):
        bench.timeout = 0.5
        await bench.fault(kind, skip=number - 1)
        try:
            await act(number)
        except TransientError as error:
            is_unsure = error.unsure
        else:
            # Reading is repeated by the HTTP client itself where the connection broke.
            is_unsure = kind.startswith("drop")
        bench.timeout = 5
        await bench.clear()
        assert is_unsure
        await act(number)
        await check(number)


NO_IDS = ["../../secrets", "a/b", "a?b=c", ".", "", "x" * 1000, "é"]


class BillingConformance:
    """The tests. A subclass gives the fixture ``vendor``."""

    # ------------------------------------------------------------------------------------------------ customers

    async def test_a_new_customer(self, bench: Bench) -> None:
        pushed = await bench.role().push_customer(person(), "")

        assert pushed.created
        assert await bench.customers() == [
            Customer(pushed.external_id, "sarah@example.com", "Sarah Johnson", "+13125550147")
        ]

    async def test_the_same_push_again_makes_no_second(self, bench: Bench) -> None:
        first = await bench.role().push_customer(person(), "")
        before = await bench.customers()

        again = await bench.role().push_customer(person(), "")
        by_id = await bench.role().push_customer(person(), first.external_id)

        assert again.external_id == by_id.external_id == first.external_id
        assert not again.created
        assert not by_id.created
        assert await bench.customers() == before

    async def test_a_customer_who_is_there_is_found_by_email_and_brought_up_to_date(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com", name="S. Johnson")

        pushed = await bench.role().push_customer(person(), "")

        assert (pushed.external_id, pushed.created) == (there.id, False)
        assert await bench.customers() == [replace(there, name="Sarah Johnson", phone="+13125550147")]

    async def test_is_found_however_the_email_is_written_there(self, bench: Bench) -> None:
        there = await bench.seed(email="Sarah@Example.com", name="Sarah Johnson")

        assert await bench.customer() == there.id
        assert len(await bench.customers()) == 1

    async def test_two_people_of_one_name_are_two_customers(self, bench: Bench) -> None:
        sarah = await bench.customer()
        other = await bench.customer(id=UUID(int=5), email="sarah.j@example.net", phone="+13125550188")
        again = await bench.customer(id=UUID(int=5), email="sarah.j@example.net", phone="+13125550188")

        assert sarah != other == again
        assert [each.email for each in await bench.customers()] == ["sarah@example.com", "sarah.j@example.net"]

    async def test_an_email_that_changed_changes_the_customer(self, bench: Bench) -> None:
        there = await bench.customer()

        await bench.role().push_customer(person(email="sarah.new@example.com"), there)

        (customer,) = await bench.customers()
        assert (customer.id, customer.email) == (there, "sarah.new@example.com")

    async def test_what_is_empty_here_is_left_alone_there(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com", name="Sarah Johnson", phone="+13125550147")

        await bench.role().push_customer(person(phone="", first_name="", last_name=""), there.id)

        assert await bench.customers() == [there]

    async def test_a_customer_that_is_gone_is_found_by_email_or_made_again(self, bench: Bench) -> None:
        made = await bench.role().push_customer(person(), bench.vendor.unknown_customer)
        found = await bench.role().push_customer(person(), bench.vendor.unknown_customer)

        assert made.created
        assert (found.external_id, found.created) == (made.external_id, False)
        assert len(await bench.customers()) == 1

    async def test_parallel_pushes_of_one_person_make_one_customer(self, bench: Bench) -> None:
        pushes = [bench.role().push_customer(person(), "") for _ in range(6)]
        pushed = await asyncio.gather(*pushes, return_exceptions=True)
        assert all(not isinstance(each, BaseException) or isinstance(each, TransientError) for each in pushed)

        last = await bench.customer()

        assert [each.id for each in await bench.customers()] == [last]

    async def test_names_of_any_script(self, bench: Bench) -> None:
        await bench.customer(**UNICODE)

        assert [each.name for each in await bench.customers()] == ["Zoë 李 Ó'Briain-Łuczak"]

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "drop_before", "truncated"])
    async def test_a_lost_answer_at_any_call_leaves_one_customer(self, bench: Bench, kind: str) -> None:
        async def push(number: int) -> None:
            who = person(id=UUID(int=number + 10), email=f"sarah{number}@example.com", last_name=f"Johnson {number}")
            await bench.role(f"lost-{number}").push_customer(who, "")

        async def is_one(number: int) -> None:
            assert [each.email for each in await bench.customers()].count(f"sarah{number}@example.com") == 1

        await lose_each_answer(bench, kind, push, is_one)

    # ------------------------------------------------------------------------------------------------- invoices

    async def test_an_invoice_can_be_paid_and_read(self, bench: Bench) -> None:
        customer = await bench.customer()

        made = await bench.role().create_invoice(customer, bench.invoice())

        (stored,) = await bench.invoices()
        assert stored == StoredInvoice(made.id, customer, "JOB-1", "open", "361.49")
        state = await bench.fetched(made.id)
        assert state == InvoiceState(made.id, state.number, "open", bench.vendor.currency, "361.49", "0.00", state.url)
        assert state.number

    async def test_a_paid_invoice_says_so(self, bench: Bench) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())

        await bench.pay(made.id)

        state = await bench.fetched(made.id)
        assert (state.status, state.total, state.paid) == ("paid", "361.49", "361.49")

    @pytest.mark.parametrize(
        ("lines", "total"),
        [
            ([("0.10", "3")], "0.30"),
            ([("1.10", "1"), ("2.20", "1"), ("3.30", "1")], "6.60"),
            ([("80.00", "2.5")], "200.00"),
            ([("19.99", "100")], "1999.00"),
            ([("100000.01", "1")], "100000.01"),
            ([("120", "1"), ("-20", "1")], "100.00"),
            ([("1E+2", "1")], "100.00"),
            ([("10.500", "1")], "10.50"),
        ],
    )
    async def test_amounts_are_exact(self, bench: Bench, lines: list[tuple[str, str]], total: str) -> None:
        ordered = tuple(InvoiceLine(f"Line {price}", Decimal(price), Decimal(quantity)) for price, quantity in lines)

        made = await bench.role().create_invoice(await bench.customer(), bench.invoice(lines=ordered))

        assert [each.total for each in await bench.invoices()] == [total]
        assert (await bench.fetched(made.id)).total == total

    @pytest.mark.parametrize(
        "wrong",
        [
            {"lines": ()},
            {"reference": " "},
            {"currency": "dollars"},
            {"currency": ""},
            {"lines": (InvoiceLine("x", Decimal("0.001")),)},
            {"lines": (InvoiceLine("x", Decimal("0.33"), Decimal("0.5")),)},
            {"lines": (InvoiceLine("x", Decimal("NaN")),)},
            {"lines": (InvoiceLine("x", Decimal("Infinity")),)},
            {"lines": (InvoiceLine("x", Decimal(1), Decimal("-Infinity")),)},
            {"lines": (InvoiceLine("x", Decimal(1)), InvoiceLine("y", Decimal(-2)))},
        ],
    )
    async def test_what_cannot_be_expressed_is_refused_and_nothing_made(
        self, bench: Bench, wrong: dict[str, Any]
    ) -> None:
        customer = await bench.customer()
        before = await bench.calls()

        with pytest.raises(PermanentError):
            await bench.role().create_invoice(customer, replace(bench.invoice(), **wrong))

        assert await bench.calls() == before
        assert await bench.invoices() == []

    async def test_texts_of_any_script(self, bench: Bench) -> None:
        customer = await bench.customer()
        lines = (InvoiceLine("Rohre & Söhne „Blitz“ 李 🛠", Decimal(10)),)

        made = await bench.role().create_invoice(customer, bench.invoice("Ü-1 & 2", lines=lines, memo="Größe ✓"))

        assert [(each.id, each.reference) for each in await bench.invoices()] == [(made.id, "Ü-1 & 2")]

    async def test_a_reference_is_invoiced_once(self, bench: Bench) -> None:
        customer = await bench.customer()
        first = await bench.role().create_invoice(customer, bench.invoice())
        second = await bench.role().create_invoice(customer, bench.invoice("JOB-2"))

        again = await bench.role().create_invoice(customer, bench.invoice())
        await bench.pay(first.id)
        once_more = await bench.role().create_invoice(customer, bench.invoice())

        assert first.id == again.id == once_more.id != second.id
        assert [each.id for each in await bench.invoices()] == [first.id, second.id]

    async def test_parallel_orders_of_one_reference_make_one_invoice(self, bench: Bench) -> None:
        customer = await bench.customer()
        orders = [bench.role().create_invoice(customer, bench.invoice()) for _ in range(4)]
        outcomes = await asyncio.gather(*orders, return_exceptions=True)
        assert all(not isinstance(each, BaseException) or isinstance(each, TransientError) for each in outcomes)

        made = await bench.role().create_invoice(customer, bench.invoice())

        assert await bench.invoices() == [StoredInvoice(made.id, customer, "JOB-1", "open", "361.49")]

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "drop_before", "truncated"])
    @pytest.mark.parametrize("key", ["the same", ""])
    async def test_a_lost_answer_at_any_call_leaves_one_whole_invoice(self, bench: Bench, kind: str, key: str) -> None:
        customer = await bench.customer()

        async def order(number: int) -> str:
            role = bench.role(key and f"{key} {number}")
            return str((await role.create_invoice(customer, bench.invoice(f"JOB-{number}"))).id)

        async def is_one(number: int) -> None:
            (found,) = [each for each in await bench.invoices() if each.reference == f"JOB-{number}"]
            assert found == StoredInvoice(found.id, customer, f"JOB-{number}", "open", "361.49")
            assert await order(number) == found.id

        await lose_each_answer(bench, kind, order, is_one)

    async def test_an_invoice_to_nobody_is_refused(self, bench: Bench) -> None:
        with pytest.raises(PermanentError):
            await bench.role().create_invoice(bench.vendor.unknown_customer, bench.invoice())
        assert await bench.invoices() == []

    # ------------------------------------------------------------------------------------------ void and fetch

    async def test_an_unpaid_invoice_is_taken_back_and_stays_so(self, bench: Bench) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())

        await bench.role().void_invoice(made.id)
        await bench.role().void_invoice(made.id)

        assert [each.status for each in await bench.invoices()] == ["void"]
        assert (await bench.fetched(made.id)).status == "void"

    async def test_a_paid_invoice_is_not_taken_back(self, bench: Bench) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())
        await bench.pay(made.id)

        with pytest.raises(PermanentError, match="paid"):
            await bench.role().void_invoice(made.id)

        assert (await bench.fetched(made.id)).status == "paid"

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "truncated"])
    async def test_a_lost_answer_to_a_void_is_repeated_harmlessly(self, bench: Bench, kind: str) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())
        bench.timeout = 0.5
        await bench.fault(kind, method="POST")
        with pytest.raises(TransientError) as caught:
            await bench.role("void").void_invoice(made.id)
        assert caught.value.unsure

        bench.timeout = 5
        await bench.role("void").void_invoice(made.id)

        assert [each.status for each in await bench.invoices()] == ["void"]

    async def test_an_invoice_that_is_not_there(self, bench: Bench) -> None:
        assert await bench.role().fetch_invoice(bench.vendor.unknown_invoice) is None
        with pytest.raises(PermanentError):
            await bench.role().void_invoice(bench.vendor.unknown_invoice)

    @pytest.mark.parametrize("wrong", NO_IDS)
    async def test_what_is_no_id_is_never_sent(self, bench: Bench, wrong: str) -> None:
        with pytest.raises(PermanentError, match="is not the id of"):
            await bench.role().fetch_invoice(wrong)
        with pytest.raises(PermanentError, match="is not the id of"):
            await bench.role().void_invoice(wrong)
        with pytest.raises(PermanentError, match="is not the id of"):
            await bench.role().create_invoice(wrong, bench.invoice())
        assert await bench.calls() == 0

    # ------------------------------------------------------------------------------------------------ failures

    async def test_a_rate_limit_says_when_to_come_back(self, bench: Bench) -> None:
        await bench.fault("status", status=429, retry_after=7)

        with pytest.raises(TransientError) as caught:
            await bench.role().push_customer(person(), "")

        assert (caught.value.retry_after, caught.value.status, caught.value.unsure) == (7, 429, False)
        assert await bench.customers() == []

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_a_vendor_in_trouble_is_tried_again(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status)

        with pytest.raises(TransientError):
            await bench.role().push_customer(person(), "")

    @pytest.mark.parametrize("status", [401, 403])
    async def test_refused_access_needs_a_person(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status, count=2)

        with pytest.raises(NeedsHumanError) as caught:
            await bench.role().push_customer(person(), "")

        assert caught.value.status == status
        settings = bench.vendor.settings("")
        assert bench.vendor.secret not in f"{caught.value!r} {bench.attempts[-1].exchanges} {settings!r}"

    async def test_a_vendor_that_is_not_there_is_tried_again(self, bench: Bench) -> None:
        with pytest.raises(TransientError) as caught:
            await bench.role(base_url="http://127.0.0.1:1").push_customer(person(), "")
        assert not caught.value.unsure

    @pytest.mark.parametrize("kind", ["empty", "reshaped", "html"])
    @pytest.mark.parametrize("operation", ["push_customer", "create_invoice", "fetch_invoice", "void_invoice"])
    async def test_an_answer_of_another_form_is_a_clear_error(self, bench: Bench, kind: str, operation: str) -> None:
        customer = await bench.customer()
        made = await bench.role().create_invoice(customer, bench.invoice())
        arguments: dict[str, tuple[Any, ...]] = {
            "push_customer": (person(), customer),
            "create_invoice": (customer, bench.invoice("JOB-2")),
            "fetch_invoice": (made.id,),
            "void_invoice": (made.id,),
        }
        await bench.fault(kind)

        with pytest.raises((TransientError, PermanentError)):
            await getattr(bench.role(), operation)(*arguments[operation])

    async def test_the_connector_says_what_a_repeat_does(self, vendor: BillingVendor) -> None:
        operations = ["push_customer", "create_invoice", "void_invoice", "fetch_invoice"]
        operations += ["add_payment"] if vendor.role == "accounting" else []
        told = {each: vendor.connector.idempotency.get(f"{vendor.role}.{each}") for each in operations}
        assert set(told.values()) <= {"key", "state"}, told

    async def test_the_check_says_whose_account_it_is(self, bench: Bench) -> None:
        check = bench.vendor.connector.check
        assert check is not None
        bench.role()
        before = await bench.state()

        assert await check(bench.vendor.settings(bench.sandbox.url(bench.vendor.name)), bench.attempts[-1])

        assert await bench.state() == before


class AccountingConformance(BillingConformance):
    """What those who keep the books keep beyond it."""

    @staticmethod
    def _payment(bench: Bench, reference: str = "pi_1", amount: str = "361.49") -> Payment:
        return Payment(reference, Decimal(amount), bench.vendor.currency, date(2026, 3, 2), "card")

    async def test_a_payment_in_full_pays_the_invoice(self, bench: Bench) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())

        payment = await bench.role().add_payment(made.id, self._payment(bench))

        assert await bench.payments() == [StoredPayment(payment.id, made.id, "pi_1", "361.49")]
        state = await bench.fetched(made.id)
        assert (state.status, state.paid) == ("paid", "361.49")

    async def test_payments_in_part_add_up(self, bench: Bench) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())

        await bench.role().add_payment(made.id, self._payment(bench, "pi_1", "100.10"))
        state = await bench.fetched(made.id)
        await bench.role().add_payment(made.id, self._payment(bench, "pi_2", "261.39"))

        assert (state.status, state.paid) == ("open", "100.10")
        assert (await bench.fetched(made.id)).status == "paid"

    async def test_a_payment_is_booked_once_for_its_reference(self, bench: Bench) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())

        first = await bench.role().add_payment(made.id, self._payment(bench, amount="100.00"))
        again = await bench.role().add_payment(made.id, self._payment(bench, amount="100.00"))

        assert first == again
        assert len(await bench.payments()) == 1

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "drop_before", "truncated"])
    async def test_a_lost_answer_at_any_call_books_one_payment(self, bench: Bench, kind: str) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())

        async def book(number: int) -> None:
            await bench.role().add_payment(made.id, self._payment(bench, f"pi_{number}", "1.00"))

        async def is_one(number: int) -> None:
            assert [each.reference for each in await bench.payments()].count(f"pi_{number}") == 1

        await lose_each_answer(bench, kind, book, is_one)

    @pytest.mark.parametrize("amount", ["0", "-1.00", "0.001", "NaN", "Infinity"])
    async def test_what_is_no_amount_is_refused(self, bench: Bench, amount: str) -> None:
        made = await bench.role().create_invoice(await bench.customer(), bench.invoice())
        before = await bench.calls()

        with pytest.raises(PermanentError):
            await bench.role().add_payment(made.id, self._payment(bench, amount=amount))

        assert await bench.calls() == before

    async def test_a_payment_of_no_invoice_is_refused(self, bench: Bench) -> None:
        with pytest.raises(PermanentError):
            await bench.role().add_payment(bench.vendor.unknown_invoice, self._payment(bench))
        assert await bench.payments() == []
