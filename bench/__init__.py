"""The promises of docs/promises.md as programs: each measures one, says what it does, and ends with one line of JSON."""
