#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The Debian packages: what "make deb" makes installs, upgrades and goes again, whatever
# kernel comes, apt ends well, and no kernel loses the module that it has.
#
# Kernels come as packages that do what linux-headers does: bring headers (those of the
# root's own kernel under another name) and run the hooks of header_postinst.d.
set -euo pipefail
. tests/tap.sh
. tests/buildroot/lib.sh

like=${kver//+/.}	# as a regular expression
export DEBIAN_FRONTEND=noninteractive

# apt COMMAND...
apt() {
	apt-get -qy -o Dpkg::Options::=--force-unsafe-io --no-install-recommends "$@"
}

# package NAME VERSION: /tmp/NAME.deb from the files in /tmp/NAME.
package() {
	mkdir -p "/tmp/$1/DEBIAN"
	printf '%s\n' "Package: $1" "Version: $2" "Architecture: all" \
		"Maintainer: nobody <nobody@localhost>" "Description: made by a test" \
		> "/tmp/$1/DEBIAN/control"
	dpkg-deb -Znone -b "/tmp/$1" "/tmp/$1.deb" > /dev/null
}

# new_kernel KERNEL [SUBLEVEL]: the package /tmp/linux-headers-KERNEL.deb.
new_kernel() {
	local dir=/tmp/linux-headers-$1
	another_kernel "$1" "${2:-}" "$dir"
	mkdir -p "$dir/DEBIAN"
	printf '%s\n' '#!/bin/sh' 'set -e' \
		"run-parts --exit-on-error --arg=$1 /etc/kernel/header_postinst.d" \
		> "$dir/DEBIAN/postinst"
	chmod 755 "$dir/DEBIAN/postinst"
	package "linux-headers-$1" 1
}

# new_version VERSION [COMMAND...]: the packages of that version in /tmp/VERSION, of a
# quick source that COMMAND has changed.
new_version() {
	quick_version "$1"
	(
		cd "/tmp/$1"
		shift
		"$@"
		make -s deb
	)
}

# upgrade VERSION: to that of new_version.
upgrade() {
	apt install "/tmp/$1/build/deb/ext4dio-dkms_$1_all.deb"
}

# built_for: the kernels that DKMS has installed the module for, on one line.
built_for() {
	dkms status ext4dio | sed -n 's/^ext4dio.\([^,]*\), \([^,]*\),.*: installed.*/\1 \2/p' |
		sort | xargs
}

# well: every package is configured.
well() {
	gives "and every package is configured" "" dpkg --audit
}

# --- build -------------------------------------------------------------------

refuses "make deb names what is missing" "debhelper-compat" make -s deb
{
	apt-get -q update
	apt install build-essential debhelper lintian
} > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
ok "make deb" make -s deb
cp build/deb/ext4dio-tools_*.deb /out/ext4dio-tools.deb
gives "lintian has nothing to say" "" lintian --allow-root --fail-on none build/deb/*.changes
(
	mkdir /tmp/again
	cp -a . /tmp/again
	cd /tmp/again
	make -s deb > /dev/null
)
is "a second build is the same to the byte" \
	"$(cd /tmp/again/build/deb && sha256sum ./*.deb)" "$(cd build/deb && sha256sum ./*.deb)"

# --- install, the source coming late -----------------------------------------

source=$(ls /usr/src/linux-source-"$series".tar.*)
mv "$source" /root/
says "apt installs them without kernel source and says what to do" \
	"skipped for kernel $like: .*install the package linux-source-$series" \
	apt install ./build/deb/*.deb
well
is "there is no module" "$(built_for)" ""
refuses "make dkms-install leaves a package's files alone" "first apt-get purge ext4dio-dkms" \
	make dkms-install
new_kernel 9.0.0-amd64
says "a new kernel without source: the same" "skipped for kernel 9.0.0-amd64: " \
	apt install /tmp/linux-headers-9.0.0-amd64.deb
well
ok "that kernel goes again" apt purge linux-headers-9.0.0-amd64
mv "/root/${source##*/}" /usr/src/
mkdir -p /tmp/some-source/usr/src
echo "for its trigger" > /tmp/some-source/usr/src/some-source
touch /etc/dkms/no-autoinstall
package some-source 1
ok "something in /usr/src, where DKMS must do nothing by itself" apt install /tmp/some-source.deb
well
is "there is still no module" "$(built_for)" ""
rm /etc/dkms/no-autoinstall
package some-source 2
ok "the source is there, and a package with something in /usr/src" apt install /tmp/some-source.deb
well
is "DKMS has built it" "$(built_for)" "$version $kver"
is "modinfo tells the version" "$(modinfo -k "$kver" -F version ext4dio)" "$version"
is "it is signed with the key that DKMS made" \
	"$(modinfo -k "$kver" -F sig_key ext4dio | tr -d :)" \
	"$(openssl x509 -in /var/lib/dkms/mok.pub -inform DER -noout -serial | cut -d= -f2)"
ok "ext4dio runs" ext4dio --help
ok "ext4dio-ab runs" ext4dio-ab list
ok "there are programs" test -n "$(dpkg -L ext4dio-tools | grep '^/usr/sbin/')"
is "each program has its manual" \
	"$(dpkg -L ext4dio-tools | sed -n 's|^/usr/share/man/man8/\(.*\).8.gz|\1|p' | sort)" \
	"$(dpkg -L ext4dio-tools | sed -n 's|^/usr/sbin/||p' | sort)"

# --- upgrades ----------------------------------------------------------------

ok "make deb of a newer version" new_version 9.1 true
ok "apt upgrades to it" upgrade 9.1
well
is "DKMS has built it, and has no other version" "$(built_for; dkms status ext4dio | wc -l)" \
	"9.1 $kver"$'\n'1
new_kernel "$series.800-amd64"
ok "a new kernel comes" apt install "/tmp/linux-headers-$series.800-amd64.deb"
well
is "DKMS has built it for both" "$(modules)" "$kver 9.1 $series.800-amd64 9.1"
echo 'MODULE_INFO(mark, "again");' >> /tmp/9.1/ext4dio/ident.c
ok "make deb of the same version" make -C /tmp/9.1 -s deb
ok "apt installs it again" apt install --reinstall /tmp/9.1/build/deb/ext4dio-dkms_9.1_all.deb
well
is "both have the new one" "$(module_says "$kver" mark;
	module_says "$series.800-amd64" mark)" $'again\nagain'

# --- the next point release --------------------------------------------------

slim_source "/tmp/linux-source-$series/usr/src/linux-source-$series.tar.xz" 250
package "linux-source-$series" "$series.250-1"
new_kernel "$series.250-amd64" 250
ok "it comes" apt install "/tmp/linux-source-$series.deb" "/tmp/linux-headers-$series.250-amd64.deb"
well
is "that kernel gets the module as well" "$(modules)" \
	"$kver 9.1 $series.250-amd64 9.1 $series.800-amd64 9.1"
ok "make deb of a newer version" new_version 9.2 true
ok "apt upgrades to it" upgrade 9.2
well
is "and so do those whose source has gone" "$(modules)" \
	"$kver 9.2 $series.250-amd64 9.2 $series.800-amd64 9.2"
is "DKMS has no other version" "$(built_for | wc -w; dkms status ext4dio | wc -l)" $'6\n3'

rm -r "/var/lib/ext4dio/$kver"
module=$(sha256sum "$(module_of "$kver")")
ok "make deb of a newer version" new_version 9.3 true
says "where the source is lost too, the kernel keeps the module it has, with a sentence" \
	"kernel $like keeps the module it has, of version 9.2, not 9.3: it could not be built" \
	upgrade 9.3
well
is "it is the same file" "$(sha256sum "$(module_of "$kver")")" "$module"
is "the others have the new one" "$(modules)" \
	"$kver 9.2 $series.250-amd64 9.3 $series.800-amd64 9.3"

# --- upgrades that fail ------------------------------------------------------

have=$(find /lib/modules -name 'ext4dio.ko*' -exec sha256sum {} +)

# have DESC: every kernel has the very module it had.
have() {
	is "$1" "$(find /lib/modules -name 'ext4dio.ko*' -exec sha256sum {} +)" "$have"
}

fail_preinst() {
	printf '%s\n' '#!/bin/sh' 'exit 1' > debian/ext4dio-dkms.preinst
}
ok "make deb of a version that does not unpack" new_version 9.4 fail_preinst
fails "apt does not upgrade to it" upgrade 9.4
well
have "every kernel has the module it had"
ok "and DKMS knows the version that is installed" grep -q . <<< "$(dkms status ext4dio/9.3)"

# Every object includes it, so that the first one fails.
ok "make deb of a version that does not compile" \
	new_version 9.5 sed -i '$a ccflags-y += -include no-such-file.h' Kbuild
says "apt upgrades to it and shows the error" \
	"skipped for kernel $series.800-amd64: it does not compile: .*no-such-file.h" upgrade 9.5
well
have "every kernel has the module it had"
new_kernel "$series.802-amd64" 250
says "a new kernel comes: the same" "skipped for kernel $series.802-amd64: it does not compile" \
	apt install "/tmp/linux-headers-$series.802-amd64.deb"
well
have "every kernel has the module it had"

touch /etc/dkms/no-autoinstall
ok "make deb of a version that compiles" new_version 9.6 true
ok "apt upgrades to it, where DKMS must do nothing by itself" upgrade 9.6
well
have "every kernel has the module it had"
rm /etc/dkms/no-autoinstall
package some-source 3
ok "something comes into /usr/src, and DKMS may" apt install /tmp/some-source.deb
well
is "DKMS has built it for all that have source" "$(modules)" \
	"$kver 9.2 $series.250-amd64 9.6 $series.800-amd64 9.6 $series.802-amd64 9.6"

# --- purge -------------------------------------------------------------------

# left: what there is of them.
left() {
	dpkg -l 'ext4dio-*' 2> /dev/null | grep '^[^D|+]' || true
	find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path /root -o -path /out \) \
		-prune -o -name '*ext4dio*' -print
}
ok "there is something of them everywhere" test "$(left | wc -l)" -ge 10
ok "apt purges them" apt purge ext4dio-dkms ext4dio-tools
well
gives "nothing is left" "" left
is "no kernel has a module" "$(modules)" ""
is "no alias is left" "$(grep -c ext4dio "/lib/modules/$kver/modules.alias")" 0

done_testing
