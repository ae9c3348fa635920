# SPDX-License-Identifier: Apache-2.0
#
# Checks of the sources and of what is installed, for tests/run. Each prints what is wrong.

public_dirs=(sched/include task/include sync/include)

sources() {
    find sched task sync tests bench examples adapters -name '*.[ch]' 2>/dev/null
}

check_format() {
    sources | xargs clang-format --dry-run -Werror
}

# The floor on which a header of <filch/...> lives.
floor_of() {
    local dir
    for dir in "${public_dirs[@]}"; do
        [ -e "$dir/filch/$1" ] && echo "${dir%%/*}" && return
    done
}

# Includes point down only: sync -> task -> sched; internal ones are spelled from the root.
check_includes() {
    local file line name floor bad=0
    while IFS=: read -r file line name; do
        case $name in
        \"*)
            name=${name//\"/}
            [ -e "$name" ] || { echo "$file:$line: not from the root: $name" && bad=1; }
            floor=${name%%/*}
            ;;
        *) floor=$(floor_of "${name//[<>]/}") ;;
        esac
        case ${file%%/*}:$floor in
        sched:task | sched:sync | task:sync | s*:tests | task:tests | s*:bench | task:bench)
            echo "$file:$line: points up: $name" && bad=1
            ;;
        esac
    done < <(grep -nE '^ *# *include +(".*"|<filch/.*>)' -r sched task sync tests bench \
        --include='*.[chS]' | sed -E 's/# *include +//; s|<filch/|<|')
    ! grep -rnE --include=meson.build -e '-I(sched|task|sync)( |$)' . && [ "$bad" -eq 0 ]
}

# Each public header compiles alone, as C11 and as C++17.
check_headers() {
    local header cc cxx bad=0 warnings=(-Wall -Wextra -Wpedantic -Werror)
    local includes=("${public_dirs[@]/#/-I}")
    for header in "${public_dirs[@]/%//filch/*.h}"; do
        for header in $header; do
            header=$(printf '#include <filch/%s>\nextern int not_empty;' "${header##*/}")
            for cc in gcc clang; do
                echo "$header" | $cc -x c -std=c11 "${warnings[@]}" "${includes[@]}" \
                    -fsyntax-only - || bad=1
            done
            for cxx in g++ clang++; do
                echo "$header" | $cxx -x c++ -std=c++17 "${warnings[@]}" "${includes[@]}" \
                    -fsyntax-only - || bad=1
            done
        done
    done
    return $bad
}

# The shared library has a versioned soname and exports names of ours only.
check_symbols() {
    local lib=build/gcc/libfilch.so others
    CC=gcc configure gcc "${gcc_options[@]}" && ninja -C build/gcc || return 1
    readelf -d $lib | grep -q 'SONAME.*libfilch\.so\.[0-9]' || { echo 'no soname' && return 1; }
    nm -D --defined-only $lib | grep -q ' T filch_fork$' || { echo 'no filch_fork' && return 1; }
    others=$(nm -D --defined-only $lib | awk '{print $NF}' | grep -v '^filch_')
    [ -z "$others" ] || { echo "exported: $others" && return 1; }
}

# Installs into a folder, then builds and runs a program against it by pkg-config.
check_install() (
    local prefix=$PWD/build/prefix source=tests/install_check.c out=build/install_check
    CC=gcc configure gcc "${gcc_options[@]}" || return 1
    rm -rf "$prefix"
    meson install -C build/gcc --quiet || return 1
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    local flags libs static
    flags=$(pkg-config --cflags filch) && libs=$(pkg-config --libs filch) &&
        static=$(pkg-config --static --libs filch) || return 1
    set -x
    gcc $flags $source -o $out $libs "-Wl,-rpath,$prefix/lib" && $out || return 1
    readelf -d $out | grep -q 'NEEDED.*libfilch' || return 1
    g++ -x c++ $flags $source -x none -o $out $libs "-Wl,-rpath,$prefix/lib" && $out || return 1
    gcc $flags $source -o $out ${static//-lfilch/-l:libfilch.a} && $out || return 1
    ! readelf -d $out | grep -q 'NEEDED.*libfilch'
)

# The same for the adapters: libraries to link with, headers, and drop-ins that are found first.
check_install_adapters() (
    local prefix=$PWD/build/prefix out=build/install_adapters name flags libs program
    CC=gcc configure gcc "${gcc_options[@]}" || return 1
    meson install -C build/gcc --quiet || return 1
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    set -x
    for name in fftw fftwf fftwl jxl openblas blosc2; do
        flags=$(pkg-config --cflags filch-$name) && libs=$(pkg-config --libs filch-$name) || return 1
        case $name in
        fftw*) program="#include <filch/fftw.h>
            int main(void) { return filch_${name}_attach(); }" ;;
        jxl) program='#include <filch/jxl.h>
            int main(void) { return !filch_jxl_runner; }' ;;
        openblas) program='#include <filch/openblas.h>
            int main(void) { return !filch_openblas_callback; }' ;;
        blosc2) program='#include <filch/blosc2.h>
            int main(void) { return !filch_blosc2_callback; }' ;;
        esac
        echo "$program" | gcc $flags -x c - -x none -o $out $libs "-Wl,-rpath,$prefix/lib" && $out ||
            return 1
    done
    program='#include <omp.h>
        int main(void)
        {
            int sum = 0;
        #pragma omp parallel num_threads(2) reduction(+ : sum)
            sum += omp_get_num_threads();
            return sum != 4;
        }'
    echo "$program" | gcc -fopenmp -x c - -o $out || return 1
    for name in gomp pthreadpool; do
        libs=$(pkg-config --variable=dropindir filch-$name) && [ -e "$libs/lib$name.so."[01] ] || return 1
    done
    LD_LIBRARY_PATH=$(pkg-config --variable=dropindir filch-gomp) $out &&
        LD_LIBRARY_PATH=$(pkg-config --variable=dropindir filch-gomp) ldd $out | grep -q "$prefix.*libgomp"
)

# The examples run to a good end, and print what is expected where that is written down. All at once, for most of
# them sleep.
check_examples() {
    local source example bad=0 running=()
    CC=gcc configure gcc "${gcc_options[@]}" && ninja -C build/gcc || return 1
    for source in examples/*.c; do
        example=$(basename "$source" .c)
        timeout 60 "build/gcc/examples/example-$example" >"build/gcc/examples/$example.out" &
        running+=("$example:$!")
    done
    for example in "${running[@]}"; do
        wait "${example#*:}" || { echo "${example%:*} failed" && bad=1; }
        example=${example%:*}
        [ ! -f "examples/expected/$example" ] ||
            diff "examples/expected/$example" "build/gcc/examples/$example.out" || bad=1
    done
    return $bad
}
