package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/webdav"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/wire/marker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t *testing.T, raw string) client.Address {
	t.Helper()
	a, err := client.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newCopier(t *testing.T, config client.Config) *Copier {
	config.Timeout = 10 * time.Second
	c := client.New(config)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Copier{Server: c, Progress: func(int64) {}}
}

// reports are the markers of one stream that has copied so many bytes each time.
func reports(t *testing.T, bytes ...int64) string {
	var b strings.Builder
	for _, n := range bytes {
		if err := marker.Write(&b, marker.Marker{Bytes: n, Stripes: 1}); err != nil {
			t.Error(err)
		}
	}
	return b.String()
}

// site is a WebDAV server of a folder, with a hand of its own for COPY.
type site struct {
	dir, url string
	// copy answers COPY; nil is as a server does that knows RFC 4918 only.
	copy http.HandlerFunc
}

func newSite(t *testing.T) *site {
	s := &site{dir: t.TempDir()}
	plain := &webdav.Handler{FileSystem: webdav.Dir(s.dir), LockSystem: webdav.NewMemLS()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "COPY" && s.copy != nil {
			s.copy(w, r)
			return
		}
		plain.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		t.Error(err)
	}
}

// holds fails the test unless the file name has content, or is not there for "".
func (s *site) holds(t *testing.T, name, content string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(s.dir, name))
	if string(got) != content || (content == "") != errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %q, %v", name, got, err)
	}
}

// TestFile lets servers copy that do so well or badly.
func TestFile(t *testing.T) {
	const content = "the content"
	// says answers with 202 and a body once the file is at the destination.
	says := func(to *site, arrived, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if arrived != "" {
				to.write(t, "f", arrived)
			}
			w.WriteHeader(http.StatusAccepted)
			io.WriteString(w, body)
		}
	}
	good := reports(t, 5, 11) + "success: Created\n"
	for _, test := range []struct {
		name  string
		there string
		set   func(from, to *site, c *Copier)
		mode  string
		kind  plugins.Kind
		says  string
		holds string
	}{
		{
			name: "pull", mode: "pull", holds: content,
			set: func(from, to *site, c *Copier) {
				to.copy = func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Source") != from.url+"/f" || r.Header.Get("Destination") != "" || r.Header.Get("Overwrite") != "F" ||
						r.Header.Get("Credential") != "none" || r.Header.Get("RequireChecksumVerification") != "false" || r.Header.Get("X-Number-Of-Streams") != "3" {
						t.Errorf("header %v", r.Header)
					}
					says(to, content, good)(w, r)
				}
				c.Terms.Streams = 3
			},
		},
		{
			name: "push", mode: "push", holds: content,
			set: func(from, to *site, c *Copier) {
				from.copy = func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Destination") != to.url+"/f" || r.Header.Get("Source") != "" {
						t.Errorf("header %v", r.Header)
					}
					says(to, content, good)(w, r)
				}
			},
		},
		{name: "neither", kind: plugins.Unsupported, says: "neither server copies to or from others"},
		{
			name: "failure", kind: plugins.Faulty, says: "says: failure: no route",
			set: func(from, to *site, c *Copier) { to.copy = says(to, content[:5], "failure: no route\n") },
		},
		{
			name: "broken off", kind: plugins.Malformed, says: "without saying whether the copy succeeded",
			set: func(from, to *site, c *Copier) { to.copy = says(to, content[:5], reports(t, 5)) },
		},
		{
			name: "too little", kind: plugins.Malformed, says: "the copy has 5 bytes, not 11",
			set: func(from, to *site, c *Copier) { to.copy = says(to, content[:5], good) },
		},
		{
			name: "nothing at all", kind: plugins.NotFound, says: "could not be verified",
			set: func(from, to *site, c *Copier) { to.copy = says(to, "", good) },
		},
		{
			name: "done without markers", mode: "pull", holds: content,
			set: func(from, to *site, c *Copier) {
				to.copy = func(w http.ResponseWriter, r *http.Request) {
					to.write(t, "f", content)
					w.WriteHeader(http.StatusCreated)
				}
			},
		},
		{
			name: "denied", kind: plugins.Denied, says: "answered 403",
			set: func(from, to *site, c *Copier) {
				to.copy = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }
				from.copy = func(w http.ResponseWriter, r *http.Request) { t.Error("the source was asked, too") }
			},
		},
		{name: "there", there: "old", kind: plugins.Exists, says: "/f: exists already", holds: "old"},
		{
			name: "there and replaced in part", there: "old", kind: plugins.Faulty, says: "no route", holds: content[:5],
			set: func(from, to *site, c *Copier) {
				c.Terms.Replace = true
				to.copy = says(to, content[:5], "failure: no route\n")
			},
		},
		{
			name: "somebody else's", kind: plugins.Faulty, holds: content + " and more",
			set: func(from, to *site, c *Copier) { to.copy = says(to, content+" and more", "failure: it exists\n") },
		},
		{
			name: "no checksum", kind: plugins.Unsupported, says: "not both servers tell that checksum", holds: content,
			set: func(from, to *site, c *Copier) {
				c.Checksum = "md5"
				to.copy = says(to, content, good)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, to, c := newSite(t), newSite(t), newCopier(t, client.Config{})
			from.write(t, "f", content)
			if test.there != "" {
				to.write(t, "f", test.there)
			}
			if test.set != nil {
				test.set(from, to, c)
			}
			var total int64
			c.Progress = func(n int64) { total = n }
			r, err := c.File(t.Context(), parse(t, from.url+"/f"), parse(t, to.url+"/f"))
			if plugins.KindOf(err) != test.kind || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v, %v", r, err)
			}
			if err == nil && (r.Mode != test.mode || r.Size != int64(len(content))) {
				t.Errorf("%+v", r)
			}
			if err == nil && total != 11 && test.name != "done without markers" {
				t.Errorf("progress %d", total)
			}
			to.holds(t, "f", test.holds)
		})
	}
}

// TestAstray: a server that takes a push for a copy at home neither replaces
// anything nor leaves anything.
func TestAstray(t *testing.T) {
	for _, there := range []string{"", "another file"} {
		from := rig.TempDir(t)
		if err := os.WriteFile(filepath.Join(from, "f"), []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
		apache := rig.Apache(t, from)
		home := &site{dir: from}
		if there != "" {
			home.write(t, "g", there)
		}
		to, c := newSite(t), newCopier(t, client.Config{})
		c.Terms.Replace = true
		if _, err := c.File(t.Context(), parse(t, apache.URL()+"/f"), parse(t, to.url+"/g")); !errors.Is(err, ErrUnable) {
			t.Error(err)
		}
		home.holds(t, "g", there)
		to.holds(t, "g", "")
	}
}

// TestInterrupted ends the copy at the server, and removes what has come.
func TestInterrupted(t *testing.T) {
	from, to, c := newSite(t), newSite(t), newCopier(t, client.Config{})
	from.write(t, "f", "the content")
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan struct{})
	to.copy = func(w http.ResponseWriter, r *http.Request) {
		to.write(t, "f", "the")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, reports(t, 3))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(ended)
	}
	c.Progress = func(int64) { interrupt() }
	if _, err := c.File(ctx, parse(t, from.url+"/f"), parse(t, to.url+"/f")); plugins.KindOf(err) != plugins.Canceled {
		t.Error(err)
	}
	to.holds(t, "f", "")
	<-ended
}

// TestDelegate passes the credential on only where that was asked for.
func TestDelegate(t *testing.T) {
	for _, delegate := range []bool{false, true} {
		t.Run(fmt.Sprint(delegate), func(t *testing.T) {
			from, to := newSite(t), newSite(t)
			from.write(t, "f", "x")
			at := parse(t, to.url+"/f")
			config := client.Config{Trusted: []client.Address{at}}
			config.Credentials.BearerFile = filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(config.Credentials.BearerFile, []byte("secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c := newCopier(t, config)
			c.Terms.Delegate = delegate
			to.copy = func(w http.ResponseWriter, r *http.Request) {
				want := ""
				if delegate {
					want = "Bearer secret"
				}
				if got := r.Header.Get("TransferHeaderAuthorization"); got != want {
					t.Errorf("passed on %q", got)
				}
				to.write(t, "f", "x")
				w.WriteHeader(http.StatusCreated)
			}
			if _, err := c.File(t.Context(), parse(t, from.url+"/f"), at); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestXRootD copies between a real XRootD and a real Apache, both ways: from
// Apache the former pulls, to it it pushes.
func TestXRootD(t *testing.T) {
	apacheDir, xrootdDir := rig.TempDir(t), rig.TempDir(t)
	content := strings.Repeat("0123456789", 100_000)
	if err := os.WriteFile(filepath.Join(apacheDir, "f"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	apache := rig.Apache(t, apacheDir)
	xrootd := rig.XRootD(t, xrootdDir, rig.ThirdParty())
	c := newCopier(t, client.Config{})
	holds := func(dir, name string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != content {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	r, err := c.File(t.Context(), parse(t, apache.URL()+"/f"), parse(t, xrootd.URL()+"/pulled"))
	if err != nil || r.Mode != "pull" {
		t.Fatalf("%+v, %v", r, err)
	}
	holds(xrootdDir, "pulled")
	r, err = c.File(t.Context(), parse(t, xrootd.URL()+"/pulled"), parse(t, apache.URL()+"/pushed"))
	if err != nil || r.Mode != "push" {
		t.Fatalf("%+v, %v", r, err)
	}
	holds(apacheDir, "pushed")
	if _, err = c.File(t.Context(), parse(t, apache.URL()+"/none"), parse(t, xrootd.URL()+"/x")); plugins.KindOf(err) != plugins.NotFound {
		t.Error(err)
	}
}
