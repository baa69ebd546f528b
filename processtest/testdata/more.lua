More = require("lib.word")
