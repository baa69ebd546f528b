-- What a process does with the item it was made by.
local evaluate = require(".eval")

--- The module is a function: given ao, the handle of the boot message. With the tag On-Boot: Data its data is
--- evaluated; the message is the first in the Inbox either way.
return function(ao)
  return function(msg)
    if #Inbox == 0 then Inbox[1] = msg end
    local source = msg.Tags["On-Boot"]
    if not source then return end
    if source == "Data" then return evaluate(ao)(msg) end
    error("On-Boot: " .. source .. " names a transaction, which a process cannot read; put the code into the Process "
      .. "item's data and say On-Boot: Data", 0)
  end
end
