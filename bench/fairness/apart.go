package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// shortSlice is the time slice of a thread that goes before others as soon as it has something to do.
const shortSlice = 100 * time.Microsecond

// standApart has the clients take from the node what clients on other machines would: the flood gets the cores only while nobody
// else wants them, and the calm client does not wait for a core before it sees an answer.
func standApart(flooding bool) error {
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Runtime: uint64(shortSlice)}
	if flooding {
		attr = &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
	}
	threads, err := os.ReadDir("/proc/self/task") // those to come are like the ones that start them
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetAttr(id, attr, 0); err != nil {
			return fmt.Errorf("thread %d: %w", id, err)
		}
	}
	return nil
}
