# Sourced: apt_install "what it is" package... installs Debian packages, visibly, or says in one sentence what is missing.
apt_install() {
  local what=$1; shift
  local sudo=""
  if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
  if ! command -v apt-get >/dev/null || { [ -n "$sudo" ] && ! sudo -n true 2>/dev/null; }; then
    echo "setup: $what is missing and cannot be installed by this user; run as root: apt-get install $*" >&2
    return 1
  fi
  echo "setup: installing $what (apt-get install $*)"
  $sudo apt-get update -qq >/dev/null 2>&1 || true
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null || {
    echo "setup: apt-get could not install $what; run it by hand to see why: apt-get install $*" >&2
    return 1
  }
}
