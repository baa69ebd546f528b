--## add ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a + b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## add floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a + b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## add mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a + b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## add strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a + b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## sub ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a - b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## sub floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a - b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## sub mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a - b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## sub strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a - b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mul ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a * b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mul floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a * b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mul mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a * b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mul strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a * b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## div ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a / b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## div floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a / b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## div mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a / b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## div strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a / b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## idiv ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a // b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## idiv floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a // b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## idiv mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a // b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## idiv strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a // b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mod ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a % b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mod floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a % b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mod mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a % b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## mod strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a % b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## pow ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a ^ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## pow floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a ^ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## pow mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a ^ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## pow strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a ^ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## band ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a & b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## band floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a & b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## band mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a & b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## band strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a & b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bor ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a | b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bor floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a | b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bor mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a | b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bor strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a | b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bxor ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a ~ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bxor floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a ~ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bxor mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a ~ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## bxor strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a ~ b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shl ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a << b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shl floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a << b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shl mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a << b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shl strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a << b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shr ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a >> b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shr floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a >> b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shr mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a >> b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## shr strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a >> b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## concat ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a .. b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## concat floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a .. b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## concat mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a .. b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## concat strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a .. b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## eq ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a == b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## eq floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a == b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## eq mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a == b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## eq strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a == b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## lt ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a < b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## lt floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a < b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## lt mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a < b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## lt strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a < b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## le ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a <= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## le floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a <= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## le mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a <= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## le strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a <= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ne ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a ~= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ne floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a ~= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ne mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a ~= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ne strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a ~= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## gt ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a > b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## gt floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a > b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## gt mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a > b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## gt strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a > b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ge ints
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
    local ok, v = pcall(function() return a >= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ge floats
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a >= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ge mixed
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62} do
  local line = {}
  for _, b in ipairs{0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300} do
    local ok, v = pcall(function() return a >= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## ge strings
local function show(v) if v ~= v then return "nan" end return math.type(v) and (math.type(v) .. " " .. tostring(v)) or tostring(v) end
for _, a in ipairs{"10", "0x10", "1e1", " 5 ", "abc", "", "1.5", "-3"} do
  local line = {}
  for _, b in ipairs{2, 3.5, "4", "x"} do
    local ok, v = pcall(function() return a >= b end)
    line[#line + 1] = ok and show(v) or "error " .. v:gsub("^.-: ", "")
  end
  print(table.concat(line, "; "))
end
--## unm
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62, 0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300, "12", "0x1p4", "s", true, {1,2,3}} do
  local ok, v = pcall(function() return -a end)
  print(ok and tostring(v) or v)
end
--## bnot
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62, 0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300, "12", "0x1p4", "s", true, {1,2,3}} do
  local ok, v = pcall(function() return ~a end)
  print(ok and tostring(v) or v)
end
--## not
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62, 0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300, "12", "0x1p4", "s", true, {1,2,3}} do
  local ok, v = pcall(function() return not a end)
  print(ok and tostring(v) or v)
end
--## len
for _, a in ipairs{0, 1, -1, 7, -7, 3, 255, math.maxinteger, math.mininteger, 1 << 62, 0.0, 1.5, -1.5, 7.0, -7.25, 1e15, 2^53, 1e300, math.huge, -math.huge, 0.1, 1e-300, "12", "0x1p4", "s", true, {1,2,3}} do
  local ok, v = pcall(function() return #a end)
  print(ok and tostring(v) or v)
end
--## integer division and modulo agree
for a = -7, 7 do for b = -3, 3 do if b ~= 0 then
  local q, r = a // b, a % b
  assert(q * b + r == a)
  print(a, b, q, r)
end end end
--## overflow wraps
print(math.maxinteger + 1 == math.mininteger, math.mininteger - 1 == math.maxinteger)
print(math.maxinteger * 2, math.mininteger * -1, -math.mininteger, math.mininteger // -1, math.mininteger % -1)
print(1 << 63, 1 << 64, 1 << -1, -1 >> 1, -1 >> 63, -1 << 65, 5 >> -2)
--## constant folding
print(2^53 + 1, 1e308 * 10, -1e308 * 10, 3 | 4.0, 7 // 2.0, 7 % -3, -7 % 3.5, 5.5 // 0.0, -5 // 0.0)
print(1//1, 1.0//1, 2^31, 2^63, -2^63, 10 / 2, 3 % math.huge, -3 % math.huge)
--## comparison of integers and floats
for _, i in ipairs{math.maxinteger, math.mininteger, 2^53 | 0, (2^53 | 0) + 1, 0} do
  for _, f in ipairs{2^63, -2^63, 2^53, 2^53 + 2, 0.5, -0.5, math.huge, 0/0} do
    print(i < f, i <= f, i == f, i > f, i >= f)
  end
end
--## numeric literals
print(0xff, 0xFFFFFFFFFFFFFFFF, 0x7fffffffffffffff, 0x1p4, 0x.8p1, 0xA.8, 1e2, .5, 5., 3e-2, 0x10p-1)
print(9223372036854775807, 9223372036854775808, -9223372036854775808, 1e1000, 123456789012345678901234567890)
--## loops with integers at the edge
for i = math.maxinteger - 2, math.maxinteger - 1 do print(i) end
for i = math.mininteger + 2, math.mininteger + 1, -1 do print(i) end
for i = math.maxinteger, math.maxinteger - 2, -1 do print(i) end
for i = 1, 0 do print "never" end
for i = 3, 1, -1 do print(i) end
--## loops with floats
for x = 0, 1, 0.25 do print(x) end
for x = 1.0, 3 do print(x) end
for x = 1, 2.9 do print(x) end
for x = 1, -math.huge, -1 do if x < -2 then break end print(x) end
--## loop errors
for _, f in ipairs{function() for i = "a", 2 do end end, function() for i = 1, {} do end end, function() for i = 1, 2, "x" do end end} do print(pcall(f)) end
for i = 1, 3, 0 do print "step zero runs once?" break end
--## tostring of numbers
for _, v in ipairs{0.1, 1/3, 100, 100.0, 1e15, 1e16, 1e100, 123456.789e3, 2^24, 2^63, -0.0, 1e-5, 123456789.123, 5e-324, 1.7976931348623157e308, 3.14159265358979} do print(v) end
--## tonumber
for _, s in ipairs{"10", "  10  ", "10a", "0x1F", "1e5", "1e", ".5", "5.", "0x", "0x.1", "0x1p-2", "inf", "nan", "", " ", "1 2", "- 1", "-0x10", "1_000", "9223372036854775808", "-9223372036854775808", "0xffffffffffffffffff"} do print(s, tonumber(s), math.type(tonumber(s))) end
--## tonumber with base
for b = 2, 36, 5 do print(b, tonumber("10", b), tonumber("zz", b), tonumber("-11", b), tonumber("1.0", b)) end
print(pcall(tonumber, 10, 2), pcall(tonumber, "10", 99), pcall(tonumber))
print(tonumber("7fffffffffffffff", 16), tonumber("ffffffffffffffff", 16), tonumber("  z ", 36))
--## float to integer conversion
for _, v in ipairs{1.0, 1.5, 2^53, 2^63, -2^63, 1e300, 0/0, math.huge} do print(math.tointeger(v), pcall(function() return v | 0 end)) end
--## string arithmetic
print("10" + 5, "3" * "4", "0x10" + 0, "1e1" + 0, 10 .. 20, "7" // 2, "7.0" // 2, -"2", "10" % 3, 2 ^ "3")
print(pcall(function() return "a" + 1 end), pcall(function() return {} + 1 end), pcall(function() return 1 + nil end))
--## bitwise on floats
print(3.0 & 1, 2^31 | 0, pcall(function() return 1.5 & 1 end), pcall(function() return 2^64 | 0 end), pcall(function() return "3" & 1 end), pcall(function() return "a" & 1 end))
