// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

func anHour(i int) time.Duration {
	return time.Hour + time.Duration(i)*time.Microsecond
}

// Counts goroutines up to the one that all wait for.
type gate struct {
	passed, expected int64
	all              chan struct{}
}

func newGate(expected int) *gate {
	return &gate{expected: int64(expected), all: make(chan struct{})}
}

func (g *gate) pass() {
	if atomic.AddInt64(&g.passed, 1) == g.expected {
		close(g.all)
	}
}

// Nothing can end a Sleep, nor can a goroutine count itself when its timer is armed: it does so just
// before, and as many as there are workers may still be about to sleep when all have passed.
func fallAsleep(count int) int {
	g := newGate(count)
	for i := 0; i < count; i++ {
		d := anHour(i)
		go func() {
			g.pass()
			time.Sleep(d)
		}()
	}
	<-g.all
	return int(g.passed)
}

func sleepStart(count int) outcome {
	fallAsleep(small(count))
	start := time.Now()
	asleep := fallAsleep(count)
	return outcome{nanosecondsEach(start, count), asleep}
}

// Bytes of this process in memory.
func resident() int {
	var total, pages int
	text, err := os.ReadFile("/proc/self/statm")
	must(err)
	_, err = fmt.Sscan(string(text), &total, &pages)
	must(err)
	return pages * os.Getpagesize()
}

func bytesSleeper(count int) outcome {
	fallAsleep(small(count))
	before := resident()
	asleep := fallAsleep(count)
	return outcome{float64(resident()-before) / float64(count), asleep}
}

// Goroutines cannot be aborted. What can be is a select over a timer and a channel that its owner
// closes: each sleeper has its own.
func abortAll(count int) (time.Duration, int) {
	g := newGate(count)
	cancel := make([]chan struct{}, count)
	results := make([]int, count)
	var group sync.WaitGroup
	group.Add(count)
	for i := range cancel {
		cancelled, d, result := make(chan struct{}), anHour(i), &results[i]
		cancel[i] = cancelled
		go func() {
			timer := time.NewTimer(d)
			g.pass()
			select {
			case <-timer.C:
			case <-cancelled:
				timer.Stop()
				*result = 1
			}
			group.Done()
		}()
	}
	<-g.all
	start := time.Now()
	for _, c := range cancel {
		close(c)
	}
	group.Wait()
	taken := time.Since(start)
	sum := 0
	for _, result := range results {
		sum += result
	}
	return taken, sum
}

func abort(count int) outcome {
	abortAll(small(count))
	taken, cancelled := abortAll(count)
	return outcome{float64(taken.Nanoseconds()) / float64(count), cancelled}
}
