return "more"
