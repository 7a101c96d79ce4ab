package rig

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask sends one request on a connection of its own and returns the answer with
// its body read.
func ask(ctx context.Context, method, url string, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Close = true
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func mustAsk(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	resp, body, err := ask(t.Context(), method, url, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp, body
}

func seeded(t *testing.T) string {
	t.Helper()
	dir := TempDir(t)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "hello"), []byte("Wikipedia"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestServers(t *testing.T) {
	type starter func(testing.TB, string, ...Option) *Server
	for _, tt := range []struct {
		name  string
		start starter
		opts  []Option
		dav   bool
	}{
		{"apache", Apache, nil, true},
		{"apache plain", Apache, []Option{Plain()}, false},
		{"nginx", Nginx, nil, true},
		{"nginx plain", Nginx, []Option{Plain()}, false},
		{"rclone", Rclone, nil, true},
		{"rclone plain", Rclone, []Option{Plain()}, false},
		{"xrootd", XRootD, nil, true},
		{"lighttpd", Lighttpd, nil, false},
		{"caddy", Caddy, nil, false},
		{"python", Python, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.start(t, seeded(t), tt.opts...)
			if _, body := mustAsk(t, "GET", s.URL()+"/sub/hello"); body != "Wikipedia" {
				t.Errorf("GET: %q", body)
			}
			if resp, _ := mustAsk(t, "GET", s.URL()+"/sub/none"); resp.StatusCode != 404 {
				t.Errorf("GET of an absent file: %s", resp.Status)
			}
			if tt.dav {
				resp, body := mustAsk(t, "PROPFIND", s.URL()+"/sub/", "Depth", "1")
				if resp.StatusCode != 207 || !strings.Contains(body, "/sub/hello") {
					t.Errorf("PROPFIND: %s\n%s", resp.Status, body)
				}
				resp, _ = mustAsk(t, "MKCOL", s.URL()+"/sub/made/")
				if resp.StatusCode != 201 {
					t.Errorf("MKCOL: %s", resp.Status)
				}
			} else if resp, body := mustAsk(t, "GET", s.URL()+"/sub/"); resp.StatusCode != 200 || !strings.Contains(body, `hello"`) {
				t.Errorf("index: %s\n%s", resp.Status, body)
			}

			url := s.URL() + "/sub/hello"
			s.Stop()
			if _, _, err := ask(t.Context(), "GET", url); err == nil {
				t.Error("a stopped server answered")
			}
			s.Start()
			if _, body := mustAsk(t, "GET", url); body != "Wikipedia" {
				t.Errorf("GET after the restart: %q", body)
			}

			s.Freeze()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, _, err := ask(ctx, "GET", url); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("GET from a frozen server: %v", err)
			}
			s.Thaw()
			if _, body := mustAsk(t, "GET", url); body != "Wikipedia" {
				t.Errorf("GET after the thaw: %q", body)
			}
		})
	}
}

func TestXRootDChecksum(t *testing.T) {
	t.Parallel()
	s := XRootD(t, seeded(t))
	resp, _ := mustAsk(t, "HEAD", s.URL()+"/sub/hello", "Want-Digest", "adler32")
	if got := resp.Header.Get("Digest"); got != "adler32=11e60398" {
		t.Errorf("Digest: %q", got)
	}
}

func TestThirdParty(t *testing.T) {
	t.Parallel()
	from, to := Apache(t, seeded(t)), XRootD(t, TempDir(t), ThirdParty())
	if _, body := mustAsk(t, "COPY", to.URL()+"/copied", "Source", from.URL()+"/sub/hello", "Credential", "none"); !strings.HasSuffix(body, "success: Created") {
		t.Errorf("COPY: %q", body)
	}
	if _, body := mustAsk(t, "GET", to.URL()+"/copied"); body != "Wikipedia" {
		t.Errorf("GET: %q", body)
	}
}

func TestBasic(t *testing.T) {
	for name, start := range map[string]func(testing.TB, string, ...Option) *Server{
		"apache": Apache, "nginx": Nginx, "rclone": Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, seeded(t), Basic("ada", "s3cret"))
			if resp, _ := mustAsk(t, "GET", s.URL()+"/sub/hello"); resp.StatusCode != 401 {
				t.Errorf("without credentials: %s", resp.Status)
			}
			if _, body := mustAsk(t, "GET", s.URL()+"/sub/hello", "Authorization", "Basic YWRhOnMzY3JldA=="); body != "Wikipedia" {
				t.Errorf("with credentials: %q", body)
			}
		})
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	talk := func() string {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "ECHO canopy\r\nQUIT\r\n")
		b, _ := io.ReadAll(c)
		return string(b)
	}
	want := "$6\r\ncanopy\r\n+OK\r\n"
	if got := talk(); got != want {
		t.Errorf("got %q", got)
	}
	s.Stop()
	s.Start()
	if got := talk(); got != want {
		t.Errorf("after the restart: %q", got)
	}
}

// spoken is a testing.TB that keeps what is logged and how the test ended.
type spoken struct {
	testing.TB
	failed bool
	out    bytes.Buffer
}

func (s *spoken) Failed() bool { return s.failed }
func (s *spoken) Logf(format string, args ...any) {
	s.out.WriteString(strings.TrimSpace(format))
	for _, a := range args {
		if b, ok := a.([]byte); ok {
			s.out.Write(b)
		}
	}
}

func TestLogIsShownOnFailure(t *testing.T) {
	for _, failed := range []bool{false, true} {
		tb := &spoken{TB: t, failed: failed}
		s := Python(tb, TempDir(t))
		mustAsk(t, "GET", s.URL()+"/only-in-the-log")
		s.finish()
		if got := strings.Contains(tb.out.String(), "only-in-the-log"); got != failed {
			t.Errorf("failed %t, log shown %t: %q", failed, got, &tb.out)
		}
	}
}
