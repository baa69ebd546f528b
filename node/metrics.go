package node

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the numbers of one node. Names are ao_<unit>_<noun>_<unit of measure>.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  map[string]prometheus.Observer
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
