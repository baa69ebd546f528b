package postgres

import (
	"sync"

	"ago/fault"
)

// uses counts what is under way, so that closing can wait for it.
type uses struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (u *uses) add() (done func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, fault.New(fault.Unavailable, "log-closed", "the log is closed")
	}
	u.wg.Add(1)
	return u.wg.Done, nil
}

func (u *uses) close() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.wg.Wait()
}
