// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

const (
	otherTimers = 1000
	attempts    = 4
)

func armAndCancel(count int) (time.Duration, int) {
	var others [otherTimers]*time.Timer
	for i := range others {
		others[i] = time.NewTimer(time.Hour + time.Duration(i)*time.Second)
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	cancelled := 0
	start := time.Now()
	for i := 0; i < count; i++ {
		timer.Reset(time.Second + time.Duration(i%1000)*time.Millisecond)
		if timer.Stop() {
			cancelled++
		}
	}
	taken := time.Since(start)
	for _, other := range others {
		other.Stop()
	}
	return taken, cancelled
}

// Reset and Stop of one timer; a new one each time takes longer. A stopped timer is only marked, and
// leaves its heap when it is armed anew, or later.
func timerArmCancel(count int) outcome {
	armAndCancel(small(count))
	taken, cancelled := armAndCancel(count)
	return outcome{float64(taken.Nanoseconds()) / float64(count), cancelled}
}

// The lateness of each; false if the first was due before all were armed.
func sleepInTurn(count int, lead time.Duration) ([]time.Duration, bool) {
	lateness := make([]time.Duration, count)
	var armed int64
	var group sync.WaitGroup
	group.Add(count)
	first := time.Now().Add(lead)
	for i := range lateness {
		deadline, late := first.Add(time.Duration(i)*time.Microsecond), &lateness[i]
		go func() {
			atomic.AddInt64(&armed, 1)
			time.Sleep(time.Until(deadline))
			*late = time.Since(deadline)
			group.Done()
		}()
	}
	time.Sleep(time.Until(first.Add(-lead / 8)))
	inTime := atomic.LoadInt64(&armed) == int64(count) && time.Until(first) > 0
	group.Wait()
	return lateness, inTime
}

func timerLatenessP99(count int) outcome {
	sleepInTurn(small(count), 20*time.Millisecond)
	lead := 4 * time.Microsecond * time.Duration(count)
	for attempt := 0; attempt < attempts; attempt++ {
		lateness, inTime := sleepInTurn(count, lead)
		if inTime {
			sort.Slice(lateness, func(i, j int) bool { return lateness[i] < lateness[j] })
			early := sort.Search(count, func(i int) bool { return lateness[i] >= 0 })
			return outcome{float64(lateness[count*99/100]), count - early}
		}
		fmt.Fprintf(os.Stderr, "timer-lateness-p99: not all were armed after %v\n", lead)
		lead *= 2
	}
	os.Exit(1)
	return outcome{}
}
