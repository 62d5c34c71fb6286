# For those who expect one: each target is one line of make.py (python3 make.py --help).
PYTHON ?= python3
COMMANDS = book test html lab data bench mutants versions zip clean lock
.PHONY: $(COMMANDS) help
help:
	@$(PYTHON) make.py --help
$(COMMANDS):
	$(PYTHON) make.py $@
