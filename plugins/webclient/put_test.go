package webclient

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"canopy/plugins"
)

// plain hides what else a reader can do.
type plain struct{ io.Reader }

// receive is a storage that takes what is put, and reports it.
func receive(w http.ResponseWriter, r *http.Request) string {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return "cut"
	}
	w.Header().Set("ETag", `"new"`)
	w.WriteHeader(http.StatusCreated)
	return string(b)
}

func TestPut(t *testing.T) {
	var got *http.Request
	var body string
	s, _ := serve(t, "", func(w http.ResponseWriter, r *http.Request) { got, body = r, receive(w, r) })
	c := newClient(t, Config{URL: s.URL + "/d", Credentials: Credentials{Bearer: "geheim"}}, testEnv())
	long := strings.Repeat("0123456789abcdef", 1<<16)
	for _, content := range []string{"", "x", long} {
		for _, size := range []int64{int64(len(content)), -1} {
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"plain": func(r io.Reader) io.Reader { return r }, "with its error": iotest.DataErrReader, "halves": iotest.HalfReader,
			} {
				e, err := c.Put(t.Context(), "/a b", plain{wrap(strings.NewReader(content))}, size, http.Header{"If-None-Match": {"*"}})
				if err != nil || e.Name != "a b" || e.Kind != plugins.File || e.Size != int64(len(content)) || e.ETag != `"new"` || body != content {
					t.Errorf("%d bytes, size %d, %s: %+v, %v; stored %d", len(content), size, name, e, err, len(body))
				}
				if got.Method != "PUT" || got.RequestURI != "/d/a%20b" || got.Header.Get("If-None-Match") != "*" || got.Header.Get("Authorization") != "Bearer geheim" {
					t.Errorf("asked %s %s %v", got.Method, got.RequestURI, got.Header)
				}
				if chunked := len(got.TransferEncoding) > 0; chunked != (size < 0) || got.Header.Get("Expect") != "100-continue" && size != 0 {
					t.Errorf("size %d: %v, %v", size, got.TransferEncoding, got.Header)
				}
			}
		}
	}
}

// TestPutSpoilt: content that is not what was announced never arrives as whole.
func TestPutSpoilt(t *testing.T) {
	bad := errors.New("the disk is on fire")
	stored := make(chan string, 1)
	_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) { stored <- receive(w, r) })
	for name, v := range map[string]struct {
		content io.Reader
		size    int64
		cause   error
		kind    plugins.Kind
		unasked bool
	}{
		"short":               {strings.NewReader("12345"), 6, errShort, plugins.Invalid, false},
		"long":                {strings.NewReader("12345"), 4, errLong, plugins.Invalid, false},
		"not empty":           {strings.NewReader("12345"), 0, errLong, plugins.Invalid, true},
		"no end of nothing":   {iotest.ErrReader(bad), 0, bad, plugins.Invalid, true},
		"fails":               {io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(bad)), 10, bad, plugins.Invalid, false},
		"fails at the end":    {io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(bad)), 5, bad, plugins.Invalid, false},
		"fails with its last": {iotest.DataErrReader(io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(bad))), 5, bad, plugins.Invalid, false},
		"fails, size unknown": {io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(bad)), -1, bad, plugins.Invalid, false},
		"its caller gave up":  {iotest.ErrReader(context.Canceled), 5, context.Canceled, plugins.Canceled, false},
		"stands still":        {io.MultiReader(strings.NewReader("12345"), idle{}), 5, io.ErrNoProgress, plugins.Invalid, false},
	} {
		_, err := c.Put(t.Context(), "/x", plain{v.content}, v.size, nil)
		if e, ok := err.(*plugins.Error); !ok || e.Kind != v.kind || !errors.Is(err, v.cause) || e.Op != "store" || e.Path != "/x" || e.Endpoint != "geneva" {
			t.Errorf("%s: %v", name, err)
		}
		if v.unasked {
			continue
		}
		if got := <-stored; got != "cut" {
			t.Errorf("%s: stored %q", name, got)
		}
	}
}

// idle returns nothing, time and again.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestPutRefused(t *testing.T) {
	for status, want := range map[int]plugins.Kind{
		401: plugins.Denied, 403: plugins.Denied, 404: plugins.NotFound, 405: plugins.Unsupported, 409: plugins.Invalid,
		411: plugins.Unsupported, 412: plugins.Changed, 413: plugins.Full, 423: plugins.Locked, 429: plugins.Busy, 500: plugins.Faulty, 507: plugins.Full,
		202: plugins.Malformed, 207: plugins.Malformed, 201: plugins.Malformed, // without having taken anything
	} {
		_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		content := &counter{Reader: strings.NewReader("12345")}
		_, err := c.Put(t.Context(), "/x", content, 5, nil)
		wantKind(t, err, want)
		if content.n != 0 {
			t.Errorf("%d: %d bytes were taken from the content", status, content.n)
		}
	}
	// Of a question the same statuses are faults of the storage.
	_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(507) })
	_, err := c.Do(t.Context(), Request{Op: "list", Method: "PROPFIND", Path: "/x"})
	wantKind(t, err, plugins.Faulty)
}

func TestPutRedirected(t *testing.T) {
	var at, body, auth string
	pool, _ := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		at, auth, body = r.URL.Path, r.Header.Get("Authorization"), receive(w, r)
	})
	// Another host, as far as names go.
	foreign := strings.Replace(pool.URL, "127.0.0.1", "localhost", 1)
	door := func(status int, to string, greedy bool) *Client {
		s, _ := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
			if greedy {
				io.Copy(io.Discard, r.Body)
			}
			w.Header().Set("Location", to)
			w.WriteHeader(status)
		})
		return newClient(t, Config{URL: s.URL, Credentials: Credentials{Bearer: "geheim"}}, testEnv())
	}
	const content = "the content"
	for name, v := range map[string]struct {
		client  *Client
		content io.Reader
		size    int64
		want    plugins.Kind
	}{
		"307":                   {door(307, pool.URL+"/p", false), plain{strings.NewReader(content)}, int64(len(content)), 0},
		"308":                   {door(308, pool.URL+"/p", false), plain{strings.NewReader(content)}, int64(len(content)), 0},
		"302":                   {door(302, pool.URL+"/p", false), plain{strings.NewReader(content)}, -1, 0},
		"another host":          {door(307, foreign+"/p", false), plain{strings.NewReader(content)}, -1, 0},
		"303":                   {door(303, pool.URL+"/p", false), plain{strings.NewReader(content)}, -1, plugins.Malformed},
		"after the content":     {door(307, pool.URL+"/p", true), plain{strings.NewReader(content)}, int64(len(content)), plugins.Unsupported},
		"after what can return": {door(307, pool.URL+"/p", true), strings.NewReader(content), int64(len(content)), 0},
		"to a directory":        {door(301, "/x/", false), plain{strings.NewReader(content)}, int64(len(content)), plugins.IsDirectory},
		"in circles":            {door(307, "/x", false), plain{strings.NewReader(content)}, int64(len(content)), plugins.Malformed},
	} {
		at, body, auth = "", "", ""
		e, err := v.client.Put(t.Context(), "/x", v.content, v.size, nil)
		wantKind(t, err, v.want)
		if err != nil {
			if at != "" || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s: %q was put at %s; %v", name, body, at, err)
			}
			continue
		}
		want := "Bearer geheim"
		if name == "another host" {
			want = ""
		}
		if at != "/p" || body != content || auth != want || e.Size != int64(len(content)) {
			t.Errorf("%s: %q at %s with %q, %+v", name, body, at, auth, e)
		}
	}
	// A seeker begins where it stood, not at its first byte.
	r := strings.NewReader("abc" + content)
	io.CopyN(io.Discard, r, 3)
	if _, err := door(307, pool.URL+"/p", true).Put(t.Context(), "/x", r, int64(len(content)), nil); err != nil || body != content {
		t.Errorf("%q, %v", body, err)
	}
}

func TestPutToLogin(t *testing.T) {
	_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<html>")
	})
	_, err := c.Put(t.Context(), "/x", strings.NewReader("12345"), 5, nil)
	wantKind(t, err, plugins.Denied)
}

// TestPutOnDeadConnection: a kept connection that has died meanwhile costs
// nothing as long as no content went into it.
func TestPutOnDeadConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answers := make(chan string, 2)
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			for i := range 2 {
				conn, err := l.Accept()
				if err != nil {
					return err
				}
				for r := bufio.NewReader(conn); ; {
					req, err := http.ReadRequest(r)
					if err != nil {
						return err
					}
					if i == 0 && req.Method == http.MethodPut {
						break
					}
					if req.Method == http.MethodPut {
						io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
					}
					b, err := io.ReadAll(req.Body)
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					answers <- req.Method + " " + string(b)
					if err != nil || req.Method == http.MethodPut {
						break
					}
				}
				conn.Close()
			}
			return nil
		}()
	}()
	c := newClient(t, Config{URL: "http://" + l.Addr().String()}, testEnv())
	resp, err := c.Do(t.Context(), Request{Op: "stat", Method: http.MethodHead, Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, err := c.Put(t.Context(), "/x", plain{strings.NewReader("12345")}, 5, nil); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"HEAD ", "PUT 12345"} {
		if got := <-answers; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSoftware(t *testing.T) {
	name := "Apache"
	_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if name != "" {
			w.Header().Set("Server", name)
		}
		w.WriteHeader(http.StatusNotFound)
	})
	if got, ok := c.Software(); got != "" || ok {
		t.Errorf("before any answer: %q, %t", got, ok)
	}
	for _, name = range []string{"Apache", "XrootD/v5.5.3", ""} {
		c.Head(t.Context(), "/x")
		if got, ok := c.Software(); got != name || !ok {
			t.Errorf("%q, %t, want %q", got, ok, name)
		}
	}
}
