#!/usr/bin/env bash
# Installs what Ambit needs on Debian 12 or 13, and nothing that is there already.
#
#   tools/deps.sh run            what ./run needs: compiler, libraries, Node.js, MCP peers
#   tools/deps.sh test           the same, and what ./test needs
#   tools/deps.sh heavy            the same, and what only ./test --all needs
#   tools/deps.sh bench          the same as run, and the load generator and gateways to measure beside
#   tools/deps.sh run --all      all of them
#
# Checks first: once everything is there it does nothing, says nothing and needs no network.
# System packages come from the machine's own package sources, which stay as they are;
# everything else goes below build/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

yyjson_file='yyjson_0.10.0+ds.orig.tar.xz'
yyjson_sha256=ae6fde69a193e10afab426ef13f113d6903446405f9db9ee98bfb572bd6c961a

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: error: %s\n' "$*" >&2; exit 1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# --- what counts as present -------------------------------------------------------------------

have_command() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
have_library() { have_command pkg-config && pkg-config --exists "$1"; }
have_header() { have_command gcc && printf '#include <%s>\n' "$1" | gcc -E - >/dev/null 2>&1; }
have_pytest() { [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import pytest' 2>/dev/null; }

have_jwcrypto() { [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import jwcrypto' 2>/dev/null; }

have_venv() { [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null; }

have_node() { # MAJOR
	have_command node && have_command npm && [ "$(node -p 'parseInt(process.versions.node)')" -ge "$1" ]
}

have_clang_runtime() {
	local dir
	have_command clang || return 1
	dir=$(clang -print-runtime-dir 2>/dev/null) || return 1
	compgen -G "$dir/libclang_rt.fuzzer*" >/dev/null ||
		compgen -G "$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer-[!n]*" >/dev/null
}

# The package that holds libFuzzer and the sanitizers of the default clang.
clang_runtime_package() {
	local version
	version=$(apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p')
	[ -n "$version" ] || die "the package sources of this machine have no clang"
	printf 'libclang-rt-%s-dev' "$version"
}

# --- system packages --------------------------------------------------------------------------

missing=()

want() { # PACKAGE CHECK...: notes PACKAGE as missing unless the check succeeds
	local package=$1
	shift
	[[ " ${missing[*]} " == *" $package "* ]] || "$@" || missing+=("$package")
}

want_run() {
	want gcc have_command gcc
	want libc6-dev have_header stdio.h
	want meson have_command meson
	want ninja-build have_command ninja
	want pkg-config have_command pkg-config
	want libuv1-dev have_library libuv
	want libssl-dev have_library openssl
	want libsqlite3-dev have_library sqlite3
	want libseccomp-dev have_library libseccomp
	want libnghttp2-dev have_library libnghttp2
	want libfido2-dev have_library libfido2
	want xz-utils have_command xz
	want ca-certificates test -s /etc/ssl/certs/ca-certificates.crt
	have_node 18 || missing+=(nodejs npm)
}

want_test() {
	want libcmocka-dev have_library cmocka
	want libjansson-dev have_library jansson
	want clang have_command clang
	want clang-runtime have_clang_runtime
	want python3-pytest have_pytest
	want python3-jwcrypto have_jwcrypto
	want python3-venv have_venv
	want valgrind have_command valgrind
	want strace have_command strace
	want sqlite3 have_command sqlite3
	want curl have_command curl
	want openssl have_command openssl
	want procps have_command ps
	want nginx have_command nginx
	want chromium have_command chromium
}

want_heavy() {
	want e2fsprogs have_command mkfs.ext4
	want fuse3 have_command fusermount3
	want qemu-system-common have_command qemu-storage-daemon
	want qemu-block-extra compgen -G '/usr/lib/*/qemu/*.so'
}

want_bench() {
	want nginx have_command nginx
	want wrk have_command wrk
}

apt() { # ARGS...: apt-get, its talk kept for the case of failure
	local log=build/deps/apt.log
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get -q -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1 </dev/null && return
	tail -n 15 "$log" >&2
	return 1
}

apt_updated=no

apt_update() {
	[ "$apt_updated" = no ] || return 0
	have_command apt-get || die "no apt-get here; install by hand: $*"
	say "reading the package lists"
	apt update || die "the package lists cannot be read; still missing: $*"
	apt_updated=yes
}

install_packages() {
	local package packages=()
	[ ${#missing[@]} -gt 0 ] || return 0
	apt_update "${missing[@]}"
	for package in "${missing[@]}"; do
		[ "$package" != clang-runtime ] || package=$(clang_runtime_package)
		packages+=("$package")
	done
	say "installing ${packages[*]}"
	apt install -y --no-install-recommends "${packages[@]}" || die "apt-get could not install ${packages[*]}"
	case " ${packages[*]} " in
	*' nginx '*) stop_nginx_service ;;
	esac
}

# Only the program is wanted. RUNLEVEL=1 keeps System V scripts from starting it, systemd wants to be told.
stop_nginx_service() {
	if [ -d /run/systemd/system ]; then
		as_root systemctl --quiet disable --now nginx.service 2>/dev/null || true
	fi
}

# --- yyjson: from the system where it is new enough, else its source into the build tree ---------

have_yyjson() {
	pkg-config --exists 'yyjson >= 0.10' ||
		{ [ -f build/deps/yyjson/src/yyjson.c ] && [ -f build/deps/yyjson/src/yyjson.h ]; }
}

# The mirrors that the machine's own sources name, whichever format they are written in.
# shellcheck disable=SC2016 # apt expands it
mirrors() { apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u; }

# Debian 13 has the library, Debian 12 does not, and both share one mirror: the source that Debian 13's
# package is built from lies at a fixed place there. apt's own helper fetches it and compares the digest.
fetch_yyjson() {
	local mirror section archive=build/deps/$yyjson_file
	for mirror in $(mirrors); do
		for section in main universe; do
			if /usr/lib/apt/apt-helper download-file \
				"${mirror%/}/pool/$section/y/yyjson/$yyjson_file" "$archive" \
				"SHA256:$yyjson_sha256" >>build/deps/yyjson.log 2>&1; then
				return
			fi
			rm -f "$archive"
		done
	done
	return 1
}

install_yyjson() {
	local archive=build/deps/$yyjson_file
	have_yyjson && return
	if apt-cache show libyyjson-dev 2>/dev/null | grep -qE '^Version: (0\.[1-9][0-9]|[1-9])'; then
		missing=(libyyjson-dev)
		install_packages
		have_yyjson && return
	fi
	: >build/deps/yyjson.log
	if ! { [ -f "$archive" ] && sha256sum --status -c <<<"$yyjson_sha256  $archive"; }; then
		say "fetching the source of yyjson 0.10.0 into build/deps"
		fetch_yyjson || die "yyjson 0.10 or newer is needed: neither is there a package libyyjson-dev, nor do the" \
			"mirrors in the machine's package sources have $yyjson_file. Put that file (SHA-256 $yyjson_sha256)" \
			"into build/deps/ and start again. Log: build/deps/yyjson.log"
	fi
	rm -rf build/deps/yyjson.part build/deps/yyjson
	mkdir -p build/deps/yyjson.part
	tar -xJf "$archive" -C build/deps/yyjson.part --strip-components=1 --no-same-owner
	mv build/deps/yyjson.part build/deps/yyjson
	have_yyjson || die "$yyjson_file does not hold src/yyjson.c and src/yyjson.h"
}

# --- npm packages: the exact set of the lock file, into the build tree --------------------------

install_peers() { # run|bench
	local from=tools/peers/$1 to=build/peers/$1 digest
	digest=$(cat "$from/.npmrc" "$from/package.json" "$from/package-lock.json" | sha256sum)
	[ "$(cat "$to/installed" 2>/dev/null)" != "$digest" ] || return 0
	say "installing the npm packages of $from into $to"
	mkdir -p "$to"
	rm -f "$to/installed"
	cp "$from/.npmrc" "$from/package.json" "$from/package-lock.json" "$to/"
	(cd "$to" && npm ci >npm.log 2>&1 </dev/null) || {
		tail -n 15 "$to/npm.log" >&2
		die "npm could not install the packages of $from"
	}
	printf '%s\n' "$digest" >"$to/installed"
}

# Programs in examples/ and tests/ import packages by name: Node.js looks for them here.
link_peers() {
	local link=node_modules target=build/peers/run/node_modules
	[ "$(readlink "$link" || true)" = "$target" ] || ln -sfnT "$target" "$link" ||
		die "$link must be a link to $target; move what is there out of the way"
}

# One Node.js for every peer, new enough for them whatever the system has: build/peers/node.
link_node() {
	local link=build/peers/node node
	[ ! -x "$link" ] || return 0
	for node in $(cd build/peers && compgen -G 'run/node_modules/node-linux-*/bin/node'); do
		if [ -x "build/peers/$node" ] && "build/peers/$node" --version >/dev/null 2>&1; then
			ln -sfn "$node" "$link"
			return
		fi
	done
	have_node 22 || die "the npm packages hold no Node.js for $(uname -m); install Node.js 22 or newer"
	ln -sfn "$(command -v node)" "$link"
}

# --- main -----------------------------------------------------------------------------------------

usage() {
	echo "usage: tools/deps.sh run|test|heavy|bench [--all]" >&2
	exit 2
}

main() {
	local tests=no heavy=no bench=no
	case "${1-}" in
	run) ;;
	test) tests=yes ;;
	heavy) tests=yes heavy=yes ;;
	bench) bench=yes ;;
	*) usage ;;
	esac
	case "${2-}" in
	'') ;;
	--all) tests=yes heavy=yes bench=yes ;;
	*) usage ;;
	esac
	[ $# -le 2 ] || usage

	mkdir -p build/deps
	exec 9>build/deps/lock
	flock 9

	want_run
	[ "$tests" = no ] || want_test
	[ "$heavy" = no ] || want_heavy
	[ "$bench" = no ] || want_bench
	install_packages
	install_yyjson
	install_peers run
	link_node
	link_peers
	[ "$bench" = no ] || install_peers bench
}

main "$@"
