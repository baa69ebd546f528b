-- The entry point: what the machine calls for each message.
local process = require(".process")

handle = process.handle
