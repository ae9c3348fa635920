// SPDX-License-Identifier: Apache-2.0

package main

import "time"

func selectOften(c *[8]chan struct{}, seen chan<- struct{}, rounds int) int {
	right := 0
	for round := 0; round < rounds; round++ {
		index := 0
		select {
		case <-c[0]:
			index = 0
		case <-c[1]:
			index = 1
		case <-c[2]:
			index = 2
		case <-c[3]:
			index = 3
		case <-c[4]:
			index = 4
		case <-c[5]:
			index = 5
		case <-c[6]:
			index = 6
		case <-c[7]:
			index = 7
		}
		if index == round%8 {
			right++
		}
		seen <- struct{}{}
	}
	return right
}

func selectAndComplete(rounds int) (time.Duration, int) {
	var c [8]chan struct{}
	for i := range c {
		c[i] = make(chan struct{})
	}
	seen, result := make(chan struct{}), make(chan int)
	start := time.Now()
	go func() { result <- selectOften(&c, seen, rounds) }()
	for round := 0; round < rounds; round++ {
		c[round%8] <- struct{}{}
		<-seen
	}
	right := <-result
	return time.Since(start), right
}

// A select queues on all the channels, and leaves the queues again, in each round. (With buffers, or
// with Gosched for the second channel, a round takes longer.)
func select8(rounds int) outcome {
	selectAndComplete(small(rounds))
	taken, right := selectAndComplete(rounds)
	return outcome{float64(taken.Nanoseconds()) / float64(rounds), right}
}
