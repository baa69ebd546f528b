-- Digests.
local crypto = { _version = "0.0.1" }
return crypto
