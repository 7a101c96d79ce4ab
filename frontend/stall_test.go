package frontend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/frontend/listen"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

// held counts the listings and files of a storage that are being read.
type held struct {
	*faults.Endpoint
	open, ever atomic.Int32
}

func (h *held) Abilities() plugins.Abilities {
	a := h.Endpoint.Abilities()
	a.Lister, a.Reader = h, h
	return a
}

func (h *held) take() func() error {
	h.open.Add(1)
	h.ever.Add(1)
	return func() error { h.open.Add(-1); return nil }
}

func (h *held) List(ctx context.Context, path string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		leave := h.take()
		defer leave()
		h.Endpoint.List(ctx, path)(yield)
	}
}

func (h *held) Open(ctx context.Context, path string, rng plugins.Range) (*plugins.Body, error) {
	b, err := h.Endpoint.Open(ctx, path, rng)
	if err != nil {
		return nil, err
	}
	counted := *b
	counted.ReadCloser = closing{b.ReadCloser, h.take()}
	return &counted, nil
}

type closing struct {
	io.ReadCloser
	leave func() error
}

func (c closing) Close() error {
	err := c.ReadCloser.Close()
	c.leave()
	return err
}

// A client that stops taking a long answer is cut off, and nothing that was
// begun for it is left: no file or listing of a storage, and no goroutine.
func TestStalledClients(t *testing.T) {
	const entries, size = 8000, 1 << 30 // more than the buffers of a connection take
	a := newSite(t, "geneva", nil).put("/big", "", mem.File{Size: size}).carried()
	b := newSite(t, "oslo", nil)
	for i := range entries {
		name := fmt.Sprintf("/d/%01000d", i)
		if i%3 != 0 {
			a.put(name, "x", mem.File{})
		}
		if i%3 != 1 {
			b.put(name, "x", mem.File{})
		}
	}
	var storages []*held
	for _, s := range []*site{a, b} {
		h := &held{Endpoint: s.Endpoint}
		s.config.Open = func(context.Context) (plugins.Endpoint, error) { return h, nil }
		storages = append(storages, h)
	}
	seen := make(chan Exchange, 1)
	w := build(t, Options{Observe: func(x *Exchange) { seen <- *x }}, a, b)
	for _, c := range []struct {
		head   string
		status int
		end    string // of a complete answer
		asks   bool   // of the storage, whatever went before
	}{
		{"PROPFIND /d/ HTTP/1.1\r\nDepth: 1", 207, "</D:multistatus>", true},
		{"GET /d/?format=ndjson HTTP/1.1", 200, `"incomplete":[]}`, false},
		{"GET /big HTTP/1.1", 200, "the end", true},
	} {
		t.Run(c.head[:10], func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			opened := storages[0].ever.Load()
			server := listen.New(listen.Options{Handler: w.h, Patience: 100 * time.Millisecond})
			if err := server.Apply([]listen.Listener{{Address: "127.0.0.1:0"}}); err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", server.Bound()[0].Addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.head+"\r\nHost: h\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			first := make([]byte, 1000)
			if _, err := io.ReadFull(conn, first); err != nil {
				t.Fatal(err)
			}
			x := <-seen // nothing is taken until then
			if x.Status != c.status || !x.Broken || x.Took < 80*time.Millisecond {
				t.Errorf("%+v", x)
			}
			if err := server.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			rest, _ := io.ReadAll(conn) // ends as the connection was cut
			if len(rest) >= size || bytes.Contains(rest, []byte(c.end)) {
				t.Errorf("the client got %d bytes, and the end", len(rest))
			}
			goleak.VerifyNone(t, before)
			if c.asks && storages[0].ever.Load() == opened {
				t.Error("the storage was not read, which shows nothing")
			}
			for _, s := range storages {
				if n := s.open.Load(); n != 0 {
					t.Errorf("%d are left open", n)
				}
			}
		})
	}
}
