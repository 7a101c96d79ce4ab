package guard

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"canopy/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// token is what may not show anywhere but at the party it is for.
const token = "Bearer s3cr3t"

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// read asks with GET and a token.
func read(t *testing.T, c *Client, at string) (string, error) {
	t.Helper()
	resp, err := c.Do(t.Context(), Ask{Method: "GET", Stated: parse(t, at), Secret: http.Header{"Authorization": {token}}})
	if err != nil {
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the error shows the token: %v", err)
		}
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// names resolves every name to what answer says at that moment.
func names(answer func(name string) netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			buffer := make([]byte, 512)
			for {
				// A pipe is a stream, for which messages have their length before them.
				if _, err := io.ReadFull(ours, buffer[:2]); err != nil {
					return
				}
				n := int(buffer[0])<<8 | int(buffer[1])
				if _, err := io.ReadFull(ours, buffer[:n]); err != nil {
					return
				}
				var m dnsmessage.Message
				if m.Unpack(buffer[:n]) != nil {
					return
				}
				m.Response, m.Additionals = true, nil
				q := m.Questions[0]
				if q.Type == dnsmessage.TypeA {
					a := answer(strings.TrimSuffix(q.Name.String(), "."))
					m.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
						Body:   &dnsmessage.AResource{A: a.As4()},
					}}
				}
				packed, err := m.Pack()
				if err != nil {
					return
				}
				if _, err := ours.Write(append([]byte{byte(len(packed) >> 8), byte(len(packed))}, packed...)); err != nil {
					return
				}
			}
		}()
		return theirs, nil
	}}
}

func loopback(string) netip.Addr { return netip.MustParseAddr("127.0.0.1") }

func TestPrivateIsRefused(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1) })
	port := parse(t, s.URL).Port()
	c := client(t, Options{Resolver: names(loopback)})
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "rebound.example.org", "localhost", "LOCALHOST."} {
		_, err := read(t, c, "http://"+host+":"+port+"/")
		var refused *Refused
		if !errors.As(err, &refused) || plugins.KindOf(err) != plugins.Invalid || strings.Contains(refused.Error(), "127.0.0.1") != strings.Contains(host, "127.0.0.1") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	if err := c.Check(parse(t, "http://169.254.169.254/latest")); err == nil {
		t.Error("an address in the URL is known to be refused before anybody is asked")
	}
	if err := c.Check(parse(t, "http://rebound.example.org/")); err != nil {
		t.Errorf("a name cannot be judged before it is resolved: %v", err)
	}
}

// TestRebinding has a name change its address between two requests.
func TestRebinding(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "inside")
	})
	port := parse(t, s.URL).Port()
	var inside atomic.Bool
	c := client(t, Options{Allow: []string{"127.0.0.1"}, Resolver: names(func(string) netip.Addr {
		if inside.Load() {
			return netip.MustParseAddr("127.0.0.2")
		}
		return netip.MustParseAddr("127.0.0.1")
	})})
	if got, err := read(t, c, "http://turncoat.example.org:"+port+"/"); got != "inside" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	inside.Store(true)
	var refused *Refused
	if _, err := read(t, c, "http://turncoat.example.org:"+port+"/"); !errors.As(err, &refused) {
		t.Errorf("after the name has moved: %v", err)
	}
}

func TestRedirectsAreJudged(t *testing.T) {
	var to atomic.Value
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/secret" {
			io.WriteString(w, "secret")
			return
		}
		w.Header().Set("Location", to.Load().(string))
		w.WriteHeader(http.StatusFound)
	})
	port := parse(t, s.URL).Port()
	c := client(t, Options{Allow: []string{"door.example.org"}, Resolver: names(loopback)})
	for location, ok := range map[string]bool{
		"/secret": true,
		"http://door.example.org:" + port + "/secret":   true,
		"http://127.0.0.1:" + port + "/secret":          false,
		"http://[::ffff:7f00:1]:" + port + "/secret":    false,
		"http://inside.example.org:" + port + "/secret": false,
		"//127.0.0.1:" + port + "/secret":               false,
		"http://127.1:" + port + "/secret":              false,
		"http://2130706433:" + port + "/secret":         false,
		"/loop":                                         false,
		"":                                              false,
		"ftp://door.example.org/":                       false,
		"file:///etc/passwd":                            false,
		"http:door.example.org":                         false,
		"http://%zz/":                                   false,
		"gopher://door.example.org":                     false,
	} {
		to.Store(location)
		got, err := read(t, c, "http://door.example.org:"+port+"/")
		if (got == "secret") != ok || (err == nil) != ok {
			t.Errorf("%q: %q, %v", location, got, err)
		}
	}
}

// TestCredentials follows a token over redirects.
func TestCredentials(t *testing.T) {
	var other, pool, plain *httptest.Server
	tell := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s", r.Header.Get("Authorization")) }
	plain = serve(t, tell)
	pool = httptest.NewTLSServer(http.HandlerFunc(tell))
	defer pool.Close()
	other = serve(t, tell)
	door := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{
			"/pool":  "https://pool.example.com:" + parse(t, pool.URL).Port(),
			"/ip":    pool.URL,
			"/plain": plain.URL,
		}[r.URL.Path]
		if to == "" {
			tell(w, r)
			return
		}
		http.Redirect(w, r, to+"/", http.StatusTemporaryRedirect)
	}))
	defer door.Close()
	first := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/", http.StatusFound) })
	at := "https://door.example.com:" + parse(t, door.URL).Port()

	ca := filepath.Join(t.TempDir(), "ca")
	if err := os.Mkdir(ca, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"0123abcd.0":              pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: door.Certificate().Raw}),
		"0123abcd.signing_policy": []byte("no certificate"),
	} {
		if err := os.WriteFile(filepath.Join(ca, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := Options{Private: true, CA: ca, Resolver: names(loopback)}
	c := client(t, options)
	for url, want := range map[string]string{
		at + "/here":    token,
		at + "/pool":    token,
		at + "/ip":      "",
		first.URL + "/": "",
	} {
		if got, err := read(t, c, url); got != want || err != nil {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
	if _, err := read(t, c, at+"/plain"); plugins.KindOf(err) != plugins.Invalid || !strings.Contains(err.Error(), "https to http") {
		t.Errorf("from https to http with a token: %v", err)
	}
	resp, err := c.Do(t.Context(), Ask{Method: "GET", Stated: parse(t, at+"/plain")})
	if err != nil {
		t.Errorf("from https to http without one: %v", err)
	} else {
		resp.Body.Close()
	}
	if _, err := c.Do(t.Context(), Ask{Method: "GET", Stated: parse(t, at+"/plain"), Secure: true}); plugins.KindOf(err) != plugins.Invalid {
		t.Errorf("from https to http where that was not wanted: %v", err)
	}
	options.Allow = []string{"127.0.0.0/8"}
	if got, err := read(t, client(t, options), first.URL+"/"); got != token || err != nil {
		t.Errorf("a trusted host: %q, %v", got, err)
	}
	options.CA = ""
	if _, err := read(t, client(t, options), at+"/here"); plugins.KindOf(err) != plugins.Unavailable || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
	for _, bad := range []string{filepath.Join(ca, "absent"), filepath.Join(ca, "0123abcd.signing_policy")} {
		if _, err := New(Options{CA: bad}); err == nil {
			t.Errorf("%s is taken for an authority", bad)
		}
	}
}

// counted is content that counts how often it is ended.
type counted struct {
	io.Reader
	closed *int
}

func (c counted) Close() error { *c.closed++; return nil }

func TestUpload(t *testing.T) {
	const content = "the whole file"
	var got, expect string
	last := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, expect = string(b), r.Header.Get("Expect")
		w.WriteHeader(http.StatusCreated)
	})
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/eager":
			io.Copy(io.Discard, r.Body)
		case "/full":
			w.WriteHeader(http.StatusInsufficientStorage)
			return
		case "/other":
			http.Redirect(w, r, last.URL+"/", http.StatusSeeOther)
			return
		}
		http.Redirect(w, r, last.URL+"/", http.StatusTemporaryRedirect)
	})
	c := client(t, Options{Private: true})
	for _, tt := range []struct {
		path   string
		opened int
		kind   plugins.Kind
	}{{"/lazy", 1, 0}, {"/eager", 2, 0}, {"/full", 0, plugins.Full}, {"/other", 0, plugins.Malformed}} {
		got, expect = "", ""
		opened, closed := 0, 0
		body := &Content{Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
			opened++
			return counted{strings.NewReader(content), &closed}, nil
		}}
		resp, err := c.Do(t.Context(), Ask{Method: "PUT", Stated: parse(t, first.URL+tt.path), Content: body})
		if plugins.KindOf(err) != tt.kind {
			t.Errorf("%s: %v", tt.path, err)
		}
		if err == nil {
			resp.Body.Close()
			if got != content || expect != "100-continue" {
				t.Errorf("%s: %q arrived, Expect: %q", tt.path, got, expect)
			}
		}
		body.Close()
		if opened != tt.opened || closed != opened {
			t.Errorf("%s: opened %d times, closed %d times", tt.path, opened, closed)
		}
	}
}

func TestSilence(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			io.WriteString(w, "a")
			w.(http.Flusher).Flush()
		}
		<-release
	})
	defer close(release)
	c := client(t, Options{Private: true, Idle: 50 * time.Millisecond})
	for _, path := range []string{"/header", "/body"} {
		if _, err := read(t, c, s.URL+path); plugins.KindOf(err) != plugins.Timeout {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestErrors(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangup" {
			panic(http.ErrAbortHandler)
		}
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		io.WriteString(w, token)
	})
	c := client(t, Options{Private: true})
	for path, want := range map[string]plugins.Kind{
		"/404": plugins.NotFound, "/410": plugins.NotFound, "/401": plugins.Denied, "/403": plugins.Denied, "/405": plugins.Unsupported,
		"/409": plugins.NoParent, "/412": plugins.Changed, "/416": plugins.OutOfRange, "/423": plugins.Locked, "/429": plugins.Busy,
		"/503": plugins.Busy, "/500": plugins.Faulty, "/504": plugins.Timeout, "/507": plugins.Full, "/418": plugins.Invalid, "/304": plugins.Malformed,
		"/hangup": plugins.Unavailable,
	} {
		_, err := read(t, c, s.URL+path+"?sig=s3cr3t")
		var status *StatusError
		if plugins.KindOf(err) != want || errors.As(err, &status) == (path == "/hangup") {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(ctx, Ask{Method: "GET", Stated: parse(t, s.URL)}); plugins.KindOf(err) != plugins.Canceled {
		t.Errorf("a caller who has gone: %v", err)
	}
	s.Close()
	if _, err := read(t, c, s.URL); plugins.KindOf(err) != plugins.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
}
