-- The Mersenne Twister MT19937: the same numbers from the same seed everywhere.
local chance = {}

local size, middle = 624, 397
local state, index

function chance.seed(seed)
  -- The words are made at the first number that is asked for: most processes never ask.
  state, index = math.tointeger(seed) or math.floor(seed), size + 1
end

local function spread(seed)
  local words = { seed & 0xffffffff }
  for i = 1, size - 1 do
    local w = words[i]
    words[i + 1] = (1812433253 * (w ~ (w >> 30)) + i) & 0xffffffff
  end
  return words
end

local function refill(words)
  for i = 1, size do
    local y = (words[i] & 0x80000000) | (words[i % size + 1] & 0x7fffffff)
    local w = words[(i + middle - 1) % size + 1] ~ (y >> 1)
    if y & 1 == 1 then w = w ~ 0x9908b0df end
    words[i] = w
  end
end

--- random gives a number from 0 up to but not including 1.
function chance.random()
  if not state then chance.seed(5489) end
  if type(state) == "number" then state = spread(state) end
  if index > size then
    refill(state)
    index = 1
  end
  local y = state[index]
  index = index + 1
  y = y ~ (y >> 11)
  y = y ~ ((y << 7) & 0x9d2c5680)
  y = y ~ ((y << 15) & 0xefc60000)
  y = y ~ (y >> 18)
  return (y & 0xffffffff) / 4294967296.0
end

--- integer gives a whole number from min to max, both included.
function chance.integer(min, max)
  assert(max >= min, "max must bigger than min")
  return math.floor(chance.random() * (max - min + 1) + min)
end

return chance
