package pebble

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// calm is how long after a store was opened the engine rewrites no tables. A store that was killed has its newest writes in many
// small tables, and merging them takes all cores just when a node wants to give its first answers.
const calm = 2 * time.Second

// compactions decides when the engine may rewrite tables: as many at a time as it asks for, but none before it is calm no more.
// Only its own goroutine grants what had to wait.
type compactions struct {
	db    pebble.DBForCompaction
	since time.Time
	poke  chan struct{}
	stop  chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	running int
	closed  bool
}

func newCompactions() *compactions {
	return &compactions{since: time.Now(), poke: make(chan struct{}, 1), stop: make(chan struct{})}
}

func (c *compactions) Register(_ int, db pebble.DBForCompaction) {
	c.db = db
	c.ended.Add(1)
	go c.grant()
}

func (c *compactions) Unregister() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.stop)
	c.ended.Wait()
}

func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if c.begin() {
		return true, c
	}
	return false, nil
}

// begin counts one more if there may be one.
func (c *compactions) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || time.Since(c.since) < calm || c.running >= c.db.GetAllowedWithoutPermission() {
		return false
	}
	c.running++
	return true
}

func (c *compactions) end() {
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
}

// Done, with the three below, is the handle of one that runs.
func (c *compactions) Done() {
	c.end()
	c.UpdateGetAllowedWithoutPermission()
}

func (c *compactions) Started()                                          {}
func (c *compactions) MeasureCPU(pebble.CompactionGoroutineKind)         {}
func (c *compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}

func (c *compactions) UpdateGetAllowedWithoutPermission() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// grant lets begin what had to wait. What is allowed changes without a word, hence the ticker.
func (c *compactions) grant() {
	defer c.ended.Done()
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-c.poke:
		case <-c.stop:
			return
		}
		for c.begin() {
			if waiting, _ := c.db.GetWaitingCompaction(); !waiting || !c.db.Schedule(c) {
				c.end()
				break
			}
		}
	}
}

var (
	_ pebble.CompactionScheduler   = (*compactions)(nil)
	_ pebble.CompactionGrantHandle = (*compactions)(nil)
)
