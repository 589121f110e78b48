"""One module a kind of rule; `alerts.rules.rule_kinds` lists them."""
