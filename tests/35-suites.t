#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Where the lab takes its roots from: the mirror that the host's apt knows, and the first suite of
# the table that has the kernel.  With made-up mirrors and tables, and a mmdebstrap that only
# tells what it was asked for.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
if [ "$(id -u)" -ne 0 ]; then
	skip "where roots come from" "needs root"
	done_testing
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lab=$work/top/tests/lab/lab
mkdir -p "$work"/{bin,top/tests,apt/{parts,lists/partial},none}
cp -r tests/lab "$work/top/tests"
export XDG_CACHE_HOME=$work/cache PATH=$work/bin:$PATH
unset EXT4DIO_MIRROR EXT4DIO_SECURITY_MIRROR

# The last suite and the sources that mmdebstrap is asked for, in $work/asked; FAIL=1 fails it.
cat > "$work/bin/mmdebstrap" << END
#!/bin/bash
for arg; do
	case \$arg in
	--aptopt=*) cat "\${arg#*=}" > $work/settings ;;&
	--customize-hook=*add_kernel*) echo "\${arg#*=}" > $work/hook ;;&
	--*) shift ;;
	esac
done
suite=\$1 root=\$2
shift 2
printf '%s\n' "\$suite" "\$@" > $work/asked
[ -z "\${FAIL:-}" ] || exit 1
mkdir -p "\$root/boot" "\$root/lib/modules/5.0-x"
echo vmlinuz > "\$root/boot/vmlinuz-5.0-x"
END
printf '#!/bin/sh\n' > "$work/bin/modprobe"
# A host that has none of its own settings, and takes mirrors that nobody signed.
cat > "$work/apt.conf" << END
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "$work/apt/parts";
Dir::State::lists "$work/apt/lists";
Dir::Etc::parts "/dev/null";
APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "1";
Acquire::http::Proxy "http://proxy.test:1";
END
export APT_CONFIG=$work/apt.conf
chmod +x "$work"/bin/*

# suite MIRROR NAME [SERIES[:HEADERS-VERSION]...]: a suite that has these kernels.
format='Package: %s\nVersion: %s\nArchitecture: amd64\nFilename: x\nSize: 1\n\n'
suite() {
	local dists=$work/$1/dists/$2 kernel version
	shift 2
	mkdir -p "$dists/main/binary-amd64"
	for kernel; do
		version=${kernel%:*}.7-1
		# shellcheck disable=SC2059
		printf "$format" "linux-source-${kernel%:*}" "$version"
		[[ $kernel != *:* ]] || version=${kernel#*:}
		# shellcheck disable=SC2059
		[ "$version" = none ] || printf "$format" \
			"linux-headers-${version%-*}-cloud-amd64" "$version"
	done > "$dists/main/binary-amd64/Packages"
	cat > "$dists/Release" << END
Origin: ${origin:-Debian}
Label: ${label:-Debian}
Suite: $(basename "$dists")
Codename: $(basename "$dists")
Date: $(date -Ru)
Architectures: amd64
Components: main
SHA256:
 $(sha256sum < "$dists/main/binary-amd64/Packages" | cut -d' ' -f1) $(stat -c %s \
		"$dists/main/binary-amd64/Packages") main/binary-amd64/Packages
END
}

# table LINE...: tests/lab/kernels.
table() {
	printf '%s\n' "# a table" "$@" > "$work/top/tests/lab/kernels"
}

# asked KERNEL: what mmdebstrap is asked for when the root of KERNEL is made.
asked() {
	local output
	rm -f "$work/asked"
	output=$(FAIL=1 "$lab" root "$1" 2>&1)
	if [ -e "$work/asked" ]; then
		xargs < "$work/asked"
	else
		echo "$output"
	fi
}

# aged: what was found out is two hours old.
aged() {
	touch -d '2 hours ago' "$XDG_CACHE_HOME"/ext4dio/.place-*
}

# --- the mirror ---------------------------------------------------------------------------

table "5.0 yes base/base-new"
for mirror in m1 m2; do
	suite $mirror base
	suite $mirror base-updates
	suite $mirror base-new 5.0
	label=Debian-Security suite $mirror-security base-security
done
m1=$work/m1 m2=$work/m2
want="base deb file:$m1 base main deb file:$m1 base-updates main"
want+=" deb file:$m1-security base-security main deb file:$m1 base-new main"

refuses "a host without sources is told to name a mirror" "no source of Debian.*EXT4DIO_MIRROR" \
	"$lab" root 5.0
cat > "$work/apt/parts/debian.sources" << END
Types: deb deb-src
URIs: file:$m1/
Suites: base base-updates
Components: main

Types: deb
URIs: file:$m1-security file:$m2-security
Suites: base-security
Components: main
END
is "the mirrors are those of the host's apt, though it has never fetched anything" \
	"$(asked 5.0)" "$want"
is "and its way to them" "$(< "$work/settings")" 'Acquire::http::Proxy "http://proxy.test:1";'
rm "$work"/apt/parts/*
printf '%s\n' "# deb file:$m2 base main" "deb cdrom:[Debian 5]/ base main" \
	"deb [arch=amd64,i386 trusted=yes] file:$m1 base main contrib" \
	"deb file:$m1-security/ base-security main" > "$work/apt/sources.list"
is "also where they are one line each" "$(asked 5.0)" "$want"
sed 's/base/stable/' "$work/apt/sources.list" > "$work/list"
cp "$work/list" "$work/apt/sources.list"
is "or name stable" "$(asked 5.0)" "$want"
printf '# mirrors\nfile:%s priority:1\nfile:%s\n' "$m1" "$m2" > "$work/mirrors"
printf '%s\n' "deb mirror+file:$work/mirrors base main" \
	"deb file:$m1-security base-security main" > "$work/apt/sources.list"
is "or are in a list of mirrors" "$(asked 5.0)" "$want"

# Fetched: what Debian has labelled counts, whatever the name of the suite.
origin=Other suite other base 4.0
suite m1 named 4.0
label=Debian-Security suite m1-security named-security 4.0
printf '%s\n' "deb file:$work/other base main" "deb file:$m1 named main" \
	"deb file:$m1-security named-security main" > "$work/apt/sources.list"
ok "apt of the host fetches" apt-get update
is "what is Debian's is known by its labels" "$(asked 5.0)" "$want"
printf '%s\n' "deb cdrom:[Debian 5]/ base main" "deb file:$m1-security base-security main" \
	> "$work/apt/sources.list"
refuses "a compact disc is no mirror" "no source of Debian.*EXT4DIO_MIRROR" "$lab" root 5.0
echo "deb file:$m1 base main" > "$work/apt/sources.list"
refuses "security updates from nowhere: told" "security.*set EXT4DIO_SECURITY_MIRROR" \
	"$lab" root 5.0
is "and can be done without" "$(EXT4DIO_SECURITY_MIRROR=none asked 5.0)" \
	"${want/ deb file:"$m1"-security base-security main/}"
is "the environment overrides both" "$(EXT4DIO_MIRROR=file:$m2 \
	EXT4DIO_SECURITY_MIRROR=file:$m2-security asked 5.0)" "${want//"$m1"/$m2}"
for tool in bash awk cat sha256sum cut basename dirname mkdir sed id xargs tr sort grep find; do
	ln -s "$(command -v $tool)" "$work/none/$tool"
done
refuses "a host without apt is told to name a mirror" "no source of Debian.*EXT4DIO_MIRROR" \
	env PATH="$work/none" "$lab" root 5.0

# --- the suites ---------------------------------------------------------------------------

export EXT4DIO_MIRROR=file:$work/m EXT4DIO_SECURITY_MIRROR=none
for name in one one-updates two two-updates sid; do
	suite m $name
done
suite m one-new 5.1 5.2:none 5.3:5.3.6-1
suite m two 5.1 5.2 5.4
suite m two-new 5.3:5.3.7-2
suite m sid 5.5
table "5.1 yes one/one-new two" "5.2 yes one/one-new two" "5.3 yes one/one-new two/two-new" \
	"5.4 no gone/gone-new one two" "5.5 yes gone sid" "5.6 yes gone one/one-new two" \
	"5.7 no one"

one="deb file:$work/m one main deb file:$work/m one-updates main"
two="deb file:$work/m two main deb file:$work/m two-updates main"
new="deb file:$work/m one-new main"
is "the first place that has the kernel is taken" "$(asked 5.1)" "one $one $new"
is "not one that has no headers" "$(asked 5.2)" "two $two"
is "nor one that has those of another release; of another revision will do" "$(asked 5.3)" \
	"two $two deb file:$work/m two-new main"
is "a kernel that is built from its source needs no headers" "$(asked 5.2+debug)" \
	"one $one $new"
is "a suite that is gone has nothing" "$(asked 5.4)" "two $two"
is "sid has neither updates nor security" "$(asked 5.5)" "sid deb file:$work/m sid main"
refuses "a kernel that no suite has: told why" \
	"no suite has kernel 5.6 any more: .* no gone, one-new has no linux-source-5.6, two" \
	"$lab" root 5.6
is "the list is of those that are there" "$("$lab" list 2> "$work/said" | xargs)" "5.1 5.2 5.3 5.5"
ok "and says of others why not" \
	grep -q '^lab: kernel 5.6 is left out.*one-new has no' "$work/said"
is "also of all" "$("$lab" list --all 2> /dev/null | xargs)" "5.1 5.2 5.3 5.4 5.5"
is "or of those that are not" "$("$lab" list --missing 2>&1 | xargs)" 5.6
is "of all" "$("$lab" list --all --missing 2>&1 | xargs)" "5.6 5.7"
# Not the mirror's fault, and nothing to go on from.
sed '/Insecure/d' "$work/apt.conf" > "$work/strict.conf"
table "5.6 yes one" "5.7 yes gone"
says "a mirror that nobody signed tells nothing" "cannot see whether one has.*not signed" \
	env APT_CONFIG="$work/strict.conf" "$lab" list
refuses "and lacks what it does not have" "no suite has kernel 5.7.*the mirror has no gone" \
	env APT_CONFIG="$work/strict.conf" "$lab" root 5.7
refuses "none at all is an error" "no kernel at all" "$lab" list
table "5.1 yes one/one-new two"

# The hook that adds the kernel.  Of the image of a package that is there apt-cache tells the
# version, of one that others merely depend on nothing, with status 0.
mkdir "$work/hooked"
cat > "$work/hooked/apt-cache" << 'END'
#!/bin/sh
case "$* " in
"pkgnames linux-headers-5.1. ") echo linux-headers-5.1.7-cloud-amd64 ;;
"show $THERE ") echo "Version: 5.1.7-1" ;;
"show "*linux-headers-5.1.7-cloud-amd64\ ) echo "Version: 5.1.7-1" ;;
"show linux-image-5.1.7-cloud-amd64 ") echo "N: purely virtual" >&2 ;;
*) exit 100 ;;
esac
END
printf '#!/bin/sh\necho 5.1.7-1\n' > "$work/hooked/chroot"
printf '#!/bin/sh\necho "${*##* install }"\n' > "$work/hooked/apt-get"
chmod +x "$work/hooked"/*
# installed NAME: what the hook installs where an image of that name is there.
installed() {
	env THERE="$1" PATH="$work/hooked:$PATH" sh "$work/hook" "$work" |
		grep -o 'linux-[^ ]*' | xargs
}
asked 5.1 > /dev/null
for image in linux-{image-5.1.7-cloud-amd64{,-unsigned},binary-unsigned-5.1.7-cloud-amd64}; do
	is "the image that is there is installed: $image" "$(installed $image)" \
		"linux-headers-5.1.7-cloud-amd64 $image"
done

# With a root that is there the mirror is asked nothing.
root=$("$lab" root 5.1 2> /dev/null)
ok "a root is made" test -d "$root/root"
suite m one-new
aged
mv "$work/m" "$work/away"
is "a root that is there is in the list, offline" "$("$lab" list 2>&1)" 5.1
is "and serves" "$("$lab" root 5.1 2>&1)" "$root"
says "offline a kernel counts as there when nobody can tell" "cannot see whether.*5.1" \
	env EXT4DIO_MIRROR=http://127.0.0.1:1 "$lab" list
is "and is in the list" "$(EXT4DIO_MIRROR=http://127.0.0.1:1 "$lab" list 2> /dev/null)" 5.1
is "so it is before make deps" "$(EXT4DIO_MIRROR=none PATH=$work/none "$lab" list 2> /dev/null)" 5.1
mv "$work/away" "$work/m"
is "a root of another kind is made from where the kernel is now" "$(asked 5.1+apps)" "two $two"
table "5.1 yes two one/one-new"
is "a table that names other places needs another root" "$(asked 5.1)" "two $two"
table "5.1 yes one/one-new two"
"$lab" clean
is "nothing of it is left after lab clean" "$(asked 5.1)" "two $two"
aged
suite m one-new 5.1
is "what was found out is forgotten after an hour" "$(asked 5.1)" "one $one $new"

# The old root goes, if nobody uses it.
mkdir "$XDG_CACHE_HOME"/ext4dio/5.1-00000000000{1,2}
flock -sF "$XDG_CACHE_HOME/ext4dio/5.1-000000000001" sleep 100 &
sleep 1
ok "the root is made anew" "$lab" root 5.1
is "a root that is in use stays, another goes" \
	"$(cd "$XDG_CACHE_HOME/ext4dio" && echo 5.1-00000*)" 5.1-000000000001
refuses "also at lab clean" "5.1-000000000001 is in use" "$lab" clean
kill $!
flock -F "$XDG_CACHE_HOME/ext4dio/.5.1.lock" sleep 100 &
sleep 1
refuses "nor does a root that is being made" "root of kernel 5.1 is being made" "$lab" clean
kill $!
ok "until nobody uses one" "$lab" clean
is "then all go" "$(cd "$XDG_CACHE_HOME/ext4dio" && echo [0-9]*)" '[0-9]*'

# What make does with it.
kernels() {
	make -s -n check "$@" 2> /dev/null | sed -n 's,^tests/check ,,p'
}
is "make check leaves to tests/check what is there" "$(kernels)" --default
is "but not where kernels are named" "$(kernels KERNELS='5.1 5.2')" "5.1 5.2"

done_testing
