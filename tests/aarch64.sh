# SPDX-License-Identifier: Apache-2.0
#
# Builds filch for aarch64 and runs its plain test programs under qemu, for tests/run. The arm64
# packages that it links with are unpacked into a folder of build/, nothing is installed of them.

aarch64_packages=(libck-dev libck0 libjemalloc-dev libjemalloc2 libstdc++6)

# A state of apt of its own, for one architecture.
aarch64_sysroot() {
    local root=$PWD/build/aarch64-root apt=$PWD/build/aarch64-apt deb
    [ -e "$root/complete" ] && return
    rm -rf "$root" "$apt"
    mkdir -p "$root" "$apt/lists/partial" "$apt/archives/partial" "$apt/debs"
    local options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64
        -o "Dir::State::Lists=$apt/lists" -o Dir::State::status=/dev/null
        -o "Dir::Cache=$apt" -o APT::Sandbox::User=)
    apt-get "${options[@]}" update &&
        (cd "$apt/debs" && apt-get "${options[@]}" download "${aarch64_packages[@]}") || return 1
    for deb in "$apt"/debs/*.deb; do
        dpkg -x "$deb" "$root" || return 1
    done
    touch "$root/complete"
}

# Concurrency Kit takes its barriers from ck_md.h: with the one of another CPU there are none, and
# nothing says so.
check_aarch64_ck() {
    local root=$PWD/build/aarch64-root flags md
    flags=$(ninja -C build/aarch64 -t commands | grep -m 1 'sched/park\.c$') || return 1
    if [[ $flags =~ __x86_64__ ]]; then
        echo "flags of the other CPU: $flags"
        return 1
    fi
    md=$(cd build/aarch64 && ${flags%% -MD *} -M -E ../../sched/park.c | grep -o '[^ ]*ck_md\.h')
    if [ "$(realpath "$md")" != "$(realpath "$root/usr/include/ck_md.h")" ]; then
        echo "ck_md.h is $md"
        return 1
    fi
    grep -q 'define CK_MD_RMO' "$md" && ! grep -q 'define CK_MD_TSO' "$md"
}

# What qemu-user cannot do: filters of system calls, core dumps of a child as expected, affinity
# masks of its own, threads in the child of a fork.
aarch64_skip=(
    'memory: destroy too early'
    'membarrier: refused by the system'
    'membarrier: works, in a child too'
    'thread: blocks signals'
    'thread: join of self dies'
    'cpus: odd masks'
    'fork_loses_runtimes'
    'fork_inside_a_task'
    'fork_in_turmoil'
    'left_open'
    'lost_to_a_fork'
    'lost_to_fork'
    'a_forked_child'
    'children_of_a_fork_finish'
    'test_fork'
)

run_aarch64() {
    local root=$PWD/build/aarch64-root lib=usr/lib/aarch64-linux-gnu cross=/usr/aarch64-linux-gnu
    limit=300
    need_packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user meson ninja-build pkg-config
    if ! aarch64_sysroot >build/log/aarch64-sysroot.log 2>&1 </dev/null; then
        report aarch64/sysroot 0 1 0 build/log/aarch64-sysroot.log 'tests/run --aarch64'
        return
    fi
    sed "s|@ROOT@|$root|g" tests/aarch64.ini >build/aarch64.ini
    configure aarch64 --cross-file build/aarch64.ini -Dfaults=true $alone || return
    run_check aarch64_ck
    export FILCH_TEST_EMULATED=1 FILCH_TEST_SKIP
    FILCH_TEST_SKIP=$(printf '%s|' "${aarch64_skip[@]}")
    run_build aarch64 aarch64 quick 5 . qemu-aarch64 -L $cross \
        -E "LD_LIBRARY_PATH=$root/$lib:$cross/lib"
}
