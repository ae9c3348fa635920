// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync"
	"time"
)

const (
	lockers = 64
	senders = 4
	slots   = 64
)

func returnEach(forth <-chan int, back chan<- int, rounds int) {
	for i := 0; i < rounds; i++ {
		back <- <-forth + 1
	}
}

// The number grows by one in each round.
func playPingPong(rounds int) (time.Duration, int) {
	forth, back, number := make(chan int, 1), make(chan int, 1), 0
	start := time.Now()
	go returnEach(forth, back, rounds)
	for i := 0; i < rounds; i++ {
		forth <- number
		number = <-back
	}
	return time.Since(start), number
}

func pingPong(rounds int) outcome {
	playPingPong(small(rounds))
	taken, number := playPingPong(rounds)
	return outcome{float64(taken.Nanoseconds()) / float64(rounds), number}
}

type counter struct {
	mutex sync.Mutex
	value int
}

func (c *counter) add(times int) {
	for i := 0; i < times; i++ {
		c.mutex.Lock()
		c.value++
		c.mutex.Unlock()
	}
}

func addTogether(count int) (time.Duration, int) {
	var c counter
	var group sync.WaitGroup
	group.Add(lockers)
	start := time.Now()
	for i := 0; i < lockers; i++ {
		go func() {
			c.add(count / lockers)
			group.Done()
		}()
	}
	group.Wait()
	return time.Since(start), c.value
}

// count is a multiple of the lockers.
func mutex64(count int) outcome {
	addTogether(small(count))
	taken, sum := addTogether(count)
	return outcome{float64(taken.Nanoseconds()) / float64(count), sum}
}

func mutexUncontended(count int) outcome {
	new(counter).add(small(count))
	var c counter
	start := time.Now()
	c.add(count)
	return outcome{nanosecondsEach(start, count), c.value}
}

// The numbers from 1 to count, and the sum of those that were received.
func sendAndReceive(count int) (time.Duration, int) {
	numbers := make(chan int, slots)
	var sending, receiving sync.WaitGroup
	var sums [senders]int
	sending.Add(senders)
	receiving.Add(senders)
	start := time.Now()
	for i := range sums {
		first, sum := i*(count/senders)+1, &sums[i]
		go func() {
			for number := first; number < first+count/senders; number++ {
				numbers <- number
			}
			sending.Done()
		}()
		go func() {
			received := 0
			for number := range numbers {
				received += number
			}
			*sum = received
			receiving.Done()
		}()
	}
	sending.Wait()
	close(numbers)
	receiving.Wait()
	taken := time.Since(start)
	total := 0
	for _, sum := range sums {
		total += sum
	}
	return taken, total
}

// count is a multiple of the senders.
func channel4x4(count int) outcome {
	sendAndReceive(small(count))
	taken, sum := sendAndReceive(count)
	return outcome{float64(taken.Nanoseconds()) / float64(count), sum}
}

type shared struct {
	lock  sync.RWMutex
	value int
}

func (s *shared) read(times int) int {
	sum := 0
	for i := 0; i < times; i++ {
		s.lock.RLock()
		sum += s.value
		s.lock.RUnlock()
	}
	return sum
}

func readTogether(count, readers int) (time.Duration, int) {
	s := shared{value: 1}
	sums := make([]int, readers)
	var group sync.WaitGroup
	group.Add(readers)
	start := time.Now()
	for i := range sums {
		times, sum := count*(i+1)/readers-count*i/readers, &sums[i]
		go func() {
			*sum = s.read(times)
			group.Done()
		}()
	}
	group.Wait()
	taken := time.Since(start)
	total := 0
	for _, sum := range sums {
		total += sum
	}
	return taken, total
}

// One reader for each worker; the operations of all count.
func rwlockRead(count int) outcome {
	readers := runtime.GOMAXPROCS(0)
	readTogether(small(count), readers)
	taken, sum := readTogether(count, readers)
	return outcome{float64(taken.Nanoseconds()) / float64(count), sum}
}
