"""A tick each second, and a fan-out of many."""

from mainstay import Contact, Context, Schedule, Tick, workflow


@workflow("second.v1", schedule=Schedule("* * * * * *", catch_up="all"), overlap="allow")
async def second(_ctx: Context, tick: Tick) -> str:
    return tick.at.isoformat()


@workflow("child.v1")
async def child(ctx: Context, number: int) -> int:
    async def twice() -> int:
        return number * 2

    return int(await ctx.step("twice", twice))


@workflow("parent.v1", on="contact.created")
async def parent(ctx: Context, _contact: Contact) -> int:
    return sum(await ctx.run_all(child, list(range(400)), at_most=20))
