package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
	"canopy/plugins/wire/marker"
)

// content returns n bytes, no two neighbouring blocks of which are alike.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>12 ^ i>>20*31 ^ i)
	}
	return b
}

func adler(b []byte) string { return fmt.Sprintf("adler32=%08x", adler32.Checksum(b)) }

// sum returns a digest of b.
func sum(algorithm string, b []byte) plugins.Digest {
	h := digest.New(algorithm)
	h.Write(b)
	return plugins.Digest{Algorithm: algorithm, Sum: string(h.Sum(nil))}
}

// party is another server, which answers as the test says.
func party(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// stored is a sink, and what it was given.
type stored struct {
	data    []byte
	size    int64
	digests []plugins.Digest
	err     error
	kept    bool
}

func (s *stored) store(_ context.Context, from io.Reader, size int64, digests []plugins.Digest) error {
	s.size, s.digests = size, digests
	s.data, s.err = io.ReadAll(from)
	s.kept = s.err == nil
	return s.err
}

// pull does it all, and returns what the last line says.
func pull(t *testing.T, s *stored, lines ...string) (marker.Outcome, error) {
	t.Helper()
	tr, err := agent(t, Options{}).Pull(t.Context(), order(t, lines...), s.store)
	if err != nil {
		return marker.Outcome{}, err
	}
	w := httptest.NewRecorder()
	err = tr.Run(w)
	got := read(t, w)
	if last := got.markers[len(got.markers)-1]; err == nil && last.Bytes != int64(len(s.data)) {
		t.Errorf("the last marker tells of %d bytes of %d", last.Bytes, len(s.data))
	}
	if (got.outcome.State == marker.Success) != (err == nil) || s.kept != (err == nil) {
		t.Errorf("%+v, %v; kept: %v", got.outcome, err, s.kept)
	}
	return got.outcome, err
}

// serving answers with data, as a good server does.
func serving(data []byte, sums string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"one"`)
		if sums != "" && r.Header.Get("Want-Digest") != "" {
			w.Header().Set("Digest", sums)
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(data))
	}
}

func TestPull(t *testing.T) {
	small, big := content(100_000), content(5<<20+3)
	for name, c := range map[string]struct {
		data     []byte
		sums     string
		requests int
		lines    []string
	}{
		"small":            {small, adler(small), 2, []string{"RequireChecksumVerification: true"}},
		"no checksum":      {small, "", 2, nil},
		"empty":            {nil, adler(nil), 1, nil},
		"big":              {big, adler(big), 3, nil},
		"big, one stream":  {big, adler(big), 2, []string{"X-Number-Of-Streams: 1"}},
		"big, two streams": {big, "", 3, []string{"X-Number-Of-Streams: 2"}},
	} {
		var requests atomic.Int64
		next := serving(c.data, c.sums)
		s := party(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			if r.Header.Get("Authorization") != "Bearer s3cr3t" || r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("User-Agent") != "canopy/test" {
				t.Errorf("%s: header %v", name, r.Header)
			}
			next(w, r)
		})
		var got stored
		outcome, err := pull(t, &got, append(c.lines, "Source: "+s.URL+"/f", "TransferHeaderAuthorization: Bearer s3cr3t")...)
		if err != nil || outcome.Message != "Created" || !bytes.Equal(got.data, c.data) || got.size != int64(len(c.data)) || requests.Load() != int64(c.requests) {
			t.Errorf("%s: %+v, %v; %d bytes, %d requests", name, outcome, err, len(got.data), requests.Load())
		}
		if (len(got.digests) > 0) != (c.sums != "") {
			t.Errorf("%s: digests %v", name, got.digests)
		}
	}
}

// TestSize asks sources of all manners how large a file is.
func TestSize(t *testing.T) {
	data := content(1000)
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  int64
	}{
		"plain": {serving(data, adler(data)), 1000},
		"signed for GET": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			serving(data, "")(w, r)
		}, 1000},
		"not there":    {http.NotFound, -1},
		"not told":     {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, -1},
		"made smaller": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip") }, -1},
	} {
		s := party(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer s3cr3t" || r.Header.Get("Want-Digest") != "" {
				t.Errorf("%s: header %v", name, r.Header)
			}
			c.serve(w, r)
		})
		if got := agent(t, Options{}).Size(t.Context(), order(t, "Source: "+s.URL+"/f", "TransferHeaderAuthorization: Bearer s3cr3t")); got != c.want {
			t.Errorf("%s: %d bytes", name, got)
		}
	}
}

func TestPullChecksum(t *testing.T) {
	data := content(100_000)
	s := party(t, serving(data, adler(data[1:])))
	var got stored
	outcome, err := pull(t, &got, "Source: "+s.URL+"/f")
	if !errors.Is(err, errSum) || !strings.Contains(outcome.Message, "adler32") {
		t.Errorf("%+v, %v", outcome, err)
	}
	if len(got.data) == len(data) {
		t.Error("all bytes were delivered, of a file that is not right")
	}
	// None, but one is required.
	s = party(t, serving(data, ""))
	var refusal *Refusal
	if _, err := pull(t, &got, "Source: "+s.URL+"/f", "RequireChecksumVerification: true"); !errors.As(err, &refusal) || refusal.Status != 501 {
		t.Error(err)
	}
}

// TestPullLate has a source that must read the file before it knows its
// checksum.
func TestPullLate(t *testing.T) {
	data := content(100_000)
	for name, c := range map[string]struct {
		sums, require string
		want          error
	}{
		"right":          {adler(data), "true", nil},
		"wrong":          {adler(data[1:]), "false", errSum},
		"none":           {"", "false", nil},
		"none, required": {"", "true", errUnsure},
	} {
		read := make(chan struct{})
		var once sync.Once
		good := serving(data, c.sums)
		s := party(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Want-Digest") != "" {
				select {
				case <-read:
				case <-r.Context().Done():
					return
				}
			}
			good(w, r)
			if r.Method == http.MethodGet {
				once.Do(func() { close(read) })
			}
		})
		a := agent(t, Options{})
		a.quick = 50 * time.Millisecond
		var got stored
		tr, err := a.Pull(t.Context(), order(t, "Source: "+s.URL+"/f", "RequireChecksumVerification: "+c.require), got.store)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Run(httptest.NewRecorder()); !errors.Is(err, c.want) || got.kept != (c.want == nil) {
			t.Errorf("%s: %v; kept: %v", name, err, got.kept)
		}
	}
}

// TestPullUnusual is of sources that do not do all that they should.
func TestPullUnusual(t *testing.T) {
	data := content(200_000)
	good := serving(data, "")
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want string // of the failure, "" for success
	}{
		"no HEAD": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "HEAD" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			good(w, r)
		}, ""},
		"no length": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			w.Write(data)
		}, ""},
		"another size": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "HEAD" {
				serving(data[1:], "")(w, r)
				return
			}
			good(w, r)
		}, "changed"},
		"encoded": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				w.Header().Set("Content-Encoding", "gzip")
			}
			good(w, r)
		}, "encodes"},
		"silent": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			good(w, r)
		}, "404"},
	} {
		s := party(t, c.h)
		var got stored
		outcome, err := pull(t, &got, "Source: "+s.URL+"/f")
		switch {
		case c.want == "" && (err != nil || !bytes.Equal(got.data, data)):
			t.Errorf("%s: %+v, %v", name, outcome, err)
		case c.want != "" && (err == nil || !strings.Contains(outcome.Message, c.want)):
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
	}
}

// TestPullChanges has the source break off, and be another file afterwards.
func TestPullChanges(t *testing.T) {
	data := content(200_000)
	for name, change := range map[string]func(w http.ResponseWriter, r *http.Request){
		"another tag":  func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Etag", `"two"`) },
		"another time": func(w http.ResponseWriter, r *http.Request) { w.Header().Del("Etag") },
	} {
		var mu sync.Mutex
		gets := 0
		s := party(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			w.Header().Set("Etag", `"one"`)
			at := time.Unix(1e9, 0)
			if r.Method == "GET" {
				if gets++; gets == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(len(data)))
					w.Header().Set("Last-Modified", at.UTC().Format(http.TimeFormat))
					w.Write(data[:1000])
					return // too few: net/http cuts the connection
				}
				change(w, r)
				at = at.Add(time.Hour)
				r.Header.Del("If-Match") // that the server does not know
			}
			http.ServeContent(w, r, "", at, bytes.NewReader(data))
		})
		var got stored
		if outcome, err := pull(t, &got, "Source: "+s.URL+"/f"); !errors.Is(err, errChanged) || !strings.Contains(outcome.Message, "changed") {
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
	}
}

// TestPullPinned has a door that sends each request to another pool, whose tags
// cannot be compared: parts come from one pool, until that fails.
func TestPullPinned(t *testing.T) {
	data := content(9<<20 + 3)
	for name, c := range map[string]struct {
		sums string
		dies bool
		want error
	}{
		"faithful":               {"", false, nil},
		"dying":                  {"", true, errChanged},
		"dying, with a checksum": {adler(data), true, nil},
	} {
		var asked [2]atomic.Int64
		var pools [2]*httptest.Server
		for i := range pools {
			pools[i] = party(t, func(w http.ResponseWriter, r *http.Request) {
				n := asked[i].Add(1)
				w.Header().Set("Etag", fmt.Sprintf(`"of-%d"`, i))
				if r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != w.Header().Get("Etag") {
					t.Errorf("%s: pool %d is asked for %s", name, i, r.Header.Get("If-Match"))
				}
				if c.dies && n > 1 && i == 0 {
					w.WriteHeader(http.StatusForbidden) // the address is used up
					return
				}
				http.ServeContent(w, r, "", time.Unix(int64(1e9+i), 0), bytes.NewReader(data))
			})
		}
		var turn atomic.Int64
		good := serving(data, c.sums)
		door := party(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "HEAD" {
				good(w, r)
				return
			}
			http.Redirect(w, r, pools[min(turn.Add(1)-1, 1)].URL+"/f", http.StatusFound)
		})
		var got stored
		_, err := pull(t, &got, "Source: "+door.URL+"/f", "X-Number-Of-Streams: 3")
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(got.data, data) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.dies && asked[1].Load() != 0 {
			t.Errorf("%s: the other pool was asked too", name)
		}
	}
}

// TestPullRefused is of failures that are known before the answer begins.
func TestPullRefused(t *testing.T) {
	data := content(1000)
	good := party(t, serving(data, ""))
	missing := party(t, http.NotFound)
	var refusal *Refusal
	var got stored
	if _, err := pull(t, &got, "Source: "+missing.URL+"/f"); !errors.As(err, &refusal) || refusal.Status != 404 || got.data != nil {
		t.Error(err)
	}
	full := &plugins.Error{Kind: plugins.Full}
	a := agent(t, Options{})
	_, err := a.Pull(t.Context(), order(t, "Source: "+good.URL+"/f"), func(context.Context, io.Reader, int64, []plugins.Digest) error { return full })
	if err != full {
		t.Errorf("a sink that has no room: %v", err)
	}
	// One that finds out later, or does not read to the end.
	for want, end := range map[string]error{"no room": full, "here": nil} {
		tr, err := a.Pull(t.Context(), order(t, "Source: "+good.URL+"/f"), func(_ context.Context, from io.Reader, _ int64, _ []plugins.Digest) error {
			if _, err := io.ReadFull(from, make([]byte, 10)); err != nil {
				t.Error(err)
			}
			return end
		})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := tr.Run(w); err == nil || end != nil && !errors.Is(err, end) {
			t.Error(err)
		}
		if got := read(t, w).outcome; got.State != marker.Failure || !strings.Contains(got.Message, want) {
			t.Errorf("%+v", got)
		}
	}
}

func TestContentRange(t *testing.T) {
	for value, want := range map[string][3]int64{
		"bytes 0-9/10": {0, 9, 10}, "Bytes 5-5/*": {5, 5, -1}, "bytes 9-0/10": {}, "bytes */10": {}, "bytes 0-9": {}, "": {},
		"bytes -1-9/10": {}, "bytes 0-99999999999999999999/10": {}, "lines 0-9/10": {}, "bytes 0-9/x": {},
	} {
		from, to, total, ok := contentRange(value)
		if got := [3]int64{from, to, total}; ok != (want != [3]int64{}) || ok && got != want {
			t.Errorf("%q: %v, %v", value, got, ok)
		}
	}
}

// FuzzContentRange: what is taken is a part of the whole.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 5-5/*", "bytes */10", "bytes 1-0/1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if from, to, total, ok := contentRange(value); ok && (from < 0 || to < from || total < -1 || total >= 0 && to >= total) {
			t.Errorf("%q: %d to %d of %d", value, from, to, total)
		}
	})
}
