package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/plugins"
	"canopy/plugins/wire/multistatus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHistogram(t *testing.T) {
	var h, other histogram
	var all times
	for i := range 1000 {
		d := time.Duration(i*i*i) * 37
		all = append(all, d)
		if i%2 == 0 {
			h.add(d)
		} else {
			other.add(d)
		}
	}
	h.merge(&other)
	for _, q := range []float64{0, 0.1, 0.5, 0.99} {
		got, want := h.quantile(q), all.quantile(q)
		if got > want || float64(got) < 0.96*float64(want) {
			t.Errorf("quantile %g: %v, exactly %v", q, got, want)
		}
	}
	if h.max != all.quantile(1) || h.n != 1000 {
		t.Errorf("%d values up to %v", h.n, h.max)
	}
}

func TestCounterSeesWhatIsCut(t *testing.T) {
	text := strings.Repeat("<D:href>/a</D:href>", 10)
	for size := 1; size < 12; size++ {
		c := counter{what: []byte("href>")}
		for part := range slices.Chunk([]byte(text), size) {
			c.Write(part)
		}
		if c.n != 20 {
			t.Errorf("%d in parts of %d bytes", c.n, size)
		}
	}
}

func TestClient(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sent":
			w.Header().Set("Location", "http://geneva.example/a")
			w.WriteHeader(http.StatusFound)
		case "/chunks":
			w.Header().Set("Trailer", "Canopy-Incomplete")
			for range 3 {
				io.WriteString(w, long)
				w.(http.Flusher).Flush()
			}
			w.Header().Set("Canopy-Incomplete", "geneva")
		default:
			io.WriteString(w, "whole")
		}
	}))
	defer s.Close()
	c, err := dial(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 2 {
		for _, want := range []struct {
			path, location string
			status         int
			body           int
		}{{"/sent", "http://geneva.example/a", 302, 0}, {"/chunks", "", 200, 300_000}, {"/", "", 200, 5}} {
			var body bytes.Buffer
			c.sink = &body
			a, err := c.ask(request("GET", want.path))
			if err != nil {
				t.Fatalf("%s: %v", want.path, err)
			}
			if a.status != want.status || string(a.location) != want.location || a.body != int64(want.body) || body.Len() != want.body {
				t.Errorf("%s: %d %q, %d bytes, of which %d came", want.path, a.status, a.location, a.body, body.Len())
			}
		}
	}
}

func TestLoadSendsEachOnce(t *testing.T) {
	storages, closeAll, err := open(1, tree{"d": 100}, everywhere)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	l := load{addr: storages[0].addr, conns: 7, right: func(i int, a *answer) bool { return a.status == 207 && i != 3 }}
	for n := range 100 {
		l.requests = append(l.requests, request("PROPFIND", file("d", n)))
	}
	got, err := l.once()
	if err != nil || got.n != 100 || got.wrong != 1 || !strings.Contains(got.first, file("d", 3)) {
		t.Errorf("%d sent, %d wrong, first %s: %v", got.n, got.wrong, got.first, err)
	}
	for n := range 100 {
		if q := storages[0].questions(file("d", n)); q != 1 {
			t.Errorf("file %d asked for %d times", n, q)
		}
	}
}

func TestStorage(t *testing.T) {
	storages, closeAll, err := open(4, tree{"d": 1000}, halves)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	copies := make(map[string]int)
	for _, s := range storages {
		c, err := dial(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		var body bytes.Buffer
		c.sink = &body
		if _, err := c.took(propfind("d", properties), 207); err != nil {
			t.Fatal(err)
		}
		for r, err := range multistatus.Scan(&body, multistatus.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Kind == plugins.Directory {
				continue
			}
			if r.Length < 1000 || r.Modified.IsZero() || r.ETag == "" {
				t.Fatalf("a response that says too little: %+v", r)
			}
			copies[r.Href]++
		}
		if _, err := c.took(request("PROPFIND", "/d/none"), 404); err != nil {
			t.Error(err)
		}
	}
	for n := range 1000 {
		if copies[file("d", n)] != 2 {
			t.Fatalf("%d copies of file %d", copies[file("d", n)], n)
		}
	}
}
