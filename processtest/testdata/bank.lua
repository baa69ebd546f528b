Balances = Balances or {}

Handlers.add("balance", "Balance", function(m)
  m.reply({Balance = tostring(Balances[m.Account or m.From] or 0)})
end)

Handlers.add("pay", "Pay", function(m)
  local n = tonumber(m.Quantity)
  assert(n and n > 0, "the quantity must be above 0")
  Balances[m.To] = (Balances[m.To] or 0) + n
  Send({Target = m.To, Action = "Paid", Quantity = tostring(n)})
end)

Handlers.add("when", "When", function(m)
  m.reply({Data = tostring(os.time())})
end)

Handlers.add("never", "Never", function() end)
