-- Which assigned messages of others a process takes.
local assignment = { _version = "0.1.0" }
local utils = require(".utils")

local function position(list, name)
  for i = 1, #list do
    if list[i].name == name then return i end
  end
end

--- init gives ao its assignables; nothing is assignable until the process says so.
function assignment.init(ao)
  ao.assignables = ao.assignables or {}

  --- addAssignable(name, spec) replaces the one of that name; addAssignable(spec) adds one without a name.
  function ao.addAssignable(...)
    local name, spec
    if select("#", ...) == 1 then
      spec = ...
    else
      name, spec = ...
      assert(type(name) == "string", "MatchSpec name MUST be a string")
    end
    local at = name and position(ao.assignables, name)
    if at then
      ao.assignables[at].pattern = spec
    else
      ao.assignables[#ao.assignables + 1] = { name = name, pattern = spec }
    end
  end

  --- removeAssignable takes a name or a position.
  function ao.removeAssignable(which)
    local at = which
    if type(which) == "string" then
      at = position(ao.assignables, which)
      if not at then return end
    end
    assert(type(at) == "number", "index MUST be a number")
    table.remove(ao.assignables, at)
  end

  function ao.isAssignable(msg)
    for _, a in ipairs(ao.assignables) do
      if utils.matchesSpec(msg, a.pattern) then return true end
    end
    return false
  end

  function ao.isAssignment(msg)
    return msg.Target ~= ao.id
  end
end

return assignment
