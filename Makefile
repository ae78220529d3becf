# Thin names for dev.py, which makes the environment when it has to.
.PHONY: dev demo test lint format types contracts bench chaos lock check

dev:
	python3 dev.py setup

demo test lint format types contracts bench chaos lock:
	python3 dev.py $@

check: lint types contracts test
