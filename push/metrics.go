package push

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stats is the state of the queue and what was done since the start of the node.
type Stats struct {
	Pending int64         // tasks to be delivered, now or later
	Parked  int64         // tasks given up until somebody asks
	Lanes   int           // pairs of sender and target with pending tasks in memory
	Asleep  int           // lanes that wait for another attempt
	Active  int           // workers
	Oldest  time.Duration // age of the oldest pending task in memory

	Delivered, Uploaded, Dropped uint64 // tasks that ended so
	GaveUp                       uint64 // tasks that were parked after attempts
	Failures                     uint64 // attempts that failed
	Requeued                     uint64 // parked tasks that somebody asked for
}

// Stats gives the figures of now.
func (p *Pusher) Stats() Stats {
	c := &p.count
	s := Stats{
		Pending: c.pending.Load(), Parked: c.parked.Load(),
		Delivered: c.delivered.Load(), Uploaded: c.uploaded.Load(), Dropped: c.dropped.Load(),
		GaveUp: c.gaveUp.Load(), Failures: c.failures.Load(), Requeued: c.requeued.Load(),
	}
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Lanes, s.Asleep, s.Active = len(p.lanes), len(p.sleeping), p.workers
	for _, l := range p.lanes {
		if len(l.next) > 0 {
			s.Oldest = max(s.Oldest, time.Duration(now-l.next[0].planned)*time.Millisecond)
		}
	}
	return s
}

type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Stats) float64
}

var metrics = []metric{
	{describe("ao_mu_pending_tasks", "tasks to be delivered"), prometheus.GaugeValue, func(s Stats) float64 { return float64(s.Pending) }},
	{describe("ao_mu_oldest_pending_seconds", "age of the oldest pending task"), prometheus.GaugeValue, func(s Stats) float64 { return s.Oldest.Seconds() }},
	{describe("ao_mu_parked_tasks", "tasks given up until somebody asks for another attempt"), prometheus.GaugeValue, func(s Stats) float64 { return float64(s.Parked) }},
	{describe("ao_mu_sleeping_lanes", "pairs of sender and target that wait for another attempt"), prometheus.GaugeValue, func(s Stats) float64 { return float64(s.Asleep) }},
	{describe("ao_mu_delivered_tasks_total", "tasks that got a slot"), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Delivered) }},
	{describe("ao_mu_uploaded_tasks_total", "tasks whose target is no process"), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Uploaded) }},
	{describe("ao_mu_dropped_tasks_total", "outbox entries that are no messages"), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Dropped) }},
	{describe("ao_mu_parked_tasks_total", "tasks that were given up after attempts"), prometheus.CounterValue, func(s Stats) float64 { return float64(s.GaveUp) }},
	{describe("ao_mu_failed_attempts_total", "attempts that failed"), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Failures) }},
	{describe("ao_mu_requeued_tasks_total", "parked tasks that were asked for again"), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Requeued) }},
}

func describe(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

// Describe is part of prometheus.Collector.
func (p *Pusher) Describe(c chan<- *prometheus.Desc) {
	for _, m := range metrics {
		c <- m.desc
	}
}

// Collect is part of prometheus.Collector.
func (p *Pusher) Collect(c chan<- prometheus.Metric) {
	s := p.Stats()
	for _, m := range metrics {
		c <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
}

var _ prometheus.Collector = (*Pusher)(nil)
