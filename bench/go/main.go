// SPDX-License-Identifier: Apache-2.0

// Peer: Go. The program that bench/harness.py starts: PROGRAM BENCH PARAM WORKERS prints one line of
// JSON; PROGRAM --version. WORKERS is GOMAXPROCS; the garbage collector is as it is by default.
//
// Each benchmark runs a small case of itself as a warm-up and then the one that counts. The main
// goroutine is one like the others.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// The value in the benchmark's unit, and the result that the harness compares with the known one.
type outcome struct {
	value float64
	check int
}

var benches = map[string]func(param int) outcome{
	"spawn-join":         spawnJoin,
	"yield":              yield,
	"sleep-start":        sleepStart,
	"abort":              abort,
	"bytes-sleeper":      bytesSleeper,
	"timer-arm-cancel":   timerArmCancel,
	"timer-lateness-p99": timerLatenessP99,
	"fd-echo":            fdEcho,
	"select8":            select8,
	"ping-pong":          pingPong,
	"mutex64":            mutex64,
	"mutex-uncontended":  mutexUncontended,
	"channel4x4":         channel4x4,
	"rwlock-read":        rwlockRead,
}

// What fails here is the machine's doing; there is nothing to measure then.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Nanoseconds of each of count operations since start.
func nanosecondsEach(start time.Time, count int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(count)
}

func small(count int) int {
	if count < 1000 {
		return count
	}
	return 1000
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
		return
	}
	if len(os.Args) != 4 {
		fmt.Fprintf(os.Stderr, "usage: %s BENCH PARAM WORKERS\n", os.Args[0])
		os.Exit(2)
	}
	bench, known := benches[os.Args[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "%s: no benchmark %s\n", os.Args[0], os.Args[1])
		os.Exit(2)
	}
	param, err := strconv.Atoi(os.Args[2])
	must(err)
	workers, err := strconv.Atoi(os.Args[3])
	must(err)
	if workers < 1 || workers > 1024 {
		fmt.Fprintf(os.Stderr, "%s: WORKERS is 1 to 1024\n", os.Args[0])
		os.Exit(2)
	}
	runtime.GOMAXPROCS(workers)
	result := bench(param)
	fmt.Printf("{\"value\":%.9g,\"check\":\"%d\"}\n", result.value, result.check)
}
