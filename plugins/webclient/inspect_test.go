package webclient

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
)

// TestInspect: who is asked what, and what is made of the answer.
func TestInspect(t *testing.T) {
	type answer struct {
		status int
		allow  []string
	}
	for name, c := range map[string]struct {
		file, directory answer
		path            string
		want            plugins.Verdict
		asked           string
	}{
		"new file":              {file: answer{200, []string{"OPTIONS,MKCOL,PUT,LOCK"}}, want: plugins.Yes, asked: "/d/in/new"},
		"in another line":       {file: answer{200, []string{"GET", "HEAD, PUT"}}, want: plugins.Yes, asked: "/d/in/new"},
		"read only":             {file: answer{200, []string{"GET, HEAD, PUTTING, put"}}, want: plugins.No, asked: "/d/in/new"},
		"none at all":           {file: answer{200, []string{""}}, want: plugins.No, asked: "/d/in/new"},
		"refusing OPTIONS":      {file: answer{405, []string{"GET, HEAD"}}, want: plugins.No, asked: "/d/in/new"},
		"silent, then a yes":    {file: answer{404, nil}, directory: answer{200, []string{"PUT"}}, want: plugins.Yes, asked: "/d/in/new /d/in/"},
		"silent, then a no":     {file: answer{404, nil}, directory: answer{200, []string{"GET"}}, want: plugins.No, asked: "/d/in/new /d/in/"},
		"silent":                {file: answer{501, nil}, directory: answer{500, nil}, asked: "/d/in/new /d/in/"},
		"not let in":            {file: answer{401, nil}, directory: answer{403, nil}, asked: "/d/in/new /d/in/"},
		"elsewhere":             {file: answer{307, nil}, directory: answer{307, nil}, asked: "/d/in/new /d/in/"},
		"the root and no other": {file: answer{200, nil}, path: "/", asked: "/d"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			_, client := serve(t, "/d", func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodOptions {
					t.Errorf("asked by %s", r.Method)
				}
				asked = append(asked, r.URL.Path)
				a := c.file
				if strings.HasSuffix(r.URL.Path, "/") {
					a = c.directory
				}
				for _, line := range a.allow {
					w.Header().Add("Allow", line)
				}
				w.Header().Set("Location", "https://other.example.org/")
				w.WriteHeader(a.status)
			})
			path := c.path
			if path == "" {
				path = "/in/new"
			}
			got, err := client.Inspect(t.Context(), path)
			if err != nil || got.Writable != c.want || !got.Timed || got.Skew.Abs() > time.Second {
				t.Errorf("got %+v, %v; want %v", got, err, c.want)
			}
			if got := strings.Join(asked, " "); got != c.asked {
				t.Errorf("asked %s, want %s", got, c.asked)
			}
		})
	}
}

// TestInspectClock: the storage's time is compared with ours when it was
// asked, the time on the way being halved.
func TestInspectClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var date string
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(2 * time.Second) // there and back
			w.Header()["Date"] = nil
			if date != "" {
				w.Header().Set("Date", date)
			}
			w.Header().Set("Allow", "GET")
		})
		pipe := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: handler}
		defer server.Close()
		go server.Serve(pipe)
		env := testEnv()
		env.Dial = pipe.dial
		client, err := New(Config{URL: "http://geneva.example"}, env)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for _, c := range []struct {
			ahead time.Duration
			want  time.Duration
		}{
			{0, 500 * time.Millisecond},
			{time.Hour, time.Hour + 500*time.Millisecond},
			{-10 * time.Minute, -10*time.Minute + 500*time.Millisecond},
		} {
			// The fake clock began at a full second, and all waits are of some.
			date = time.Now().Add(time.Second + c.ahead).UTC().Format(http.TimeFormat)
			got, err := client.Inspect(t.Context(), "/x")
			if err != nil || !got.Timed || got.Skew != c.want {
				t.Errorf("%v ahead: %+v, %v", c.ahead, got, err)
			}
		}
		for _, date = range []string{"", "yesterday", "0"} {
			got, err := client.Inspect(t.Context(), "/x")
			if err != nil || got != (plugins.Inspection{Writable: plugins.No}) {
				t.Errorf("Date %q: %+v, %v", date, got, err)
			}
		}
	})
}

func TestInspectFails(t *testing.T) {
	s, client := serve(t, "", func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Inspect(ctx, "/x")
	wantKind(t, err, plugins.Canceled)
	s.Close()
	_, err = client.Inspect(t.Context(), "/x")
	wantKind(t, err, plugins.Unavailable)
}

// pipeListener accepts connections that never leave the process.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours, nil
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { close(l.closed); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }
