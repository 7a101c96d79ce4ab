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

func TestCopyAsks(t *testing.T) {
	for name, c := range map[string]struct {
		copy ThirdParty
		want http.Header
	}{
		"pull": {
			ThirdParty{Source: other, Header: http.Header{"Authorization": {"Bearer abc"}, "x-lower": {"1", "2"}}},
			http.Header{"Source": {other}, "Overwrite": {"F"}, "Requirechecksumverification": {"false"}, "Transferheaderauthorization": {"Bearer abc"}, "Transferheaderx-Lower": {"1", "2"}},
		},
		"push": {
			ThirdParty{Destination: other, Overwrite: true, Verify: true, Streams: 4, SciTag: 66},
			http.Header{"Destination": {other}, "Overwrite": {"T"}, "Requirechecksumverification": {"true"}, "X-Number-Of-Streams": {"4"}, "Scitag": {"66"}},
		},
	} {
		var got http.Header
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "PROPFIND" || r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNotFound) // to find out what it is
				return
			}
			got = r.Header
			if r.Method != "COPY" || r.RequestURI != "/d/a%20b" {
				t.Errorf("%s: asked %s %s", name, r.Method, r.RequestURI)
			}
			w.WriteHeader(http.StatusAccepted)
			for i, n := range []int64{5, 10} {
				marker.Write(w, marker.Marker{Stripe: i, Bytes: n})
			}
			marker.Finish(w, marker.Outcome{State: marker.Success, Message: "Created"})
		})
		var seen []int64
		if err := e.Copy(t.Context(), "/a b", c.copy, func(n int64) { seen = append(seen, n) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(seen) != 2 || seen[0] != 5 || seen[1] != 15 {
			t.Errorf("%s: progress %v", name, seen)
		}
		for _, field := range []string{"Source", "Destination", "Overwrite", "X-Number-Of-Streams", "Scitag", "Requirechecksumverification", "Transferheaderauthorization", "Transferheaderx-Lower"} {
			if strings.Join(got.Values(field), "|") != strings.Join(c.want[field], "|") {
				t.Errorf("%s: %s: %q, want %q", name, field, got.Values(field), c.want[field])
			}
		}
		if got.Get("Credential") != "none" {
			t.Errorf("%s: Credential: %q", name, got.Get("Credential"))
		}
	}
}

func TestCopyRefusesToAsk(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.Method) })
	for name, c := range map[string]ThirdParty{
		"nobody":       {},
		"both":         {Source: other, Destination: other},
		"a path":       {Source: "/data/f"},
		"another kind": {Source: "ftp://h/f"},
		"a password":   {Source: "https://ada:s3cr3t-word@h/f"},
		"a fragment":   {Source: "https://h/f#x"},
		"a line break": {Source: "https://h/f\r\nX: y"},
		"no host":      {Destination: "https:///f"},
		"header name":  {Source: other, Header: http.Header{"A: b\r\nC": {"d"}}},
		"header value": {Source: other, Header: http.Header{"A": {"s3cr3t-word\r\nC: d"}}},
		"no name":      {Source: other, Header: http.Header{"": {"d"}}},
	} {
		err := e.Copy(t.Context(), "/f", c, nil)
		if plugins.KindOf(err) != plugins.Invalid || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCopyFails(t *testing.T) {
	c := ThirdParty{Source: other, Header: http.Header{"Authorization": {"Bearer s3cr3t-token"}}}
	for name, v := range map[string]struct {
		status int
		body   string
		want   plugins.Kind
	}{
		"failure":          {202, "failure: GET " + other + " with s3cr3t-token (Bearer s3cr3t-token): 404\n", plugins.Faulty},
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
		err := e.Copy(t.Context(), "/dir/f", c, nil)
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
	wantKind(t, e.Copy(t.Context(), "/dir", c, nil), plugins.IsDirectory)
	wantKind(t, e.Copy(t.Context(), "/none/f", c, nil), plugins.NoParent)
	wantKind(t, e.Copy(t.Context(), "/dir/f/f", c, nil), plugins.NoParent)
	wantKind(t, e.Copy(t.Context(), "/dir/none", ThirdParty{Destination: other}, nil), plugins.NotFound)
}

// TestCopyXRootD has a real XRootD server pull from and push to a real Apache
// server that asks for a password.
func TestCopyXRootD(t *testing.T) {
	apache := rig.Apache(t, rig.TempDir(t), rig.Basic("ada", "s3cret"))
	xrootd := rig.XRootD(t, rig.TempDir(t), rig.ThirdParty())
	far := rig.Toxic(t, apache.URL())
	e := open(t, &Config{Config: webclient.Config{URL: xrootd.URL()}}, plugins.Env{Timeout: time.Minute})
	login := http.Header{"Authorization": {"Basic YWRhOnMzY3JldA=="}}
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

	markers := 0
	count := func(int64) { markers++ }
	if err := e.Copy(t.Context(), "/pulled", ThirdParty{Source: far.URL() + "/source", Header: login}, count); err != nil {
		t.Fatal(err)
	}
	has(xrootd.Dir(), "pulled", content)
	if markers == 0 {
		t.Error("no progress")
	}
	if err := e.Copy(t.Context(), "/pulled", ThirdParty{Destination: far.URL() + "/pushed", Header: login}, nil); err != nil {
		t.Fatal(err)
	}
	has(apache.Dir(), "pushed", content)

	lay(apache.Dir(), "source", "another")
	wantKind(t, e.Copy(t.Context(), "/pulled", ThirdParty{Source: far.URL() + "/source", Header: login}, nil), plugins.Exists)
	has(xrootd.Dir(), "pulled", content)
	if err := e.Copy(t.Context(), "/pulled", ThirdParty{Source: far.URL() + "/source", Header: login, Overwrite: true}, nil); err != nil {
		t.Error(err)
	}
	has(xrootd.Dir(), "pulled", "another")

	wantKind(t, e.Copy(t.Context(), "/none/f", ThirdParty{Source: far.URL() + "/source", Header: login}, nil), plugins.NoParent)
	wantKind(t, e.Copy(t.Context(), "/none", ThirdParty{Destination: far.URL() + "/x", Header: login}, nil), plugins.NotFound)
	for name, c := range map[string]ThirdParty{
		"no password":      {Source: far.URL() + "/source"},
		"no source":        {Source: far.URL() + "/none", Header: login},
		"nobody there":     {Source: "http://127.0.0.1:1/x"},
		"no directory":     {Destination: far.URL() + "/none/x", Header: login},
		"no push password": {Destination: far.URL() + "/x"},
	} {
		path := "/fresh"
		if c.Destination != "" {
			path = "/pulled"
		}
		err := e.Copy(t.Context(), path, c, nil)
		var why *CopyError
		if plugins.KindOf(err) != plugins.Faulty || !errors.As(err, &why) {
			t.Errorf("%s: %v", name, err)
		}
		os.Remove(filepath.Join(xrootd.Dir(), "fresh"))
	}

	lay(apache.Dir(), "source", content)
	far.Cut(1 << 20)
	err := e.Copy(t.Context(), "/dies", ThirdParty{Source: far.URL() + "/source", Header: login}, nil)
	wantKind(t, err, plugins.Faulty)
	far.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantKind(t, e.Copy(ctx, "/hangs", ThirdParty{Source: far.URL() + "/source", Header: login}, nil), plugins.Timeout)
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
			wantKind(t, e.Copy(t.Context(), "/g", ThirdParty{Source: "http://other.example/f"}, nil), c.pull)
			wantKind(t, e.Copy(t.Context(), "/f", ThirdParty{Destination: "http://other.example/f"}, nil), c.push)
			if _, err := e.Stat(t.Context(), "/g"); plugins.KindOf(err) != plugins.NotFound {
				t.Errorf("something was made: %v", err)
			}
		})
	}
}
