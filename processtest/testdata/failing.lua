-- Tests that fail, each in its own way. What is told of each is compared with failing.txt.
print("read once for the list, and once for each test")

test("a value differs", function(t) t:equal("a", "b") end)

test("a value differs deep inside", function(t)
  t:equal({list = {1, 2, {x = "here is a text of some length"}}, more = "and another one that fills the line"},
    {list = {1, 2, {x = "here is a text of other length"}}, more = "and another one that fills the line"}, "the lists")
end)

test("nothing of the kind", function(t) t:ok(nil, "there should be one") end)

test("no match", function(t) t:match("abc", "^b") end)

test("not in it", function(t) t:contains({1, 2}, 3) end)

test("equal after all", function(t) t:unequal(1, 1) end)

test("does not fail", function(t) t:fails(function() end, "x") end)

test("fails otherwise", function(t) t:fails(function() error("this", 0) end, "that") end)

test("an error of the test", function(t)
  local function inner() return nothing.at_all end
  print("before it")
  inner()
end)

test("an error that is a table", function(t) error({code = 7}) end)

test("a process refuses", function(t)
  local bank = t:spawn("bank.lua")
  local function pay(n) bank:send({Action = "Pay", To = "x", Quantity = n}) end
  pay(0)
end)

test("a file of a process is broken", function(t) t:spawn("broken.lua") end)

test("a coroutine of its own", function(t)
  coroutine.wrap(function() t:now() end)()
end)

test("given up", function(t) t:fail("by hand") end)
