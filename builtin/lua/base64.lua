-- Base64 with a choice of the last two characters.
local base64 = {}

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

--- makeencoder gives the table of an alphabet: the byte of each value, of the padding at 64.
function base64.makeencoder(s62, s63, padding)
  local encoder, text = {}, letters .. (s62 or "+") .. (s63 or "/") .. (padding or "=")
  for i = 1, #text do encoder[i - 1] = text:byte(i) end
  return encoder
end

--- makedecoder gives the value of each byte of an alphabet.
function base64.makedecoder(s62, s63, padding)
  local decoder = {}
  for value, byte in pairs(base64.makeencoder(s62, s63, padding)) do decoder[byte] = value end
  return decoder
end

local standard_encoder, standard_decoder = base64.makeencoder(), base64.makedecoder()

function base64.encode(text, encoder)
  encoder = encoder or standard_encoder
  local out, byte, char = {}, string.byte, string.char
  for i = 1, #text, 3 do
    local a, b, c = byte(text, i, i + 2)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    out[#out + 1] = char(encoder[n >> 18], encoder[n >> 12 & 63], b and encoder[n >> 6 & 63] or encoder[64],
      c and encoder[n & 63] or encoder[64])
  end
  return table.concat(out)
end

--- decode passes over characters that are not of the alphabet, and needs no padding.
function base64.decode(text, decoder)
  decoder = decoder or standard_decoder
  local out, bits, n = {}, 0, 0
  for i = 1, #text do
    local v = decoder[text:byte(i)]
    if v == 64 then break end
    if v then
      bits, n = (bits << 6 | v) & 0xffffff, n + 6
      if n >= 8 then
        n = n - 8
        out[#out + 1] = string.char(bits >> n & 255)
      end
    end
  end
  return table.concat(out)
end

return base64
