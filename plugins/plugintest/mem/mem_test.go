package mem_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest"
	"canopy/plugins/plugintest/mem"
)

func TestConformance(t *testing.T) {
	var e *mem.Endpoint
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := e.Open(r.Context(), r.URL.Path, plugins.Whole)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		io.Copy(w, body)
	}))
	defer s.Close()
	e = mem.New(s.URL, nil)
	e.SetSpace(plugins.Space{Used: 1, Free: 1 << 40})
	plugintest.Run(t, plugintest.Subject{
		Writable: true,
		Open:     func(testing.TB, plugins.Env) plugins.Endpoint { return e },
		Seed: func(_ testing.TB, nodes []plugintest.Node) {
			for _, n := range nodes {
				if n.Directory {
					e.Mkdir(n.Path)
				} else {
					e.Put(n.Path, mem.File{Content: n.Content, ModTime: n.ModTime})
				}
			}
		},
	})
}

func TestTreeChanges(t *testing.T) {
	e := mem.New("http://h.example/base/", map[string]string{"/d/a": "x", "/d/b": "y", "/empty/": ""})
	names := func(p string) (names []string) {
		for entry, err := range e.List(t.Context(), p) {
			if err != nil {
				return []string{plugins.KindOf(err).String()}
			}
			names = append(names, entry.Name)
		}
		return names
	}
	if got := names("/"); !slices.Equal(got, []string{"d", "empty"}) {
		t.Errorf("root: %q", got)
	}
	e.Drop("/d/a")
	e.Drop("/d/none")
	e.Drop("/none/none")
	if got := names("/d"); !slices.Equal(got, []string{"b"}) {
		t.Errorf("after the removal: %q", got)
	}
	e.Put("/d/b/c", mem.File{}) // a directory takes the file's place
	if got := names("/d/b"); !slices.Equal(got, []string{"c"}) {
		t.Errorf("after the change: %q", got)
	}
	e.Drop("/d")
	if got := names("/d"); !slices.Equal(got, []string{"not found"}) {
		t.Errorf("after all was removed: %q", got)
	}
	if l, err := e.Locate("/a b/%", "GET"); err != nil || l.URL != "http://h.example/base/a%20b/%25" {
		t.Errorf("Locate: %q, %v", l.URL, err)
	}
}

func TestDescribedFile(t *testing.T) {
	e := mem.New("", nil)
	given := plugins.Digest{Algorithm: "md5", Sum: strings.Repeat("m", 16)}
	e.Put("/big", mem.File{Content: "ab", Size: 1 << 50, ETag: `"t"`, Digests: []plugins.Digest{given}})
	entry, err := e.Stat(t.Context(), "/big")
	if err != nil || entry.Size != 1<<50 || entry.ETag != `"t"` {
		t.Errorf("Stat: %+v, %v", entry, err)
	}
	if d, err := e.Digest(t.Context(), "/big", "md5"); err != nil || d != given {
		t.Errorf("Digest: %+v, %v", d, err)
	}
	for _, tt := range []struct {
		offset int64
		want   string
	}{{0, "ab\x00\x00"}, {1, "b\x00\x00\x00"}, {1<<50 - 4, "\x00\x00\x00\x00"}} {
		body, err := e.Open(t.Context(), "/big", plugins.Range{Offset: tt.offset, Length: 4})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != tt.want {
			t.Errorf("at %d: %q, %v", tt.offset, got, err)
		}
	}
}

func BenchmarkStat(b *testing.B) {
	e := mem.New("", map[string]string{"/a/b/c": "x"})
	for b.Loop() {
		if _, err := e.Stat(b.Context(), "/a/b/c"); err != nil {
			b.Fatal(err)
		}
	}
}
