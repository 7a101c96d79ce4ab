package dav

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/marker"
)

const other = "https://other.example:8443/data/f?authz=s3cr3t-query"

var (
	pull = plugins.ThirdParty{Mode: plugins.Pull, URL: other}
	push = plugins.ThirdParty{Mode: plugins.Push, URL: other}
)

func TestCopyAsks(t *testing.T) {
	for _, c := range []plugins.ThirdParty{pull, push} {
		var got http.Header
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "PROPFIND" || r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNotFound) // to find out what it is
				return
			}
			got = r.Header
			if r.Method != "COPY" || r.RequestURI != "/d/a%20b" {
				t.Errorf("%s: asked %s %s", c.Mode, r.Method, r.RequestURI)
			}
			w.WriteHeader(http.StatusAccepted)
			for i, n := range []int64{5, 10} {
				marker.Write(w, marker.Marker{Stripe: i, Bytes: n})
			}
			marker.Finish(w, marker.Outcome{State: marker.Success, Message: "Created"})
		})
		if err := e.Copy(t.Context(), "/a b", c); err != nil {
			t.Errorf("%s: %v", c.Mode, err)
		}
		want := map[string]string{"Source": other, "Overwrite": "F", "Credential": "none", "Requirechecksumverification": "false"}
		if c == push {
			want["Destination"], want["Source"] = other, ""
		}
		for field, value := range want {
			if got.Get(field) != value {
				t.Errorf("%s: %s: %q, want %q", c.Mode, field, got.Get(field), value)
			}
		}
	}
}

func TestCopyRefusesToAsk(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.Method) })
	for name, c := range map[string]plugins.ThirdParty{
		"nothing":      {},
		"no mode":      {URL: other},
		"nobody":       {Mode: plugins.Pull},
		"a path":       {Mode: plugins.Pull, URL: "/data/f"},
		"another kind": {Mode: plugins.Pull, URL: "ftp://h/f"},
		"a password":   {Mode: plugins.Pull, URL: "https://ada:s3cr3t-word@h/f"},
		"a fragment":   {Mode: plugins.Pull, URL: "https://h/f#x"},
		"a line break": {Mode: plugins.Pull, URL: "https://h/f\r\nX: y"},
		"no host":      {Mode: plugins.Push, URL: "https:///f"},
	} {
		err := e.Copy(t.Context(), "/f", c)
		if plugins.KindOf(err) != plugins.Invalid || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCopyFails(t *testing.T) {
	for name, v := range map[string]struct {
		status int
		body   string
		want   plugins.Kind
	}{
		"failure":          {202, "failure: GET " + other + " with s3cr3t-query: 404\n", plugins.Faulty},
		"aborted":          {201, "aborted: by operator\n", plugins.Faulty},
		"no last line":     {202, "Perf Marker\nStripe Bytes Transferred: 5\nEnd\n", plugins.Malformed},
		"nothing":          {201, "", plugins.Malformed},
		"a page":           {200, "<html>", plugins.Malformed},
		"there already":    {412, "", plugins.Exists},
		"no such method":   {405, "", plugins.Unsupported},
		"no such mode":     {501, "", plugins.Unsupported},
		"only within":      {502, "", plugins.Unsupported},
		"not allowed":      {403, "", plugins.Denied},
		"no room":          {507, "", plugins.Full},
		"nonsense to it":   {400, "", plugins.Invalid},
		"says what it can": {404, "", plugins.Invalid},
	} {
		s := &shelf{files: map[string]string{}, answer: v.status}
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "COPY" || v.status > 299 {
				s.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(v.status)
			io.WriteString(w, v.body)
		})
		err := e.Copy(t.Context(), "/dir/f", pull)
		if f, ok := err.(*plugins.Error); !ok || f.Kind != v.want || f.Op != "copy" || f.Path != "/dir/f" || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want %v", name, err, v.want)
		}
		var why *CopyError
		if v.want == plugins.Faulty && !errors.As(err, &why) {
			t.Errorf("%s: %v does not say why", name, err)
		}
	}
	s := &shelf{files: map[string]string{"f": file}, answer: http.StatusBadRequest}
	e := serve(t, s.ServeHTTP)
	wantKind(t, e.Copy(t.Context(), "/dir", pull), plugins.IsDirectory)
	wantKind(t, e.Copy(t.Context(), "/none/f", pull), plugins.NoParent)
	wantKind(t, e.Copy(t.Context(), "/dir/f/f", pull), plugins.NoParent)
	wantKind(t, e.Copy(t.Context(), "/dir/none", push), plugins.NotFound)
}

// TestCopyXRootD has a real XRootD server pull from and push to a real Apache
// server.
func TestCopyXRootD(t *testing.T) {
	apache := rig.Apache(t, rig.TempDir(t))
	xrootd := rig.XRootD(t, rig.TempDir(t), rig.ThirdParty())
	far := rig.Toxic(t, apache.URL())
	e := open(t, &Config{Config: webclient.Config{URL: xrootd.URL()}}, plugins.Env{Timeout: time.Minute})
	from := func(url string) plugins.ThirdParty { return plugins.ThirdParty{Mode: plugins.Pull, URL: url} }
	to := func(url string) plugins.ThirdParty { return plugins.ThirdParty{Mode: plugins.Push, URL: url} }
	content := strings.Repeat("0123456789abcdef", 1<<18)
	lay := func(dir, name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	lay(apache.Dir(), "source", content)
	has := func(dir, name, want string) {
		t.Helper()
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s has %d bytes, want %d; %v", name, len(b), len(want), err)
		}
	}

	if err := e.Copy(t.Context(), "/pulled", from(far.URL()+"/source")); err != nil {
		t.Fatal(err)
	}
	has(xrootd.Dir(), "pulled", content)
	if err := e.Copy(t.Context(), "/pulled", to(far.URL()+"/pushed")); err != nil {
		t.Fatal(err)
	}
	has(apache.Dir(), "pushed", content)

	lay(apache.Dir(), "source", "another")
	wantKind(t, e.Copy(t.Context(), "/pulled", from(far.URL()+"/source")), plugins.Exists)
	has(xrootd.Dir(), "pulled", content)

	wantKind(t, e.Copy(t.Context(), "/none/f", from(far.URL()+"/source")), plugins.NoParent)
	wantKind(t, e.Copy(t.Context(), "/none", to(far.URL()+"/x")), plugins.NotFound)
	for name, c := range map[string]plugins.ThirdParty{
		"no source":    from(far.URL() + "/none"),
		"nobody there": from("http://127.0.0.1:1/x"),
		"no directory": to(far.URL() + "/none/x"),
	} {
		path := "/fresh"
		if c.Mode == plugins.Push {
			path = "/pulled"
		}
		err := e.Copy(t.Context(), path, c)
		var why *CopyError
		if plugins.KindOf(err) != plugins.Faulty || !errors.As(err, &why) {
			t.Errorf("%s: %v", name, err)
		}
		os.Remove(filepath.Join(xrootd.Dir(), "fresh"))
	}

	lay(apache.Dir(), "source", content)
	far.Cut(1 << 20)
	err := e.Copy(t.Context(), "/dies", from(far.URL()+"/source"))
	wantKind(t, err, plugins.Faulty)
	far.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantKind(t, e.Copy(ctx, "/hangs", from(far.URL()+"/source")), plugins.Timeout)
	far.Heal()
}

// TestCopyElsewhere: what storages say that make no third-party copies.
func TestCopyElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		server     func(testing.TB, string, ...rig.Option) *rig.Server
		pull, push plugins.Kind
	}{
		"Apache": {rig.Apache, plugins.Invalid, plugins.Unsupported},
		"nginx":  {rig.Nginx, plugins.Invalid, plugins.Invalid},
		"rclone": {rig.Rclone, plugins.Invalid, plugins.Unsupported},
		"XRootD": {rig.XRootD, plugins.Invalid, plugins.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.server(t, rig.TempDir(t))
			e := open(t, &Config{Config: webclient.Config{URL: s.URL()}}, plugins.Env{Timeout: time.Minute})
			if _, err := e.Store(t.Context(), "/f", strings.NewReader("x"), plugins.Upload{Size: 1}); err != nil {
				t.Fatal(err)
			}
			wantKind(t, e.Copy(t.Context(), "/g", plugins.ThirdParty{Mode: plugins.Pull, URL: "http://other.example/f"}), c.pull)
			wantKind(t, e.Copy(t.Context(), "/f", plugins.ThirdParty{Mode: plugins.Push, URL: "http://other.example/f"}), c.push)
			if _, err := e.Stat(t.Context(), "/g"); plugins.KindOf(err) != plugins.NotFound {
				t.Errorf("something was made: %v", err)
			}
		})
	}
}
