// Processes that send to each other, spawn, receive and are assigned to.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { at, network, skip } from './network.mjs'
import { valueOf } from './people.mjs'
import { graphql, session, slots, until } from './session.mjs'
import { sameAsLoader } from './replay.mjs'

let net, me
before(async () => {
  if (skip) return
  net = await network()
  me = await session(net)
})
after(() => net?.close())

const inboxOf = (p, field = 'Data') => me.value(p, `local r = {} for i, m in ipairs(Inbox) do r[#r+1] = tostring(m.${field}) end return table.concat(r, "|")`)

test('ping and pong between two processes', { skip }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  await me.evalLua(b, 'Handlers.add("ping", "Ping", function(m) Pinged = m.From .. " " .. m.Owner m.reply({Action = "Pong", Data = "pong of " .. m.Data}) end)')
  await me.evalLua(a, 'Handlers.add("pong", "Pong", function(m) Ponged = m.From .. " " .. m.Data end)')
  const r = await me.evalLua(a, `ao.send({Target = "${b}", Action = "Ping", Data = "hello"}) return "sent"`)
  assert.equal(r.Messages.length, 1)
  await until('the pong', async () => (await me.value(a, 'return tostring(Ponged)')) === `${b} pong of hello`)
  assert.equal(await me.value(b, 'return Pinged'), `${a} ${net.authority}`)
  const pushed = (await slots(net, b)).map((e) => e.node.message).find((m) => valueOf(m.tags, 'Action') === 'Ping')
  assert.equal(valueOf(pushed.tags, 'From-Process'), a)
  assert.equal(valueOf(pushed.tags, 'From-Module'), await me.moduleId())
  assert.equal(valueOf(pushed.tags, 'Data-Protocol'), 'ao')
  assert.equal(valueOf(pushed.tags, 'Type'), 'Message')
  assert.equal(valueOf(pushed.tags, 'Variant'), 'ao.TN.1')
  assert.ok(valueOf(pushed.tags, 'Pushed-For'), 'the chain starts at the user\'s message')
  await sameAsLoader(net, a)
  await sameAsLoader(net, b)
})

test('a rally of two processes, and the messages of one result in order', { skip }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  const code = (other) => `Balls = 0 Handlers.add("ball", "Ball", function(m) Balls = Balls + 1 local n = tonumber(m.N) if n > 0 then ao.send({Target = "${other}", Action = "Ball", N = tostring(n - 1)}) end end)`
  await me.evalLua(a, code(b))
  await me.evalLua(b, code(a))
  await me.call(a, { tags: { Action: 'Ball', N: '12' } })
  await until('the rally', async () => Number(await me.value(a, 'return Balls')) === 7 && Number(await me.value(b, 'return Balls')) === 6)
  await me.evalLua(a, `for i = 1, 20 do ao.send({Target = "${b}", Action = "Note", Data = "n" .. i}) end`)
  const want = Array.from({ length: 20 }, (_, i) => 'n' + (i + 1)).join('|')
  await until('twenty notes in order', async () => (await inboxOf(b)).endsWith(want))
  await sameAsLoader(net, a)
  await sameAsLoader(net, b)
})

test('without the messenger as an authority, messages of processes are not trusted', { skip }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b', trust: false })]
  await me.evalLua(a, `ao.send({Target = "${b}", Action = "Note", Data = "let me in"}) return 1`)
  const pushed = await until('the message', async () => (await slots(net, b)).map((e) => e.node.message).find((m) => valueOf(m.tags, 'Action') === 'Note'))
  const r = await me.result(b, pushed.id)
  assert.match(r.Output.data, /not trusted/)
  await sameAsLoader(net, b)
})

test('receive: a handler waits for an answer', { skip }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  await me.evalLua(b, 'Handlers.add("ask", "Ask", function(m) m.reply({Data = "answer to " .. m.Data}) end)')
  await me.evalLua(a, `Handlers.add("start", "Start", function(m) local r = ao.send({Target = "${b}", Action = "Ask", Data = m.Data}).receive() Answer = r.Data ao.send({Target = m.From, Data = Answer}) end)`)
  await me.call(a, { tags: { Action: 'Start' }, data: 'question' })
  await until('the answer', async () => (await me.value(a, 'return tostring(Answer)')) === 'answer to question')
  await me.evalLua(a, `Got = ao.send({Target = "${b}", Action = "Ask", Data = "from an eval"}).receive().Data`)
  await until('the second answer', async () => (await me.value(a, 'return tostring(Got)')) === 'answer to from an eval')
  await me.evalLua(a, 'Waited = Receive({Action = "Wake"}).Data')
  await me.call(a, { tags: { Action: 'Wake' }, data: 'morning' })
  await until('waking', async () => (await me.value(a, 'return tostring(Waited)')) === 'morning')
  await sameAsLoader(net, a)
  await sameAsLoader(net, b)
})

test('a process spawns a process and talks to it', { skip }, async () => {
  const a = await me.spawn({ name: 'parent' })
  const r = await me.evalLua(a, `Handlers.add("spawned", "Spawned", function(m) Child = m.Tags.Process ChildRef = m.Reference end) ao.spawn("${await me.moduleId()}", {Name = "child", Authority = "${net.authority}", ["On-Boot"] = "Data", Data = "Handlers.add('hi', 'Hi', function(m) m.reply({Data = 'child says ' .. m.Data}) end)"}) return 1`)
  assert.equal(r.Spawns.length, 1)
  const child = await until('the child', async () => { const c = await me.value(a, 'return tostring(Child)'); return c !== 'nil' && c })
  const about = await (await fetch(at(net.su, '/processes/' + child))).json()
  assert.equal(about.owner.address, net.authority)
  assert.equal(valueOf(about.tags, 'From-Process'), a)
  assert.equal(valueOf(about.tags, 'Name'), 'child')
  assert.equal(valueOf(about.tags, 'Scheduler'), net.scheduler)
  await me.evalLua(a, 'Handlers.add("answers", function(m) return m.From == Child end, function(m) Said = m.Data end) ao.send({Target = Child, Action = "Hi", Data = "hello"}) return 1')
  await until('the child\'s answer', async () => (await me.value(a, 'return tostring(Said)')) === 'child says hello')
  assert.equal((await me.result(child, child)).Error, undefined)
  await me.evalLua(a, `Second = ao.spawn("${await me.moduleId()}", {Authority = "${net.authority}"}).receive().Process`)
  await until('spawn and receive', async () => (await me.value(a, 'return #tostring(Second)')) === '43')
  const rows = (await graphql(net, `query { transactions(ids: ["${child}"]) { edges { node { owner { address } tags { name value } } } } }`)).transactions.edges
  assert.equal(rows.length, 1, 'the child is visible on the gateway')
  await sameAsLoader(net, a)
  await sameAsLoader(net, child)
})

test('assigning a message to a second process', { skip }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  await me.evalLua(b, 'ao.addAssignable("news", function(m) return m.Action == "News" end) Handlers.add("news", "News", function(m) Heard = m.Target .. " " .. m.Data end)')
  const id = await me.send(a, { tags: { Action: 'News' }, data: 'headline' })
  const assignment = await me.ao.assign({ process: b, message: id })
  assert.match(assignment, /^[A-Za-z0-9_-]{43}$/)
  await until('the news', async () => (await me.value(b, 'return tostring(Heard)')) === `${a} headline`)
  const edge = (await slots(net, b)).find((e) => valueOf(e.node.assignment.tags, 'Message') === id)
  assert.equal(edge.node.message, null)
  assert.equal(edge.node.assignment.id, assignment)
  const r = await me.result(b, id)
  assert.ok(!r.Error)
  const again = await me.ao.assign({ process: b, message: id }).catch(() => assignment)
  assert.equal(again, assignment, 'assigned once')
  await sameAsLoader(net, b)
})

test('assigning from inside a process', { skip }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  await me.evalLua(b, 'ao.addAssignable("news", function(m) return m.Action == "News" end) Handlers.add("news", "News", function(m) Heard = m.Data end)')
  const id = await me.send(a, { tags: { Action: 'News' }, data: 'from inside' })
  const r = await me.evalLua(a, `ao.assign({Processes = {"${b}"}, Message = "${id}"}) return 1`)
  assert.equal(r.Assignments.length, 1)
  await until('the news', async () => (await me.value(b, 'return tostring(Heard)')) === 'from inside')
})

test('a token: transfers among three processes with debit and credit notices', { skip }, async () => {
  const token = await me.spawn({ name: 'token' })
  const holders = [await me.spawn({ name: 'h1' }), await me.spawn({ name: 'h2' })]
  await me.evalLua(token, `local bint = require(".bint")(256)
    Balances = { [Owner] = "1000000000000" }
    Handlers.add("transfer", "Transfer", function(m)
      local q, r = m.Quantity, m.Recipient
      if bint.__lt(bint(Balances[m.From] or "0"), bint(q)) then m.reply({Action = "Transfer-Error", Error = "Insufficient Balance!"}) return end
      Balances[m.From] = tostring(bint(Balances[m.From]) - bint(q))
      Balances[r] = tostring(bint(Balances[r] or "0") + bint(q))
      ao.send({Target = m.From, Action = "Debit-Notice", Recipient = r, Quantity = q})
      ao.send({Target = r, Action = "Credit-Notice", Sender = m.From, Quantity = q})
    end)
    Handlers.add("balance", "Balance", function(m) m.reply({Data = Balances[m.Tags.Target] or "0"}) end)`)
  for (const h of holders) await me.evalLua(h, 'Credits, Debits = 0, 0 Handlers.add("credit", "Credit-Notice", function(m) Credits = Credits + tonumber(m.Quantity) end) Handlers.add("debit", "Debit-Notice", function(m) Debits = Debits + tonumber(m.Quantity) end)')
  const r = await me.call(token, { tags: { Action: 'Transfer', Recipient: holders[0], Quantity: '500' } })
  assert.deepEqual(r.Messages.map((m) => valueOf(m.Tags, 'Action')), ['Debit-Notice', 'Credit-Notice'])
  await until('the credit', async () => (await me.value(holders[0], 'return Credits')) === '500')
  for (let i = 0; i < 5; i++) await me.evalLua(holders[0], `ao.send({Target = "${token}", Action = "Transfer", Recipient = "${holders[1]}", Quantity = "50"})`)
  await until('five transfers', async () => (await me.value(holders[1], 'return Credits')) === '250' && (await me.value(holders[0], 'return Debits')) === '250')
  const balance = async (h) => (await me.ao.dryrun({ process: token, tags: [{ name: 'Action', value: 'Balance' }, { name: 'Target', value: h }] })).Messages[0].Data
  assert.deepEqual([await balance(holders[0]), await balance(holders[1])], ['250', '250'])
  await me.evalLua(holders[1], `ao.send({Target = "${token}", Action = "Transfer", Recipient = "${holders[0]}", Quantity = "99999"})`)
  await until('the refusal', async () => /Transfer-Error/.test(await me.value(holders[1], 'return tostring(Inbox[#Inbox] and Inbox[#Inbox].Action)')))
  for (const p of [token, ...holders]) await sameAsLoader(net, p)
})

test('messages to a wallet end on the gateway', { skip }, async () => {
  const a = await me.spawn()
  const wallet = createHash('sha256').update('nobody').digest('base64url')
  await me.evalLua(a, `ao.send({Target = "${wallet}", Action = "Letter", Data = "dear wallet"}) return 1`)
  const node = await until('the letter', async () => (await graphql(net, `query { transactions(recipients: ["${wallet}"], tags: [{name: "From-Process", values: ["${a}"]}]) { edges { node { id recipient owner { address } } } } }`)).transactions.edges[0]?.node)
  assert.equal(node.owner.address, net.authority)
  assert.equal(await (await fetch(at(net.gateway, '/' + node.id))).text(), 'dear wallet')
})

test('malformed outbox entries are skipped, the others leave', { skip }, async () => {
  const [a, b] = [await me.spawn({ name: 'a' }), await me.spawn({ name: 'b' })]
  await me.evalLua(a, `ao.send({Target = "${b}", Action = "Good", Data = "one"}) table.insert(ao.outbox.Messages, {Data = "no target"}) table.insert(ao.outbox.Messages, {Target = "${b}", Anchor = ("0"):rep(32), Tags = {{name = "N", value = 5}}}) ao.send({Target = "${b}", Action = "Good", Data = "two"})`)
  await until('the good ones', async () => (await inboxOf(b)).endsWith('one|two'))
})
