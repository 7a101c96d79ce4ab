package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"canopy/plugins"
	"canopy/plugins/wire/marker"
)

// shelf is a destination in memory.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
	log   []string
	// spoil changes what arrives.
	spoil func([]byte) []byte
	// sums is whether it tells checksums.
	sums bool
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	var err error
	if r.Method == http.MethodPut {
		if r.URL.Path == "/full" {
			w.WriteHeader(http.StatusInsufficientStorage)
			return
		}
		body, err = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, r.Method)
	old, ok := s.files[r.URL.Path]
	switch r.Method {
	case http.MethodPut:
		if ok && r.Header.Get("If-None-Match") == "*" {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		if s.spoil != nil {
			body = s.spoil(body)
		}
		s.files[r.URL.Path] = body
		if err == nil {
			w.WriteHeader(http.StatusCreated)
		}
	case http.MethodDelete:
		delete(s.files, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodHead:
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if s.sums && r.Header.Get("Want-Digest") != "" {
			w.Header().Set("Digest", adler(old))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(old)))
	}
}

// push does it all, and returns what the last line says.
func push(t *testing.T, file File, lines ...string) (marker.Outcome, error) {
	t.Helper()
	tr, err := agent(t, Options{}).Push(t.Context(), order(t, lines...), file)
	if err != nil {
		return marker.Outcome{}, err
	}
	w := httptest.NewRecorder()
	err = tr.Run(w)
	got := read(t, w)
	if last := got.markers[len(got.markers)-1]; err == nil && last.Bytes != file.Size {
		t.Errorf("the last marker tells of %d bytes of %d", last.Bytes, file.Size)
	}
	if (got.outcome.State == marker.Success) != (err == nil) {
		t.Errorf("%+v, %v", got.outcome, err)
	}
	return got.outcome, err
}

// fileOf is a file in memory.
func fileOf(data []byte, sums ...plugins.Digest) File {
	return File{Size: int64(len(data)), Digests: sums, Open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data[offset:])), nil
	}}
}

func TestPush(t *testing.T) {
	data := content(300_000)
	breaks := 0
	for name, c := range map[string]struct {
		file  File
		shelf *shelf
		lines []string
		want  string // of the failure, "" for success
		// log are the requests, "" where their order is not certain and
		// nothing is to be left.
		log string
	}{
		"new":      {file: fileOf(data, sum("adler32", data)), shelf: &shelf{sums: true}, lines: []string{"RequireChecksumVerification: true"}, log: "HEAD PUT HEAD"},
		"empty":    {file: fileOf(nil), shelf: &shelf{sums: true}, lines: []string{"RequireChecksumVerification: true"}, log: "HEAD PUT HEAD"},
		"replaced": {file: fileOf(data), shelf: &shelf{files: map[string][]byte{"/f": {1}}}, log: "HEAD PUT HEAD"},
		"resumed": {file: File{Size: int64(len(data)), Open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
			if breaks++; breaks == 1 {
				return io.NopCloser(io.MultiReader(bytes.NewReader(data[:1000]), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
			}
			return io.NopCloser(bytes.NewReader(data[offset:])), nil
		}}, log: "HEAD PUT HEAD"},
		"spoilt": {
			file: fileOf(data), shelf: &shelf{sums: true, spoil: func(b []byte) []byte { b[7] ^= 1; return b }},
			want: "checksum", log: "HEAD PUT HEAD DELETE",
		},
		"cut short": {
			file: fileOf(data), shelf: &shelf{spoil: func(b []byte) []byte { return b[1:] }},
			want: "299999 bytes of 300000", log: "HEAD PUT HEAD DELETE",
		},
		"spoilt in place of another": {
			file: fileOf(data), shelf: &shelf{files: map[string][]byte{"/f": {1}}, spoil: func(b []byte) []byte { return b[1:] }},
			want: "bytes of", log: "HEAD PUT HEAD",
		},
		"no checksum": {
			file: fileOf(data), lines: []string{"RequireChecksumVerification: true"},
			want: "no checksum", log: "HEAD PUT HEAD DELETE",
		},
		"not what we have": {file: fileOf(data, sum("md5", data[1:])), want: "md5"},
		"shorter": {file: File{Size: 400_000, Open: func(ctx context.Context, offset int64) (io.ReadCloser, error) {
			if offset > 0 {
				return nil, &plugins.Error{Kind: plugins.Changed, Op: "open"}
			}
			return fileOf(data).Open(ctx, offset)
		}}, want: "here: changed"},
	} {
		d := c.shelf
		if d == nil {
			d = &shelf{}
		}
		if d.files == nil {
			d.files = make(map[string][]byte)
		}
		s := party(t, d.ServeHTTP)
		outcome, err := push(t, c.file, append(c.lines, "Destination: "+s.URL+"/f")...)
		s.Close()
		if c.want == "" && (err != nil || int64(len(d.files["/f"])) != c.file.Size) || c.want != "" && !strings.Contains(outcome.Message, c.want) {
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
		if got := strings.Join(d.log, " "); c.log != "" && got != c.log {
			t.Errorf("%s: %s, want %s", name, got, c.log)
		}
		if _, left := d.files["/f"]; left && (c.log == "" || strings.HasSuffix(c.log, "DELETE")) {
			t.Errorf("%s: the file was left behind", name)
		}
	}
}

// TestPushRefused is of failures that are known before the answer begins, and
// leave alone what they have not made.
func TestPushRefused(t *testing.T) {
	data := content(300_000)
	d := &shelf{files: map[string][]byte{"/there": {1}}}
	s := party(t, d.ServeHTTP)
	var refusal *Refusal
	if _, err := push(t, fileOf(data), "Destination: "+s.URL+"/there", "Overwrite: F"); !errors.As(err, &refusal) || refusal.Status != 412 {
		t.Errorf("what is there: %v", err)
	}
	if _, err := push(t, fileOf(data), "Destination: "+s.URL+"/full"); !errors.As(err, &refusal) || refusal.Status != 507 {
		t.Errorf("no room: %v", err)
	}
	gone := &plugins.Error{Kind: plugins.NotFound, Op: "open"}
	broken := File{Size: 10, Open: func(context.Context, int64) (io.ReadCloser, error) { return nil, gone }}
	if outcome, err := push(t, broken, "Destination: "+s.URL+"/new"); !errors.Is(err, gone) || outcome.Message != "the source here: not found" {
		t.Errorf("nothing to read: %+v, %v", outcome, err)
	}
	if len(d.files) != 1 {
		t.Errorf("%d files are left", len(d.files))
	}
}

// TestPushRedirected has the destination send the file elsewhere, once before
// and once after it has read it.
func TestPushRedirected(t *testing.T) {
	data := content(300_000)
	d := &shelf{files: make(map[string][]byte), sums: true}
	pool := party(t, d.ServeHTTP)
	for name, eager := range map[string]bool{"lazy": false, "eager": true} {
		door := party(t, func(w http.ResponseWriter, r *http.Request) {
			if eager {
				io.Copy(io.Discard, r.Body)
			}
			http.Redirect(w, r, pool.URL+r.URL.Path, http.StatusTemporaryRedirect)
		})
		outcome, err := push(t, fileOf(data), "Destination: "+door.URL+"/"+name, "RequireChecksumVerification: true")
		if err != nil || !bytes.Equal(d.files["/"+name], data) {
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
	}
}

// TestPushGone ends the client's request in the middle of the file.
func TestPushGone(t *testing.T) {
	d := &shelf{files: make(map[string][]byte)}
	s := party(t, d.ServeHTTP)
	ctx, cancel := context.WithCancel(t.Context())
	file := File{Size: 1 << 20, Open: func(ctx context.Context, _ int64) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(content(1000)), until(ctx, cancel))), nil
	}}
	tr, err := agent(t, Options{}).Push(ctx, order(t, "Destination: "+s.URL+"/f"), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(httptest.NewRecorder()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.Close()
	if len(d.files) != 0 {
		t.Errorf("a part of the file is left after %v", d.log)
	}
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// until calls first when it is read, and ends with ctx.
func until(ctx context.Context, first func()) io.Reader {
	return reader(func([]byte) (int, error) {
		first()
		<-ctx.Done()
		return 0, ctx.Err()
	})
}
