package node

import (
	"net/http"
	"strconv"
	"time"

	"ago/device"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the numbers of one node. Names are ao_<unit>_<noun>_<unit of measure>.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  map[string]prometheus.Observer
	devices  map[string]deviceNumbers // by name
}

// deviceNumbers count the calls of one device.
type deviceNumbers struct {
	answered, failed, cached prometheus.Counter
	seconds                  prometheus.Counter
}

// faces are the values of the label, and so bound how many series there are.
var faces = []string{"gateway", "bundler", "mu", "su", "cu", "ur", "node"}

func newMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), seconds: map[string]prometheus.Observer{}}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ao_http_requests_total", Help: "Requests answered, by address and status.",
	}, []string{"face", "status"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "ao_http_request_seconds", Help: "Time from request to answer, waiting for evaluations included.",
		Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60},
	}, []string{"face"})
	m.registry.MustRegister(m.requests, seconds, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, f := range faces {
		m.seconds[f] = seconds.WithLabelValues(f)
	}
	return m
}

// countDevices makes the numbers of these devices, which bound how many series there are.
func (m *Metrics) countDevices(names []string) {
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ao_device_calls_total", Help: "Calls of keys of devices, for processes and for requests, by how they ended: answered, failed, cached (the answer was at hand).",
	}, []string{"device", "outcome"})
	seconds := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ao_device_seconds_total", Help: "Time in calls of a device, with that of the calls that these made.",
	}, []string{"device"})
	m.registry.MustRegister(calls, seconds)
	m.devices = make(map[string]deviceNumbers, len(names))
	for _, name := range names {
		m.devices[name] = deviceNumbers{calls.WithLabelValues(name, "answered"), calls.WithLabelValues(name, "failed"), calls.WithLabelValues(name, "cached"), seconds.WithLabelValues(name)}
	}
}

// device counts the call of a key; it serves device.Node's Observe.
func (m *Metrics) device(e device.Event) {
	d, ok := m.devices[e.Device]
	if !ok || e.Name != "" {
		return
	}
	d.seconds.Add(e.Took.Seconds())
	switch {
	case e.Cached:
		d.cached.Inc()
	case e.Err != nil && device.StatusOf(e.Err) >= device.Failed:
		d.failed.Inc()
	default:
		d.answered.Inc()
	}
}

func (m *Metrics) request(face string, status int, took time.Duration) {
	m.requests.WithLabelValues(face, strconv.Itoa(status)).Inc()
	m.seconds[face].Observe(took.Seconds())
}

// gauge registers a number that is read when somebody asks.
func (m *Metrics) gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// counter registers a growing number that is read when somebody asks.
func (m *Metrics) counter(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
