#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The data in a booted guest of each kernel: what must not be lost, whatever goes wrong.
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
need_kernels

tests/guest-tools || exit

# The devices that faults.sh breaks.
broken='dm-0|vd[b-z]'
# What it has the kernel say where, on a debug kernel, bios and allocations are made to fail.
injected=(--expect "fs warning \(device dm-0\).*(I/O error .* writing|returned -(5|12)$)"
	--expect "fs error \(device dm-0\).*(IO failure|Out of memory)"
	--expect "fs \(dm-0\): warning: mounting fs with errors"
	--expect "Buffer I/O error on device dm-0, logical block")
# What they say where a conversion finds no block, in a quota or on the disk.
starved=(--expect 'convert_unwritten_extents:[0-9]+: inode .* returned -(28|122)$'
	--expect 'EXT4(DIO)?-fs warning: [0-9]+ callbacks suppressed')
# What both file systems say of damage, on the devices that the damaged images are on.
damage=(--expect 'EXT4(DIO)?-fs (error|warning)( \(device (ram0|dm-0)\)|: [0-9]+ callbacks)'
	--expect 'EXT4(DIO)?-fs \((ram0|dm-0)\): .*([Ee]rror|corrupt)'
	--expect 'Buffer I/O error on dev (ram0|dm-0)' --expect 'I/O error, dev (ram0|dm-0)'
	--expect 'EXT4(DIO)?-fs \((ram0|dm-0)\): This should not happen!! Data will be lost'
	--expect 'Aborting journal on device (ram0|dm-0)' --expect 'JBD2: .*[Ee]rror')
for kernel in $EXT4DIO_KERNELS; do
	failing=()
	[[ $kernel != *+debug ]] || failing=("${injected[@]}")
	# Of each race.
	seconds=
	in_full "$kernel" || seconds=1
	guest "$kernel" data-loss --send build/tools/loss --send build/tools/rwf \
		--expect 'Page cache invalidation failure' --expect 'Collision with buffered' \
		--expect 'Aborting journal on device ram0-8' "${starved[@]}"
	guest "$kernel" scarce --send build/tools/scarce "${starved[@]}" \
		--expect '(fast|slow)\): failed to convert unwritten extents' \
		--expect '(fast|slow)\): (Delayed block allocation failed|This should not happen)'
	guest "$kernel" append --send build/tools/append
	guest "$kernel" zeroing --send build/tools/grid
	guest "$kernel" "extend $seconds" --send build/tools/extend --timeout 1200 \
		--expect 'I/O error, dev dm-0' --expect 'Buffer I/O error on dev dm-0'
	guest "$kernel" submit --send build/tools/submit --timeout 1200
	guest "$kernel" "integrity $seconds" --send build/tools/torture
	guest "$kernel" faults --send build/tools/ledger --append slab_nomerge \
		--expect "Aborting journal on device ($broken)-8" \
		--expect "Buffer I/O error on dev ($broken), logical block [0-9]+, lost .*write" \
		--expect "I/O error, dev vd[b-z], sector" \
		--expect "fs \(($broken)\): I/O error while writing superblock" \
		--expect "fs \(($broken)\): previous I/O error to superblock detected" \
		--expect "fs error \(device ($broken)\).*([Aa]borted|mark_inode_dirty error)" \
		--expect "fs warning \(device ($broken)\).*convert_unwritten.* returned -30$" \
		--expect "JBD2: I/O error when updating journal superblock for ($broken)-8" \
		"${failing[@]}"
	in_full "$kernel" || continue
	guest "$kernel" "ahead 1" --send build/tools/extend --send build/tools/rwf \
		--timeout 1200 "${starved[@]}"
	guest "$kernel" atomic --send build/tools/atomic
	guest "$kernel" polled --send build/tools/polled \
		--expect 'I/O error(, dev| on dev) (bad|nullb[0-9]+),'
	guest "$kernel" hostile --send build/tools/hostile "${damage[@]}"
	guest "$kernel" mutate --send build/tools/hostile "${damage[@]}"
done
done_testing
