package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/webdav"

	"canopy/plugins/wire/metalink"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"canopy": main})
}

// TestScripts runs the commands as a user does. $DAV is the address of a
// WebDAV server of the folder srv of each script, $FED that of a federation of
// it with a second, dead server, $LOGIN the WebDAV server for those who know the
// password, $AHEAD the same with a clock that is two hours ahead, $CHATTY a
// server that says more than it was asked for.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"status": status},
		Setup: func(env *testscript.Env) error {
			srv := filepath.Join(env.WorkDir, "srv")
			if err := os.MkdirAll(srv, 0o700); err != nil {
				return err
			}
			dav := httptest.NewServer(&webdav.Handler{FileSystem: webdav.Dir(srv), LockSystem: webdav.NewMemLS()})
			env.Defer(dav.Close)
			login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "topsecret" {
					http.Error(w, "who are you?", http.StatusUnauthorized)
					return
				}
				dav.Config.Handler.ServeHTTP(w, r)
			}))
			env.Defer(login.Close)
			ahead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))
				dav.Config.Handler.ServeHTTP(w, r)
			}))
			env.Defer(ahead.Close)
			chatty, err := talkative()
			if err != nil {
				return err
			}
			env.Defer(func() { chatty.Close() })
			dead := httptest.NewServer(nil)
			dead.Close()
			fed := httptest.NewServer(federation{dav: dav.URL, dead: dead.URL, files: dav.Config.Handler})
			env.Defer(fed.Close)
			// The race detector lets every command wait a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("DAV", dav.URL)
			env.Setenv("FED", fed.URL)
			env.Setenv("CHATTY", "http://"+chatty.Addr().String())
			env.Setenv("LOGIN", login.URL)
			env.Setenv("AHEAD", ahead.URL)
			env.Setenv("DEAD", dead.URL)
			return nil
		},
	})
}

// talkative answers every request that it has no such file, twice.
func talkative() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body) // its end is all that matters
					answer := "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
					if _, err := io.WriteString(c, answer+answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l, nil
}

// status runs a command and wants the given exit status: status 2 canopy ls.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}

// federation answers as Canopy does, for one live and one dead endpoint.
type federation struct {
	dav, dead string
	files     http.Handler
}

func (f federation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	live, dead := f.dav+r.URL.EscapedPath(), f.dead+r.URL.EscapedPath()
	query := r.URL.Query()
	switch {
	case r.Method == "PROPFIND":
		w.Header().Set("Trailer", "Canopy-Incomplete")
		f.files.ServeHTTP(w, r)
		w.Header().Set("Canopy-Incomplete", "dead")
	case r.Method == http.MethodHead:
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?metalink>; rel=describedby; type=%q`, r.Host, r.URL.EscapedPath(), metalink.MediaType4))
		w.Header().Add("Link", fmt.Sprintf("<%s>; rel=duplicate; pri=2, <%s>; rel=duplicate; pri=1", live, dead))
		// The handler takes HEAD like GET, whose body is dropped.
		f.files.ServeHTTP(w, r)
	case query.Has("metalink"):
		w.Header().Set("Content-Type", metalink.MediaType4)
		m := metalink.NewWriter(w, metalink.V4)
		// The error is that of a client gone away.
		_ = m.Write(metalink.File{Name: "f", Size: -1, URLs: []metalink.URL{{URL: dead, Priority: 1}, {URL: live, Priority: 2}}})
		_ = m.Close()
	case query.Has("replicas"), query.Has("explain"):
		// This is how package frontend writes it.
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"path":%q,"href":%q,"kind":"file","size":6,"replicas":[{"endpoint":"live","site":"SITE","url":%q,"priority":1,"group":1}],"incomplete":["dead"],`+
			`"client":{"address":"192.0.2.7","https":false,"site":"SITE","source":"stated"},"reasons":[{"endpoint":"live","site":"SITE","url":%[3]q,"place":1,"size":6,`+
			`"scores":[{"policy":"site","says":"the same"},{"policy":"latency","says":"3 ms"}]},{"endpoint":"dead","refused":"it is down"}]}`, r.URL.Path, r.URL.EscapedPath(), live)
	default:
		http.Redirect(w, r, live, http.StatusFound)
	}
}
