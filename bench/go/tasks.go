// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync"
	"time"
)

const yielders = 4

// A goroutine has no handle: its result goes into a slice, and a WaitGroup stands for the joins. (One
// buffered channel for all the results takes longer.)
func spawnAndJoin(results []int) int {
	var group sync.WaitGroup
	group.Add(len(results))
	for i := range results {
		result := &results[i]
		go func() {
			*result = 1
			group.Done()
		}()
	}
	group.Wait()
	sum := 0
	for _, result := range results {
		sum += result
	}
	return sum
}

// The first round touches the memory; what is measured is the second.
func spawnJoin(count int) outcome {
	spawnAndJoin(make([]int, small(count)))
	results := make([]int, count)
	spawnAndJoin(results)
	for i := range results {
		results[i] = 0
	}
	start := time.Now()
	sum := spawnAndJoin(results)
	return outcome{nanosecondsEach(start, count), sum}
}

func yieldTogether(count int) int {
	var group sync.WaitGroup
	group.Add(yielders)
	var results [yielders]int
	for i := range results {
		result := &results[i]
		go func() {
			done := 0
			for i := 0; i < count; i++ {
				runtime.Gosched()
				done++
			}
			*result = done
			group.Done()
		}()
	}
	group.Wait()
	done := 0
	for _, result := range results {
		done += result
	}
	return done
}

func yield(count int) outcome {
	yieldTogether(1000)
	start := time.Now()
	done := yieldTogether(count)
	return outcome{nanosecondsEach(start, yielders*count), done}
}
