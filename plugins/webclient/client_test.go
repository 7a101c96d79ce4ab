package webclient

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"canopy/plugins"
)

func TestDoSendsWhatStoragesExpect(t *testing.T) {
	var got *http.Request
	var body string
	s, _ := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		w.WriteHeader(http.StatusMultiStatus)
	})
	c := newClient(t, Config{URL: s.URL + "/dav", Credentials: Credentials{Basic: &Basic{User: "ops", Password: "geheim"}}}, testEnv())
	for range 2 {
		resp, err := c.Do(t.Context(), Request{
			Op: "list", Method: "PROPFIND", Path: "/a b", Collection: true, Query: "x=1",
			Header: http.Header{"Depth": {"1"}}, Body: []byte("<propfind/>"),
		})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if got.Method != "PROPFIND" || got.RequestURI != "/dav/a%20b/?x=1" || body != "<propfind/>" || got.ContentLength != int64(len(body)) {
		t.Errorf("request %s %s with %q", got.Method, got.RequestURI, body)
	}
	if user, password, ok := got.BasicAuth(); !ok || user != "ops" || password != "geheim" {
		t.Errorf("Authorization: %q", got.Header.Get("Authorization"))
	}
	for name, want := range map[string]string{"Depth": "1", "Accept-Encoding": "identity", "Cookie": "", "X-Idempotency-Key": ""} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("%s: %q, want %q", name, h, want)
		}
	}
	if ua := got.UserAgent(); !strings.HasPrefix(ua, "canopy/") {
		t.Errorf("User-Agent: %q", ua)
	}
}

func TestStatusToKind(t *testing.T) {
	for _, c := range []struct {
		status     int
		retryAfter string
		kind       plugins.Kind
		pause      time.Duration
	}{
		{404, "", plugins.NotFound, 0}, {410, "", plugins.NotFound, 0},
		{401, "", plugins.Denied, 0}, {403, "", plugins.Denied, 0},
		{405, "", plugins.Unsupported, 0}, {501, "", plugins.Unsupported, 0},
		{412, "", plugins.Changed, 0}, {416, "", plugins.OutOfRange, 0},
		{408, "", plugins.Timeout, 0}, {504, "", plugins.Timeout, 0},
		{429, "", plugins.Busy, 0}, {429, "7", plugins.Busy, 7 * time.Second},
		{503, "", plugins.Faulty, 0}, {503, "120", plugins.Busy, 2 * time.Minute},
		{503, "999999999", plugins.Busy, time.Hour}, {503, "soon", plugins.Faulty, 0},
		{503, "Mon, 01 Jan 2001 00:00:00 GMT", plugins.Busy, 0},
		{500, "5", plugins.Faulty, 0}, {502, "", plugins.Faulty, 0}, {507, "", plugins.Faulty, 0},
		{400, "", plugins.Invalid, 0}, {409, "", plugins.Invalid, 0}, {418, "", plugins.Invalid, 0},
		{300, "", plugins.Malformed, 0}, {304, "", plugins.Malformed, 0},
		{302, "", plugins.Malformed, 0}, // without a Location
	} {
		_, client := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
			if c.retryAfter != "" {
				w.Header().Set("Retry-After", c.retryAfter)
			}
			w.WriteHeader(c.status)
		})
		_, err := client.Do(t.Context(), Request{Op: "stat", Method: "PROPFIND", Path: "/x"})
		e, ok := err.(*plugins.Error)
		if !ok || e.Kind != c.kind || e.RetryAfter != c.pause || e.Op != "stat" || e.Path != "/x" || e.Endpoint != "geneva" {
			t.Errorf("status %d, Retry-After %q: %#v, want %v, %v", c.status, c.retryAfter, err, c.kind, c.pause)
		}
	}
}

func TestErrorBodiesAreDrained(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, strings.Repeat("no such file ", 1000))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := newClient(t, Config{URL: s.URL}, testEnv())
	for range 5 {
		_, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
		wantKind(t, err, plugins.NotFound)
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("5 requests used %d connections, want 1", n)
	}
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		method string
		status int
		kind   plugins.Kind // 0 is followed
	}{
		{"GET", 301, 0}, {"GET", 302, 0}, {"GET", 303, 0}, {"GET", 307, 0}, {"GET", 308, 0},
		{"HEAD", 303, 0},
		{"PROPFIND", 301, 0}, {"PROPFIND", 302, 0}, {"PROPFIND", 307, 0}, {"PROPFIND", 308, 0},
		{"PROPFIND", 303, plugins.Malformed}, {"GET", 305, plugins.Malformed},
	} {
		var got string
		_, client := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/x" {
				w.Header().Set("Location", "/y%20z?sig=1#frag")
				w.WriteHeader(c.status)
				return
			}
			b, _ := io.ReadAll(r.Body)
			got = r.Method + " " + r.RequestURI + " " + r.Header.Get("Depth") + " " + string(b)
		})
		resp, err := client.Do(t.Context(), Request{Method: c.method, Path: "/x", Header: http.Header{"Depth": {"0"}}, Body: []byte("body")})
		if c.kind != 0 {
			wantKind(t, err, c.kind)
			continue
		}
		if err != nil {
			t.Errorf("%s %d: %v", c.method, c.status, err)
			continue
		}
		resp.Body.Close()
		if want := c.method + " /y%20z?sig=1 0 body"; got != want {
			t.Errorf("%s %d was followed with %q, want %q", c.method, c.status, got, want)
		}
	}
}

func TestRedirectsThatAreRefused(t *testing.T) {
	for location, want := range map[string]plugins.Kind{
		"/x":               plugins.Malformed, // for ever
		"ftp://h/x":        plugins.Malformed,
		"http://":          plugins.Malformed,
		"http:x":           plugins.Malformed,
		"file:///etc/pass": plugins.Malformed,
		"%zz":              plugins.Malformed,
	} {
		n := 0
		_, client := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		})
		_, err := client.Do(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
		wantKind(t, err, want)
		if n > maxRedirects+1 {
			t.Errorf("%q: %d requests", location, n)
		}
	}
}

func TestRedirectToPlainHTTPIsRefused(t *testing.T) {
	asked := false
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(plain.Close)
	s := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(s.Close)
	c := newClient(t, Config{URL: s.URL, TLS: TLS{InsecureSkipVerify: true}}, testEnv())
	_, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
	wantKind(t, err, plugins.Unsupported)
	if asked {
		t.Error("the plain server was asked")
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	seen := make(chan string, 1)
	pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(pool.Close)
	_, port, _ := net.SplitHostPort(pool.Listener.Addr().String())
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://ops:x@"+r.URL.Query().Get("to")+":"+port+"/", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(door.Close)
	c := newClient(t, Config{URL: door.URL, Credentials: Credentials{Bearer: "hunter2"}}, testEnv())
	for host, want := range map[string]string{"127.0.0.1": "Bearer hunter2", "localhost": ""} {
		_, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/x", Query: "to=" + host})
		wantKind(t, err, plugins.Denied)
		if got := <-seen; got != want {
			t.Errorf("%s got Authorization %q, want %q", host, got, want)
		}
		if foreign := strings.Contains(fmt.Sprint(err), "no credentials"); foreign != (want == "") {
			t.Errorf("error %v", err)
		}
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	s, _ := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "/gone?token=hunter2", http.StatusFound)
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(conn, "%s\r\n%s\r\n\r\n", r.Header.Get("Authorization"), r.URL.RawQuery)
		conn.Close()
	})
	c := newClient(t, Config{URL: s.URL, Credentials: Credentials{Bearer: "hunter2"}}, testEnv())
	for _, path := range []string{"/echo", "/redirect"} {
		_, err := c.Do(t.Context(), Request{Op: "open", Method: http.MethodGet, Path: path, Query: "sig=hunter2"})
		wantKind(t, err, plugins.Malformed)
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), "hunter2") {
			t.Errorf("the error shows the token: %v", err)
		}
	}
}

func TestConnectionErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	plain, _ := serve(t, "", func(http.ResponseWriter, *http.Request) {})
	for name, address := range map[string]string{
		"refused": "http://" + l.Addr().String(),
		"not TLS": strings.Replace(plain.URL, "http:", "https:", 1),
	} {
		_, err := newClient(t, Config{URL: address}, testEnv()).Do(t.Context(), Request{Op: "stat", Method: http.MethodGet, Path: "/x"})
		if got := plugins.KindOf(err); got != plugins.Unavailable {
			t.Errorf("%s: kind %v, want unavailable; error: %v", name, got, err)
		}
	}
}

// TestUnknownHost: that is unavailable like others, and not mended by waiting.
func TestUnknownHost(t *testing.T) {
	env := testEnv()
	env.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}
	_, err := newClient(t, Config{URL: "https://geneav.example.org/d"}, env).Do(t.Context(), Request{Op: "stat", Method: http.MethodGet, Path: "/x"})
	wantKind(t, err, plugins.Unavailable)
	const want = "https://geneav.example.org: dial tcp: lookup geneav.example.org: no such host; check the name in the url, and DNS"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProxyAndHTTP2(t *testing.T) {
	// The proxy is not the environment's but the one configured.
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	proxied := false
	proxy, _ := serve(t, "", func(w http.ResponseWriter, r *http.Request) { proxied = r.URL.Host == "dav.example.org" })
	c := newClient(t, Config{URL: "http://dav.example.org", Proxy: proxy.URL}, testEnv())
	if _, err := c.Head(t.Context(), "/x"); err != nil || !proxied {
		t.Errorf("through the proxy: %v, %v", proxied, err)
	}

	proto := ""
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proto = r.Proto }))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{}
	s.StartTLS()
	t.Cleanup(s.Close)
	c = newClient(t, Config{URL: s.URL, TLS: TLS{InsecureSkipVerify: true}}, testEnv())
	if _, err := c.Head(t.Context(), "/x"); err != nil || proto != "HTTP/2.0" {
		t.Errorf("protocol %q, %v", proto, err)
	}
}

func TestContextEnds(t *testing.T) {
	stop := make(chan struct{})
	_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.(http.Flusher).Flush()
		<-stop
	})
	t.Cleanup(func() { close(stop) })
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.ReadAll(resp.Body)
	wantKind(t, err, plugins.Canceled)
	resp.Body.Close()

	_, err = c.Do(ctx, Request{Method: http.MethodGet, Path: "/x"})
	wantKind(t, err, plugins.Canceled)
	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = c.Do(ctx, Request{Method: http.MethodGet, Path: "/x"})
	wantKind(t, err, plugins.Timeout)
}
