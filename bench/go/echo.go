// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	connections = 1000
	message     = 64
)

func raiseFileLimit() {
	var limit syscall.Rlimit
	must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}

func connect() (clients, servers []*net.TCPConn) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(err)
	defer listener.Close()
	for i := 0; i < connections; i++ {
		client, err := net.DialTCP("tcp4", nil, listener.Addr().(*net.TCPAddr))
		must(err)
		server, err := listener.AcceptTCP()
		must(err)
		must(client.SetNoDelay(true))
		must(server.SetNoDelay(true))
		clients = append(clients, client)
		servers = append(servers, server)
	}
	return clients, servers
}

func echo(c *net.TCPConn, rounds int) {
	var buffer [message]byte
	for i := 0; i < rounds; i++ {
		_, err := io.ReadFull(c, buffer[:])
		must(err)
		_, err = c.Write(buffer[:])
		must(err)
	}
	c.Close()
}

// How many of its messages came back as they were sent.
func ask(c *net.TCPConn, rounds int) int {
	right := 0
	var sent, received [message]byte
	for i := 0; i < rounds; i++ {
		for j := range sent {
			sent[j], received[j] = byte(i), ^byte(i)
		}
		_, err := c.Write(sent[:])
		must(err)
		_, err = io.ReadFull(c, received[:])
		must(err)
		if received == sent {
			right++
		}
	}
	c.Close()
	return right
}

func converse(rounds int) (time.Duration, int) {
	clients, servers := connect()
	for _, server := range servers {
		go echo(server, rounds)
	}
	results := make([]int, len(clients))
	var group sync.WaitGroup
	group.Add(len(clients))
	start := time.Now()
	for i := range clients {
		client, result := clients[i], &results[i]
		go func() {
			*result = ask(client, rounds)
			group.Done()
		}()
	}
	group.Wait()
	taken := time.Since(start)
	right := 0
	for _, result := range results {
		right += result
	}
	return taken, right
}

// count is a multiple of the connections.
func fdEcho(count int) outcome {
	raiseFileLimit()
	converse(1)
	taken, right := converse(count / connections)
	return outcome{float64(taken.Nanoseconds()) / float64(count), right}
}
