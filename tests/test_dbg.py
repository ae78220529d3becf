import pytest
GHL = """
    [connections]
    crm = { connector = "%s", token = "${TOKEN}" %s }
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""
@pytest.mark.parametrize("c,x",[("gohighlevel",', location_id = "ve9EPM428h8vShlRW1KT"'),("hubspot","")])
async def test_shared(make_stack, sandbox, c, x):
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    stack = await make_stack(GHL % (c, x))
    await stack.submit("website", email="sarah@example.com", phone="(312) 555-0147", name="Sarah Johnson")
    await stack.submit("website", email="bob@example.com", phone="(312) 555-0147", name="Bob Johnson")
    for k in sandbox.state(c)["contacts"]: print(k.get("properties", {q:k.get(q) for q in ("email","phone","firstName")}))
    async with stack.app.pool.acquire() as con:
        for r in await con.fetch("select workflow,state,error from runs"): print(tuple(r))
    assert 0
async def test_branches(make_stack, sandbox):
    stack = await make_stack(GHL % ("gohighlevel", ', location_id = "ve9EPM428h8vShlRW1KT"'), '''
    import asyncio
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        async def branch(name):
            await ctx.chat.post("#a", name + "1")
            await ctx.chat.post("#a", name + "2")
        await asyncio.gather(branch("a"), branch("b"))
        await ctx.sleep("1h")
        await asyncio.gather(branch("c"), branch("d"))
    ''')
    sandbox.set_fault("slack", "latency", latency_ms=400, count=1)
    sandbox.set_fault("slack", "status", status=503, skip=3, count=1)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("3h")
    print([m["text"] for m in sandbox.messages("slack")])
    async with stack.app.pool.acquire() as con:
        for r in await con.fetch("select workflow,state,error from runs"): print(tuple(r))
    assert 0
