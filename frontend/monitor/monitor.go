// Package monitor shows how a front end is doing: figures for Prometheus, and
// whether it is alive and ready.
//
// # Series
//
// Labels come from the configuration and from fixed sets, never from requests:
// an endpoint's name, a method or "other", a class of statuses, an operation, a
// kind of outcome. Every series of a configured endpoint exists from the moment
// that it is configured, so that "no errors yet" is a zero and not a gap; the
// series of an endpoint that is configured no longer are removed.
//
// What the federator counts itself is read from it when the figures are asked
// for, and costs nothing in between. What is counted here, for each request and
// each question, is resolved beforehand, so that it costs two atomic additions
// and allocates nothing.
package monitor

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"canopy/plugins"
)

// Build says which program runs.
type Build struct{ Version, Revision, GoVersion string }

// Metrics are the figures of one front end. All methods may be called by any
// number of goroutines at once.
type Metrics struct {
	registry *prometheus.Registry
	requests [len(methods)]requests

	questions   *prometheus.CounterVec
	questioning *prometheus.HistogramVec
	redirects   *prometheus.CounterVec
	proxied     *prometheus.CounterVec
	endpoints   atomic.Pointer[map[string]*endpoint]
	configuring sync.Mutex

	reloads     [2]prometheus.Counter // failed, ok
	reloadOK    prometheus.Gauge
	reloadTime  prometheus.Gauge
	federations federations
	copies      replications
}

// requests are the series of one method.
type requests struct {
	answered [len(classes)]prometheus.Counter
	sent     prometheus.Counter
	took     prometheus.Observer
}

// endpoint is the series of one endpoint.
type endpoint struct {
	outcomes            [len(operations)][len(kinds)]prometheus.Counter
	took                [len(operations)]prometheus.Observer
	redirected, proxied prometheus.Counter
}

// The bounds of the histograms, in seconds. An answer from the cache takes
// microseconds, a cold one a round trip, a proxied file as long as it takes.
var (
	requestTimes  = []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 10, 60, 600}
	questionTimes = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// New returns the metrics of a front end without endpoints.
func New(build Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&m.federations,
		&m.copies,
	)
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histograms := func(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
		m.registry.MustRegister(v)
		return v
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "canopy_build_info", Help: "Which program runs; always 1.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "goversion": build.GoVersion},
	})
	info.Set(1)
	m.registry.MustRegister(info)

	answered := counters("canopy_http_requests_total", "Requests answered, by method and class of status.", "method", "status")
	sent := counters("canopy_http_response_bytes_total", "Bytes of answers' bodies.", "method")
	took := histograms("canopy_http_request_duration_seconds", "Time from a request to the end of its answer.", requestTimes, "method")
	for i, method := range methods {
		r := &m.requests[i]
		for j, class := range classes {
			r.answered[j] = answered.WithLabelValues(method, class)
		}
		r.sent, r.took = sent.WithLabelValues(method), took.WithLabelValues(method)
	}

	m.questions = counters("canopy_endpoint_questions_total", "Questions to endpoints, by operation and outcome.", "endpoint", "op", "kind")
	m.questioning = histograms("canopy_endpoint_question_duration_seconds", "Time that endpoints took to answer.", questionTimes, "endpoint", "op")
	m.redirects = counters("canopy_endpoint_redirects_total", "Requests redirected to the endpoint.", "endpoint")
	m.proxied = counters("canopy_endpoint_proxied_total", "Requests for which the endpoint's bytes were carried.", "endpoint")
	m.endpoints.Store(&map[string]*endpoint{})

	reloads := counters("canopy_config_reloads_total", "Attempts to read the configuration, by outcome.", "outcome")
	m.reloads = [...]prometheus.Counter{reloads.WithLabelValues("failed"), reloads.WithLabelValues("ok")}
	m.reloadOK = gauge("canopy_config_last_reload_successful", "Whether the last attempt to read the configuration succeeded.")
	m.reloadTime = gauge("canopy_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.")
	return m
}

// Configure makes the series of the endpoints named, keeps those that there
// are, and removes those of others. It is to be called before a federator asks
// them anything.
func (m *Metrics) Configure(names []string) {
	m.configuring.Lock()
	defer m.configuring.Unlock()
	now := make(map[string]*endpoint, len(names))
	before := *m.endpoints.Load()
	for _, name := range names {
		if now[name] = before[name]; now[name] == nil {
			now[name] = m.endpoint(name)
		}
	}
	m.endpoints.Store(&now)
	for name := range maps.Keys(before) {
		if now[name] == nil {
			gone := prometheus.Labels{"endpoint": name}
			for _, v := range []interface {
				DeletePartialMatch(prometheus.Labels) int
			}{m.questions, m.questioning, m.redirects, m.proxied} {
				v.DeletePartialMatch(gone)
			}
		}
	}
}

func (m *Metrics) endpoint(name string) *endpoint {
	e := &endpoint{redirected: m.redirects.WithLabelValues(name), proxied: m.proxied.WithLabelValues(name)}
	for i, op := range operations {
		for j, kind := range kinds {
			e.outcomes[i][j] = m.questions.WithLabelValues(name, op, kind)
		}
		e.took[i] = m.questioning.WithLabelValues(name, op)
	}
	return e
}

// Answered counts one request: its method, the status and the bytes of the
// body sent, and the time from its arrival to its end. endpoint is whom the
// client was redirected to, or whose bytes were carried if proxied; "" is
// nobody.
func (m *Metrics) Answered(method string, status int, bytes int64, took time.Duration, endpoint string, proxied bool) {
	r := &m.requests[methodIndex(method)]
	r.answered[classIndex(status)].Inc()
	r.took.Observe(took.Seconds())
	if bytes > 0 {
		r.sent.Add(float64(bytes))
	}
	if endpoint == "" {
		return
	}
	if e := (*m.endpoints.Load())[endpoint]; e != nil {
		if proxied {
			e.proxied.Inc()
		} else {
			e.redirected.Inc()
		}
	}
}

// Asked counts one question to an endpoint. It is what a federator's
// Outside.Observe wants.
func (m *Metrics) Asked(endpoint, op string, kind plugins.Kind, took time.Duration) {
	e := (*m.endpoints.Load())[endpoint]
	if e == nil {
		return // configured no longer
	}
	i := slices.Index(operations[:], op)
	if i < 0 {
		i = len(operations) - 1
	}
	e.outcomes[i][min(int(kind), len(kinds)-1)].Inc()
	e.took[i].Observe(took.Seconds())
}

// Reloaded tells that the configuration was read at a time, and whether it is
// in force.
func (m *Metrics) Reloaded(ok bool, at time.Time) {
	if !ok {
		m.reloads[0].Inc()
		m.reloadOK.Set(0)
		return
	}
	m.reloads[1].Inc()
	m.reloadOK.Set(1)
	m.reloadTime.Set(float64(at.UnixMilli()) / 1000)
}

// Handler serves the figures (GET /-/metrics).
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
